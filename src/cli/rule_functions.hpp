// sluice rule functions
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

/// To the command `rule`.
void add_rule_functions(CLI::App& rule, Exit& exit);

}  // namespace sluice::cli

// `sluice rule try`: a rule over the live messages of a broker.
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

void add_rule_try(CLI::App& rule, Exit& exit);

}  // namespace sluice::cli

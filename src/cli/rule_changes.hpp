// `sluice rule list|put|pause|resume|rm`: the rules of a gateway that runs, over its HTTP API.
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

/// Adds these to the command `rule`.
void add_rule_changes(CLI::App& rule, Exit& exit);

}  // namespace sluice::cli

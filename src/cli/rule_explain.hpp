// `sluice rule explain`: what the rules of a configuration, or one rule, will do and keep.
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

/// Adds `explain` to the command `rule`.
void add_rule_explain(CLI::App& rule, Exit& exit);

}  // namespace sluice::cli

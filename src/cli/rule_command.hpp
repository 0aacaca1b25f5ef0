// `sluice rule test`: runs one rule over a file.
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

/// Adds `rule` with its subcommand `test` to the program.
void add_rule(CLI::App& app, Exit& exit);

}  // namespace sluice::cli

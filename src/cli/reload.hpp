// `sluice reload`: makes a running gateway take new rules from its configuration.
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {
struct Exit;
void add_reload(CLI::App& app, Exit& exit);
}  // namespace sluice::cli

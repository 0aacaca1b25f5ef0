// `sluice gateway`: runs a gateway until it is told to stop.
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {
struct Exit;
void add_gateway(CLI::App& app, Exit& exit);
}  // namespace sluice::cli

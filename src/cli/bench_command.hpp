// `sluice bench`: measures a gateway on this machine.
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

void add_bench(CLI::App& app, Exit& exit);

}  // namespace sluice::cli

// `sluice demo`: everything at once on this machine.
#pragma once

namespace CLI {
class App;
}

namespace sluice::cli {

struct Exit;

void add_demo(CLI::App& app, Exit& exit);

}  // namespace sluice::cli

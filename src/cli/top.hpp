// `sluice top`: who is connected and how busy, live in a terminal.
#pragma once

#include "cli/exit.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

void add_top(CLI::App& app, Exit& exit);

}  // namespace sluice::cli

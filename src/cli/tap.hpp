// `sluice tap`: a live view of topics.
#pragma once

#include "cli/exit.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

void add_tap(CLI::App& app, Exit& exit);

}  // namespace sluice::cli

// `sluice replay`: publishes the rows of a CSV file as JSON messages, in the pace in which they were measured or faster.
#pragma once

#include "cli/exit.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

void add_replay(CLI::App& app, Exit& exit);

}  // namespace sluice::cli

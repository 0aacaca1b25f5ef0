// `sluice sim`: a plant of vibration sensors that publish over MQTT.
#pragma once

#include "cli/exit.hpp"

namespace CLI {
class App;
}

namespace sluice::cli {

void add_sim(CLI::App& app, Exit& exit);

}  // namespace sluice::cli

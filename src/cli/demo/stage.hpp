// The demo's run: plant, gateway, line and cloud on this machine, the line cut in the middle, everything checked at the end.
#pragma once

#include <cstdint>
#include <string>

namespace sluice::demo {

struct StageOptions {
    std::uint32_t sensors = 1000;
    double seconds = 30;   ///< of publishing after the warm-up
    double rate = 10'000;  ///< readings a second of all sensors
    std::uint64_t seed = 1;
    double price_per_million = 50'000.0 / 25'920.0;  ///< dollars: $50,000 for 25.92 billion messages a month
    bool keep = false;                               ///< goes on publishing afterwards until Ctrl-C, and keeps the data
    bool json = false;
};

/// Runs the demo; progress on stderr, the report on stdout. Returns the exit code: 0 only if every check held.
int run(const StageOptions& options);

}  // namespace sluice::demo

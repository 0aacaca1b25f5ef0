// The rates at which a rolling bearing's faults strike.
#pragma once

#include <optional>
#include <string_view>

namespace sluice::rules {

/// Rates of impacts in multiples of the shaft's rate.
struct BearingRates {
    double outer;  ///< BPFO: rolling elements over one place of the outer race
    double inner;  ///< BPFI: of the inner race
    double ball;   ///< 2×BSF: a place of a rolling element strikes both races in each of its turns
    double cage;   ///< FTF: turns of the cage
};

/// From `'balls=9 ball=7.94 pitch=39.04 angle=0'` (number, diameters in one unit, contact angle in degrees, 0 if left out) by
/// BPFO = n/2 (1 - g), BPFI = n/2 (1 + g), BSF = (1 - g²) / (2 d/D), FTF = (1 - g) / 2 with g = d/D cos angle (Harris, "Rolling Bearing
/// Analysis"); outer race at rest, no slip. Or from multipliers as manufacturers give them: `'bpfo=3.5848 bpfi=5.4152 bsf=2.3568
/// ftf=0.3983'`. nullopt: neither, or impossible.
[[nodiscard]] std::optional<BearingRates> parse_bearing(std::string_view text);

}  // namespace sluice::rules

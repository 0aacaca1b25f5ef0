#include "flow/rules/window_clock.hpp"

#include <algorithm>

namespace sluice::rules {

WindowClock::Told WindowClock::tell(base::Monotonic at, base::WallTime arrived, const Lengths& lengths,
                                    std::optional<std::int64_t> next_ms) {
    const Duration part = std::chrono::milliseconds(lengths.pane_ms) / kStretchPart;
    const Duration wall = arrived.time_since_epoch() - at.time_since_epoch();
    const Duration drift = wall - ahead_.value_or(wall);
    if (ahead_ && drift <= std::max(kDriftMax, part) &&
        drift >= -std::max<Duration>(kDriftMax, std::chrono::milliseconds(lengths.span_ms))) {
        // What has ended stays so: the pane does not begin before an end that has passed.
        const std::int64_t passed = floor_to(ms(at), lengths.pane_ms);
        const Duration followed = std::max(drift, -std::max(kStretchMin, part));
        *ahead_ += followed;
        return {.ms = std::max(ms(at), passed), .later = -followed};
    }
    ahead_ = wall;
    if (next_ms && ms(at) < *next_ms && *next_ms - ms(at) <= lengths.span_ms) set(at, base::from_ms(*next_ms));
    return {.ms = ms(at), .later = Duration(0)};
}

}  // namespace sluice::rules

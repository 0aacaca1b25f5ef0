// The clock by which tumbling and hopping windows of arrival time are named and end; what is a time at all.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/time.hpp"

namespace sluice::rules {

/// Milliseconds since 1970 beyond which the time of a reading is no time: 2^52, far beyond any date, exact as a float.
inline constexpr double kReadingTimeMax = 4503599627370496.0;

/// The last multiple of `step` at or before a time.
[[nodiscard]] inline std::int64_t floor_to(std::int64_t ms, std::int64_t step) {
    const std::int64_t rest = ms % step;
    return ms - (rest < 0 ? rest + step : rest);
}

/// The monotonic clock, put to the wall clock's time. It looks at the wall clock when a pane begins, and follows what that has drifted; the
/// windows that are open follow, too, so that they end where panes end. A jump of the wall clock leaves those alone.
class WindowClock {
public:
    using Duration = std::chrono::nanoseconds;

    /// Forward by less is no jump: the two clocks are not read at quite the same moment, and the wall clock is slewed.
    static constexpr Duration kDriftMax = std::chrono::milliseconds(50);
    /// A wall clock that was set back by less than a window is waited for: each pane is longer by so much of its length, …
    static constexpr std::int64_t kStretchPart = 8;
    /// … or by this.
    static constexpr Duration kStretchMin = std::chrono::milliseconds(1);

    struct Lengths {
        std::int64_t pane_ms;
        std::int64_t span_ms;  ///< of a window
    };
    struct Told {
        std::int64_t ms;  ///< wall time, in the pane that begins
        Duration later;   ///< windows that are open end so much later than was thought; negative: sooner
    };
    /// At the first reading behind the end of a pane. `next_ms`: where the last pane ended; it counts where set() was not called.
    Told tell(base::Monotonic at, base::WallTime arrived, const Lengths& lengths, std::optional<std::int64_t> next_ms);
    void set(base::Monotonic at, base::WallTime wall) { ahead_ = wall.time_since_epoch() - at.time_since_epoch(); }

    [[nodiscard]] bool is_set() const { return ahead_.has_value(); }

    // 1970 began when the monotonic clock did, until it is known better.
    [[nodiscard]] base::WallTime wall(base::Monotonic at) const {
        return base::WallTime(at.time_since_epoch() + ahead_.value_or(Duration(0)));
    }
    [[nodiscard]] std::int64_t ms(base::Monotonic at) const { return base::to_ms(wall(at)); }
    [[nodiscard]] base::Monotonic monotonic(std::int64_t ms) const {
        return base::Monotonic(base::from_ms(ms).time_since_epoch() - ahead_.value_or(Duration(0)));
    }

private:
    std::optional<Duration> ahead_;  ///< wall time less monotonic time
};

}  // namespace sluice::rules

// Two clocks that cannot be confused: monotonic time for intervals, wall time for what people and clouds read.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace sluice::base {

struct MonotonicTag {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
};
struct WallTag {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
};

/// Time since an arbitrary start; never jumps. Intervals, timeouts, arrival-time windows.
using Monotonic = std::chrono::time_point<MonotonicTag, std::chrono::nanoseconds>;
/// Time since 1970-01-01 UTC as the machine believes it; may lie and may jump.
using WallTime = std::chrono::time_point<WallTag, std::chrono::nanoseconds>;

[[nodiscard]] constexpr std::int64_t to_ms(WallTime time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
/// Times that a WallTime cannot hold (before 1677, after 2262) become the first or last that it can: a device may say any year.
[[nodiscard]] constexpr WallTime from_ms(std::int64_t ms) {
    constexpr std::int64_t kLimit = std::numeric_limits<std::int64_t>::max() / 1'000'000;
    return WallTime(std::chrono::milliseconds(std::clamp(ms, -kLimit, kLimit)));
}

}  // namespace sluice::base

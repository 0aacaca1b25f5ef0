// How long the spool has existed, by the monotonic clock: what time to live is measured in.
#pragma once

#include <chrono>
#include <cstdint>

#include "env/clock.hpp"

namespace sluice::spool {

/// Milliseconds that only grow, over restarts. The time while the spool was closed counts if the wall clock was set when it was saved and
/// is set now (or later in this run); otherwise it does not: a clock that lies expires nothing too early.
class RunningTime {
public:
    struct Saved {
        std::uint64_t running_ms = 0;
        std::int64_t wall_ms = 0;  ///< 0: the clock was not set
    };

    RunningTime(const env::Clock& clock, Saved saved);

    [[nodiscard]] std::uint64_t now_ms() const;
    /// At least this: stamps that were found on disk.
    void at_least(std::uint64_t running_ms);
    /// Looks whether the wall clock has been set meanwhile. Now and then.
    void update();
    [[nodiscard]] Saved to_save() const;

private:
    /// Ten years: a longer pause is a clock that lies.
    static constexpr std::int64_t kPauseMsMax = std::int64_t{10} * 365 * 24 * 3600 * 1000;

    const env::Clock& clock_;
    base::Monotonic opened_;
    std::uint64_t base_ms_;
    std::int64_t wall_before_ms_;  ///< 0: the pause is counted, or never will be
};

}  // namespace sluice::spool

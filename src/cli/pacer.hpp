// When to send each row of a replay.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/time.hpp"

namespace sluice::cli {

/// Keeps the distances between the rows' times, divided by the speed; without times one row a second, divided by the speed. A time that
/// goes back, or is missing, is due with the row before it. Lateness is made up for: the schedule does not move.
class Pacer {
public:
    /// `speed`: greater than 0; 2 is twice as fast as the rows' times. Nothing: every row is due at once.
    explicit Pacer(std::optional<double> speed) : speed_(speed) {}

    void start(base::Monotonic now) { start_ = last_ = now; }

    /// `timed`: the file has a time column. Call once for each row, in order.
    [[nodiscard]] base::Monotonic due(std::optional<base::WallTime> time, bool timed) {
        if (!speed_) return last_;
        double seconds = static_cast<double>(rows_++);
        if (timed) {
            if (!time) return last_;
            if (!first_) first_ = time;
            seconds = static_cast<double>((*time - *first_).count()) / 1e9;
        }
        // A century at most: what a broken clock in one row may cost, and far inside what 64 bits hold.
        constexpr double kSecondsMax = 100 * 366 * 86400.0;
        const double wait = std::min(std::max(0.0, seconds / *speed_), kSecondsMax);
        last_ = std::max(last_, start_ + std::chrono::nanoseconds(static_cast<std::int64_t>(wait * 1e9)));
        return last_;
    }

private:
    std::optional<double> speed_;
    base::Monotonic start_{};
    base::Monotonic last_{};
    std::optional<base::WallTime> first_;
    std::uint64_t rows_ = 0;
};

}  // namespace sluice::cli

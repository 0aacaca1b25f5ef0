// Virtual time: what happens next, in which order. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "sim/clock.hpp"

namespace sluice::sim {

/// Runs actions at their times; actions of the same time run in the order in which they were given. All clocks of the simulated machines
/// move together.
class Scheduler {
public:
    using Time = std::chrono::nanoseconds;  ///< since the simulation began
    using Action = std::function<void()>;

    [[nodiscard]] Time now() const { return now_; }
    void after(Time delay, Action action) {
        queue_.push({.at = now_ + std::max(delay, Time(0)), .order = order_++, .action = std::move(action)});
    }
    void add_clock(SimClock& clock) { clocks_.push_back(&clock); }

    /// Runs the next action. False: none is left, or the next one lies behind `limit`.
    bool step(Time limit) {
        if (queue_.empty() || queue_.top().at > limit) return false;
        auto action =
            std::move(const_cast<Entry&>(queue_.top()).action);  // NOLINT: top() is const only to protect the order, which is not touched
        const auto at = queue_.top().at;
        queue_.pop();
        for (auto* clock : clocks_) clock->advance(at - now_);
        now_ = at;
        action();
        return true;
    }

private:
    struct Entry {
        Time at;
        std::uint64_t order;
        Action action;
        friend bool operator<(const Entry& a, const Entry& b) { return a.at != b.at ? a.at > b.at : a.order > b.order; }
    };
    std::priority_queue<Entry> queue_;
    std::vector<SimClock*> clocks_;
    Time now_{0};
    std::uint64_t order_ = 0;
};

}  // namespace sluice::sim

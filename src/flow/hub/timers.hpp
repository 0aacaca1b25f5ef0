// What is to happen later: one heap for keep-alives, absent sessions, wills and expiries of retained messages.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace sluice::hub {

struct Timer {
    enum class Kind : std::uint8_t { connection, session, retained, pace };
    base::Monotonic at{};
    std::uint64_t identity = 0;  ///< connection id (also of its pace), session serial or time of the retain stamp
    std::uint32_t index = 0;     ///< slot, session or node
    std::uint16_t shard = 0;     ///< of the retain stamp
    Kind kind = Kind::connection;
};

/// Entries are not removed when they lose their meaning: who takes one out decides whether it still counts. When too many of them are dead
/// the heap is swept, so its size is bounded by what lives.
class Timers {
public:
    /// `living`: upper bound of entries that count; `counts(timer)`: does this one?
    template <class Counts>
    void push(const Timer& timer, std::size_t living, Counts&& counts) {
        if (heap_.size() >= 2 * living + kSlack) {
            std::erase_if(heap_, [&](const Timer& one) { return !counts(one); });
            std::make_heap(heap_.begin(), heap_.end(), later);
        }
        heap_.push_back(timer);
        std::push_heap(heap_.begin(), heap_.end(), later);
    }
    /// The next one that is due, taken out.
    [[nodiscard]] std::optional<Timer> pop_due(base::Monotonic now) {
        if (heap_.empty() || heap_.front().at > now) return std::nullopt;
        std::pop_heap(heap_.begin(), heap_.end(), later);
        const Timer due = heap_.back();
        heap_.pop_back();
        return due;
    }
    [[nodiscard]] std::optional<base::Monotonic> next() const {
        if (heap_.empty()) return std::nullopt;
        return heap_.front().at;
    }
    [[nodiscard]] std::size_t size() const { return heap_.size(); }
    /// Bytes of memory.
    [[nodiscard]] std::size_t memory() const { return heap_.capacity() * sizeof(Timer); }

private:
    static constexpr std::size_t kSlack = 1024;
    static bool later(const Timer& a, const Timer& b) { return a.at > b.at; }
    std::vector<Timer> heap_;
};

}  // namespace sluice::hub

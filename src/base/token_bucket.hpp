// A rate with a burst, in eight bytes.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/time.hpp"

namespace sluice::base {

/// The generic cell rate algorithm (ITU-T I.371 annex A): all that is remembered is when the bucket will be full again. It holds what its
/// rate gives in kBurst. What costs more than that goes when the bucket is full, and is paid off afterwards: the average always holds.
class TokenBucket {
public:
    static constexpr std::chrono::nanoseconds kBurst = std::chrono::seconds(1);

    /// What `tokens` cost in time at `rate` a second (not 0). At most 2^33 tokens: that many seconds are the
    /// most that 63 bits of nanoseconds hold.
    [[nodiscard]] static constexpr std::chrono::nanoseconds cost(std::uint64_t tokens, std::uint64_t rate) {
        return std::chrono::nanoseconds(tokens * 1'000'000'000 / rate);
    }

    /// From when on something that costs so much can be taken.
    [[nodiscard]] constexpr Monotonic ready_at(std::chrono::nanoseconds cost) const {
        return cost < kBurst ? full_at_ - (kBurst - cost) : full_at_;
    }
    /// Takes it, ready or not: who takes too early makes all that follows wait longer.
    constexpr void take(std::chrono::nanoseconds cost, Monotonic now) { full_at_ = (full_at_ > now ? full_at_ : now) + cost; }
    [[nodiscard]] constexpr Monotonic full_at() const { return full_at_; }

private:
    Monotonic full_at_{};
};

}  // namespace sluice::base

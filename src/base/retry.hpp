// The pause between attempts to reach something.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace sluice::base {

/// Pauses between attempts: doubled each time up to a limit, and somewhere between half of that and all of it, so that gateways that lost
/// their cloud together do not come back together.
class BackOff {
public:
    BackOff(std::chrono::nanoseconds least, std::chrono::nanoseconds most) : least_(least), most_(std::max(least, most)) {}
    void reset() { failures_ = 0; }
    /// The next pause is the longest one: coming back soon would do harm.
    void longest() { failures_ = kDoublingsMax; }
    /// `random`: any 64 bits.
    [[nodiscard]] std::chrono::nanoseconds next(std::uint64_t random) {
        const auto full = std::min(most_, least_ * (std::int64_t{1} << std::min(failures_, kDoublingsMax)));
        ++failures_;
        const auto half = full / 2;
        return half +
               std::chrono::nanoseconds(static_cast<std::int64_t>(random % static_cast<std::uint64_t>(full.count() - half.count() + 1)));
    }

private:
    /// retry_min of a second would be 18 hours then: past every retry_max, and far from overflow.
    static constexpr unsigned kDoublingsMax = 16;

    std::chrono::nanoseconds least_;
    std::chrono::nanoseconds most_;
    unsigned failures_ = 0;
};

}  // namespace sluice::base

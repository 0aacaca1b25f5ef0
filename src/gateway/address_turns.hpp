// The addresses of a host, tried one after the other, each for its share of the time that there is: one that swallows what is sent to it (a
// broken IPv6 route, say) leaves the others theirs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace sluice::gateway {

class AddressTurns {
public:
    /// `until`: then whoever wants the connection gives up.
    void begin(std::vector<std::string> addresses, base::Monotonic until) {
        addresses_ = std::move(addresses);
        next_ = 0;
        until_ = until;
        due_.reset();
    }
    void end() { begin({}, {}); }

    /// The next one's turn; nullopt: all have had theirs.
    [[nodiscard]] std::optional<std::string> next(base::Monotonic now) {
        due_.reset();
        if (next_ == addresses_.size()) return std::nullopt;
        const auto left = static_cast<std::int64_t>(addresses_.size() - next_);
        if (left > 1) due_ = now + (until_ - now) / left;
        return std::move(addresses_[next_++]);
    }
    /// When this turn is over. Nothing: it is the last one's, and the time is not ours to end.
    [[nodiscard]] std::optional<base::Monotonic> due() const { return due_; }

private:
    std::vector<std::string> addresses_;
    std::size_t next_ = 0;
    base::Monotonic until_{};
    std::optional<base::Monotonic> due_{};
};

}  // namespace sluice::gateway

// Who was refused, for the log: one line for each address and minute, so that nobody can fill the disk with them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "base/time.hpp"
#include "env/posix/peer_address.hpp"

namespace sluice::cloud {

/// One thread. What is not said is counted, and told with the next line of that address, or as a sum.
class RefusalLog {
public:
    static constexpr std::chrono::minutes kEvery{1};
    static constexpr std::size_t kAddressesMax = 256;

    struct Line {
        std::uint64_t unsaid = 0;     ///< of this address since its last line
        std::uint64_t elsewhere = 0;  ///< of addresses that had no place here, since the last line of any
    };
    /// Nothing: it is not said now.
    [[nodiscard]] std::optional<Line> refused(const posix::PeerAddress& from, base::Monotonic now);

private:
    struct Entry {
        base::Monotonic said_at{};
        std::uint64_t unsaid = 0;
    };
    /// Without the port; of IPv6 the half that a network hands out as a whole.
    using Key = std::array<std::uint8_t, 16>;
    std::map<Key, Entry> entries_;
    std::uint64_t elsewhere_ = 0;
};

}  // namespace sluice::cloud

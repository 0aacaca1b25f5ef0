// How fast new connections may come, all together and from one address.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "base/token_bucket.hpp"
#include "manage/access/back_off.hpp"

namespace sluice::gateway {

/// New connections a second; 0: as many as come. A second's worth may come at once.
struct ConnectRates {
    std::uint32_t all = 0;
    std::uint32_t of_address = 0;
};

/// An address that has had its share is turned away at once, and what it tries does not count against the others. When all together have
/// had theirs nobody is turned away: accepting pauses, and who connects waits in the system's queue. Pure; of one thread.
class ConnectGate {
public:
    /// `seed`: secret, so that nobody can choose addresses that share a place.
    explicit ConnectGate(std::uint64_t seed) : seed_(seed) {}

    /// A connection was accepted. False: its address has had its share, close it. No address: whoever it is is held to `all` only.
    [[nodiscard]] bool admit(std::optional<access::SourceAddress> from, base::Monotonic now, const ConnectRates& rates);

    /// From when on the next one may be accepted.
    [[nodiscard]] base::Monotonic open_at(const ConnectRates& rates) const;

    /// Addresses remembered, 24 bytes each; made when the first one must be.
    static constexpr std::size_t kAddresses = 4096;

private:
    struct Entry {
        access::SourceAddress address = 0;
        base::TokenBucket bucket;
    };
    static constexpr std::size_t kWays = 4;  // of them, where an address can stand: the one nearest to full gives way
    [[nodiscard]] base::TokenBucket& bucket_of(access::SourceAddress address);

    std::uint64_t seed_;
    base::TokenBucket all_;
    std::vector<std::array<Entry, kWays>> sets_;
};

}  // namespace sluice::gateway

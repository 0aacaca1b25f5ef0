// Who guesses passwords waits, longer each time (OWASP Authentication Cheat Sheet: throttle by account and by source, never lock out).
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"

namespace sluice::access {

/// Where a sign-in comes from: an IPv4 address or the first 64 bits of an IPv6 address (who has one has a whole network of them).
using SourceAddress = std::uint64_t;

struct BackOffLimits {
    unsigned tries = 5;               ///< wrong passwords of one user from one address that cost nothing
    unsigned tries_under_attack = 1;  ///< the same while that user's password is being guessed from many addresses
    unsigned tries_of_address = 50;   ///< of one address, whatever the users
    unsigned tries_of_user = 30;      ///< of one user from all addresses: from here on the user is under attack
    std::chrono::seconds leak{10};    ///< one failure of an address, or of a user, is forgotten every so often
    std::chrono::seconds first{1};    ///< the first pause; each further failure doubles it
    std::chrono::seconds longest{300};
    std::chrono::seconds forget{900};  ///< without a failure for so long: as if nothing had been
    std::size_t entries_max = 16'384;  ///< then the one that has been quiet longest, of some, goes: 48 bytes each
};

/// Counts failures by (user, address), by address and by user. A user is never refused because of what happens at other addresses: while
/// one is guessed from many, each address has one try instead of five before its pauses begin, which the right password does not need.
/// An address that tries many users pauses for all of them. One thread; times must not go backwards.
class BackOff {
public:
    /// `seed`: secret, so that nobody can choose names that share an entry.
    BackOff(const BackOffLimits& limits, std::uint64_t seed) : limits_(limits), seed_(seed) {}

    /// How long this sign-in has still to wait; 0: it may be looked at. Waiting does not lengthen the pause.
    [[nodiscard]] std::chrono::nanoseconds pause(SourceAddress address, std::string_view user, base::Monotonic now) const;

    void failed(SourceAddress address, std::string_view user, base::Monotonic now);
    /// The user's own failures from this address are forgotten; those of the address with other users are not.
    void succeeded(SourceAddress address, std::string_view user);

    [[nodiscard]] std::size_t size() const { return by_key_.size(); }

private:
    struct Entry {
        std::uint64_t key = 0;
        base::Monotonic last{};
        base::Monotonic until{};  // no try before this
        std::uint32_t failures = 0;
    };
    [[nodiscard]] std::uint64_t key_of(char kind, SourceAddress address, std::string_view user) const;
    [[nodiscard]] const Entry* find(std::uint64_t key) const;
    Entry& touch(std::uint64_t key, base::Monotonic now);
    Entry& place_for(std::uint64_t key);
    Entry& count_leaking(std::uint64_t key, base::Monotonic now);
    void block(Entry& entry, unsigned tries, base::Monotonic now) const;

    BackOffLimits limits_;
    std::uint64_t seed_;
    std::vector<Entry> entries_;
    std::unordered_map<std::uint64_t, std::uint32_t> by_key_;
    std::size_t hand_ = 0;
};

}  // namespace sluice::access

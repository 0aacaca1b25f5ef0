// The sign-ins of all shards on their way past the slow hash: pauses, what was verified lately, and a bounded queue.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/secret_bytes.hpp"
#include "base/time.hpp"
#include "manage/access/back_off.hpp"

namespace sluice::access {

struct DeskLimits {
    std::size_t waiting_max = 1'024;            ///< sign-ins that wait for their hash; more: busy
    std::size_t waiting_of_address_max = 512;   ///< of one address, so that no single one can fill the queue
    std::chrono::milliseconds wait_max{5'000};  ///< then: busy. Half of limits.connect_timeout, so that an answer finds its connection
    std::size_t remembered_max = 16'384;        ///< credentials that were right lately: 56 bytes each; the oldest goes first
    BackOffLimits back_off{};
};
static_assert(DeskLimits{}.waiting_of_address_max < DeskLimits{}.waiting_max);

/// HMAC-SHA256 under a key that lives as long as the process, over user, password and the user's stored hash: tells that the same
/// credentials were right before, and nothing else. With another stored hash it is another digest.
using CredentialDigest = std::array<base::Byte, 32>;

struct SignIn {
    std::uint64_t connection = 0;
    std::uint16_t shard = 0;
    SourceAddress address = 0;
    std::string user{};
    base::SecretBytes password{};
    CredentialDigest digest{};
    base::Monotonic came{};
};

enum class SignInAnswer : std::uint8_t {
    welcome,
    wrong,  ///< user or password
    pause,  ///< too many failures: not looked at
    busy,   ///< the queue is full, or it waited too long
};

/// Totals, but for the gauge at the end.
struct DeskCounters {
    std::uint64_t verified = 0;
    std::uint64_t remembered = 0;
    std::uint64_t wrong = 0;
    std::uint64_t paused = 0;
    std::uint64_t busy = 0;
    std::uint64_t waiting = 0;
};

/// A bounded set of digests; the oldest goes first. Compares whole digests in constant time.
class RememberedCredentials {
public:
    explicit RememberedCredentials(std::size_t limit) : limit_(limit) {}
    [[nodiscard]] bool contains(const CredentialDigest& digest) const;
    void insert(const CredentialDigest& digest);
    [[nodiscard]] std::size_t size() const { return ring_.size(); }

private:
    [[nodiscard]] static std::uint64_t key_of(const CredentialDigest& digest);
    std::size_t limit_;
    std::size_t next_ = 0;
    std::vector<CredentialDigest> ring_;
    std::unordered_map<std::uint64_t, std::uint32_t> by_key_;
};

/// One thread. Every sign-in that is taken is answered exactly once: by take(), into the list of next(), or by done().
class SignInDesk {
public:
    SignInDesk(const DeskLimits& limits, std::uint64_t seed)
        : limits_(limits), back_off_(limits.back_off, seed), known_(limits.remembered_max) {}

    struct Answered {
        SignIn sign_in;
        SignInAnswer answer;
    };

    /// At once where no hash is needed: pause, busy, or remembered. Else it waits (`sign_in` is moved from).
    [[nodiscard]] std::optional<SignInAnswer> take(SignIn& sign_in, base::Monotonic now);

    /// The next one whose password must be hashed; call done() with it. Those before it that need no hash any more go to `answered`.
    /// Nothing: nobody waits.
    [[nodiscard]] std::optional<SignIn> next(base::Monotonic now, std::vector<Answered>& answered);
    [[nodiscard]] SignInAnswer done(const SignIn& sign_in, bool right, base::Monotonic now);

    [[nodiscard]] bool waiting() const { return !queue_.empty(); }
    [[nodiscard]] const DeskCounters& counters() const { return counters_; }

private:
    [[nodiscard]] std::optional<SignInAnswer> without_hash(const SignIn& sign_in, base::Monotonic now);

    DeskLimits limits_;
    BackOff back_off_;
    RememberedCredentials known_;
    std::deque<SignIn> queue_;
    std::unordered_map<SourceAddress, std::uint32_t> waiting_of_;
    DeskCounters counters_;
};

}  // namespace sluice::access

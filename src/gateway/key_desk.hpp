// Where the threads of a gateway meet over its master keys: which there are, and who still needs old ones.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "manage/identity/key_ring.hpp"

namespace sluice::gateway {

/// Who has sealed things on disk.
enum class KeyHolder : std::uint8_t { spool, journal, state, rules, sessions };
inline constexpr std::size_t kKeyHolders = 5;
/// In the order of KeyHolder.
inline constexpr std::array<std::string_view, kKeyHolders> kKeyHolderNames{"spool", "journal", "state", "rules", "sessions"};
[[nodiscard]] constexpr std::string_view name(KeyHolder holder) { return kKeyHolderNames[static_cast<std::size_t>(holder)]; }

/// What a holder has under a key.
struct HeldKey {
    identity::KeyNumber key = 0;
    std::uint64_t items = 0;  ///< files; rows of sessions
    std::uint64_t bytes = 0;  ///< 0 where nobody counts them
    friend bool operator==(const HeldKey&, const HeldKey&) = default;
};

struct KeyView {
    std::vector<identity::KeyNumber> keys;  ///< ascending: the last one seals
    std::array<std::vector<HeldKey>, kKeyHolders> held;
    /// Under keys that are not the newest.
    [[nodiscard]] std::uint64_t older_bytes() const;
    [[nodiscard]] std::uint64_t older_items(KeyHolder holder) const;
};

/// Any thread; the lock is held for moments, and not on the data path.
class KeyDesk {
public:
    explicit KeyDesk(identity::KeyRing keys) : keys_(std::make_shared<const identity::KeyRing>(std::move(keys))) {}

    /// Another number with each other ring, from 1: what holders look at.
    [[nodiscard]] std::uint64_t edition() const { return edition_.load(std::memory_order_acquire); }
    [[nodiscard]] std::shared_ptr<const identity::KeyRing> keys() const;
    void publish(identity::KeyRing keys);

    /// From now on the holder seals with `newest`, and what is durable of its needs the keys in `held` and no others.
    void report(KeyHolder holder, identity::KeyNumber newest, std::vector<HeldKey> held);

    /// Older keys that nobody needs any more: all holders seal with the newest, durably.
    [[nodiscard]] std::vector<identity::KeyNumber> idle() const;
    [[nodiscard]] KeyView view() const;

private:
    struct Report {
        identity::KeyNumber newest = 0;  ///< 0: none came yet
        std::vector<HeldKey> held;
    };
    std::atomic<std::uint64_t> edition_{1};
    mutable std::mutex lock_;
    std::shared_ptr<const identity::KeyRing> keys_;
    std::array<Report, kKeyHolders> reports_;
};

}  // namespace sluice::gateway

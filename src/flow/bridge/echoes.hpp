// What a broker will send back to us although we sent it: 3.1.1 cannot tell it not to, and not every broker knows the bridge bit.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "base/time.hpp"

namespace sluice::bridge {

/// Remembers a message that we have published where we subscribe, and drops one equal message for it. Two equal messages are
/// interchangeable: should somebody else publish the same meanwhile, then one of the two passes, which is right. An echo that does not come
/// is forgotten after kKeptFor; until then it swallows one equal message of somebody else. At kPlaces at most, where one that finds no
/// place takes the oldest's: its echo passes once.
class Echoes {
public:
    static constexpr std::size_t kPlaces = 8192;
    static constexpr std::size_t kReach = 16;  ///< places that one hash may use
    static constexpr std::chrono::seconds kKeptFor{30};

    void expect(std::string_view topic, base::ByteView payload, base::Monotonic now) {
        if (rows_.empty()) rows_.resize(kPlaces);
        const std::uint64_t hash = hash_of(topic, payload);
        Row* to = &rows_[hash % kPlaces];
        for (std::size_t i = 0; i < kReach; ++i) {
            Row& row = rows_[(hash + i) % kPlaces];
            if (row.hash == 0 || row.until <= now) {
                to = &row;
                break;
            }
            if (row.until < to->until) to = &row;
        }
        *to = {hash, now + kKeptFor};
    }

    /// True: it is one of ours, and forgotten now.
    [[nodiscard]] bool take(std::string_view topic, base::ByteView payload, base::Monotonic now) {
        if (rows_.empty()) return false;
        const std::uint64_t hash = hash_of(topic, payload);
        for (std::size_t i = 0; i < kReach; ++i) {
            Row& row = rows_[(hash + i) % kPlaces];
            if (row.hash != hash) continue;
            const bool counts = row.until > now;
            row = {};
            if (counts) return true;
        }
        return false;
    }

    void clear() { rows_.clear(); }

private:
    struct Row {
        std::uint64_t hash = 0;  // 0: free
        base::Monotonic until{};
    };
    static std::uint64_t hash_of(std::string_view topic, base::ByteView payload) {
        return base::hash64(base::as_text(payload), base::hash64(topic)) | 1U;
    }
    std::vector<Row> rows_;  // made with the first
};

}  // namespace sluice::bridge

// Keys (of GROUP BY or PARTITION BY) to rows of state.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "codec/json/value.hpp"
#include "flow/rules/stored_value.hpp"

namespace sluice::rules {

/// The bytes that stand for the components of a key. One component that is text stands for itself, so that a device's name as a key and as
/// a client id belong to the same shard; everything else is tagged. Whole floats equal whole numbers; NULL is a key like any other.
/// The result may point into `scratch` or into the value.
[[nodiscard]] std::string_view encode_key(std::span<const json::Value> components, base::Bytes& scratch);
/// Back to values; texts point into `key`. False: not the key of that many components (it came from outside and is damaged).
[[nodiscard]] bool decode_key(std::string_view key, std::span<json::Value> components);

/// Where a key of a table that forgets stands among the others: at the head of its row. Series plus one; 0: none.
struct KeyOrder {
    std::uint32_t newer;
    std::uint32_t older;
    std::int64_t seen;  ///< the turn of the last reading
};

/// Keys get series numbers 0, 1, … in the order of their first reading, and a row of zeroed bytes each. Keys stay until the table goes, or
/// until they are forgotten: then the next new key gets that number and row.
/// The key lies at the head of its row: comparing it touches memory that is needed anyway.
class KeyTable {
public:
    /// Longer keys are not taken.
    static constexpr std::size_t kKeyBytesMax = 1024;

    /// `state_bytes`: size of a row without its key, a multiple of 8. `seed`: a secret, because devices choose the keys: who could compute
    /// the hash could make a chain of all of them.
    /// `forgets`: rows begin with a KeyOrder, and a full table asks the budget's RoomMaker for room.
    /// `also`: bytes that a key counts beyond what it takes, for rules that keep what others have as well.
    KeyTable(std::size_t state_bytes, std::size_t keys_max, std::uint64_t seed, StateBudget& budget, bool forgets = false,
             std::size_t also = 0);

    [[nodiscard]] std::optional<std::uint32_t> find(std::string_view key) const { return find(key, hash(key)); }
    /// Finds or adds; nothing when the table or the budget is full, or the key is too long.
    [[nodiscard]] std::optional<std::uint32_t> add(std::string_view key);

    /// The state bytes of a row. Stays where it is.
    [[nodiscard]] std::byte* row(std::uint32_t series) { return head(series) + sizeof(Head); }
    [[nodiscard]] const std::byte* row(std::uint32_t series) const { return head(series) + sizeof(Head); }
    [[nodiscard]] std::string_view key(std::uint32_t series) const;
    [[nodiscard]] std::size_t size() const { return size_; }
    /// Series numbers are below; not all of them have a key where some were forgotten.
    [[nodiscard]] std::size_t rows() const { return rows_; }
    [[nodiscard]] bool has_key(std::uint32_t series) const;

    // Of a table that forgets. All take the same few steps however many keys there are.
    [[nodiscard]] bool forgets() const { return forgets_; }
    [[nodiscard]] KeyOrder& order(std::uint32_t series) { return *reinterpret_cast<KeyOrder*>(row(series)); }
    [[nodiscard]] const KeyOrder& order(std::uint32_t series) const { return *reinterpret_cast<const KeyOrder*>(row(series)); }
    /// The key was seen: later than all others.
    void see(std::uint32_t series, std::int64_t turn);
    /// Not seen for longest.
    [[nodiscard]] std::optional<std::uint32_t> oldest() const;
    /// Whoever kept something through the row has let go of it.
    void forget(std::uint32_t series);
    /// After KeyOrder::seen was set from outside: of equal ones the lesser series is older. Not in a few steps.
    void sort_by_seen();

    /// Before a row stands its key, or where it is.
    static constexpr std::size_t kHeadBytes = 32;
    /// What a key takes beside its row.
    static constexpr std::size_t kSlotBytes = 16;

private:
    struct Head {
        static constexpr std::size_t kInlineBytes = 28;
        std::uint32_t size = 0;
        char inline_bytes[kInlineBytes] = {};  ///< the key, or where it is
    };
    static_assert(sizeof(Head) == kHeadBytes);
    static constexpr std::uint32_t kNoKey = UINT32_MAX;  ///< Head::size of a row that is free
    struct LongKey {
        const char* at = nullptr;
        std::uint32_t index = 0;  ///< into long_keys_
    };
    struct Slot {
        std::uint32_t tag = 0;
        std::uint32_t series = 0;  ///< plus one; 0: free
    };

    /// The first chunks have 1, 1, 2, 4, … rows until these are a whole chunk: thousands of tables with one key each are small.
    [[nodiscard]] std::byte* head(std::uint32_t series) const {
        if (series >= rows_per_chunk_) return chunks_[shift_ + (series >> shift_)].get() + (series & (rows_per_chunk_ - 1)) * stride_;
        return chunks_[static_cast<std::size_t>(std::bit_width(series))].get() + (series - std::bit_floor(series)) * stride_;
    }
    [[nodiscard]] std::uint64_t hash(std::string_view key) const { return base::hash64(key, seed_); }
    [[nodiscard]] std::optional<std::uint32_t> find(std::string_view key, std::uint64_t hash) const;
    void grow();
    void put_key(std::uint32_t series, std::string_view key);
    [[nodiscard]] LongKey long_key(std::uint32_t series) const;
    void link_newest(std::uint32_t series);
    void unlink(std::uint32_t series);
    void free_slot(std::uint32_t series);

    std::size_t stride_;
    std::size_t keys_max_;
    std::uint64_t seed_;
    StateBudget& budget_;
    std::size_t also_;
    unsigned shift_ = 0;
    std::uint32_t rows_per_chunk_ = 1;
    bool forgets_ = false;
    std::uint32_t newest_ = 0;  ///< series plus one
    std::uint32_t oldest_ = 0;
    std::size_t size_ = 0;
    std::size_t rows_ = 0;
    std::vector<Slot> slots_;
    std::vector<std::unique_ptr<std::byte[]>> chunks_;
    std::vector<std::unique_ptr<char[]>> long_keys_;
    std::vector<std::uint32_t> free_rows_;
    std::vector<std::uint32_t> free_long_keys_;
};

}  // namespace sluice::rules

// Values that outlive their reading: in the rows of a table, with their texts and lists in pools.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "codec/json/value.hpp"

namespace sluice::rules {

/// 16 bytes, valid and empty when zeroed. Text lies in a pool.
struct StoredValue {
    json::Kind kind = json::Kind::missing;
    std::uint32_t handle = 0;  ///< of the text; kept for reuse when the kind changes; 0: none
    union {
        std::int64_t whole = 0;
        double number;
    };
};
static_assert(sizeof(StoredValue) == 16);

/// Makes room in a budget that is full, by forgetting keys.
class RoomMaker {
public:
    virtual ~RoomMaker() = default;
    /// The key that was not seen for longest goes, and what it held is given back. False: none can go now.
    virtual bool forget_oldest() = 0;
};

/// How much state an engine, or some rules of it, hold against their limit.
struct StateBudget {
    /// So many keys go for one thing that needs room. Beyond that it is refused: what went then makes room for the next.
    static constexpr int kForgottenAtOnce = 8;

    std::size_t bytes = 0;
    std::size_t bytes_max = 0;
    StateBudget* whole = nullptr;  ///< of which this is a part: what is taken here is taken there, too …
    std::size_t times = 1;         ///< … so often: what several rules keep together counts for each of them
    std::uint64_t refused = 0;     ///< how often there was no room
    RoomMaker* room = nullptr;     ///< of rules that forget
    /// What is free again counts as given back, though its memory is kept: of rules that forget.
    [[nodiscard]] bool counts_what_is_kept() const { return room != nullptr || (times != 1 && whole->room != nullptr); }
    [[nodiscard]] bool take(std::size_t more) { return fits(more) || take_from_others(more); }
    void give(std::size_t less) {
        bytes -= less;
        if (whole != nullptr) whole->give(less * times);
    }

private:
    [[nodiscard]] bool fits(std::size_t more) {
        if (more > bytes_max - (bytes < bytes_max ? bytes : bytes_max) || (whole != nullptr && !whole->take(more * times))) return false;
        bytes += more;
        return true;
    }
    [[nodiscard]] bool take_from_others(std::size_t more);
};

/// Texts and lists by handle; a handle stays valid until it is freed. Owned by one engine.
class ValuePool {
public:
    /// A longer text is not kept: it counts as a bad value. Bounds what hostile payloads can make us hold.
    static constexpr std::size_t kTextBytesMax = 4096;

    explicit ValuePool(StateBudget& budget);
    /// Whose state is at work from here on: what is stored and freed is theirs.
    void charge(StateBudget& budget) { budget_ = &budget; }
    [[nodiscard]] StateBudget& charged() { return *budget_; }

    /// False: a text that is too long, or no room; `to` is then unchanged.
    bool store(const json::Value& value, StoredValue& to);
    /// Valid until the value is stored into again or freed.
    [[nodiscard]] json::Value load(const StoredValue& value) const;
    void free(StoredValue& value);

    using List = std::vector<StoredValue>;
    /// A new, empty list.
    [[nodiscard]] std::uint32_t make_list();
    [[nodiscard]] List& list(std::uint32_t handle) { return lists_[handle]; }
    [[nodiscard]] const List& list(std::uint32_t handle) const { return lists_[handle]; }
    /// False: no room.
    bool append(std::uint32_t handle, const json::Value& value);
    /// Empty again, with its memory kept where it is small.
    void clear_list(std::uint32_t handle);
    void free_list(std::uint32_t handle);

private:
    void drop_text(StoredValue& value);

    StateBudget* budget_;
    std::deque<std::string> texts_;  ///< they do not move: a text of the pool can be stored into the pool
    std::vector<std::uint32_t> free_texts_;
    std::vector<List> lists_;
    std::vector<std::uint32_t> free_lists_;
};

}  // namespace sluice::rules

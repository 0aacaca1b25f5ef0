// Retained messages of all shards, as this shard knows them: every shard has all.
#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string_view>

#include "base/time.hpp"
#include "data/topic.hpp"
#include "flow/hub/level_tree.hpp"
#include "flow/hub/message.hpp"
#include "flow/hub/ring.hpp"

namespace sluice::hub {

/// Order of changes to one topic made on different shards: the greater stamp wins everywhere. Time of the change, then shard.
struct RetainStamp {
    std::uint64_t time = 0;  ///< nanoseconds, made strictly increasing per shard and past everything received
    std::uint32_t shard = 0;
    friend auto operator<=>(const RetainStamp&, const RetainStamp&) = default;
};

class RetainedStore {
public:
    struct Limits {
        std::size_t messages_max;
        std::size_t bytes_max;
    };
    /// `account`: MessageRef's.
    RetainedStore(std::uint64_t seed, Limits limits, std::size_t& account) : tree_(seed), limits_(limits), account_(account) {}
    /// From now on; what is stored stays.
    void set_limits(Limits limits) { limits_ = limits; }

    enum class Outcome : std::uint8_t { stored, removed, older, refused };
    struct Change {
        Outcome outcome;
        NodeIndex node = 0;  ///< of what is stored
    };
    /// Keeps the message, or removes the kept one if the payload is empty. `older`: a later change is known, nothing is done. `refused`: at
    /// a limit, or the topic has more than kLevelsMax levels; what was kept stays. `remember_removal`: a mark of a removal stays for
    /// kRemovalMemory, so that a change on its way from another shard cannot bring the message back.
    /// `may_grow`: false where there is no memory for more: only what takes no more than what was there is stored.
    Change set(const Passing& message, RetainStamp stamp, bool remember_removal, bool may_grow = true);

    /// Forgets what expired, if it is still the one stored with this stamp. True: it was.
    bool expire(NodeIndex node, RetainStamp stamp);
    /// Marks what is stored as to be recorded later. False: it was marked already.
    [[nodiscard]] bool mark_unrecorded(NodeIndex node) { return !std::exchange(tree_.value(node).unrecorded, true); }
    /// Takes the mark away and returns what is stored; empty if there was no mark or nothing is stored any more.
    [[nodiscard]] MessageRef take_unrecorded(NodeIndex node);
    /// `time` is of the kind of RetainStamp::time.
    void forget_old_removals(std::uint64_t time);

    /// Calls visit(node, stamp) for each kept message that the filter matches. Returns the number of tree nodes looked at; more than
    /// `limit`: it gave up, having visited some.
    template <class Visit>
    std::size_t match(std::string_view filter, std::size_t limit, Visit&& visit) const {
        if (count_ == 0) return 0;
        return tree_.match_filter(filter, limit, [&](const Entry& entry, NodeIndex node) {
            if (entry.message) visit(node, entry.stamp);
        });
    }
    /// The same in slices, by looking at all messages, in an order that changes of the store leave as it is: looks at `count` places from
    /// `from` on (0: the first); leaves out what is newer than `until`. Returns where to go on, 0 at the end.
    template <class Visit>
    NodeIndex scan(std::string_view filter, NodeIndex from, std::size_t count, const RetainStamp& until, Visit&& visit) const {
        const auto end = static_cast<NodeIndex>(std::min<std::size_t>(tree_.places(), from + count));
        for (NodeIndex node = from; node < end; ++node) {
            const Entry& entry = tree_.value(node);
            if (entry.message && !(until < entry.stamp) && data::filter_matches(filter, entry.message.topic())) visit(node, entry.stamp);
        }
        return end == tree_.places() ? 0 : end;
    }
    /// The greatest stamp so far.
    [[nodiscard]] const RetainStamp& latest() const { return latest_; }
    /// The message of a node if it is still the one with this stamp; else an empty reference.
    [[nodiscard]] MessageRef get(NodeIndex node, RetainStamp stamp) const;
    [[nodiscard]] bool current(NodeIndex node, RetainStamp stamp) const;
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    /// Bytes of memory, without the messages.
    [[nodiscard]] std::size_t memory() const { return tree_.memory() + removals_.memory(); }
    /// Bytes that one more topic can take, without its message.
    [[nodiscard]] std::size_t growth(std::size_t levels) const { return tree_.growth(levels); }

    static constexpr std::chrono::seconds kRemovalMemory{30};  // far longer than anything waits in a mailbox

private:
    struct Entry {
        MessageRef message;
        RetainStamp stamp;    // of the message, or of its removal
        bool listed = false;  // in removals_
        bool unrecorded = false;
        [[nodiscard]] bool empty() const { return !message && !listed; }
    };

    LevelTree<Entry> tree_;
    Limits limits_;
    std::size_t& account_;
    Ring<NodeIndex> removals_;  // oldest first, each node once
    RetainStamp latest_{};
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;
};

}  // namespace sluice::hub

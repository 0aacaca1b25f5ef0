// Who wants what: the filters of this shard's sessions, of shared groups, and of other shards, in one tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "flow/hub/level_tree.hpp"

namespace sluice::hub {

using SessionIndex = std::uint32_t;
using GroupIndex = std::uint32_t;
inline constexpr std::uint32_t kNoSession = ~0U;
inline constexpr std::uint32_t kNoGroup = ~0U;

/// Options of a subscription as the SUBSCRIBE packet has them (MQTT 5.0 §3.8.3.1), in one byte.
struct SubscriptionOptions {
    std::uint8_t bits = 0;
    [[nodiscard]] std::uint8_t qos() const { return bits & 3U; }
    [[nodiscard]] bool no_local() const { return (bits & 4U) != 0; }
    [[nodiscard]] bool retain_as_published() const { return (bits & 8U) != 0; }
    [[nodiscard]] std::uint8_t retain_handling() const { return (bits >> 4) & 3U; }
};
/// Options of another shard's entry: acknowledged publishes must be durable there.
inline constexpr SubscriptionOptions kShardKeeps{1};

enum class Wanted : std::uint8_t {
    by_session,  ///< index: SessionIndex
    by_group,    ///< index: GroupIndex
    by_shard,    ///< index: the other shard, which matches again among its own
};

struct Subscriber {
    Wanted by = Wanted::by_session;
    SubscriptionOptions options{};
    std::uint32_t index = 0;
    std::uint32_t identifier = 0;  ///< subscription identifier; 0: none
};

/// The subscribers of one filter.
struct SubscriberList {
    std::vector<Subscriber> all;
    std::uint32_t sessions = 0;  ///< how many of them are sessions: other shards are told when it leaves or reaches 0
    bool keeps = false;          ///< since it left 0 one of them was kept: other shards know
    [[nodiscard]] bool empty() const { return all.empty(); }
};

/// A shared subscription (§4.8.2): one group and one filter, members on any shard.
struct Group {
    struct Member {
        SessionIndex session = kNoSession;
        SubscriptionOptions options{};
        std::uint32_t identifier = 0;
    };
    std::string name;
    NodeIndex node = 0;
    std::vector<Member> members;           ///< of this shard
    std::vector<std::uint32_t> elsewhere;  ///< number of members by shard; empty: none anywhere else
    std::uint32_t elsewhere_total = 0;
    std::uint64_t elsewhere_keep = 0;  ///< shards, one bit each, where acknowledged publishes for it must be durable
    bool keeps = false;                ///< the same, here
    std::uint32_t turn = 0;            ///< whose turn it is, modulo the number of members
};

/// Index data only: sessions and what goes to other shards are the caller's matter. Of one thread.
class Subscriptions {
public:
    explicit Subscriptions(std::uint64_t seed) : tree_(seed) {}

    struct Added {
        NodeIndex node;
        GroupIndex group = kNoGroup;
        bool existed = false;  ///< the session had it; options and identifier were replaced
        bool first = false;    ///< the first session of this shard with this filter
    };
    Added add(std::string_view filter, SessionIndex session, SubscriptionOptions options, std::uint32_t identifier);
    Added add_to_group(std::string_view filter, std::string_view group, SessionIndex session, SubscriptionOptions options,
                       std::uint32_t identifier);
    /// True: it was the last session of this shard with this filter. The node is gone if nothing else needs it: take its filter() before.
    bool remove(NodeIndex node, SessionIndex session);
    /// True: there was such a member. An empty group disappears with release_group().
    bool remove_from_group(GroupIndex group, SessionIndex session);
    /// Removes a group that has no members anywhere; nothing otherwise.
    void release_group(GroupIndex group);

    /// A session at the node, or a member of the group, is kept. True: it is the first that is, other shards must learn it.
    [[nodiscard]] bool mark_keeping(NodeIndex node) { return !std::exchange(tree_.value(node).keeps, true); }
    [[nodiscard]] bool mark_group_keeping(GroupIndex group) { return !std::exchange(groups_[group].keeps, true); }

    void add_shard(std::string_view filter, std::uint32_t shard, bool keeps);
    void remove_shard(std::string_view filter, std::uint32_t shard);
    /// Another shard's number of members of a group.
    void set_group_elsewhere(std::string_view filter, std::string_view group, std::uint32_t shard, std::uint32_t members, bool keeps);

    [[nodiscard]] NodeIndex find(std::string_view filter) const { return tree_.find(filter); }
    /// kNoGroup: not there.
    [[nodiscard]] GroupIndex find_group(std::string_view filter, std::string_view group) const;
    [[nodiscard]] Group& group(GroupIndex index) { return groups_[index]; }
    [[nodiscard]] std::string filter(NodeIndex node) const { return tree_.path(node); }
    /// The session's own entry at a node; nullptr: none.
    [[nodiscard]] const Subscriber* entry(NodeIndex node, SessionIndex session) const;
    [[nodiscard]] std::size_t nodes() const { return tree_.size(); }
    /// Bytes of memory, without the subscribers in the lists.
    [[nodiscard]] std::size_t memory() const { return tree_.memory() + groups_.capacity() * sizeof(Group) + group_bytes_; }
    /// Bytes that one more filter can take.
    [[nodiscard]] std::size_t growth(std::size_t levels) const { return tree_.growth(levels); }

    /// Calls visit(const Subscriber&) for all that want the topic.
    template <class Visit>
    void match(std::string_view topic, Visit&& visit) const {
        if (tree_.size() == 0) return;
        tree_.match_topic(topic, [&](const SubscriberList& list, NodeIndex) {
            for (const Subscriber& subscriber : list.all) visit(subscriber);
        });
    }

private:
    GroupIndex ensure_group(NodeIndex node, std::string_view name);
    [[nodiscard]] GroupIndex group_at(NodeIndex node, std::string_view name) const;
    bool erase(NodeIndex node, Wanted by, std::uint32_t index);

    LevelTree<SubscriberList> tree_;
    std::vector<Group> groups_;
    std::vector<GroupIndex> free_groups_;
    std::size_t group_bytes_ = 0;  // of their names
};

}  // namespace sluice::hub

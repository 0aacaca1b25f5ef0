#include "flow/hub/subscriptions.hpp"

#include <algorithm>

namespace sluice::hub {

namespace {
auto find_in(auto& list, Wanted by, std::uint32_t index) {
    return std::find_if(list.begin(), list.end(), [&](const Subscriber& one) { return one.by == by && one.index == index; });
}
}  // namespace

Subscriptions::Added Subscriptions::add(std::string_view filter, SessionIndex session, SubscriptionOptions options,
                                        std::uint32_t identifier) {
    const NodeIndex node = tree_.ensure(filter);
    SubscriberList& list = tree_.value(node);
    if (const auto at = find_in(list.all, Wanted::by_session, session); at != list.all.end()) {
        at->options = options;
        at->identifier = identifier;
        return {.node = node, .existed = true};
    }
    list.all.push_back({Wanted::by_session, options, session, identifier});
    return {.node = node, .first = ++list.sessions == 1};
}

Subscriptions::Added Subscriptions::add_to_group(std::string_view filter, std::string_view name, SessionIndex session,
                                                 SubscriptionOptions options, std::uint32_t identifier) {
    const NodeIndex node = tree_.ensure(filter);
    const GroupIndex index = ensure_group(node, name);
    auto& members = groups_[index].members;
    const auto at = std::find_if(members.begin(), members.end(), [&](const Group::Member& one) { return one.session == session; });
    if (at != members.end()) {
        *at = {session, options, identifier};
        return {.node = node, .group = index, .existed = true};
    }
    members.push_back({session, options, identifier});
    return {.node = node, .group = index};
}

bool Subscriptions::remove(NodeIndex node, SessionIndex session) {
    if (!erase(node, Wanted::by_session, session)) return false;
    const bool last = --tree_.value(node).sessions == 0;
    if (last) tree_.value(node).keeps = false;
    tree_.prune(node);
    return last;
}

bool Subscriptions::remove_from_group(GroupIndex group, SessionIndex session) {
    auto& members = groups_[group].members;
    const bool was_there = std::erase_if(members, [&](const Group::Member& one) { return one.session == session; }) != 0;
    groups_[group].keeps = groups_[group].keeps && !members.empty();
    return was_there;
}

void Subscriptions::release_group(GroupIndex index) {
    Group& group = groups_[index];
    if (!group.members.empty() || group.elsewhere_total != 0) return;
    erase(group.node, Wanted::by_group, index);
    tree_.prune(group.node);
    group_bytes_ -= group.name.size();
    group = Group{};
    free_groups_.push_back(index);
}

void Subscriptions::add_shard(std::string_view filter, std::uint32_t shard, bool keeps) {
    auto& list = tree_.value(tree_.ensure(filter)).all;
    auto at = find_in(list, Wanted::by_shard, shard);
    if (at == list.end()) at = list.insert(at, {Wanted::by_shard, {}, shard, 0});
    at->options = keeps ? kShardKeeps : SubscriptionOptions{};
}

void Subscriptions::remove_shard(std::string_view filter, std::uint32_t shard) {
    const NodeIndex node = tree_.find(filter);
    if (node == LevelTree<SubscriberList>::kRoot) return;
    if (erase(node, Wanted::by_shard, shard)) tree_.prune(node);
}

void Subscriptions::set_group_elsewhere(std::string_view filter, std::string_view name, std::uint32_t shard, std::uint32_t members,
                                        bool keeps) {
    const GroupIndex index = ensure_group(tree_.ensure(filter), name);
    Group& group = groups_[index];
    if (group.elsewhere.size() <= shard) group.elsewhere.resize(shard + 1);
    group.elsewhere_total += members - group.elsewhere[shard];
    group.elsewhere[shard] = members;
    const std::uint64_t bit = std::uint64_t{1} << shard;
    group.elsewhere_keep = keeps ? group.elsewhere_keep | bit : group.elsewhere_keep & ~bit;
    release_group(index);
}

GroupIndex Subscriptions::find_group(std::string_view filter, std::string_view name) const {
    const NodeIndex node = tree_.find(filter);
    return node == LevelTree<SubscriberList>::kRoot ? kNoGroup : group_at(node, name);
}

const Subscriber* Subscriptions::entry(NodeIndex node, SessionIndex session) const {
    const auto& list = tree_.value(node).all;
    const auto at = find_in(list, Wanted::by_session, session);
    return at == list.end() ? nullptr : &*at;
}

GroupIndex Subscriptions::group_at(NodeIndex node, std::string_view name) const {
    for (const Subscriber& one : tree_.value(node).all)
        if (one.by == Wanted::by_group && groups_[one.index].name == name) return one.index;
    return kNoGroup;
}

GroupIndex Subscriptions::ensure_group(NodeIndex node, std::string_view name) {
    if (const GroupIndex there = group_at(node, name); there != kNoGroup) return there;
    GroupIndex index;
    if (free_groups_.empty()) {
        index = static_cast<GroupIndex>(groups_.size());
        groups_.emplace_back();
    } else {
        index = free_groups_.back();
        free_groups_.pop_back();
    }
    groups_[index].name = name;
    group_bytes_ += name.size();
    groups_[index].node = node;
    tree_.value(node).all.push_back({Wanted::by_group, {}, index, 0});
    return index;
}

bool Subscriptions::erase(NodeIndex node, Wanted by, std::uint32_t index) {
    auto& list = tree_.value(node).all;
    const auto at = find_in(list, by, index);
    if (at == list.end()) return false;
    *at = list.back();  // their order has no meaning
    list.pop_back();
    if (list.empty()) list.shrink_to_fit();
    return true;
}

}  // namespace sluice::hub

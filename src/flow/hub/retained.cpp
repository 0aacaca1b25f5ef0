#include "flow/hub/retained.hpp"

namespace sluice::hub {

namespace {

/// Bytes of memory, about: so that many levels or empty-looking messages cannot go round the limit.
std::size_t cost(const Passing& message) {
    constexpr std::size_t kPerMessage = 64;
    constexpr std::size_t kPerLevel = 112;
    return message.topic.size() + message.properties.size() + message.payload.size() + kPerMessage +
           count_levels(message.topic) * kPerLevel;
}
std::size_t cost(const MessageRef& message) { return message ? cost(message.passing()) : 0; }

}  // namespace

RetainedStore::Change RetainedStore::set(const Passing& message, RetainStamp stamp, bool remember_removal) {
    using enum Outcome;
    NodeIndex node = tree_.find(message.topic);
    if (node != 0 && !tree_.value(node).empty() && stamp < tree_.value(node).stamp) return {older};

    if (message.payload.empty()) {
        const bool room = tree_.size() < 2 * limits_.messages_max && count_levels(message.topic) <= kLevelsMax;
        if (node == 0 && remember_removal && room) node = tree_.ensure(message.topic);
        if (node == 0) return {removed};
        Entry& entry = tree_.value(node);
        bytes_ -= cost(entry.message);
        if (entry.message) --count_;
        entry.message = {};
        entry.stamp = stamp;
        if (remember_removal && !std::exchange(entry.listed, true)) removals_.push_back(node);
        tree_.prune(node);
        return {removed};
    }

    const std::size_t before = node != 0 ? cost(tree_.value(node).message) : 0;
    if (count_ + (before == 0 ? 1 : 0) > limits_.messages_max || bytes_ - before + cost(message) > limits_.bytes_max) return {refused};
    if (node == 0) {
        if (count_levels(message.topic) > kLevelsMax) return {refused};
        node = tree_.ensure(message.topic);
    }
    Entry& entry = tree_.value(node);
    count_ += before == 0 ? 1 : 0;
    bytes_ += cost(message) - before;
    entry.stamp = stamp;
    if (!entry.message.overwrite(message)) entry.message = MessageRef(message);
    return {stored, node};
}

bool RetainedStore::current(NodeIndex node, RetainStamp stamp) const {
    const Entry& entry = tree_.value(node);
    return entry.message && entry.stamp == stamp;
}

MessageRef RetainedStore::get(NodeIndex node, RetainStamp stamp) const {
    return current(node, stamp) ? tree_.value(node).message : MessageRef{};
}

bool RetainedStore::expire(NodeIndex node, RetainStamp stamp) {
    if (!current(node, stamp)) return false;
    Entry& entry = tree_.value(node);
    bytes_ -= cost(entry.message);
    --count_;
    entry.message = {};
    tree_.prune(node);
    return true;
}

void RetainedStore::forget_old_removals(std::uint64_t time) {
    constexpr auto kMemory = static_cast<std::uint64_t>(std::chrono::nanoseconds(kRemovalMemory).count());
    for (std::size_t left = removals_.size(); left != 0; --left) {
        const NodeIndex node = removals_.front();
        Entry& entry = tree_.value(node);
        if (entry.stamp.time + kMemory > time && !entry.message) {
            if (left == removals_.size()) return;  // the oldest is young: so are the others, except those removed again since
            removals_.push_back(removals_.pop_front());
            continue;
        }
        removals_.pop_front();
        entry.listed = false;
        tree_.prune(node);
    }
}

}  // namespace sluice::hub

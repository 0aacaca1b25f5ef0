#include "flow/hub/retained.hpp"

namespace sluice::hub {

namespace {

/// Bytes of memory beside the message itself, about: so that many levels or tiny messages cannot go round the limit.
std::size_t overhead(std::size_t levels) { return 64 + levels * 112; }

}  // namespace

RetainedStore::Change RetainedStore::set(const Passing& message, RetainStamp stamp, bool remember_removal, bool may_grow) {
    using enum Outcome;
    if (latest_ < stamp) latest_ = stamp;
    NodeIndex node = tree_.find(message.topic);
    if (node != 0 && !tree_.value(node).empty() && stamp < tree_.value(node).stamp) return {older};
    const std::size_t levels = count_levels(message.topic);
    const bool replaces = node != 0 && tree_.value(node).message;
    const std::size_t before = replaces ? tree_.value(node).message.size() + overhead(levels) : 0;

    if (message.payload.empty()) {
        const bool room = may_grow && tree_.size() < 2 * limits_.messages_max && levels <= kLevelsMax;
        if (node == 0 && remember_removal && room) node = tree_.ensure(message.topic);
        if (node == 0) return {removed};
        bytes_ -= before;
        if (replaces) --count_;
        Entry& entry = tree_.value(node);
        entry.message = {};
        entry.stamp = stamp;
        if (remember_removal && !std::exchange(entry.listed, true)) removals_.push_back(node);
        tree_.prune(node);
        return {removed};
    }

    const std::size_t after = message.topic.size() + message.properties.size() + message.payload.size() + overhead(levels);
    if ((!may_grow && after > before) || (!replaces && count_ >= limits_.messages_max) || bytes_ - before + after > limits_.bytes_max ||
        levels > kLevelsMax)
        return {refused};
    if (node == 0) node = tree_.ensure(message.topic);
    bytes_ += after - before;
    if (!replaces) ++count_;
    Entry& entry = tree_.value(node);
    entry.stamp = stamp;
    if (!entry.message.overwrite(message)) entry.message = MessageRef(message, account_);
    return {stored, node};
}

bool RetainedStore::current(NodeIndex node, RetainStamp stamp) const {
    const Entry& entry = tree_.value(node);
    return entry.message && entry.stamp == stamp;
}

MessageRef RetainedStore::get(NodeIndex node, RetainStamp stamp) const {
    return current(node, stamp) ? tree_.value(node).message : MessageRef{};
}

MessageRef RetainedStore::take_unrecorded(NodeIndex node) {
    Entry& entry = tree_.value(node);
    return std::exchange(entry.unrecorded, false) ? entry.message : MessageRef{};
}

bool RetainedStore::expire(NodeIndex node, RetainStamp stamp) {
    if (!current(node, stamp)) return false;
    Entry& entry = tree_.value(node);
    bytes_ -= entry.message.size() + overhead(count_levels(entry.message.topic()));
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

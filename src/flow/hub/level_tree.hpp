// A tree of topic levels with a value at each node: subscriptions by filter, retained messages by topic.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.hpp"
#include "flow/hub/chunks.hpp"
#include "flow/hub/index_table.hpp"
#include "flow/hub/limits.hpp"

namespace sluice::hub {

using NodeIndex = std::uint32_t;

/// Number of levels of a topic or filter: one more than its slashes.
[[nodiscard]] inline std::size_t count_levels(std::string_view path) {
    return 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

/// `Value` has `bool empty() const`; a node with an empty value and no children is removed by prune(). Node 0 is the root; it stands for no
/// path, so it also means "none". Node indices and references to values stay valid until pruned.
template <class Value>
class LevelTree {
public:
    static constexpr NodeIndex kRoot = 0;

    /// `seed` keeps strangers from preparing level names that collide.
    explicit LevelTree(std::uint64_t seed) : seed_(seed) { nodes_.emplace_back(); }

    [[nodiscard]] Value& value(NodeIndex node) { return nodes_[node].value; }
    [[nodiscard]] const Value& value(NodeIndex node) const { return nodes_[node].value; }
    /// Nodes in use, without the root.
    [[nodiscard]] std::size_t size() const { return nodes_.size() - 1 - free_.size(); }

    /// Bytes of memory, without what values hold elsewhere.
    [[nodiscard]] std::size_t memory() const {
        return nodes_.capacity() * sizeof(Node) + free_.capacity() * sizeof(NodeIndex) + edges_.memory() + text_bytes_;
    }
    /// Bytes that one more path can take: usually those of its nodes, seldom another chunk of them.
    [[nodiscard]] std::size_t growth(std::size_t levels) const {
        const bool grows = free_.size() < levels && nodes_.size() + levels > nodes_.capacity();
        return levels * (sizeof(Node) + 2 * kTextAround) + (grows ? kNodesPerChunk * sizeof(Node) : 0);
    }

    /// The node of a path, made if missing. The path must have at most kLevelsMax levels.
    NodeIndex ensure(std::string_view path) {
        NodeIndex node = kRoot;
        for_each_level(path, [&](std::string_view level) {
            NodeIndex next = child(node, level);
            if (next == kRoot) next = add_child(node, level);
            node = next;
            return true;
        });
        return node;
    }

    /// kRoot: not there.
    [[nodiscard]] NodeIndex find(std::string_view path) const {
        NodeIndex node = kRoot;
        for_each_level(path, [&](std::string_view level) {
            node = child(node, level);
            return node != kRoot;
        });
        return node;
    }

    /// Removes the node and its ancestors as far as nothing needs them any more.
    void prune(NodeIndex node) {
        while (node != kRoot && nodes_[node].value.empty() && nodes_[node].first_child == kRoot) {
            const NodeIndex parent = nodes_[node].parent;
            unlink(node);
            node = parent;
        }
    }

    /// The path that leads to a node.
    [[nodiscard]] std::string path(NodeIndex node) const {
        std::array<NodeIndex, kLevelsMax> steps{};
        std::size_t count = 0;
        for (; node != kRoot; node = nodes_[node].parent) steps[count++] = node;
        std::string text;
        while (count != 0) {
            text += nodes_[steps[--count]].level;
            if (count != 0) text += '/';
        }
        return text;
    }

    /// Calls visit(value, node) for every node whose path, as a filter, matches the topic (not empty). No allocation; does not call for
    /// empty values.
    template <class Visit>
    void match_topic(std::string_view topic, Visit&& visit) const {
        struct Step {
            NodeIndex node;
            std::size_t at;  // offset of the next level; past the end: none is left
        };
        std::array<Step, kLevelsMax + 2> open;  // each level leaves at most one step behind
        std::size_t count = 0;
        open[count++] = {kRoot, 0};
        const bool reserved = topic.front() == '$';
        while (count != 0) {
            const auto [index, at] = open[--count];
            const Node& node = nodes_[index];
            const bool wildcards = !(reserved && index == kRoot);
            if (node.hash != kRoot && wildcards) call(visit, node.hash);
            if (at > topic.size()) {
                call(visit, index);
                continue;
            }
            if (node.plus == kRoot && node.literals == 0) continue;
            const std::size_t end = std::min(topic.find('/', at), topic.size());
            if (node.plus != kRoot && wildcards) open[count++] = {node.plus, end + 1};
            if (node.literals != 0)
                if (const NodeIndex next = child(index, topic.substr(at, end - at)); next != kRoot) open[count++] = {next, end + 1};
        }
    }

    /// Calls visit(value, node) for every node whose path, as a topic, is matched by the filter. The tree must not change meanwhile.
    /// Returns the number of nodes looked at: a filter can match little and still cost the whole tree. More than `limit`: it gave up.
    template <class Visit>
    std::size_t match_filter(std::string_view filter, std::size_t limit, Visit&& visit) const {
        struct Step {
            NodeIndex node;
            std::size_t at;
        };
        std::vector<Step> open{{kRoot, 0}};
        std::size_t looked_at = 0;
        for (; !open.empty() && looked_at <= limit; ++looked_at) {
            const auto [index, at] = open.back();
            open.pop_back();
            if (at > filter.size()) {
                call(visit, index);
                continue;
            }
            const std::size_t end = std::min(filter.find('/', at), filter.size());
            const std::string_view level = filter.substr(at, end - at);
            if (level == "#") {
                if (index != kRoot) call(visit, index);  // "a/#" matches "a"
                for_each_child(index, [&](NodeIndex next) { open.push_back({next, at}); });
            } else if (level == "+") {
                for_each_child(index, [&](NodeIndex next) { open.push_back({next, end + 1}); });
            } else if (const NodeIndex next = child(index, level); next != kRoot) {
                open.push_back({next, end + 1});
            }
        }
        return looked_at;
    }

    /// Indices of nodes are below this.
    [[nodiscard]] NodeIndex places() const { return static_cast<NodeIndex>(nodes_.size()); }

private:
    struct Node {
        std::string level;
        NodeIndex parent = kRoot;
        NodeIndex first_child = kRoot;
        NodeIndex next_sibling = kRoot;
        NodeIndex previous_sibling = kRoot;
        NodeIndex plus = kRoot;      // the child "+"
        NodeIndex hash = kRoot;      // the child "#"
        std::uint32_t literals = 0;  // other children
        Value value{};
    };

    template <class Each>
    static void for_each_level(std::string_view path, Each&& each) {
        for (std::size_t at = 0; at <= path.size();) {
            const std::size_t end = std::min(path.find('/', at), path.size());
            if (!each(path.substr(at, end - at))) return;
            at = end + 1;
        }
    }

    /// Children of the root that begin with $ are hidden from wildcards.
    template <class Each>
    void for_each_child(NodeIndex parent, Each&& each) const {
        for (NodeIndex next = nodes_[parent].first_child; next != kRoot; next = nodes_[next].next_sibling)
            if (parent != kRoot || !nodes_[next].level.starts_with('$')) each(next);
    }

    template <class Visit>
    void call(Visit& visit, NodeIndex node) const {
        if (!nodes_[node].value.empty()) visit(nodes_[node].value, node);
    }

    [[nodiscard]] std::uint64_t key(NodeIndex parent, std::string_view level) const {
        constexpr std::uint64_t kSpread = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio: neighbours end far apart
        return base::hash64(level, seed_ ^ (parent * kSpread));
    }

    [[nodiscard]] NodeIndex child(NodeIndex parent, std::string_view level) const {
        const Node& node = nodes_[parent];
        if (level.size() == 1 && level[0] == '+') return node.plus;
        if (level.size() == 1 && level[0] == '#') return node.hash;
        if (node.literals == 0) return kRoot;
        const auto found = edges_.find(key(parent, level),
                                       [&](std::uint32_t index) { return nodes_[index].parent == parent && nodes_[index].level == level; });
        return found == IndexTable::kNone ? kRoot : found;
    }

    NodeIndex add_child(NodeIndex parent, std::string_view level) {
        NodeIndex index;
        if (free_.empty()) {
            index = static_cast<NodeIndex>(nodes_.size());
            nodes_.emplace_back();
        } else {
            index = free_.back();
            free_.pop_back();
        }
        Node& node = nodes_[index];
        Node& above = nodes_[parent];
        node.level = level;
        text_bytes_ += text_bytes(level);
        node.parent = parent;
        node.next_sibling = above.first_child;
        if (above.first_child != kRoot) nodes_[above.first_child].previous_sibling = index;
        above.first_child = index;
        if (level == "+") {
            above.plus = index;
        } else if (level == "#") {
            above.hash = index;
        } else {
            ++above.literals;
            edges_.insert(key(parent, level), index);
        }
        return index;
    }

    void unlink(NodeIndex index) {
        Node& node = nodes_[index];
        Node& above = nodes_[node.parent];
        if (node.previous_sibling != kRoot)
            nodes_[node.previous_sibling].next_sibling = node.next_sibling;
        else
            above.first_child = node.next_sibling;
        if (node.next_sibling != kRoot) nodes_[node.next_sibling].previous_sibling = node.previous_sibling;
        if (above.plus == index) {
            above.plus = kRoot;
        } else if (above.hash == index) {
            above.hash = kRoot;
        } else {
            --above.literals;
            edges_.erase(key(node.parent, node.level), index);
        }
        text_bytes_ -= text_bytes(node.level);
        node = Node{};
        free_.push_back(index);
    }

    static constexpr std::size_t kTextAround = 24;  // what an allocation costs
    /// Of a level that does not fit into its node.
    static std::size_t text_bytes(std::string_view level) {
        constexpr std::size_t kInPlace = 15;
        return level.size() > kInPlace ? level.size() + kTextAround : 0;
    }

    std::uint64_t seed_;
    static constexpr std::size_t kNodesPerChunk = 256;
    Chunks<Node, kNodesPerChunk> nodes_;  // about 25 KB each
    std::vector<NodeIndex> free_;
    IndexTable edges_;
    std::size_t text_bytes_ = 0;
};

}  // namespace sluice::hub

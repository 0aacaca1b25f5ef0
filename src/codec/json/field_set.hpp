// The fields that somebody wants out of JSON documents, compiled for one pass over each.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sluice::json {

/// One step of a path: a key of an object or an index (from 0) into an array.
using PathStep = std::variant<std::string, std::uint32_t>;
using Path = std::vector<PathStep>;

/// Immutable once filled; any thread may scan with it.
class FieldSet {
public:
    FieldSet();

    /// The slot of this path: the existing one where it was added before. The path has at least one step.
    std::uint32_t add(const Path& path);
    /// The same with a slot of the caller's choice: for several sets over one array of slots. A path keeps its first slot.
    std::uint32_t add_at(const Path& path, std::uint32_t slot);
    /// One more than the highest slot.
    [[nodiscard]] std::uint32_t size() const { return slots_; }
    /// The slots that a scan with this set writes.
    [[nodiscard]] std::span<const std::uint32_t> used() const { return used_; }

    struct Node {
        std::int32_t slot = -1;                                      ///< -1: not itself wanted
        std::uint32_t table = 0;                                     ///< first entry of its hash table of keys
        std::uint32_t mask = 0;                                      ///< size of that table less one; 0: no keys (tables have at least 2)
        std::vector<std::pair<std::string, std::uint32_t>> keys;     ///< key, node
        std::vector<std::pair<std::uint32_t, std::uint32_t>> items;  ///< index, node
        [[nodiscard]] bool inner() const { return !keys.empty() || !items.empty(); }
    };

    [[nodiscard]] const Node& root() const { return nodes_[0]; }
    /// `key` must have 8 readable bytes; what lies behind its end does not matter.
    [[nodiscard]] const Node* child(const Node& node, std::string_view key) const {
        if (node.mask == 0) return nullptr;
        const std::uint64_t word = first_word(key);
        for (std::uint32_t at = place(word, key.size()) & node.mask;; at = (at + 1) & node.mask) {
            const Entry& entry = table_[node.table + at];
            if (entry.node == 0) return nullptr;
            if (entry.word == word && entry.key.size() == key.size() && (key.size() <= 8 || entry.key == key)) return &nodes_[entry.node];
        }
    }
    [[nodiscard]] const Node* child(const Node& node, std::uint32_t index) const {
        for (const auto& [wanted, child] : node.items) {
            if (wanted == index) return &nodes_[child];
        }
        return nullptr;
    }
    [[nodiscard]] const Node& at(std::uint32_t index) const { return nodes_[index]; }

private:
    struct Entry {
        std::uint64_t word = 0;  ///< the first 8 bytes of the key, zeros behind a shorter one
        std::uint32_t node = 0;  ///< 0: free (the root is nobody's child)
        std::string key;
    };

    static std::uint64_t first_word(std::string_view key);
    static std::uint32_t place(std::uint64_t word, std::size_t size) {
        return static_cast<std::uint32_t>(((word ^ (size << 56)) * 0x9E3779B97F4A7C15u) >> 40);  // Fibonacci hashing
    }
    void rebuild_tables();

    std::vector<Node> nodes_;
    std::vector<Entry> table_;
    std::vector<std::uint32_t> used_;
    std::uint32_t slots_ = 0;
};

inline std::uint64_t FieldSet::first_word(std::string_view key) {
    std::uint64_t word;
    __builtin_memcpy(&word, key.data(), sizeof word);
    return key.size() >= 8 ? word : word & ((std::uint64_t{1} << (key.size() * 8)) - 1);
}

}  // namespace sluice::json

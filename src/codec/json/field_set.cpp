#include "codec/json/field_set.hpp"

#include <algorithm>
#include <bit>

namespace sluice::json {

FieldSet::FieldSet() : nodes_(1) {}

std::uint32_t FieldSet::add(const Path& path) { return add_at(path, slots_); }

std::uint32_t FieldSet::add_at(const Path& path, std::uint32_t slot) {
    std::uint32_t at = 0;
    for (const PathStep& step : path) {
        std::uint32_t next = 0;
        if (const auto* key = std::get_if<std::string>(&step)) {
            for (const auto& [known, node] : nodes_[at].keys) {
                if (known == *key) next = node;
            }
            if (next == 0) {
                next = static_cast<std::uint32_t>(nodes_.size());
                nodes_[at].keys.emplace_back(*key, next);
                nodes_.emplace_back();
            }
        } else {
            const auto index = std::get<std::uint32_t>(step);
            for (const auto& [known, node] : nodes_[at].items) {
                if (known == index) next = node;
            }
            if (next == 0) {
                next = static_cast<std::uint32_t>(nodes_.size());
                nodes_[at].items.emplace_back(index, next);
                nodes_.emplace_back();
            }
        }
        at = next;
    }
    if (nodes_[at].slot < 0) {
        nodes_[at].slot = static_cast<std::int32_t>(slot);
        slots_ = std::max(slots_, slot + 1);
        used_.push_back(slot);
        rebuild_tables();
    }
    return static_cast<std::uint32_t>(nodes_[at].slot);
}

void FieldSet::rebuild_tables() {
    table_.clear();
    for (Node& node : nodes_) {
        if (node.keys.empty()) continue;
        // Half full at most: probes stay short.
        const auto size = static_cast<std::uint32_t>(std::bit_ceil(std::max<std::size_t>(2, node.keys.size() * 2)));
        node.table = static_cast<std::uint32_t>(table_.size());
        node.mask = size - 1;
        table_.resize(table_.size() + size);
        for (const auto& [key, child] : node.keys) {
            std::string padded = key;
            padded.resize(std::max<std::size_t>(8, key.size()));
            const std::uint64_t word = first_word(std::string_view(padded).substr(0, key.size()));
            std::uint32_t at = place(word, key.size()) & node.mask;
            while (table_[node.table + at].node != 0) at = (at + 1) & node.mask;
            table_[node.table + at] = {.word = word, .node = child, .key = key};
        }
    }
}

}  // namespace sluice::json

// A YAML file as a tree that knows where everything stands. The subset that a configuration needs: one document, mappings with text keys,
// sequences, scalars. Aliases, tags and further documents are errors, so the tree is never larger than the file.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "manage/config/problem.hpp"
#include "manage/config/source.hpp"

namespace sluice::config {

inline constexpr std::size_t kDepthMax = 32;       ///< nesting of collections; the deepest key of ours has 7
inline constexpr std::size_t kNodesMax = 200'000;  ///< 20 for each of ten thousand rules; a file of tiny values has no more memory

struct Entry;

struct Node {
    enum class Kind : std::uint8_t { null, scalar, sequence, map };
    Kind kind = Kind::null;
    std::size_t offset = 0;  ///< in the file
    Position at;
    bool plain = true;  ///< scalar without quotes or block style
    std::string text;   ///< scalar
    std::vector<Node> items;
    std::vector<Entry> entries;

    /// The first entry with this key, or null.
    [[nodiscard]] const Entry* find(std::string_view key) const;
};

struct Entry {
    std::string key;
    Position key_at;
    Node value;
};

/// Reads a document. Problems (bad characters, syntax, duplicate keys, what is not supported, limits) are added; nullopt where the text
/// cannot be used at all. An empty text is a null node. Never throws (but for lack of memory).
[[nodiscard]] std::optional<Node> parse_document(const Source& source, Problems& problems);

}  // namespace sluice::config

// The key table as a tree, and the check of a document against it: types, unknown and missing keys, ranges.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "manage/config/document.hpp"
#include "manage/config/keys.hpp"
#include "manage/config/problem.hpp"

namespace sluice::config {

struct SchemaNode {
    const Key* key = nullptr;  ///< null for the root
    std::string_view name;
    std::vector<SchemaNode> children;     ///< of a section, in the order of the table
    std::unique_ptr<SchemaNode> element;  ///< of a list or map

    [[nodiscard]] const SchemaNode* child(std::string_view child_name) const;
    [[nodiscard]] KeyKind kind() const { return key == nullptr ? KeyKind::section : key->kind; }
};

/// The rows stand parents first (else it stops the process: the table is code).
[[nodiscard]] SchemaNode build_schema(std::span<const Key> keys);

/// Adds a problem for everything that does not fit the table, and a note for each section that is not built yet.
void validate(const Node& document, const SchemaNode& schema, Problems& problems);

/// What is wrong with a scalar for this row; empty if nothing. `range` is part of it.
[[nodiscard]] std::string scalar_problem(const Key& key, const Node& node, std::string_view path = {});

/// The last part of a path: `limits.payload` → `payload`.
[[nodiscard]] std::string_view last_name(std::string_view path);

}  // namespace sluice::config

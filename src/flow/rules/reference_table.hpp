// What a JOIN looks rows up in: a table by key. Files are one kind (file_table.hpp); whoever has others implements this.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "codec/json/value.hpp"

namespace sluice::rules {

/// Immutable: shared by all shards and read without locks. New content is another table in its place (Engine::use_tables).
class ReferenceTable {
public:
    virtual ~ReferenceTable() = default;
    [[nodiscard]] virtual std::span<const std::string> columns() const = 0;
    /// Which columns make up the key, in its order.
    [[nodiscard]] virtual std::span<const std::uint32_t> key() const = 0;
    /// The row with this key (of encode_key(), no NULL among its components): a value for each column; nullptr: there is none. Values and
    /// their texts stay as long as the table.
    [[nodiscard]] virtual const json::Value* find(std::string_view key) const = 0;
    [[nodiscard]] virtual std::size_t rows() const = 0;
};

/// As rules name it.
struct NamedTable {
    std::string name;
    std::shared_ptr<const ReferenceTable> table;
};

}  // namespace sluice::rules

// A reference table from the text of a file: CSV, a JSON array of objects, or one JSON object a line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flow/rules/reference_table.hpp"

namespace sluice::rules {

enum class TableForm : std::uint8_t { csv, json, ndjson };
/// By the end of a file's name: .csv, .json, .ndjson.
[[nodiscard]] std::optional<TableForm> table_form(std::string_view path);

struct TableLimits {
    std::size_t rows_max = 100'000;
    std::size_t bytes_max = std::size_t{64} << 20;  ///< of memory, index included
};

/// At a place in the file, from 1.
struct TableProblem {
    std::uint64_t line = 1;
    std::uint64_t column = 1;
    std::string message;
};

class FileTable final : public ReferenceTable {
public:
    /// `key`: names of columns; none: the first column. A field of CSV is a number if the whole of it is one, else text; an empty one is
    /// NULL. The columns of JSON are all that some object has. nullptr: `problem` says what is wrong and where.
    [[nodiscard]] static std::shared_ptr<const FileTable> read(std::string text, TableForm form, std::span<const std::string> key,
                                                               const TableLimits& limits, TableProblem& problem);

    [[nodiscard]] std::span<const std::string> columns() const override { return columns_; }
    [[nodiscard]] std::span<const std::uint32_t> key() const override { return key_; }
    [[nodiscard]] const json::Value* find(std::string_view key) const override;
    [[nodiscard]] std::size_t rows() const override { return keys_.size(); }
    [[nodiscard]] std::size_t bytes() const;
    /// In the order of the file.
    [[nodiscard]] const json::Value* row(std::size_t index) const { return values_.data() + index * columns_.size(); }

private:
    friend class TableReader;
    struct Slot {
        std::uint32_t tag = 0;
        std::uint32_t row = 0;  ///< plus one; 0: free
    };

    [[nodiscard]] std::optional<std::uint32_t> row_of(std::string_view key) const;
    /// Doubles the index where it is half full.
    void make_room();
    [[nodiscard]] std::string_view keep(std::string_view text);

    std::vector<std::string> columns_;
    std::vector<std::uint32_t> key_;
    std::vector<json::Value> values_;  ///< row after row
    std::vector<std::string_view> keys_;
    std::vector<Slot> slots_;
    std::vector<std::unique_ptr<char[]>> texts_;
    std::size_t text_bytes_ = 0;
    std::size_t chunk_used_ = 0;
    std::size_t chunk_size_ = 0;
};

}  // namespace sluice::rules

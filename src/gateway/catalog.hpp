// What the SQL of a configuration can name beside readings: tables, read from their files, and classes of machines.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "env/file_system.hpp"
#include "flow/rules/file_table.hpp"
#include "flow/rules/plan.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {

/// The content of a table's file.
struct TableContent {
    std::shared_ptr<const rules::FileTable> table;  ///< nullptr: cannot be used, `problem` says why
    rules::TableProblem problem;
    env::FileStamp stamp;         ///< of the file before it was read
    std::uint64_t text_hash = 0;  ///< of its bytes
};

/// `bytes_max`: of memory, and of the file.
[[nodiscard]] TableContent read_table(const config::TableConfig& table, std::size_t rows_max, std::size_t bytes_max,
                                      env::FileSystem& files);

struct LoadedCatalog {
    rules::Catalog catalog;
    std::vector<TableContent> tables;  ///< in the order of the configuration
    /// All tables can be used.
    [[nodiscard]] bool complete() const;
};

/// Reads the files. What is wrong is added to `problems`, at its place in the file where it stands; such a table cannot be joined.
[[nodiscard]] LoadedCatalog load_catalog(const config::GatewayConfig& config, env::FileSystem& files, config::Problems& problems);

}  // namespace sluice::gateway

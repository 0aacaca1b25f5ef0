#include "gateway/catalog.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "manage/config/load.hpp"

namespace sluice::gateway {
namespace {

std::string why_unreadable(const base::Error& error, std::size_t bytes_max) {
    if (error.code == base::Errc::too_large) return fmt::format("larger than limits.table_bytes leaves for it ({} bytes)", bytes_max);
    return fmt::format("cannot be read: {}", base::describe(error));
}

}  // namespace

TableContent read_table(const config::TableConfig& table, std::size_t rows_max, std::size_t bytes_max, env::FileSystem& files) {
    TableContent out;
    const std::string& path = table.file.value;
    const auto form = rules::table_form(path);
    if (!form) {
        out.problem.message = "no table: expected .csv, .json or .ndjson";
        return out;
    }
    const auto stamp = files.stamp(path);
    auto text = stamp ? config::read_text(files, path, bytes_max) : base::Result<std::string>(stamp.error());
    if (!text) {
        out.problem.message = why_unreadable(text.error(), bytes_max);
        return out;
    }
    out.stamp = *stamp;
    text->erase(0, text->size() - config::without_mark(*text).size());
    out.text_hash = base::hash64(*text);
    std::vector<std::string> key;
    key.reserve(table.key.size());
    for (const config::Located& column : table.key) key.push_back(column.value);
    out.table = rules::FileTable::read(std::move(*text), *form, key, {.rows_max = rows_max, .bytes_max = bytes_max}, out.problem);
    return out;
}

bool LoadedCatalog::complete() const {
    return std::all_of(tables.begin(), tables.end(), [](const TableContent& each) { return each.table != nullptr; });
}

LoadedCatalog load_catalog(const config::GatewayConfig& config, env::FileSystem& files, config::Problems& problems) {
    LoadedCatalog out;
    std::size_t left = config.limits.table_bytes;
    for (const config::TableConfig& table : config.tables) {
        TableContent& content = out.tables.emplace_back();
        if (!table.name.value.empty() && !table.file.empty() && !table.key.empty()) {
            content = read_table(table, config.limits.table_rows, left, files);
            if (content.table == nullptr && files.stamp(table.file.value)) {  // one that is not there is reported already
                const config::Position at{static_cast<std::uint32_t>(content.problem.line),
                                          static_cast<std::uint32_t>(content.problem.column)};
                problems.push_back({config::Severity::error, at, {}, content.problem.message, false, table.file.value});
            }
        }
        if (content.table != nullptr) left -= std::min(left, content.table->bytes());
        out.catalog.tables.push_back({.name = table.name.value, .table = content.table});
    }
    for (const config::MachineClassConfig& made : config.machine_classes) {
        if (rules::find_machine_class(made.name, {}) != nullptr) {
            problems.push_back({config::Severity::error, made.at, "iso20816." + made.name,
                                fmt::format("`{}` is a class of the standard: give yours another name", made.name)});
            continue;
        }
        out.catalog.machine_classes.push_back({.name = made.name, .limits = made.limits});
    }
    return out;
}

}  // namespace sluice::gateway

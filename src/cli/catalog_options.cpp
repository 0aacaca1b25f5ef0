#include "cli/catalog_options.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "env/posix/file_system.hpp"
#include "gateway/catalog.hpp"
#include "gateway/listener_checker.hpp"
#include "gateway/rule_checker.hpp"
#include "manage/config/load.hpp"

namespace sluice::cli {
namespace {

/// A command reads what it is given; a gateway's limits are for what stays.
constexpr std::size_t kRowsMax = 100'000'000;
constexpr std::size_t kBytesMax = std::size_t{4} << 30;

std::vector<std::string> words(std::string_view text, char between) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t stop = std::min(text.find(between, at), text.size());
        out.emplace_back(text.substr(at, stop - at));
        at = stop + 1;
    }
    return out;
}

/// NAME=FILE[:KEY[,KEY…]]
bool parse_table(const std::string& text, config::TableConfig& table) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) return false;
    table.name.value = text.substr(0, equals);
    table.file.value = text.substr(equals + 1);
    const std::size_t colon = table.file.value.rfind(':');
    if (colon != std::string::npos && table.file.value.find('/', colon) == std::string::npos) {
        for (std::string& column : words(std::string_view(table.file.value).substr(colon + 1), ','))
            table.key.push_back({std::move(column), {}});
        table.file.value.erase(colon);
    }
    return !table.file.empty();
}

bool read_config(const std::string& file, env::FileSystem& files, rules::Catalog& catalog) {
    gateway::RuleChecker checker(files);
    gateway::ListenerChecker listeners(files);
    const auto loaded = config::load_gateway(files, file, &checker, &listeners);
    if (!loaded.is_valid()) {
        std::fputs(loaded.text().c_str(), stderr);
        return false;
    }
    catalog = checker.catalog();
    return true;
}

}  // namespace

CLI::Option* add_table_option(CLI::App& command, CatalogOptions& options) {
    return command
        .add_option("--table", options.tables,
                    "NAME=FILE[:KEY[,KEY]]: a table for JOIN, .csv, .json or .ndjson, and the columns of its key (default: the "
                    "first column); several times for several")
        ->allow_extra_args(false);
}

void add_catalog_options(CLI::App& command, CatalogOptions& options) {
    add_table_option(command, options);
    command.add_option("--config", options.config, "a gateway's configuration: its tables and its classes of machines (iso20816)");
}

bool read_catalog(const CatalogOptions& options, std::string_view command, rules::Catalog& catalog) {
    posix::PosixFileSystem files;
    if (!options.config.empty() && !read_config(options.config, files, catalog)) return false;
    for (const std::string& text : options.tables) {
        config::TableConfig table;
        if (!parse_table(text, table)) {
            fmt::print(stderr, "{}: error: --table {}: expected NAME=FILE[:KEY], such as machines=machines.csv:id\n", command, text);
            return false;
        }
        const gateway::TableContent content = gateway::read_table(table, kRowsMax, kBytesMax, files);
        if (content.table == nullptr) {
            fmt::print(stderr, "{}:{}:{}: error: {}\n", table.file.value, content.problem.line, content.problem.column,
                       content.problem.message);
            return false;
        }
        std::erase_if(catalog.tables, [&](const rules::NamedTable& known) { return known.name == table.name.value; });
        catalog.tables.push_back({.name = table.name.value, .table = content.table});
    }
    return true;
}

}  // namespace sluice::cli

// What rules use beside readings: reference tables, classes of machines.
#include <algorithm>

#include <fmt/format.h>

#include "manage/config/reader.hpp"
#include "manage/config/scalar.hpp"

namespace sluice::config {
namespace {

constexpr std::size_t kTablesMax = 64;
constexpr std::size_t kMachineClassesMax = 1000;

}  // namespace

void Names::add(const Located& name, std::string key) {
    if (name.value.empty()) return;
    const auto [first, inserted] = seen_.emplace(name.value, name.at);
    if (inserted) return;
    add_error(problems_, name.at, std::move(key),
              fmt::format("duplicate {} `{}`: it stands in line {} already", what_, name.value, first->second.line));
}

std::vector<TableConfig> read_tables(const View& list, Problems& problems) {
    std::vector<TableConfig> out;
    Names names(problems, "table name");
    const std::vector<View> entries = list.items();
    if (entries.size() > kTablesMax)
        add_error(problems, entries[kTablesMax].position(), fmt::format("tables[{}]", kTablesMax),
                  fmt::format("more than {} tables", kTablesMax));
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const View& entry = entries[i];
        const std::string key = fmt::format("tables[{}]", i);
        TableConfig table;
        table.at = entry.position();
        table.name = entry.at("name").located();
        table.file = entry.at("file").path();
        for (const View& column : entry.at("key").items()) table.key.push_back(column.located());
        names.add(table.name, key + ".name");
        const std::string& file = table.file.value;
        if (!file.empty() && !file.ends_with(".csv") && !file.ends_with(".json") && !file.ends_with(".ndjson"))
            add_error(problems, table.file.at, key + ".file",
                      fmt::format("file: expected a name with .csv, .json or .ndjson at its end, found {}", file));
        Names columns(problems, "column of the key");
        for (const Located& column : table.key) columns.add(column, key + ".key");
        out.push_back(std::move(table));
    }
    return out;
}

std::vector<MachineClassConfig> read_machine_classes(const View& map, Problems& problems) {
    std::vector<MachineClassConfig> out;
    for (const auto& [name, value] : map.entries()) {
        const std::string key = fmt::format("iso20816.{}", shortened(name.value, 64));
        if (!is_identifier(name.value)) {
            add_error(problems, name.at, key, "the name of a class of machines: expected letters, digits, `_` and `-`, 1 to 64 of them");
            continue;
        }
        if (out.size() == kMachineClassesMax) {
            add_error(problems, name.at, key, fmt::format("more than {} classes of machines", kMachineClassesMax));
            break;
        }
        MachineClassConfig made{.name = name.value, .at = name.at};
        const std::vector<View> limits = value.items();
        if (!value.present() || limits.size() != made.limits.size()) {
            add_error(problems, value.position(), key,
                      fmt::format("expected three limits, of zones A, B and C in mm/s, found {}: [2.3, 4.5, 7.1]", limits.size()));
            continue;
        }
        const bool fit = std::all_of(limits.begin(), limits.end(), [](const View& limit) { return limit.fits(); });
        if (!fit) continue;  // reported
        for (std::size_t i = 0; i < limits.size(); ++i) {
            made.limits.at(i) = limits[i].number();
            if (i == 0 || made.limits.at(i - 1) < made.limits.at(i)) continue;
            add_error(problems, limits[i].position(), key,
                      fmt::format("limits must ascend: {} stands behind {}", limits[i].text(), limits[i - 1].text()));
        }
        out.push_back(std::move(made));
    }
    return out;
}

}  // namespace sluice::config

// What SQL on the command line can name beside readings: `--table NAME=FILE[:KEY]`, or the tables and classes of a configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "flow/rules/plan.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace sluice::cli {

struct CatalogOptions {
    std::vector<std::string> tables;
    std::string config;
};

/// `options` must stay as long as the command.
CLI::Option* add_table_option(CLI::App& command, CatalogOptions& options);
/// `--table` and `--config`.
void add_catalog_options(CLI::App& command, CatalogOptions& options);

/// Reads the files. False: what is wrong has been printed, after the command's name where it has no place in a file.
[[nodiscard]] bool read_catalog(const CatalogOptions& options, std::string_view command, rules::Catalog& catalog);

}  // namespace sluice::cli

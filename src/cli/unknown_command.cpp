#include "cli/unknown_command.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "manage/config/suggest.hpp"

namespace sluice::cli {

std::optional<std::string> unknown_command(const CLI::App& app, std::span<const char* const> words) {
    const CLI::App* group = &app;
    std::string path = app.get_name();
    for (const char* each : words) {
        const std::string_view word = each;
        if (group->get_require_subcommand_min() == 0 || word.starts_with('-')) return std::nullopt;
        const auto commands = group->get_subcommands({});
        const auto found = std::find_if(commands.begin(), commands.end(), [word](const CLI::App* one) { return one->get_name() == word; });
        if (found == commands.end()) {
            std::vector<std::string_view> names;
            names.reserve(commands.size());
            for (const CLI::App* one : commands) names.emplace_back(one->get_name());
            return fmt::format("{}: there is no command `{}`{}", path, word, config::suggestion(word, names));
        }
        group = *found;
        path += " " + group->get_name();
    }
    return std::nullopt;
}

}  // namespace sluice::cli

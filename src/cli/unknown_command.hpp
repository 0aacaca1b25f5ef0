// A word where a command should stand.
#pragma once

#include <optional>
#include <span>
#include <string>

namespace CLI {
class App;
}

namespace sluice::cli {

/// What to say where `words`, those behind the program's name, name a command that does not exist, whatever comes behind it. None: they
/// name commands, or an option stands in front of the first that is wrong.
[[nodiscard]] std::optional<std::string> unknown_command(const CLI::App& app, std::span<const char* const> words);

}  // namespace sluice::cli

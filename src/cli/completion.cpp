#include "cli/completion.hpp"

#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "flow/rules/functions.hpp"

namespace sluice::cli {
namespace {

/// Of options, with their dashes.
std::string option_names(const CLI::App& command) {
    std::string names;
    for (const CLI::Option* option : command.get_options()) {
        for (const std::string& name : option->get_lnames()) names += " --" + name;
        for (const std::string& name : option->get_snames()) names += " -" + name;
    }
    return names;
}

/// A line of the script's `case` for the command and for each below it: what can follow `path`.
void append_cases(std::string& script, const CLI::App& command, const std::string& path) {
    std::string words = option_names(command);
    const auto below = command.get_subcommands([](const CLI::App*) { return true; });
    for (const CLI::App* sub : below) words += " " + sub->get_name();
    if (path == "sluice rule functions") {
        for (const std::string_view name : rules::function_names()) words += " " + std::string(name);
    }
    script += fmt::format("        '{}') words='{}' ;;\n", path, words.substr(words.empty() ? 0 : 1));
    for (const CLI::App* sub : below) append_cases(script, *sub, path + " " + sub->get_name());
}

/// The names of all commands that have a place in the tree: words that lead deeper.
void append_paths(std::string& paths, const CLI::App& command, const std::string& path) {
    for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; })) {
        const std::string below = path + " " + sub->get_name();
        paths += (paths.empty() ? "" : "|") + ("'" + below + "'");
        append_paths(paths, *sub, below);
    }
}

/// The tree is walked along the words that are commands; options and their values between them are passed over.
std::string bash_script(const CLI::App& app) {
    std::string cases;
    append_cases(cases, app, "sluice");
    std::string paths;
    append_paths(paths, app, "sluice");
    return "# Completion of sluice for bash: source <(sluice completion bash)\n"
           "_sluice() {\n"
           "    local path=sluice words='' i\n"
           "    for ((i = 1; i < COMP_CWORD; ++i)); do\n"
           "        case \"$path ${COMP_WORDS[i]}\" in\n"
           "        " +
           paths +
           ") path=\"$path ${COMP_WORDS[i]}\" ;;\n"
           "        esac\n"
           "    done\n"
           "    case \"$path\" in\n" +
           cases +
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
           "}\n"
           "complete -o default -F _sluice sluice\n";
}

}  // namespace

void add_completion(CLI::App& app, Exit& exit) {
    auto* command = app.add_subcommand("completion", "a script that completes commands, options and SQL functions in a shell");
    command->require_subcommand(1);
    command->footer("Examples:\n  source <(sluice completion bash)");
    auto* bash = command->add_subcommand("bash", "for bash");
    bash->footer(
        "Examples:\n"
        "  source <(sluice completion bash)                                          in this shell\n"
        "  sluice completion bash > /etc/bash_completion.d/sluice                    for all users\n"
        "\n"
        "Where no word fits, file names are completed.");
    bash->callback([&app, &exit] {
        fmt::print("{}", bash_script(app));
        exit.code = kExitGood;
    });
}

}  // namespace sluice::cli

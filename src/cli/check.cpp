#include "cli/check.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "gateway/listener_checker.hpp"
#include "gateway/rule_checker.hpp"
#include "gateway/rule_overlay_store.hpp"
#include "manage/config/load.hpp"

namespace sluice::cli {
namespace {

std::string_view tier_name(config::Tier tier) {
    switch (tier) {
        case config::Tier::gateway:
            return "gateway";
        case config::Tier::cloud:
            return "cloud";
        case config::Tier::unknown:
            break;
    }
    return "unknown";
}

std::string verdict(const config::Checked& checked) {
    const std::string rules =
        checked.tier == config::Tier::gateway ? fmt::format(", {} rule{}", checked.rules, checked.rules == 1 ? "" : "s") : std::string();
    const auto waiting =
        std::count_if(checked.problems.begin(), checked.problems.end(), [](const config::Problem& problem) { return problem.not_built; });
    const std::string limits =
        waiting == 0 ? std::string()
                     : fmt::format("; this version cannot run it yet ({} feature{} not built)", waiting, waiting == 1 ? "" : "s");
    return fmt::format("{}: good: {} {}{}{}\n", checked.file, tier_name(checked.tier), checked.id, rules, limits);
}

}  // namespace

CheckOutput check_configuration(env::FileSystem& files, const std::string& path, bool json) {
    gateway::RuleChecker rules(files);
    gateway::ListenerChecker listeners(files);
    config::Checked checked = config::check_file(files, path, &rules, &listeners);
    const bool valid = config::is_valid(checked.problems);
    if (valid && !checked.data.empty()) {
        posix::PosixEntropy entropy;
        for (const auto& sentence : gateway::sentences(gateway::saved_rule_changes(files, entropy, checked.data))) {
            config::Problem note;
            note.severity = config::Severity::note;
            note.key = "rules";
            note.message = fmt::format("rules {}, which counts above this file: `sluice rule list`", sentence);
            checked.problems.push_back(std::move(note));
        }
    }
    CheckOutput result;
    result.code = valid ? kExitGood : kExitUsage;
    if (json) {
        result.out = fmt::format("{{\"tier\":\"{}\",\"valid\":{},\"runnable\":{},\"problems\":{}}}\n", tier_name(checked.tier), valid,
                                 config::is_runnable(checked.problems), config::to_json(path, checked.problems));
        return result;
    }
    result.err = config::format_all(path, checked.problems);
    if (valid) result.out = verdict(checked);
    return result;
}

void add_check(CLI::App& app, Exit& exit) {
    struct Options {
        std::string file;
        bool json = false;
    };
    auto* command = app.add_subcommand("check", "validate a configuration: every problem as FILE:LINE:COL");
    auto options = std::make_shared<Options>();
    command->add_option("-c,--config", options->file, "a gateway's or a cloud's configuration (YAML); which one is seen from its top key")
        ->required();
    command->add_flag("--json", options->json, "print the problems as JSON");
    command->footer(
        "Examples:\n"
        "  sluice check -c gateway.yaml\n"
        "  sluice check -c cloud.yaml --json\n"
        "\n"
        "Problems go to standard error: `FILE:LINE:COL: error: …` (also `warning`, and `note` for what is valid but not built\n"
        "yet, and for rules that were changed at run time).\n"
        "Exit: 0 good, 2 not.");
    command->callback([options, &exit] {
        posix::PosixFileSystem files;
        const CheckOutput result = check_configuration(files, options->file, options->json);
        std::fputs(result.err.c_str(), stderr);
        std::fputs(result.out.c_str(), stdout);
        exit.code = result.code;
    });
}

}  // namespace sluice::cli

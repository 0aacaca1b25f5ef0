// The one binary: picks the subcommand, turns its outcome into an exit code.
#include <cstdio>
#include <exception>
#include <span>

#include <CLI/CLI.hpp>

#include "cli/acl_command.hpp"
#include "cli/bench_command.hpp"
#include "cli/check.hpp"
#include "cli/cloud_command.hpp"
#include "cli/completion.hpp"
#include "cli/demo.hpp"
#include "cli/exit.hpp"
#include "cli/gateway_command.hpp"
#include "cli/init.hpp"
#include "cli/key_command.hpp"
#include "cli/passwd.hpp"
#include "cli/reload.hpp"
#include "cli/replay.hpp"
#include "cli/rule_command.hpp"
#include "cli/sim_command.hpp"
#include "cli/spool_command.hpp"
#include "cli/tap.hpp"
#include "cli/top.hpp"
#include "cli/unknown_command.hpp"

int main(int argc, char** argv) {
    CLI::App app{
        "Sluice keeps the 1 % of sensor data that matters: an edge gateway with rules, alerts and store-and-forward, and its cloud."};
    app.name("sluice");
    app.set_version_flag("--version", "sluice " SLUICE_VERSION);
    app.require_subcommand(1);
    app.footer(
        "Examples:\n"
        "  sluice demo                                   everything at once on this machine, with a cut link in the middle\n"
        "  sluice init gateway my-plant                  a commented configuration to start from\n"
        "  sluice gateway -c my-plant/gateway.yaml       run it\n"
        "  sluice tap 'alerts/#'                         watch\n"
        "\n"
        "`sluice COMMAND --help` says more. Exit codes: 0 good, 1 failed, 2 wrong use or configuration.");
    sluice::cli::Exit exit;
    sluice::cli::add_gateway(app, exit);
    sluice::cli::add_reload(app, exit);
    sluice::cli::add_cloud(app, exit);
    sluice::cli::add_check(app, exit);
    sluice::cli::add_init(app, exit);
    sluice::cli::add_passwd(app, exit);
    sluice::cli::add_acl(app, exit);
    sluice::cli::add_demo(app, exit);
    sluice::cli::add_sim(app, exit);
    sluice::cli::add_replay(app, exit);
    sluice::cli::add_tap(app, exit);
    sluice::cli::add_top(app, exit);
    sluice::cli::add_rule(app, exit);
    sluice::cli::add_spool(app, exit);
    sluice::cli::add_key(app, exit);
    sluice::cli::add_bench(app, exit);
    sluice::cli::add_completion(app, exit);
    // Before --help has its turn, which would end well.
    const std::span<const char* const> words(argv, static_cast<std::size_t>(argc));
    if (const auto unknown = sluice::cli::unknown_command(app, words.subspan(words.empty() ? 0 : 1))) {
        std::fprintf(stderr, "%s\n", unknown->c_str());
        return sluice::cli::kExitUsage;
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? sluice::cli::kExitGood : sluice::cli::kExitUsage;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "sluice: %s\n", error.what());
        return sluice::cli::kExitFailed;
    }
    return exit.code;
}

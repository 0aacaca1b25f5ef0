#include "cli/gateway_command.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cli/descriptor_limit.hpp"
#include "cli/exit.hpp"
#include "cli/fail_point.hpp"
#include "cli/logging.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "gateway/listener_checker.hpp"
#include "gateway/rule_checker.hpp"
#include "gateway/wiring.hpp"
#include "manage/config/load.hpp"

namespace sluice::cli {
namespace {

struct Options {
    std::string file;
    std::string log_format;
};

void reload(gateway::Gateway& running, env::FileSystem& files, const std::string& file) {
    gateway::RuleChecker checker(files);
    gateway::ListenerChecker listeners(files);
    const auto loaded = config::load_gateway(files, file, &checker, &listeners);
    if (!loaded.is_runnable()) {
        fmt::print(stderr, "{}", loaded.refusal());
        spdlog::error("reload: {} has errors, the gateway goes on with the configuration it had", file);
        return;
    }
    std::vector<std::string> needs_restart;
    if (!running.reload(loaded.config, needs_restart)) {
        spdlog::error("reload: could not be done, the gateway goes on with the rules it had");
        return;
    }
    spdlog::info("reload: {} rules in force", loaded.config.rules.size());
    for (const auto& key : needs_restart) spdlog::warn("reload: `{}` changed, which needs a restart", key);
}

int run(const Options& options) {
    if (!arm_fail_point("gateway")) return kExitUsage;
    // Before any thread starts, so that all of them inherit the mask and only sigwait below sees these.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int each : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, each);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);

    posix::PosixFileSystem files;
    posix::PosixClock clock;
    posix::PosixEntropy entropy;
    gateway::RuleChecker checker(files);
    gateway::ListenerChecker listeners(files);
    auto loaded = config::load_gateway(files, options.file, &checker, &listeners);
    if (!loaded.is_runnable()) {
        fmt::print(stderr, "{}", loaded.refusal());
        return kExitUsage;
    }
    if (!options.log_format.empty())
        loaded.config.log.format = options.log_format == "json" ? config::LogFormat::json : config::LogFormat::text;
    set_up_logging(loaded.config.log);
    if (!loaded.problems.empty()) fmt::print(stderr, "{}", loaded.text());
    raise_descriptor_limit(loaded.config.limits.connections);

    config::StartError error;
    const auto running = gateway::Gateway::start(loaded.config, {files, clock, entropy}, error);
    if (running == nullptr) {
        fmt::print(stderr, "{}\n", config::format(options.file, {config::Severity::error, error.at, error.key, error.message}));
        return kExitUsage;
    }
    for (;;) {
        int signal = 0;
        if (::sigwait(&signals, &signal) != 0) continue;
        if (signal == SIGHUP) {
            reload(*running, files, options.file);
            continue;
        }
        spdlog::info("stopping");
        break;
    }
    running->stop();
    spdlog::info("stopped");
    return kExitGood;
}

}  // namespace

void add_gateway(CLI::App& app, Exit& exit) {
    auto* command = app.add_subcommand("gateway", "run a gateway: MQTT hub, rules, encrypted store-and-forward");
    auto options = std::make_shared<Options>();
    command->add_option("-c,--config", options->file, "the gateway's configuration (YAML)")->required();
    command->add_option("--log-format", options->log_format, "text or json; the configuration's choice by default")
        ->check(CLI::IsMember({"text", "json"}));
    command->footer(
        "Examples:\n"
        "  sluice init gateway my-plant && sluice gateway -c my-plant/gateway.yaml\n"
        "  sluice gateway -c /etc/sluice/gateway.yaml --log-format json\n"
        "\n"
        "SIGTERM or Ctrl-C stops it cleanly; SIGHUP takes new rules and certificates without dropping a connection.\n"
        "Exit: 0 stopped as asked, 2 the configuration or its surroundings are not usable (nothing was touched).");
    command->callback([options, &exit] { exit.code = run(*options); });
}

}  // namespace sluice::cli

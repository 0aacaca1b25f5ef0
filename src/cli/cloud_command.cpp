#include "cli/cloud_command.hpp"

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cli/descriptor_limit.hpp"
#include "cli/exit.hpp"
#include "cli/fail_point.hpp"
#include "cli/logging.hpp"
#include "cloud/wiring.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/file_system.hpp"
#include "gateway/listener_checker.hpp"
#include "manage/config/load.hpp"

namespace sluice::cli {
namespace {

struct Options {
    std::string file;
    std::string log_format;
};

void reload(cloud::Cloud& running, env::FileSystem& files, const std::string& file) {
    gateway::ListenerChecker listeners(files);
    const auto loaded = config::load_cloud(files, file, &listeners);
    if (!loaded.is_runnable()) {
        fmt::print(stderr, "{}", loaded.refusal());
        spdlog::error("reload: {} has errors, the cloud goes on with the configuration it had", file);
        return;
    }
    for (const auto& key : running.reload(loaded.config)) spdlog::warn("reload: `{}` changed, which needs a restart", key);
}

int run(const Options& options) {
    if (!arm_fail_point("cloud")) return kExitUsage;
    // Before any thread starts, so that all of them inherit the mask and only sigwait below sees these.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int each : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, each);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::signal(SIGPIPE, SIG_IGN);

    posix::PosixFileSystem files;
    const posix::PosixClock clock;
    gateway::ListenerChecker listeners(files);
    auto loaded = config::load_cloud(files, options.file, &listeners);
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
    const auto running = cloud::Cloud::start(loaded.config, {files, clock}, error);
    if (running == nullptr) {
        fmt::print(stderr, "{}\n", config::format(options.file, {config::Severity::error, error.at, error.key, error.message}));
        return kExitUsage;
    }
    for (;;) {
        int signal = 0;
        if (::sigwait(&signals, &signal) != 0) continue;
        if (signal != SIGHUP) break;
        reload(*running, files, options.file);
    }
    spdlog::info("stopping");
    running->stop();
    spdlog::info("stopped");
    return kExitGood;
}

}  // namespace

void add_cloud(CLI::App& app, Exit& exit) {
    auto* command =
        app.add_subcommand("cloud", "run the cloud tier: takes gateways' events, stores each exactly once, serves them over HTTP");
    auto options = std::make_shared<Options>();
    command->add_option("-c,--config", options->file, "the cloud's configuration (YAML)")->required();
    command->add_option("--log-format", options->log_format, "text or json; the configuration's choice by default")
        ->check(CLI::IsMember({"text", "json"}));
    command->footer(
        "Examples:\n"
        "  sluice init cloud my-cloud && sluice cloud -c my-cloud/cloud.yaml\n"
        "  curl 'http://127.0.0.1:8081/api/v1/events?class=alert&limit=10'\n"
        "\n"
        "SIGTERM or Ctrl-C stops it cleanly; SIGHUP takes new certificates without dropping a connection.\n"
        "Exit: 0 stopped as asked, 2 the configuration or its surroundings are not usable (nothing was touched).");
    command->callback([options, &exit] { exit.code = run(*options); });
}

}  // namespace sluice::cli

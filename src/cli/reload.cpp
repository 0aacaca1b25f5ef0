#include "cli/reload.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "cloud/wiring.hpp"
#include "env/posix/file_system.hpp"
#include "env/posix/pid_file.hpp"
#include "gateway/listener_checker.hpp"
#include "gateway/rule_checker.hpp"
#include "gateway/wiring.hpp"
#include "manage/config/load.hpp"

namespace sluice::cli {
namespace {

/// What is to be signalled, or what is wrong with the file.
struct Daemon {
    std::string_view tier;
    std::string pid_file;
    std::string data;
    std::string refusal;
};

Daemon gateway_of(env::FileSystem& files, const std::string& file) {
    gateway::RuleChecker checker(files);
    gateway::ListenerChecker listeners(files);
    const auto loaded = config::load_gateway(files, file, &checker, &listeners);
    return {"gateway", std::string(gateway::kPidFile), loaded.config.gateway.data.value, loaded.is_runnable() ? "" : loaded.refusal()};
}

Daemon cloud_of(env::FileSystem& files, const std::string& file) {
    gateway::ListenerChecker listeners(files);
    const auto loaded = config::load_cloud(files, file, &listeners);
    return {"cloud", std::string(cloud::kPidFile), loaded.config.cloud.data.value, loaded.is_runnable() ? "" : loaded.refusal()};
}

int run(const std::string& file, bool json) {
    posix::PosixFileSystem files;
    const auto text = config::read_text(files, file, config::kFileBytesMax);
    const bool is_cloud = text && config::tier_of(*text) == config::Tier::cloud;
    const Daemon daemon = is_cloud ? cloud_of(files, file) : gateway_of(files, file);
    if (!daemon.refusal.empty()) {
        fmt::print(stderr, "{}sluice reload: not sent, the {} goes on as it was\n", daemon.refusal, daemon.tier);
        return kExitUsage;
    }
    const auto process = posix::PidFile::holder(daemon.data + "/" + daemon.pid_file);
    if (!process) {
        fmt::print(stderr, "sluice reload: no {0} runs on {1}; start it with: sluice {0} -c {2}\n", daemon.tier, daemon.data, file);
        return kExitFailed;
    }
    if (::kill(*process, SIGHUP) != 0) {
        fmt::print(stderr, "sluice reload: cannot signal process {}: {}\n", *process, std::strerror(errno));
        return kExitFailed;
    }
    if (json) {
        fmt::print("{{\"process\":{}}}\n", *process);
        return kExitGood;
    }
    fmt::print("asked the {} (process {}) to reload; its log says what it took over\n", daemon.tier, *process);
    return kExitGood;
}

}  // namespace

void add_reload(CLI::App& app, Exit& exit) {
    auto* command = app.add_subcommand(
        "reload", "make a running gateway take new rules and certificates (a cloud: certificates), without dropping a connection");
    struct Options {
        std::string file;
        bool json = false;
    };
    auto options = std::make_shared<Options>();
    command->add_option("-c,--config", options->file, "the configuration that the gateway or cloud runs with")->required();
    command->add_flag("--json", options->json, "the process that was asked, as {\"process\": …}");
    command->footer(
        "Examples:\n"
        "  sluice reload -c my-plant/gateway.yaml\n"
        "\n"
        "The file is checked first: with errors nothing is sent. Rules whose SQL is unchanged keep their state.");
    command->callback([options, &exit] { exit.code = run(options->file, options->json); });
}

}  // namespace sluice::cli

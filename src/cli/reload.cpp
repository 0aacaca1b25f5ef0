#include "cli/reload.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "env/posix/file_system.hpp"
#include "env/posix/pid_file.hpp"
#include "gateway/listener_checker.hpp"
#include "gateway/rule_checker.hpp"
#include "gateway/wiring.hpp"
#include "manage/config/load.hpp"

namespace sluice::cli {
namespace {

int run(const std::string& file, bool json) {
    posix::PosixFileSystem files;
    gateway::RuleChecker checker(files);
    gateway::ListenerChecker listeners(files);
    const auto loaded = config::load_gateway(files, file, &checker, &listeners);
    if (!loaded.is_runnable()) {
        fmt::print(stderr, "{}sluice reload: not sent, the gateway goes on as it was\n", loaded.refusal());
        return kExitUsage;
    }
    const std::string path = loaded.config.gateway.data.value + "/" + std::string(gateway::kPidFile);
    const auto process = posix::PidFile::holder(path);
    if (!process) {
        fmt::print(stderr, "sluice reload: no gateway runs on {}; start it with: sluice gateway -c {}\n", loaded.config.gateway.data.value,
                   file);
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
    fmt::print("asked the gateway (process {}) to reload; its log says what it took over\n", *process);
    return kExitGood;
}

}  // namespace

void add_reload(CLI::App& app, Exit& exit) {
    auto* command = app.add_subcommand("reload", "make a running gateway take new rules and certificates, without dropping a connection");
    struct Options {
        std::string file;
        bool json = false;
    };
    auto options = std::make_shared<Options>();
    command->add_option("-c,--config", options->file, "the configuration that the gateway runs with")->required();
    command->add_flag("--json", options->json, "the process that was asked, as {\"process\": …}");
    command->footer(
        "Examples:\n"
        "  sluice reload -c my-plant/gateway.yaml\n"
        "\n"
        "The file is checked first: with errors nothing is sent. Rules whose SQL is unchanged keep their state.");
    command->callback([options, &exit] { exit.code = run(options->file, options->json); });
}

}  // namespace sluice::cli

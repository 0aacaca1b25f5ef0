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

int run(const std::string& file) {
    posix::PosixFileSystem files;
    gateway::RuleChecker checker;
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
    fmt::print("asked the gateway (process {}) to reload; its log says what it took over\n", *process);
    return kExitGood;
}

}  // namespace

void add_reload(CLI::App& app, Exit& exit) {
    auto* command = app.add_subcommand("reload", "make a running gateway take new rules and certificates, without dropping a connection");
    auto file = std::make_shared<std::string>();
    command->add_option("-c,--config", *file, "the configuration that the gateway runs with")->required();
    command->footer(
        "Examples:\n"
        "  sluice reload -c my-plant/gateway.yaml\n"
        "\n"
        "The file is checked first: with errors nothing is sent. Rules whose SQL is unchanged keep their state.");
    command->callback([file, &exit] { exit.code = run(*file); });
}

}  // namespace sluice::cli

#include "cli/key_command.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/exit.hpp"
#include "cli/json_text.hpp"
#include "cli/key_listing.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "env/posix/pid_file.hpp"
#include "flow/spool/key_scan.hpp"
#include "gateway/named_keys.hpp"
#include "gateway/wiring.hpp"
#include "manage/config/load.hpp"
#include "manage/identity/key_files.hpp"

namespace sluice::cli {
namespace {

using base::Errc;
using identity::KeyNumber;

/// A running gateway looks for keys once a second; its disk may be slow.
constexpr std::chrono::seconds kTakenWithin{20};
constexpr std::chrono::milliseconds kLookEvery{50};

struct Command {
    std::string file;
    bool json = false;
};

/// The configuration; says on standard error what is wrong with it.
std::optional<config::GatewayConfig> load(env::FileSystem& files, const Command& command, Exit& exit) {
    auto loaded = config::load_gateway(files, command.file, nullptr);
    if (loaded.is_valid()) return std::move(loaded.config);
    std::fputs(loaded.text().c_str(), stderr);
    exit.code = kExitUsage;
    return std::nullopt;
}

/// `named`: by what lies in the folder.
std::string add_message(const std::string& data, KeyNumber named, const base::Error& error) {
    const std::string folder = data + "/" + std::string(identity::kKeyFolder);
    switch (error.code) {
        case Errc::not_found:
            if (named != 0)
                return fmt::format("{}/{} is missing, and what is in {} was written with it; put it back first (`sluice key list`)", data,
                                   identity::key_file(named), data);
            return fmt::format("there is no key in {} yet: no gateway with this configuration has run; its first start makes one", folder);
        case Errc::in_use:
            return fmt::format("another `sluice key rotate` is at work in {}", folder);
        case Errc::permission:
            return fmt::format("{} may not be written: run as the gateway's user", folder);
        default:
            return fmt::format("no key could be made in {}: {}", folder, base::describe(error));
    }
}

/// The gateway has saved its positions with the key.
bool is_taken(env::FileSystem& files, const std::string& spool, KeyNumber key) {
    const auto named = spool::scan_keys(files, spool);
    return named &&
           std::any_of(named->begin(), named->end(), [key](const auto& each) { return each.key.number == key && each.manifests != 0; });
}

bool wait_until_taken(env::FileSystem& files, const std::string& spool, const std::string& pid_file, KeyNumber key) {
    posix::PosixClock clock;
    for (const auto give_up_at = clock.now() + kTakenWithin; clock.now() < give_up_at; std::this_thread::sleep_for(kLookEvery)) {
        if (is_taken(files, spool, key)) return true;
        if (!posix::PidFile::holder(pid_file)) return false;
    }
    return false;
}

void rotate(const Command& command, Exit& exit) {
    posix::PosixFileSystem files;
    posix::PosixEntropy entropy;
    const auto config = load(files, command, exit);
    if (!config) return;
    const std::string& data = config->gateway.data.value;
    struct stat folder {};
    const std::string path = data + "/" + std::string(identity::kKeyFolder);
    if (::stat(path.c_str(), &folder) == 0 && folder.st_uid != ::geteuid()) {
        fmt::print(stderr, "sluice key rotate: {} belongs to user {}: run as that user, or the gateway could not read the new key\n", path,
                   folder.st_uid);
        exit.code = kExitUsage;
        return;
    }
    // In case the newest one's file was lost: no number is used twice.
    const KeyNumber named = gateway::greatest_named_key(files, data);
    const auto made = identity::KeyFiles(files, data).add(entropy, named);
    if (!made) {
        fmt::print(stderr, "sluice key rotate: {}\n", add_message(data, named, made.error()));
        exit.code = made.error().code == Errc::not_found && named == 0 ? kExitUsage : kExitFailed;
        return;
    }
    const std::string file = data + "/" + identity::key_file(*made);
    const std::string pid_file = data + "/" + std::string(gateway::kPidFile);
    const auto process = posix::PidFile::holder(pid_file);
    const bool taken = process && wait_until_taken(files, data + "/spool", pid_file, *made);
    if (process && !taken) exit.code = kExitFailed;
    if (command.json) {
        fmt::print("{{\"key\":{},\"file\":{},\"process\":{},\"taken\":{}}}\n", *made, json_text(file),
                   process ? std::to_string(*process) : "null", taken);
    } else if (taken) {
        fmt::print(
            "key {} is in {}; the gateway (process {}) seals with it from now on.\nOlder keys are removed when nothing needs them any "
            "more: `sluice key list -c {}`\n",
            *made, file, *process, command.file);
    } else if (!process) {
        fmt::print("key {} is in {}; no gateway runs on {}: the next one seals with it\n", *made, file, data);
    }
    if (process && !taken)
        fmt::print(stderr,
                   "sluice key rotate: key {} is in {}, but the gateway (process {}) has not taken it: its log says why; at the latest its "
                   "next start takes it\n",
                   *made, file, *process);
}

void list(const Command& command, Exit& exit) {
    posix::PosixFileSystem files;
    const auto config = load(files, command, exit);
    if (!config) return;
    const std::string& data = config->gateway.data.value;
    const auto listing = list_keys(files, *config);
    if (!listing) {
        fmt::print(stderr, "sluice key list: {}/{} cannot be read: {}; run as the gateway's user\n", data, identity::kKeyFolder,
                   base::describe(listing.error()));
        exit.code = kExitFailed;
        return;
    }
    if (listing->rows.empty()) {
        fmt::print(stderr, "sluice key list: there is no key in {}/{} yet: no gateway with this configuration has run\n", data,
                   identity::kKeyFolder);
        exit.code = kExitUsage;
        return;
    }
    posix::PosixClock clock;
    const std::string text = command.json ? key_list_json(*listing) + "\n" : key_list_text(*listing, base::to_ms(clock.wall().time));
    std::fputs(text.c_str(), stdout);
    if (!listing->good()) exit.code = kExitFailed;
}

}  // namespace

void add_key(CLI::App& app, Exit& exit) {
    auto* command = app.add_subcommand("key", "the master keys of a gateway: make a new one, see what needs the old ones");
    command->require_subcommand(1);
    command->footer(
        "Examples:\n"
        "  sluice key rotate -c gateway.yaml\n"
        "  sluice key list -c gateway.yaml\n"
        "\n"
        "A running gateway takes the new key at once, without a restart. It removes an old one when nothing needs it any more: segments "
        "of\n"
        "the spool drain, the rest is sealed again. docs/keys.md says more.\n"
        "Exit: 0 good, 1 it was not taken, or a key that is needed is missing or another file, 2 wrong use, or no gateway has run yet.");
    auto options = std::make_shared<Command>();
    auto* rotating = command->add_subcommand("rotate", "make a new master key; a running gateway seals with it from then on");
    auto* listing = command->add_subcommand("list", "numbers, ages, and what still needs each key");
    for (auto* each : {rotating, listing}) {
        each->add_option("-c,--config", options->file, "the gateway's configuration (YAML)")->required();
        each->add_flag("--json", options->json, "one JSON object");
    }
    rotating->callback([options, &exit] { rotate(*options, exit); });
    listing->callback([options, &exit] { list(*options, exit); });
}

}  // namespace sluice::cli

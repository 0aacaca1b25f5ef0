#include "cli/key_command.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/exit.hpp"
#include "cli/json_text.hpp"
#include "cli/local/http_client.hpp"
#include "cli/table_text.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/entropy.hpp"
#include "env/posix/file_system.hpp"
#include "env/posix/pid_file.hpp"
#include "flow/spool/key_scan.hpp"
#include "gateway/document_keys.hpp"
#include "gateway/rule_overlay_store.hpp"
#include "gateway/session_database.hpp"
#include "gateway/wiring.hpp"
#include "manage/config/load.hpp"
#include "manage/identity/key_files.hpp"

namespace sluice::cli {
namespace {

namespace json = boost::json;
using base::Errc;
using identity::KeyNumber;

/// A running gateway looks for keys once a second; its disk may be slow.
constexpr std::chrono::seconds kTakenWithin{20};
constexpr std::chrono::milliseconds kLookEvery{50};
constexpr std::chrono::seconds kAnswerWithin{5};

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

std::string add_message(const std::string& data, const base::Error& error) {
    const std::string folder = data + "/" + std::string(identity::kKeyFolder);
    switch (error.code) {
        case Errc::not_found:
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

/// The greatest number that anything names, in case its file was lost: no number is used twice.
KeyNumber greatest_named(env::FileSystem& files, const std::string& data) {
    KeyNumber out = 0;
    for (const char* folder : {"/spool", "/state/journal"}) {
        if (const auto named = spool::scan_keys(files, data + folder); named && !named->empty())
            out = std::max(out, named->back().key.number);
    }
    if (const auto documents = gateway::document_keys(files, data + "/state")) {
        for (const auto& each : *documents) out = std::max(out, each.key);
    }
    return out;
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
    const auto made = identity::KeyFiles(files, data).add(entropy, greatest_named(files, data));
    if (!made) {
        fmt::print(stderr, "sluice key rotate: {}\n", add_message(data, made.error()));
        exit.code = made.error().code == Errc::not_found ? kExitUsage : kExitFailed;
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

// ---- list

const json::object& object_at(const json::object& object, std::string_view key) {
    static const json::object kNone;
    const json::value* const value = object.if_contains(key);
    return value != nullptr && value->is_object() ? value->as_object() : kNone;
}

/// From the running gateway's status: {"keys":{"needed":{"1":{"sessions":{"items":…}}}}}
bool ask_sessions(const config::HttpListener& at, std::map<KeyNumber, gateway::HeldKey>& out) {
    posix::PosixClock clock;
    posix::EventLoop loop(clock, std::chrono::microseconds(0));
    local::HttpClient http(loop);
    std::optional<base::Result<local::HttpAnswer>> answer;
    http.get(at.host, at.port, "/api/v1/status", [&answer](base::Result<local::HttpAnswer> result) { answer = std::move(result); });
    const auto give_up_at = clock.now() + kAnswerWithin;
    while (!answer && loop.now() < give_up_at) loop.run_once(give_up_at);
    if (!answer || !*answer || (*answer)->status != 200) return false;
    boost::system::error_code wrong;
    const json::value whole = json::parse((*answer)->body, wrong);
    if (wrong) return false;
    if (!whole.is_object()) return false;
    const json::object& keys = object_at(whole.as_object(), "keys");
    for (const auto& [number, holders] : object_at(keys, "needed")) {
        if (!holders.is_object()) continue;
        const json::object& sessions = object_at(holders.as_object(), "sessions");
        const json::value* const items = sessions.if_contains("items");
        if (items == nullptr || !items->is_number()) continue;
        const auto key = static_cast<KeyNumber>(std::strtoul(std::string(number).c_str(), nullptr, 10));
        out[key] = {key, items->to_number<std::uint64_t>(wrong), 0};
    }
    return true;
}

class Lister {
public:
    Lister(env::FileSystem& files, const config::GatewayConfig& config) : files_(files), config_(config) {}

    KeyListing run() {
        const std::string& data = config_.gateway.data.value;
        identity::KeyFiles key_files(files_, data);
        const auto there = key_files.numbers();
        for (const KeyNumber number : there ? *there : std::vector<KeyNumber>()) {
            KeyRow& row = row_of(number);
            row.present = true;
            if (const auto stamp = files_.stamp(data + "/" + identity::key_file(number))) row.made_ms = stamp->written / 1'000'000;
        }
        if (there && !there->empty()) row_of(there->back()).seals = true;
        add_spool("spool", data + "/spool");
        add_spool("journal", data + "/state/journal");
        if (const auto documents = gateway::document_keys(files_, data + "/state"))
            for (const auto& each : *documents) add("state", {each.key, 1, 0});
        const auto rules = gateway::document_key(files_, gateway::RuleOverlayStore::path_in(data));
        if (rules && *rules) add("rules", {**rules, 1, 0});
        KeyListing out;
        out.sessions_known = add_sessions(data + "/sessions");
        for (const auto& [number, row] : rows_) out.rows.push_back(row);
        return out;
    }

private:
    KeyRow& row_of(KeyNumber number) {
        KeyRow& row = rows_[number];
        row.number = number;
        return row;
    }
    void add(const std::string& holder, const gateway::HeldKey& held) {
        gateway::HeldKey& sum = row_of(held.key).needed[holder];
        sum.key = held.key;
        sum.items += held.items;
        sum.bytes += held.bytes;
    }
    void add_spool(const std::string& holder, const std::string& folder) {
        const auto named = spool::scan_keys(files_, folder);
        if (!named) return;
        for (const auto& each : *named) add(holder, {each.key.number, each.segments + each.manifests, each.bytes});
    }
    bool add_sessions(const std::string& folder) {
        const auto rows = gateway::SessionDatabase::scan_keys(folder);
        if (rows) {
            for (const auto& each : *rows) add("sessions", each);
            return true;
        }
        if (rows.error().code == Errc::not_found) return true;  // none was ever kept
        std::map<KeyNumber, gateway::HeldKey> told;
        if (!config_.listen.http || !ask_sessions(*config_.listen.http, told)) return false;
        for (const auto& [number, held] : told) add("sessions", held);
        return true;
    }

    env::FileSystem& files_;
    const config::GatewayConfig& config_;
    std::map<KeyNumber, KeyRow> rows_;
};

void list(const Command& command, Exit& exit) {
    posix::PosixFileSystem files;
    const auto config = load(files, command, exit);
    if (!config) return;
    const KeyListing listing = Lister(files, *config).run();
    if (listing.rows.empty()) {
        fmt::print(stderr, "sluice key list: there is no key in {}/{} yet: no gateway with this configuration has run\n",
                   config->gateway.data.value, identity::kKeyFolder);
        exit.code = kExitUsage;
        return;
    }
    posix::PosixClock clock;
    const std::string text = command.json ? key_list_json(listing) + "\n" : key_list_text(listing, base::to_ms(clock.wall().time));
    std::fputs(text.c_str(), stdout);
    if (std::any_of(listing.rows.begin(), listing.rows.end(), [](const KeyRow& row) { return !row.present; })) exit.code = kExitFailed;
}

std::string needed_text(const KeyRow& row) {
    std::string out;
    for (const auto& [holder, held] : row.needed) {
        const std::string_view unit = holder == "sessions" ? "rows" : "files";
        out += fmt::format("{}{} {} {}", out.empty() ? "" : ", ", holder, held.items, unit);
        if (held.bytes != 0) out += fmt::format(" ({})", size_text(held.bytes));
    }
    return out.empty() ? "nothing" : out;
}

}  // namespace

std::string key_list_text(const KeyListing& listing, std::int64_t now_ms) {
    std::string out = fmt::format("{:>6}  {:<8} {:>8}  {}\n", "key", "state", "age", "needed by");
    for (const KeyRow& row : listing.rows) {
        const std::string_view state = !row.present ? "MISSING" : row.seals ? "seals" : "opens";
        const double age_s = static_cast<double>(std::max<std::int64_t>(0, now_ms - row.made_ms)) / 1000;
        out += fmt::format("{:>6}  {:<8} {:>8}  {}\n", row.number, state, row.present ? duration_text(age_s) : "", needed_text(row));
    }
    if (!listing.sessions_known)
        out += "sessions: not known; a running gateway has them to itself, and there is no `listen.http` that answers\n";
    return out;
}

std::string key_list_json(const KeyListing& listing) {
    std::string rows;
    for (const KeyRow& row : listing.rows) {
        std::string needed;
        for (const auto& [holder, held] : row.needed)
            needed += fmt::format("{}\"{}\":{{\"items\":{},\"bytes\":{}}}", needed.empty() ? "" : ",", holder, held.items, held.bytes);
        rows +=
            fmt::format("{}{{\"key\":{},\"file\":\"{}\",\"present\":{},\"seals\":{},\"made_ms\":{},\"needed\":{{{}}}}}",
                        rows.empty() ? "" : ",", row.number, identity::key_file(row.number), row.present, row.seals, row.made_ms, needed);
    }
    return fmt::format("{{\"keys\":[{}],\"sessions_known\":{}}}", rows, listing.sessions_known);
}

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
        "Exit: 0 good, 1 it was not taken, or a key is missing that something needs, 2 wrong use, or no gateway has run yet.");
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

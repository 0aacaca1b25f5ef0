#include "cli/key_listing.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <optional>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include "cli/local/http_client.hpp"
#include "cli/table_text.hpp"
#include "env/posix/clock.hpp"
#include "flow/spool/key_scan.hpp"
#include "gateway/document_keys.hpp"
#include "gateway/rule_overlay_store.hpp"
#include "gateway/session_database.hpp"
#include "gateway/spool_sealer.hpp"
#include "manage/identity/key_files.hpp"

namespace sluice::cli {
namespace {

namespace json = boost::json;
using base::Errc;
using identity::KeyNumber;

constexpr std::chrono::seconds kAnswerWithin{5};

/// In the order of KeyFileState.
struct StateWords {
    std::string_view name;   ///< in JSON; empty: no problem
    std::string_view state;  ///< empty: it seals or opens
    std::string_view text;   ///< behind the file's name
};
constexpr std::array<StateWords, 5> kStateWords{{
    {"missing", "MISSING", {}},
    {{}, {}, {}},
    {"other_file", "OTHER FILE", "is a key, but not the one that it was: put the right file back in its place"},
    {"no_key", "NO KEY", "is no key: expected exactly 32 bytes; put the right file back in its place"},
    {"unreadable", "UNREADABLE", "may be read by others, or not by you: expected the gateway's own file with mode 0600"},
}};
const StateWords& words_of(KeyFileState file) { return kStateWords[static_cast<std::size_t>(file)]; }

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

    base::Result<KeyListing> run() {
        const std::string& data = config_.gateway.data.value;
        if (auto done = read_keys(data); !done) return done.error();
        add_spool("spool", data + "/spool");
        add_spool("journal", data + "/state/journal");
        if (const auto documents = gateway::document_keys(files_, data + "/state"))
            for (const auto& each : *documents) add("state", {each.key, 1, 0});
        const auto rules = gateway::document_key(files_, gateway::RuleOverlayStore::path_in(data));
        if (rules && *rules) add("rules", {**rules, 1, 0});
        KeyListing out;
        out.sessions_known = add_sessions(data + "/sessions");
        for (auto& [number, row] : rows_) {
            const Match& match = matches_[number];
            if (row.file == KeyFileState::good && (match.refused || (match.differs && !match.fits))) row.file = KeyFileState::other;
            out.rows.push_back(row);
        }
        return out;
    }

private:
    /// What was found of the key of a number.
    struct Match {
        bool fits = false;     ///< something was sealed with it
        bool differs = false;  ///< something was sealed with another one
        bool refused = false;  ///< a gateway does not start with it
    };

    base::Status read_keys(const std::string& data) {
        identity::KeyFiles key_files(files_, data);
        const auto there = key_files.numbers();
        if (!there) return there.error().code == Errc::not_found ? base::Status{} : base::Status{there.error()};
        for (const KeyNumber number : *there) {
            const auto key = key_files.read(number);
            if (!key && key.error().code == Errc::not_found) continue;  // removed meanwhile
            KeyRow& row = row_of(number);
            row.file = key ? KeyFileState::good : key.error().code == Errc::corrupt ? KeyFileState::no_key : KeyFileState::unreadable;
            if (key) keys_.emplace(number, *key);
            if (const auto stamp = files_.stamp(data + "/" + identity::key_file(number))) row.made_ms = stamp->written / 1'000'000;
        }
        if (!rows_.empty()) rows_.rbegin()->second.seals = true;
        return {};
    }
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
        for (const auto& each : *named) {
            add(holder, {each.key.number, each.segments + each.manifests, each.bytes});
            const auto key = keys_.find(each.key.number);
            if (key == keys_.end()) continue;
            Match& match = matches_[each.key.number];
            if (gateway::SpoolSealer::name_of(each.key.number, key->second) == each.key) {
                match.fits = true;
            } else {
                match.differs = true;  // segments alone may be of another spool
                match.refused = match.refused || each.manifests != 0;
            }
        }
    }
    bool add_sessions(const std::string& folder) {
        const auto rows = gateway::SessionDatabase::scan_keys(folder);
        if (rows) {
            for (const auto& each : *rows) add("sessions", each);
            if (const auto named = gateway::SessionDatabase::scan_named_key(folder)) compare_sessions(*named);
            return true;
        }
        if (rows.error().code == Errc::not_found) return true;  // none was ever kept
        std::map<KeyNumber, gateway::HeldKey> told;
        if (!config_.listen.http || !ask_sessions(*config_.listen.http, told)) return false;
        for (const auto& [number, held] : told) add("sessions", held);
        return true;
    }
    /// The file names a key even where it has no rows.
    void compare_sessions(const gateway::SessionDatabase::NamedKey& named) {
        const auto key = keys_.find(named.key);
        if (key != keys_.end() && named.is(key->second)) return;
        add("sessions", {named.key, 0, 0});
        matches_[named.key].refused = true;
    }

    env::FileSystem& files_;
    const config::GatewayConfig& config_;
    std::map<KeyNumber, KeyRow> rows_;
    std::map<KeyNumber, identity::MasterKey> keys_;  // those that can be read
    std::map<KeyNumber, Match> matches_;
};

std::string needed_text(const KeyRow& row) {
    std::string out;
    for (const auto& [holder, held] : row.needed) {
        const std::string_view unit = holder == "sessions" ? "row" : "file";
        out += fmt::format("{}{} {} {}{}", out.empty() ? "" : ", ", holder, held.items, unit, held.items == 1 ? "" : "s");
        if (held.bytes != 0) out += fmt::format(" ({})", size_text(held.bytes));
    }
    return out.empty() ? "nothing" : out;
}

}  // namespace

bool KeyListing::good() const {
    return std::all_of(rows.begin(), rows.end(), [](const KeyRow& row) { return row.file == KeyFileState::good; });
}

base::Result<KeyListing> list_keys(env::FileSystem& files, const config::GatewayConfig& config) { return Lister(files, config).run(); }

std::string key_list_text(const KeyListing& listing, std::int64_t now_ms) {
    std::string out = fmt::format("{:>6}  {:<10} {:>8}  {}\n", "key", "state", "age", "needed by");
    std::string problems;
    for (const KeyRow& row : listing.rows) {
        const StateWords& words = words_of(row.file);
        const std::string_view state = !words.state.empty() ? words.state : row.seals ? "seals" : "opens";
        const double age_s = static_cast<double>(std::max<std::int64_t>(0, now_ms - row.made_ms)) / 1000;
        const std::string age = row.file == KeyFileState::missing ? "" : duration_text(age_s);
        out += fmt::format("{:>6}  {:<10} {:>8}  {}\n", row.number, state, age, needed_text(row));
        if (!words.text.empty()) problems += fmt::format("{} {}\n", identity::key_file(row.number), words.text);
    }
    if (!listing.sessions_known)
        out += "sessions: not known; a running gateway has them to itself, and there is no `listen.http` that answers\n";
    return out + problems;
}

std::string key_list_json(const KeyListing& listing) {
    std::string rows;
    for (const KeyRow& row : listing.rows) {
        std::string needed;
        for (const auto& [holder, held] : row.needed)
            needed += fmt::format("{}\"{}\":{{\"items\":{},\"bytes\":{}}}", needed.empty() ? "" : ",", holder, held.items, held.bytes);
        const std::string_view problem = words_of(row.file).name;
        rows += fmt::format("{}{{\"key\":{},\"file\":\"{}\",\"present\":{},\"problem\":{},\"seals\":{},\"made_ms\":{},\"needed\":{{{}}}}}",
                            rows.empty() ? "" : ",", row.number, identity::key_file(row.number), row.file != KeyFileState::missing,
                            problem.empty() ? "null" : fmt::format("\"{}\"", problem), row.seals, row.made_ms, needed);
    }
    return fmt::format("{{\"keys\":[{}],\"sessions_known\":{}}}", rows, listing.sessions_known);
}

}  // namespace sluice::cli

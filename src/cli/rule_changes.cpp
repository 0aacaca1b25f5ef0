#include "cli/rule_changes.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "cli/local/http_client.hpp"
#include "cli/printable.hpp"
#include "cli/rule_problem.hpp"
#include "cli/table_text.hpp"
#include "env/posix/clock.hpp"
#include "env/posix/file_system.hpp"
#include "manage/config/load.hpp"
#include "manage/config/scalar.hpp"

namespace sluice::cli {
namespace {

namespace json = boost::json;

constexpr std::string_view kRules = "/api/v1/rules";
/// A gateway with ten thousand rules takes over a change within seconds.
constexpr std::chrono::seconds kPatience{60};
constexpr std::size_t kBodyBytesMax = 1024 * 1024;

struct Where {
    std::string at = "127.0.0.1:8080";
    std::string config;
    bool json = false;
};

struct Put {
    std::string id;
    std::string file;
    std::string sql;
    std::vector<std::string> to;
};

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    return out;
}

/// The address of the gateway's API; says on standard error why there is none.
std::optional<config::HttpListener> address_of(const Where& where) {
    if (!where.config.empty()) {
        posix::PosixFileSystem files;
        const auto loaded = config::load_gateway(files, where.config, nullptr);
        if (!loaded.is_valid()) {
            std::fputs(loaded.text().c_str(), stderr);
            return std::nullopt;
        }
        if (!loaded.config.listen.http)
            fmt::print(stderr, "rule: error: {} has no `listen.http`: its gateway cannot be asked\n", where.config);
        return loaded.config.listen.http;
    }
    std::string_view at = where.at;
    if (at.starts_with("http://")) at.remove_prefix(7);
    while (at.ends_with('/')) at.remove_suffix(1);
    auto address = config::parse_host_port(at);
    if (!address) fmt::print(stderr, "rule: error: --at {}: expected HOST:PORT, the gateway's listen.http\n", where.at);
    return address;
}

/// Asks and waits.
base::Result<local::HttpAnswer> ask(const config::HttpListener& at, std::string_view method, const std::string& path,
                                    std::string_view body) {
    posix::PosixClock clock;
    posix::EventLoop loop(clock, std::chrono::microseconds(0));
    local::HttpClient http(loop);
    std::optional<base::Result<local::HttpAnswer>> answer;
    http.ask(method, at.host, at.port, path, body, [&answer](base::Result<local::HttpAnswer> result) { answer = std::move(result); });
    const auto give_up_at = clock.now() + kPatience;
    while (!answer && loop.now() < give_up_at) loop.run_once(give_up_at);
    if (!answer) return base::Error{base::Errc::timeout};
    return *answer;
}

std::string text_at(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::uint64_t number_at(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    boost::system::error_code wrong;
    return value == nullptr ? 0 : value->to_number<std::uint64_t>(wrong);
}

const json::object& object_at(const json::object& object, std::string_view key) {
    static const json::object kNone;
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_object() ? value->as_object() : kNone;
}

/// Where a line and a column (in characters) of a text begin.
std::size_t offset_of(const std::string& text, std::uint64_t line, std::uint64_t column) {
    std::size_t at = 0;
    for (; line > 1 && at != std::string::npos; --line)
        at = text.find('\n', at) == std::string::npos ? text.size() : text.find('\n', at) + 1;
    for (; column > 1 && at < text.size(); --column) {
        do ++at;
        while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
    }
    return std::min(at, text.size());
}

/// What was put: SQL, or a file of which the gateway says lines and columns.
struct Source {
    std::string sql;
    std::string file;
};

/// What the gateway says about what was put: in the SQL with a caret, as `rule test` does. Where the options became a document that nobody
/// has written, its places say nothing.
void print_problems(const json::object& body, const Source& source) {
    const std::string& sql = source.sql;
    const json::value* list = body.if_contains("problems");
    if (list == nullptr || !list->is_array()) return;
    for (const json::value& each : list->as_array()) {
        if (!each.is_object()) continue;
        const json::object& row = each.as_object();
        std::string message = text_at(row, "message");
        const auto line = number_at(row, "sql_line");
        if (!sql.empty() && line != 0) {
            rules::SqlError error;
            error.line = static_cast<unsigned>(line);
            error.column = static_cast<unsigned>(number_at(row, "sql_column"));
            error.offset = offset_of(sql, line, error.column);
            error.severity = text_at(row, "severity") == "warning" ? rules::Severity::warning : rules::Severity::error;
            error.message = message.starts_with("sql: ") ? message.substr(5) : message;
            print_problem(sql, error, false);
        } else if (source.file.empty()) {
            fmt::print(stderr, "rule: {}: {}\n", text_at(row, "severity"), message);
        } else {
            fmt::print(stderr, "{}:{}:{}: {}: {}\n", source.file, number_at(row, "line"), number_at(row, "column"),
                       text_at(row, "severity"), message);
        }
    }
}

class Asking {
public:
    explicit Asking(const Where& where) : where_(where) {}

    /// Sets the exit code; the answer's body where it was good.
    std::optional<json::object> operator()(Exit& exit, std::string_view method, const std::string& path, const std::string& body = {},
                                           const Source& source = {}) {
        exit.code = kExitUsage;
        const auto at = address_of(where_);
        if (!at) return std::nullopt;
        exit.code = kExitFailed;
        const auto answer = ask(*at, method, path, body);
        if (!answer) {
            fmt::print(stderr, "rule: error: http://{}:{}: {}; --at or -c names the gateway\n", at->host, at->port,
                       base::describe(answer.error()));
            return std::nullopt;
        }
        boost::system::error_code wrong;
        const json::value parsed = json::parse(answer->body, wrong);
        if (wrong || !parsed.is_object()) {
            fmt::print(stderr, "rule: error: http://{}:{} does not answer as a gateway does\n", at->host, at->port);
            return std::nullopt;
        }
        const json::object& object = parsed.as_object();
        const bool good = answer->status >= 200 && answer->status < 300;
        if (answer->status == 400 || answer->status == 422) exit.code = kExitUsage;
        if (good) exit.code = kExitGood;
        if (where_.json) {
            std::fputs(answer->body.c_str(), good ? stdout : stderr);
            return std::nullopt;
        }
        print_problems(object, source);
        if (good) return object;
        if (!object.contains("problems")) fmt::print(stderr, "rule: error: {}\n", text_at(object_at(object, "error"), "message"));
        return std::nullopt;
    }

private:
    const Where& where_;
};

void print_list(const json::object& body) {
    const json::value* list = body.if_contains("rules");
    if (list == nullptr || !list->is_array()) return;
    fmt::print("{:<24} {:<8} {:<5} {:>12} {:>10} {:>10} {:>9} {:>10}\n", "RULE", "STATE", "FROM", "EVALUATED", "ROWS", "DROPPED", "KEYS",
               "MEMORY");
    for (const json::value& each : list->as_array()) {
        if (!each.is_object()) continue;
        const json::object& row = each.as_object();
        const json::object& count = object_at(row, "counters");
        const auto dropped = number_at(count, "malformed") + number_at(count, "late") + number_at(count, "state_full");
        fmt::print("{:<24} {:<8} {:<5} {:>12} {:>10} {:>10} {:>9} {:>10}\n", shortened_to(text_at(row, "id"), 24), text_at(row, "state"),
                   text_at(row, "origin"), number_at(count, "evaluated"), number_at(count, "rows"), dropped, number_at(row, "keys"),
                   size_text(number_at(row, "state_bytes")));
        if (row.contains("file")) fmt::print("  the configuration file says otherwise: rm --revert goes back to it\n");
        const json::value* problems = row.if_contains("problems");
        if (problems == nullptr || !problems->is_array()) continue;
        for (const json::value& problem : problems->as_array()) {
            if (problem.is_string()) fmt::print("  what was put cannot be used: {}\n", std::string_view(problem.as_string()));
        }
    }
}

/// False: no rule can be called that; said on standard error, before anything is sent.
bool is_id(std::string_view id) {
    if (config::is_identifier(id)) return true;
    fmt::print(stderr, "rule: error: '{}' cannot be the id of a rule: expected 1 to 64 of the characters a-z A-Z 0-9 _ -\n", printable(id));
    return false;
}

/// The body of a put; nothing: said why on standard error.
std::optional<std::string> body_of(const Put& put) {
    const bool given = !put.sql.empty() || !put.to.empty();
    if (given == !put.file.empty() || (given && (put.sql.empty() || put.to.empty()))) {
        fmt::print(stderr, "rule put: error: expected --sql and --to, or a FILE with `sql` and `to`\n");
        return std::nullopt;
    }
    if (!put.file.empty()) {
        std::ifstream file;
        if (put.file != "-") file.open(put.file, std::ios::binary);
        std::istream& in = put.file == "-" ? std::cin : file;
        std::string text{std::istreambuf_iterator<char>(in), {}};
        if (in.bad() || (put.file != "-" && !file.is_open()) || text.size() > kBodyBytesMax) {
            fmt::print(stderr, "rule put: error: cannot read {}: expected YAML or JSON with `sql` and `to`, at most 1 MiB\n", put.file);
            return std::nullopt;
        }
        return text;
    }
    json::array to;
    for (const std::string& target : put.to) {
        const auto colon = target.find(':');
        const std::string kind = target.substr(0, colon);
        if (colon == std::string::npos || (kind != "topic" && kind != "cloud")) {
            fmt::print(stderr, "rule put: error: --to {}: expected topic:TOPIC or cloud:CLASS\n", target);
            return std::nullopt;
        }
        to.emplace_back(json::object{{kind, target.substr(colon + 1)}});
    }
    return json::serialize(json::object{{"sql", put.sql}, {"to", std::move(to)}});
}

void print_done(const json::object& body) { fmt::print("{}: {}\n", text_at(body, "id"), text_at(body, "state")); }

void add_where(CLI::App& command, const std::shared_ptr<Where>& where) {
    auto* at = command.add_option("--at", where->at, "the gateway's listen.http, HOST:PORT")->capture_default_str();
    command.add_option("-c,--config", where->config, "the configuration that the gateway runs with: asks its listen.http")->excludes(at);
    command.add_flag("--json", where->json, "print the gateway's answer (docs/api.md)");
}

constexpr std::string_view kExits = "Exit: 0 good, 1 the gateway cannot be reached or refused, 2 wrong rule or use.";

void add_list(CLI::App& rule, Exit& exit) {
    auto* command = rule.add_subcommand("list", "the rules of a gateway that runs: state, counters, memory");
    auto where = std::make_shared<Where>();
    auto search = std::make_shared<std::string>();
    command->add_option("search", *search, "only rules whose id has this in it");
    add_where(*command, where);
    command->footer(
        fmt::format("Examples:\n"
                    "  sluice rule list\n"
                    "  sluice rule list -c gateway.yaml vibration --json\n"
                    "\n"
                    "FROM: whether the configuration file or the API said what runs. DROPPED: malformed, late, state_full.\n{}",
                    kExits));
    command->callback([where, search, &exit] {
        const std::string path = std::string(kRules) + (search->empty() ? "" : "?search=" + escaped(*search));
        if (const auto body = Asking(*where)(exit, "GET", path)) print_list(*body);
    });
}

void add_put(CLI::App& rule, Exit& exit) {
    auto* command = rule.add_subcommand("put", "add a rule to a gateway that runs, or change one");
    auto where = std::make_shared<Where>();
    auto put = std::make_shared<Put>();
    command->add_option("id", put->id, "the rule's name")->required();
    command->add_option("file", put->file, "YAML or JSON with `sql` and `to`, as in the configuration; - for standard input");
    command->add_option("--sql", put->sql, "the query");
    command->add_option("--to", put->to, "topic:TOPIC or cloud:CLASS; several times for several");
    add_where(*command, where);
    command->footer(
        fmt::format("Examples:\n"
                    "  sluice rule put hot --sql \"SELECT device, t FROM 'sensors/+' WHERE t > 80\" --to 'topic:alerts/{{device}}'\n"
                    "  sluice rule put hot hot.yaml -c gateway.yaml\n"
                    "\n"
                    "It holds from then on, also after a restart, until the configuration file says something new about this rule.\n"
                    "Other rules keep their state, this one what its new SQL has in common with the old. {}",
                    kExits));
    command->callback([where, put, &exit] {
        exit.code = kExitUsage;
        if (!is_id(put->id)) return;
        const auto body = body_of(*put);
        if (!body) return;
        const Source source{.sql = put->sql, .file = put->file == "-" ? "<stdin>" : put->file};
        if (const auto answer = Asking(*where)(exit, "PUT", fmt::format("{}/{}", kRules, put->id), *body, source)) print_done(*answer);
    });
}

void add_on_one(CLI::App& rule, Exit& exit, const std::string& name, const std::string& about, const std::string& more) {
    auto* command = rule.add_subcommand(name, about);
    auto where = std::make_shared<Where>();
    auto id = std::make_shared<std::string>();
    auto revert = std::make_shared<bool>(false);
    command->add_option("id", *id, "the rule's name")->required();
    const bool removes = name == "rm";
    if (removes) command->add_flag("--revert", *revert, "take back what was changed: the rule is as the configuration file says, or gone");
    add_where(*command, where);
    command->footer(fmt::format("Examples:\n  sluice rule {} vibration-anomaly\n{}\n{}\n{}", name,
                                removes ? "  sluice rule rm vibration-anomaly --revert -c gateway.yaml\n" : "", more, kExits));
    command->callback([where, id, revert, name, removes, &exit] {
        exit.code = kExitUsage;
        if (!is_id(*id)) return;
        std::string path = fmt::format("{}/{}", kRules, *id);
        if (removes && *revert) path += "?revert";
        if (!removes) path += "/" + name;
        if (const auto answer = Asking(*where)(exit, removes ? "DELETE" : "POST", path)) print_done(*answer);
    });
}

}  // namespace

void add_rule_changes(CLI::App& rule, Exit& exit) {
    add_list(rule, exit);
    add_put(rule, exit);
    add_on_one(rule, exit, "pause", "stop a rule of a gateway that runs, and keep its state",
               "It stays paused, also after a restart, until it is resumed.");
    add_on_one(rule, exit, "resume", "let a paused rule go on with the state it had",
               "Windows of time that ended meanwhile go out at once with what they had.");
    add_on_one(rule, exit, "rm", "remove a rule from a gateway that runs",
               "A rule of the configuration file stays removed until that file says something new about it.");
}

}  // namespace sluice::cli

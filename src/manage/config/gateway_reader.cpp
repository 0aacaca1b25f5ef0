#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "data/reading.hpp"
#include "env/file_system.hpp"
#include "manage/config/load.hpp"
#include "manage/config/reader.hpp"
#include "manage/config/scalar.hpp"
#include "manage/config/suggest.hpp"

namespace sluice::config {
namespace {

GatewayIdentity read_identity(const View& view) {
    return {.id = view.at("id").text(),
            .data = view.at("data").path(),
            .latency = view.at("latency").choice_as<Latency>(),
            .sys_interval = view.at("sys_interval").duration(),
            .shards = view.at("shards").integer_as<unsigned>()};
}

/// Below this the buffers of a few clients are all there is room for.
constexpr std::uint64_t kMemoryMin = 16 * 1024 * 1024;

Limits read_limits(const View& view, Problems& problems) {
    Limits out;
    out.connections = view.at("connections").integer_as<std::uint32_t>();
    out.connect_rate = view.at("connect_rate").integer_as<std::uint32_t>();
    out.connect_rate_address = view.at("connect_rate_address").integer_as<std::uint32_t>();
    out.connect_timeout = view.at("connect_timeout").duration();
    out.keep_alive_max = view.at("keep_alive_max").duration();
    out.payload = view.at("payload").size();
    out.will_payload = view.at("will_payload").size();
    out.will_bytes = view.at("will_bytes").size();
    out.message_rate = view.at("message_rate").integer_as<std::uint32_t>();
    out.byte_rate = view.at("byte_rate").size();
    out.topic_length = view.at("topic_length").integer_as<std::uint32_t>();
    out.topic_levels = view.at("topic_levels").integer_as<std::uint32_t>();
    out.topic_aliases = view.at("topic_aliases").integer_as<std::uint16_t>();
    out.topic_aliases_out = view.at("topic_aliases_out").integer_as<std::uint16_t>();
    out.receive_maximum = view.at("receive_maximum").integer_as<std::uint16_t>();
    out.in_flight = view.at("in_flight").integer_as<std::uint16_t>();
    out.subscriptions = view.at("subscriptions").integer_as<std::uint32_t>();
    out.subscriptions_total = view.at("subscriptions_total").integer_as<std::uint32_t>();
    out.queue_messages = view.at("queue_messages").integer_as<std::uint32_t>();
    out.queue_bytes = view.at("queue_bytes").size();
    out.queue_bytes_total = view.at("queue_bytes_total").size();
    out.output_bytes = view.at("output_bytes").size();
    out.sessions = view.at("sessions").integer_as<std::uint32_t>();
    out.session_expiry_max = view.at("session_expiry_max").duration();
    out.retained_messages = view.at("retained_messages").integer_as<std::uint32_t>();
    out.retained_bytes = view.at("retained_bytes").size();
    out.memory = view.at("memory").size();
    out.rule_keys = view.at("rule_keys").integer_as<std::uint32_t>();
    out.rule_state_bytes = view.at("rule_state_bytes").size();
    out.rule_state = view.at("rule_state").size();
    out.json_depth = view.at("json_depth").integer_as<std::uint32_t>();
    out.table_rows = view.at("table_rows").integer_as<std::uint32_t>();
    out.table_bytes = view.at("table_bytes").size();
    if (out.queue_bytes < out.payload) {
        const View at = view.at("queue_bytes").present() ? view.at("queue_bytes") : view.at("payload");
        add_error(
            problems, at.position(), "limits.queue_bytes",
            fmt::format("`queue_bytes` ({} bytes) must be at least `payload` ({} bytes): such a message could never wait for a subscriber",
                        out.queue_bytes, out.payload));
    }
    if (out.memory != 0 && out.memory < kMemoryMin) {
        add_error(problems, view.at("memory").position(), "limits.memory",
                  fmt::format("`memory` ({} bytes) is 0, half of what the machine has, or at least {}MiB", out.memory, kMemoryMin >> 20U));
    }
    return out;
}

std::vector<RuleConfig> read_rules(const View& view, const std::vector<ClassConfig>& classes, Problems& problems) {
    std::vector<RuleConfig> out;
    Names names(problems, "rule id");
    const std::vector<View> entries = view.items();
    out.reserve(entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const std::string key = fmt::format("rules[{}]", i);
        out.push_back(read_rule(entries[i], key, classes, problems));
        names.add(out.back().id, key + ".id");
    }
    return out;
}

std::vector<FunctionConfig> read_functions(const View& view, const std::vector<ClassConfig>& classes, Problems& problems) {
    std::vector<FunctionConfig> out;
    Names names(problems, "function name");
    const std::vector<View> entries = view.items();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const View& entry = entries[i];
        const std::string key = fmt::format("functions[{}]", i);
        FunctionConfig function;
        function.at = entry.position();
        function.name = entry.at("name").located();
        function.runtime = entry.at("runtime").choice_as<FunctionRuntime>();
        function.path = entry.at("path").path();
        function.handler = entry.at("handler").text();
        function.event = entry.at("event").choice_as<FunctionEvent>();
        for (const View& filter : entry.at("from").items()) function.from.push_back(filter.located());
        if (entry.at("sql").present()) function.sql = entry.at("sql").located_text();
        function.to = read_destinations(entry.at("to"), key + ".to", classes, problems);
        function.timeout = entry.at("timeout").duration();
        function.workers = entry.at("workers").integer_as<unsigned>();
        if (entry.at("key").present()) function.key = entry.at("key").located_text();
        function.memory = entry.at("memory").size();
        names.add(function.name, key + ".name");
        if (entry.present() && entry.at("from").written() == entry.at("sql").written()) {
            const std::string_view found = entry.at("sql").written() ? "both" : "neither";
            add_error(problems, entry.position(), key, fmt::format("a function gets messages by `from` or by `sql`: found {}", found));
        }
        if (entry.present() && function.runtime == FunctionRuntime::python3 && !entry.at("handler").written()) {
            add_error(problems, entry.position(), key + ".handler",
                      "missing key `handler`: python3 needs module.function or module.Class.method");
        }
        out.push_back(std::move(function));
    }
    return out;
}

std::vector<std::string> read_words(const View& view) {
    std::vector<std::string> out;
    for (const View& word : view.items()) out.push_back(word.text());
    return out;
}

std::vector<ModuleConfig> read_modules(const View& view, Problems& problems) {
    std::vector<ModuleConfig> out;
    Names names(problems, "module name");
    const std::vector<View> entries = view.items();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const View& entry = entries[i];
        const std::string key = fmt::format("modules[{}]", i);
        ModuleConfig module;
        module.at = entry.position();
        module.name = entry.at("name").located();
        module.image = entry.at("image").text();
        module.command = read_words(entry.at("command"));
        for (const auto& [name, value] : entry.at("env").entries()) module.env.emplace(name.value, value.text());
        for (const View& route : entry.at("routes").items()) module.routes.push_back({route.at("from").text(), route.at("to").text()});
        module.restart = entry.at("restart").choice_as<Restart>();
        const View health = entry.at("health");
        module.health_command = read_words(health.at("command"));
        module.health_interval = health.at("interval").duration();
        module.health_timeout = health.at("timeout").duration();
        module.memory = entry.at("limits").at("memory").size();
        module.cpus = entry.at("limits").at("cpus").number();
        names.add(module.name, key + ".name");
        if (entry.present() && entry.at("image").written() == entry.at("command").written()) {
            const std::string_view found = entry.at("image").written() ? "both" : "neither";
            add_error(problems, entry.position(), key, fmt::format("a module is an `image` or a `command`: found {}", found));
        }
        out.push_back(std::move(module));
    }
    return out;
}

std::vector<ModelConfig> read_models(const View& view, Problems& problems) {
    std::vector<ModelConfig> out;
    Names names(problems, "model name");
    const std::vector<View> entries = view.items();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const View& entry = entries[i];
        ModelConfig model;
        model.at = entry.position();
        model.name = entry.at("name").located();
        model.file = entry.at("file").path();
        model.inputs = read_words(entry.at("inputs"));
        model.budget_latency = entry.at("budget").at("latency").duration();
        model.budget_memory = entry.at("budget").at("memory").size();
        names.add(model.name, fmt::format("models[{}].name", i));
        out.push_back(std::move(model));
    }
    return out;
}

/// The text of a file that `auth` names; nothing where it cannot be read, which is reported (by check_files where it cannot be opened).
std::optional<std::string> read_access_file(const View& at, const char* key, env::FileSystem& files, Problems& problems) {
    auto text = read_text(files, at.path().value, kAccessFileBytesMax);
    if (text) return std::move(*text);
    if (text.error().code != base::Errc::not_found && text.error().code != base::Errc::permission)
        add_error(problems, at.position(), fmt::format("auth.{}", key), fmt::format("{}: {}", key, base::describe(text.error())));
    return std::nullopt;
}

void read_access_files(const View& view, env::FileSystem& files, Auth& out, Problems& problems) {
    if (const View users = view.at("users"); users.present()) {
        if (const auto text = read_access_file(users, "users", files, problems))
            out.user_list = read_users(*text, out.users.value, problems);
        constexpr unsigned kOthersRead = 0004;
        if (const auto mode = files.permissions(out.users.value); mode && (*mode & kOthersRead) != 0) {
            add_warning(
                problems, users.position(), "auth.users",
                "users: everyone on this machine may read the hashes and try to guess the passwords; `chmod o-r` keeps them from it");
        }
    }
    const View acl = view.at("acl");
    if (!acl.present()) return;
    if (const auto text = read_access_file(acl, "acl", files, problems)) out.acl_rows = read_acl(*text, out.acl.value, problems);
    if (!view.at("users").present()) return;
    std::set<std::string_view> names;
    for (const UserEntry& user : out.user_list) names.insert(user.name);
    for (const AclEntry& row : out.acl_rows) {
        for (const AclWho& who : row.who) {
            if (who.kind != AclWho::Kind::user || names.contains(who.name)) continue;
            add_warning(problems, row.at, {}, fmt::format("there is no user `{}` in {}", shortened(who.name, 64), out.users.value));
            problems.back().file = out.acl.value;
        }
    }
}

Auth read_auth(const View& view, env::FileSystem* files, Problems& problems) {
    Auth out;
    out.configured = view.written();
    out.anonymous = !out.configured || view.at("anonymous").boolean();
    out.users = view.at("users").path();
    out.acl = view.at("acl").path();
    if (files != nullptr) read_access_files(view, *files, out, problems);
    return out;
}

/// Without `auth` nobody has to say who they are, so nobody from outside may reach a listener.
void check_access(const GatewayConfig& config, const View& root, Problems& problems) {
    bool certificates = false;
    for (std::size_t i = 0; i < config.listen.mqtt.size(); ++i) {
        const MqttListener& listener = config.listen.mqtt[i];
        certificates = certificates || listener.require_client_cert;
        const bool plain = listener.scheme == Scheme::tcp || listener.scheme == Scheme::ws;
        if (plain && !listener.is_local() && !config.auth.users.empty()) {
            add_warning(problems, listener.at, fmt::format("listen.mqtt[{}].url", i),
                        fmt::format("passwords travel unencrypted over {}://: everyone on the way can read them", name(listener.scheme)));
        }
        if (listener.is_local() || config.auth.configured || listener.require_client_cert) continue;
        if (listener.proxy_protocol) {
            add_error(
                problems, listener.at, fmt::format("listen.mqtt[{}].url", i),
                "without `auth`, clients must be on this machine, and a proxy speaks for others: anyone who can reach the proxy could "
                "connect; to allow just that, add `auth: {anonymous: true}`");
            continue;
        }
        add_error(
            problems, listener.at, fmt::format("listen.mqtt[{}].url", i),
            "without `auth`, listeners must be on this machine only (127.0.0.1): anyone who can reach this one could connect; to allow "
            "just that, add `auth: {anonymous: true}`");
    }
    if (config.listen.http && !config.listen.http->is_local() && !config.auth.configured) {
        add_error(
            problems, config.listen.http->at, "listen.http",
            "without `auth`, listeners must be on this machine only (127.0.0.1): anyone who can reach this one could read everything; to "
            "allow just that, add `auth: {anonymous: true}`");
    }
    const View auth = root.at("auth");
    const bool wrong = auth.at("anonymous").written() && !auth.at("anonymous").fits();
    if (config.auth.configured && !config.auth.anonymous && !wrong && !certificates && !auth.at("users").written()) {
        add_error(problems, auth.key_position(), "auth", "nobody could sign in: add `users`, or `anonymous: true`");
    }
}

}  // namespace

GatewayConfig read_gateway_values(const View& root, env::FileSystem* files, Problems& problems) {
    GatewayConfig out;
    out.gateway = read_identity(root.at("gateway"));
    out.listen = read_listen(root.at("listen"), Tier::gateway, problems);
    out.auth = read_auth(root.at("auth"), files, problems);
    out.limits = read_limits(root.at("limits"), problems);
    out.uplink = read_uplink(root.at("uplink"), out.gateway.id, files, problems);
    out.uplinks = read_uplinks(root.at("uplinks"), out.gateway.id, files, problems);
    check_one_each(out.uplink, out.uplinks, problems);
    out.uplink.classes = read_classes(root.at("uplink").at("classes"), out.uplink, out.uplinks, problems);
    out.tables = read_tables(root.at("tables"), problems);
    out.machine_classes = read_machine_classes(root.at("iso20816"), problems);
    out.rules = read_rules(root.at("rules"), out.uplink.classes, problems);
    out.bridges = read_bridges(root.at("bridges"), out.gateway.id, out.limits.payload, files, problems);
    out.functions = read_functions(root.at("functions"), out.uplink.classes, problems);
    out.modules = read_modules(root.at("modules"), problems);
    out.models = read_models(root.at("models"), problems);
    const View sync = root.at("shadows").at("sync");
    out.shadows = {sync.at("mode").choice_as<ShadowSync>(), sync.at("interval").duration()};
    const View spool = root.at("spool");
    out.spool = {spool.at("max_bytes").size(), spool.at("compression").choice() == 1};
    const View state = root.at("state");
    out.state = {state.at("journal").boolean(), state.at("checkpoint").duration(), state.at("journal_bytes").size()};
    out.cost.price_per_million = root.at("cost").at("price_per_million").number();
    out.log = read_log(root.at("log"));
    check_access(out, root, problems);
    return out;
}

}  // namespace sluice::config

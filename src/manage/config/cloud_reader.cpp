#include <map>

#include <fmt/format.h>

#include "manage/config/reader.hpp"

namespace sluice::config {
namespace {

CloudLimits read_limits(const View& view) {
    CloudLimits out;
    out.connections = view.at("connections").integer_as<std::uint32_t>();
    out.connect_timeout = view.at("connect_timeout").duration();
    out.keep_alive_max = view.at("keep_alive_max").duration();
    out.payload = view.at("payload").size();
    out.in_flight = view.at("in_flight").integer_as<std::uint16_t>();
    out.store_queue_bytes = view.at("store_queue_bytes").size();
    return out;
}

CloudAuth read_auth(const View& view, env::FileSystem* files, Problems& problems) {
    CloudAuth out;
    out.anonymous = view.at("anonymous").boolean();
    std::map<std::string, Position> seen;
    const std::vector<View> entries = view.at("tokens").items();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const View& entry = entries[i];
        const std::string key = fmt::format("auth.tokens[{}]", i);
        const Located gateway = entry.at("gateway").located();
        const std::string token = read_token(entry, key, files, problems);
        if (entry.present() && !entry.at("token").written() && !entry.at("token_file").written()) {
            add_error(problems, entry.position(), key + ".token", "missing key: expected `token` or `token_file`");
        }
        if (!gateway.value.empty()) {
            const auto [first, inserted] = seen.emplace(gateway.value, gateway.at);
            if (!inserted) {
                add_error(problems, gateway.at, key + ".gateway",
                          fmt::format("duplicate gateway `{}`: it stands in line {} already", gateway.value, first->second.line));
            }
        }
        out.tokens.push_back({gateway.value, token, entry.position()});
    }
    return out;
}

/// `store` and `bus`: a word that is built, or a URL of what is not.
template <class Kind>
void read_part(const View& view, std::string_view key, std::string_view word, Kind word_kind, std::string_view scheme, Kind url_kind,
               Kind& kind, std::string& url, Problems& problems) {
    const std::string text = view.text();
    kind = word_kind;
    if (text == word) return;
    if (!text.starts_with(fmt::format("{}://", scheme))) {
        add_error(problems, view.position(), std::string(key),
                  fmt::format("{}: expected `{}` or `{}://…`, found `{}`", key, word, scheme, text));
        return;
    }
    kind = url_kind;
    url = text;
    add_not_built(problems, view.position(), std::string(key), fmt::format("`{}`: {}://", key, scheme));
}

void check_access(const CloudConfig& config, Problems& problems) {
    for (std::size_t i = 0; i < config.listen.mqtt.size(); ++i) {
        const MqttListener& listener = config.listen.mqtt[i];
        if (listener.is_local() || config.auth.anonymous || !listener.ca.empty()) continue;
        const std::string key = fmt::format("listen.mqtt[{}].url", i);
        if (config.auth.tokens.empty()) {
            add_error(problems, listener.at, key,
                      "no gateway could sign in here from another machine: give them tokens (`auth: {tokens: [{gateway: …, token: …}]}`), "
                      "certificates (`ca` of a tls:// listener), or allow everyone with `auth: {anonymous: true}`");
        } else if (listener.scheme == Scheme::tcp) {
            add_warning(problems, listener.at, key,
                        "tokens and events travel unencrypted over tcp:// (TLS: tls:// here, sluices:// at the gateway)");
        }
    }
    if (config.listen.http && !config.listen.http->is_local() && !config.auth.anonymous) {
        add_error(
            problems, config.listen.http->at, "listen.http",
            "the API has no sign-in yet, so it must be on this machine only (127.0.0.1); to let everyone read it, add `auth: {anonymous: "
            "true}`");
    }
}

}  // namespace

CloudConfig read_cloud_values(const View& root, env::FileSystem* files, Problems& problems) {
    CloudConfig out;
    out.cloud = {root.at("cloud").at("id").text(), root.at("cloud").at("data").path()};
    out.listen = read_listen(root.at("listen"), Tier::cloud, problems);
    out.auth = read_auth(root.at("auth"), files, problems);
    out.limits = read_limits(root.at("limits"));
    read_part(root.at("store"), "store", "sqlite", StoreKind::sqlite, "postgres", StoreKind::postgres, out.store, out.store_url, problems);
    read_part(root.at("bus"), "bus", "embedded", BusKind::embedded, "nats", BusKind::nats, out.bus, out.bus_url, problems);
    out.lake_url = root.at("lake").at("url").text();
    out.log = read_log(root.at("log"));
    check_access(out, problems);
    return out;
}

}  // namespace sluice::config

// `bridges`: other brokers, and what goes over.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "data/topic.hpp"
#include "manage/config/load.hpp"
#include "manage/config/reader.hpp"
#include "manage/config/suggest.hpp"

namespace sluice::config {
namespace {

constexpr std::uint16_t kPort = 1883;
constexpr std::uint16_t kTlsPort = 8883;
constexpr std::size_t kClientIdBytesMax = 1024;

void read_url(const View& at, const std::string& key, BridgeConfig& out, Problems& problems) {
    const auto url = parse_url(at.text());
    if (!url) return;  // reported by the schema
    out.url = at.text();
    out.host = url->host;
    out.tls = url->scheme == "mqtts";
    out.port = url->has_port ? url->port : out.tls ? kTlsPort : kPort;
    constexpr std::array<std::string_view, 2> kSchemes{"mqtt", "mqtts"};
    if (std::find(kSchemes.begin(), kSchemes.end(), url->scheme) == kSchemes.end())
        add_error(problems, at.position(), key,
                  fmt::format("expected mqtt://HOST or mqtts://HOST, found `{}://`{}", url->scheme, suggestion(url->scheme, kSchemes)));
    if (url->host.empty()) add_error(problems, at.position(), key, "expected a host: mqtt://HOST[:PORT]");
    if (url->has_port && url->port == 0) add_error(problems, at.position(), key, "expected a port from 1 to 65535, found 0");
}

void read_identity(const View& view, const std::string& key, const std::string& gateway, env::FileSystem* files, BridgeConfig& out,
                   Problems& problems) {
    out.client_id = view.at("client_id").present() ? view.at("client_id").text() : fmt::format("{}-{}", gateway, out.name.value);
    if (out.client_id.empty() || out.client_id.size() > kClientIdBytesMax || !data::is_plain_text(out.client_id))
        add_error(problems, view.at("client_id").position(), key + ".client_id", "client_id: expected 1 to 1,024 bytes of plain UTF-8");
    if (view.at("user").present()) out.user = view.at("user").text();
    out.password = read_password(view, key, files, problems);
    if (out.password && !out.user) {
        const View at = view.at("password").present() ? view.at("password") : view.at("password_file");
        add_error(problems, at.key_position(), key + ".user", "a password needs `user`");
    }
    if (out.password && !out.tls && !out.host.empty() && !is_loopback(out.host))
        add_warning(problems, view.at("url").position(), key + ".url",
                    "the password and all messages travel unencrypted over mqtt:// (TLS: mqtts://)");
    out.ca = view.at("ca").path();
    out.cert = view.at("cert").path();
    out.key = view.at("key").path();
    for (const std::string_view name : {"ca", "cert", "key"}) {
        if (!view.at(name).present() || out.tls || out.url.empty()) continue;
        add_error(problems, view.at(name).key_position(), fmt::format("{}.{}", key, name),
                  fmt::format("`{}` needs TLS: an mqtts:// url", name));
    }
    if (out.cert.empty() != out.key.empty()) {
        const View given = out.cert.empty() ? view.at("key") : view.at("cert");
        add_error(problems, given.key_position(), key + ".cert", "`cert` and `key` are needed together");
    }
}

/// A prefix has no wildcards, and together with the filter it is a filter.
void check_side(const View& entry, std::string_view side, const std::string& prefix, const BridgeTopic& map, const std::string& key,
                Problems& problems) {
    const View at = entry.at(side).present() ? entry.at(side) : entry.at("filter");
    const std::string name = fmt::format("{}.{}", key, side);
    if (prefix.find_first_of("+#") != std::string::npos)
        return add_error(problems, at.position(), name,
                         fmt::format("{}: a prefix has no `+` and no `#`, found `{}`", side, shortened(prefix, 60)));
    const std::string whole = prefix + map.filter;
    if (map.filter.empty() && prefix.empty()) return;  // reported once, by the caller
    if (data::is_topic_filter(whole) && !whole.starts_with("$share/")) return;
    add_error(problems, at.position(), name,
              whole.starts_with("$share/") ? "a bridge cannot share a subscription ($share/…)"
                                           : fmt::format("`{}`, {} and filter together, is no topic filter", shortened(whole, 60), side));
}

void read_topics(const View& list, const std::string& key, BridgeConfig& out, Problems& problems) {
    const std::vector<View> entries = list.items();
    if (entries.size() > kBridgeTopicsMax)
        add_error(problems, list.position(), key, fmt::format("expected at most {} maps, found {}", kBridgeTopicsMax, entries.size()));
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const View& entry = entries[i];
        const std::string at = fmt::format("{}[{}]", key, i);
        BridgeTopic map;
        map.direction = entry.at("direction").choice_as<BridgeDirection>();
        map.filter = entry.at("filter").text();
        map.qos = entry.at("qos").integer_as<std::uint8_t>();
        map.local_prefix = entry.at("local_prefix").text();
        map.remote_prefix = entry.at("remote_prefix").text();
        check_side(entry, "local_prefix", map.local_prefix, map, at, problems);
        check_side(entry, "remote_prefix", map.remote_prefix, map, at, problems);
        if (map.direction != BridgeDirection::out && (map.local_prefix + map.filter).starts_with("$SYS/")) {
            const std::string_view where = entry.at("local_prefix").present() ? "local_prefix" : "filter";
            add_error(problems, entry.at(where).position(), fmt::format("{}.{}", at, where),
                      fmt::format("{}: `$SYS/` is the gateway's own: nothing from elsewhere can come in there", where));
        }
        if (entry.present() && map.filter.empty() && (map.local_prefix.empty() || map.remote_prefix.empty()))
            add_error(problems, entry.position(), at + ".filter",
                      "missing key `filter`: without it, both prefixes are needed and are the two topics");
        const bool twice = std::any_of(out.topics.begin(), out.topics.end(), [&](const BridgeTopic& other) {
            const bool same_way =
                other.direction == map.direction || other.direction == BridgeDirection::both || map.direction == BridgeDirection::both;
            return same_way && other.local_prefix + other.filter == map.local_prefix + map.filter &&
                   other.remote_prefix + other.filter == map.remote_prefix + map.filter;
        });
        if (twice) add_error(problems, entry.position(), at, "this map stands in the list already");
        out.topics.push_back(std::move(map));
    }
}

}  // namespace

std::vector<BridgeConfig> read_bridges(const View& list, const std::string& gateway, std::uint64_t payload, env::FileSystem* files,
                                       Problems& problems) {
    std::vector<BridgeConfig> out;
    const std::vector<View> entries = list.items();
    if (entries.size() > kBridgesMax)
        add_error(problems, list.position(), "bridges", fmt::format("expected at most {} bridges, found {}", kBridgesMax, entries.size()));
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const View& entry = entries[i];
        const std::string key = fmt::format("bridges[{}]", i);
        BridgeConfig bridge;
        bridge.at = entry.position();
        bridge.name = entry.at("name").located();
        const auto same =
            std::find_if(out.begin(), out.end(), [&](const BridgeConfig& other) { return other.name.value == bridge.name.value; });
        if (same != out.end() && !bridge.name.value.empty()) {
            add_error(problems, bridge.name.at, key + ".name",
                      fmt::format("duplicate bridge name `{}`: it stands in line {} already", bridge.name.value, same->name.at.line));
        }
        read_url(entry.at("url"), key + ".url", bridge, problems);
        read_identity(entry, key, gateway, files, bridge, problems);
        bridge.version = entry.at("version").choice_as<BridgeVersion>();
        bridge.clean_start = entry.at("clean_start").boolean();
        bridge.keep_alive = entry.at("keep_alive").duration();
        bridge.queue_messages = entry.at("queue_messages").integer_as<std::uint32_t>();
        bridge.queue_bytes = entry.at("queue_bytes").size();
        if (bridge.queue_bytes < payload) {
            add_error(problems, entry.at("queue_bytes").position(), key + ".queue_bytes",
                      fmt::format("`queue_bytes` ({} bytes) must be at least `limits.payload` ({} bytes): such a message could never wait",
                                  bridge.queue_bytes, payload));
        }
        read_topics(entry.at("topics"), key + ".topics", bridge, problems);
        out.push_back(std::move(bridge));
    }
    return out;
}

}  // namespace sluice::config

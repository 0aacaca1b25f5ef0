// `uplink`: which cloud, who we are there, and the classes of events.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "data/reading.hpp"
#include "data/topic.hpp"
#include "manage/config/load.hpp"
#include "manage/config/reader.hpp"
#include "manage/config/scalar.hpp"
#include "manage/config/suggest.hpp"

namespace sluice::config {
namespace {

struct Scheme {
    std::string_view name;
    std::uint16_t port;
    bool built;
    bool tls;
    UplinkKind kind;
};
constexpr std::array<Scheme, 10> kSchemes{{{"sluice", 1884, true, false, UplinkKind::sluice},
                                           {"sluices", 8884, false, true, UplinkKind::sluice},
                                           {"mqtt", 1883, true, false, UplinkKind::mqtt},
                                           {"mqtts", 8883, true, true, UplinkKind::mqtt},
                                           {"aws", 8883, true, true, UplinkKind::aws},
                                           {"azure", 8883, false, true, UplinkKind::mqtt},
                                           {"nats", 4222, false, false, UplinkKind::mqtt},
                                           {"kafka", 9092, false, false, UplinkKind::mqtt},
                                           {"http", 80, false, false, UplinkKind::mqtt},
                                           {"https", 443, false, true, UplinkKind::mqtt}}};

// AWS IoT Core's quotas (docs/uplinks.md).
constexpr std::uint64_t kAwsMessageBytesMax = 128 * 1024;
constexpr std::uint64_t kAwsHeadBytes = 1024;  // of a batch, beside its events
constexpr std::size_t kAwsClientIdBytesMax = 128;
constexpr std::size_t kAwsTopicBytesMax = 256;
constexpr std::ptrdiff_t kAwsSlashesMax = 7;
constexpr std::uint16_t kHttpsPort = 443;

constexpr std::size_t kClientIdBytesMax = 1024;
/// Keys that only brokers have a use for.
constexpr std::array<std::string_view, 9> kBrokerKeys{"user",  "password", "password_file", "client_id",   "version",
                                                      "topic", "payload",  "message_bytes", "status_topic"};

void read_classes(const View& view, std::vector<ClassConfig>& classes, Problems& problems) {
    for (const auto& [name, value] : view.entries()) {
        const std::string key = fmt::format("uplink.classes.{}", shortened(name.value, 64));
        if (!is_identifier(name.value)) {
            add_error(problems, name.at, key, "the name of a class: expected letters, digits, `_` and `-`, 1 to 64 of them");
            continue;
        }
        auto found = std::find_if(classes.begin(), classes.end(), [&](const ClassConfig& row) { return row.name == name.value; });
        if (found == classes.end()) {
            if (classes.size() == data::kClassesMax) {
                add_error(problems, name.at, key,
                          fmt::format("more than {} classes (alert, aggregate and sample count)", data::kClassesMax));
                return;
            }
            for (const std::string_view needed : {"priority", "ttl"}) {
                if (value.at(needed).written()) continue;
                add_error(problems, name.at, fmt::format("{}.{}", key, needed),
                          fmt::format("missing key `{}` in `{}`: a class of your own needs `priority` and `ttl`", needed, key));
            }
            found = classes.insert(classes.end(), ClassConfig{name.value, 0, std::chrono::milliseconds(0)});
        }
        if (value.at("priority").present()) found->priority = value.at("priority").integer_as<std::uint8_t>();
        if (value.at("ttl").present()) found->ttl = value.at("ttl").duration();
        if (value.at("max_share").present()) found->max_share = value.at("max_share").percent();
        if (value.at("drop").present()) found->drop = value.at("drop").choice_as<ClassDrop>();
    }
}

/// False: there is none, or it was reported.
bool read_url(const View& view, Uplink& out, Problems& problems) {
    const View at = view.at("url");
    const auto url = parse_url(at.text());
    if (!url) return false;
    std::vector<std::string_view> known;
    known.reserve(kSchemes.size());
    for (const Scheme& row : kSchemes) known.push_back(row.name);
    const auto scheme = std::find_if(kSchemes.begin(), kSchemes.end(), [&](const Scheme& row) { return row.name == url->scheme; });
    if (scheme == kSchemes.end()) {
        add_error(problems, at.position(), "uplink.url",
                  fmt::format("unknown scheme `{}://`{}", url->scheme, suggestion(url->scheme, known)));
        return false;
    }
    out.url = at.text();
    out.scheme = url->scheme;
    out.kind = scheme->kind;
    out.tls = scheme->tls;
    out.host = url->host;
    out.port = url->has_port ? url->port : scheme->port;
    if (url->has_port && url->port == 0) add_error(problems, at.position(), "uplink.url", "expected a port from 1 to 65535, found 0");
    if (scheme->built) return true;
    add_not_built(problems, at.position(), "uplink.url", fmt::format("`uplink.url`: an uplink over {}://", url->scheme));
    return false;
}

void check_secrets(const View& view, const Uplink& uplink, Problems& problems) {
    const View url = view.at("url");
    if (!uplink.token.empty() && uplink.kind == UplinkKind::sluice && !uplink.tls && !is_loopback(uplink.host))
        add_warning(problems, url.position(), "uplink.url",
                    "the token and all events travel unencrypted over sluice:// (TLS: sluices://, not built yet)");
    if (!uplink.password.empty() && !uplink.tls && !is_loopback(uplink.host))
        add_warning(problems, url.position(), "uplink.url", "the password and all events travel unencrypted over mqtt:// (TLS: mqtts://)");
    for (const std::string_view name : {"cert", "key", "ca"}) {
        if (!view.at(name).present() || uplink.tls) continue;
        add_error(problems, view.at(name).key_position(), fmt::format("uplink.{}", name),
                  fmt::format("`{}` needs TLS: an uplink over {}", name,
                              uplink.kind == UplinkKind::sluice ? "sluices://" : "mqtts:// or aws://"));
    }
}

/// `{gateway}`, `{class}` and `{rule}` are names of one level.
void check_topic(const View& at, const std::string& key, const std::string& topic, bool of_events, const Uplink& uplink,
                 Problems& problems) {
    std::string whole = topic;
    const auto replace = [&whole](std::string_view name) {
        for (std::size_t i = 0; (i = whole.find(name)) != std::string::npos;) whole.replace(i, name.size(), "x");
    };
    replace("{gateway}");
    if (of_events) replace("{class}");
    if (of_events && uplink.payload != UplinkPayload::batch) replace("{rule}");
    if (const std::size_t brace = whole.find_first_of("{}"); brace != std::string::npos) {
        const bool rule = whole.find("{rule}") != std::string::npos && of_events;
        return add_error(
            problems, at.position(), key,
            rule ? std::string("`{rule}`: a batch holds events of many rules; `payload: envelope` or `data` sends one a message")
                 : fmt::format("`{}`: expected {} in braces", shortened(topic, 60),
                               of_events ? "`gateway`, `class` or `rule`" : "`gateway`"));
    }
    if (!data::is_topic_name(whole))
        return add_error(problems, at.position(), key, fmt::format("`{}` is no topic name", shortened(topic, 60)));
    if (uplink.kind != UplinkKind::aws) return;
    if (std::count(whole.begin(), whole.end(), '/') > kAwsSlashesMax || topic.size() > kAwsTopicBytesMax)
        add_error(problems, at.position(), key, "AWS IoT Core takes topics of at most 8 levels and 256 bytes");
}

void read_broker(const View& view, const std::string& gateway, env::FileSystem* files, Uplink& out, Problems& problems) {
    if (view.at("user").present()) out.user = view.at("user").text();
    out.password = read_password(view, "uplink", files, problems).value_or("");
    if (!out.password.empty() && out.user.empty()) {
        const View at = view.at("password").present() ? view.at("password") : view.at("password_file");
        add_error(problems, at.key_position(), "uplink.user", "a password needs `user`");
    }
    out.client_id = view.at("client_id").present() ? view.at("client_id").text() : gateway;
    const bool aws = out.kind == UplinkKind::aws;
    const std::size_t longest = aws ? kAwsClientIdBytesMax : kClientIdBytesMax;
    if (out.client_id.empty() || out.client_id.size() > longest || !data::is_plain_text(out.client_id))
        add_error(problems, view.at("client_id").position(), "uplink.client_id",
                  fmt::format("client_id: expected 1 to {} bytes of plain UTF-8", longest));
    out.version = view.at("version").choice_as<UplinkVersion>();
    out.payload = view.at("payload").choice_as<UplinkPayload>();
    out.message_bytes = view.at("message_bytes").size();
    out.topic = view.at("topic").text();
    check_topic(view.at("topic"), "uplink.topic", out.topic, true, out, problems);
    if (view.at("status_topic").present()) {
        out.status_topic = view.at("status_topic").text();
        check_topic(view.at("status_topic"), "uplink.status_topic", out.status_topic, false, out, problems);
    }
    if (!aws) return;
    out.message_bytes = std::min(out.message_bytes, kAwsMessageBytesMax - kAwsHeadBytes);
    if (out.port == kHttpsPort) out.alpn = "x-amzn-mqtt-ca";
    if (out.cert.empty())
        add_error(problems, view.at("url").position(), "uplink.cert", "missing key `cert` in `uplink`: AWS IoT Core knows a gateway by it");
}

}  // namespace

Uplink read_uplink(const View& view, const std::string& gateway, env::FileSystem* files, Problems& problems) {
    Uplink out;
    out.at = view.at("url").position();
    out.token = read_token(view, "uplink", files, problems);
    out.cert = view.at("cert").path();
    out.key = view.at("key").path();
    out.ca = view.at("ca").path();
    out.keep_alive = view.at("keep_alive").duration();
    out.ack_timeout = view.at("ack_timeout").duration();
    out.retry_max = view.at("retry_max").duration();
    out.drain_rate = view.at("drain_rate").integer_as<std::uint32_t>();
    out.in_flight = view.at("in_flight").integer_as<std::uint32_t>();
    if (out.cert.empty() != out.key.empty()) {
        const View given = out.cert.empty() ? view.at("key") : view.at("cert");
        add_error(problems, given.key_position(), "uplink.cert", "`cert` and `key` are needed together");
    }
    if (read_url(view, out, problems)) {
        if (out.kind != UplinkKind::sluice) read_broker(view, gateway, files, out, problems);
        check_secrets(view, out, problems);
        for (const std::string_view name : kBrokerKeys) {
            if (out.kind != UplinkKind::sluice || !view.at(name).written()) continue;
            add_error(problems, view.at(name).key_position(), fmt::format("uplink.{}", name),
                      fmt::format("`{}` is for brokers (mqtt://, mqtts://, aws://): a Sluice cloud has no use for it", name));
        }
        if (out.kind != UplinkKind::sluice && !out.token.empty()) {
            const View given = view.at("token").present() ? view.at("token") : view.at("token_file");
            add_error(problems, given.key_position(), "uplink.token",
                      "a token is for a Sluice cloud; a broker knows `user` and `password`, or a certificate");
        }
    }
    read_classes(view.at("classes"), out.classes, problems);
    return out;
}

}  // namespace sluice::config

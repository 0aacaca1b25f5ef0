// `uplink`: which cloud, and who we are there.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "data/reading.hpp"
#include "data/topic.hpp"
#include "manage/config/built.hpp"
#include "manage/config/load.hpp"
#include "manage/config/reader.hpp"
#include "manage/config/scalar.hpp"
#include "manage/config/suggest.hpp"

namespace sluice::config {
namespace {

struct Scheme {
    std::string_view name;
    std::uint16_t port;
    bool tls;
    UplinkKind kind;
};
constexpr std::array<Scheme, 11> kSchemes{{{"sluice", 1884, false, UplinkKind::sluice},
                                           {"sluices", 8884, true, UplinkKind::sluice},
                                           {"mqtt", 1883, false, UplinkKind::mqtt},
                                           {"mqtts", 8883, true, UplinkKind::mqtt},
                                           {"aws", 8883, true, UplinkKind::aws},
                                           {"azure", 8883, true, UplinkKind::azure},
                                           {"nats", 4222, false, UplinkKind::nats},
                                           {"kafka", 9092, false, UplinkKind::kafka},
                                           {"kafkas", 9093, true, UplinkKind::kafka},
                                           {"http", 80, false, UplinkKind::http},
                                           {"https", 443, true, UplinkKind::http}}};

using Kinds = std::uint32_t;
constexpr Kinds only(UplinkKind kind) { return Kinds{1} << static_cast<unsigned>(kind); }
constexpr Kinds kBrokers = only(UplinkKind::mqtt) | only(UplinkKind::aws);
constexpr Kinds kForeign = kBrokers | only(UplinkKind::azure) | only(UplinkKind::http) | only(UplinkKind::nats) | only(UplinkKind::kafka);
constexpr Kinds kWithUser = kForeign & ~only(UplinkKind::azure);
constexpr Kinds kWithToken = only(UplinkKind::sluice) | only(UplinkKind::http) | only(UplinkKind::nats);
constexpr Kinds kWithTopic = kBrokers | only(UplinkKind::nats) | only(UplinkKind::kafka);

/// Keys that not every cloud has a use for.
struct KeyUse {
    std::string_view key;
    Kinds kinds;
};
constexpr std::array<KeyUse, 16> kKeyUses{{{"token", kWithToken},
                                           {"token_file", kWithToken},
                                           {"user", kWithUser},
                                           {"password", kForeign},
                                           {"password_file", kForeign},
                                           {"client_id", kBrokers | only(UplinkKind::azure)},
                                           {"version", kBrokers},
                                           {"topic", kWithTopic},
                                           {"payload", kForeign},
                                           {"message_bytes", kForeign},
                                           {"status_topic", kBrokers},
                                           {"servers", only(UplinkKind::nats)},
                                           {"stream", only(UplinkKind::nats)},
                                           {"replicas", only(UplinkKind::nats)},
                                           {"compression", only(UplinkKind::kafka)},
                                           {"sasl", only(UplinkKind::kafka)}}};

// AWS IoT Core's quotas (docs/uplinks.md).
constexpr std::uint64_t kAwsMessageBytesMax = 128 * 1024;
constexpr std::uint64_t kAwsHeadBytes = 1024;  // of a batch, beside its events
constexpr std::size_t kAwsClientIdBytesMax = 128;
constexpr std::size_t kAwsTopicBytesMax = 256;
constexpr std::ptrdiff_t kAwsSlashesMax = 7;
constexpr std::uint16_t kHttpsPort = 443;
// Azure IoT Hub's (the same page).
constexpr std::uint64_t kAzureMessageBytesMax = 256 * 1024;
constexpr std::uint64_t kAzureHeadBytes = 2048;  // of a batch, and properties beside it
constexpr std::size_t kAzureDeviceIdBytesMax = 128;
constexpr std::chrono::milliseconds kAzureKeepAliveMax = std::chrono::seconds(1767);

constexpr std::size_t kClientIdBytesMax = 1024;

std::string host_port(const std::string& host, std::uint16_t port) {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
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
    out.default_port = out.port == scheme->port;
    out.path = url->path;
    if (!url->path.empty() && scheme->kind != UplinkKind::http)
        add_error(problems, at.position(), "uplink.url",
                  fmt::format("expected {}://HOST[:PORT]{}, found a path behind it", url->scheme,
                              scheme->kind == UplinkKind::kafka ? "[,HOST[:PORT]]" : ""));
    const auto no_port =
        std::find_if(url->others.begin(), url->others.end(), [](const HostPort& row) { return row.has_port && row.port == 0; });
    if (url->has_port && url->port == 0)
        add_error(problems, at.position(), "uplink.url", fmt::format("`{}`: expected a port from 1 to 65535, found 0", url->host));
    else if (no_port != url->others.end())
        add_error(problems, at.position(), "uplink.url", fmt::format("`{}`: expected a port from 1 to 65535, found 0", no_port->host));
    if (scheme->kind == UplinkKind::kafka) {
        if (!is_kafka_built())
            add_error(
                problems, at.position(), "uplink.url",
                fmt::format("this binary was built without an uplink over {}:// (CMake option SLUICE_KAFKA=OFF): use one that has it, "
                            "or another cloud",
                            url->scheme));
        out.brokers.push_back(host_port(out.host, out.port));
        for (const HostPort& each : url->others) out.brokers.push_back(host_port(each.host, each.has_port ? each.port : scheme->port));
    }
    return true;
}

/// "mqtt://, mqtts:// or aws://".
std::string schemes_of(Kinds kinds) {
    std::vector<std::string> found;
    for (const Scheme& row : kSchemes) {
        if ((kinds & only(row.kind)) != 0) found.push_back(fmt::format("{}://", row.name));
    }
    std::string out;
    for (std::size_t i = 0; i < found.size(); ++i) out += (i == 0 ? "" : i + 1 == found.size() ? " and " : ", ") + found[i];
    return out;
}

void check_keys(const View& view, const Uplink& uplink, Problems& problems) {
    for (const auto& [key, kinds] : kKeyUses) {
        if ((kinds & only(uplink.kind)) != 0 || !view.at(key).written()) continue;
        add_error(problems, view.at(key).key_position(), fmt::format("uplink.{}", key),
                  fmt::format("`{}` is for {}: {}:// has no use for it", key, schemes_of(kinds), uplink.scheme));
    }
    for (const std::string_view name : {"cert", "key", "ca"}) {
        if (!view.at(name).present() || uplink.tls || uplink.kind == UplinkKind::nats) continue;
        add_error(problems, view.at(name).key_position(), fmt::format("uplink.{}", name),
                  fmt::format("`{}` needs TLS: an uplink over {}s://", name, uplink.scheme));
    }
}

void check_secrets(const View& view, const Uplink& uplink, Problems& problems) {
    const bool here = is_loopback(uplink.host) && uplink.brokers.size() <= 1;
    if (uplink.tls || here || (uplink.token.empty() && uplink.password.empty())) return;
    const std::string instead = uplink.kind == UplinkKind::nats ? "with `ca`" : uplink.scheme + "s://";
    add_warning(problems, view.at("url").position(), "uplink.url",
                fmt::format("the {} and all events travel unencrypted over {}:// (TLS: {})", uplink.token.empty() ? "password" : "token",
                            uplink.scheme, instead));
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

void read_client_id(const View& view, const std::string& gateway, std::size_t bytes_max, Uplink& out, Problems& problems) {
    out.client_id = view.at("client_id").present() ? view.at("client_id").text() : gateway;
    if (out.client_id.empty() || out.client_id.size() > bytes_max || !data::is_plain_text(out.client_id))
        add_error(problems, view.at("client_id").position(), "uplink.client_id",
                  fmt::format("client_id: expected 1 to {} bytes of plain UTF-8", bytes_max));
}

/// What all clouds that know nothing of Sluice have in common.
void read_foreign(const View& view, env::FileSystem* files, Uplink& out, Problems& problems) {
    if (view.at("user").present()) out.user = view.at("user").text();
    out.password = read_password(view, "uplink", files, problems).value_or("");
    if (!out.password.empty() && out.user.empty() && out.kind != UplinkKind::azure) {
        const View at = view.at("password").present() ? view.at("password") : view.at("password_file");
        add_error(problems, at.key_position(), "uplink.user", "a password needs `user`");
    }
    out.payload = view.at("payload").choice_as<UplinkPayload>();
    out.message_bytes = view.at("message_bytes").size();
}

void read_broker(const View& view, const std::string& gateway, Uplink& out, Problems& problems) {
    const bool aws = out.kind == UplinkKind::aws;
    read_client_id(view, gateway, aws ? kAwsClientIdBytesMax : kClientIdBytesMax, out, problems);
    out.version = view.at("version").choice_as<UplinkVersion>();
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

/// What a device may be called: the registry's own rule.
bool is_azure_device_id(std::string_view text) {
    constexpr std::string_view kSigns = "-.%_#*?!(),:=@$'";
    return !text.empty() && text.size() <= kAzureDeviceIdBytesMax && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kSigns.find(c) != std::string_view::npos;
    });
}

bool is_base64(std::string_view text) {
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    return !text.empty() && text.size() % 4 != 1 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
    });
}

void read_azure(const View& view, const std::string& gateway, Uplink& out, Problems& problems) {
    read_client_id(view, gateway, kAzureDeviceIdBytesMax, out, problems);
    if (!is_azure_device_id(out.client_id))
        add_error(problems, view.at("client_id").position(), "uplink.client_id",
                  "client_id: the device's id at the hub: expected 1 to 128 letters, digits and - . % _ # * ? ! ( ) , : = @ $ '");
    out.version = UplinkVersion::v311;
    out.message_bytes = std::min(out.message_bytes, kAzureMessageBytesMax - kAzureHeadBytes);
    if (out.keep_alive > kAzureKeepAliveMax)
        add_error(problems, view.at("keep_alive").position(), "uplink.keep_alive", "Azure IoT Hub takes a keep-alive of at most 1767s");
    if (!out.password.empty() && !is_base64(out.password)) {
        const View at = view.at("password").present() ? view.at("password") : view.at("password_file");
        add_error(problems, at.position(), "uplink.password", "expected the device's shared access key as the portal shows it, in base64");
    }
    const bool has_key = view.at("password").present() || view.at("password_file").present();
    if (has_key == !out.cert.empty())
        add_error(problems, view.at("url").position(), "uplink.password",
                  has_key ? "a device at Azure IoT Hub has a shared access key or a certificate, not both"
                          : "missing key `password` in `uplink`: the device's shared access key; or `cert` and `key`");
}

/// With a letter in place of `{gateway}`, `{class}` and, if it may be there, `{rule}`; nullopt where other braces are left.
std::optional<std::string> without_names(std::string text, bool rule) {
    for (const std::string_view name : {"{gateway}", "{class}", "{rule}"}) {
        if (name == "{rule}" && !rule) continue;
        for (std::size_t i = 0; (i = text.find(name)) != std::string::npos;) text.replace(i, name.size(), "x");
    }
    if (text.find_first_of("{}") != std::string::npos) return std::nullopt;
    return text;
}

/// The URL's path names the receiver; `{class}` and its kind may stand in it.
void read_http(const View& view, Uplink& out, Problems& problems) {
    const View at = view.at("url");
    out.topic = out.path.empty() ? "/" : out.path;
    out.alpn = "http/1.1";
    const auto plain = without_names(out.topic, out.payload != UplinkPayload::batch);
    if (!plain || !std::all_of(plain->begin(), plain->end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; }))
        add_error(problems, at.position(), "uplink.url",
                  "expected a path of printable ASCII, percent-encoded, with `{gateway}`, `{class}` and, where `payload` is not `batch`, "
                  "`{rule}` in braces");
    if (!out.token.empty() && !out.user.empty())
        add_error(problems, view.at("user").key_position(), "uplink.user", "`token` and `user`: only one of them can sign in");
}

/// Tokens between points, without wildcards.
bool is_subject(std::string_view text) {
    if (text.empty() || text.front() == '.' || text.back() == '.' || text.find("..") != std::string_view::npos) return false;
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '*' && c != '>'; });
}

bool is_stream_name(std::string_view text) {
    constexpr std::size_t kLongest = 255;
    return !text.empty() && text.size() <= kLongest && std::all_of(text.begin(), text.end(), [](char c) {
        return c > 0x20 && c < 0x7f && std::string_view(".*>/\\").find(c) == std::string_view::npos;
    });
}

void read_nats(const View& view, Uplink& out, Problems& problems) {
    const View topic = view.at("topic");
    out.topic = topic.written() ? topic.text() : "sluice.{gateway}.{class}";
    const auto plain = without_names(out.topic, out.payload != UplinkPayload::batch);
    if (!plain || !is_subject(*plain))
        add_error(problems, topic.position(), "uplink.topic",
                  fmt::format("`{}`: expected a subject such as plant.{{gateway}}.{{class}}, without wildcards{}", shortened(out.topic, 60),
                              out.payload == UplinkPayload::batch ? "; `{rule}` only where `payload` is not `batch`" : ""));
    out.stream = view.at("stream").text();
    if (!is_stream_name(out.stream))
        add_error(problems, view.at("stream").position(), "uplink.stream",
                  "stream: expected printable ASCII without . * > / \\ and spaces");
    out.replicas = view.at("replicas").integer_as<std::uint32_t>();
    for (const View& each : view.at("servers").items()) {
        const auto server = parse_url("nats://" + each.text());
        if (server && server->path.empty())
            out.servers.push_back(fmt::format("{}:{}", server->host, server->has_port ? server->port : std::uint16_t{4222}));
        else
            add_error(problems, each.position(), "uplink.servers",
                      fmt::format("expected HOST[:PORT], found `{}`", shortened(each.text(), 60)));
    }
    out.tls = !out.ca.empty() || !out.cert.empty();
}

constexpr std::size_t kKafkaTopicBytesMax = 249;  // Kafka's own limit

bool is_kafka_topic(std::string_view text) {
    return !text.empty() && text.size() <= kKafkaTopicBytesMax && text != "." && text != ".." &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
           });
}

void read_kafka(const View& view, Uplink& out, Problems& problems) {
    const View topic = view.at("topic");
    out.topic = topic.written() ? topic.text() : "sluice-{class}";
    const auto plain = without_names(out.topic, out.payload != UplinkPayload::batch);
    if (!plain || !is_kafka_topic(*plain))
        add_error(problems, topic.position(), "uplink.topic",
                  fmt::format("`{}`: expected a topic such as plant-{{class}} of letters, digits and . _ -{}", shortened(out.topic, 60),
                              out.payload == UplinkPayload::batch ? "; `{rule}` only where `payload` is not `batch`" : ""));
    out.compression = view.at("compression").choice_as<UplinkCompression>();
    out.sasl = view.at("sasl").choice_as<UplinkSasl>();
    if (view.at("sasl").written() && out.user.empty() && !view.at("user").present())
        add_error(problems, view.at("sasl").key_position(), "uplink.sasl",
                  "`sasl` says how `user` signs in, and there is none: expected `user` and `password` or `password_file`");
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
        if (out.kind != UplinkKind::sluice) read_foreign(view, files, out, problems);
        if ((kBrokers & only(out.kind)) != 0) read_broker(view, gateway, out, problems);
        if (out.kind == UplinkKind::azure) read_azure(view, gateway, out, problems);
        if (out.kind == UplinkKind::http) read_http(view, out, problems);
        if (out.kind == UplinkKind::nats) read_nats(view, out, problems);
        if (out.kind == UplinkKind::kafka) read_kafka(view, out, problems);
        check_secrets(view, out, problems);
        check_keys(view, out, problems);
    }
    return out;
}

}  // namespace sluice::config

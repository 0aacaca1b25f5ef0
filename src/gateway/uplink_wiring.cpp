#include "gateway/uplink_wiring.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "codec/http/request.hpp"
#include "flow/uplink/azure_dialect.hpp"
#include "flow/uplink/broker_dialect.hpp"
#include "flow/uplink/http_carrier.hpp"
#include "flow/uplink/mqtt_carrier.hpp"
#include "flow/uplink/sluice_dialect.hpp"
#include "gateway/azure_token.hpp"
#include "gateway/client_tls.hpp"
#include "gateway/cloud_link.hpp"
#include "gateway/kafka/kafka_link.hpp"
#include "gateway/nats_link.hpp"
#include "gateway/spool_wiring.hpp"
#include "manage/config/load.hpp"

namespace sluice::gateway {
namespace {

static_assert(static_cast<int>(config::UplinkVersion::v311) == static_cast<int>(uplink::Protocol::v311));
static_assert(static_cast<int>(config::UplinkPayload::data) == static_cast<int>(uplink::Payload::data));
static_assert(static_cast<int>(config::UplinkCompression::zstd) == 3 && static_cast<int>(config::UplinkSasl::scram_sha_512) == 2);

// AWS IoT Core takes 100 publishes and 512 KiB a second on a connection, and 100 unacknowledged (docs/uplinks.md): some is left for others.
constexpr std::uint32_t kAwsMessageRate = 80;
constexpr std::uint32_t kAwsByteRate = 400 * 1024;
constexpr std::uint32_t kAwsInFlight = 80;
constexpr std::size_t kAwsMessageBytes = 128 * 1024;
constexpr std::size_t kEnvelopeBytes = 1024;  // what stands around an event that goes alone
// Azure IoT Hub takes 100 messages a second of all devices with one S1 unit, 256 KB each (docs/uplinks.md).
constexpr std::uint32_t kAzureMessageRate = 80;
constexpr std::size_t kAzureMessageBytes = 256 * 1024;
constexpr std::chrono::minutes kAzureTokenLife{60};
constexpr std::chrono::minutes kAzureTokenUse{48};  // a clock may be some minutes wrong
constexpr std::string_view kAzureApi = "2021-04-12";

/// One uplink of a gateway.
struct Who {
    const std::string& gateway;
    const config::Uplink& from;
    const std::string& key;                   ///< where it stands in the configuration
    const std::vector<std::string>& classes;  ///< that it gets
};

uplink::Options uplink_options(const config::Uplink& from) {
    uplink::Options out;
    out.ack_timeout = from.ack_timeout;
    out.retry_max = from.retry_max;
    out.drain_rate = from.drain_rate;
    out.in_flight = from.in_flight;
    if (from.kind == config::UplinkKind::sluice) return out;
    out.batch_events_max = 10'000;
    out.batch_bytes_max = from.message_bytes;
    if (from.kind == config::UplinkKind::azure) out.message_rate = kAzureMessageRate;
    if (from.kind != config::UplinkKind::aws) return out;
    out.message_rate = kAwsMessageRate;
    out.byte_rate = kAwsByteRate;
    out.in_flight = std::min(out.in_flight, kAwsInFlight);
    out.retry_min = std::chrono::seconds(1);  // one CONNECT a second of a client id
    return out;
}

/// Rule id and JSON of one event: a larger one this cloud would never take.
std::size_t event_bytes_max(const config::Uplink& from) {
    if (from.kind == config::UplinkKind::aws) return kAwsMessageBytes - kEnvelopeBytes;
    return from.kind == config::UplinkKind::azure ? kAzureMessageBytes - 2 * kEnvelopeBytes : SIZE_MAX;
}

std::unique_ptr<uplink::Dialect> make_dialect(const Who& who) {
    const config::Uplink& from = who.from;
    if (from.kind == config::UplinkKind::sluice) return std::make_unique<uplink::SluiceDialect>(who.gateway);
    uplink::BrokerDialect::Options options{.gateway = who.gateway,
                                           .topic = from.topic,
                                           .status_topic = from.status_topic,
                                           .payload = static_cast<uplink::Payload>(from.payload),
                                           .message_bytes_max = from.message_bytes};
    if (from.kind == config::UplinkKind::azure) return std::make_unique<uplink::AzureDialect>(std::move(options), from.client_id);
    return std::make_unique<uplink::BrokerDialect>(std::move(options));
}

uplink::MqttSignIn sign_in(const Who& who) {
    const config::Uplink& from = who.from;
    if (from.kind == config::UplinkKind::sluice) return uplink::sluice_sign_in(who.gateway, from.token);
    return {.client_id = from.client_id,
            .user = from.user,
            .password = from.password,
            .will_topic = uplink::with_gateway(from.status_topic, who.gateway),
            .will_payload = std::string(uplink::kOfflineStatus),
            .will_retain = true};
}

/// Without a key: the certificate says who we are.
uplink::MqttSignIn azure_sign_in(const config::Uplink& from, const env::Clock& clock) {
    uplink::MqttSignIn out;
    out.client_id = from.client_id;
    out.user = fmt::format("{}/{}/?api-version={}", from.host, from.client_id, kAzureApi);
    if (from.password.empty()) return out;
    const auto expiry = std::chrono::duration_cast<std::chrono::seconds>(clock.wall().time.time_since_epoch() + kAzureTokenLife);
    out.password = azure_token(from.host, from.client_id, decode_base64(from.password).value_or(""), expiry);
    out.valid_for = kAzureTokenUse;
    return out;
}

CloudLink::MakeCarrier mqtt_carrier(const Who& who, const env::Clock& clock) {
    const config::Uplink& from = who.from;
    uplink::MqttCarrier::Options options;
    if (from.kind != config::UplinkKind::sluice) options.protocol = static_cast<uplink::Protocol>(from.version);
    options.keep_alive = from.keep_alive;
    options.answer_timeout = from.ack_timeout;
    options.in_flight = static_cast<std::uint16_t>(uplink_options(from).in_flight + 1);  // a status never waits for batches
    std::function<uplink::MqttSignIn()> signs_in = [same = sign_in(who)] { return same; };
    if (from.kind == config::UplinkKind::azure) signs_in = [from, &clock] { return azure_sign_in(from, clock); };
    return [options, signs_in](uplink::Transport& over) { return std::make_unique<uplink::MqttCarrier>(options, signs_in, over); };
}

CloudLink::MakeCarrier http_carrier(const config::Uplink& from) {
    const std::string host = from.host.find(':') == std::string::npos ? from.host : fmt::format("[{}]", from.host);
    uplink::HttpCarrier::Options options{.host = from.default_port ? host : fmt::format("{}:{}", host, from.port), .authorization = {}};
    if (!from.token.empty()) options.authorization = "Bearer " + from.token;
    if (!from.user.empty()) options.authorization = http::basic_credentials(from.user, from.password);
    options.probe_path = from.topic.substr(0, from.topic.find('?'));
    if (const auto brace = options.probe_path.find('{'); brace != std::string::npos)  // as far as all receivers have it in common
        options.probe_path.erase(options.probe_path.rfind('/', brace) + 1);
    return [options](uplink::Transport& over) { return std::make_unique<uplink::HttpCarrier>(options, over); };
}

/// Empty: there is none, or it cannot be read, which is a problem.
std::string pem(const config::Path& path, const std::string& key, env::FileSystem& files, config::Problems& problems) {
    constexpr std::size_t kBytesMax = 16 * 1024 * 1024;
    if (path.empty()) return {};
    auto text = config::read_text(files, path.value, kBytesMax);
    if (text) return std::move(*text);
    problems.push_back({config::Severity::error, path.at, key, fmt::format("{}: {}", path.value, base::describe(text.error())), false});
    return {};
}

/// What the stream holds: a token with a name in it may be any.
std::string wildcard_subject(const std::string& topic) {
    std::string out;
    for (std::size_t begin = 0; begin < topic.size();) {
        const std::size_t end = std::min(topic.find('.', begin), topic.size());
        const std::string token = topic.substr(begin, end - begin);
        if (begin != 0) out += '.';
        out += token.find('{') != std::string::npos ? "*" : token;
        begin = end + 1;
    }
    return out;
}

CloudConnector nats_connector(const Who& who, env::FileSystem& files, config::Problems& problems) {
    const config::Uplink& from = who.from;
    NatsOptions out;
    const std::string host = from.host.find(':') == std::string::npos ? from.host : fmt::format("[{}]", from.host);
    out.servers.push_back(fmt::format("nats://{}:{}", host, from.port));
    for (const auto& each : from.servers) out.servers.push_back("nats://" + each);
    out.name = "sluice " + who.gateway;
    out.user = from.user;
    out.password = from.password;
    out.token = from.token;
    out.tls = from.tls;
    out.ca = pem(from.ca, who.key + ".ca", files, problems);
    out.cert = pem(from.cert, who.key + ".cert", files, problems);
    out.key = pem(from.key, who.key + ".key", files, problems);
    out.stream = from.stream;
    out.subject = wildcard_subject(from.topic);
    out.replicas = from.replicas;
    out.ack_timeout = from.ack_timeout;
    out.keep_alive = from.keep_alive;
    out.in_flight = uplink_options(from).in_flight + 1;
    return make_nats_connector(std::move(out));
}

/// Those that need no rule's name, with all classes in them.
std::vector<std::string> kafka_topics(const Who& who) {
    std::vector<std::string> out;
    if (who.from.topic.find("{rule}") != std::string::npos) return out;
    for (const std::string& each : who.classes) {
        std::string topic = uplink::with_gateway(who.from.topic, who.gateway);
        constexpr std::string_view kClass = "{class}";
        for (std::size_t at = 0; (at = topic.find(kClass, at)) != std::string::npos; at += each.size())
            topic.replace(at, kClass.size(), each);
        if (std::find(out.begin(), out.end(), topic) == out.end()) out.push_back(std::move(topic));
    }
    return out;
}

CloudConnector kafka_connector(const Who& who, env::FileSystem& files, config::Problems& problems) {
    constexpr std::array<std::string_view, 4> kCompressions{"none", "gzip", "lz4", "zstd"};
    constexpr std::array<std::string_view, 3> kMechanisms{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    const config::Uplink& from = who.from;
    KafkaOptions out;
    out.brokers = from.brokers;
    out.client_id = "sluice-" + who.gateway;
    out.tls = from.tls;
    out.ca = pem(from.ca, who.key + ".ca", files, problems);
    out.cert = pem(from.cert, who.key + ".cert", files, problems);
    out.key = pem(from.key, who.key + ".key", files, problems);
    out.user = from.user;
    out.password = from.password;
    out.mechanism = kMechanisms[static_cast<std::size_t>(from.sasl)];
    out.compression = kCompressions[static_cast<std::size_t>(from.compression)];
    out.topics = kafka_topics(who);
    out.ack_timeout = from.ack_timeout;
    out.keep_alive = from.keep_alive;
    out.in_flight = uplink_options(from).in_flight + 1;
    out.batch_bytes_max = from.message_bytes;
    return make_kafka_connector(std::move(out));
}

/// Null: `problems` says what is wrong with its certificates.
CloudConnector make_connector(const Who& who, env::FileSystem& files, const env::Clock& clock, config::Problems& problems) {
    const config::Uplink& from = who.from;
    if (from.kind == config::UplinkKind::nats) return nats_connector(who, files, problems);
    if (from.kind == config::UplinkKind::kafka) return kafka_connector(who, files, problems);
    CloudLink::Options link{.host = from.host, .port = from.port, .tls = nullptr};
    if (from.tls) {
        link.tls = make_uplink_tls(from, who.key, files, problems);
        if (link.tls == nullptr) return nullptr;
    }
    const auto make_carrier = from.kind == config::UplinkKind::http ? http_carrier(from) : mqtt_carrier(who, clock);
    return [link, make_carrier](posix::EventLoop& loop) { return std::make_unique<CloudLink>(link, make_carrier, loop); };
}

uplink::ClassOptions class_options(std::size_t index, const std::string& name, std::uint32_t priority) {
    return {data::ClassIndex(static_cast<std::uint8_t>(index)), name, static_cast<std::uint8_t>(std::min<std::uint32_t>(priority, 255))};
}

}  // namespace

std::optional<std::vector<CloudPort::Options>> make_clouds(const config::GatewayConfig& config,
                                                           const std::vector<spool::ClassOptions>& spooled, env::FileSystem& files,
                                                           const env::Clock& clock, config::Problems& problems) {
    const auto streams = event_streams(config);
    std::vector<CloudPort::Options> out;
    for (std::size_t n = 0; n <= config.uplinks.size(); ++n) {
        const config::Uplink& from = n == 0 ? config.uplink : config.uplinks[n - 1].uplink;
        if (!from.configured()) continue;
        const std::string id = n == 0 ? std::string(config::kMainUplink) : config.uplinks[n - 1].id;
        const std::string key = n == 0 ? "uplink" : "uplinks." + id;
        std::vector<std::string> names;
        for (const EventStream& stream : streams) {
            if (stream.uplink == n && stream.used) names.push_back(config.uplink.classes[stream.event_class].name);
        }
        const Who who{config.gateway.id, from, key, names};
        CloudPort::Options cloud;
        cloud.id = id;
        cloud.url = from.url;
        cloud.connect = make_connector(who, files, clock, problems);
        if (!cloud.connect) return std::nullopt;
        cloud.uplink = uplink_options(from);
        for (std::size_t i = 0; i < streams.size(); ++i) {
            const auto& event_class = config.uplink.classes[streams[i].event_class];
            if (streams[i].uplink == n) cloud.uplink.classes.push_back(class_options(i, event_class.name, event_class.priority));
        }
        // What older configurations have left for this uplink drains, too.
        for (std::size_t i = streams.size(); i < spooled.size(); ++i) {
            const auto [name, owner] = split_stream(spooled[i].name);
            if (owner == id) cloud.uplink.classes.push_back(class_options(i, std::string(name), spooled[i].priority));
        }
        if (cloud.uplink.classes.empty()) continue;  // no class goes there
        cloud.dialect = make_dialect(who);
        out.push_back(std::move(cloud));
    }
    return out;
}

std::vector<std::vector<Backbone::Stream>> make_streams(const config::GatewayConfig& config) {
    const auto streams = event_streams(config);
    std::vector<std::vector<Backbone::Stream>> out(config.uplink.classes.size());
    for (std::size_t i = 0; i < streams.size(); ++i) {
        if (!streams[i].used) continue;
        const config::Uplink& to = streams[i].uplink == 0 ? config.uplink : config.uplinks[streams[i].uplink - 1].uplink;
        out[streams[i].event_class].push_back({data::ClassIndex(static_cast<std::uint8_t>(i)), event_bytes_max(to)});
    }
    return out;
}

}  // namespace sluice::gateway

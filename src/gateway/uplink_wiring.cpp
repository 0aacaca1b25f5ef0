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

}  // namespace

uplink::Options uplink_options(const config::Uplink& from, const std::vector<spool::ClassOptions>& classes) {
    uplink::Options out;
    for (std::size_t i = 0; i < classes.size(); ++i) {
        const auto priority = static_cast<std::uint8_t>(std::min<std::uint32_t>(classes[i].priority, 255));
        out.classes.push_back({data::ClassIndex(static_cast<std::uint8_t>(i)), classes[i].name, priority});
    }
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

std::size_t event_bytes_max(const config::Uplink& from) {
    if (from.kind == config::UplinkKind::aws) return kAwsMessageBytes - kEnvelopeBytes;
    return from.kind == config::UplinkKind::azure ? kAzureMessageBytes - 2 * kEnvelopeBytes : SIZE_MAX;
}

std::unique_ptr<uplink::Dialect> make_dialect(const config::GatewayConfig& config) {
    const config::Uplink& from = config.uplink;
    if (from.kind == config::UplinkKind::sluice) return std::make_unique<uplink::SluiceDialect>(config.gateway.id);
    uplink::BrokerDialect::Options options{.gateway = config.gateway.id,
                                           .topic = from.topic,
                                           .status_topic = from.status_topic,
                                           .payload = static_cast<uplink::Payload>(from.payload),
                                           .message_bytes_max = from.message_bytes};
    if (from.kind == config::UplinkKind::azure) return std::make_unique<uplink::AzureDialect>(std::move(options), from.client_id);
    return std::make_unique<uplink::BrokerDialect>(std::move(options));
}

namespace {

uplink::MqttSignIn sign_in(const config::GatewayConfig& config) {
    const config::Uplink& from = config.uplink;
    if (from.kind == config::UplinkKind::sluice) return uplink::sluice_sign_in(config.gateway.id, from.token);
    return {.client_id = from.client_id,
            .user = from.user,
            .password = from.password,
            .will_topic = uplink::with_gateway(from.status_topic, config.gateway.id),
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

CloudLink::MakeCarrier mqtt_carrier(const config::GatewayConfig& config, const env::Clock& clock) {
    const config::Uplink& from = config.uplink;
    uplink::MqttCarrier::Options options;
    if (from.kind != config::UplinkKind::sluice) options.protocol = static_cast<uplink::Protocol>(from.version);
    options.keep_alive = from.keep_alive;
    options.answer_timeout = from.ack_timeout;
    options.in_flight = static_cast<std::uint16_t>(uplink_options(from, {}).in_flight + 1);  // a status never waits for batches
    std::function<uplink::MqttSignIn()> who = [who = sign_in(config)] { return who; };
    if (from.kind == config::UplinkKind::azure) who = [from, &clock] { return azure_sign_in(from, clock); };
    return [options, who](uplink::Transport& over) { return std::make_unique<uplink::MqttCarrier>(options, who, over); };
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

CloudConnector nats_connector(const config::GatewayConfig& config, env::FileSystem& files, config::Problems& problems) {
    const config::Uplink& from = config.uplink;
    NatsOptions out;
    const std::string host = from.host.find(':') == std::string::npos ? from.host : fmt::format("[{}]", from.host);
    out.servers.push_back(fmt::format("nats://{}:{}", host, from.port));
    for (const auto& each : from.servers) out.servers.push_back("nats://" + each);
    out.name = "sluice " + config.gateway.id;
    out.user = from.user;
    out.password = from.password;
    out.token = from.token;
    out.tls = from.tls;
    out.ca = pem(from.ca, "uplink.ca", files, problems);
    out.cert = pem(from.cert, "uplink.cert", files, problems);
    out.key = pem(from.key, "uplink.key", files, problems);
    out.stream = from.stream;
    out.subject = wildcard_subject(from.topic);
    out.replicas = from.replicas;
    out.ack_timeout = from.ack_timeout;
    out.keep_alive = from.keep_alive;
    out.in_flight = uplink_options(from, {}).in_flight + 1;
    return make_nats_connector(std::move(out));
}

/// Those that need no rule's name, with all classes in them.
std::vector<std::string> kafka_topics(const config::GatewayConfig& config) {
    std::vector<std::string> out;
    if (config.uplink.topic.find("{rule}") != std::string::npos) return out;
    for (const auto& each : config.uplink.classes) {
        std::string topic = uplink::with_gateway(config.uplink.topic, config.gateway.id);
        constexpr std::string_view kClass = "{class}";
        for (std::size_t at = 0; (at = topic.find(kClass, at)) != std::string::npos; at += each.name.size())
            topic.replace(at, kClass.size(), each.name);
        if (std::find(out.begin(), out.end(), topic) == out.end()) out.push_back(std::move(topic));
    }
    return out;
}

CloudConnector kafka_connector(const config::GatewayConfig& config, env::FileSystem& files, config::Problems& problems) {
    constexpr std::array<std::string_view, 4> kCompressions{"none", "gzip", "lz4", "zstd"};
    constexpr std::array<std::string_view, 3> kMechanisms{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    const config::Uplink& from = config.uplink;
    KafkaOptions out;
    out.brokers = from.brokers;
    out.client_id = "sluice-" + config.gateway.id;
    out.tls = from.tls;
    out.ca = pem(from.ca, "uplink.ca", files, problems);
    out.cert = pem(from.cert, "uplink.cert", files, problems);
    out.key = pem(from.key, "uplink.key", files, problems);
    out.user = from.user;
    out.password = from.password;
    out.mechanism = kMechanisms[static_cast<std::size_t>(from.sasl)];
    out.compression = kCompressions[static_cast<std::size_t>(from.compression)];
    out.topics = kafka_topics(config);
    out.ack_timeout = from.ack_timeout;
    out.keep_alive = from.keep_alive;
    out.in_flight = uplink_options(from, {}).in_flight + 1;
    out.batch_bytes_max = from.message_bytes;
    return make_kafka_connector(std::move(out));
}

}  // namespace

CloudConnector make_connector(const config::GatewayConfig& config, env::FileSystem& files, const env::Clock& clock,
                              config::Problems& problems) {
    const config::Uplink& from = config.uplink;
    if (!from.configured()) return nullptr;
    if (from.kind == config::UplinkKind::nats) return nats_connector(config, files, problems);
    if (from.kind == config::UplinkKind::kafka) return kafka_connector(config, files, problems);
    CloudLink::Options link{.host = from.host, .port = from.port, .tls = nullptr};
    if (from.tls) {
        link.tls = make_uplink_tls(from, files, problems);
        if (link.tls == nullptr) return nullptr;
    }
    const auto make_carrier = from.kind == config::UplinkKind::http ? http_carrier(from) : mqtt_carrier(config, clock);
    return [link, make_carrier](posix::EventLoop& loop) { return std::make_unique<CloudLink>(link, make_carrier, loop); };
}

}  // namespace sluice::gateway

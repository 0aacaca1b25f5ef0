#include "gateway/uplink_wiring.hpp"

#include <algorithm>

#include "flow/uplink/broker_dialect.hpp"
#include "flow/uplink/mqtt_carrier.hpp"
#include "flow/uplink/sluice_dialect.hpp"
#include "gateway/client_tls.hpp"
#include "gateway/cloud_link.hpp"

namespace sluice::gateway {
namespace {

static_assert(static_cast<int>(config::UplinkVersion::v311) == static_cast<int>(uplink::Protocol::v311));
static_assert(static_cast<int>(config::UplinkPayload::data) == static_cast<int>(uplink::Payload::data));

// AWS IoT Core takes 100 publishes and 512 KiB a second on a connection, and 100 unacknowledged (docs/uplinks.md): some is left for others.
constexpr std::uint32_t kAwsMessageRate = 80;
constexpr std::uint32_t kAwsByteRate = 400 * 1024;
constexpr std::uint32_t kAwsInFlight = 80;
constexpr std::size_t kAwsMessageBytes = 128 * 1024;
constexpr std::size_t kAwsEnvelopeBytes = 1024;  // what stands around an event that goes alone

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
    if (from.kind != config::UplinkKind::aws) return out;
    out.message_rate = kAwsMessageRate;
    out.byte_rate = kAwsByteRate;
    out.in_flight = std::min(out.in_flight, kAwsInFlight);
    out.retry_min = std::chrono::seconds(1);  // one CONNECT a second of a client id
    return out;
}

std::size_t event_bytes_max(const config::Uplink& from) {
    return from.kind == config::UplinkKind::aws ? kAwsMessageBytes - kAwsEnvelopeBytes : SIZE_MAX;
}

std::unique_ptr<uplink::Dialect> make_dialect(const config::GatewayConfig& config) {
    const config::Uplink& from = config.uplink;
    if (from.kind == config::UplinkKind::sluice) return std::make_unique<uplink::SluiceDialect>(config.gateway.id);
    return std::make_unique<uplink::BrokerDialect>(uplink::BrokerDialect::Options{.gateway = config.gateway.id,
                                                                                  .topic = from.topic,
                                                                                  .status_topic = from.status_topic,
                                                                                  .payload = static_cast<uplink::Payload>(from.payload),
                                                                                  .message_bytes_max = from.message_bytes});
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

CloudLink::MakeCarrier mqtt_carrier(const config::GatewayConfig& config, std::uint32_t in_flight) {
    const config::Uplink& from = config.uplink;
    uplink::MqttCarrier::Options options;
    if (from.kind != config::UplinkKind::sluice) options.protocol = static_cast<uplink::Protocol>(from.version);
    options.keep_alive = from.keep_alive;
    options.answer_timeout = from.ack_timeout;
    options.in_flight = static_cast<std::uint16_t>(in_flight + 1);  // one more: a status never waits for batches
    return [options, who = sign_in(config)](uplink::Transport& over) {
        return std::make_unique<uplink::MqttCarrier>(options, [who] { return who; }, over);
    };
}

}  // namespace

CloudConnector make_connector(const config::GatewayConfig& config, env::FileSystem& files, config::Problems& problems) {
    const config::Uplink& from = config.uplink;
    if (!from.configured()) return nullptr;
    CloudLink::Options link{.host = from.host, .port = from.port, .tls = nullptr};
    if (from.tls) {
        link.tls = make_uplink_tls(from, files, problems);
        if (link.tls == nullptr) return nullptr;
    }
    const auto make_carrier = mqtt_carrier(config, uplink_options(from, {}).in_flight);
    return [link, make_carrier](posix::EventLoop& loop) { return std::make_unique<CloudLink>(link, make_carrier, loop); };
}

}  // namespace sluice::gateway

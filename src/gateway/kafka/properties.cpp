#include "gateway/kafka/properties.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace sluice::gateway {
namespace {

// Of the library: the uplink's patience with one large message over a slow link is 8 times ack_timeout (machine.cpp), and it decides.
constexpr std::chrono::milliseconds kRequestTimeoutMax{300'000};
constexpr int kPatience = 8;
/// How long a topic may be unknown before messages for it fail: brokers that make topics need a moment.
constexpr std::string_view kPropagation = "5000";
constexpr std::chrono::milliseconds kRefreshMin{1'000};
/// The library's largest: the brokers say what is too large, so that what is halved is what they do not take.
constexpr std::string_view kMessageBytesMax = "1000000000";

}  // namespace

KafkaProperties kafka_properties(const KafkaOptions& options, std::size_t batch_bytes_max) {
    KafkaProperties out;
    const auto set = [&out](std::string_view name, std::string value) { out.emplace_back(name, std::move(value)); };
    set("bootstrap.servers", fmt::format("{}", fmt::join(options.brokers, ",")));
    set("client.id", options.client_id);
    // Order within a partition, and no copies, over the library's own retries. A message that fails ends all that come behind it: without
    // that they would be stored before it.
    set("enable.idempotence", "true");
    set("acks", "all");
    set("enable.gapless.guarantee", "true");
    set("message.timeout.ms", "0");  // never: the uplink notices a stall and sends again, from the first that is missing
    set("linger.ms", "0");           // the uplink makes the batches; what queues behind five requests shares the sixth
    set("batch.size", fmt::format("{}", batch_bytes_max));
    set("message.max.bytes", std::string(kMessageBytesMax));
    set("compression.codec", options.compression);
    set("partitioner", "murmur2_random");  // as the clients in Java do: one key, one partition, whoever writes
    set("socket.nagle.disable", "true");
    set("socket.keepalive.enable", "true");
    set("socket.timeout.ms", fmt::format("{}", std::min(kRequestTimeoutMax, kPatience * options.ack_timeout).count()));
    // A question when nothing else is said: a line that is dead shows.
    set("topic.metadata.refresh.interval.ms", fmt::format("{}", std::max(kRefreshMin, options.keep_alive).count()));
    set("topic.metadata.propagation.max.ms", std::string(kPropagation));
    const bool sasl = !options.user.empty();
    set("security.protocol", sasl ? (options.tls ? "sasl_ssl" : "sasl_plaintext") : (options.tls ? "ssl" : "plaintext"));
    if (sasl) {
        set("sasl.mechanism", options.mechanism);
        set("sasl.username", options.user);
        set("sasl.password", options.password);
    }
    if (!options.tls) return out;
    set("ssl.endpoint.identification.algorithm", "https");
    if (!options.ca.empty()) set("ssl.ca.pem", options.ca);
    if (!options.cert.empty()) set("ssl.certificate.pem", options.cert);
    if (!options.key.empty()) set("ssl.key.pem", options.key);
    return out;
}

}  // namespace sluice::gateway

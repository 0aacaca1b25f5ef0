// What Kafka's errors, and those of the library, mean for the uplink.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flow/uplink/carrier.hpp"

namespace sluice::gateway {

struct KafkaVerdict {
    uplink::Trouble trouble = uplink::Trouble::not_taken;
    std::uint16_t code = 0;  ///< Kafka's error code; kKafkaUnknown: an error of the library that Kafka has no code for
    bool too_large = false;
    friend bool operator==(const KafkaVerdict&, const KafkaVerdict&) = default;
};

inline constexpr std::uint16_t kKafkaUnknown = 500;  // above all codes of Kafka

/// Of a message that was not taken, or of a producer that can go on no more. `error`: Kafka's, or negative: librdkafka's own.
[[nodiscard]] KafkaVerdict kafka_verdict(int error);

/// Signing in failed: no other broker will see that differently.
[[nodiscard]] bool is_kafka_sign_in(int error);

/// "TOPIC_AUTHORIZATION_FAILED, Kafka's error 29: Broker: Topic authorization failed"; `more`: what is known beside, or empty.
[[nodiscard]] std::string kafka_words(int error, std::string_view more);

/// In this state (as librdkafka calls them) there is somebody at the other end, behind TLS where there is some.
[[nodiscard]] bool is_kafka_state_connected(std::string_view state);

}  // namespace sluice::gateway

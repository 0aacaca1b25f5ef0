#include "gateway/kafka/verdict.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

namespace sluice::gateway {
namespace {

using uplink::Trouble;

/// Those that say more than "not taken".
struct Row {
    int error;
    int code;  ///< Kafka's
    Trouble trouble;
    bool too_large;
};
constexpr std::array kRows{
    Row{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 10, Trouble::not_taken, true},
    Row{RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, 18, Trouble::not_taken, true},
    Row{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 29, Trouble::refused, false},
    Row{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, 31, Trouble::refused, false},
    Row{RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, 33, Trouble::refused, false},
    Row{RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, 34, Trouble::refused, false},
    Row{RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, 58, Trouble::refused, false},
    Row{RD_KAFKA_RESP_ERR__AUTHENTICATION, 58, Trouble::refused, false},
    Row{RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, 35, Trouble::refused, false},
    Row{RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, 3, Trouble::not_taken, false},
    Row{RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, 3, Trouble::not_taken, false},
    Row{RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, 7, Trouble::not_taken, false},
};

}  // namespace

KafkaVerdict kafka_verdict(int error) {
    const auto* const row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& each) { return each.error == error; });
    if (row != kRows.end()) return {row->trouble, static_cast<std::uint16_t>(row->code), row->too_large};
    return {Trouble::not_taken, error > 0 ? static_cast<std::uint16_t>(error) : kKafkaUnknown, false};
}

bool is_kafka_sign_in(int error) {
    constexpr std::array kErrors{RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
                                 RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE};
    return std::find(kErrors.begin(), kErrors.end(), error) != kErrors.end();
}

std::string kafka_words(int error, std::string_view more) {
    const auto known = static_cast<rd_kafka_resp_err_t>(error);
    std::string out = error > 0 ? fmt::format("{}, Kafka's error {}: {}", rd_kafka_err2name(known), error, rd_kafka_err2str(known))
                                : std::string(rd_kafka_err2str(known));
    if (!more.empty()) out += fmt::format(": {}", more);
    return out;
}

bool is_kafka_state_connected(std::string_view state) {
    constexpr std::array<std::string_view, 5> kBefore{"INIT", "DOWN", "TRY_CONNECT", "CONNECT", "SSL_HANDSHAKE"};
    return std::find(kBefore.begin(), kBefore.end(), state) == kBefore.end();
}

}  // namespace sluice::gateway

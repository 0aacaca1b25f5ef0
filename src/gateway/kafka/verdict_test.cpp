#include "gateway/kafka/verdict.hpp"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

namespace sluice::gateway {
namespace {

using uplink::Trouble;

TEST(KafkaVerdict, a_message_that_is_too_large_may_come_in_parts) {
    EXPECT_EQ(kafka_verdict(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE), (KafkaVerdict{Trouble::not_taken, 10, true}));
    EXPECT_EQ(kafka_verdict(RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE), (KafkaVerdict{Trouble::not_taken, 18, true}));
}

TEST(KafkaVerdict, what_an_administrator_has_to_allow_is_a_refusal) {
    EXPECT_EQ(kafka_verdict(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), (KafkaVerdict{Trouble::refused, 29, false}));
    EXPECT_EQ(kafka_verdict(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED), (KafkaVerdict{Trouble::refused, 31, false}));
    EXPECT_EQ(kafka_verdict(RD_KAFKA_RESP_ERR__AUTHENTICATION), (KafkaVerdict{Trouble::refused, 58, false}));
    EXPECT_TRUE(is_kafka_sign_in(RD_KAFKA_RESP_ERR__AUTHENTICATION));
    EXPECT_TRUE(is_kafka_sign_in(RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED));
    EXPECT_FALSE(is_kafka_sign_in(RD_KAFKA_RESP_ERR__TRANSPORT));
}

TEST(KafkaVerdict, other_errors_keep_kafkas_number_and_local_ones_have_none) {
    EXPECT_EQ(kafka_verdict(RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS), (KafkaVerdict{Trouble::not_taken, 19, false}));
    EXPECT_EQ(kafka_verdict(RD_KAFKA_RESP_ERR_PRODUCER_FENCED), (KafkaVerdict{Trouble::not_taken, 90, false}));
    EXPECT_EQ(kafka_verdict(RD_KAFKA_RESP_ERR__QUEUE_FULL), (KafkaVerdict{Trouble::not_taken, kKafkaUnknown, false}));
    EXPECT_EQ(kafka_verdict(RD_KAFKA_RESP_ERR_UNKNOWN), (KafkaVerdict{Trouble::not_taken, kKafkaUnknown, false})) << "it is -1";
    EXPECT_EQ(kafka_verdict(RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC), (KafkaVerdict{Trouble::not_taken, 3, false}));
}

TEST(KafkaVerdict, words_name_the_error_as_kafka_does) {
    EXPECT_EQ(kafka_words(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "topic a"),
              "TOPIC_AUTHORIZATION_FAILED, Kafka's error 29: Broker: Topic authorization failed: topic a");
    EXPECT_EQ(kafka_words(RD_KAFKA_RESP_ERR__QUEUE_FULL, ""), "Local: Queue full");
}

TEST(KafkaVerdict, a_broker_is_there_once_the_connection_is_past_connecting) {
    for (const char* state : {"INIT", "DOWN", "TRY_CONNECT", "CONNECT", "SSL_HANDSHAKE"})
        EXPECT_FALSE(is_kafka_state_connected(state)) << state;
    for (const char* state : {"APIVERSION_QUERY", "AUTH_REQ", "UP"}) EXPECT_TRUE(is_kafka_state_connected(state)) << state;
}

}  // namespace
}  // namespace sluice::gateway

#include "gateway/kafka/properties.hpp"

#include <array>
#include <memory>

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

namespace sluice::gateway {
namespace {

std::string value(const KafkaProperties& properties, std::string_view name) {
    for (const auto& [key, text] : properties) {
        if (key == name) return text;
    }
    return "(none)";
}

/// What the library says of all of them together; empty: it takes them.
std::string complaint(const KafkaOptions& options) {
    std::array<char, 512> words{};
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, nullptr);
    for (const auto& [name, text] : kafka_properties(options, 1024)) {
        if (rd_kafka_conf_set(conf, std::string(name).c_str(), text.c_str(), words.data(), words.size()) == RD_KAFKA_CONF_OK) continue;
        rd_kafka_conf_destroy(conf);
        return words.data();
    }
    rd_kafka_t* made = rd_kafka_new(RD_KAFKA_PRODUCER, conf, words.data(), words.size());
    if (made == nullptr) {
        rd_kafka_conf_destroy(conf);
        return words.data();
    }
    rd_kafka_destroy(made);
    return "";
}

TEST(KafkaProperties, the_library_takes_them_whatever_the_options) {
    KafkaOptions options{.brokers = {"127.0.0.1:1", "[::1]:2"}, .client_id = "sluice-x"};
    for (const char* compression : {"none", "gzip", "lz4", "zstd"}) {
        options.compression = compression;
        EXPECT_EQ(complaint(options), "") << compression;
    }
    options.user = "ana";
    options.password = "secret";
    for (const char* mechanism : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}) {
        options.mechanism = mechanism;
        EXPECT_EQ(complaint(options), "") << mechanism;
    }
    options.tls = true;
    EXPECT_EQ(complaint(options), "");
    options.ack_timeout = std::chrono::hours(1);
    options.keep_alive = std::chrono::hours(1);
    EXPECT_EQ(complaint(options), "") << "the longest that the configuration takes";
    options.ack_timeout = options.keep_alive = std::chrono::seconds(1);
    EXPECT_EQ(complaint(options), "") << "the shortest";
    options.ca = "no certificate";
    EXPECT_NE(complaint(options), "") << "and says what is wrong where something is";
}

TEST(KafkaProperties, nothing_is_acknowledged_early_skipped_or_given_up_by_the_library) {
    const auto properties = kafka_properties({.brokers = {"a:1", "b:2"}, .client_id = "sluice-x"}, 4096);
    EXPECT_EQ(value(properties, "bootstrap.servers"), "a:1,b:2");
    EXPECT_EQ(value(properties, "acks"), "all");
    EXPECT_EQ(value(properties, "enable.idempotence"), "true");
    EXPECT_EQ(value(properties, "enable.gapless.guarantee"), "true");
    EXPECT_EQ(value(properties, "message.timeout.ms"), "0");
    EXPECT_EQ(value(properties, "batch.size"), "4096");
}

TEST(KafkaProperties, a_password_goes_by_sasl_and_tls_checks_the_name) {
    KafkaOptions options{.brokers = {"a:1"}, .client_id = "x"};
    EXPECT_EQ(value(kafka_properties(options, 1), "security.protocol"), "plaintext");
    options.tls = true;
    EXPECT_EQ(value(kafka_properties(options, 1), "security.protocol"), "ssl");
    EXPECT_EQ(value(kafka_properties(options, 1), "ssl.endpoint.identification.algorithm"), "https");
    options.user = "ana";
    options.password = "secret";
    EXPECT_EQ(value(kafka_properties(options, 1), "security.protocol"), "sasl_ssl");
    EXPECT_EQ(value(kafka_properties(options, 1), "sasl.password"), "secret");
    options.tls = false;
    EXPECT_EQ(value(kafka_properties(options, 1), "security.protocol"), "sasl_plaintext");
}

}  // namespace
}  // namespace sluice::gateway

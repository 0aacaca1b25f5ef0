#include "cli/load/packets.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::load {
namespace {

std::string hex(const base::Bytes& bytes) {
    std::string text;
    for (const auto byte : bytes) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

TEST(Packets, connect_is_as_the_standard_draws_it) {
    base::Bytes bytes;
    append_connect(bytes, "ab", 60);
    EXPECT_EQ(hex(bytes), "100e00044d5154540402003c00026162");
}

TEST(Packets, connect_carries_a_user_and_a_password) {
    base::Bytes bytes;
    append_connect(bytes, "c", 60, "ana", "pw");
    EXPECT_EQ(base::as_text(bytes), std::string_view("\x10\x16\0\x04MQTT\x04\xC2\0\x3C\0\x01"
                                                     "c\0\x03"
                                                     "ana\0\x02pw",
                                                     24));
    bytes.clear();
    append_connect(bytes, "c", 60, "ana");
    EXPECT_EQ(base::as_text(bytes), std::string_view("\x10\x12\0\x04MQTT\x04\x82\0\x3C\0\x01"
                                                     "c\0\x03"
                                                     "ana",
                                                     20));
}

TEST(Packets, subscribe_ping_puback_and_disconnect) {
    base::Bytes bytes;
    append_subscribe(bytes, 10, "a/b", 1);
    append_puback(bytes, 0x1234);
    append_pingreq(bytes);
    append_disconnect(bytes);
    EXPECT_EQ(hex(bytes),
              "8208000a0003612f6201"
              "40021234"
              "c000"
              "e000");
}

TEST(Packets, a_publish_reads_back_as_it_was_written) {
    for (const std::size_t size : {0U, 1U, 100U, 121U, 122U, 123U, 124U, 20'000U}) {
        const std::string payload(size, 'x');
        for (const std::uint8_t qos : {std::uint8_t{0}, std::uint8_t{1}}) {
            base::Bytes bytes;
            append_publish(bytes, {.topic = "t/1", .payload = payload, .qos = qos, .packet_id = 0x0102});
            const auto packet = next_packet(bytes);
            ASSERT_TRUE(packet);
            EXPECT_EQ(packet->size, bytes.size());
            const auto read = read_publish(*packet);
            ASSERT_TRUE(read);
            EXPECT_EQ(read->topic, "t/1");
            EXPECT_EQ(read->payload, payload);
            EXPECT_EQ(read->packet_id, qos == 0 ? 0 : 0x0102);
        }
    }
}

TEST(Packets, a_packet_cut_anywhere_is_incomplete) {
    base::Bytes bytes;
    append_publish(bytes, {.topic = "topic", .payload = std::string(200, 'x')});
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) EXPECT_FALSE(next_packet(base::ByteView(bytes).first(cut))) << cut;
}

TEST(Packets, a_length_of_five_bytes_is_not_mqtt) {
    const base::Bytes bytes{0x30, 0x80, 0x80, 0x80, 0x80, 0x01};
    const auto packet = next_packet(bytes);
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->size, 0U);
}

TEST(Packets, a_publish_shorter_than_its_topic_is_refused) {
    const base::Bytes bytes{0x30, 0x03, 0x00, 0x05, 'a'};
    EXPECT_FALSE(read_publish(*next_packet(bytes)));
}

}  // namespace
}  // namespace sluice::load

// MQTT 5.0, chapters 1 and 2: text, integers, flags, packet identifiers, property lengths.
#include <gtest/gtest.h>

#include "raw.hpp"

namespace sluice::conformance {
namespace {

/// Everywhere a client sends text: the packet with this text (in hex, without its length) there.
std::vector<base::Bytes> text_everywhere(std::string_view bad) {
    const std::string field = fmt::format("{:04X} {}", bytes(bad).size(), bad);
    std::vector<base::Bytes> packets;
    for (const char* form : {"{} <t> {{}}", "<t> {{ 03 {} }}", "<t> {{ 08 {} }}", "<t> {{ 26 {} <v> }}", "<t> {{ 26 <n> {} }}"})
        packets.push_back(packet(0x30, std::string_view(form).starts_with("{}") ? field + " {}" : fmt::format(fmt::runtime(form), field)));
    packets.push_back(packet(0x82, "0001 {} " + field + " 00"));
    packets.push_back(packet(0x82, "0001 { 26 <n> " + field + " } <t> 00"));
    packets.push_back(packet(0xA2, "0001 {} " + field));
    packets.push_back(packet(0x40, "0001 00 { 1F " + field + " }"));
    packets.push_back(packet(0xE0, "00 { 1F " + field + " }"));
    return packets;
}

/// The same in a CONNECT: client id, will topic, its content type, user name, a user property.
std::vector<base::Bytes> text_in_connect(std::string_view bad) {
    const std::string field = fmt::format("{:04X} {}", bytes(bad).size(), bad);
    return {packet(0x10, "<MQTT> 05 02 0000 {} " + field), packet(0x10, "<MQTT> 05 06 0000 {} <c> {} " + field + " <p>"),
            packet(0x10, "<MQTT> 05 06 0000 {} <c> { 03 " + field + " } <t> <p>"), packet(0x10, "<MQTT> 05 82 0000 {} <c> " + field),
            packet(0x10, "<MQTT> 05 02 0000 { 26 " + field + " <v> } <c>")};
}

void expect_refused_everywhere(std::string_view bad) {
    for (const auto& one : text_everywhere(bad)) EXPECT_EQ(answer(v5, one), refusal(v5, 0x81)) << hex(one);
    for (const auto& one : text_in_connect(bad)) {
        const auto told = greeting(v5, one);
        EXPECT_TRUE(told == "closed" || told == "CONNACK 0x81 closed" || told == "CONNACK 0x85 closed") << told << ": " << hex(one);
    }
}

TEST(Mqtt5, MQTT_1_5_4_1_text_that_is_not_utf8_or_has_surrogates_is_refused_wherever_it_stands) {
    for (const char* bad : {"C328", "80", "FF", "EDA080", "EDBFBF", "C080", "E08080", "F4908080", "F0808080", "61E282"})
        expect_refused_everywhere(bad);
}

TEST(Mqtt5, MQTT_1_5_4_2_MQTT_4_7_3_2_text_with_zero_is_refused_wherever_it_stands) {
    for (const char* bad : {"00", "6100", "746F0070"}) expect_refused_everywhere(bad);
}

TEST(Mqtt5, MQTT_1_5_4_3_a_byte_order_mark_is_kept_at_the_beginning_and_inside) {
    World world;
    Client& client = connected(world, v5);
    client.send(packet(0x82, "0001 {} 0004 EFBBBF 23 00"));
    EXPECT_EQ(client.text(), "DISCONNECT 0x81") << "a level that is more than a wildcard";
    Client& other = connected(world, v5, "d");
    other.send(packet(0x82, "0001 {} 0004 EFBBBF 61 00"));
    other.send(packet(0x30, "<a> {} 'without'") + packet(0x30, "0004 EFBBBF 61 {} 'with'"));
    EXPECT_EQ(other.text(),
              "SUBACK #1 0x0; PUBLISH \xEF\xBB\xBF"
              "a 'with'");
}

TEST(Mqtt5, MQTT_1_5_5_1_integers_with_more_bytes_than_they_need_are_malformed) {
    EXPECT_EQ(answer(v5, bytes("30 84 00 0001 'a' 00")), refusal(v5, 0x81)) << "remaining length";
    EXPECT_EQ(answer(v5, bytes("C0 80 00")), refusal(v5, 0x81));
    EXPECT_EQ(answer(v5, packet(0x30, "<a> 8000")), refusal(v5, 0x81)) << "property length";
    EXPECT_EQ(answer(v5, packet(0x82, "0001 { 0B 8100 } <a> 00")), refusal(v5, 0x81)) << "subscription identifier";
    EXPECT_EQ(answer(v5, packet(0x82, "0001 { 0B FFFFFF7F } <a> 00")), "SUBACK #1 0x0") << "the greatest one";
    EXPECT_EQ(answer(v5, packet(0x82, "0001 { 0B 8080808001 } <a> 00")), refusal(v5, 0x81)) << "five bytes";
    EXPECT_EQ(answer(v5, bytes("30 80 80 80 80 01")), "closed") << "five bytes of length: nothing can be said any more";
}

TEST(Mqtt5, MQTT_1_5_7_1_both_parts_of_a_user_property_are_text) {
    EXPECT_EQ(answer(v5, packet(0x30, "<t> { 26 0001 FF <v> }")), refusal(v5, 0x81));
    EXPECT_EQ(answer(v5, packet(0x30, "<t> { 26 <n> 0001 FF }")), refusal(v5, 0x81));
    EXPECT_EQ(answer(v5, packet(0x30, "<t> { 26 <n> }")), refusal(v5, 0x81)) << "no value";
    EXPECT_EQ(answer(v5, packet(0x30, "<t> { 26 <> <> }")), "");
}

TEST(Mqtt5, MQTT_2_1_3_1_wrong_flags_are_malformed_in_every_packet_of_a_client) {
    const struct {
        unsigned type, flags;
        const char* rest;
    } kPackets[]{{0x40, 0, "0001"},           {0x50, 0, "0001"},        {0x60, 2, "0001"}, {0x70, 0, "0001"},
                 {0x80, 2, "0001 {} <t> 00"}, {0xA0, 2, "0001 {} <t>"}, {0xC0, 0, ""},     {0xE0, 0, ""}};
    for (const auto& [type, right, rest] : kPackets)
        for (unsigned flags = 0; flags < 16; ++flags) {
            const auto told = answer(v5, packet(type | flags, rest));
            EXPECT_EQ(told == refusal(v5, 0x81), flags != right) << type << ' ' << flags << ": " << told;
        }
    for (unsigned flags = 1; flags < 16; ++flags)
        EXPECT_EQ(greeting(v5, packet(0x10 | flags, "<MQTT> 05 02 0000 {} <c>")), "closed") << "CONNECT " << flags;
}

TEST(Mqtt5, MQTT_2_2_1_2_with_qos_0_there_is_no_identifier) {
    World world;
    Client& client = connected(world, v5);
    client.send(packet(0x82, "0001 {} <t> 01"));
    client.send(packet(0x30, "<t> {} 0001"));  // what looks like one is payload
    EXPECT_EQ(hex(client.take_bytes()), "90 04 00 01 00 01 30 06 00 01 74 00 00 01");
}

TEST(Mqtt5, MQTT_2_2_1_3_identifier_0_is_refused) {
    EXPECT_EQ(answer(v5, packet(0x32, "<t> 0000 {}")), refusal(v5, 0x82));
    EXPECT_EQ(answer(v5, packet(0x34, "<t> 0000 {}")), refusal(v5, 0x82));
    EXPECT_EQ(answer(v5, packet(0x82, "0000 {} <t> 00")), refusal(v5, 0x81));
    EXPECT_EQ(answer(v5, packet(0xA2, "0000 {} <t>")), refusal(v5, 0x81));
    for (const unsigned ack : {0x40U, 0x50U, 0x62U, 0x70U}) EXPECT_EQ(answer(v5, packet(ack, "0000")), refusal(v5, 0x82));
}

TEST(Mqtt5, MQTT_2_2_1_4_MQTT_4_3_2_1_MQTT_4_3_3_1_the_hubs_identifiers_begin_at_1_and_are_free) {
    World world(1, {.inflight_max = 3});
    Client& tap = connected(world, v5, "tap");
    tap.send(packet(0x82, "0001 {} <t> 02"));
    Client& publisher = connected(world, v5, "p");
    for (int i = 0; i < 3; ++i) publisher.send(packet(0x32, "<t> 0001 {}"));
    EXPECT_EQ(tap.text(), "SUBACK #1 0x2; PUBLISH t '' q1 #1; PUBLISH t '' q1 #2; PUBLISH t '' q1 #3");
    // Two stay in flight; the third place goes round all identifiers and passes them over.
    unsigned done = 2;
    for (unsigned round = 0; round < 0x10000; ++round) {
        publisher.send(packet(0x32, "<t> 0001 {}"));
        tap.send(packet(0x40, fmt::format("{:04X}", done)));
        done = done == 2 ? 4 : done == 0xFFFF ? 2 : done + 1;
        ASSERT_EQ(tap.text(), fmt::format("PUBLISH t '' q1 #{}", done)) << round;
    }
}

TEST(Mqtt5, MQTT_2_2_1_5_acknowledgements_have_the_identifier_of_their_publish) {
    EXPECT_EQ(answer(v5, packet(0x32, "<t> 1234 {}")), "PUBACK #4660 0x10");
    EXPECT_EQ(answer(v5, packet(0x34, "<t> FFFF {}") + packet(0x62, "FFFF")), "PUBREC #65535; PUBCOMP #65535");
}

TEST(Mqtt5, MQTT_2_2_1_6_MQTT_3_8_4_2_suback_and_unsuback_have_the_identifier_of_their_request) {
    EXPECT_EQ(answer(v5, packet(0x82, "ABCD {} <t> 00")), "SUBACK #43981 0x0");
    EXPECT_EQ(answer(v5, packet(0xA2, "0102 {} <t>")), "UNSUBACK #258 0x11");
}

TEST(Mqtt5, MQTT_2_2_2_1_a_property_length_is_always_there) {
    EXPECT_EQ(raw_answer(v5, packet(0x82, "0001 {} <t> 00")), "90 04 00 01 00 00") << "ours too";
    EXPECT_EQ(answer(v5, packet(0x30, "<t>")), refusal(v5, 0x81));
    EXPECT_EQ(answer(v5, packet(0x82, "0001 <t> 00")), refusal(v5, 0x81)) << "the length of the filter is taken for it";
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 02 0000 <c>")), "CONNACK 0x81 closed");
    EXPECT_EQ(answer(v5, packet(0x30, "<t> 7F 26 <n> <v>")), refusal(v5, 0x81)) << "beyond the packet";
}

}  // namespace
}  // namespace sluice::conformance

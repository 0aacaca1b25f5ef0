// MQTT 3.1.1, chapters 1 and 2, and §4.7: text, flags, packet identifiers, topics.
#include <gtest/gtest.h>

#include "data/topic.hpp"
#include "raw.hpp"

namespace sluice::conformance {
namespace {

/// Everywhere a client sends text: the packet with this text (in hex, without its length) there.
std::vector<base::Bytes> packets_with(std::string_view bad) {
    const std::string field = fmt::format("{:04X} {}", bytes(bad).size(), bad);
    return {packet(0x30, field), packet(0x82, "0001 " + field + " 00"), packet(0xA2, "0001 " + field)};
}
std::vector<base::Bytes> connects_with(std::string_view bad) {
    const std::string field = fmt::format("{:04X} {}", bytes(bad).size(), bad);
    return {packet(0x10, "<MQTT> 04 02 0000 " + field), packet(0x10, "<MQTT> 04 06 0000 <c> " + field + " <p>"),
            packet(0x10, "<MQTT> 04 82 0000 <c> " + field)};
}
void expect_closed_everywhere(std::string_view bad) {
    for (const auto& one : packets_with(bad)) EXPECT_EQ(answer(v311, one), "closed") << hex(one);
    for (const auto& one : connects_with(bad)) EXPECT_EQ(greeting(v311, one), "closed") << hex(one);
}

TEST(Mqtt311, MQTT_1_5_3_1_text_that_is_not_utf8_or_has_surrogates_closes_wherever_it_stands) {
    for (const char* bad : {"C328", "80", "FF", "EDA080", "EDBFBF", "C080", "F4908080", "61E282"}) expect_closed_everywhere(bad);
}

TEST(Mqtt311, MQTT_1_5_3_2_MQTT_4_7_3_2_text_with_zero_closes_wherever_it_stands) {
    for (const char* bad : {"00", "6100", "746F0070"}) expect_closed_everywhere(bad);
}

TEST(Mqtt311, MQTT_1_5_3_3_a_byte_order_mark_is_kept) {
    EXPECT_EQ(answer(v311, packet(0x82, "0001 0004 EFBBBF 61 00") + packet(0x30, "<a>") + packet(0x30, "0004 EFBBBF 61 'x'")),
              "SUBACK #1 0x0; PUBLISH \xEF\xBB\xBF"
              "a 'x'");
}

TEST(Mqtt311, MQTT_2_2_2_1_MQTT_2_2_2_2_wrong_flags_close_the_connection) {
    const struct {
        unsigned type, flags;
        const char* rest;
    } kPackets[]{{0x40, 0, "0001"},        {0x50, 0, "0001"},     {0x60, 2, "0001"}, {0x70, 0, "0001"},
                 {0x80, 2, "0001 <t> 00"}, {0xA0, 2, "0001 <t>"}, {0xC0, 0, ""}};
    for (const auto& [type, right, rest] : kPackets)
        for (unsigned flags = 0; flags < 16; ++flags)
            EXPECT_EQ(answer(v311, packet(type | flags, rest)) == "closed", flags != right) << type << ' ' << flags;
    for (unsigned flags = 1; flags < 16; ++flags) EXPECT_EQ(greeting(v311, packet(0x10 | flags, "<MQTT> 04 02 0000 <c>")), "closed");
}

TEST(Mqtt311, MQTT_2_3_1_1_identifier_0_closes_the_connection) {
    EXPECT_EQ(answer(v311, packet(0x32, "<t> 0000")), "closed");
    EXPECT_EQ(answer(v311, packet(0x34, "<t> 0000")), "closed");
    EXPECT_EQ(answer(v311, packet(0x82, "0000 <t> 00")), "closed");
    EXPECT_EQ(answer(v311, packet(0xA2, "0000 <t>")), "closed");
    for (const unsigned ack : {0x40U, 0x50U, 0x62U, 0x70U}) EXPECT_EQ(answer(v311, packet(ack, "0000")), "closed");
}

TEST(Mqtt311, MQTT_2_3_1_4_the_hubs_identifiers_begin_at_1_on_each_connection_and_are_free) {
    World world;
    const auto kept = packet(0x10, "<MQTT> 04 00 0000 <tap>");
    Client& tap = greet(world, v311, kept);
    tap.send(packet(0x82, "0001 <t> 01"));
    Client& publisher = connected(world, v311, "p");
    for (int i = 0; i < 3; ++i) publisher.send(packet(0x32, "<t> 0001"));
    tap.send(packet(0x40, "0001") + packet(0x40, "0003"));
    EXPECT_EQ(tap.text(), "CONNACK 0x0; SUBACK #1 0x1; PUBLISH t '' q1 #1; PUBLISH t '' q1 #2; PUBLISH t '' q1 #3");
    tap.drop();
    Client& back = greet(world, v311, kept);
    for (int i = 0; i < 3; ++i) publisher.send(packet(0x32, "<t> 0001"));
    EXPECT_EQ(back.text(), "CONNACK 0x0 present; PUBLISH t '' q1 #2 dup; PUBLISH t '' q1 #1; PUBLISH t '' q1 #3; PUBLISH t '' q1 #4");
}

TEST(Mqtt311, MQTT_2_3_1_5_with_qos_0_there_is_no_identifier) {
    EXPECT_EQ(raw_answer(v311, packet(0x82, "0001 <t> 01") + packet(0x30, "<t> 0001")), "90 03 00 01 01 30 05 00 01 74 00 01");
}

TEST(Mqtt311, MQTT_2_3_1_6_acknowledgements_have_the_identifier_of_their_publish) {
    EXPECT_EQ(raw_answer(v311, packet(0x32, "<t> 1234") + packet(0x34, "<t> 5678") + packet(0x62, "5678")),
              "40 02 12 34 50 02 56 78 70 02 56 78");
}

TEST(Mqtt311, MQTT_2_3_1_7_MQTT_3_8_4_2_MQTT_3_10_4_4_suback_and_unsuback_have_the_identifier_of_their_request) {
    EXPECT_EQ(raw_answer(v311, packet(0x82, "ABCD <t> 02") + packet(0xA2, "EF01 <t>")), "90 03 AB CD 02 B0 02 EF 01");
}

TEST(Mqtt311, MQTT_4_7_1_1_MQTT_3_3_2_2_topics_have_no_wildcards) {
    for (const char* topic : {"<+>", "<a/+>", "<#>", "<a/#>", "<a+b>"}) EXPECT_EQ(answer(v311, packet(0x30, topic)), "closed") << topic;
}

TEST(Mqtt311, MQTT_4_7_1_2_MQTT_4_7_1_3_wildcards_are_whole_levels_and_hash_is_the_last) {
    for (const char* filter : {"a/#/b", "a#", "#a", "##", "#/", "a+", "+a", "++", "$share/+/t", "$share//t", "$share/g"})
        EXPECT_EQ(answer(v311, packet(0x82, fmt::format("0001 <{}> 00", filter))), "closed") << filter;
    for (const char* filter : {"#", "+", "a/#", "+/#", "+/a/+", "/+", "$share/g/t"})
        EXPECT_EQ(answer(v311, packet(0x82, fmt::format("0001 <{}> 00", filter))), "SUBACK #1 0x0") << filter;
}

TEST(Mqtt311, MQTT_4_7_2_1_wildcards_at_the_first_level_do_not_match_dollar_topics) {
    EXPECT_EQ(answer(v311, packet(0x82, "0001 <#> 00 <+/x> 00") + packet(0x30, "<$own/x>")), "SUBACK #1 0x0 0x0");
    EXPECT_EQ(answer(v311, packet(0x82, "0001 <$own/+> 00") + packet(0x30, "<$own/x>")), "SUBACK #1 0x0; PUBLISH $own/x ''");
}

TEST(Mqtt311, MQTT_4_7_3_1_topics_and_filters_are_not_empty) {
    EXPECT_EQ(answer(v311, packet(0x30, "<> 'x'")), "closed");
    EXPECT_EQ(answer(v311, packet(0x82, "0001 <> 00")), "closed");
    EXPECT_EQ(answer(v311, packet(0x82, "0001 <t> 00 <> 00")), "closed");
    EXPECT_EQ(answer(v311, packet(0xA2, "0001 <>")), "closed");
}

TEST(Mqtt311, MQTT_4_7_3_3_topics_and_filters_may_have_65535_bytes) {
    const std::string longest(65'535, 'x');
    EXPECT_EQ(answer(v311, packet(0x82, "0001 <" + longest + "> 00") + packet(0x30, "<" + longest + ">")),
              "SUBACK #1 0x0; PUBLISH " + longest + " ''");
}

TEST(Mqtt311, MQTT_4_7_3_4_MQTT_3_3_2_3_MQTT_4_5_0_1_only_what_matches_byte_for_byte_comes_and_to_all_who_match) {
    World world;
    const char* const filters[]{"#", "+", "a/b", "a/#", "+/+", "/+", "A/b", "a/b/#", "a//b"};
    const char* const topics[]{"a", "a/b", "A/b", "/a", "a//b", "a/b/"};
    std::vector<Client*> taps;
    for (const char* filter : filters) {
        taps.push_back(&connected(world, v311, fmt::format("tap {}", filter)));
        taps.back()->send(packet(0x82, fmt::format("0001 <{}> 00", filter)));
        taps.back()->take();
    }
    Client& publisher = connected(world, v311, "p");
    for (const char* topic : topics) {
        publisher.send(packet(0x30, fmt::format("<{}>", topic)));
        for (std::size_t i = 0; i < taps.size(); ++i)
            EXPECT_EQ(taps[i]->text(), data::filter_matches(filters[i], topic) ? fmt::format("PUBLISH {} ''", topic) : "")
                << filters[i] << ' ' << topic;
    }
}

TEST(Mqtt311, MQTT_4_8_0_1_MQTT_4_8_0_2_a_violation_or_fault_closes_the_connection_on_which_it_came_and_no_other) {
    for (const auto& one : {packet(0x00, ""), packet(0x20, "0000"), packet(0x90, "0001 00"), packet(0xB0, "0001"), packet(0xD0, ""),
                            packet(0xF0, ""), packet(0xC0, "00"), packet(0x40, "00"), packet(0x40, "0001 00"), packet(0x62, "0001 00"),
                            packet(0x36, "<t> 0001"), bytes("30 FF FF FF FF 01"), bytes("30 FF FF FF 7F")})
        EXPECT_EQ(answer(v311, one), "closed") << hex(one);
}

TEST(Mqtt311, MQTT_7_0_0_2_a_client_that_knows_nothing_but_the_standard_is_served) {
    EXPECT_EQ(
        greeting(v311, connect(v311) + packet(0x82, "0001 <t> 02") + packet(0x34, "<t> 0001 'x'") + packet(0x62, "0001") +
                           packet(0x50, "0001") + packet(0x70, "0001") + packet(0xA2, "0002 <t>") + packet(0xC0, "") + packet(0xE0, "")),
        "CONNACK 0x0; SUBACK #1 0x2; PUBLISH t 'x' q2 #1; PUBREC #1; PUBCOMP #1; PUBREL #1; UNSUBACK #2; PINGRESP closed");
}

}  // namespace
}  // namespace sluice::conformance

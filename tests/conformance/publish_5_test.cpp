// MQTT 5.0 §3.3 to §3.7 and §4.3, §4.4, §4.6: PUBLISH and its acknowledgements.
#include <gtest/gtest.h>

#include "data/topic.hpp"
#include "raw.hpp"

namespace sluice::conformance {
namespace {

using namespace std::chrono_literals;

/// A subscriber to "t" and a publisher, both at 5.0.
struct Pair {
    explicit Pair(const char* options = "02", const char* connect_properties = "{ 11 00000064 }") {
        tap = &greet(world, v5, packet(0x10, std::string("<MQTT> 05 00 000A ") + connect_properties + " <tap>"));
        tap->send(packet(0x82, std::string("0001 {} <t> ") + options));
        publisher = &connected(world, v5, "p");
        tap->take();
    }
    std::string publish(unsigned first, std::string_view rest) {
        publisher->send(packet(first, rest));
        return tap->text();
    }
    Client& back(const char* connect_properties = "{ 11 00000064 }") {
        return greet(world, v5, packet(0x10, std::string("<MQTT> 05 00 000A ") + connect_properties + " <tap>"));
    }
    World world;
    Client* tap;
    Client* publisher;
};

TEST(Mqtt5, MQTT_3_3_1_1_MQTT_4_4_0_1_MQTT_4_6_0_1_a_session_gets_again_what_it_did_not_acknowledge_with_dup_and_at_no_other_time) {
    Pair pair;
    EXPECT_EQ(pair.publish(0x32, "<t> 0001 {} '1'"), "PUBLISH t '1' q1 #1");
    EXPECT_EQ(pair.publish(0x34, "<t> 0002 {} '2'"), "PUBLISH t '2' q2 #2");
    EXPECT_EQ(pair.publish(0x34, "<t> 0003 {} '3'"), "PUBLISH t '3' q2 #3");
    pair.tap->send(packet(0x50, "0003"));
    pair.world.advance(5s);
    EXPECT_EQ(pair.tap->text(), "PUBREL #3") << "time alone brings nothing again";
    pair.tap->drop();
    EXPECT_EQ(pair.back().text(), "CONNACK 0x0 present; PUBREL #3; PUBLISH t '1' q1 #1 dup; PUBLISH t '2' q2 #2 dup");
}

TEST(Mqtt5, MQTT_3_3_1_2_MQTT_3_3_1_3_MQTT_4_3_1_1_MQTT_4_3_2_2_MQTT_4_3_3_2_dup_of_a_publisher_does_not_show) {
    Pair pair;
    EXPECT_EQ(answer(v5, packet(0x38, "<t> {}")), refusal(v5, 0x81)) << "DUP with QoS 0";
    EXPECT_EQ(pair.publish(0x30, "<t> {}"), "PUBLISH t ''");
    EXPECT_EQ(pair.publish(0x3A, "<t> 0001 {}"), "PUBLISH t '' q1 #1");
    EXPECT_EQ(pair.publish(0x3C, "<t> 0002 {}"), "PUBLISH t '' q2 #2");
}

TEST(Mqtt5, MQTT_3_3_1_4_qos_3_is_malformed) {
    EXPECT_EQ(answer(v5, packet(0x36, "<t> 0001 {}")), refusal(v5, 0x81));
    EXPECT_EQ(answer(v5, packet(0x3E, "<t> {}")), refusal(v5, 0x81));
}

TEST(Mqtt5, MQTT_3_3_1_5_MQTT_3_3_1_6_MQTT_3_3_1_7_MQTT_3_3_1_8_what_is_retained_is_replaced_removed_and_otherwise_left) {
    World world;
    Client& publisher = connected(world, v5, "p");
    const auto kept = [&](const char* name) {
        Client& tap = connected(world, v5, name);
        tap.send(packet(0x82, "0001 {} <t> 02"));
        return tap.text();
    };
    publisher.send(packet(0x33, "<t> 0001 {} 'old'"));
    EXPECT_EQ(kept("a"), "SUBACK #1 0x2; PUBLISH t 'old' q1 #1 retain");
    publisher.send(packet(0x35, "<t> 0002 {} 'new'") + packet(0x30, "<t> {} 'not kept'") + packet(0x30, "<t> {}"));
    EXPECT_EQ(kept("b"), "SUBACK #1 0x2; PUBLISH t 'new' q2 #1 retain");
    Client& live = connected(world, v5, "live");
    live.send(packet(0x82, "0001 { } <t> 28"));  // retain as published, no retained messages
    publisher.send(packet(0x31, "<t> {}"));
    EXPECT_EQ(live.text(), "SUBACK #1 0x0; PUBLISH t '' retain") << "processed as usual";
    EXPECT_EQ(kept("c"), "SUBACK #1 0x2");
    publisher.send(packet(0x31, "<t> {}"));
    EXPECT_EQ(world.hub().counters().retained_messages, 0U);
}

TEST(Mqtt5, MQTT_3_3_1_9_MQTT_3_3_1_10_MQTT_3_3_1_11_retain_handling_says_when_retained_messages_come) {
    World world;
    connected(world, v5, "p").send(packet(0x31, "<t> {} 'x'"));
    Client& tap = connected(world, v5, "tap");
    const auto subscribe = [&](const char* options) {
        tap.send(packet(0x82, std::string("0001 {} <t> ") + options));
        return tap.text();
    };
    EXPECT_EQ(subscribe("20"), "SUBACK #1 0x0") << "2: never";
    EXPECT_EQ(subscribe("10"), "SUBACK #1 0x0") << "1: not for one that was there";
    EXPECT_EQ(subscribe("00"), "SUBACK #1 0x0; PUBLISH t 'x' retain");
    EXPECT_EQ(subscribe("00"), "SUBACK #1 0x0; PUBLISH t 'x' retain") << "0: each time";
    tap.send(packet(0xA2, "0002 {} <t>"));
    tap.take();
    EXPECT_EQ(subscribe("10"), "SUBACK #1 0x0; PUBLISH t 'x' retain") << "1: for a new one";
}

TEST(Mqtt5, MQTT_3_3_1_12_the_retain_flag_is_0_without_retain_as_published) {
    Pair pair("00");
    EXPECT_EQ(pair.publish(0x31, "<t> {} 'x'"), "PUBLISH t 'x'");
    EXPECT_EQ(pair.publish(0x30, "<t> {} 'x'"), "PUBLISH t 'x'");
}

TEST(Mqtt5, MQTT_3_3_1_13_with_it_the_flag_is_the_publishers) {
    Pair pair("0A");
    EXPECT_EQ(pair.publish(0x31, "<t> {} 'x'"), "PUBLISH t 'x' retain");
    EXPECT_EQ(pair.publish(0x33, "<t> 0001 {} 'x'"), "PUBLISH t 'x' q1 #1 retain");
    EXPECT_EQ(pair.publish(0x30, "<t> {} 'x'"), "PUBLISH t 'x'");
}

TEST(Mqtt5, MQTT_3_3_2_1_MQTT_3_3_2_2_MQTT_4_7_0_1_a_topic_is_text_without_wildcards_or_control_characters) {
    for (const char* topic :
         {"<+>", "<a/+>", "<#>", "<a/#>", "<a+b>", "0001 01", "0001 1F", "0001 7F", "0002 C29F", "0003 EFBFBF", "0009 'a'"})
        for (const unsigned first : {0x30U, 0x31U})
            EXPECT_EQ(answer(v5, packet(first, std::string(topic) + " {}")), refusal(v5, 0x81)) << topic;
}

TEST(Mqtt5, MQTT_3_3_2_3_MQTT_4_5_0_1_only_what_matches_comes_and_to_all_who_match) {
    World world;
    const char* const filters[]{"#", "+", "+/+", "a/b", "a/#", "a/+", "/+", "a/b/#", "+/b/+", "b/#", "a//+", "$x/#"};
    const char* const topics[]{"a", "a/b", "a/b/c", "/a", "a//b", "$x/a", "b"};
    std::vector<Client*> taps;
    for (const char* filter : filters) {
        taps.push_back(&connected(world, v5, fmt::format("tap {}", filter)));
        taps.back()->send(packet(0x82, fmt::format("0001 {{}} <{}> 00", filter)));
        taps.back()->take();
    }
    Client& publisher = connected(world, v5, "p");
    for (const char* topic : topics) {
        publisher.send(packet(0x30, fmt::format("<{}> {{}}", topic)));
        for (std::size_t i = 0; i < taps.size(); ++i)
            EXPECT_EQ(taps[i]->text(), data::filter_matches(filters[i], topic) ? fmt::format("PUBLISH {} ''", topic) : "")
                << filters[i] << ' ' << topic;
    }
}

TEST(Mqtt5, MQTT_3_3_2_4_MQTT_3_3_2_15_MQTT_3_3_2_16_MQTT_3_3_2_17_MQTT_3_3_2_18_MQTT_3_3_2_20_properties_pass_through_as_they_are) {
    Pair pair("00");
    const std::string properties = "26 <b> <1> 01 01 08 <answers/here> 26 <a> <2> 09 0004 00FF00FF 03 <text/x> 26 <b> <1>";
    pair.publisher->send(packet(0x30, "<t> { " + properties + " } 'x'"));
    EXPECT_EQ(hex(pair.tap->take_bytes()), hex(packet(0x30, "<t> { " + properties + " } 'x'")));
    for (const char* format : {"00", "01"})
        EXPECT_EQ(pair.publish(0x30, std::string("<t> { 01 ") + format + " } FF"), std::string("PUBLISH t '\xFF' format=") + format[1])
            << "the payload is not judged";
}

TEST(Mqtt5, MQTT_3_3_2_5_MQTT_3_3_2_6_a_message_expires_and_says_how_long_it_has_left) {
    Pair pair("01");
    EXPECT_EQ(pair.publish(0x32, "<t> 0001 { 02 0000003C } 'now'"), "PUBLISH t 'now' q1 #1 expiry=60");
    pair.tap->drop();
    pair.publisher->send(packet(0x32, "<t> 0002 { 02 0000000A } 'short'") + packet(0x32, "<t> 0003 { 02 0000003C } 'long'"));
    pair.world.advance(14s);
    const auto text = pair.back().text();
    EXPECT_EQ(text, "CONNACK 0x0 present; PUBLISH t 'now' q1 #1 dup expiry=46; PUBLISH t 'long' q1 #2 expiry=46");
    EXPECT_EQ(pair.world.hub().counters().dropped_expired, 1U);
}

TEST(Mqtt5, MQTT_3_3_2_12_all_aliases_up_to_the_maximum_in_connack_are_taken) {
    World world;
    Client& tap = connected(world, v5, "tap");
    tap.send(packet(0x82, "0001 {} <#> 00"));
    tap.take();
    Client& publisher = connected(world, v5, "p");
    for (unsigned alias = 1; alias <= 16; ++alias) publisher.send(packet(0x30, fmt::format("<t{}> {{ 23 {:04X} }}", alias, alias)));
    for (unsigned alias = 16; alias >= 1; --alias) publisher.send(packet(0x30, fmt::format("<> {{ 23 {:04X} }}", alias)));
    const auto lines = tap.take();
    ASSERT_EQ(lines.size(), 32U);
    for (unsigned i = 0; i < 16; ++i) EXPECT_EQ(lines[i], lines[31 - i]);
    publisher.send(packet(0x30, "<other> { 23 0001 }") + packet(0x30, "<> { 23 0001 }"));
    EXPECT_EQ(tap.text(), "PUBLISH other ''; PUBLISH other ''") << "a new topic takes the alias";
    EXPECT_EQ(answer(v5, packet(0x30, "<t> { 23 0011 }")), refusal(v5, 0x94)) << "17";
    EXPECT_EQ(answer(v5, packet(0x30, "<t> { 23 0000 }")), refusal(v5, 0x94));
    EXPECT_EQ(answer(v5, packet(0x30, "<> { 23 0002 }")), refusal(v5, 0x82)) << "never set";
    EXPECT_EQ(answer(v5, packet(0x30, "<> {}")), refusal(v5, 0x81)) << "no topic at all";
}

TEST(Mqtt5, MQTT_3_1_2_26_MQTT_3_3_2_8_MQTT_3_3_2_11_aliases_to_a_client_keep_to_its_maximum) {
    Pair pair("00", "{ 22 0002 }");
    pair.tap->send(packet(0x82, "0001 {} <+> 00"));
    pair.tap->take();
    EXPECT_EQ(pair.publish(0x30, "<t> {} '1'"), "PUBLISH t '1' alias=1");
    EXPECT_EQ(pair.publish(0x30, "<t> {} '2'"), "PUBLISH  '2' alias=1") << "the topic is left out";
    EXPECT_EQ(pair.publish(0x30, "<u> {}"), "PUBLISH u '' alias=2");
    EXPECT_EQ(pair.publish(0x30, "<v> {}"), "PUBLISH v ''") << "both are taken";
    EXPECT_EQ(pair.publish(0x30, "<t> {}"), "PUBLISH  '' alias=1");
    EXPECT_EQ(pair.publish(0x30, "<v> {}"), "PUBLISH v '' alias=2") << "it comes often: it takes the place of the one unused for longest";
    EXPECT_EQ(pair.publish(0x30, "<v> { 23 0009 03 <c> }"), "PUBLISH  '' alias=2 3=c") << "the publisher's own alias is its own";
}

TEST(Mqtt5, MQTT_3_3_2_7_aliases_end_with_their_connection) {
    Pair pair("01", "{ 22 000A 11 00000064 }");
    EXPECT_EQ(pair.publish(0x32, "<t> 0001 { 23 0001 } '1'"), "PUBLISH t '1' q1 #1 alias=1");
    EXPECT_EQ(pair.publish(0x32, "<> 0002 { 23 0001 } '2'"), "PUBLISH  '2' q1 #2 alias=1");
    pair.tap->drop();
    EXPECT_EQ(pair.back("{ 22 000A 11 00000064 }").text(),
              "CONNACK 0x0 present; PUBLISH t '1' q1 #1 dup alias=1; PUBLISH  '2' q1 #2 dup alias=1");
    Client& without = pair.back();
    EXPECT_EQ(without.text(), "CONNACK 0x0 present; PUBLISH t '1' q1 #1 dup; PUBLISH t '2' q1 #2 dup");
    pair.publisher->drop();
    Client& again = connected(pair.world, v5, "p");
    again.send(packet(0x30, "<> { 23 0001 }"));
    EXPECT_EQ(again.text(), "DISCONNECT 0x82") << "nor those from a client";
}

TEST(Mqtt5, MQTT_3_1_2_27_without_a_maximum_no_alias_is_sent) {
    for (const char* properties : {"{}", "{ 22 0000 }"}) {
        Pair pair("00", properties);
        for (int i = 0; i < 3; ++i) EXPECT_EQ(pair.publish(0x30, "<t> { 23 0001 }"), "PUBLISH t ''");
    }
}

TEST(Mqtt5, MQTT_3_3_2_13_MQTT_3_3_2_14_a_response_topic_is_a_topic_name) {
    for (const char* topic : {"<#>", "<a/+/b>", "<+>", "<>"})
        EXPECT_EQ(answer(v5, packet(0x32, "<t> 0001 { 08 " + std::string(topic) + " }")), refusal(v5, 0x82)) << topic;
    EXPECT_EQ(answer(v5, packet(0x32, "<t> 0001 { 08 0002 C328 }")), refusal(v5, 0x81));
    EXPECT_EQ(answer(v5, packet(0x32, "<t> 0001 { 08 <a/b> }")), "PUBACK #1 0x10");
}

TEST(Mqtt5, MQTT_3_3_2_19_a_content_type_is_text) {
    EXPECT_EQ(answer(v5, packet(0x30, "<t> { 03 0001 00 }")), refusal(v5, 0x81));
    EXPECT_EQ(answer(v5, packet(0x30, "<t> { 03 0003 EDA080 }")), refusal(v5, 0x81));
}

TEST(Mqtt5, MQTT_3_3_4_1_MQTT_4_3_2_4_MQTT_4_3_3_8_a_publish_is_answered_as_its_qos_demands) {
    EXPECT_EQ(raw_answer(v5, packet(0x30, "<t> {}")), "");
    EXPECT_EQ(raw_answer(v5, packet(0x32, "<t> 0102 {}")), "40 03 01 02 10") << "nobody wants it, and 5.0 has a word for that";
    EXPECT_EQ(raw_answer(v5, packet(0x82, "0001 {} <t> 00") + packet(0x32, "<t> 0102 {}")),
              "90 04 00 01 00 00 30 04 00 01 74 00 40 02 01 02");
    EXPECT_EQ(raw_answer(v5, packet(0x34, "<t> 0102 {}")), "50 02 01 02");
    World world;
    world.next_ticket = 1;
    Client& client = connected(world, v5);
    client.send(packet(0x32, "<t> 0102 {}"));
    EXPECT_EQ(client.text(), "");
    world.hub().on_durable(1);
    EXPECT_EQ(client.text(), "PUBACK #258") << "something of it was stored: somebody wanted it";
}

TEST(Mqtt5, MQTT_3_3_4_2_MQTT_3_3_4_3_MQTT_3_3_4_4_overlapping_subscriptions_give_one_copy_with_all_identifiers) {
    World world;
    Client& tap = connected(world, v5, "tap");
    tap.send(packet(0x82, "0001 { 0B 01 } <a/#> 00") + packet(0x82, "0002 { 0B FFFFFF7F } <+/b> 02") + packet(0x82, "0003 {} <a/b> 01"));
    tap.take();
    Client& publisher = connected(world, v5, "p");
    publisher.send(packet(0x34, "<a/b> 0001 {} 'x'"));
    const auto text = tap.text();
    EXPECT_TRUE(text == "PUBLISH a/b 'x' q2 #1 id=1 id=268435455" || text == "PUBLISH a/b 'x' q2 #1 id=268435455 id=1") << text;
}

TEST(Mqtt5, MQTT_3_3_4_6_a_subscription_identifier_from_a_client_is_a_protocol_error) {
    EXPECT_EQ(answer(v5, packet(0x30, "<t> { 0B 01 }")), refusal(v5, 0x82));
    EXPECT_EQ(answer(v5, packet(0x32, "<t> 0001 { 0B 01 }")), refusal(v5, 0x82));
}

TEST(Mqtt5, MQTT_3_3_4_7_more_unacknowledged_than_the_receive_maximum_ends_the_connection) {
    hub::Limits limits{.receive_maximum = 3};
    for (const unsigned first : {0x32U, 0x34U}) {
        World world(1, limits);
        world.next_ticket = 1;  // nothing is acknowledged until it is stored
        Client& client = connected(world, v5);
        for (unsigned id = 1; id <= 3; ++id) client.send(packet(first, fmt::format("<t> {:04X} {{}}", id)));
        EXPECT_FALSE(client.closed());
        if (first == 0x34U) {
            world.hub().on_durable(3);
            EXPECT_EQ(client.text(), "PUBREC #1; PUBREC #2; PUBREC #3") << "not through before PUBREL";
            client.send(packet(0x34, "<t> 0002 {}"));
            EXPECT_EQ(client.text(), "PUBREC #2") << "one that is there already";
        }
        client.send(packet(first, "<t> 0004 {}"));
        EXPECT_EQ(client.text(), "DISCONNECT 0x93");
        EXPECT_TRUE(client.closed());
    }
}

TEST(Mqtt5, MQTT_3_3_4_9_MQTT_4_9_0_1_MQTT_4_9_0_2_no_more_is_under_way_than_the_client_takes) {
    Pair pair("02", "{ 21 0002 11 00000064 }");
    for (unsigned id = 1; id <= 3; ++id) pair.publisher->send(packet(0x34, fmt::format("<t> {:04X} {{}} '{}'", id, id)));
    EXPECT_EQ(pair.tap->text(), "PUBLISH t '1' q2 #1; PUBLISH t '2' q2 #2");
    EXPECT_EQ(pair.publish(0x30, "<t> {} 'free'"), "PUBLISH t 'free'") << "QoS 0 does not count";
    pair.tap->send(packet(0x50, "0001"));
    EXPECT_EQ(pair.tap->text(), "PUBREL #1") << "not through before PUBCOMP";
    pair.tap->send(packet(0x70, "0001"));
    EXPECT_EQ(pair.tap->text(), "PUBLISH t '3' q2 #3");
    pair.tap->send(packet(0x50, "0002 80"));
    pair.publisher->send(packet(0x34, "<t> 0004 {} '4'"));
    EXPECT_EQ(pair.tap->text(), "PUBLISH t '4' q2 #4") << "a PUBREC with an error frees a place";
}

TEST(Mqtt5, MQTT_3_3_4_10_MQTT_4_9_0_3_with_a_full_window_everything_else_goes_on) {
    Pair pair("02", "{ 21 0001 11 00000064 }");
    for (unsigned id = 1; id <= 2; ++id) pair.publisher->send(packet(0x34, fmt::format("<t> {:04X} {{}}", id)));
    EXPECT_EQ(pair.tap->text(), "PUBLISH t '' q2 #1");
    pair.tap->send(packet(0xC0, "") + packet(0x82, "0007 {} <u> 00") + packet(0x32, "<u> 0009 {}") + packet(0xA2, "0008 {} <u>"));
    EXPECT_EQ(pair.tap->text(), "PINGRESP; SUBACK #7 0x0; PUBLISH u ''; PUBACK #9; UNSUBACK #8 0x0");
    // A session that returns with a smaller window gets all its PUBRELs at once.
    Pair wide;
    for (unsigned id = 1; id <= 4; ++id) wide.publisher->send(packet(0x34, fmt::format("<t> {:04X} {{}}", id)));
    for (unsigned id = 2; id <= 4; ++id) wide.tap->send(packet(0x50, fmt::format("{:04X}", id)));
    wide.tap->drop();
    EXPECT_EQ(wide.back("{ 21 0001 }").text(), "CONNACK 0x0 present; PUBREL #2; PUBREL #3; PUBREL #4");
}

TEST(Mqtt5, MQTT_3_4_2_1_MQTT_3_5_2_1_MQTT_3_6_2_1_MQTT_3_7_2_1_only_reason_codes_of_the_packets_table_are_taken) {
    for (unsigned code = 0; code < 256; ++code) {
        for (const unsigned first : {0x40U, 0x50U, 0x62U, 0x70U}) {
            const auto told = answer(v5, packet(first, fmt::format("0001 {:02X}", code)));
            const bool publish_ack = code == 0 || code == 0x10 || code == 0x80 || code == 0x83 || code == 0x87 || code == 0x90 ||
                                     code == 0x91 || code == 0x97 || code == 0x99;
            const bool known = first < 0x60 ? publish_ack : code == 0 || code == 0x92;
            EXPECT_EQ(told == refusal(v5, 0x82), !known) << first << ' ' << code;
        }
    }
    Gate gate;
    World world(1, {}, &gate);
    Client& client = greet(world, v5, packet(0x10, "<MQTT> 05 82 000A {} <c> <ana>"));
    client.take();
    client.send(packet(0x32, "<secret/x> 0001 {}") + packet(0x34, "<secret/x> 0002 {}") + packet(0x32, "<open> 0003 {}"));
    EXPECT_EQ(hex(client.take_bytes()), "40 03 00 01 87 50 03 00 02 87 40 03 00 03 10");
}

TEST(
    Mqtt5,
    MQTT_3_4_2_2_MQTT_3_4_2_3_MQTT_3_5_2_2_MQTT_3_5_2_3_MQTT_3_6_2_2_MQTT_3_6_2_3_MQTT_3_7_2_2_MQTT_3_7_2_3_acknowledgements_have_no_properties) {
    Gate gate;
    World world(1, {}, &gate);
    Client& client = greet(world, v5, packet(0x10, "<MQTT> 05 82 000A { 17 01 } <c> <ana>"));
    client.send(packet(0x82, "0001 {} <t> 02"));
    client.take();
    client.send(packet(0x32, "<secret/x> 0001 {}") + packet(0x34, "<secret/x> 0002 {}"));
    EXPECT_EQ(hex(client.take_bytes()), "40 03 00 01 87 50 03 00 02 87");
    client.send(packet(0x34, "<t> 0001 {}") + packet(0x50, "0001") + packet(0x62, "0001"));
    EXPECT_EQ(hex(client.take_bytes()), "34 06 00 01 74 00 01 00 50 02 00 01 62 02 00 01 70 02 00 01");
}

TEST(Mqtt5, MQTT_3_6_1_1_pubrel_has_flags_0010) {
    for (unsigned flags = 0; flags < 16; ++flags)
        EXPECT_EQ(answer(v5, packet(0x60 | flags, "0001")), flags == 2 ? "PUBCOMP #1" : refusal(v5, 0x81));
}

TEST(Mqtt5, MQTT_4_3_2_3_MQTT_4_3_3_3_MQTT_4_3_3_5_MQTT_4_3_3_6_nothing_is_forgotten_before_its_acknowledgement) {
    Pair pair;
    pair.publish(0x32, "<t> 0001 {} '1'");
    pair.publish(0x34, "<t> 0002 {} '2'");
    pair.tap->drop();
    Client& second = pair.back();
    EXPECT_EQ(second.text(), "CONNACK 0x0 present; PUBLISH t '1' q1 #1 dup; PUBLISH t '2' q2 #2 dup");
    second.send(packet(0x40, "0001") + packet(0x50, "0002"));
    EXPECT_EQ(second.text(), "PUBREL #2");
    second.drop();
    Client& third = pair.back();
    EXPECT_EQ(third.text(), "CONNACK 0x0 present; PUBREL #2") << "no PUBLISH after PUBREL";
    third.send(packet(0x70, "0002"));
    third.drop();
    EXPECT_EQ(pair.back().text(), "CONNACK 0x0 present");
}

TEST(Mqtt5, MQTT_4_3_3_4_a_pubrec_below_80_is_answered_by_pubrel_with_its_identifier) {
    Pair pair;
    pair.publish(0x34, "<t> 0001 {}");
    pair.tap->send(packet(0x50, "0001 10"));
    EXPECT_EQ(pair.tap->text(), "PUBREL #1");
    pair.tap->send(packet(0x50, "0001"));
    EXPECT_EQ(pair.tap->text(), "PUBREL #1") << "once more";
    EXPECT_EQ(answer(v5, packet(0x50, "0009")), "PUBREL #9") << "one that is not known: so that the client can go on";
    EXPECT_EQ(answer(v5, packet(0x50, "0009 80")), "");
}

TEST(Mqtt5, MQTT_4_3_3_7_what_was_sent_does_not_expire) {
    Pair pair;
    EXPECT_EQ(pair.publish(0x34, "<t> 0001 { 02 00000001 } 'x'"), "PUBLISH t 'x' q2 #1 expiry=1");
    pair.world.advance(10s);
    pair.tap->drop();
    EXPECT_EQ(pair.back().text(), "CONNACK 0x0 present; PUBLISH t 'x' q2 #1 dup expiry=0");
}

TEST(Mqtt5, MQTT_4_3_2_5_MQTT_4_3_3_12_after_the_last_acknowledgement_an_identifier_is_new) {
    World world;
    Client& client = connected(world, v5);
    client.send(packet(0x32, "<t> 0001 {} 'a'") + packet(0x3A, "<t> 0001 {} 'b'"));
    EXPECT_EQ(client.text(), "PUBACK #1 0x10; PUBACK #1 0x10");
    client.send(packet(0x34, "<t> 0001 {} 'c'") + packet(0x62, "0001") + packet(0x3C, "<t> 0001 {} 'd'"));
    EXPECT_EQ(client.text(), "PUBREC #1; PUBCOMP #1; PUBREC #1");
    EXPECT_EQ(world.seen.size(), 4U);
}

TEST(Mqtt5, MQTT_4_3_3_9_after_a_pubrec_with_an_error_an_identifier_is_new) {
    Gate gate;
    World world(1, {}, &gate);
    Client& client = greet(world, v5, packet(0x10, "<MQTT> 05 82 000A {} <c> <ana>"));
    client.take();
    client.send(packet(0x34, "<secret/x> 0001 {}") + packet(0x34, "<t> 0001 {}"));
    EXPECT_EQ(client.text(), "PUBREC #1 0x87; PUBREC #1");
    EXPECT_EQ(world.seen.size(), 1U);
}

TEST(Mqtt5, MQTT_4_3_3_10_until_pubrel_each_copy_is_acknowledged_and_none_delivered_again) {
    World world;
    Client& client = connected(world, v5);
    client.send(packet(0x34, "<t> 0001 {} 'a'") + packet(0x3C, "<t> 0001 {} 'a'") + packet(0x3C, "<t> 0001 {} 'b'"));
    EXPECT_EQ(client.text(), "PUBREC #1; PUBREC #1; PUBREC #1") << "three times is no error";
    EXPECT_EQ(world.seen.size(), 1U);
}

TEST(Mqtt5, MQTT_4_3_3_11_pubrel_is_answered_by_pubcomp_with_its_identifier_known_or_not) {
    EXPECT_EQ(answer(v5, packet(0x34, "<t> 0007 {}") + packet(0x62, "0007") + packet(0x62, "0007")), "PUBREC #7; PUBCOMP #7; PUBCOMP #7");
    EXPECT_EQ(answer(v5, packet(0x62, "0008 92")), "PUBCOMP #8");
}

TEST(Mqtt5, MQTT_4_3_3_13_the_exchange_is_completed_even_if_the_message_expired) {
    World world;
    Client& client = connected(world, v5);
    client.send(packet(0x34, "<t> 0001 { 02 00000000 }"));
    world.advance(5s);
    client.send(packet(0x62, "0001"));
    EXPECT_EQ(client.text(), "PUBREC #1; PUBCOMP #1");
}

TEST(Mqtt5, MQTT_4_4_0_2_an_acknowledgement_of_80_or_above_is_one) {
    Pair pair;
    pair.publish(0x32, "<t> 0001 {}");
    pair.publish(0x34, "<t> 0002 {}");
    pair.tap->send(packet(0x40, "0001 80") + packet(0x50, "0002 97"));
    pair.tap->drop();
    EXPECT_EQ(pair.back().text(), "CONNACK 0x0 present");
}

TEST(Mqtt5, MQTT_4_6_0_2_MQTT_4_6_0_3_acknowledgements_keep_the_order_of_their_publishes) {
    World world;
    world.next_ticket = 1;
    Client& client = connected(world, v5);
    client.send(packet(0x82, "0001 {} <t> 00"));
    for (const unsigned id : {5U, 2U, 9U})
        client.send(packet(0x32, fmt::format("<t> {:04X} {{}}", id)) + packet(0x34, fmt::format("<t> {:04X} {{}}", id + 100)));
    client.take();
    world.hub().on_durable(6);
    EXPECT_EQ(client.text(), "PUBACK #5; PUBREC #105; PUBACK #2; PUBREC #102; PUBACK #9; PUBREC #109");
}

TEST(Mqtt5, MQTT_4_6_0_4_pubrels_keep_the_order_of_their_pubrecs) {
    Pair pair;
    for (unsigned id = 1; id <= 3; ++id) pair.publisher->send(packet(0x34, fmt::format("<t> {:04X} {{}}", id)));
    pair.tap->take();
    pair.tap->send(packet(0x50, "0003") + packet(0x50, "0001") + packet(0x50, "0002"));
    EXPECT_EQ(pair.tap->text(), "PUBREL #3; PUBREL #1; PUBREL #2");
}

TEST(Mqtt5, MQTT_4_6_0_5_MQTT_4_6_0_6_messages_keep_their_order_through_windows_and_returns) {
    Pair pair("02", "{ 21 0002 11 00000064 }");
    for (unsigned id = 1; id <= 6; ++id) pair.publisher->send(packet(0x32, fmt::format("<t> {:04X} {{}} '{}'", id, id)));
    EXPECT_EQ(pair.tap->text(), "PUBLISH t '1' q1 #1; PUBLISH t '2' q1 #2");
    pair.tap->drop();
    Client& back = pair.back("{ 21 0003 11 00000064 }");
    EXPECT_EQ(back.text(), "CONNACK 0x0 present; PUBLISH t '1' q1 #1 dup; PUBLISH t '2' q1 #2 dup; PUBLISH t '3' q1 #3");
    for (unsigned id = 1; id <= 3; ++id) back.send(packet(0x40, fmt::format("{:04X}", id)));
    EXPECT_EQ(back.text(), "PUBLISH t '4' q1 #4; PUBLISH t '5' q1 #5; PUBLISH t '6' q1 #6");
}

}  // namespace
}  // namespace sluice::conformance

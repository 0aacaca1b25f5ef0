// MQTT 5.0 §3.8 to §3.12 and §4.7, §4.8: subscriptions.
#include <gtest/gtest.h>

#include "raw.hpp"

namespace sluice::conformance {
namespace {

using namespace std::chrono_literals;

TEST(Mqtt5, MQTT_3_8_1_1_MQTT_3_10_1_1_subscribe_and_unsubscribe_have_flags_0010) {
    for (unsigned flags = 0; flags < 16; ++flags) {
        EXPECT_EQ(answer(v5, packet(0x80 | flags, "0001 {} <t> 00")), flags == 2 ? "SUBACK #1 0x0" : refusal(v5, 0x81));
        EXPECT_EQ(answer(v5, packet(0xA0 | flags, "0001 {} <t>")), flags == 2 ? "UNSUBACK #1 0x11" : refusal(v5, 0x81));
    }
}

TEST(Mqtt5, MQTT_3_8_3_1_MQTT_3_10_3_1_MQTT_4_7_3_1_filters_are_text_and_not_empty) {
    for (const char* filter : {"0002 C328", "0005 746F700000", "0003 EDA080", "0002 6101", "0002 617F", "<>"}) {
        EXPECT_EQ(answer(v5, packet(0x82, "0001 {} " + std::string(filter) + " 00")), refusal(v5, 0x81)) << filter;
        EXPECT_EQ(answer(v5, packet(0x82, "0001 {} <t> 00 " + std::string(filter) + " 00")), refusal(v5, 0x81)) << filter;
        EXPECT_EQ(answer(v5, packet(0xA2, "0001 {} " + std::string(filter))), refusal(v5, 0x81)) << filter;
    }
    EXPECT_EQ(answer(v5, packet(0x30, "<> {}")), refusal(v5, 0x81)) << "nor is a topic";
}

TEST(Mqtt5, MQTT_3_8_3_2_MQTT_3_10_3_2_there_is_at_least_one_filter_and_it_is_whole) {
    for (const char* rest : {"0001 {}", "0001 {} 00", "0001 {} 0001", "0001 {} 0002 61", "0001 {} <t>", "0001", "00", ""}) {
        EXPECT_EQ(answer(v5, packet(0x82, rest)), refusal(v5, 0x81)) << rest;
        const auto told = answer(v5, packet(0xA2, rest));
        EXPECT_EQ(told, std::string_view(rest).ends_with("<t>") ? "UNSUBACK #1 0x11" : refusal(v5, 0x81)) << rest;
    }
}

TEST(Mqtt5, MQTT_3_8_3_3_no_local_keeps_a_clients_own_messages_from_it) {
    World world;
    Client& client = connected(world, v5);
    client.send(packet(0x82, "0001 {} <t> 04") + packet(0x30, "<t> {} 'mine'") + packet(0x32, "<t> 0002 {} 'mine'"));
    EXPECT_EQ(client.text(), "SUBACK #1 0x0; PUBACK #2 0x10");
    connected(world, v5, "d").send(packet(0x30, "<t> {} 'theirs'"));
    EXPECT_EQ(client.text(), "PUBLISH t 'theirs'");
    client.send(packet(0x82, "0001 {} <+> 00") + packet(0x30, "<t> {} 'mine'"));
    EXPECT_EQ(client.text(), "SUBACK #1 0x0; PUBLISH t 'mine'") << "another subscription of it wants them";
}

TEST(Mqtt5, MQTT_3_8_3_4_no_local_on_a_shared_subscription_is_a_protocol_error) {
    EXPECT_EQ(answer(v5, packet(0x82, "0001 {} <$share/g/t> 04")), refusal(v5, 0x82));
}

TEST(Mqtt5, MQTT_3_8_3_5_options_that_mean_nothing_are_malformed) {
    for (unsigned options = 0; options < 256; ++options) {
        const bool good = (options & 3) != 3 && (options & 0x30) != 0x30 && (options & 0xC0) == 0;
        const auto told = answer(v5, packet(0x82, fmt::format("0001 {{}} <t> {:02X}", options)));
        EXPECT_EQ(told, good ? fmt::format("SUBACK #1 {:#x}", options & 3) : refusal(v5, 0x81)) << options;
    }
}

TEST(Mqtt5,
     MQTT_3_8_4_1_MQTT_3_8_4_5_MQTT_3_8_4_6_MQTT_3_8_4_7_MQTT_3_9_3_1_MQTT_3_9_3_2_one_suback_has_the_codes_of_all_filters_in_order) {
    Gate gate;
    World world(1, {.subscriptions_per_session_max = 5}, &gate);
    Client& client = greet(world, v5, packet(0x10, "<MQTT> 05 82 0000 {} <c> <ana>"));
    client.take();
    client.send(packet(0x82, "0007 {} <a> 02 <secret/#> 01 <b> 00 <$share/g/c> 01 <d> 02 <e> 02"));
    EXPECT_EQ(hex(client.take_bytes()), "90 09 00 07 00 02 87 00 01 02 97");
    EXPECT_EQ(world.hub().counters().subscriptions, 4U) << "what could be granted holds";
}

TEST(Mqtt5, MQTT_3_8_4_3_MQTT_3_8_4_4_a_subscription_is_replaced_without_losing_anything) {
    World world;
    Client& publisher = connected(world, v5, "p");
    publisher.send(packet(0x31, "<t> {} 'kept'"));
    Client& tap = connected(world, v5, "tap");
    tap.send(packet(0x82, "0001 { 0B 01 } <t> 22"));
    publisher.send(packet(0x34, "<t> 0001 {} 'before'"));
    tap.send(packet(0x82, "0002 { 0B 02 } <t> 01"));
    publisher.send(packet(0x34, "<t> 0002 {} 'after'"));
    EXPECT_EQ(tap.text(),
              "SUBACK #1 0x2; PUBLISH t 'before' q2 #1 id=1; SUBACK #2 0x1; PUBLISH t 'kept' retain id=2; PUBLISH t 'after' q1 #2 id=2");
    EXPECT_EQ(world.hub().counters().subscriptions, 1U);
}

TEST(Mqtt5, MQTT_3_8_4_8_the_lower_qos_of_publisher_and_subscription_counts) {
    for (unsigned granted = 0; granted < 3; ++granted)
        for (unsigned published = 0; published < 3; ++published) {
            World world;
            Client& tap = connected(world, v5, "tap");
            tap.send(packet(0x82, fmt::format("0001 {{}} <t> {:02X}", granted)));
            tap.take();
            connected(world, v5, "p").send(packet(0x30 | published << 1, published == 0 ? "<t> {}" : "<t> 0001 {}"));
            const auto qos = std::min(granted, published);
            EXPECT_EQ(tap.text(), qos == 0 ? "PUBLISH t ''" : fmt::format("PUBLISH t '' q{} #1", qos));
        }
}

TEST(Mqtt5, MQTT_3_9_2_1_MQTT_3_9_2_2_MQTT_3_11_2_1_MQTT_3_11_2_2_reason_strings_in_suback_give_way_to_the_maximum_packet_size) {
    Gate gate;
    for (const auto& [most, words] : {std::pair{"00000100", true}, std::pair{"00000020", false}}) {
        World world(1, {}, &gate);
        Client& client = greet(world, v5, packet(0x10, fmt::format("<MQTT> 05 82 0000 {{ 17 01 27 {} }} <c> <ana>", most)));
        client.take();
        client.send(packet(0x82, "0001 {} <secret/x> 00"));
        const auto sent = client.take_bytes();
        EXPECT_EQ(sent.size() > 8, words);
        EXPECT_EQ(sent.back(), 0x87);
        EXPECT_EQ(base::as_text(sent).find("may not subscribe") != std::string_view::npos, words);
        client.send(packet(0xA2, "0001 {} <nothing>"));
        EXPECT_EQ(hex(client.take_bytes()), "B0 04 00 01 00 11") << "nothing needs words";
    }
}

TEST(Mqtt5, MQTT_3_10_4_1_MQTT_3_10_4_2_a_filter_is_removed_if_it_is_the_same_and_nothing_more_comes) {
    World world;
    Client& tap = connected(world, v5, "tap");
    tap.send(packet(0x82, "0001 {} <a/+> 00 <a/#> 00 <A/+> 00"));
    tap.send(packet(0xA2, "0002 {} <a/b>") + packet(0xA2, "0003 {} <+/+>") + packet(0xA2, "0004 {} <a/+>"));
    EXPECT_EQ(tap.text(), "SUBACK #1 0x0 0x0 0x0; UNSUBACK #2 0x11; UNSUBACK #3 0x11; UNSUBACK #4 0x0");
    Client& publisher = connected(world, v5, "p");
    publisher.send(packet(0x30, "<a/b> {}"));
    EXPECT_EQ(tap.text(), "PUBLISH a/b ''") << "by the other one";
    tap.send(packet(0xA2, "0005 {} <a/#>"));
    publisher.send(packet(0x30, "<a/b> {}"));
    EXPECT_EQ(tap.text(), "UNSUBACK #5 0x0");
}

TEST(Mqtt5, MQTT_3_10_4_3_what_was_begun_is_completed_after_unsubscribe) {
    World world(1, {.inflight_max = 1});
    Client& tap = connected(world, v5, "tap");
    tap.send(packet(0x82, "0001 {} <t> 02"));
    Client& publisher = connected(world, v5, "p");
    publisher.send(packet(0x34, "<t> 0001 {} '1'") + packet(0x34, "<t> 0002 {} '2'"));
    tap.send(packet(0xA2, "0002 {} <t>"));
    tap.take();
    tap.send(packet(0x50, "0001") + packet(0x70, "0001"));
    EXPECT_EQ(tap.text(), "PUBREL #1; PUBLISH t '2' q2 #2") << "what was queued already comes too";
}

TEST(Mqtt5, MQTT_3_10_4_4_MQTT_3_10_4_5_MQTT_3_10_4_6_MQTT_3_11_3_1_MQTT_3_11_3_2_one_unsuback_has_the_codes_of_all_filters_in_order) {
    EXPECT_EQ(
        raw_answer(v5, packet(0x82, "0001 {} <a> 00 <$share/g/b> 00") + packet(0xA2, "0009 {} <b> <a> <$share/g/b> <$share/h/b> <a>")),
        "90 05 00 01 00 00 00 B0 08 00 09 00 11 00 00 11 11");
}

TEST(Mqtt5, MQTT_3_12_4_1_pingreq_is_answered_by_pingresp) {
    EXPECT_EQ(raw_answer(v5, bytes("C0 00")), "D0 00");
    EXPECT_EQ(answer(v5, packet(0xC0, "00")), refusal(v5, 0x81)) << "it has no body";
}

TEST(Mqtt5, MQTT_4_7_1_1_MQTT_4_7_1_2_wildcards_are_whole_levels_and_hash_is_the_last) {
    for (const char* filter : {"a/#/b", "a#", "#a", "a/b#", "##", "#/", "a+", "+a", "a/b+/c", "++", "a/++"})
        EXPECT_EQ(answer(v5, packet(0x82, fmt::format("0001 {{}} <{}> 00", filter))), refusal(v5, 0x81)) << filter;
    for (const char* filter : {"#", "+", "a/#", "+/#", "+/a/+", "/+", "a/+/", "+/+/+/#"})
        EXPECT_EQ(answer(v5, packet(0x82, fmt::format("0001 {{}} <{}> 00", filter))), "SUBACK #1 0x0") << filter;
}

TEST(Mqtt5, MQTT_4_7_2_1_wildcards_at_the_first_level_do_not_match_dollar_topics) {
    World world;
    Client& tap = connected(world, v5, "tap");
    tap.send(packet(0x82, "0001 {} <#> 00 <+/x> 00 <+/#> 00"));
    tap.take();
    Client& publisher = connected(world, v5, "p");
    publisher.send(packet(0x30, "<$own/x> {}"));
    EXPECT_EQ(tap.text(), "");
    tap.send(packet(0x82, "0001 {} <$own/#> 00"));
    publisher.send(packet(0x30, "<$own/x> {}"));
    EXPECT_EQ(tap.text(), "SUBACK #1 0x0; PUBLISH $own/x ''");
}

TEST(Mqtt5, MQTT_4_7_3_3_topics_and_filters_may_have_65535_bytes) {
    const std::string longest(65'535, 'x');
    World world;
    Client& tap = connected(world, v5, "tap");
    tap.send(packet(0x82, "0001 {} <" + longest + "> 00"));
    EXPECT_EQ(tap.text(), "SUBACK #1 0x0");
    connected(world, v5, "p").send(packet(0x30, "<" + longest + "> {} 'y'"));
    EXPECT_EQ(tap.text(), "PUBLISH " + longest + " 'y'");
}

TEST(Mqtt5, MQTT_4_7_3_4_topics_are_compared_byte_for_byte) {
    World world;
    Client& tap = connected(world, v5, "tap");
    tap.send(packet(0x82, "0001 {} 0002 C3A9 00 <a//b> 00 <Accounts payable> 00"));  // é in one character
    tap.take();
    Client& publisher = connected(world, v5, "p");
    publisher.send(packet(0x30, "0003 65CC81 {}") + packet(0x30, "<a/b> {}") + packet(0x30, "<accounts payable> {}") +
                   packet(0x30, "<a//b/> {}"));
    EXPECT_EQ(tap.text(), "") << "é in two characters, another case, another level";
    publisher.send(packet(0x30, "0002 C3A9 {}") + packet(0x30, "<a//b> {}") + packet(0x30, "<Accounts payable> {}"));
    EXPECT_EQ(tap.take().size(), 3U);
}

TEST(Mqtt5, MQTT_4_8_2_1_MQTT_4_8_2_2_a_shared_filter_has_a_group_without_wildcards_and_a_filter) {
    for (const char* filter : {"$share//t", "$share/g", "$share/", "$share/g/", "$share/+/t", "$share/#"}) {
        EXPECT_EQ(answer(v5, packet(0x82, fmt::format("0001 {{}} <{}> 00", filter))), refusal(v5, 0x82)) << filter;
        EXPECT_EQ(answer(v5, packet(0xA2, fmt::format("0001 {{}} <{}>", filter))), refusal(v5, 0x82)) << filter;
    }
    for (const char* filter : {"$share/#/t", "$share/g+/t", "$share/+g/t", "$share/g/a#", "$share/g/#/a"})
        EXPECT_EQ(answer(v5, packet(0x82, fmt::format("0001 {{}} <{}> 00", filter))), refusal(v5, 0x81)) << filter;
    for (const char* filter : {"$share/g/t", "$share/g/#", "$share/g//", "$share/g/+/x", "$sharex/g", "$share"})
        EXPECT_EQ(answer(v5, packet(0x82, fmt::format("0001 {{}} <{}> 00", filter))), "SUBACK #1 0x0") << filter;
}

/// Two members of a group, of which only the first is connected when a message comes.
struct Members {
    explicit Members(const char* options = "02") {
        one = &greet(world, v5, packet(0x10, "<MQTT> 05 00 000A { 11 00000064 } <one>"));
        one->send(packet(0x82, std::string("0001 {} <$share/g/t> ") + options));
        publisher = &connected(world, v5, "p");
        one->take();
    }
    Client& join() {
        two = &connected(world, v5, "two");
        two->send(packet(0x82, "0001 {} <$share/g/t> 02"));
        two->take();
        return *two;
    }
    World world;
    Client* one;
    Client* two = nullptr;
    Client* publisher;
};

TEST(Mqtt5, MQTT_4_8_2_3_a_member_gets_its_granted_qos) {
    Members members("01");
    members.publisher->send(packet(0x34, "<t> 0001 {}"));
    EXPECT_EQ(members.one->text(), "PUBLISH t '' q1 #1");
}

TEST(Mqtt5, MQTT_4_8_2_4_a_qos_2_message_that_was_begun_is_completed_with_its_member) {
    Members members;
    members.publisher->send(packet(0x34, "<t> 0001 {} 'x'"));
    members.one->take();
    Client& two = members.join();
    members.one->drop();
    Client& back = greet(members.world, v5, packet(0x10, "<MQTT> 05 00 000A { 11 00000064 } <one>"));
    EXPECT_EQ(back.text(), "CONNACK 0x0 present; PUBLISH t 'x' q2 #1 dup");
    EXPECT_EQ(two.text(), "");
}

TEST(Mqtt5, MQTT_4_8_2_5_when_its_session_ends_no_other_member_gets_it) {
    Members members;
    members.publisher->send(packet(0x34, "<t> 0001 {} 'x'"));
    members.one->take();
    Client& two = members.join();
    members.one->drop();
    members.world.advance(200s);
    EXPECT_EQ(two.text(), "");
    EXPECT_EQ(members.world.hub().counters().dropped_session_end, 1U);
}

TEST(Mqtt5, MQTT_4_8_2_6_an_acknowledgement_with_an_error_drops_the_message) {
    Members members;
    members.publisher->send(packet(0x34, "<t> 0001 {} 'x'") + packet(0x32, "<t> 0002 {} 'y'"));
    members.one->take();
    Client& two = members.join();
    members.one->send(packet(0x50, "0001 80") + packet(0x40, "0002 97"));
    EXPECT_EQ(members.one->text() + two.text(), "");
    EXPECT_EQ(members.world.hub().counters().messages_waiting, 0U);
}

}  // namespace
}  // namespace sluice::conformance

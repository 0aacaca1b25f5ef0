// MQTT 3.1.1 §3.3 to §3.12 and §4.3 to §4.6: publishing and subscribing.
#include <gtest/gtest.h>

#include "raw.hpp"

namespace sluice::conformance {
namespace {

/// A subscriber to "t" with a session that is kept, and a publisher.
struct Pair {
    explicit Pair(const char* qos = "02", hub::Limits limits = {}) : world(1, limits) {
        tap = &greet(world, v311, packet(0x10, "<MQTT> 04 00 0000 <tap>"));
        tap->send(packet(0x82, std::string("0001 <t> ") + qos));
        publisher = &connected(world, v311, "p");
        tap->take();
    }
    std::string publish(unsigned first, std::string_view rest) {
        publisher->send(packet(first, rest));
        return tap->text();
    }
    Client& back() { return greet(world, v311, packet(0x10, "<MQTT> 04 00 0000 <tap>")); }
    World world;
    Client* tap;
    Client* publisher;
};

std::string kept(World& world, const char* name, const char* qos = "02") {
    Client& tap = connected(world, v311, name);
    tap.send(packet(0x82, std::string("0001 <t> ") + qos));
    return tap.text();
}

TEST(Mqtt311, MQTT_3_3_1_1_MQTT_4_4_0_1_MQTT_4_6_0_1_what_was_not_acknowledged_comes_again_in_order_with_dup) {
    Pair pair;
    pair.publish(0x32, "<t> 0001 '1'");
    pair.publish(0x34, "<t> 0002 '2'");
    pair.publish(0x34, "<t> 0003 '3'");
    pair.tap->send(packet(0x50, "0003"));
    EXPECT_EQ(pair.tap->text(), "PUBREL #3");
    pair.tap->drop();
    EXPECT_EQ(pair.back().text(), "CONNACK 0x0 present; PUBREL #3; PUBLISH t '1' q1 #1 dup; PUBLISH t '2' q2 #2 dup");
}

TEST(Mqtt311, MQTT_3_3_1_2_MQTT_3_3_1_3_MQTT_4_3_1_1_dup_of_a_publisher_does_not_show) {
    Pair pair;
    EXPECT_EQ(answer(v311, packet(0x38, "<t>")), "closed") << "DUP with QoS 0";
    EXPECT_EQ(pair.publish(0x30, "<t>"), "PUBLISH t ''");
    EXPECT_EQ(pair.publish(0x3A, "<t> 0001"), "PUBLISH t '' q1 #1");
    EXPECT_EQ(pair.publish(0x3C, "<t> 0002"), "PUBLISH t '' q2 #2");
}

TEST(Mqtt311, MQTT_3_3_1_4_qos_3_closes) {
    EXPECT_EQ(answer(v311, packet(0x36, "<t> 0001")), "closed");
    EXPECT_EQ(answer(v311, packet(0x3E, "<t>")), "closed");
}

TEST(Mqtt311, MQTT_3_3_1_5_MQTT_3_3_1_6_MQTT_3_3_1_7_MQTT_3_3_1_8_MQTT_3_3_1_12_the_last_retained_message_comes_to_new_subscriptions) {
    World world;
    Client& publisher = connected(world, v311, "p");
    publisher.send(packet(0x33, "<t> 0001 'old'"));
    EXPECT_EQ(kept(world, "a"), "SUBACK #1 0x2; PUBLISH t 'old' q1 #1 retain");
    publisher.send(packet(0x35, "<t> 0002 'new'") + packet(0x30, "<t> 'not kept'") + packet(0x30, "<t>"));
    EXPECT_EQ(kept(world, "b"), "SUBACK #1 0x2; PUBLISH t 'new' q2 #1 retain");
    publisher.send(packet(0x31, "<t> 'with 0'"));
    EXPECT_EQ(kept(world, "c"), "SUBACK #1 0x2; PUBLISH t 'with 0' retain");
}

TEST(Mqtt311, MQTT_3_3_1_9_what_an_existing_subscription_gets_has_retain_0) {
    Pair pair;
    EXPECT_EQ(pair.publish(0x31, "<t> 'x'"), "PUBLISH t 'x'");
    EXPECT_EQ(pair.publish(0x33, "<t> 0001 'x'"), "PUBLISH t 'x' q1 #1");
}

TEST(Mqtt311, MQTT_3_3_1_10_MQTT_3_3_1_11_an_empty_retained_message_is_delivered_and_removes) {
    Pair pair("00");
    pair.publish(0x31, "<t> 'x'");
    EXPECT_EQ(pair.publish(0x31, "<t>"), "PUBLISH t ''");
    EXPECT_EQ(kept(pair.world, "late"), "SUBACK #1 0x2");
    EXPECT_EQ(pair.world.hub().counters().retained_messages, 0U);
}

TEST(Mqtt311, MQTT_3_3_2_1_the_topic_comes_first_and_is_text) {
    for (const char* rest : {"", "00", "0005 'a'", "0001", "0002 C328", "0001 01"})
        EXPECT_EQ(answer(v311, packet(0x30, rest)), "closed") << rest;
    EXPECT_EQ(answer(v311, packet(0x32, "<t>")), "closed") << "no identifier";
}

TEST(Mqtt311, MQTT_3_3_4_1_a_publish_is_answered_as_its_qos_demands) {
    EXPECT_EQ(raw_answer(v311, packet(0x30, "<t>")), "");
    EXPECT_EQ(raw_answer(v311, packet(0x32, "<t> 0102")), "40 02 01 02");
    EXPECT_EQ(raw_answer(v311, packet(0x34, "<t> 0102")), "50 02 01 02");
}

TEST(Mqtt311, MQTT_3_3_5_1_overlapping_subscriptions_give_one_copy_at_the_highest_qos) {
    World world;
    Client& tap = connected(world, v311, "tap");
    tap.send(packet(0x82, "0001 <a/#> 00 <a/+> 02 <+/b> 01 <a/b> 00"));
    tap.take();
    Client& publisher = connected(world, v311, "p");
    publisher.send(packet(0x34, "<a/b> 0001 'x'"));
    EXPECT_EQ(tap.text(), "PUBLISH a/b 'x' q2 #1");
    publisher.send(packet(0x30, "<a/b> 'y'"));
    EXPECT_EQ(tap.text(), "PUBLISH a/b 'y'");
}

TEST(Mqtt311, MQTT_3_3_5_2_a_publish_that_is_not_permitted_is_acknowledged_and_not_delivered) {
    Gate gate;
    World world(1, {}, &gate);
    Client& client = greet(world, v311, packet(0x10, "<MQTT> 04 82 0000 <c> <ana>"));
    client.send(packet(0x82, "0001 <secret/#> 00 <#> 00"));
    EXPECT_EQ(client.text(), "CONNACK 0x0; SUBACK #1 0x80 0x0");
    client.send(packet(0x32, "<secret/x> 0001") + packet(0x34, "<secret/x> 0002") + packet(0x62, "0002") + packet(0x30, "<secret/x>"));
    EXPECT_EQ(client.text(), "PUBACK #1; PUBREC #2; PUBCOMP #2");
    EXPECT_TRUE(world.seen.empty());
}

TEST(Mqtt311, MQTT_3_6_1_1_MQTT_3_8_1_1_MQTT_3_10_1_1_pubrel_subscribe_and_unsubscribe_have_flags_0010) {
    for (unsigned flags = 0; flags < 16; ++flags) {
        EXPECT_EQ(answer(v311, packet(0x60 | flags, "0001")), flags == 2 ? "PUBCOMP #1" : "closed");
        EXPECT_EQ(answer(v311, packet(0x80 | flags, "0001 <t> 00")), flags == 2 ? "SUBACK #1 0x0" : "closed");
        EXPECT_EQ(answer(v311, packet(0xA0 | flags, "0001 <t>")), flags == 2 ? "UNSUBACK #1" : "closed");
    }
}

TEST(Mqtt311, MQTT_3_8_3_1_MQTT_3_10_3_1_filters_are_text) {
    for (const char* filter : {"0002 C328", "0005 746F700000", "0003 EDA080", "0002 6101"}) {
        EXPECT_EQ(answer(v311, packet(0x82, "0001 " + std::string(filter) + " 00")), "closed");
        EXPECT_EQ(answer(v311, packet(0xA2, "0001 " + std::string(filter))), "closed");
    }
}

TEST(Mqtt311, MQTT_3_8_3_3_MQTT_3_10_3_2_there_is_at_least_one_filter_and_it_is_whole) {
    for (const char* rest : {"0001", "0001 00", "0001 0001", "0001 0002 61", "00", ""}) {
        EXPECT_EQ(answer(v311, packet(0x82, rest)), "closed") << rest;
        EXPECT_EQ(answer(v311, packet(0xA2, rest)), "closed") << rest;
    }
    EXPECT_EQ(answer(v311, packet(0x82, "0001 <t>")), "closed") << "no QoS";
    EXPECT_EQ(answer(v311, packet(0x82, "0001 <t> 00 00")), "closed");
}

TEST(Mqtt311, MQTT_3_8_3_4_reserved_bits_and_qos_3_close) {
    for (unsigned options = 0; options < 256; ++options)
        EXPECT_EQ(answer(v311, packet(0x82, fmt::format("0001 <t> {:02X}", options))),
                  options < 3 ? fmt::format("SUBACK #1 {:#x}", options) : "closed");
}

TEST(Mqtt311, MQTT_3_8_4_1_MQTT_3_8_4_4_MQTT_3_8_4_5_MQTT_3_9_3_1_MQTT_3_9_3_2_one_suback_has_the_codes_of_all_filters_in_order) {
    Gate gate;
    World world(1, {}, &gate);
    Client& client = greet(world, v311, packet(0x10, "<MQTT> 04 82 0000 <c> <ana>"));
    client.take();
    client.send(packet(0x82, "0007 <a> 02 <secret/#> 01 <b> 00 <c> 01"));
    EXPECT_EQ(hex(client.take_bytes()), "90 06 00 07 02 80 00 01");
    client.send(packet(0x30, "<a>") + packet(0x30, "<b>") + packet(0x30, "<c>"));
    EXPECT_EQ(client.take().size(), 3U);
}

TEST(Mqtt311, MQTT_3_8_4_3_a_subscription_is_replaced_without_a_break_and_retained_messages_come_again) {
    World world;
    Client& publisher = connected(world, v311, "p");
    publisher.send(packet(0x31, "<t> 'kept'"));
    Client& tap = connected(world, v311, "tap");
    tap.send(packet(0x82, "0001 <t> 02"));
    publisher.send(packet(0x34, "<t> 0001 'before'"));
    tap.send(packet(0x82, "0002 <t> 00"));
    publisher.send(packet(0x34, "<t> 0002 'after'"));
    EXPECT_EQ(
        tap.text(),
        "SUBACK #1 0x2; PUBLISH t 'kept' retain; PUBLISH t 'before' q2 #1; SUBACK #2 0x0; PUBLISH t 'kept' retain; PUBLISH t 'after'");
}

TEST(Mqtt311, MQTT_3_8_4_6_the_lower_qos_of_publisher_and_subscription_counts) {
    for (unsigned granted = 0; granted < 3; ++granted)
        for (unsigned published = 0; published < 3; ++published) {
            Pair pair(granted == 0 ? "00" : granted == 1 ? "01" : "02");
            const auto qos = std::min(granted, published);
            EXPECT_EQ(pair.publish(0x30 | published << 1, published == 0 ? "<t>" : "<t> 0001"),
                      qos == 0 ? "PUBLISH t ''" : fmt::format("PUBLISH t '' q{} #1", qos));
        }
}

TEST(Mqtt311, MQTT_3_10_4_1_MQTT_3_10_4_2_MQTT_3_10_4_5_a_filter_is_removed_if_it_is_the_same_and_unsuback_comes_in_any_case) {
    Pair pair("00");
    pair.tap->send(packet(0xA2, "0002 <T>") + packet(0xA2, "0003 <+>"));
    EXPECT_EQ(pair.tap->text(), "UNSUBACK #2; UNSUBACK #3");
    EXPECT_EQ(pair.publish(0x30, "<t>"), "PUBLISH t ''");
    pair.tap->send(packet(0xA2, "0004 <t>"));
    EXPECT_EQ(pair.publish(0x30, "<t>"), "UNSUBACK #4");
}

TEST(Mqtt311, MQTT_3_10_4_3_what_was_begun_is_completed_after_unsubscribe) {
    Pair pair;
    pair.publish(0x34, "<t> 0001 'x'");
    pair.tap->send(packet(0xA2, "0002 <t>") + packet(0x50, "0001") + packet(0x70, "0001"));
    EXPECT_EQ(pair.tap->text(), "UNSUBACK #2; PUBREL #1");
}

TEST(Mqtt311, MQTT_3_10_4_6_several_filters_have_one_unsuback) {
    EXPECT_EQ(
        raw_answer(v311, packet(0x82, "0001 <a> 00 <b> 00") + packet(0xA2, "0002 <a> <b> <c>") + packet(0x30, "<a>") + packet(0x30, "<b>")),
        "90 04 00 01 00 00 B0 02 00 02");
}

TEST(Mqtt311, MQTT_3_12_4_1_pingreq_is_answered_by_pingresp) { EXPECT_EQ(raw_answer(v311, bytes("C0 00")), "D0 00"); }

TEST(Mqtt311, MQTT_4_3_2_1_sending_qos_1_takes_a_free_identifier_and_waits_for_puback) {
    Pair pair;
    EXPECT_EQ(pair.publish(0x32, "<t> 0001"), "PUBLISH t '' q1 #1");
    EXPECT_EQ(pair.publish(0x32, "<t> 0001"), "PUBLISH t '' q1 #2");
    pair.tap->send(packet(0x40, "0001"));
    pair.tap->drop();
    EXPECT_EQ(pair.back().text(), "CONNACK 0x0 present; PUBLISH t '' q1 #2 dup");
}

TEST(Mqtt311, MQTT_4_3_2_2_after_puback_an_identifier_is_new_whatever_dup_says) {
    World world;
    Client& client = connected(world, v311);
    client.send(packet(0x32, "<t> 0001 'a'") + packet(0x3A, "<t> 0001 'a'"));
    EXPECT_EQ(client.text(), "PUBACK #1; PUBACK #1");
    EXPECT_EQ(world.seen.size(), 2U);
}

TEST(Mqtt311, MQTT_4_3_3_1_sending_qos_2_goes_through_pubrel_and_never_back) {
    Pair pair;
    EXPECT_EQ(pair.publish(0x34, "<t> 0001 'x'"), "PUBLISH t 'x' q2 #1");
    pair.tap->drop();
    Client& second = pair.back();
    second.send(packet(0x50, "0001") + packet(0x50, "0001"));
    EXPECT_EQ(second.text(), "CONNACK 0x0 present; PUBLISH t 'x' q2 #1 dup; PUBREL #1; PUBREL #1");
    second.drop();
    Client& third = pair.back();
    third.send(packet(0x70, "0001"));
    EXPECT_EQ(third.text(), "CONNACK 0x0 present; PUBREL #1");
    third.drop();
    EXPECT_EQ(pair.back().text(), "CONNACK 0x0 present");
}

TEST(Mqtt311, MQTT_4_3_3_2_receiving_qos_2_delivers_once_until_pubrel) {
    World world;
    const auto kept_session = packet(0x10, "<MQTT> 04 00 0000 <c>");
    Client& client = greet(world, v311, kept_session);
    client.send(packet(0x34, "<t> 0001 'a'") + packet(0x3C, "<t> 0001 'a'") + packet(0x3C, "<t> 0001 'other'"));
    client.drop();
    Client& back = greet(world, v311, kept_session);
    back.send(packet(0x3C, "<t> 0001 'a'") + packet(0x62, "0001") + packet(0x62, "0001") + packet(0x34, "<t> 0001 'b'"));
    EXPECT_EQ(back.text(), "CONNACK 0x0 present; PUBREC #1; PUBCOMP #1; PUBCOMP #1; PUBREC #1");
    EXPECT_EQ(world.seen.size(), 2U);
}

TEST(Mqtt311, MQTT_4_6_0_2_MQTT_4_6_0_3_acknowledgements_keep_the_order_of_their_publishes) {
    World world;
    world.next_ticket = 1;
    Client& client = connected(world, v311);
    for (const unsigned id : {5U, 2U, 9U})
        client.send(packet(0x32, fmt::format("<t> {:04X}", id)) + packet(0x34, fmt::format("<t> {:04X}", id + 100)));
    world.hub().on_durable(6);
    EXPECT_EQ(client.text(), "PUBACK #5; PUBREC #105; PUBACK #2; PUBREC #102; PUBACK #9; PUBREC #109");
}

TEST(Mqtt311, MQTT_4_6_0_4_pubrels_keep_the_order_of_their_pubrecs) {
    Pair pair;
    for (unsigned id = 1; id <= 3; ++id) pair.publish(0x34, fmt::format("<t> {:04X}", id));
    pair.tap->send(packet(0x50, "0002") + packet(0x50, "0003") + packet(0x50, "0001"));
    EXPECT_EQ(pair.tap->text(), "PUBREL #2; PUBREL #3; PUBREL #1");
}

TEST(Mqtt311, MQTT_4_6_0_5_MQTT_4_6_0_6_messages_keep_their_order_through_windows_and_returns) {
    Pair pair("02", {.inflight_max = 2});
    for (unsigned id = 1; id <= 4; ++id) pair.publisher->send(packet(0x32, fmt::format("<t> {:04X} '{}'", id, id)));
    EXPECT_EQ(pair.tap->text(), "PUBLISH t '1' q1 #1; PUBLISH t '2' q1 #2");
    pair.tap->drop();
    pair.publisher->send(packet(0x32, "<t> 0005 '5'"));
    Client& back = pair.back();
    EXPECT_EQ(back.text(), "CONNACK 0x0 present; PUBLISH t '1' q1 #1 dup; PUBLISH t '2' q1 #2 dup");
    back.send(packet(0x40, "0001") + packet(0x40, "0002"));
    EXPECT_EQ(back.text(), "PUBLISH t '3' q1 #1; PUBLISH t '4' q1 #2");
    back.send(packet(0x40, "0001") + packet(0x40, "0002"));
    EXPECT_EQ(back.text(), "PUBLISH t '5' q1 #3");
}

}  // namespace
}  // namespace sluice::conformance

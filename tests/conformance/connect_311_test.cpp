// MQTT 3.1.1 §3.1, §3.2, §3.14, §4.1: connections, sessions, wills.
#include <gtest/gtest.h>

#include "raw.hpp"

namespace sluice::conformance {
namespace {

using namespace std::chrono_literals;

TEST(Mqtt311, MQTT_3_1_0_1_what_does_not_begin_with_connect_is_closed) {
    for (const auto& first : {packet(0x30, "<t> 'x'"), packet(0x82, "0001 <t> 00"), packet(0xC0, ""), packet(0xE0, ""),
                              packet(0x20, "0000"), packet(0x40, "0001"), bytes("00 00"), bytes("F0 00")})
        EXPECT_EQ(greeting(v311, first), "closed") << hex(first);
}

TEST(Mqtt311, MQTT_3_1_0_2_a_second_connect_closes) {
    EXPECT_EQ(answer(v311, connect(v311)), "closed");
    EXPECT_EQ(answer(v311, connect(v311, "another")), "closed");
}

TEST(Mqtt311, MQTT_3_1_2_1_an_unknown_protocol_name_is_closed_without_an_answer) {
    for (const char* name : {"<MQTX>", "<MQT>", "<MQTTT>", "<>", "<mqtt>"})
        EXPECT_EQ(greeting(v311, packet(0x10, std::string(name) + " 04 02 0000 <c>")), "closed") << name;
}

TEST(Mqtt311, MQTT_3_1_2_2_an_unknown_level_gets_return_code_1_and_is_closed) {
    for (const char* level : {"00", "02", "03", "06", "83", "85", "FF"}) {
        const auto sent = packet(0x10, "<MQTT> " + std::string(level) + " 02 0000 <c>");
        EXPECT_EQ(raw_greeting(sent), "20 02 00 01") << level;
        EXPECT_TRUE(greeting(v311, sent).ends_with(" closed"));
    }
    for (const char* level : {"02", "04", "05", "06"})
        EXPECT_EQ(raw_greeting(packet(0x10, "<MQIsdp> " + std::string(level) + " 02 0000 <c>")), "20 02 00 01");
}

TEST(Mqtt311, MQTT_3_1_2_3_the_reserved_connect_flag_closes) { EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 03 0000 <c>")), "closed"); }

TEST(Mqtt311,
     MQTT_3_1_2_4_MQTT_3_1_2_5_MQTT_3_1_3_2_MQTT_3_2_2_2_MQTT_3_2_2_3_MQTT_4_1_0_1_a_kept_session_keeps_subscriptions_and_messages) {
    World world;
    const auto kept = packet(0x10, "<MQTT> 04 00 0000 <c>");
    Client& first = greet(world, v311, kept);
    first.send(packet(0x82, "0001 <t> 02"));
    EXPECT_EQ(hex(first.take_bytes()), "20 02 00 00 90 03 00 01 02") << "none was there: session present 0";
    first.send(packet(0xE0, ""));
    Client& publisher = connected(world, v311, "p");
    publisher.send(packet(0x30, "<t> '0'") + packet(0x32, "<t> 0001 '1'") + packet(0x34, "<t> 0002 '2'"));
    EXPECT_EQ(greet(world, v311, kept).text(), "CONNACK 0x0 present; PUBLISH t '1' q1 #1; PUBLISH t '2' q2 #2");
    EXPECT_EQ(greet(world, v311, packet(0x10, "<MQTT> 04 00 0000 <d>")).text(), "CONNACK 0x0") << "another id, another session";
}

TEST(Mqtt311, MQTT_3_1_2_6_MQTT_3_1_4_3_MQTT_3_2_2_1_MQTT_4_1_0_2_a_clean_session_forgets_and_ends_with_its_connection) {
    World world;
    const auto kept = packet(0x10, "<MQTT> 04 00 0000 <c>");
    greet(world, v311, kept).send(packet(0x82, "0001 <t> 01"));
    Client& clean = greet(world, v311, connect(v311));
    connected(world, v311, "p").send(packet(0x32, "<t> 0001"));
    EXPECT_EQ(hex(clean.take_bytes()), "20 02 00 00");
    clean.send(packet(0x82, "0001 <t> 01") + packet(0x32, "<t> 0001"));
    EXPECT_EQ(clean.take().size(), 3U) << "it lasts as long as its connection";
    clean.drop();
    EXPECT_EQ(greet(world, v311, kept).text(), "CONNACK 0x0");
}

TEST(Mqtt311, MQTT_3_1_2_7_retained_messages_outlive_sessions) {
    World world;
    Client& publisher = connected(world, v311, "p");
    publisher.send(packet(0x31, "<t> 'x'") + packet(0xE0, ""));
    Client& tap = connected(world, v311, "tap");
    tap.send(packet(0x82, "0001 <t> 00"));
    EXPECT_EQ(tap.text(), "SUBACK #1 0x0; PUBLISH t 'x' retain");
}

/// What a watcher of "will" sees when a client with these connect flags ends its connection with these bytes; none: the network breaks.
std::string seen_of_will(unsigned flags, const base::Bytes& last = {}) {
    World world;
    Client& watcher = connected(world, v311, "watcher");
    watcher.send(packet(0x82, "0001 <will> 02"));
    watcher.take();
    Client& client = greet(world, v311, packet(0x10, fmt::format("<MQTT> 04 {:02X} 000A <c> <will> <gone>", flags)));
    if (last.empty())
        client.drop();
    else
        client.send(last);
    std::string text = watcher.text();
    Client& late = connected(world, v311, "late");
    late.send(packet(0x82, "0001 <will> 00"));
    if (late.take().size() > 1) text += " kept";
    return text;
}

TEST(Mqtt311, MQTT_3_1_2_8_MQTT_3_1_2_16_a_will_is_published_when_the_connection_ends_without_disconnect) {
    EXPECT_EQ(seen_of_will(0x06), "PUBLISH will 'gone'");
    EXPECT_EQ(seen_of_will(0x0E), "PUBLISH will 'gone' q1 #1");
    EXPECT_EQ(seen_of_will(0x16), "PUBLISH will 'gone' q2 #1");
    EXPECT_EQ(seen_of_will(0x06, packet(0x36, "<t> 0001")), "PUBLISH will 'gone'") << "closed by a violation";
    EXPECT_EQ(seen_of_will(0x06, packet(0xE0, "00")), "PUBLISH will 'gone'") << "a DISCONNECT that is none";
}

TEST(Mqtt311, MQTT_3_1_2_17_a_will_with_retain_is_retained) { EXPECT_EQ(seen_of_will(0x26), "PUBLISH will 'gone' kept"); }

TEST(Mqtt311, MQTT_3_1_2_10_MQTT_3_14_4_3_disconnect_withdraws_the_will) { EXPECT_EQ(seen_of_will(0x06, packet(0xE0, "")), ""); }

TEST(Mqtt311, MQTT_3_1_2_12_without_a_will_none_is_published) {
    World world;
    Client& watcher = connected(world, v311, "watcher");
    watcher.send(packet(0x82, "0001 <#> 00"));
    watcher.take();
    connected(world, v311).drop();
    EXPECT_EQ(watcher.text(), "");
}

TEST(Mqtt311, MQTT_3_1_2_9_MQTT_3_1_2_14_with_the_will_flag_its_fields_are_there_and_its_qos_is_not_3) {
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 06 0000 <c>")), "closed");
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 06 0000 <c> <t>")), "closed");
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 1E 0000 <c> <t> <p>")), "closed");
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 06 0000 <c> <t> <>")), "CONNACK 0x0") << "an empty payload is one";
}

TEST(Mqtt311, MQTT_3_1_2_11_MQTT_3_1_2_13_MQTT_3_1_2_15_without_the_will_flag_there_are_no_other_will_flags) {
    for (const char* flags : {"0A", "12", "1A", "22", "2A"})
        EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 " + std::string(flags) + " 0000 <c>")), "closed") << flags;
}

TEST(Mqtt311, MQTT_3_1_2_18_MQTT_3_1_2_19_MQTT_3_1_2_20_MQTT_3_1_2_21_user_name_and_password_are_there_exactly_with_their_flags) {
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 02 0000 <c> <u>")), "closed");
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 82 0000 <c>")), "closed");
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 82 0000 <c> <u> <p>")), "closed");
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 C2 0000 <c> <u>")), "closed");
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 C2 0000 <c> <u> <p>")), "CONNACK 0x0");
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 C2 0000 <c> <> 0003 00FFC3")), "CONNACK 0x0") << "a password is bytes";
}

TEST(Mqtt311, MQTT_3_1_2_22_no_password_without_user_name) {
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 42 0000 <c> <p>")), "closed");
}

TEST(Mqtt311, MQTT_3_1_2_24_silence_for_one_and_a_half_keep_alives_ends_the_connection) {
    World world;
    Client& client = greet(world, v311, packet(0x10, "<MQTT> 04 02 000A <c>"));
    Client& patient = greet(world, v311, packet(0x10, "<MQTT> 04 02 0000 <d>"));
    world.advance(14s);
    client.send(packet(0x30, "<t>"));
    world.advance(14s);
    EXPECT_FALSE(client.closed());
    world.advance(2s);
    EXPECT_TRUE(client.closed());
    world.advance(100h);
    EXPECT_FALSE(patient.closed()) << "0: none";
}

TEST(Mqtt311, MQTT_3_1_3_1_MQTT_3_1_3_3_the_fields_of_connect_come_in_their_order) {
    Gate gate;
    World world(1, {}, &gate);
    Client& watcher = greet(world, v311, packet(0x10, "<MQTT> 04 82 0000 <w> <ana>"));
    watcher.subscribe("#").take();
    greet(world, v311, packet(0x10, "<MQTT> 04 C6 0000 <id> <topic> <payload> <ana> <pw>")).drop();
    EXPECT_EQ(watcher.text(), "PUBLISH topic 'payload'");
    EXPECT_EQ(world.presence, (hub::test::Lines{"+w", "+id", "-id"}));
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 02 0000")), "closed") << "no client id";
}

TEST(Mqtt311, MQTT_3_1_3_4_MQTT_3_1_3_10_MQTT_3_1_3_11_client_id_will_topic_and_user_name_are_plain_text) {
    for (const char* text : {"0002 C328", "0001 00", "0003 EDA080", "0005 746F700170", "0005 746F707F70", "0005 746FC29F70"}) {
        EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 02 0000 " + std::string(text))), "closed") << text;
        EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 06 0000 <c> " + std::string(text) + " <p>")), "closed") << text;
        EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 82 0000 <c> " + std::string(text))), "closed") << text;
    }
    for (const char* topic : {"<#>", "<a/+>", "<>"})
        EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 06 0000 <c> " + std::string(topic) + " <p>")), "closed");
}

TEST(Mqtt311, MQTT_3_1_3_5_client_ids_of_1_to_23_letters_and_digits_are_taken) {
    const std::string all = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (std::size_t size = 1; size <= 23; ++size)
        for (std::size_t at = 0; at + size <= all.size(); at += 13)
            EXPECT_EQ(greeting(v311, connect(v311, all.substr(at, size))), "CONNACK 0x0");
}

TEST(Mqtt311, MQTT_3_1_3_6_empty_client_ids_get_unique_ones) {
    World world;
    Client& one = greet(world, v311, connect(v311, ""));
    Client& two = greet(world, v311, connect(v311, ""));
    EXPECT_EQ(one.text() + two.text(), "CONNACK 0x0CONNACK 0x0");
    EXPECT_FALSE(one.closed() || two.closed());
    EXPECT_EQ(world.hub().counters().sessions, 2U);
}

TEST(Mqtt311, MQTT_3_1_3_8_MQTT_3_1_3_9_MQTT_3_2_2_4_MQTT_3_2_2_5_a_client_id_that_is_not_taken_gets_return_code_2_and_is_closed) {
    EXPECT_EQ(raw_greeting(packet(0x10, "<MQTT> 04 00 0000 <>")), "20 02 00 02");
    EXPECT_EQ(raw_greeting(connect(v311, std::string(1025, 'c'))), "20 02 00 02");
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 00 0000 <>")), "CONNACK 0x85 closed");
}

TEST(Mqtt311, MQTT_3_1_4_1_MQTT_3_2_2_6_a_connect_that_breaks_the_rules_is_closed_without_connack) {
    const auto whole = packet(0x10, "<MQTT> 04 C6 000A <c> <t> <p> <u> <w>");
    EXPECT_EQ(greeting(v311, whole), "CONNACK 0x0");
    for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
        auto cut = whole;
        cut.resize(2 + size);
        cut[1] = static_cast<base::Byte>(size);
        EXPECT_EQ(greeting(v311, cut), "closed") << hex(cut);
    }
    EXPECT_EQ(greeting(v311, packet(0x10, "<MQTT> 04 02 0000 <c> 00")), "closed");
}

TEST(Mqtt311, MQTT_3_1_4_2_the_older_connection_of_a_client_id_is_closed) {
    World world;
    Client& first = connected(world, v311);
    Client& second = connected(world, v311);
    EXPECT_TRUE(first.closed());
    EXPECT_EQ(first.text(), "") << "3.1.1 has no words for it";
    EXPECT_FALSE(second.closed());
}

TEST(Mqtt311, MQTT_3_1_4_4_MQTT_3_2_0_1_a_good_connect_gets_connack_first) {
    EXPECT_EQ(raw_greeting(connect(v311) + packet(0xC0, "")), "20 02 00 00 D0 00");
}

TEST(Mqtt311, MQTT_3_1_4_5_what_follows_a_refused_connect_is_not_looked_at) {
    Gate gate;
    World world(1, {}, &gate);
    Client& client = greet(world, v311, packet(0x10, "<MQTT> 04 82 0000 <c> <eve>") + packet(0x30, "<t> 'x'"));
    EXPECT_EQ(hex(client.take_bytes()), "20 02 00 04");
    EXPECT_TRUE(client.closed());
    EXPECT_TRUE(world.seen.empty());
}

TEST(Mqtt311, MQTT_3_14_1_1_reserved_flags_of_disconnect_close_and_are_no_disconnect) {
    for (unsigned flags = 1; flags < 16; ++flags) EXPECT_EQ(seen_of_will(0x06, packet(0xE0 | flags, "")), "PUBLISH will 'gone'");
}

}  // namespace
}  // namespace sluice::conformance

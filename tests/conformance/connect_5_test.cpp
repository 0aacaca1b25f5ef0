// MQTT 5.0 §3.1 and §3.2: CONNECT and CONNACK.
#include <gtest/gtest.h>

#include "raw.hpp"

namespace sluice::conformance {
namespace {

using namespace std::chrono_literals;

TEST(Mqtt5, MQTT_3_1_0_1_what_does_not_begin_with_connect_is_closed_without_an_answer) {
    for (const auto& first : {packet(0x30, "<t> {} 'x'"), packet(0x82, "0001 {} <t> 00"), packet(0xA2, "0001 {} <t>"), packet(0xC0, ""),
                              packet(0xE0, ""), packet(0xF0, ""), packet(0x20, "00 00 {}"), packet(0x40, "0001"), packet(0x62, "0001"),
                              bytes("00 00"), bytes("'GET / HTTP/1.1'")})
        EXPECT_EQ(greeting(v5, first), "closed") << hex(first);
}

TEST(Mqtt5, MQTT_3_1_0_2_MQTT_3_2_0_2_a_second_connect_is_a_protocol_error_and_gets_no_second_connack) {
    EXPECT_EQ(answer(v5, connect(v5)), refusal(v5, 0x82));
    EXPECT_EQ(answer(v5, connect(v5, "another")), refusal(v5, 0x82));
}

TEST(Mqtt5, MQTT_3_1_2_1_an_unknown_protocol_name_is_closed) {
    for (const char* name : {"<MQTX>", "<MQT>", "<MQTTT>", "<>", "<mqtt>", "<MQIsdp>"}) {
        const auto told = greeting(v5, packet(0x10, std::string(name) + " 05 02 0000 {} <c>"));
        EXPECT_TRUE(told == "closed" || std::string_view(name) == "<MQIsdp>") << name << ": " << told;
        EXPECT_TRUE(told.ends_with("closed"));
    }
}

TEST(Mqtt5, MQTT_3_1_2_2_an_unknown_version_is_told_in_words_that_all_know_and_closed) {
    for (const char* level : {"00", "01", "02", "03", "06", "7F", "85", "FF"})
        EXPECT_EQ(raw_greeting(packet(0x10, "<MQTT> " + std::string(level) + " 02 0000 {} <c>")), "20 02 00 01") << level;
}

TEST(Mqtt5, MQTT_3_1_2_3_the_reserved_connect_flag_is_malformed) {
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 03 0000 {} <c>")), "CONNACK 0x81 closed");
}

TEST(Mqtt5, MQTT_3_1_2_4_MQTT_3_1_4_4_MQTT_3_2_2_2_clean_start_forgets_the_session) {
    World world;
    const auto lasting = packet(0x10, "<MQTT> 05 00 0000 { 11 00000064 } <c>");
    greet(world, v5, lasting).subscribe("t", {.qos = 1}).drop();
    Client& clean = greet(world, v5, packet(0x10, "<MQTT> 05 02 0000 { 11 00000064 } <c>"));
    EXPECT_EQ(hex(clean.take_bytes()).substr(0, 11), "20 11 00 00") << "session present is 0";
    connected(world, v5, "p").publish("t", "x", {.qos = 1, .id = 1});
    EXPECT_EQ(clean.text(), "") << "its subscription is gone";
}

TEST(Mqtt5, MQTT_3_1_2_5_MQTT_3_1_2_23_MQTT_3_1_3_2_MQTT_3_2_2_3_a_session_that_lasts_is_gone_on_with) {
    World world;
    const auto lasting = packet(0x10, "<MQTT> 05 00 0000 { 11 00000064 } <c>");
    greet(world, v5, lasting).subscribe("t", {.qos = 1}).drop();
    connected(world, v5, "p").publish("t", "kept", {.qos = 1, .id = 1});
    Client& back = greet(world, v5, lasting);
    EXPECT_EQ(back.text(), "CONNACK 0x0 present keep_alive=64800; PUBLISH t 'kept' q1 #1");
    EXPECT_EQ(greet(world, v5, packet(0x10, "<MQTT> 05 00 0000 {} <d>")).text(), "CONNACK 0x0 keep_alive=64800") << "another id";
}

TEST(Mqtt5, MQTT_3_1_2_6_without_a_session_one_is_made) {
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 00 0000 {} <c>") + packet(0x82, "0001 {} <t> 01") + packet(0x32, "<t> 0007 {}")),
              "CONNACK 0x0 keep_alive=64800; SUBACK #1 0x1; PUBLISH t '' q1 #1; PUBACK #7");
}

TEST(Mqtt5, MQTT_3_1_2_9_MQTT_3_1_2_12_with_the_will_flag_its_fields_are_there_and_its_qos_is_not_3) {
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 06 0000 {} <c>")), "CONNACK 0x81 closed");
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 06 0000 {} <c> {} <t>")), "CONNACK 0x81 closed");
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 1E 0000 {} <c> {} <t> <p>")), "CONNACK 0x81 closed") << "QoS 3";
    for (const char* flags : {"06", "0E", "16", "26", "2E", "36"})
        EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 " + std::string(flags) + " 0000 {} <c> {} <t> <p>")),
                  "CONNACK 0x0 keep_alive=64800");
}

TEST(Mqtt5, MQTT_3_1_2_11_MQTT_3_1_2_13_without_the_will_flag_there_are_no_other_will_flags) {
    for (const char* flags : {"0A", "12", "1A", "22", "2A"})
        EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 " + std::string(flags) + " 0000 {} <c>")), "CONNACK 0x81 closed") << flags;
}

TEST(Mqtt5, MQTT_3_1_2_16_MQTT_3_1_2_18_what_its_flag_does_not_announce_must_not_be_there) {
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 02 0000 {} <c> <user>")), "CONNACK 0x81 closed");
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 82 0000 {} <c> <user> <password>")), "CONNACK 0x81 closed");
}

TEST(Mqtt5, MQTT_3_1_2_17_MQTT_3_1_2_19_what_its_flag_announces_must_be_there) {
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 82 0000 {} <c>")), "closed");
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 C2 0000 {} <c> <user>")), "closed");
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 C2 0000 {} <c> <user> <password>")), "CONNACK 0x0 keep_alive=64800");
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 42 0000 {} <c> <password>")), "CONNACK 0x0 keep_alive=64800") << "5.0 allows it alone";
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 42 0000 {} <c> 0004 00FFC328")), "CONNACK 0x0 keep_alive=64800") << "bytes, not text";
}

TEST(Mqtt5, MQTT_3_1_2_22_MQTT_3_2_2_22_silence_for_one_and_a_half_keep_alives_ends_the_connection) {
    World world;
    Client& client = greet(world, v5, packet(0x10, "<MQTT> 05 02 000A {} <c>"));
    EXPECT_EQ(client.text(), "CONNACK 0x0") << "its own keep-alive holds";
    world.advance(14s);
    client.send(packet(0xC0, ""));
    world.advance(14s);
    EXPECT_EQ(client.text(), "PINGRESP");
    world.advance(2s);
    EXPECT_EQ(client.text(), "DISCONNECT 0x8d");
    EXPECT_TRUE(client.closed());
}

TEST(Mqtt5, MQTT_3_1_2_24_no_packet_is_larger_than_the_client_takes) {
    World world;
    // 15 bytes: CONNACK leaves out what it can, SUBACKs of up to 10 filters fit, problem information is asked for and left out.
    Client& client = greet(world, v5, packet(0x10, "<MQTT> 05 02 000A { 27 0000000F 17 01 } <c>"));
    EXPECT_EQ(hex(client.take_bytes()), "20 06 00 00 03 21 10 00");
    std::string filters;
    for (int i = 0; i < 10; ++i) filters += " <t> 00";
    client.send(packet(0x82, "0001 {}" + filters));
    EXPECT_EQ(client.take_bytes().size(), 15U);
    client.send(packet(0x30, "<t> {} 'ten bytes'"));
    EXPECT_EQ(client.text(), "PUBLISH t 'ten bytes'") << "15 bytes";
    client.send(packet(0x82, "0001 {} <t> 00" + filters));
    EXPECT_EQ(hex(client.take_bytes()), "E0 01 95");
    EXPECT_TRUE(client.closed()) << "a SUBACK that cannot be sent";
    Client& tiny = greet(world, v5, packet(0x10, "<MQTT> 05 02 0000 { 27 00000005 } <d>"));
    EXPECT_EQ(hex(tiny.take_bytes()), "20 03 00 95 00") << "what CONNACK must say does not fit";
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 02 000A { 27 00000002 } <e>")), "closed");
}

TEST(Mqtt5, MQTT_3_1_2_25_a_message_that_is_too_large_is_dropped_and_the_next_one_comes) {
    World world;
    Client& client = greet(world, v5, packet(0x10, "<MQTT> 05 02 000A { 27 00000014 } <c>"));
    client.subscribe("t", {.qos = 2});
    client.take();
    Client& publisher = connected(world, v5, "p");
    for (std::uint8_t qos = 0; qos < 3; ++qos)
        publisher.publish("t", "twenty bytes and more", {.qos = qos, .id = qos})
            .publish("t", "short", {.qos = qos, .id = static_cast<mqtt::PacketId>(qos * 10)});
    EXPECT_EQ(client.text(), "PUBLISH t 'short'; PUBLISH t 'short' q1 #1; PUBLISH t 'short' q2 #2");
    EXPECT_EQ(world.hub().counters().dropped_too_large, 3U);
}

TEST(Mqtt5, MQTT_3_1_2_28_response_information_is_not_given) {
    EXPECT_EQ(raw_greeting(packet(0x10, "<MQTT> 05 02 000A { 19 00 } <c>")), raw_greeting(packet(0x10, "<MQTT> 05 02 000A {} <c>")));
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 02 000A { 19 01 } <c>")), "CONNACK 0x0") << "a server may: we reserve no topics";
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 02 000A { 19 02 } <c>")), "CONNACK 0x82 closed");
}

TEST(Mqtt5, MQTT_3_1_2_29_reason_strings_go_only_to_who_asks_for_problem_information) {
    for (const auto& [properties, words] : {std::pair{"{}", false}, std::pair{"{ 17 00 }", false}, std::pair{"{ 17 01 }", true}}) {
        World world;
        Client& client = greet(world, v5, packet(0x10, std::string("<MQTT> 05 02 000A ") + properties + " <c>"));
        client.take();
        client.send(packet(0x30, "<a/#> {}"));
        const auto sent = client.take_bytes();
        EXPECT_EQ(sent[0], 0xE0);
        EXPECT_EQ(sent[2], 0x81);
        EXPECT_EQ(sent.size() > 3, words) << properties;
        EXPECT_EQ(base::as_text(sent).find("not a topic name") != std::string_view::npos, words);
    }
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 02 000A { 17 02 } <c>")), "CONNACK 0x82 closed");
}

TEST(Mqtt5, MQTT_3_1_3_1_MQTT_3_1_3_3_the_fields_of_connect_come_in_their_order) {
    Gate gate;
    World world(1, {}, &gate);
    Client& watcher = greet(world, v5, packet(0x10, "<MQTT> 05 82 0000 {} <w> <ana>"));
    watcher.subscribe("#").take();
    greet(world, v5, packet(0x10, "<MQTT> 05 C6 0000 {} <id> {} <topic> <payload> <ana> <pw>")).drop();
    EXPECT_EQ(watcher.text(), "PUBLISH topic 'payload'");
    EXPECT_EQ(world.presence, (hub::test::Lines{"+w", "+id", "-id"}));
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 02 0000 {}")), "CONNACK 0x81 closed") << "no client id";
}

TEST(Mqtt5, MQTT_3_1_3_4_MQTT_3_1_3_8_a_client_id_that_is_not_plain_text_or_too_long_is_refused) {
    for (const char* id : {"0002 C328", "0001 00", "0003 EDA080", "0005 746F700170", "0005 746F701F70", "0005 746FC29F70"})
        EXPECT_EQ(raw_greeting(packet(0x10, "<MQTT> 05 02 0000 {} " + std::string(id))), "20 03 00 85 00") << id;
    EXPECT_EQ(greeting(v5, connect(v5, std::string(1025, 'c'))), "CONNACK 0x85 closed");
    EXPECT_EQ(greeting(v5, connect(v5, std::string(1024, 'c'))), "CONNACK 0x0 keep_alive=64800");
}

TEST(Mqtt5, MQTT_3_1_3_5_client_ids_of_1_to_23_letters_and_digits_are_taken) {
    const std::string all = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (std::size_t size = 1; size <= 23; ++size)
        for (std::size_t at = 0; at + size <= all.size(); at += 13)
            EXPECT_EQ(greeting(v5, connect(v5, all.substr(at, size))), "CONNACK 0x0 keep_alive=64800");
}

TEST(Mqtt5, MQTT_3_1_3_6_MQTT_3_1_3_7_MQTT_3_2_2_16_an_empty_client_id_gets_a_new_one_and_is_told) {
    World world;
    Client& one = greet(world, v5, packet(0x10, "<MQTT> 05 02 000A { 11 00000064 } <>"));
    Client& two = greet(world, v5, packet(0x10, "<MQTT> 05 00 000A {} <>"));
    const auto first = one.text();
    const auto second = two.text();
    const auto at = first.find("client=");
    ASSERT_NE(at, std::string::npos) << first;
    EXPECT_NE(second.find("client="), std::string::npos) << second;
    EXPECT_NE(first, second);
    one.subscribe("t", {.qos = 1}).drop();
    const auto id = first.substr(at + 7);
    EXPECT_EQ(greet(world, v5, packet(0x10, "<MQTT> 05 00 000A {} <" + id + ">")).text(), "CONNACK 0x0 present")
        << "it is a client id like others";
}

TEST(Mqtt5, MQTT_3_1_3_11_a_will_topic_is_a_topic_name) {
    for (const char* topic : {"0002 C328", "0001 00"})
        EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 06 0000 {} <c> {} " + std::string(topic) + " <p>")), "CONNACK 0x81 closed");
    for (const char* topic : {"<#>", "<a/+>", "<>", "0001 07"})
        EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 06 0000 {} <c> {} " + std::string(topic) + " <p>")), "CONNACK 0x90 closed") << topic;
}

TEST(Mqtt5, MQTT_3_1_3_12_a_user_name_is_plain_text) {
    for (const char* name : {"0002 C328", "0005 746F700000", "0003 EDA080", "0001 01", "0001 7F", "0002 C29F"})
        EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 82 0000 {} <c> " + std::string(name))), "closed") << name;
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 82 0000 {} <c> <>")), "CONNACK 0x0 keep_alive=64800") << "it may be empty";
}

TEST(Mqtt5, MQTT_3_1_4_1_MQTT_3_2_2_7_a_connect_cut_anywhere_or_with_a_wrong_byte_is_refused_and_closed) {
    const auto whole = packet(0x10, "<MQTT> 05 C6 000A { 21 0005 } <c> { 18 00000001 } <t> <p> <u> <w>");
    EXPECT_EQ(greeting(v5, whole), "CONNACK 0x0");
    for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
        auto cut = whole;
        cut.resize(2 + size);
        cut[1] = static_cast<base::Byte>(size);
        EXPECT_TRUE(greeting(v5, cut).ends_with("closed")) << hex(cut);
    }
}

TEST(Mqtt5, MQTT_3_1_4_2_MQTT_3_1_4_6_MQTT_3_2_2_6_who_is_refused_is_closed_and_what_follows_is_not_looked_at) {
    Gate gate;
    World world(1, {}, &gate);
    Client& client = greet(world, v5, packet(0x10, "<MQTT> 05 82 0000 {} <c> <eve>") + packet(0x30, "<t> {} 'x'"));
    EXPECT_EQ(hex(client.take_bytes()), "20 03 00 86 00") << "session present is 0";
    EXPECT_TRUE(client.closed());
    EXPECT_TRUE(world.seen.empty());
}

TEST(Mqtt5, MQTT_3_1_4_3_the_older_connection_of_a_client_id_is_told_8E_and_closed) {
    World world;
    Client& first = connected(world, v5);
    Client& second = connected(world, v5);
    EXPECT_EQ(hex(first.take_bytes()), "E0 01 8E");
    EXPECT_TRUE(first.closed());
    EXPECT_FALSE(second.closed());
}

TEST(Mqtt5, MQTT_3_1_4_5_MQTT_3_2_0_1_MQTT_3_2_2_1_MQTT_3_2_2_8_a_good_connect_gets_connack_first) {
    EXPECT_EQ(raw_greeting(packet(0x10, "<MQTT> 05 02 000A {} <c>")), "20 0E 00 00 0B 21 10 00 27 00 07 00 00 22 00 10")
        << "receive maximum, maximum packet size, topic alias maximum; everything else is available";
    World world;
    const auto lasting = packet(0x10, "<MQTT> 05 00 000A { 11 00000064 } <c>");
    greet(world, v5, lasting).subscribe("t", {.qos = 1}).drop();
    connected(world, v5, "p").publish("t", "x", {.qos = 1, .id = 1});
    const auto sent = greet(world, v5, lasting + packet(0xC0, "")).take_bytes();
    EXPECT_EQ(hex(base::ByteView(sent).first(4)), "20 0E 01 00") << "before the message that waits and the PINGRESP; only bit 0 is set";
}

TEST(Mqtt5, MQTT_3_2_2_19_MQTT_3_2_2_20_a_reason_string_in_connack_gives_way_to_the_maximum_packet_size) {
    const std::string refused = "<MQTT> 05 02 000A { 17 01 15 <SCRAM> 27 ";
    const auto large = raw_greeting(packet(0x10, refused + "00001000 } <c>"));
    EXPECT_TRUE(large.starts_with("20 ")) << large;
    EXPECT_GT(large.size(), 60U) << "with words";
    EXPECT_EQ(raw_greeting(packet(0x10, refused + "00000010 } <c>")), "20 03 00 8C 00");
}

TEST(Mqtt5, MQTT_4_12_0_1_MQTT_4_12_0_6_an_authentication_method_is_refused_and_never_sent) {
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 02 0000 { 15 <SCRAM-SHA-1> 16 <data> } <c>")), "CONNACK 0x8c closed");
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 02 0000 { 16 <data> } <c>")), "CONNACK 0x82 closed") << "data without a method";
}

}  // namespace
}  // namespace sluice::conformance

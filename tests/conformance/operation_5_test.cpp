// MQTT 5.0 §3.1.2.5 (wills), §3.14, §3.15, §4.1, §4.12, §4.13: the ends of connections and sessions.
#include <gtest/gtest.h>

#include "raw.hpp"

namespace sluice::conformance {
namespace {

using namespace std::chrono_literals;

/// A watcher of "will/#" and a way to connect with a will.
struct Wills {
    Wills() {
        watcher = &connected(world, v5, "watcher");
        watcher->send(packet(0x82, "0001 {} <will/#> 0A"));  // QoS 2, retain as published
        watcher->take();
    }
    /// `flags`: of the connect flags, beside clean start 0 and the will flag.
    Client& client(const char* properties, const char* will_properties, unsigned flags = 0) {
        return greet(
            world, v5,
            packet(0x10, fmt::format("<MQTT> 05 {:02X} 000A {} <c> {} <will/c> <gone>", 0x04U | flags, properties, will_properties)));
    }
    World world;
    Client* watcher;
};

TEST(Mqtt5, MQTT_3_1_2_7_MQTT_3_1_2_8_MQTT_3_1_2_10_a_will_is_published_once_when_the_connection_breaks) {
    Wills wills;
    wills.client("{}", "{}").drop();
    EXPECT_EQ(wills.watcher->text(), "PUBLISH will/c 'gone'");
    connected(wills.world, v5).drop();
    EXPECT_EQ(wills.watcher->text(), "") << "it was the other connection's";
    wills.client("{}", "{}").send(packet(0x36, "<t> 0001 {}"));
    EXPECT_EQ(wills.watcher->text(), "PUBLISH will/c 'gone'") << "after a malformed packet";
    wills.client("{}", "{}").send(packet(0xE0, "04"));
    EXPECT_EQ(wills.watcher->text(), "PUBLISH will/c 'gone'") << "disconnect with will";
    wills.client("{}", "{}").send(packet(0xE0, "01"));
    EXPECT_EQ(wills.watcher->text(), "PUBLISH will/c 'gone'") << "no reason code of DISCONNECT";
    wills.client("{}", "{}");
    wills.world.advance(16s);
    EXPECT_EQ(wills.watcher->text(), "PUBLISH will/c 'gone'") << "silence";
    wills.client("{ 11 00000064 }", "{}");
    wills.client("{ 11 00000064 }", "{}");
    EXPECT_EQ(wills.watcher->text(), "PUBLISH will/c 'gone'") << "taken over";
}

TEST(Mqtt5, MQTT_3_1_2_8_MQTT_3_1_3_9_a_delayed_will_waits_for_its_delay_or_the_sessions_end_and_not_if_the_client_is_back) {
    Wills wills;
    wills.client("{ 11 00000064 }", "{ 18 0000000A }").drop();
    wills.world.advance(9s);
    EXPECT_EQ(wills.watcher->text(), "");
    wills.client("{ 11 00000064 }", "{ 18 0000000A }");
    wills.world.advance(12s);
    EXPECT_EQ(wills.watcher->text(), "") << "back in time";
    wills.client("{ 11 00000064 }", "{ 18 0000000A }").drop();  // takes over, then breaks
    wills.world.advance(11s);
    EXPECT_EQ(wills.watcher->text(), "PUBLISH will/c 'gone'");
    wills.client("{ 11 00000005 }", "{ 18 0000000A }").drop();
    wills.world.advance(6s);
    EXPECT_EQ(wills.watcher->text(), "PUBLISH will/c 'gone'") << "the session ended first";
    wills.client("{}", "{ 18 0000000A }").drop();
    EXPECT_EQ(wills.watcher->text(), "PUBLISH will/c 'gone'") << "the session ended at once";
    wills.client("{ 11 00000064 }", "{ 18 0000000A }").drop();
    connected(wills.world, v5);
    EXPECT_EQ(wills.watcher->text(), "PUBLISH will/c 'gone'") << "a clean start ends the session";
}

TEST(Mqtt5, MQTT_3_1_2_14_MQTT_3_1_2_15_a_will_is_retained_if_it_says_so) {
    for (const unsigned retain : {0U, 0x20U}) {
        Wills wills;
        wills.client("{}", "{}", retain).drop();
        EXPECT_EQ(wills.watcher->text(), retain != 0 ? "PUBLISH will/c 'gone' retain" : "PUBLISH will/c 'gone'");
        Client& late = connected(wills.world, v5, "late");
        late.send(packet(0x82, "0001 {} <will/c> 00"));
        EXPECT_EQ(late.text(), retain != 0 ? "SUBACK #1 0x0; PUBLISH will/c 'gone' retain" : "SUBACK #1 0x0");
    }
}

TEST(Mqtt5, MQTT_3_1_3_10_the_properties_of_a_will_go_out_with_it_in_their_order) {
    Wills wills;
    wills.client("{}", "{ 18 00000000 26 <b> <1> 02 0000003C 26 <a> <2> 03 <text> 01 01 08 <answer> 09 <id> }", 0x08).drop();
    EXPECT_EQ(wills.watcher->text(), "PUBLISH will/c 'gone' q1 #1 expiry=60 38=b1 38=a2 3=text format=1 8=answer 9=id");
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 06 0000 {} <c> { 08 <#> } <t> <p>")), "CONNACK 0x82 closed");
    EXPECT_EQ(greeting(v5, packet(0x10, "<MQTT> 05 06 0000 {} <c> { 23 0001 } <t> <p>")), "CONNACK 0x82 closed") << "a topic alias";
}

TEST(Mqtt5, MQTT_3_14_4_3_disconnect_with_reason_0_withdraws_the_will) {
    Wills wills;
    wills.client("{}", "{}").send(packet(0xE0, ""));
    wills.client("{}", "{}").send(packet(0xE0, "00"));
    wills.client("{}", "{}").send(packet(0xE0, "00 {}"));
    wills.client("{ 11 00000064 }", "{ 18 00000001 }").send(packet(0xE0, "00 { 11 0000000A }"));
    wills.world.advance(20s);
    EXPECT_EQ(wills.watcher->text(), "");
}

TEST(Mqtt5, MQTT_3_14_0_1_no_disconnect_comes_before_a_connack_that_welcomes) {
    for (const auto& first : {packet(0x30, "<t> {}"), packet(0x11, "<MQTT> 05 02 0000 {} <c>"), bytes("30 FF FF FF 7F"), bytes("00 00")})
        EXPECT_EQ(greeting(v5, first), "closed") << hex(first);
}

TEST(Mqtt5, MQTT_3_14_1_1_reserved_flags_of_disconnect_are_malformed) {
    for (unsigned flags = 1; flags < 16; ++flags) EXPECT_EQ(answer(v5, packet(0xE0 | flags, "")), refusal(v5, 0x81));
    EXPECT_EQ(answer(v5, packet(0xE0, "00 {} 00")), refusal(v5, 0x81)) << "something behind the properties";
}

TEST(Mqtt5, MQTT_3_14_2_1_a_client_that_leaves_gets_no_answer_whatever_its_reason_code) {
    for (unsigned code = 0; code < 256; ++code) EXPECT_EQ(answer(v5, packet(0xE0, fmt::format("{:02X}", code))), "closed") << code;
}

TEST(Mqtt5, MQTT_3_14_2_2_MQTT_3_14_2_3_MQTT_3_14_2_4_our_disconnect_has_a_reason_string_at_most_and_only_if_it_fits) {
    for (const auto& [most, words] : {std::pair{"00001000", true}, std::pair{"00000014", false}}) {
        World world;
        Client& client = greet(world, v5, packet(0x10, fmt::format("<MQTT> 05 02 000A {{ 17 01 27 {} 11 00000064 }} <c>", most)));
        client.take();
        client.send(packet(0xD0, ""));
        const auto sent = client.take_bytes();
        mqtt::Disconnect told;
        ASSERT_TRUE(mqtt::decode_disconnect(base::ByteView(sent).subspan(2), v5, told));
        EXPECT_EQ(told.properties.has(mqtt::Property::reason_string), words);
        std::size_t count = 0;
        told.properties.for_each([&](const mqtt::PropertyItem&) { ++count; });
        EXPECT_EQ(count, words ? 1U : 0U);
    }
}

TEST(Mqtt5, MQTT_3_14_4_1_MQTT_3_14_4_2_MQTT_4_13_1_1_MQTT_4_13_2_1_after_a_disconnect_nothing_more_is_sent_and_the_connection_is_closed) {
    World world;
    Client& client = connected(world, v5);
    client.send(packet(0x82, "0001 {} <t> 00"));
    client.take();
    client.send(packet(0x20, "00 00 {}") + packet(0xC0, "") + packet(0x30, "<t> {}"));
    EXPECT_EQ(hex(client.take_bytes()), "E0 01 82");
    EXPECT_TRUE(client.closed());
    connected(world, v5, "p").send(packet(0x30, "<t> {}"));
    EXPECT_EQ(client.text(), "");
}

TEST(Mqtt5, MQTT_3_15_1_1_MQTT_4_12_0_7_auth_is_a_protocol_error_whatever_its_flags) {
    for (unsigned flags = 0; flags < 16; ++flags) EXPECT_EQ(answer(v5, packet(0xF0 | flags, "")), refusal(v5, 0x82)) << flags;
    EXPECT_EQ(answer(v5, packet(0xF0, "18 { 15 <SCRAM> }")), refusal(v5, 0x82));
}

TEST(Mqtt5, MQTT_4_1_0_1_a_session_lives_as_long_as_its_connection) {
    World world(1, {.session_expiry_max = 10s});
    Client& client = greet(world, v5, packet(0x10, "<MQTT> 05 02 0000 { 11 00000001 } <c>"));
    client.send(packet(0x82, "0001 {} <t> 00"));
    client.take();
    for (int i = 0; i < 10; ++i) {
        world.advance(1h);
        client.send(packet(0xC0, ""));
    }
    client.take();
    connected(world, v5, "p").send(packet(0x30, "<t> {}"));
    EXPECT_EQ(client.text(), "PUBLISH t ''");
}

TEST(Mqtt5, MQTT_4_1_0_2_a_session_ends_when_its_expiry_interval_is_over) {
    World world;
    const auto sessions = [&] { return world.hub().counters().sessions; };
    connected(world, v5).drop();
    EXPECT_EQ(sessions(), 0U) << "none: with the connection";
    greet(world, v5, packet(0x10, "<MQTT> 05 02 0000 { 11 0000000A } <c>")).drop();
    world.advance(9s);
    EXPECT_EQ(sessions(), 1U);
    world.advance(2s);
    EXPECT_EQ(sessions(), 0U);
    greet(world, v5, packet(0x10, "<MQTT> 05 02 0000 { 11 0000000A } <c>")).send(packet(0xE0, "00 { 11 00000064 }"));
    world.advance(50s);
    EXPECT_EQ(sessions(), 1U) << "prolonged by DISCONNECT";
    world.advance(60s);
    Client& none = connected(world, v5);
    none.send(packet(0xE0, "00 { 11 00000001 }"));
    EXPECT_EQ(none.text(), "DISCONNECT 0x82") << "but not from none";
    EXPECT_EQ(sessions(), 0U);
}

}  // namespace
}  // namespace sluice::conformance

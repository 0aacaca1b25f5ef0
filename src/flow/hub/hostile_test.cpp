// Malformed packets, limits and floods: the one who sends them pays, nobody else.
#include <gtest/gtest.h>

#include "flow/hub/hub.hpp"
#include "flow/hub/world_test.hpp"

namespace sluice::hub::test {
namespace {

constexpr auto v5 = mqtt::Version::v5;

base::Bytes bytes(std::initializer_list<int> values) {
    base::Bytes out;
    for (const int value : values) out.push_back(static_cast<base::Byte>(value));
    return out;
}

TEST(Hostile, a_malformed_packet_ends_only_its_connection) {
    World world;
    Client& tap = world.client("tap").subscribe("#");
    tap.take();
    Client& modern = world.client("bad5", {.version = v5});
    modern.send(bytes({0x36, 2, 0, 0}));
    EXPECT_EQ(modern.text(), "DISCONNECT 0x81");
    EXPECT_TRUE(modern.closed());
    Client& old = world.client("bad4");
    old.send(bytes({0x36, 2, 0, 0}));
    EXPECT_EQ(old.text(), "");
    EXPECT_TRUE(old.closed());
    EXPECT_EQ(world.hub().counters().protocol_errors, 2U);
    world.client("good").publish("t", "x");
    EXPECT_EQ(tap.text(), "PUBLISH t 'x'");
}

TEST(Hostile, bytes_behind_a_refused_packet_are_not_looked_at) {
    World world;
    Client& client = world.client("c");
    auto packets = bytes({0x30, 3, 0, 1, '+'});  // a wildcard in a topic
    base::append(packets, bytes({0x30, 3, 0, 1, 't'}));
    client.send(packets);
    EXPECT_TRUE(client.closed());
    EXPECT_TRUE(world.seen.empty());
}

TEST(Hostile, what_does_not_begin_with_connect_is_closed_without_an_answer) {
    World world;
    for (const auto& first : {bytes({0x30, 3, 0, 1, 't'}), bytes({'G', 'E', 'T', ' ', '/'}), bytes({0xC0, 0})}) {
        Client& client = world.open("x");
        client.send(first);
        EXPECT_EQ(client.text(), "");
        EXPECT_TRUE(client.closed());
    }
    EXPECT_EQ(world.hub().counters().protocol_errors, 3U);
    EXPECT_EQ(world.hub().counters().connections, 0U);
}

TEST(Hostile, a_second_connect_and_server_packets_are_protocol_errors) {
    World world;
    EXPECT_EQ(world.client("a", {.version = v5}).connect("a", {.version = v5}).text(), "DISCONNECT 0x82");
    Client& b = world.client("b", {.version = v5});
    b.send(bytes({0xD0, 0}));
    EXPECT_EQ(b.text(), "DISCONNECT 0x82");
}

TEST(Hostile, a_packet_past_the_limit_is_refused_before_it_is_there) {
    World world(1, {.payload_bytes_max = 1000});
    Client& client = world.client("c", {.version = v5});
    client.send(bytes({0x30, 0xFF, 0xFF, 0x7F}));
    EXPECT_EQ(client.text(), "DISCONNECT 0x95");
    Client& other = world.client("d", {.version = v5}).publish("t", std::string(1001, 'x'));
    EXPECT_EQ(other.text(), "DISCONNECT 0x95");
    EXPECT_FALSE(world.client("e", {.version = v5}).publish("t", std::string(1000, 'x')).closed());
}

TEST(Hostile, a_subscription_past_a_limit_is_refused_and_the_rest_lives) {
    World world(1, {.subscriptions_per_session_max = 2});
    Client& client = world.client("c", {.version = v5}).subscribe("a").subscribe("b").subscribe("c");
    EXPECT_EQ(client.text(), "SUBACK #1 0x0; SUBACK #1 0x0; SUBACK #1 0x97");
    std::string deep = "a";
    for (std::size_t i = 1; i <= kLevelsMax; ++i) deep += "/a";
    World other;
    EXPECT_EQ(other.client("c", {.version = v5}).subscribe(deep).text(), "SUBACK #1 0x8f");
    EXPECT_EQ(other.client("d").subscribe(deep).text(), "SUBACK #1 0x80");
}

/// CONNECT, SUBSCRIBE, a QoS 1 PUBLISH to itself, PINGREQ.
base::Bytes conversation(mqtt::Version version) {
    base::Bytes out;
    mqtt::encode_connect(out, {.version = version, .client_id = "cut", .will = {}, .user = {}, .password = {}, .properties = {}});
    const mqtt::Subscription one{.filter = "t/#", .qos = mqtt::Qos::at_least_once};
    mqtt::encode_subscribe(out, 3, std::span(&one, 1), version);
    const std::string payload(200, 'p');
    mqtt::encode_publish(
        out, {.topic = "t/1", .payload = base::as_bytes(payload), .packet_id = 4, .qos = mqtt::Qos::at_least_once, .properties = {}},
        version);
    base::append(out, base::ByteView(mqtt::kPingreq));
    return out;
}

TEST(Hostile, packets_cut_at_every_byte_are_understood) {
    for (const auto version : {mqtt::Version::v311, v5}) {
        const base::Bytes all = conversation(version);
        const Lines expected{version == v5 ? "CONNACK 0x0 keep_alive=64800" : "CONNACK 0x0", "SUBACK #3 0x1",
                             fmt::format("PUBLISH t/1 '{}' q1 #1", std::string(200, 'p')), "PUBACK #4", "PINGRESP"};
        for (std::size_t cut = 0; cut <= all.size(); ++cut) {
            World world;
            Client& client = world.open("cut").speaks(version);
            client.send(base::ByteView(all).first(cut));
            client.send(base::ByteView(all).subspan(cut));
            ASSERT_EQ(client.take(), expected) << "cut at " << cut;
        }
        World world;
        Client& drip = world.open("cut").speaks(version);
        for (const base::Byte one : all) drip.send(base::ByteView(&one, 1));
        EXPECT_EQ(drip.take(), expected);
    }
}

TEST(Hostile, a_client_that_asks_but_never_reads_is_closed) {
    World world(1, {.output_bytes_hard = 100});
    Client& client = world.client("c");
    world.stick(client, true);
    for (int i = 0; i < 60 && !client.closed(); ++i) client.ping();
    EXPECT_TRUE(client.closed());
    EXPECT_EQ(world.hub().counters().slow_closed, 1U);
}

TEST(Hostile, a_flood_of_subscribes_looks_up_retained_messages_once_a_turn) {
    World world;
    Client& publisher = world.client("p");
    for (int i = 0; i < 25'000; ++i) publisher.publish(fmt::format("t/{}", i), "x", {.retain = true});
    Client& flood = world.client("flood");
    Client& other = world.client("other");
    for (int i = 0; i < 200; ++i) flood.subscribe("+/none");
    other.subscribe("t/7");
    world.turn(0), world.turn(0);
    EXPECT_EQ(other.text(), "SUBACK #1 0x0; PUBLISH t/7 'x' retain");
    EXPECT_EQ(flood.take().size(), 200U);
}

TEST(Hostile, what_waits_for_all_sessions_together_is_bounded) {
    World world(1, {.inflight_max = 1, .waiting_bytes_max = 10'000});
    std::vector<Client*> taps;
    for (int i = 0; i < 4; ++i) taps.push_back(&world.client(fmt::format("tap{}", i)).subscribe("t", {.qos = 1}));
    Client& publisher = world.client("p");
    for (int i = 0; i < 100; ++i) publisher.publish("t", std::string(400, 'x'), {.qos = 1, .id = 1});
    EXPECT_LE(world.hub().counters().waiting_bytes, 10'000U);
    EXPECT_GT(world.hub().counters().waiting_bytes, 9'000U);
    EXPECT_GT(world.hub().counters().dropped_queue_full, 300U);
    for (Client* tap : taps) tap->drop();
    EXPECT_EQ(world.hub().counters().waiting_bytes, 0U);
    EXPECT_EQ(world.hub().counters().messages_waiting, 0U);
}

TEST(Hostile, aliases_may_not_hold_more_than_their_bytes) {
    World world(1, {.topic_alias_bytes_max = 100});
    Client& client = world.client("c", {.version = v5});
    const std::string topic(60, 't');
    client.publish(topic, "x", {.alias = 1}).publish(topic, "x", {.alias = 1});
    EXPECT_FALSE(client.closed());
    EXPECT_EQ(client.publish(topic, "x", {.alias = 2}).text(), "DISCONNECT 0x97");
}

}  // namespace
}  // namespace sluice::hub::test

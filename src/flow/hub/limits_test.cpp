// Limits of one client: how fast it publishes, what its topics look like, its will, its aliases; limits that change while it is connected.
#include "flow/hub/world_test.hpp"

namespace sluice::hub::test {
namespace {

constexpr auto v5 = mqtt::Version::v5;
constexpr auto v311 = mqtt::Version::v311;

std::string deep(std::size_t levels) {
    std::string topic = "a";
    for (std::size_t i = 1; i < levels; ++i) topic += "/a";
    return topic;
}

// How fast

TEST(Pace, a_client_that_publishes_too_fast_is_not_read_and_loses_nothing) {
    World world(1, {.message_rate = 10});
    Client& fast = world.client("fast");
    Client& other = world.client("other");
    for (int i = 0; i < 35; ++i) fast.publish("fast", std::to_string(i));
    EXPECT_EQ(world.seen.size(), 10U) << "a second's worth at once";
    EXPECT_TRUE(fast.held());
    for (int i = 0; i < 10; ++i) other.publish("other", "x");
    EXPECT_EQ(world.seen.size(), 20U) << "the others have a bucket of their own";
    EXPECT_FALSE(other.held());
    world.advance(1s);
    EXPECT_EQ(world.seen.size(), 30U);
    world.advance(2s);
    ASSERT_EQ(world.seen.size(), 45U);
    EXPECT_EQ(world.seen.back().payload, "34");
    EXPECT_FALSE(fast.held());
    EXPECT_GE(world.hub().counters().clients_throttled, 1U);
    EXPECT_NEAR(static_cast<double>(world.hub().counters().throttled_ms), 2500, 100);
}

TEST(Pace, bytes_count_too_and_a_packet_larger_than_a_second_of_them_comes_through) {
    World world(1, {.byte_rate = 1000});
    Client& client = world.client("c");
    client.publish("t", std::string(3000, 'x')).publish("t", "y");
    ASSERT_EQ(world.seen.size(), 1U);
    world.advance(1900ms);
    EXPECT_EQ(world.seen.size(), 1U);
    world.advance(200ms);
    EXPECT_EQ(world.seen.size(), 2U);
}

TEST(Pace, a_client_that_is_held_back_is_not_taken_for_silent) {
    World world(1, {.byte_rate = 1000});
    Client& client = world.client("c", {.keep_alive = 2});
    client.publish("t", std::string(20'000, 'x')).publish("t", "y");
    world.advance(20s);
    EXPECT_FALSE(client.closed()) << "we did not listen for 19 seconds";
    world.advance(4s);
    EXPECT_TRUE(client.closed()) << "now it is silent";
}

TEST(Pace, what_is_no_publish_costs_nothing_but_keeps_its_place) {
    World world(1, {.message_rate = 1});
    Client& client = world.client("c");
    for (int i = 0; i < 100; ++i) client.ping();
    EXPECT_EQ(client.take().size(), 100U);
    client.publish("t", "1").publish("t", "2").ping();
    EXPECT_EQ(client.text(), "") << "the ping stands behind a publish that waits";
    world.advance(1s);
    EXPECT_EQ(client.text(), "PINGRESP");
}

TEST(Pace, a_client_that_goes_while_it_is_held_back_leaves_nothing_behind) {
    World world(1, {.message_rate = 1});
    for (int i = 0; i < 3; ++i) {
        Client& client = world.client("c").publish("t", "1").publish("t", "2");
        EXPECT_TRUE(client.held());
        client.drop();
    }
    world.advance(10s);
    EXPECT_EQ(world.seen.size(), 1U) << "what was held back goes with its connection";
    EXPECT_EQ(world.hub().counters().connections, 0U);
}

TEST(Pace, who_connects_again_goes_on_where_it_was) {
    for (const bool clean : {true, false}) {
        World world(1, {.message_rate = 10});
        world.client("c", {.clean = clean}).publish("t", "early").drop();
        for (int times = 0; times < 5; ++times) {
            Client& client = world.client("c", {.clean = clean});
            for (int i = 0; i < 4; ++i) client.publish("t", "x");
            times % 2 == 0 ? client.drop() : static_cast<void>(client.disconnect());
        }
        EXPECT_EQ(world.seen.size(), 10U) << "a second's worth at once, over however many connections; clean: " << clean;
        Client& last = world.client("c", {.clean = clean});
        last.publish("t", "last");
        EXPECT_TRUE(last.held());
        world.advance(100ms);
        EXPECT_FALSE(last.held()) << "the timer of an earlier connection is not its own";
        EXPECT_EQ(world.seen.size(), 11U);
    }
}

TEST(Pace, who_takes_its_own_place_goes_on_where_it_was) {
    World world(1, {.message_rate = 10});
    for (int times = 0; times < 5; ++times) {
        Client& client = world.client("c");  // the one before is still there
        for (int i = 0; i < 4; ++i) client.publish("t", "x");
    }
    EXPECT_EQ(world.seen.size(), 10U);
}

TEST(Pace, who_waits_for_its_pace_is_not_let_go_by_the_end_of_a_turn) {
    World world(1, {.output_bytes_max = 1 << 30, .output_bytes_hard = 1 << 30, .message_rate = 2, .memory_bytes_max = 1 << 30});
    for (int i = 0; i < 200; ++i) world.client("s" + std::to_string(i)).subscribe("t").take();
    Client& publisher = world.client("p");
    base::Bytes many;
    for (int i = 0; i < 3; ++i)
        mqtt::encode_publish(many, {.topic = "t", .payload = base::Bytes(100'000), .packet_id = 0, .qos = {}, .properties = {}}, v311);
    publisher.send(many);
    world.settle();
    EXPECT_EQ(world.seen.size(), 2U);
    EXPECT_TRUE(publisher.held()) << "20 MB made it wait for the next turn, its pace makes it wait on";
    world.advance(500ms);
    EXPECT_EQ(world.seen.size(), 3U);
}

TEST(Pace, a_turn_in_which_very_much_is_delivered_ends_early_and_goes_on_in_the_next) {
    World world(1, {.output_bytes_max = 1 << 30, .output_bytes_hard = 1 << 30, .memory_bytes_max = 1 << 30});
    for (int i = 0; i < 200; ++i) world.client("s" + std::to_string(i)).subscribe("t").take();
    Client& publisher = world.client("p");
    base::Bytes many;
    for (int i = 0; i < 10; ++i)
        mqtt::encode_publish(many, {.topic = "t", .payload = base::Bytes(100'000), .packet_id = 0, .qos = {}, .properties = {}}, v311);
    publisher.send(many);
    EXPECT_EQ(world.seen.size(), 1U) << "20 MB for one turn";
    EXPECT_TRUE(publisher.held());
    world.settle();
    EXPECT_EQ(world.seen.size(), 10U);
    EXPECT_EQ(world.hub().counters().delivered, 2000U);
    EXPECT_FALSE(publisher.held());
}

// Topics

TEST(TopicLimits, topics_and_filters_at_the_limits_are_taken) {
    World world(1, {.topic_bytes_max = 50, .topic_levels_max = 5});
    Client& client = world.client("c", {.version = v5});
    EXPECT_EQ(client.subscribe(deep(5)).subscribe(std::string(50, 'b')).text(), "SUBACK #1 0x0; SUBACK #1 0x0");
    EXPECT_EQ(client.publish(deep(5), "x").publish(std::string(50, 'b'), "y").take().size(), 2U);
}

TEST(TopicLimits, beyond_them_a_publish_is_answered_with_0x90_and_goes_nowhere) {
    World world(1, {.topic_bytes_max = 50, .topic_levels_max = 5});
    Client& client = world.client("c", {.version = v5});
    client.publish(deep(6), "x", {.qos = 1, .id = 1}).publish(std::string(51, 'b'), "x", {.qos = 2, .id = 2});
    EXPECT_EQ(client.text(), "PUBACK #1 0x90; PUBREC #2 0x90");
    EXPECT_FALSE(client.closed());
    EXPECT_EQ(client.publish(deep(6), "x").text(), "DISCONNECT 0x90") << "QoS 0: nothing else would tell it";
    EXPECT_TRUE(client.closed());
    Client& old = world.client("old");
    old.publish(deep(6), "x", {.qos = 1, .id = 1});
    EXPECT_TRUE(old.closed()) << "3.1.1 has no words for it";
    EXPECT_TRUE(world.seen.empty());
    EXPECT_EQ(world.hub().counters().publishes_topic_refused, 4U);
}

TEST(TopicLimits, an_alias_does_not_go_round_them) {
    World world(1, {.topic_levels_max = 5});
    Client& client = world.client("c", {.version = v5});
    client.publish(deep(6), "x", {.qos = 1, .id = 1, .alias = 1}).publish("", "y", {.qos = 1, .id = 2, .alias = 1});
    EXPECT_EQ(client.text(), "PUBACK #1 0x90; PUBACK #2 0x90");
}

TEST(TopicLimits, filters_beyond_them_are_refused_shared_ones_with_their_group) {
    World world(1, {.topic_bytes_max = 50, .topic_levels_max = 5});
    Client& client = world.client("c", {.version = v5});
    EXPECT_EQ(client.subscribe(deep(6)).subscribe(std::string(51, 'b')).text(), "SUBACK #1 0x8f; SUBACK #1 0x8f");
    EXPECT_EQ(client.subscribe("$share/" + std::string(50, 'g') + "/t").text(), "SUBACK #1 0x8f");
    EXPECT_EQ(client.subscribe("$share/g/" + deep(5)).text(), "SUBACK #1 0x0") << "the group is no level";
    EXPECT_EQ(world.client("old").subscribe(deep(6)).text(), "SUBACK #1 0x80");
    EXPECT_EQ(world.hub().counters().subscribes_refused, 4U);
}

TEST(TopicLimits, wills_beyond_them_are_refused) {
    World world(1, {.topic_levels_max = 5});
    EXPECT_EQ(world.open("a").connect("a", {.version = v5, .will_topic = deep(6), .will_payload = "x"}).text(), "CONNACK 0x90");
    EXPECT_EQ(world.open("b").connect("b", {.version = v5, .will_topic = deep(5), .will_payload = "x"}).text().substr(0, 11),
              "CONNACK 0x0");
    EXPECT_EQ(world.hub().counters().wills_refused, 1U);
}

// Wills, aliases

TEST(WillLimits, a_will_too_large_is_refused_and_counted) {
    World world(1, {.will_payload_bytes_max = 10, .will_bytes_max = 20});
    EXPECT_EQ(world.open("a").connect("a", {.version = v5, .will_topic = "t", .will_payload = std::string(11, 'x')}).text(),
              "CONNACK 0x95");
    world.client("b", {.version = v5, .will_topic = "t", .will_payload = std::string(10, 'x')});
    EXPECT_EQ(world.open("c").connect("c", {.version = v5, .will_topic = "t", .will_payload = std::string(10, 'x')}).text(), "CONNACK 0x97")
        << "all together";
    EXPECT_EQ(world.hub().counters().wills_refused, 2U);
    EXPECT_EQ(world.hub().counters().will_bytes, 11U);
    world.elsewhere.will_bytes = 15;
    world.settle();
    EXPECT_EQ(world.open("d").connect("d", {.version = v5, .will_topic = "t", .will_payload = "x"}).text(), "CONNACK 0x97")
        << "with those of other shards";
}

// Totals of all shards

TEST(Totals, sessions_and_subscriptions_of_other_shards_count) {
    World world(1, {.sessions_max = 10, .subscriptions_max = 10});
    world.elsewhere = {.sessions = 8, .subscriptions = 9};
    world.settle();
    Client& a = world.client("a", {.version = v5});
    EXPECT_EQ(a.subscribe("x").subscribe("y").text(), "SUBACK #1 0x0; SUBACK #1 0x97");
    world.client("b");
    EXPECT_EQ(world.open("c").connect("c", {.version = v5}).text(), "CONNACK 0x97");
}

// Limits that change

TEST(ChangedLimits, rates_and_sizes_hold_at_once_for_who_is_connected) {
    World world;
    Client& client = world.client("c", {.version = v5});
    world.hub().set_limits({.message_rate = 5, .topic_levels_max = 3, .subscriptions_per_session_max = 1});
    EXPECT_EQ(client.subscribe("a").subscribe("b").text(), "SUBACK #1 0x0; SUBACK #1 0x97");
    EXPECT_EQ(client.publish(deep(4), "x", {.qos = 1, .id = 1}).text(), "PUBACK #1 0x90");
    for (int i = 0; i < 10; ++i) client.publish("t", "x");
    EXPECT_EQ(world.seen.size(), 4U);
    EXPECT_TRUE(client.held());
    world.hub().set_limits({});
    world.advance(1s);
    EXPECT_EQ(world.seen.size(), 10U) << "no limit: all that waited comes at once";
    world.hub().set_limits({.payload_bytes_max = 10});
    EXPECT_EQ(client.publish("t", std::string(11, 'x')).text(), "DISCONNECT 0x95");
}

TEST(ChangedLimits, who_was_held_back_for_long_by_old_rates_goes_on_at_the_new_ones) {
    World world(1, {.byte_rate = 100});
    Client& client = world.client("c", {.keep_alive = 2});
    client.publish("t", std::string(20'000, 'x')).publish("t", "y");
    world.advance(10s);
    EXPECT_EQ(world.seen.size(), 1U) << "for 200 seconds";
    world.hub().set_limits({.byte_rate = 1000});
    world.advance(1ms);
    EXPECT_EQ(world.seen.size(), 2U);
    EXPECT_FALSE(client.closed()) << "it could not tell that it is alive";
    client.publish("t", std::string(10'000, 'x')).publish("t", "z");
    EXPECT_TRUE(client.held()) << "at the new rate";
    world.advance(2s);
    EXPECT_TRUE(client.held());
    world.hub().set_limits({.message_rate = 1});
    world.advance(1ms);
    EXPECT_EQ(world.seen.size(), 4U);
}

TEST(ChangedLimits, what_a_client_was_told_at_connect_holds_as_long_as_its_connection) {
    World world(1, {.receive_maximum = 3, .topic_alias_max = 4});
    world.next_ticket = 1;
    Client& client = world.client("c", {.version = v5});
    world.hub().set_limits({.receive_maximum = 1, .topic_alias_max = 0});
    for (mqtt::PacketId id = 1; id <= 3; ++id) client.publish("t", "x", {.qos = 1, .id = id, .alias = 4});
    EXPECT_EQ(client.text(), "");
    EXPECT_FALSE(client.closed());
    Client& later = world.client("later", {.version = v5});
    later.publish("t", "x", {.qos = 1, .id = 1}).publish("t", "x", {.qos = 1, .id = 2});
    EXPECT_EQ(later.text(), "DISCONNECT 0x93");
}

TEST(ChangedLimits, what_is_there_stays_when_a_limit_is_lowered) {
    World world;
    Client& client = world.client("c", {.version = v5});
    client.subscribe("a").subscribe("b").publish("r", "kept", {.retain = true}).take();
    world.hub().set_limits({.subscriptions_per_session_max = 1, .retained_messages_max = 0});
    EXPECT_EQ(world.client("d", {.version = v5}).subscribe("r").text(), "SUBACK #1 0x0; PUBLISH r 'kept' retain");
    client.publish("b", "x");
    EXPECT_EQ(client.text(), "PUBLISH b 'x'");
    client.publish("new", "x", {.retain = true});
    EXPECT_EQ(world.hub().counters().retained_refused, 1U);
}

}  // namespace
}  // namespace sluice::hub::test

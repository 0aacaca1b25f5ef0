// What takes long is done over several turns, in the order in which it was asked for, and nobody else waits for it.
#include "flow/hub/world_test.hpp"

namespace sluice::hub::test {
namespace {

constexpr auto v5 = mqtt::Version::v5;

/// 5 filters a share, 20 a turn.
const Limits kSlow{.turn_work = 40us};

base::Bytes subscribe(std::string_view prefix, int filters, mqtt::PacketId id = 1) {
    std::vector<std::string> texts;
    texts.reserve(static_cast<std::size_t>(filters));
    for (int i = 0; i < filters; ++i) texts.push_back(fmt::format("{}/{}", prefix, i));
    std::vector<mqtt::Subscription> list;
    list.reserve(texts.size());
    for (const auto& text : texts) list.push_back({.filter = text, .qos = mqtt::Qos::at_least_once});
    base::Bytes out;
    mqtt::encode_subscribe(out, id, list, v5);
    return out;
}

base::Bytes unsubscribe(std::string_view prefix, int filters, mqtt::PacketId id = 2) {
    std::vector<std::string> texts;
    texts.reserve(static_cast<std::size_t>(filters));
    for (int i = 0; i < filters; ++i) texts.push_back(fmt::format("{}/{}", prefix, i));
    const std::vector<std::string_view> list(texts.begin(), texts.end());
    base::Bytes out;
    mqtt::encode_unsubscribe(out, id, list, v5);
    return out;
}

std::size_t subscriptions(World& world) { return world.total(&Counters::subscriptions); }

/// Turns that it takes until the condition holds; 1,000: it never does.
template <class Condition>
int turns(World& world, Condition&& condition, std::uint32_t shard = 0) {
    int count = 0;
    for (; count < 1000 && !condition(); ++count) world.turn(shard);
    return count;
}

TEST(TurnWork, a_subscribe_of_many_filters_takes_several_turns_and_is_answered_once) {
    World world(1, kSlow);
    Client& client = world.client("c", {.version = v5});
    Client& other = world.client("other");
    world.turn(0);
    client.send(subscribe("a", 50));
    EXPECT_EQ(subscriptions(world), 5U);
    EXPECT_TRUE(client.held());
    for (int i = 0; i < 10; ++i) other.publish("b", "x");
    EXPECT_EQ(world.seen.size(), 10U) << "who publishes does not wait";
    EXPECT_FALSE(other.held());
    EXPECT_EQ(turns(world, [&] { return subscriptions(world) == 50; }), 10) << "the first ends the turn that is under way";
    const auto lines = client.take();
    ASSERT_EQ(lines.size(), 1U);
    std::string expected = "SUBACK #1";
    for (int i = 0; i < 50; ++i) expected += " 0x1";
    EXPECT_EQ(lines.front(), expected);
    EXPECT_EQ(world.hub().counters().subscribes, 50U);
    EXPECT_FALSE(client.held());
    other.publish("a/0", "first").publish("a/49", "last");
    EXPECT_EQ(client.text(), "PUBLISH a/0 'first'; PUBLISH a/49 'last'");
}

TEST(TurnWork, without_a_limit_all_is_done_at_once) {
    World world;
    Client& client = world.client("c", {.version = v5});
    client.send(subscribe("a", 1000));
    EXPECT_EQ(subscriptions(world), 1000U);
    EXPECT_FALSE(client.held());
}

TEST(TurnWork, packets_behind_one_that_takes_long_keep_their_order) {
    World world(1, kSlow);
    Client& client = world.client("c", {.version = v5});
    world.turn(0);
    base::Bytes all = subscribe("a", 12);
    base::append(all, unsubscribe("a", 12));
    base::append(all, base::ByteView(mqtt::kPingreq));
    client.send(all);
    const auto lines = client.take();
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_TRUE(lines[0].starts_with("SUBACK #1 0x1"));
    EXPECT_TRUE(lines[1].starts_with("UNSUBACK #2 0x0"));
    EXPECT_EQ(lines[2], "PINGRESP");
    EXPECT_EQ(subscriptions(world), 0U);
    EXPECT_EQ(world.hub().counters().packets_in, 4U) << "each once, however often it was presented";
}

TEST(TurnWork, the_small_wishes_of_many_do_not_wait_for_the_large_ones) {
    World world(1, kSlow);
    std::vector<Client*> large;
    large.reserve(100);
    for (int i = 0; i < 10; ++i) large.push_back(&world.client(fmt::format("large{}", i), {.version = v5}));
    Client& small = world.client("small", {.version = v5});
    world.settle();
    for (Client* client : large) client->send(subscribe(client == large[0] ? "x" : "y", 500));
    small.send(subscribe("z", 1));
    EXPECT_TRUE(small.held()) << "it stands in the line";
    const int waited = turns(world, [&] { return !small.held(); });
    EXPECT_LE(waited, 10) << "every large one had one share before it";
    EXPECT_LE(subscriptions(world), 250U);
}

TEST(TurnWork, who_comes_later_stands_behind_those_who_wait) {
    World world(1, kSlow);
    std::vector<Client*> clients;
    clients.reserve(100);
    for (int i = 0; i < 6; ++i) clients.push_back(&world.client(fmt::format("c{}", i), {.version = v5}));
    Client& late = world.client("late", {.version = v5});
    world.settle();
    for (Client* client : clients) client->send(subscribe("x", 500));
    world.turn(0);
    late.send(subscribe("z", 1));
    EXPECT_TRUE(late.held()) << "a new turn has begun, but four of six come first and two still wait";
}

TEST(TurnWork, all_connections_together_have_one_turn) {
    World world(1, kSlow);
    std::vector<Client*> clients;
    clients.reserve(100);
    for (int i = 0; i < 100; ++i) clients.push_back(&world.client(fmt::format("c{}", i), {.version = v5}));
    world.settle();
    for (Client* client : clients) client->send(subscribe(fmt::format("t{}", client->id().value()), 50));
    EXPECT_LE(subscriptions(world), 20U);
    world.turn(0);
    for (std::size_t before = subscriptions(world); before < 5000; before = subscriptions(world)) {
        world.turn(0);
        ASSERT_LE(subscriptions(world) - before, 20U);
        ASSERT_GT(subscriptions(world), before);
    }
    for (Client* client : clients) EXPECT_EQ(client->take().size(), 1U);
}

TEST(TurnWork, who_goes_in_the_middle_of_a_subscribe_leaves_nothing_behind) {
    World world(1, kSlow);
    Client& client = world.client("c", {.version = v5});
    world.turn(0);
    client.send(subscribe("a", 50));
    world.turn(0);
    client.drop();
    world.advance(100ms);
    EXPECT_EQ(subscriptions(world), 0U);
    EXPECT_EQ(world.hub().counters().sessions, 0U);
    Client& next = world.client("c", {.version = v5});
    next.send(subscribe("b", 7));
    EXPECT_EQ(next.text(), "SUBACK #1 0x1 0x1 0x1 0x1 0x1 0x1 0x1");
}

TEST(TurnWork, filters_of_ended_sessions_go_over_several_turns_and_nobody_finds_them) {
    World world(1, kSlow);
    std::vector<Client*> clients;
    clients.reserve(100);
    for (int i = 0; i < 10; ++i) {
        clients.push_back(&world.client(fmt::format("c{}", i), {.version = v5}));
        clients.back()->send(subscribe("t", 50));
        clients.back()->take();
    }
    Client& publisher = world.client("p");
    for (Client* client : clients) client->drop();
    EXPECT_GT(subscriptions(world), 400U);
    EXPECT_EQ(world.hub().counters().sessions, 1U);
    publisher.publish("t/49", "x", {.qos = 1, .id = 1});
    EXPECT_EQ(world.hub().counters().messages_waiting, 0U);
    EXPECT_EQ(world.hub().counters().delivered, 0U);
    // One of them is back before its old filters are gone.
    Client& back = world.client("c7", {.version = v5});
    back.send(subscribe("t", 3));
    back.take();
    publisher.publish("t/2", "y");
    EXPECT_EQ(back.text(), "PUBLISH t/2 'y'");
    world.advance(100ms);
    EXPECT_EQ(subscriptions(world), 3U);
    publisher.publish("t/2", "z");
    EXPECT_EQ(back.text(), "PUBLISH t/2 'z'");
}

TEST(TurnWork, a_member_of_a_group_that_has_ended_gets_nothing) {
    World world(1, kSlow);
    Client& gone = world.client("gone", {.version = v5});
    gone.send(subscribe("$share/g/t", 30));
    gone.take();
    Client& there = world.client("there", {.version = v5});
    there.send(subscribe("$share/g/t", 1));
    there.take();
    gone.drop();
    ASSERT_GT(subscriptions(world), 5U);
    Client& publisher = world.client("p");
    for (int i = 0; i < 4; ++i) publisher.publish("t/0", std::to_string(i));
    publisher.publish("t/1", "nobody is left to get this", {.qos = 1, .id = 1});
    EXPECT_EQ(there.text(), "PUBLISH t/0 '0'; PUBLISH t/0 '1'; PUBLISH t/0 '2'; PUBLISH t/0 '3'");
    EXPECT_EQ(world.hub().counters().dropped_session_end, 1U);
    EXPECT_EQ(world.hub().counters().messages_waiting, 0U);
}

TEST(TurnWork, wills_of_many_that_vanish_at_once_come_over_several_turns_and_each_once) {
    World world(1, kSlow);
    Client& tap = world.client("tap").subscribe("will/#");
    tap.take();
    std::vector<Client*> clients;
    clients.reserve(100);
    for (int i = 0; i < 50; ++i)
        clients.push_back(&world.client(fmt::format("c{}", i), {.will_topic = fmt::format("will/{}", i), .will_payload = "gone"}));
    world.settle();
    for (Client* client : clients) client->drop();
    EXPECT_LT(world.hub().counters().wills_published, 20U);
    world.advance(100ms);
    EXPECT_EQ(world.hub().counters().wills_published, 50U);
    EXPECT_EQ(world.hub().counters().sessions, 1U);
    std::vector<std::string> wills = tap.take();
    std::sort(wills.begin(), wills.end());
    EXPECT_EQ(wills.size(), 50U);
    EXPECT_EQ(std::unique(wills.begin(), wills.end()), wills.end());
}

TEST(TurnWork, a_will_comes_before_what_its_client_says_when_it_is_back) {
    for (const bool clean : {true, false}) {
        World world(1, kSlow);
        Client& tap = world.client("tap").subscribe("status/7");
        tap.take();
        std::vector<Client*> clients;
        clients.reserve(100);
        for (int i = 0; i < 50; ++i)
            clients.push_back(
                &world.client(fmt::format("c{}", i), {.clean = clean, .will_topic = fmt::format("status/{}", i), .will_payload = "off"}));
        world.settle();
        for (auto one = clients.rbegin(); one != clients.rend(); ++one) (*one)->drop();
        ASSERT_EQ(tap.take_bytes().size(), 0U) << "its will waits";
        world.client("c7", {.clean = clean}).publish("status/7", "on");
        EXPECT_EQ(tap.text(), "PUBLISH status/7 'off'; PUBLISH status/7 'on'");
        world.advance(100ms);
        EXPECT_EQ(tap.text(), "") << "once";
        EXPECT_EQ(world.hub().counters().wills_published, 50U);
    }
}

TEST(TurnWork, new_retained_topics_are_stored_over_several_turns) {
    World world(1, kSlow);
    Client& client = world.client("c");
    world.turn(0);
    base::Bytes many;
    for (int i = 0; i < 30; ++i)
        mqtt::encode_publish(many,
                             {.topic = fmt::format("kept/{}", i),
                              .payload = base::as_bytes("x"),
                              .packet_id = 0,
                              .qos = {},
                              .retain = true,
                              .properties = {}},
                             mqtt::Version::v311);
    client.send(many);
    EXPECT_EQ(world.hub().counters().retained_messages, 3U);
    EXPECT_TRUE(client.held());
    world.settle();
    EXPECT_EQ(world.hub().counters().retained_messages, 30U);
}

TEST(TurnWork, filters_wait_until_other_shards_have_read_those_before_them) {
    World world(2, {.turn_work = 1s});
    Client& client = world.open_at(0).connect("c", {.version = v5});
    world.settle();
    client.take();
    for (mqtt::PacketId id = 1; id <= 10; ++id) client.send(subscribe(fmt::format("a{}", id), 100, id));
    const std::size_t at_once = subscriptions(world);
    EXPECT_LT(at_once, 500U);
    for (int i = 0; i < 20; ++i) world.turn(0);
    EXPECT_EQ(subscriptions(world), at_once) << "the other shard has not read them";
    world.settle();
    EXPECT_EQ(subscriptions(world), 1000U);
    EXPECT_EQ(client.take().size(), 10U);
}

TEST(TurnWork, a_flood_of_plain_messages_between_shards_holds_nobody_up) {
    World world(2, {.turn_work = 1s});
    Client& tap = world.open_at(1).connect("tap").subscribe("t");
    Client& publisher = world.open_at(0).connect("p");
    world.settle();
    tap.take();
    for (int i = 0; i < 100; ++i) publisher.publish("t", std::string(1000, 'x'));
    Client& late = world.open_at(0).connect("late", {.version = v5});
    late.send(subscribe("u", 1));
    EXPECT_FALSE(late.held());
    world.settle();
    EXPECT_EQ(late.take().size(), 2U);
}

}  // namespace
}  // namespace sluice::hub::test

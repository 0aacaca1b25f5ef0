// Much of everything: take-overs, filters, retained messages, wills, messages for who does not read, damaged packets. What is asserted each
// time: the offender is bounded and counted, and what others send each other arrives.
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "flow/hub/hub.hpp"
#include "flow/hub/world_test.hpp"

namespace sluice::hub::test {
namespace {

constexpr auto v5 = mqtt::Version::v5;

/// A publisher and a subscriber who talk to each other while others misbehave.
class Neighbours {
public:
    explicit Neighbours(World& world)
        : publisher_(world.client("good publisher", {.version = v5})), tap_(world.client("good tap", {.version = v5})) {
        tap_.subscribe("good/#", {.qos = 1}).take();
    }
    /// One message from one to the other.
    void talk() {
        ++said_;
        publisher_.publish("good/1", std::to_string(said_), {.qos = 1, .id = 1});
        EXPECT_EQ(publisher_.text(), "PUBACK #1");
        const auto heard = tap_.take();
        ASSERT_EQ(heard.size(), 1U);
        EXPECT_TRUE(heard[0].starts_with("PUBLISH good/1 '" + std::to_string(said_) + "' q1 #")) << heard[0];
        tap_.ack(mqtt::PacketType::puback, static_cast<mqtt::PacketId>(std::stoul(heard[0].substr(heard[0].find('#') + 1))));
    }

private:
    Client& publisher_;
    Client& tap_;
    int said_ = 0;
};

base::Bytes conversation(mqtt::Version version) {
    base::Bytes out;
    base::Bytes will_properties;
    mqtt::PropertyWriter writer(will_properties);
    writer.number(mqtt::Property::will_delay_interval, 1);
    mqtt::encode_connect(
        out, {.version = version,
              .client_id = "damaged",
              .will = mqtt::Will{.topic = "w", .payload = base::as_bytes(std::string_view("gone")), .properties = writer.done()},
              .user = "u",
              .password = base::as_bytes(std::string_view("p")),
              .properties = {}});
    const mqtt::Subscription one{.filter = "bad/#", .qos = mqtt::Qos::exactly_once};
    mqtt::encode_subscribe(out, 3, std::span(&one, 1), version);
    base::Bytes properties;
    mqtt::PropertyWriter publish_properties(properties);
    publish_properties.number(mqtt::Property::topic_alias, 2).text(mqtt::Property::content_type, "text").user("k", "v");
    mqtt::encode_publish(out,
                         {.topic = "bad/1",
                          .payload = base::as_bytes(std::string_view("payload")),
                          .packet_id = 4,
                          .qos = mqtt::Qos::exactly_once,
                          .retain = true,
                          .properties = publish_properties.done()},
                         version);
    mqtt::encode_ack(out, mqtt::PacketType::pubrel, {.packet_id = 4, .properties = {}}, version);
    mqtt::encode_ack(out, mqtt::PacketType::pubrec, {.packet_id = 1, .properties = {}}, version);
    mqtt::encode_disconnect(out, {.properties = {}}, version);
    return out;
}

/// Subscribes to so many filters of its own, each with one level that nobody else has.
void subscribe_to_many(Client& client, std::string_view name, int filters) {
    for (int i = 0; i < filters; ++i) client.subscribe(fmt::format("{}/{}/+", name, i));
    static_cast<void>(client.take_bytes());
}

TEST(Flood, sessions_that_end_together_end_in_slices_and_nobody_finds_one_that_is_over) {
    constexpr int kSessions = 20;
    constexpr int kFilters = 200;
    for (const std::uint16_t shards : {std::uint16_t{1}, std::uint16_t{2}}) {
        World world(shards, {.turn_work = 1ms});
        Neighbours neighbours(world);
        Client& will_reader = world.client("will reader");
        will_reader.subscribe("wills/#").take();
        const auto before = world.total(&Counters::subscriptions);
        std::vector<Client*> leaving;
        for (int i = 0; i < kSessions; ++i) {
            const std::string name = fmt::format("leaving {}", i);
            leaving.push_back(&world.client(name, {.version = v5, .will_topic = "wills/" + name, .will_payload = "x", .will_delay = 60}));
            subscribe_to_many(*leaving.back(), name, kFilters);
        }
        for (Client* each : leaving) each->drop();
        const auto after_one_turn = world.total(&Counters::subscriptions);
        EXPECT_GT(after_one_turn, before + kSessions * kFilters / 2) << "all at once";
        EXPECT_LT(after_one_turn, before + kSessions * kFilters) << "none";
        // The last one has its turn still to come.
        const std::string last = fmt::format("leaving {}", kSessions - 1);
        Client& again = world.open(last).connect(last, {.version = v5, .clean = false});
        EXPECT_EQ(again.take().front().find("present"), std::string::npos);
        neighbours.talk();
        for (int turns = 0; turns < 2 * kSessions; ++turns) {
            world.advance(1ms);
            world.settle();
        }
        EXPECT_EQ(will_reader.take().size(), static_cast<std::size_t>(kSessions))
            << "the end of a session cuts the delay of its will short";
        EXPECT_EQ(world.total(&Counters::subscriptions), before);
        EXPECT_EQ(world.total(&Counters::sessions_expired), 0U);
    }
}

TEST(Flood, more_retained_messages_than_one_turn_may_look_at_arrive_once_each) {
    constexpr int kMessages = 30'000;  // more than Deliverer::kSearchPerTurn
    Limits limits;
    limits.retained_messages_max = 2 * kMessages;
    World world(1, limits);
    Client& writer = world.client("writer");
    for (int i = 0; i < kMessages; ++i) writer.publish(fmt::format("kept/{}/x", i), "1", {.retain = true});
    Client& reader = world.client("reader");
    reader.subscribe("kept/+/x");
    std::map<std::string, int> seen;
    const auto read = [&] {
        for (const std::string& line : reader.take()) {
            if (line.starts_with("PUBLISH ")) ++seen[line];
        }
    };
    // Meanwhile one is taken back, one changes and one is new: both come as they are published, not as what was kept.
    writer.publish("kept/29999/x", "", {.retain = true});
    writer.publish("kept/29998/x", "2", {.retain = true});
    writer.publish("kept/new/x", "3", {.retain = true});
    for (int turns = 0; turns < 400 && seen.size() < kMessages + 1; ++turns) {
        read();
        world.advance(10ms);
    }
    read();
    EXPECT_EQ(seen.count("PUBLISH kept/new/x '3'"), 1U);
    EXPECT_EQ(seen.count("PUBLISH kept/29998/x '2'"), 1U);
    EXPECT_EQ(seen.count("PUBLISH kept/29998/x '1' retain"), 0U);
    EXPECT_GE(seen.size(), static_cast<std::size_t>(kMessages));
    for (const auto& [line, times] : seen) ASSERT_EQ(times, 1) << line;
}

TEST(Flood, every_bit_of_a_conversation_flipped_disturbs_nobody) {
    for (const auto version : {mqtt::Version::v311, v5}) {
        const base::Bytes all = conversation(version);
        World world;
        Neighbours neighbours(world);
        for (std::size_t bit = 0; bit < 8 * all.size(); ++bit) {
            base::Bytes damaged = all;
            damaged[bit / 8] ^= static_cast<base::Byte>(1U << bit % 8);
            Client& client = world.open_at(0).speaks(version);
            client.send(damaged);
            if (!client.closed()) client.drop();
            static_cast<void>(client.take_bytes());
            if (bit % 16 == 0) neighbours.talk();
        }
        world.advance(10s);
        neighbours.talk();
        EXPECT_EQ(world.hub().counters().connections, 2U);
    }
}

TEST(Flood, a_storm_of_take_overs_leaves_one_connection_and_one_session) {
    World world;
    Neighbours neighbours(world);
    Client& watcher = world.client("watcher").subscribe("will");
    watcher.take();
    const ConnectOptions options{.version = v5, .clean = false, .will_topic = "will", .will_payload = "gone", .session_expiry = 100};
    for (int i = 0; i < 2'000; ++i) {
        world.open("twin").connect("twin", options).subscribe("t/#", {.qos = 1});
        if (i % 100 == 0) neighbours.talk();
    }
    EXPECT_EQ(watcher.take().size(), 1'999U) << "each one's will";
    EXPECT_EQ(world.hub().counters().connections_taken_over, 1'999U);
    EXPECT_EQ(world.hub().counters().connections, 4U);
    EXPECT_EQ(world.hub().counters().sessions, 4U);
    EXPECT_EQ(world.hub().counters().subscriptions, 3U);
    neighbours.talk();
}

TEST(Flood, a_hundred_thousand_filters_of_one_client_stop_at_its_limit) {
    World world;
    Neighbours neighbours(world);
    Client& bomber = world.client("bomber", {.version = v5});
    for (int i = 0; i < 100'000; ++i) {
        bomber.subscribe(fmt::format("bomb/{}/+/#", i), {.qos = 2});
        if (i % 10'000 == 0) {
            static_cast<void>(bomber.take_bytes());
            neighbours.talk();
        }
    }
    EXPECT_EQ(world.hub().counters().subscribes_refused, 99'000U);
    EXPECT_EQ(world.hub().counters().subscriptions, 1'001U);
    neighbours.talk();
    bomber.drop();
    EXPECT_EQ(world.hub().counters().subscriptions, 1U);
}

TEST(Flood, every_pattern_of_wildcards_at_once_gives_one_copy) {
    World world;
    Neighbours neighbours(world);
    Client& bomber = world.client("bomber").subscribe("#");
    std::string topic = "l";
    for (int level = 1; level < 9; ++level) topic += "/l";
    for (unsigned pattern = 0; pattern < 512; ++pattern) {
        std::string filter;
        for (unsigned level = 0; level < 9; ++level)
            filter += std::string(level == 0 ? "" : "/") + ((pattern >> level & 1U) != 0 ? "+" : "l");
        bomber.subscribe(filter, {.qos = 1});
    }
    static_cast<void>(bomber.take_bytes());
    world.client("p").publish(topic, "x", {.qos = 1, .id = 1});
    EXPECT_EQ(bomber.text(), "PUBLISH " + topic + " 'x' q1 #1");
    neighbours.talk();
}

TEST(Flood, topics_of_many_levels_or_all_bytes_are_delivered_and_cost_only_their_sender) {
    World world;
    Neighbours neighbours(world);
    Client& tap = world.client("tap").subscribe("#").subscribe("+/+/#");
    tap.take();
    Client& deep = world.client("deep", {.version = v5});
    std::string levels = "a";
    for (int i = 1; i < 200; ++i) levels += "/a";
    deep.publish(levels, "1", {.retain = true})
        .publish(std::string(65'535, '/'), "2", {.retain = true})
        .publish(std::string(65'535, 'b'), "3");
    EXPECT_EQ(tap.take().size(), 3U);
    EXPECT_EQ(world.hub().counters().retained_refused, 2U) << "deeper than what is kept";
    EXPECT_EQ(deep.subscribe(levels).text(), "SUBACK #1 0x8f");
    neighbours.talk();
}

TEST(Flood, retained_messages_stop_at_their_limits_and_others_are_still_kept) {
    World world(1, {.retained_messages_max = 1'000, .retained_bytes_max = 1024 * 1024});
    Neighbours neighbours(world);
    Client& bomber = world.client("bomber");
    for (int i = 0; i < 10'000; ++i) bomber.publish(fmt::format("bomb/{}", i), std::string(100, 'x'), {.retain = true});
    EXPECT_EQ(world.hub().counters().retained_messages, 1'000U);
    EXPECT_EQ(world.hub().counters().retained_refused, 9'000U);
    neighbours.talk();
    for (int i = 0; i < 1'000; ++i) bomber.publish(fmt::format("bomb/{}", i), "", {.retain = true});
    EXPECT_EQ(world.hub().counters().retained_messages, 0U);
}

TEST(Flood, wills_are_bounded_together) {
    World world(1, {.will_bytes_max = 100'000});
    Neighbours neighbours(world);
    const ConnectOptions options{.version = v5, .will_topic = "will", .will_payload = std::string(9'990, 'w')};
    std::vector<Client*> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(&world.client(fmt::format("bomber {}", i), options));
    EXPECT_EQ(world.open("one more").connect("one more", options).text(), "CONNACK 0x97");
    EXPECT_EQ(world.open("old").connect("old", {.will_topic = "will", .will_payload = std::string(9'990, 'w')}).text(), "CONNACK 0x88");
    neighbours.talk();
    clients[0]->disconnect();
    clients[1]->drop();
    for (int i = 0; i < 2; ++i) EXPECT_FALSE(world.client(fmt::format("again {}", i), options).closed());
    EXPECT_EQ(world.open("one more").connect("one more", options).text(), "CONNACK 0x97")
        << "what withdrawn and published ones held is free, no more";
    neighbours.talk();
}

TEST(Flood, forty_megabytes_for_a_client_that_does_not_read_stay_within_its_limits) {
    World world;
    Neighbours neighbours(world);
    Client& lazy = world.client("lazy", {.version = v5}).subscribe("flood/#", {.qos = 1});
    lazy.take();
    world.stick(lazy, true);
    Client& source = world.client("source");
    for (int i = 0; i < 1'000; ++i) {
        source.publish("flood/0", std::string(20'000, '0')).publish("flood/1", std::string(20'000, '1'), {.qos = 1, .id = 1});
        if (i % 100 == 0) neighbours.talk();
    }
    const auto& counters = world.hub().counters();
    EXPECT_FALSE(lazy.closed());
    EXPECT_GT(counters.dropped_queue_full, 1'800U);
    EXPECT_LT(counters.waiting_bytes, 4U * 1024 * 1024);
    EXPECT_LT(lazy.take_bytes().size(), 2U * 1024 * 1024);
    neighbours.talk();
}

}  // namespace
}  // namespace sluice::hub::test

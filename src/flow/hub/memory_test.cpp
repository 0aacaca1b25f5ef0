// limits.memory: what is counted is what is taken, and bombs of every kind stop below it while quiet clients go on.
#include "flow/hub/allocation_count_test.hpp"
#include "flow/hub/world_test.hpp"

namespace sluice::hub::test {
namespace {

constexpr auto v5 = mqtt::Version::v5;
constexpr std::size_t kLimit = 16 * 1024 * 1024;

/// Two clients that talk while others throw bombs: one message at a time, acknowledged before the next.
class Quiet {
public:
    explicit Quiet(World& world) : from_(world.client("quiet-from")), to_(world.client("quiet-to")) {
        to_.subscribe("quiet", {.qos = 1}).take();
    }
    void talk() {
        ++number_;
        EXPECT_EQ(from_.publish("quiet", std::to_string(number_), {.qos = 1, .id = 1}).text(), "PUBACK #1");
        EXPECT_EQ(to_.text(), fmt::format("PUBLISH quiet '{}' q1 #{}", number_, number_));
        to_.ack(mqtt::PacketType::puback, static_cast<mqtt::PacketId>(number_));
        from_.publish("quiet", "0");
        EXPECT_EQ(to_.text(), "PUBLISH quiet '0'");
    }

private:
    Client& from_;
    Client& to_;
    unsigned number_ = 0;
};

/// Lets the hub take memory and compares what it counts with what the allocator gave.
template <class Grow>
void expect_counted(World& world, std::string_view what, Grow&& grow) {
    const auto forget_seen = [&] { world.seen = {}, world.presence = {}; };
    world.settle();
    forget_seen();
    const auto counted = world.hub().counters().memory_bytes;
    const auto taken = bytes_in_use();
    grow();
    world.settle();
    forget_seen();
    const auto more = static_cast<double>(world.hub().counters().memory_bytes - counted);
    const auto real = static_cast<double>(bytes_in_use() - taken);
    EXPECT_GT(more / real, 0.7) << what << ": counted " << more << " of " << real;
    EXPECT_LT(more / real, 1.5) << what << ": counted " << more << " of " << real;
}

TEST(MemoryLimit, what_is_counted_is_about_what_is_taken) {
    World world;
    Client& one = world.client("one", {.version = v5});
    expect_counted(world, "filters", [&] {
        for (int i = 0; i < 900; ++i) one.subscribe(fmt::format("a/a-long-level-of-a-filter-{}/{}/{}", i, i, i));
        static_cast<void>(one.take_bytes());
    });
    expect_counted(world, "retained messages", [&] {
        for (int i = 0; i < 2000; ++i) one.publish(fmt::format("r/{}", i), std::string(100, 'x'), {.retain = true});
    });
    Client& away = world.client("away", {.clean = false}).subscribe("q", {.qos = 1});
    away.drop();
    expect_counted(world, "messages that wait", [&] {
        for (int i = 0; i < 900; ++i) one.publish("q", std::string(200, 'x'));
        for (mqtt::PacketId i = 1; i < 900; ++i) one.publish("q", std::string(200, 'x'), {.qos = 1, .id = i});
        static_cast<void>(one.take_bytes());
    });
    expect_counted(world, "topic aliases", [&] {
        for (std::uint16_t i = 1; i <= 16; ++i) one.publish(std::string(1900, 'a'), "x", {.alias = i});
    });
}

TEST(MemoryLimit, what_ends_gives_back_what_it_took) {
    World world;
    world.client("first", {.version = v5});
    world.settle();
    const auto before = world.hub().counters().memory_bytes;
    for (int round = 0; round < 2; ++round) {
        Client& one =
            world.client("one", {.version = v5, .will_topic = "w", .will_payload = std::string(5000, 'x'), .session_expiry = 100});
        one.subscribe("q", {.qos = 1}).take();
        for (mqtt::PacketId i = 1; i < 300; ++i) one.publish("q", std::string(200, 'x'), {.qos = 2, .id = i});
        one.publish("q", "x", {.alias = 3});
        EXPECT_GT(world.hub().counters().memory_bytes, before + 50'000);
        one.disconnect();
        world.advance(200s);
    }
    EXPECT_LT(world.hub().counters().memory_bytes, before + 20'000) << "tables keep their places";
    EXPECT_EQ(world.hub().counters().waiting_bytes, 0U);
}

// Bombs, several at once: 100 clients that throw what they can.

struct Bombed {
    World world{1, {.memory_bytes_max = kLimit}};
    Quiet quiet{world};
    std::size_t before = bytes_in_use();
    std::vector<Client*> bombers;

    explicit Bombed(const ConnectOptions& options = {.version = v5}) {
        for (int i = 0; i < 100; ++i) bombers.push_back(&world.client("bomber-" + std::to_string(i), options));
    }
    /// Throws from each bomber in turn until nothing has changed for long, talking quietly in between.
    template <class Throw>
    void bomb(int rounds, Throw&& one) {
        for (int round = 0; round < rounds; ++round) {
            for (std::size_t i = 0; i < bombers.size(); ++i) one(*bombers[i], i, round);
            for (Client* each : bombers) static_cast<void>(each->take_bytes());
            world.seen.clear();
            quiet.talk();
            EXPECT_LT(world.hub().counters().memory_bytes, kLimit + kLimit / 8);
        }
        EXPECT_LT(bytes_in_use() - before, 2 * kLimit);
    }
    [[nodiscard]] std::uint64_t counter(std::uint64_t Counters::*which) { return world.hub().counters().*which; }
};

TEST(MemoryLimit, subscription_bombs_end_at_seven_eighths) {
    Bombed field;
    field.bomb(900, [](Client& one, std::size_t i, int round) {
        one.subscribe(fmt::format("bomb/{}/{}/a-filter-that-is-as-long-as-they-come/+/+", i, round));
    });
    EXPECT_GT(field.counter(&Counters::subscribes_refused_memory), 0U);
    EXPECT_EQ(field.counter(&Counters::dropped_memory), 0U);
    field.world.client("newcomer");
}

TEST(MemoryLimit, retained_bombs_end_at_seven_eighths_and_what_was_retained_is_still_replaced) {
    Bombed field;
    Client& sensor = field.world.client("sensor").publish("sensor", "00", {.retain = true});
    field.bomb(40, [](Client& one, std::size_t i, int round) {
        one.publish(fmt::format("bomb/{}/{}", i, round), std::string(10'000, 'x'), {.retain = true});
    });
    EXPECT_GT(field.counter(&Counters::retained_refused_memory), 0U);
    sensor.publish("sensor", "01", {.retain = true});
    EXPECT_EQ(field.world.client("late").subscribe("sensor").text(), "SUBACK #1 0x0; PUBLISH sensor '01' retain");
}

TEST(MemoryLimit, queue_bombs_lose_their_own_oldest_messages) {
    Bombed field({.version = v5, .session_expiry = 1000});
    for (Client* each : field.bombers) each->subscribe("bomb", {.qos = 1}).take();
    Client& patient = field.world.client("patient", {.clean = false}).subscribe("few", {.qos = 1});
    patient.drop();
    field.world.client("source").publish("few", "kept", {.qos = 1, .id = 1});
    Client& source = field.world.client("source");
    for (std::size_t i = 1; i < field.bombers.size(); ++i) field.bombers[i]->drop();
    field.bombers.resize(1);
    field.bomb(50, [&](Client&, std::size_t, int round) {
        // A message of its own for each: what is shared takes no memory twice.
        for (int i = 0; i < 50; ++i) source.publish("bomb", std::string(10'000, static_cast<char>('a' + round % 26)), {.qos = 1, .id = 1});
        static_cast<void>(source.take_bytes());
    });
    EXPECT_GT(field.counter(&Counters::dropped_memory) + field.counter(&Counters::dropped_queue_full), 0U);
    Client& back = field.world.open("patient");
    EXPECT_EQ(back.connect("patient", {.clean = false}).text(), "CONNACK 0x0 present; PUBLISH few 'kept' q1 #1");
}

TEST(MemoryLimit, subscribers_that_do_not_read_lose_qos_0_before_the_others_do) {
    Bombed field;
    for (Client* each : field.bombers) {
        each->subscribe("flood").take();
        field.world.stick(*each, true);
    }
    Client& source = field.world.client("source");
    for (int round = 0; round < 200; ++round) {
        for (int i = 0; i < 10; ++i) source.publish("flood", std::string(1000, 'x'));
        field.world.settle();
        field.world.seen.clear();
        field.quiet.talk();
        EXPECT_LT(field.world.hub().counters().memory_bytes, kLimit + kLimit / 8);
    }
    EXPECT_GT(field.counter(&Counters::dropped_memory), 0U);
    EXPECT_EQ(field.counter(&Counters::dropped_memory), field.counter(&Counters::dropped_queue_full));
}

TEST(MemoryLimit, session_bombs_end_at_fifteen_sixteenths_and_who_has_one_comes_back) {
    Bombed field({.version = v5, .session_expiry = 1000});
    std::string refused;
    for (int i = 0; i < 60'000 && refused.empty(); ++i) {
        const std::string id = fmt::format("{}-{}", std::string(900, 'c'), i);
        Client& one = field.world.open(id);
        const std::string answer = one.connect(id, {.version = v5, .session_expiry = 1000}).text();
        if (!answer.starts_with("CONNACK 0x0")) refused = answer;
        one.drop();
    }
    EXPECT_EQ(refused, "CONNACK 0x97");
    EXPECT_EQ(field.counter(&Counters::connections_refused_memory), 1U);
    EXPECT_GE(field.counter(&Counters::memory_bytes), kLimit / 16 * 14);
    field.bombers.front()->drop();
    EXPECT_EQ(field.world.open("bomber-0").connect("bomber-0", {.version = v5, .clean = false, .session_expiry = 1000}).text(),
              "CONNACK 0x0 present keep_alive=64800");
    field.quiet.talk();
}

TEST(MemoryLimit, in_flight_messages_of_a_subscriber_that_never_acknowledges_are_bounded_in_bytes) {
    World world(1, {.queue_messages_max = 1000, .queue_bytes_max = 100'000});
    world.client("lazy").subscribe("t", {.qos = 1}).take();
    Client& source = world.client("source");
    for (mqtt::PacketId i = 1; i < 100; ++i) source.publish("t", std::string(10'000, 'x'), {.qos = 1, .id = i});
    EXPECT_LT(world.hub().counters().waiting_bytes, 250'000U) << "in flight and queued, each 100,000";
    EXPECT_GT(world.hub().counters().dropped_queue_full, 0U);
}

TEST(MemoryLimit, what_other_shards_take_counts) {
    World world(1, {.memory_bytes_max = kLimit});
    Client& one = world.client("one", {.version = v5});
    EXPECT_EQ(one.subscribe("a").text(), "SUBACK #1 0x0");
    world.elsewhere.memory_bytes = kLimit;
    world.settle();
    EXPECT_EQ(one.subscribe("b").text(), "SUBACK #1 0x97");
    EXPECT_EQ(world.hub().memory_room(), 0U);
    world.elsewhere = {};
    world.settle();
    EXPECT_EQ(one.subscribe("b").text(), "SUBACK #1 0x0");
    EXPECT_GT(world.hub().memory_room(), kLimit / 2);
}

TEST(MemoryLimit, a_retained_message_refused_where_it_was_published_is_refused_everywhere) {
    World world(2, {.memory_bytes_max = kLimit});
    Client& one = world.open_at(0).connect("one", {.version = v5});
    Client& two = world.open_at(1).connect("two", {.version = v5}).subscribe("live");
    one.take(), two.take();
    world.elsewhere.memory_bytes = kLimit;
    world.settle();
    one.publish("live", "x", {.retain = true}).publish("quiet", "x", {.retain = true});
    EXPECT_EQ(two.text(), "PUBLISH live 'x'") << "delivered, but not retained";
    EXPECT_EQ(world.total(&Counters::retained_messages), 0U);
    EXPECT_EQ(world.total(&Counters::retained_refused_memory), 2U);
}

}  // namespace
}  // namespace sluice::hub::test

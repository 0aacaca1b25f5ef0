// Bridges between real hubs, over connections that break anywhere.
#include <gtest/gtest.h>

#include "sim/bridge_world.hpp"

namespace sluice::sim {
namespace {

using bridge::Direction;
using bridge::End;
using namespace std::chrono_literals;

bridge::Options options(const std::string& gateway, std::vector<bridge::Map> maps, bridge::Protocol version = bridge::Protocol::automatic) {
    bridge::Options out;
    out.name = "hq";
    out.gateway = gateway;
    out.client_id = gateway + "-hq";
    out.topics = std::move(maps);
    out.version = version;
    out.keep_alive = 0s;  // else the world would never be quiet
    out.queue_messages = 100'000;
    out.queue_bytes = 64 * 1024 * 1024;
    return out;
}

struct Two : testing::Test {
    BridgeWorld world{1};
    std::size_t a = world.add_node("a");
    std::size_t b = world.add_node("b");
};

TEST_F(Two, messages_go_where_their_map_says_and_nowhere_else) {
    auto& hq = world.add_bridge(
        a, b,
        options("a", {{.direction = Direction::out, .qos = 2, .filter = "up/#", .remote_prefix = "plant/"},
                      {.direction = Direction::in, .qos = 1, .filter = "down/+", .local_prefix = "hq/", .remote_prefix = "x/"}}));
    auto& here = world.add_client(a, "here");
    auto& there = world.add_client(b, "there");
    here.subscribe("hq/#");
    there.subscribe("plant/#");
    world.settle();
    here.publish("up/1", "one", 0);
    here.publish("up/2", "two", 2, true);
    here.publish("other", "three", 1);
    there.publish("x/down/1", "four", 1);
    there.publish("x/down/1/2", "five", 1);
    world.settle();
    ASSERT_EQ(there.got.size(), 2U);
    EXPECT_EQ(there.got[0].topic, "plant/up/1");
    EXPECT_EQ(there.got[1].topic, "plant/up/2");
    EXPECT_TRUE(there.got[1].retain);
    ASSERT_EQ(here.got.size(), 1U);
    EXPECT_EQ(here.got[0].topic, "hq/down/1");
    EXPECT_EQ(here.got[0].payload, "four");
    EXPECT_EQ(hq.machine->stats().messages_out, 2U);
    EXPECT_EQ(hq.machine->stats().messages_in, 1U);
}

TEST_F(Two, what_is_published_before_the_remote_was_ever_reached_waits) {
    auto& hq = world.add_bridge(a, b, options("a", {{.direction = Direction::out, .qos = 1, .filter = "#"}}));
    hq.remote_away = true;
    auto& here = world.add_client(a, "here");
    auto& there = world.add_client(b, "there");
    there.subscribe("#");
    world.settle();
    for (int i = 0; i < 2'000; ++i) here.publish("t", std::to_string(i), 1);
    world.settle();
    EXPECT_FALSE(hq.machine->stats().connected);
    EXPECT_EQ(hq.machine->stats().trouble, bridge::Trouble::unreachable);
    EXPECT_EQ(world.node(a).hub.waiting("$bridge/hq")->messages, 2'000U);
    hq.remote_away = false;
    world.settle();
    ASSERT_EQ(there.got.size(), 2'000U);
    for (std::size_t i = 0; i < 2'000; ++i) ASSERT_EQ(there.got[i].payload, std::to_string(i)) << "in order";
    EXPECT_EQ(world.node(a).hub.waiting("$bridge/hq")->messages, 0U);
}

TEST_F(Two, a_full_queue_drops_the_oldest_and_says_so) {
    auto with_limit = options("a", {{.direction = Direction::out, .qos = 1, .filter = "#"}});
    with_limit.queue_messages = 10;
    auto& hq = world.add_bridge(a, b, with_limit);
    hq.remote_away = true;
    auto& here = world.add_client(a, "here");
    auto& there = world.add_client(b, "there");
    there.subscribe("#");
    world.settle();
    for (int i = 0; i < 100; ++i) here.publish("t", std::to_string(i), 1);
    world.settle();
    EXPECT_EQ(world.node(a).hub.waiting("$bridge/hq")->dropped, 90U);
    hq.remote_away = false;
    world.settle();
    ASSERT_EQ(there.got.size(), 10U);
    EXPECT_EQ(there.got.front().payload, "90");
}

TEST_F(Two, topics_that_the_hub_does_not_take_cost_only_their_messages) {
    hub::Limits narrow;
    narrow.topic_levels_max = 3;
    world.node(a).hub.set_limits(narrow);
    auto& hq = world.add_bridge(a, b, options("a", {{.direction = Direction::in, .qos = 2, .filter = "#"}}));
    auto& here = world.add_client(a, "here");
    auto& there = world.add_client(b, "there");
    here.subscribe("#");
    world.settle();
    for (std::uint8_t qos = 0; qos <= 2; ++qos) {
        there.publish("1/2/3/4", "deep", qos);
        there.publish("1/2/3", "fits", qos);
    }
    for (int i = 0; i < 5'000; ++i) world.step();
    EXPECT_EQ(here.count("fits"), 3U);
    EXPECT_EQ(here.count("deep"), 0U);
    EXPECT_EQ(hq.machine->stats().failures, 0U);
    EXPECT_EQ(world.node(a).hub.counters().publishes_topic_refused, 3U);
    EXPECT_EQ(hq.machine->stats().dropped_in[static_cast<std::size_t>(bridge::Drop::refused)], 2U) << "of QoS 0 the hub alone knows";
}

TEST_F(Two, a_broker_that_was_told_no_window_may_send_more_of_qos_2_than_the_hub_takes_of_others) {
    hub::Limits narrow;
    narrow.receive_maximum = 4;
    world.node(a).hub.set_limits(narrow);
    auto& hq = world.add_bridge(a, b, options("a", {{.direction = Direction::in, .qos = 2, .filter = "#"}}, bridge::Protocol::v311));
    auto& here = world.add_client(a, "here");
    auto& there = world.add_client(b, "there");
    here.subscribe("#");
    world.settle();
    for (int i = 0; i < 200; ++i) there.publish("t", std::to_string(i), 2);
    for (int i = 0; i < 20'000; ++i) world.step();  // one that is thrown out and comes again would not settle
    EXPECT_EQ(here.got.size(), 200U);
    EXPECT_EQ(hq.machine->stats().failures, 0U);
}

/// Every message of QoS 2 exactly once, of QoS 1 at least once, in order, whatever breaks.
void check_breaks(std::uint64_t seed, bridge::Protocol version, bool inwards_only = false) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    BridgeWorld world(seed);
    const auto a = world.add_node("a");
    const auto b = world.add_node("b");
    std::vector<bridge::Map> maps{{.direction = Direction::in, .qos = 2, .filter = "down/#"}};
    if (!inwards_only) maps.push_back({.direction = Direction::out, .qos = 2, .filter = "up/#"});
    auto& hq = world.add_bridge(a, b, options("a", std::move(maps), version));
    auto& here = world.add_client(a, "here");
    auto& there = world.add_client(b, "there");
    here.subscribe("down/#");
    there.subscribe("up/#");
    world.settle();
    constexpr int kMessages = 300;
    for (int sent = 0; sent < kMessages;) {
        for (std::uint64_t burst = world.random.between(1, 20); burst != 0 && sent < kMessages; --burst, ++sent) {
            const auto qos = static_cast<std::uint8_t>(sent % 2 + 1);
            here.publish("up/" + std::to_string(qos), std::to_string(sent), qos);
            there.publish("down/" + std::to_string(qos), std::to_string(sent), qos);
        }
        for (std::uint64_t steps = world.random.below(60); steps != 0; --steps) world.step();
        switch (world.random.below(6)) {
            case 0:
                hq.cut(End::remote);
                break;
            case 1:
                hq.cut(End::local);
                break;
            case 2:
                hq.restart();
                break;
            default:
                break;
        }
    }
    world.settle();
    for (const TestClient* client : {&here, &there}) {
        if (client == &there && inwards_only) continue;
        std::map<std::string, std::size_t> counts;
        int last_once = -1;
        for (const auto& each : client->got) {
            ++counts[each.payload];
            if (!each.topic.ends_with("/2")) continue;
            EXPECT_GT(std::stoi(each.payload), last_once) << "QoS 2: in order, each once";
            last_once = std::stoi(each.payload);
        }
        for (int i = 0; i < kMessages; ++i) {
            const auto count = counts[std::to_string(i)];
            if (i % 2 == 1)
                EXPECT_EQ(count, 1U) << (client == &here ? "in " : "out ") << i;
            else
                EXPECT_GE(count, 1U) << (client == &here ? "in " : "out ") << i;
        }
    }
    EXPECT_TRUE(hq.machine->stats().connected);
}

TEST(Breaks, qos_2_arrives_exactly_once_and_qos_1_at_least_once_over_version_5) {
    for (std::uint64_t seed = 1; seed <= 40 && !testing::Test::HasFailure(); ++seed) check_breaks(seed, bridge::Protocol::v5);
}

TEST(Breaks, the_same_over_3_1_1) {
    for (std::uint64_t seed = 1; seed <= 40 && !testing::Test::HasFailure(); ++seed) check_breaks(seed, bridge::Protocol::v311);
}

TEST(Breaks, the_same_for_a_bridge_that_only_fetches) {
    for (std::uint64_t seed = 1; seed <= 20 && !testing::Test::HasFailure(); ++seed) check_breaks(seed, bridge::Protocol::v5, true);
}

TEST_F(Two, what_waits_for_an_earlier_bridge_ends_with_its_maps) {
    auto& hq = world.add_bridge(a, b, options("a", {{.direction = Direction::out, .qos = 1, .filter = "#"}}));
    auto& here = world.add_client(a, "here");
    world.settle();
    hq.reconfigure(options("a", {{.direction = Direction::in, .qos = 1, .filter = "#"}}));
    world.settle();
    EXPECT_TRUE(hq.machine->stats().connected);
    here.publish("t", "x", 1);
    world.settle();
    EXPECT_EQ(world.node(a).hub.waiting("$bridge/hq")->messages, 0U);
    EXPECT_EQ(hq.machine->stats().dropped_out[static_cast<std::size_t>(bridge::Drop::unmapped)], 0U);
}

/// Payloads that each client of `nodes` got, after one message at each node.
void expect_no_loop(BridgeWorld& world, std::vector<std::size_t> nodes, std::size_t copies_max) {
    std::vector<TestClient*> clients;
    for (const auto node : nodes) {
        clients.push_back(&world.add_client(node, "client"));
        clients.back()->subscribe("#");
    }
    world.settle();
    for (std::size_t i = 0; i < clients.size(); ++i)
        for (std::uint8_t qos = 0; qos <= 2; ++qos) clients[i]->publish("t/x", std::to_string(i) + "/" + std::to_string(qos), qos);
    world.settle();  // would not end in a loop: the test's time limit is the check
    for (std::size_t at = 0; at < clients.size(); ++at) {
        for (std::size_t from = 0; from < clients.size(); ++from) {
            for (std::uint8_t qos = 0; qos <= 2; ++qos) {
                const auto count = clients[at]->count(std::to_string(from) + "/" + std::to_string(qos));
                EXPECT_GE(count, 1U) << from << " to " << at;
                EXPECT_LE(count, at == from ? 1U : copies_max) << from << " to " << at << " with QoS " << int{qos};
            }
        }
    }
}

std::vector<bridge::Map> both_ways() { return {{.direction = Direction::both, .qos = 2, .filter = "#"}}; }

TEST_F(Two, one_bridge_both_ways_gives_each_side_one_copy) {
    world.add_bridge(a, b, options("a", both_ways()));
    expect_no_loop(world, {a, b}, 1);
}

TEST_F(Two, one_bridge_both_ways_over_3_1_1_gives_each_side_one_copy) {
    auto& hq = world.add_bridge(a, b, options("a", both_ways(), bridge::Protocol::v311));
    expect_no_loop(world, {a, b}, 1);
    EXPECT_TRUE(hq.machine->stats().bridge_bit);
}

TEST_F(Two, bridges_of_each_to_the_other_both_ways_do_not_loop) {
    world.add_bridge(a, b, options("a", both_ways()));
    world.add_bridge(b, a, options("b", both_ways()));
    expect_no_loop(world, {a, b}, 2);
}

TEST_F(Two, a_gateway_with_our_own_id_is_not_bridged_to_and_what_waits_is_kept) {
    const auto twin = world.add_node("a");
    auto& hq = world.add_bridge(a, twin, options("a", both_ways()));
    auto& here = world.add_client(a, "here");
    const auto steps = [this] {
        for (int i = 0; i < 5'000; ++i) world.step();
    };
    steps();
    here.publish("t", "x", 1);
    steps();
    EXPECT_EQ(hq.machine->stats().trouble, bridge::Trouble::same_id);
    EXPECT_EQ(hq.machine->stats().connections, 0U);
    EXPECT_EQ(world.node(a).hub.waiting("$bridge/hq")->messages, 1U);
    EXPECT_EQ(world.node(twin).hub.counters().publishes_looped, 0U);
}

TEST_F(Two, gateways_of_one_id_on_both_sides_of_a_third_count_what_they_take_for_their_own) {
    const auto twin = world.add_node("a");
    world.add_bridge(a, b, options("a", both_ways()));
    auto of_twin = options("a", both_ways());
    of_twin.client_id = "twin";
    auto& other = world.add_bridge(twin, b, of_twin);
    auto& here = world.add_client(a, "here");
    world.settle();
    for (std::uint8_t qos = 0; qos <= 2; ++qos) here.publish("t", "x", qos);
    world.settle();
    EXPECT_EQ(other.machine->stats().dropped_in[static_cast<std::size_t>(bridge::Drop::looped)], 3U);
}

TEST_F(Two, a_ring_of_three_both_ways_does_not_loop) {
    const auto c = world.add_node("c");
    world.add_bridge(a, b, options("a", both_ways()));
    world.add_bridge(b, c, options("b", both_ways()));
    world.add_bridge(c, a, options("c", both_ways()));
    expect_no_loop(world, {a, b, c}, 2);
}

TEST_F(Two, a_ring_outwards_goes_round_once) {
    const auto c = world.add_node("c");
    const std::vector<bridge::Map> outwards{{.direction = Direction::out, .qos = 1, .filter = "#"}};
    world.add_bridge(a, b, options("a", outwards));
    world.add_bridge(b, c, options("b", outwards));
    world.add_bridge(c, a, options("c", outwards));
    expect_no_loop(world, {a, b, c}, 1);
}

TEST_F(Two, bridges_that_only_fetch_from_each_other_do_not_loop) {
    const std::vector<bridge::Map> inwards{{.direction = Direction::in, .qos = 1, .filter = "#"}};
    world.add_bridge(a, b, options("a", inwards));
    world.add_bridge(b, a, options("b", inwards));
    expect_no_loop(world, {a, b}, 1);
}

}  // namespace
}  // namespace sluice::sim

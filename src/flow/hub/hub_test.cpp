// The hub with one shard: connections, publishing, subscribing, as clients see it.
#include "flow/hub/hub.hpp"

#include <gtest/gtest.h>

#include "flow/hub/world_test.hpp"

namespace sluice::hub::test {
namespace {

constexpr auto v5 = mqtt::Version::v5;
using mqtt::PacketType;
using mqtt::ReasonCode;

// Publishing and subscribing

TEST(Hub, a_publish_reaches_subscribers_and_the_rules) {
    World world;
    Client& tap = world.client("tap").subscribe("sensors/#");
    EXPECT_EQ(tap.text(), "SUBACK #1 0x0");
    Client& sensor = world.client("sensor");
    sensor.publish("sensors/7/vibration", "0.7");
    EXPECT_EQ(tap.text(), "PUBLISH sensors/7/vibration '0.7'");
    EXPECT_EQ(sensor.text(), "");
    ASSERT_EQ(world.seen.size(), 1U);
    EXPECT_EQ(world.seen[0], (Seen{"sensors/7/vibration", "0.7", "sensor", false}));
    EXPECT_EQ(world.hub().counters().readings_in, 1U);
    EXPECT_EQ(world.hub().counters().bytes_in, 3U);
}

TEST(Hub, quality_of_service_is_the_lower_of_publisher_and_subscriber) {
    World world;
    Client& publisher = world.client("p");
    for (std::uint8_t wanted = 0; wanted <= 2; ++wanted) {
        Client& subscriber = world.client(fmt::format("s{}", wanted)).subscribe("t", {.qos = wanted});
        EXPECT_EQ(subscriber.text(), fmt::format("SUBACK #1 {:#x}", wanted));
        publisher.publish("t", "zero").publish("t", "one", {.qos = 1, .id = 5}).publish("t", "two", {.qos = 2, .id = 6});
        publisher.ack(PacketType::pubrel, 6);
        Lines expected{"PUBLISH t 'zero'"};
        expected.push_back(wanted == 0 ? "PUBLISH t 'one'" : "PUBLISH t 'one' q1 #1");
        expected.push_back(wanted == 0 ? "PUBLISH t 'two'" : fmt::format("PUBLISH t 'two' q{} #2", wanted));
        EXPECT_EQ(subscriber.take(), expected);
        EXPECT_EQ(publisher.text(), "PUBACK #5; PUBREC #6; PUBCOMP #6");
    }
}

TEST(Hub, overlapping_subscriptions_give_one_copy_at_the_highest_quality) {
    World world;
    Client& tap = world.client("tap").subscribe("a/#").subscribe("a/+", {.qos = 1}).subscribe("+/b");
    tap.take();
    world.client("p").publish("a/b", "x", {.qos = 1, .id = 1});
    EXPECT_EQ(tap.text(), "PUBLISH a/b 'x' q1 #1");
}

TEST(Hub, version_5_gets_all_identifiers_of_overlapping_subscriptions) {
    World world;
    Client& tap = world.client("tap", {.version = v5});
    tap.subscribe("a/#", {.identifier = 7}).subscribe("a/+", {.identifier = 300}).subscribe("+/b").take();
    Client& publisher = world.client("p");
    publisher.publish("a/b", "x");
    const auto line = tap.text();
    EXPECT_TRUE(line == "PUBLISH a/b 'x' id=7 id=300" || line == "PUBLISH a/b 'x' id=300 id=7") << line;
    tap.subscribe("a/b", {.qos = 1, .identifier = 9}).take();
    publisher.publish("a/b", "y", {.qos = 1, .id = 1});
    const auto second = tap.text();
    for (const char* part : {"q1", "id=7", "id=300", "id=9"}) EXPECT_NE(second.find(part), std::string::npos) << second;
}

TEST(Hub, a_repeated_subscription_replaces_its_options) {
    World world;
    Client& tap = world.client("tap").subscribe("t", {.qos = 1}).subscribe("t", {.qos = 0});
    tap.take();
    world.client("p").publish("t", "x", {.qos = 1, .id = 1});
    EXPECT_EQ(tap.text(), "PUBLISH t 'x'");
    EXPECT_EQ(world.hub().counters().subscriptions, 1U);
}

TEST(Hub, after_unsubscribe_nothing_comes) {
    World world;
    Client& tap = world.client("tap", {.version = v5}).subscribe("a/+");
    tap.take();
    EXPECT_EQ(tap.unsubscribe("a/b").text(), "UNSUBACK #2 0x11");
    EXPECT_EQ(tap.unsubscribe("a/+").text(), "UNSUBACK #2 0x0");
    world.client("p").publish("a/b", "x");
    EXPECT_EQ(tap.text(), "");
    EXPECT_EQ(world.hub().counters().subscriptions, 0U);
}

TEST(Hub, no_local_keeps_a_clients_own_messages_from_it) {
    World world;
    Client& both = world.client("both", {.version = v5}).subscribe("t", {.no_local = true});
    both.take();
    both.publish("t", "mine");
    EXPECT_EQ(both.text(), "");
    world.client("other").publish("t", "theirs");
    EXPECT_EQ(both.text(), "PUBLISH t 'theirs'");
}

TEST(Hub, properties_for_the_receiver_pass_through_and_others_do_not) {
    World world;
    Client& tap = world.client("tap", {.version = v5}).subscribe("#");
    Client& old = world.client("old").subscribe("#");
    tap.take(), old.take();
    Client& publisher = world.client("p", {.version = v5});
    publisher.publish("t", "x", {.alias = 3, .content_type = "json", .user_property = "k"});
    EXPECT_EQ(tap.text(), "PUBLISH t 'x' 3=json 38=kk");
    EXPECT_EQ(old.text(), "PUBLISH t 'x'");
    publisher.publish("", "y", {.alias = 3});
    EXPECT_EQ(tap.text(), "PUBLISH t 'y'");
    EXPECT_EQ(world.seen.back().topic, "t");
}

TEST(Hub, an_alias_out_of_range_or_never_set_ends_the_connection) {
    World world;
    Client& one = world.client("one", {.version = v5}).publish("t", "x", {.alias = 17});
    EXPECT_EQ(one.text(), "DISCONNECT 0x94");
    EXPECT_TRUE(one.closed());
    Client& two = world.client("two", {.version = v5}).publish("", "x", {.alias = 2});
    EXPECT_EQ(two.text(), "DISCONNECT 0x82");
    EXPECT_TRUE(world.seen.empty());
}

TEST(Hub, rules_may_publish_while_a_reading_is_handed_over) {
    World world;
    Client& tap = world.client("tap").subscribe("#");
    tap.take();
    world.on_reading = [&](const data::Reading& reading, Hub& hub) {
        hub.publish({.topic = "alerts/7", .payload = reading.payload, .retain = true}, world.now(), world.wall());
    };
    world.client("p").publish("sensors/7", "9.9");
    EXPECT_EQ(tap.text(), "PUBLISH sensors/7 '9.9'; PUBLISH alerts/7 '9.9'");
    EXPECT_EQ(world.hub().counters().readings_in, 1U);
    EXPECT_EQ(world.hub().counters().publishes_local, 1U);
    EXPECT_EQ(world.client("late").subscribe("alerts/+").text(), "SUBACK #1 0x0; PUBLISH alerts/7 '9.9' retain");
}

TEST(Hub, a_local_publish_to_no_topic_is_ignored_and_counted) {
    World world;
    Client& tap = world.client("tap").subscribe("#");
    tap.take();
    for (const char* topic : {"", "a/+", "a/#"}) world.hub().publish({.topic = topic, .payload = {}}, world.now(), world.wall());
    EXPECT_EQ(tap.text(), "");
    EXPECT_EQ(world.hub().counters().publishes_invalid, 3U);
}

TEST(Hub, clients_may_not_publish_to_sys) {
    World world;
    Client& tap = world.client("tap").subscribe("$SYS/#");
    tap.take();
    Client& publisher = world.client("p", {.version = v5});
    publisher.publish("$SYS/x", "x").publish("$SYS/x", "x", {.qos = 1, .id = 1}).publish("$sluice/v1/g/events", "x", {.qos = 1, .id = 2});
    EXPECT_EQ(publisher.text(), "PUBACK #1 0x87; PUBACK #2 0x10");
    EXPECT_EQ(tap.text(), "");
    EXPECT_EQ(world.hub().counters().publishes_denied, 2U);
}

// Acknowledgements

TEST(Hub, an_acknowledgement_waits_for_its_ticket) {
    World world;
    world.next_ticket = 1;
    Client& publisher = world.client("p");
    publisher.publish("t", "1", {.qos = 1, .id = 11}).publish("t", "2", {.qos = 1, .id = 12});
    EXPECT_EQ(publisher.text(), "");
    world.hub().on_durable(1);
    EXPECT_EQ(publisher.text(), "PUBACK #11");
    world.hub().on_durable(2);
    EXPECT_EQ(publisher.text(), "PUBACK #12");
}

TEST(Hub, an_acknowledgement_that_waits_for_nothing_does_not_overtake) {
    World world;
    Client& publisher = world.client("p");
    Client& other = world.client("o");
    world.next_ticket = 1;
    publisher.publish("t", "1", {.qos = 1, .id = 1});
    world.next_ticket = 0;
    publisher.publish("t", "2", {.qos = 1, .id = 2});
    other.publish("t", "3", {.qos = 1, .id = 3});
    EXPECT_EQ(publisher.text(), "");
    EXPECT_EQ(other.text(), "PUBACK #3") << "another connection has nothing to wait for";
    world.hub().on_durable(1);
    EXPECT_EQ(publisher.text(), "PUBACK #1; PUBACK #2");
}

TEST(Hub, acknowledgements_of_a_lost_connection_are_forgotten) {
    World world;
    world.next_ticket = 1;
    world.client("p").publish("t", "1", {.qos = 1, .id = 1}).drop();
    Client& again = world.client("p");
    world.hub().on_durable(1);
    EXPECT_EQ(again.text(), "");
    EXPECT_EQ(world.hub().counters().acks_pending, 0U);
}

TEST(Hub, too_many_waiting_acknowledgements_stop_the_input) {
    World world(1, {.acks_pending_max = 10});
    world.next_ticket = 1;
    Client& publisher = world.client("p");
    for (mqtt::PacketId id = 1; id <= 10; ++id) publisher.publish("t", "x", {.qos = 1, .id = id});
    EXPECT_FALSE(world.hub().wants_input());
    world.hub().on_durable(1);
    EXPECT_TRUE(world.hub().wants_input());
    for (mqtt::PacketId id = 11; id <= 22; ++id) publisher.publish("t", "x", {.qos = 1, .id = id});
    EXPECT_TRUE(publisher.closed()) << "twice the limit";
}

TEST(Hub, a_version_5_client_past_the_receive_maximum_is_disconnected) {
    World world(1, {.receive_maximum = 2});
    world.next_ticket = 1;
    Client& publisher = world.client("p", {.version = v5});
    for (mqtt::PacketId id = 1; id <= 3; ++id) publisher.publish("t", "x", {.qos = 1, .id = id});
    EXPECT_EQ(publisher.text(), "DISCONNECT 0x93");
    EXPECT_EQ(world.seen.size(), 2U);
}

TEST(Hub, qos_2_is_handed_over_once_however_often_it_is_sent) {
    World world;
    world.next_ticket = 1;
    Client& publisher = world.client("p", {.clean = false});
    publisher.publish("t", "x", {.qos = 2, .id = 9}).publish("t", "x", {.qos = 2, .id = 9, .dup = true});
    EXPECT_EQ(publisher.text(), "") << "not on disk yet, the repeated one neither";
    world.hub().on_durable(1);
    EXPECT_EQ(publisher.text(), "PUBREC #9; PUBREC #9");
    publisher.drop();
    Client& again = world.client("p", {.clean = false});
    again.publish("t", "x", {.qos = 2, .id = 9, .dup = true});
    EXPECT_EQ(again.text(), "PUBREC #9") << "remembered by the session";
    EXPECT_EQ(again.ack(PacketType::pubrel, 9).text(), "PUBCOMP #9");
    EXPECT_EQ(world.seen.size(), 1U);
    again.publish("t", "new", {.qos = 2, .id = 9});
    EXPECT_EQ(world.seen.size(), 2U) << "after PUBREL the identifier is free";
}

TEST(Hub, an_unknown_pubrel_is_answered_so_that_the_client_can_go_on) {
    World world;
    EXPECT_EQ(world.client("a").ack(PacketType::pubrel, 5).text(), "PUBCOMP #5");
    EXPECT_EQ(world.client("b", {.version = v5}).ack(PacketType::pubrel, 5).text(), "PUBCOMP #5");
}

// Delivery with QoS 1 and 2

TEST(Hub, the_subscribers_window_is_kept_and_the_rest_waits_in_order) {
    World world;
    Client& tap = world.client("tap", {.version = v5, .receive_maximum = 2}).subscribe("t", {.qos = 1});
    tap.take();
    Client& publisher = world.client("p");
    for (mqtt::PacketId id = 1; id <= 5; ++id) publisher.publish("t", std::to_string(id), {.qos = 1, .id = id});
    EXPECT_EQ(tap.text(), "PUBLISH t '1' q1 #1; PUBLISH t '2' q1 #2");
    EXPECT_EQ(tap.ack(PacketType::puback, 2).text(), "PUBLISH t '3' q1 #3");
    tap.ack(PacketType::puback, 1).ack(PacketType::puback, 3);
    EXPECT_EQ(tap.text(), "PUBLISH t '4' q1 #4; PUBLISH t '5' q1 #5");
    tap.ack(PacketType::puback, 4).ack(PacketType::puback, 5).ack(PacketType::puback, 5).ack(PacketType::puback, 77);
    EXPECT_EQ(world.hub().counters().messages_waiting, 0U);
    EXPECT_EQ(world.hub().counters().acked_by_subscribers, 5U);
}

TEST(Hub, qos_2_delivery_goes_through_all_four_steps) {
    World world;
    Client& tap = world.client("tap").subscribe("t", {.qos = 2});
    tap.take();
    world.client("p").publish("t", "x", {.qos = 2, .id = 1});
    EXPECT_EQ(tap.text(), "PUBLISH t 'x' q2 #1");
    EXPECT_EQ(tap.ack(PacketType::pubrec, 1).text(), "PUBREL #1");
    EXPECT_EQ(tap.ack(PacketType::pubrec, 1).text(), "PUBREL #1");
    tap.ack(PacketType::pubcomp, 1);
    EXPECT_EQ(world.hub().counters().messages_waiting, 0U);
}

TEST(Hub, a_full_queue_drops_the_oldest_and_counts_it) {
    World world(1, {.inflight_max = 1, .queue_messages_max = 2});
    Client& tap = world.client("tap").subscribe("t", {.qos = 1});
    tap.take();
    Client& publisher = world.client("p");
    for (mqtt::PacketId id = 1; id <= 5; ++id) publisher.publish("t", std::to_string(id), {.qos = 1, .id = id});
    EXPECT_EQ(tap.text(), "PUBLISH t '1' q1 #1");
    EXPECT_EQ(world.hub().counters().dropped_queue_full, 2U);
    EXPECT_EQ(tap.ack(PacketType::puback, 1).text(), "PUBLISH t '4' q1 #2");
    EXPECT_EQ(tap.ack(PacketType::puback, 2).text(), "PUBLISH t '5' q1 #3");
}

TEST(Hub, a_subscriber_that_does_not_read_loses_qos_0_and_keeps_qos_1) {
    World world(1, {.output_bytes_max = 1000});
    Client& tap = world.client("tap").subscribe("t", {.qos = 1});
    tap.take();
    world.stick(tap, true);
    Client& publisher = world.client("p");
    const std::string large(400, 'x');
    for (int i = 0; i < 5; ++i) publisher.publish("t", large);
    EXPECT_EQ(world.hub().counters().delivered, 3U);
    EXPECT_EQ(world.hub().counters().dropped_queue_full, 2U);
    publisher.publish("t", "kept", {.qos = 1, .id = 1});
    EXPECT_EQ(world.hub().counters().messages_waiting, 1U);
    ASSERT_TRUE(world.hub().next_deadline().has_value()) << "somebody must look again";
    world.reading_done(tap);
    EXPECT_EQ(tap.text(), "PUBLISH t 'kept' q1 #1");
}

TEST(Hub, what_a_subscriber_cannot_take_is_dropped_and_counted) {
    World world;
    Client& tap = world.client("tap", {.version = v5, .packet_bytes_max = 50}).subscribe("t", {.qos = 1});
    tap.take();
    Client& publisher = world.client("p");
    publisher.publish("t", std::string(100, 'x'))
        .publish("t", std::string(100, 'x'), {.qos = 1, .id = 1})
        .publish("t", "ok", {.qos = 1, .id = 2});
    EXPECT_EQ(tap.text(), "PUBLISH t 'ok' q1 #1");
    EXPECT_EQ(world.hub().counters().dropped_too_large, 2U);
}

TEST(Hub, packet_identifiers_go_round_without_meeting_one_in_flight) {
    World world(1, {.inflight_max = 4});
    Client& tap = world.client("tap").subscribe("t", {.qos = 1});
    tap.take();
    Client& publisher = world.client("p");
    publisher.publish("t", "x", {.qos = 1, .id = 1});
    EXPECT_EQ(tap.text(), "PUBLISH t 'x' q1 #1");  // never acknowledged
    std::uint32_t last = 1;
    for (int i = 0; i < 70'000; ++i) {
        publisher.publish("t", "y", {.qos = 1, .id = 1});
        last = last == 65'535 ? 2 : last + 1;  // 1 is in use
        ASSERT_EQ(tap.text(), fmt::format("PUBLISH t 'y' q1 #{}", last));
        tap.ack(PacketType::puback, static_cast<mqtt::PacketId>(last));
    }
}

// Message expiry

TEST(Hub, the_remaining_life_of_a_message_is_told) {
    World world;
    Client& tap = world.client("tap", {.version = v5, .session_expiry = 1000}).subscribe("t", {.qos = 1});
    tap.take();
    Client& publisher = world.client("p", {.version = v5});
    publisher.publish("t", "x", {.qos = 1, .id = 1, .expiry = 60});
    EXPECT_EQ(tap.text(), "PUBLISH t 'x' q1 #1 expiry=60");
    tap.ack(PacketType::puback, 1).drop();
    publisher.publish("t", "short", {.qos = 1, .id = 2, .expiry = 10}).publish("t", "long", {.qos = 1, .id = 3, .expiry = 60});
    world.advance(20s);
    Client& again = world.open("tap").connect("tap", {.version = v5, .clean = false});
    EXPECT_EQ(again.text(), "CONNACK 0x0 present keep_alive=64800; PUBLISH t 'long' q1 #1 expiry=40");
    EXPECT_EQ(world.hub().counters().dropped_expired, 1U);
}

// Retained messages

TEST(Hub, a_retained_message_is_sent_to_later_subscribers) {
    World world;
    Client& publisher = world.client("p");
    publisher.publish("a/1", "one", {.retain = true})
        .publish("a/2", "two", {.qos = 1, .id = 1, .retain = true})
        .publish("b", "three", {.retain = true});
    Client& tap = world.client("tap").subscribe("a/+", {.qos = 1});
    auto lines = tap.take();
    std::sort(lines.begin(), lines.end());
    EXPECT_EQ(lines, (Lines{"PUBLISH a/1 'one' retain", "PUBLISH a/2 'two' q1 #1 retain", "SUBACK #1 0x1"}));
    publisher.publish("a/1", "live", {.retain = true});
    EXPECT_EQ(tap.text(), "PUBLISH a/1 'live'") << "live copies do not have the flag";
}

TEST(Hub, an_empty_retained_message_removes_and_is_delivered) {
    World world;
    Client& publisher = world.client("p").publish("t", "x", {.retain = true});
    Client& tap = world.client("tap").subscribe("t");
    EXPECT_EQ(tap.text(), "SUBACK #1 0x0; PUBLISH t 'x' retain");
    publisher.publish("t", "", {.retain = true});
    EXPECT_EQ(tap.text(), "PUBLISH t ''");
    EXPECT_EQ(world.client("late").subscribe("t").text(), "SUBACK #1 0x0");
    EXPECT_EQ(world.hub().counters().retained_messages, 0U);
}

TEST(Hub, retain_handling_and_retain_as_published_are_followed) {
    using enum mqtt::RetainHandling;
    World world;
    Client& publisher = world.client("p").publish("t", "x", {.retain = true});
    Client& tap = world.client("tap", {.version = v5});
    EXPECT_EQ(tap.subscribe("t", {.retain_handling = do_not_send}).text(), "SUBACK #1 0x0");
    EXPECT_EQ(tap.subscribe("t", {.retain_handling = send_if_new}).text(), "SUBACK #1 0x0") << "not new";
    EXPECT_EQ(tap.subscribe("t", {.retain_as_published = true, .retain_handling = send}).text(), "SUBACK #1 0x0; PUBLISH t 'x' retain");
    publisher.publish("t", "y", {.retain = true}).publish("t", "z");
    EXPECT_EQ(tap.text(), "PUBLISH t 'y' retain; PUBLISH t 'z'");
    EXPECT_EQ(world.client("new", {.version = v5}).subscribe("t", {.retain_handling = send_if_new}).text(),
              "SUBACK #1 0x0; PUBLISH t 'y' retain");
}

TEST(Hub, a_retained_message_expires) {
    World world;
    world.client("p", {.version = v5}).publish("t", "x", {.retain = true, .expiry = 30});
    world.advance(10s);
    EXPECT_EQ(world.client("early", {.version = v5}).subscribe("t").text(), "SUBACK #1 0x0; PUBLISH t 'x' retain expiry=20");
    world.advance(25s);
    EXPECT_EQ(world.client("late", {.version = v5}).subscribe("t").text(), "SUBACK #1 0x0");
    EXPECT_EQ(world.hub().counters().retained_messages, 0U);
}

TEST(Hub, more_retained_messages_than_a_socket_takes_come_as_it_is_read) {
    World world(1, {.output_bytes_max = 2000});
    Client& publisher = world.client("p");
    for (int i = 0; i < 100; ++i) publisher.publish(fmt::format("t/{}", i), std::string(100, 'x'), {.retain = true});
    Client& tap = world.client("tap");
    world.stick(tap, true);
    tap.subscribe("#");
    std::size_t got = 0;
    for (int rounds = 0; rounds < 20; ++rounds) got += tap.take().size();
    EXPECT_EQ(got, 101U);
    EXPECT_EQ(world.hub().counters().dropped_queue_full, 0U);
}

TEST(Hub, a_retained_message_replaced_while_it_waits_is_not_sent_after_the_newer_one) {
    World world(1, {.inflight_max = 1});
    Client& publisher = world.client("p");
    publisher.publish("t/1", "old", {.qos = 1, .id = 1, .retain = true}).publish("t/2", "old", {.qos = 1, .id = 2, .retain = true});
    Client& tap = world.client("tap").subscribe("#", {.qos = 1});
    const auto first = tap.take();
    ASSERT_EQ(first.size(), 2U);
    const bool one_first = first[1].starts_with("PUBLISH t/1");
    publisher.publish(one_first ? "t/2" : "t/1", "new", {.qos = 1, .id = 3, .retain = true});
    EXPECT_EQ(tap.ack(PacketType::puback, 1).text(), one_first ? "PUBLISH t/2 'new' q1 #2" : "PUBLISH t/1 'new' q1 #2");
    EXPECT_EQ(tap.ack(PacketType::puback, 2).text(), "");
}

TEST(Hub, the_limit_of_retained_messages_keeps_the_old_and_delivers_the_new) {
    World world(1, {.retained_messages_max = 1});
    Client& tap = world.client("tap").subscribe("#");
    tap.take();
    world.client("p").publish("a", "1", {.retain = true}).publish("b", "2", {.retain = true}).publish("a", "3", {.retain = true});
    EXPECT_EQ(tap.take().size(), 3U);
    EXPECT_EQ(world.client("late").subscribe("#").text(), "SUBACK #1 0x0; PUBLISH a '3' retain");
    EXPECT_EQ(world.hub().counters().retained_refused, 1U);
}

TEST(Hub, an_unsubscribe_ends_the_retained_messages_that_still_wait) {
    World world(1, {.inflight_max = 1});
    Client& publisher = world.client("p");
    for (mqtt::PacketId id = 1; id <= 3; ++id) publisher.publish(fmt::format("t/{}", id), "x", {.qos = 1, .id = id, .retain = true});
    Client& tap = world.client("tap").subscribe("t/+", {.qos = 1});
    EXPECT_EQ(tap.take().size(), 2U);
    EXPECT_EQ(tap.unsubscribe("t/+").text(), "UNSUBACK #2");
    EXPECT_EQ(tap.ack(PacketType::puback, 1).text(), "");
}

// Shared subscriptions

TEST(Hub, members_of_a_group_take_turns) {
    World world;
    Client& a = world.client("a", {.version = v5}).subscribe("$share/g/t/#");
    Client& b = world.client("b", {.version = v5}).subscribe("$share/g/t/#");
    Client& c = world.client("c").subscribe("t/#");
    a.take(), b.take(), c.take();
    Client& publisher = world.client("p");
    for (int i = 0; i < 6; ++i) publisher.publish("t/1", std::to_string(i));
    EXPECT_EQ(a.text(), "PUBLISH t/1 '0'; PUBLISH t/1 '2'; PUBLISH t/1 '4'");
    EXPECT_EQ(b.text(), "PUBLISH t/1 '1'; PUBLISH t/1 '3'; PUBLISH t/1 '5'");
    EXPECT_EQ(c.take().size(), 6U);
    EXPECT_EQ(world.hub().counters().subscriptions, 3U);
    EXPECT_EQ(world.hub().counters().shared_subscriptions, 2U);
    b.drop();
    EXPECT_EQ(world.hub().counters().shared_subscriptions, 1U);
    publisher.publish("t/1", "x");
    EXPECT_EQ(a.text(), "PUBLISH t/1 'x'");
    EXPECT_EQ(a.unsubscribe("$share/g/t/#").text(), "UNSUBACK #2 0x0");
    EXPECT_EQ(world.hub().counters().shared_subscriptions, 0U);
    publisher.publish("t/1", "y");
    EXPECT_EQ(a.text(), "");
    EXPECT_EQ(c.take().size(), 2U);
}

TEST(Hub, a_group_member_that_is_away_or_full_is_passed_over) {
    World world;
    Client& away = world.client("away", {.version = v5, .session_expiry = 100}).subscribe("$share/g/t", {.qos = 1});
    Client& here = world.client("here", {.version = v5}).subscribe("$share/g/t", {.qos = 1});
    away.take(), here.take();
    away.drop();
    Client& publisher = world.client("p");
    for (mqtt::PacketId id = 1; id <= 4; ++id) publisher.publish("t", "x", {.qos = 1, .id = id});
    EXPECT_EQ(here.take().size(), 4U);
    here.drop();
    publisher.publish("t", "kept", {.qos = 1, .id = 5});
    EXPECT_EQ(world.open("away").connect("away", {.version = v5, .clean = false}).text(),
              "CONNACK 0x0 present keep_alive=64800; PUBLISH t 'kept' q1 #1");
}

}  // namespace
}  // namespace sluice::hub::test

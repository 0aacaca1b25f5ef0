// CONNECT, sessions, take-over, keep-alive, wills, admission.
#include "flow/hub/session.hpp"

#include <gtest/gtest.h>

#include "flow/hub/world_test.hpp"

namespace sluice::hub::test {
namespace {

constexpr auto v5 = mqtt::Version::v5;
using mqtt::PacketType;
using mqtt::ReasonCode;

TEST(Session, a_session_that_is_kept_gets_what_it_missed) {
    World world;
    Client& first = world.client("c", {.clean = false}).subscribe("t", {.qos = 1});
    first.take();
    first.drop();
    Client& publisher = world.client("p");
    publisher.publish("t", "zero").publish("t", "one", {.qos = 1, .id = 1}).publish("t", "two", {.qos = 2, .id = 2});
    EXPECT_EQ(world.open("c").connect("c", {.clean = false}).text(), "CONNACK 0x0 present; PUBLISH t 'one' q1 #1; PUBLISH t 'two' q1 #2");
}

TEST(Session, what_was_not_acknowledged_is_sent_again_with_dup) {
    World world;
    Client& first = world.client("c", {.clean = false}).subscribe("t", {.qos = 2});
    first.take();
    Client& publisher = world.client("p");
    publisher.publish("t", "a", {.qos = 1, .id = 1}).publish("t", "b", {.qos = 2, .id = 2}).publish("t", "c", {.qos = 2, .id = 3});
    EXPECT_EQ(first.text(), "PUBLISH t 'a' q1 #1; PUBLISH t 'b' q2 #2; PUBLISH t 'c' q2 #3");
    EXPECT_EQ(first.ack(PacketType::pubrec, 2).text(), "PUBREL #2");
    first.drop();
    Client& second = world.open("c").connect("c", {.clean = false});
    EXPECT_EQ(second.text(), "CONNACK 0x0 present; PUBREL #2; PUBLISH t 'a' q1 #1 dup; PUBLISH t 'c' q2 #3 dup");
    second.ack(PacketType::pubcomp, 2).ack(PacketType::puback, 1).ack(PacketType::pubrec, 3).ack(PacketType::pubcomp, 3);
    EXPECT_EQ(world.hub().counters().messages_waiting, 0U);
    EXPECT_EQ(world.hub().counters().redelivered, 2U);
}

TEST(Session, resending_keeps_a_smaller_window) {
    World world;
    Client& first = world.client("c", {.version = v5, .session_expiry = 100}).subscribe("t", {.qos = 1});
    first.take();
    Client& publisher = world.client("p");
    for (mqtt::PacketId id = 1; id <= 4; ++id) publisher.publish("t", std::to_string(id), {.qos = 1, .id = id});
    first.drop();
    publisher.publish("t", "5", {.qos = 1, .id = 5});
    Client& second = world.open("c").connect("c", {.version = v5, .clean = false, .session_expiry = 100, .receive_maximum = 2});
    EXPECT_EQ(second.text(), "CONNACK 0x0 present keep_alive=64800; PUBLISH t '1' q1 #1 dup; PUBLISH t '2' q1 #2 dup");
    EXPECT_EQ(second.ack(PacketType::puback, 1).text(), "PUBLISH t '3' q1 #3 dup");
    EXPECT_EQ(second.ack(PacketType::puback, 2).ack(PacketType::puback, 3).text(), "PUBLISH t '4' q1 #4 dup; PUBLISH t '5' q1 #1");
}

TEST(Session, a_clean_start_forgets_everything) {
    World world;
    world.client("c", {.clean = false}).subscribe("t", {.qos = 1}).drop();
    Client& publisher = world.client("p").publish("t", "x", {.qos = 1, .id = 1});
    Client& clean = world.open("c").connect("c");
    EXPECT_EQ(clean.text(), "CONNACK 0x0");
    publisher.publish("t", "y", {.qos = 1, .id = 2});
    EXPECT_EQ(clean.text(), "");
    EXPECT_EQ(world.hub().counters().dropped_session_end, 1U);
    clean.drop();
    EXPECT_EQ(world.open("c").connect("c", {.clean = false}).text(), "CONNACK 0x0") << "a clean session ends with its connection";
}

TEST(Session, it_ends_when_its_time_is_over) {
    World world;
    world.client("c", {.version = v5, .session_expiry = 60}).subscribe("t", {.qos = 1}).drop();
    world.advance(59s);
    EXPECT_EQ(world.hub().counters().sessions, 1U);
    world.advance(2s);
    EXPECT_EQ(world.hub().counters().sessions, 0U);
    EXPECT_EQ(world.hub().counters().subscriptions, 0U);
    EXPECT_EQ(world.hub().counters().sessions_expired, 1U);
}

TEST(Session, its_life_is_capped_and_the_client_is_told) {
    World world(1, {.session_expiry_max = 100s});
    EXPECT_EQ(world.open("c").connect("c", {.version = v5, .session_expiry = 0xFFFFFFFF}).text(),
              "CONNACK 0x0 expiry=100 keep_alive=64800");
}

TEST(Session, disconnect_may_change_its_life_but_not_from_none) {
    World world;
    Client& longer = world.client("a", {.version = v5, .session_expiry = 10});
    longer.disconnect(ReasonCode::success, 100);
    world.advance(50s);
    EXPECT_EQ(world.hub().counters().sessions, 1U);
    Client& none = world.client("b", {.version = v5});
    EXPECT_EQ(none.disconnect(ReasonCode::success, 100).text(), "DISCONNECT 0x82");
}

TEST(Session, a_second_connection_takes_the_client_over) {
    World world;
    Client& first = world.client("c", {.version = v5, .session_expiry = 100}).subscribe("t", {.qos = 1});
    first.take();
    Client& second = world.open("c").connect("c", {.version = v5, .clean = false, .session_expiry = 100});
    EXPECT_EQ(second.text(), "CONNACK 0x0 present keep_alive=64800");
    EXPECT_EQ(first.text(), "DISCONNECT 0x8e");
    EXPECT_TRUE(first.closed());
    world.hub().on_closed(first.id(), world.now(), world.wall());  // the runtime may tell; nothing happens
    world.client("p").publish("t", "x", {.qos = 1, .id = 1});
    EXPECT_EQ(second.text(), "PUBLISH t 'x' q1 #1");
    EXPECT_EQ(world.hub().counters().connections, 2U);
    EXPECT_EQ(world.hub().counters().connections_taken_over, 1U);
    EXPECT_EQ(world.presence, (Lines{"+c", "-c", "+c", "+p"}));
}

TEST(Session, a_client_without_a_name_gets_one_of_this_shard) {
    World world(4);
    for (std::uint32_t shard = 0; shard < 4; ++shard) {
        const auto text = world.open_at(shard).connect("", {.version = v5}).text();
        const auto at = text.find("client=");
        ASSERT_NE(at, std::string::npos) << text;
        EXPECT_EQ(base::shard_of(base::hash64(text.substr(at + 7)), 4), shard);
    }
    EXPECT_EQ(world.open_at(0).connect("", {.clean = true}).text(), "CONNACK 0x0");
    EXPECT_EQ(world.open_at(0).connect("", {.clean = false}).text(), "CONNACK 0x85") << "3.1.1: identifier rejected";
}

TEST(Session, the_one_absent_longest_makes_room_at_the_limit) {
    World world(1, {.sessions_max = 2});
    world.client("a", {.clean = false}).drop();
    world.advance(1s);
    world.client("b", {.clean = false}).drop();
    Client& c = world.client("c", {.clean = false});
    EXPECT_EQ(world.hub().counters().sessions_evicted, 1U);
    EXPECT_EQ(world.open("b").connect("b", {.clean = false}).text(), "CONNACK 0x0 present");
    EXPECT_EQ(world.open("d").connect("d", {.version = v5}).text(), "CONNACK 0x97") << "nobody is absent";
    EXPECT_FALSE(c.closed());
}

TEST(Session, connections_past_the_limit_are_told_so) {
    World world(1, {.connections_max = 1});
    Client& first = world.client("a");
    EXPECT_EQ(world.open("b").connect("b", {.version = v5}).text(), "CONNACK 0x89");
    EXPECT_EQ(world.open("c").connect("c").text(), "CONNACK 0x88") << "3.1.1 knows only: server unavailable";
    first.drop();
    EXPECT_EQ(world.open("b").connect("b").text(), "CONNACK 0x0");
    EXPECT_EQ(world.hub().counters().connections, 1U);
}

TEST(Session, an_unknown_version_is_refused_in_words_it_may_understand) {
    World world;
    Client& client = world.open("x");
    const std::string six("\x10\x0d\x00\x04MQTT\x06\x02\x00\x3c\x00\x01x", 15);
    client.speaks(v5).send(base::as_bytes(six));
    EXPECT_EQ(client.text(), "CONNACK 0x84");
    EXPECT_TRUE(client.closed());
}

// Time

TEST(KeepAlive, one_and_a_half_times_the_interval_without_a_packet_closes) {
    World world;
    Client& old = world.client("old", {.keep_alive = 10, .will_topic = "gone", .will_payload = "old"});
    Client& modern = world.client("new", {.version = v5, .keep_alive = 10});
    Client& watcher = world.client("w").subscribe("gone");
    watcher.take();
    world.advance(14s);
    old.ping(), modern.ping();
    world.advance(14s);
    EXPECT_FALSE(old.closed());
    world.advance(2s);
    EXPECT_TRUE(old.closed());
    EXPECT_EQ(old.text(), "PINGRESP");
    EXPECT_EQ(modern.text(), "PINGRESP; DISCONNECT 0x8d");
    EXPECT_EQ(watcher.text(), "PUBLISH gone 'old'");
    EXPECT_EQ(world.hub().counters().keep_alive_timeouts, 2U);
    EXPECT_FALSE(watcher.closed()) << "no keep-alive asked for";
}

TEST(KeepAlive, the_server_caps_it_for_version_5) {
    World world(1, {.keep_alive_max = 20s});
    Client& client = world.open("c").connect("c", {.version = v5, .keep_alive = 60});
    EXPECT_EQ(client.text(), "CONNACK 0x0 keep_alive=20");
    world.advance(31s);
    EXPECT_TRUE(client.closed());
}

TEST(KeepAlive, a_connection_that_says_nothing_is_closed) {
    World world;
    Client& silent = world.open("x");
    Client& half = world.open("y");
    half.send(base::as_bytes(std::string_view("\x10\x20\x00\x04MQ")));
    world.advance(5s);
    half.send(base::as_bytes(std::string_view("TT")));
    world.advance(6s);
    EXPECT_TRUE(silent.closed());
    EXPECT_TRUE(half.closed()) << "dribbling does not help";
    EXPECT_EQ(world.hub().counters().connect_timeouts, 2U);
    EXPECT_EQ(world.hub().counters().connections, 0U);
}

TEST(KeepAlive, nothing_is_due_when_there_is_nothing) {
    World world;
    EXPECT_FALSE(world.hub().next_deadline().has_value());
}

// Wills

TEST(Will, it_is_published_when_the_connection_breaks_and_not_after_disconnect) {
    World world;
    Client& watcher = world.client("w").subscribe("will/#", {.qos = 1});
    watcher.take();
    const ConnectOptions options{.will_topic = "will/a", .will_payload = "gone", .will_qos = 1};
    world.client("a", options).drop();
    EXPECT_EQ(watcher.text(), "PUBLISH will/a 'gone' q1 #1");
    EXPECT_EQ(world.seen.back(), (Seen{"will/a", "gone", "a", false})) << "rules see wills";
    world.client("a", options).disconnect();
    EXPECT_EQ(watcher.text(), "");
    EXPECT_EQ(world.hub().counters().wills_published, 1U);
}

TEST(Will, disconnect_with_will_and_protocol_errors_publish_it) {
    World world;
    Client& watcher = world.client("w").subscribe("will");
    watcher.take();
    const ConnectOptions options{.version = v5, .will_topic = "will", .will_payload = "x", .will_retain = true};
    world.client("a", options).disconnect(ReasonCode::disconnect_with_will);
    EXPECT_EQ(watcher.text(), "PUBLISH will 'x'");
    world.client("b", options).connect("b", options);
    EXPECT_EQ(watcher.text(), "PUBLISH will 'x'");
    EXPECT_EQ(world.client("late").subscribe("will").text(), "SUBACK #1 0x0; PUBLISH will 'x' retain");
}

TEST(Will, a_delayed_will_waits_and_is_withdrawn_by_a_return) {
    World world;
    Client& watcher = world.client("w").subscribe("will");
    watcher.take();
    const ConnectOptions options{
        .version = v5, .clean = false, .will_topic = "will", .will_payload = "x", .will_delay = 30, .session_expiry = 100};
    world.client("a", options).drop();
    world.advance(29s);
    EXPECT_EQ(watcher.text(), "");
    Client& back = world.client("a", options);
    world.advance(60s);
    EXPECT_EQ(watcher.text(), "");
    back.drop();
    world.advance(31s);
    EXPECT_EQ(watcher.text(), "PUBLISH will 'x'");
    world.advance(100s);
    EXPECT_EQ(watcher.text(), "") << "once";
}

TEST(Will, the_end_of_the_session_does_not_wait_for_the_delay) {
    World world;
    Client& watcher = world.client("w").subscribe("will");
    watcher.take();
    world.client("a", {.version = v5, .will_topic = "will", .will_payload = "none", .will_delay = 30}).drop();
    EXPECT_EQ(watcher.text(), "PUBLISH will 'none'") << "the session ended with the connection";
    world.client("b", {.version = v5, .will_topic = "will", .will_payload = "short", .will_delay = 30, .session_expiry = 10}).drop();
    world.advance(11s);
    EXPECT_EQ(watcher.text(), "PUBLISH will 'short'");
    world.client("c", {.version = v5, .will_topic = "will", .will_payload = "clean", .will_delay = 30, .session_expiry = 10}).drop();
    world.client("c", {.version = v5});
    EXPECT_EQ(watcher.text(), "PUBLISH will 'clean'") << "a clean start ends the old session";
}

// Admission

class Gate final : public Authenticator {
public:
    std::optional<Admission> authenticate(const Credentials& who) override {
        ++asked_connect;
        if (who.username == "ana" && base::as_text(who.password) == "secret") return Admission{ReasonCode::success, Principal(7)};
        return Admission{ReasonCode::bad_user_name_or_password, {}};
    }
    bool may_publish(const hub::Client& client, std::string_view topic) override {
        ++asked_publish;
        return client.principal == Principal(7) && topic.starts_with("mine/");
    }
    bool may_subscribe(const hub::Client& client, std::string_view filter) override {
        return client.principal == Principal(7) && !filter.starts_with("secret/");
    }
    int asked_connect = 0;
    int asked_publish = 0;
};

TEST(Admission, who_may_not_come_in_is_told_in_its_version) {
    Gate gate;
    World world(1, {}, &gate);
    EXPECT_EQ(world.open("a").connect("a").text(), "CONNACK 0x86");
    EXPECT_EQ(world.open("a").connect("a", {.version = v5, .user = "ana", .password = "guess"}).text(), "CONNACK 0x86");
    EXPECT_EQ(world.open("a").connect("a", {.user = "ana", .password = "secret"}).text(), "CONNACK 0x0");
    EXPECT_EQ(world.hub().counters().connections_refused, 2U);
    EXPECT_EQ(world.hub().counters().connections, 1U);
}

TEST(Admission, what_is_learned_of_a_peer_before_its_connect_is_what_the_authenticator_hears) {
    class Witness final : public Authenticator {
    public:
        std::optional<Admission> authenticate(const Credentials& who) override {
            heard = who.peer;
            return Admission{};
        }
        bool may_publish(const hub::Client&, std::string_view) override { return true; }
        bool may_subscribe(const hub::Client&, std::string_view) override { return true; }
        Standing standing(const hub::Client&) override { return Standing::welcome; }
        Peer heard;
    };
    Witness witness;
    World world(1, {}, &witness);
    Client& client = world.open("a");
    world.hub().on_peer(client.id(), {.listener = 3, .loopback = false, .encrypted = true});
    EXPECT_EQ(client.connect("a").text(), "CONNACK 0x0");
    EXPECT_FALSE(witness.heard.loopback);
    EXPECT_TRUE(witness.heard.encrypted);
    EXPECT_EQ(witness.heard.listener, 3);
}

TEST(Admission, permissions_are_asked_for_once_a_topic_and_answered_per_version) {
    Gate gate;
    World world(1, {}, &gate);
    Client& modern = world.client("m", {.version = v5, .user = "ana", .password = "secret"});
    modern.publish("mine/1", "x", {.qos = 1, .id = 1}).publish("mine/1", "x", {.qos = 1, .id = 2});
    EXPECT_EQ(gate.asked_publish, 1);
    modern.publish("yours", "x", {.qos = 1, .id = 3}).publish("yours", "x", {.qos = 2, .id = 4}).publish("yours", "x");
    EXPECT_EQ(modern.text(), "PUBACK #1 0x10; PUBACK #2 0x10; PUBACK #3 0x87; PUBREC #4 0x87");
    world.hub().forget_permissions();
    modern.publish("mine/1", "x");
    EXPECT_EQ(gate.asked_publish, 5);
    EXPECT_EQ(world.seen.size(), 3U);
    Client& old = world.client("o", {.user = "ana", .password = "secret"});
    old.publish("yours", "x", {.qos = 1, .id = 3}).publish("yours", "x", {.qos = 2, .id = 4});
    EXPECT_EQ(old.text(), "PUBACK #3; PUBREC #4") << "3.1.1 has no other answer";
    EXPECT_EQ(world.seen.size(), 3U);
    EXPECT_EQ(modern.subscribe("secret/x").subscribe("$share/g/secret/x").subscribe("open").text(),
              "SUBACK #1 0x87; SUBACK #1 0x87; SUBACK #1 0x0");
}

TEST(Admission, an_administrator_can_end_a_connection) {
    World world;
    Client& client = world.client("c", {.version = v5});
    EXPECT_TRUE(world.hub().disconnect("c", ReasonCode::administrative_action, world.now(), world.wall()));
    EXPECT_EQ(client.text(), "DISCONNECT 0x98");
    EXPECT_FALSE(world.hub().disconnect("c", ReasonCode::administrative_action, world.now(), world.wall()));
}

TEST(Admission, at_shutdown_everybody_is_told_and_closed_without_wills) {
    World world;
    Client& a = world.client("a", {.version = v5, .will_topic = "will", .will_payload = "x"});
    Client& b = world.client("b").subscribe("will");
    b.take();
    world.hub().shut_down(world.now());
    EXPECT_EQ(a.text(), "DISCONNECT 0x8b");
    EXPECT_EQ(b.text(), "");
    EXPECT_TRUE(a.closed() && b.closed());
    EXPECT_TRUE(world.seen.empty());
}

// Memory

TEST(Memory, an_idle_connected_client_costs_less_than_600_bytes) {
    // The tables beside it: slot and session; client id up to 15 bytes in place; about two entries of tables of 8 bytes, half full, and a
    // timer.
    constexpr std::size_t kTables = 2 * 2 * 8 + 2 * sizeof(std::uint64_t) * 4;
    EXPECT_LT(sizeof(Connection) + sizeof(Session) + kTables, 400U);
}

TEST(Memory, keep_alive_timers_of_clients_that_come_and_go_do_not_pile_up) {
    World world;
    for (int i = 0; i < 20'000; ++i) {
        Client& client = world.open("c");
        client.connect("c", {.keep_alive = 60'000});
        client.drop();
    }
    // Every connection left an entry that is due in a day; the heap is swept as it grows, which keeps this test fast too.
    world.advance(100h);
    EXPECT_EQ(world.hub().counters().connections, 0U);
    EXPECT_FALSE(world.hub().next_deadline().has_value());
}

}  // namespace
}  // namespace sluice::hub::test

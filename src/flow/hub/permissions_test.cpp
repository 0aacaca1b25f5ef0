// Answers that come later, whose session a client id's is, and permissions that change.
#include <map>
#include <optional>
#include <set>

#include "flow/hub/world_test.hpp"

namespace sluice::hub::test {
namespace {

using mqtt::ReasonCode;
constexpr auto v5 = mqtt::Version::v5;

/// Answers when the test says so; each user is a principal; topics and users can be taken away.
class LateGate final : public Authenticator {
public:
    std::optional<Admission> authenticate(const Credentials& who) override {
        asked.push_back(std::string(who.username) + ":" + std::string(base::as_text(who.password)));
        if (!late) return admission(who.username);
        return std::nullopt;
    }
    bool may_publish(const hub::Client&, std::string_view topic) override { return !forbidden.contains(std::string(topic)); }
    bool may_subscribe(const hub::Client&, std::string_view filter) override { return !forbidden.contains(std::string(filter)); }
    Standing standing(const hub::Client& client) override {
        const auto found = standings.find(client.principal.value());
        return found == standings.end() ? Standing::welcome : found->second;
    }
    static Admission admission(std::string_view user) {
        if (user == "nobody") return {ReasonCode::bad_user_name_or_password, {}};
        return {ReasonCode::success, Principal(user.empty() ? 0 : static_cast<std::uint32_t>(user[0]))};
    }

    bool late = true;
    Lines asked;
    std::set<std::string> forbidden;
    std::map<std::uint32_t, Standing> standings;
};

class Permissions : public testing::Test {
protected:
    /// The answer for a connection, and its bytes again.
    static void answer(World& in, Client& client, const Admission& admission) {
        in.hub(client.shard()).on_authenticated(client.id(), admission);
        client.send({});
    }
    void answer(Client& client, std::string_view user) { answer(world, client, LateGate::admission(user)); }
    Client& signed_in(std::string_view id, ConnectOptions options) {
        gate.late = false;
        Client& client = world.client(id, options);
        gate.late = true;
        return client;
    }
    void review() {
        world.hub().review_permissions(&gate);
        world.advance(1s);
    }

    LateGate gate;
    World world{1, {}, &gate};
};

TEST_F(Permissions, a_connect_waits_for_its_answer_and_nothing_else_does) {
    Client& other = signed_in("o", {.user = "bob"});
    other.subscribe("t");
    Client& client = world.open("a").connect("a", {.user = "ana", .password = "secret"});
    EXPECT_EQ(client.text(), "");
    EXPECT_EQ(world.hub().counters().connections_authenticating, 1U);
    other.publish("t", "x");
    EXPECT_EQ(other.text(), "SUBACK #1 0x0; PUBLISH t 'x'");
    answer(client, "ana");
    EXPECT_EQ(client.text(), "CONNACK 0x0");
    EXPECT_EQ(gate.asked, (Lines{"bob:", "ana:secret"})) << "asked once";
    EXPECT_EQ(world.hub().counters().connections_authenticating, 0U);
    EXPECT_EQ(client.publish("t", "y", {.qos = 1, .id = 5}).text(), "PUBACK #5");
}

TEST_F(Permissions, what_was_sent_behind_the_connect_is_handled_after_the_answer_in_order) {
    Client& client = world.open("a").connect("a", {.version = v5, .user = "ana"});
    client.subscribe("t").publish("t", "1", {.qos = 1, .id = 1}).publish("t", "2", {.qos = 1, .id = 2});
    EXPECT_EQ(client.text(), "");
    EXPECT_TRUE(world.seen.empty());
    answer(client, "ana");
    EXPECT_EQ(client.text(), "CONNACK 0x0 keep_alive=64800; SUBACK #1 0x0; PUBLISH t '1'; PUBACK #1; PUBLISH t '2'; PUBACK #2");
}

TEST_F(Permissions, a_refusal_closes_and_what_was_behind_it_is_not_handled) {
    for (const auto version : {v5, mqtt::Version::v311}) {
        Client& client = world.open("a").connect("a", {.version = version, .user = "nobody"});
        client.publish("t", "x");
        world.hub().on_authenticated(client.id(), LateGate::admission("nobody"));
        EXPECT_EQ(client.text(), "CONNACK 0x86");
        EXPECT_TRUE(client.closed());
    }
    EXPECT_TRUE(world.seen.empty());
    EXPECT_EQ(world.hub().counters().connections, 0U);
    EXPECT_EQ(world.hub().counters().connections_authenticating, 0U);
    EXPECT_EQ(world.hub().counters().connections_refused, 2U);
}

TEST_F(Permissions, answers_for_connections_that_do_not_wait_change_nothing) {
    Client& gone = world.open("a").connect("a", {.user = "ana"});
    gone.drop();
    EXPECT_EQ(world.hub().counters().connections_authenticating, 0U);
    world.hub().on_authenticated(gone.id(), LateGate::admission("ana"));
    Client& silent = world.open("b");
    world.hub().on_authenticated(silent.id(), LateGate::admission("ana"));
    EXPECT_EQ(silent.connect("b", {.user = "bob"}).text(), "") << "still has to be answered";
    Client& running = signed_in("c", {.user = "ana"});
    world.hub().on_authenticated(running.id(), LateGate::admission("nobody"));
    EXPECT_FALSE(running.closed());
    EXPECT_EQ(world.hub().counters().sessions, 1U);
}

TEST_F(Permissions, who_waits_for_the_answer_too_long_is_told_busy) {
    Client& client = world.open("a");
    world.advance(9s);
    client.connect("a", {.version = v5, .user = "ana"});
    world.advance(9s);
    EXPECT_FALSE(client.closed()) << "the time begins anew with the CONNECT";
    world.advance(2s);
    EXPECT_EQ(client.text(), "CONNACK 0x89");
    EXPECT_TRUE(client.closed());
    EXPECT_EQ(world.hub().counters().connect_timeouts, 1U);
    EXPECT_EQ(world.hub().counters().connections_authenticating, 0U);
}

TEST_F(Permissions, what_may_be_sent_before_the_answer_is_bounded) {
    Client& client = world.open("a").connect("a", {.version = v5, .user = "ana"});
    const std::string large(100'000, 'x');
    for (int i = 0; i < 4; ++i) client.publish("t", large);
    EXPECT_FALSE(client.closed());
    client.publish("t", large);
    EXPECT_EQ(client.text(), "CONNACK 0x97");
    EXPECT_TRUE(client.closed());
    EXPECT_TRUE(world.seen.empty());
}

TEST_F(Permissions, a_connection_without_a_client_id_gets_one_after_the_answer) {
    Client& client = world.open_at(0).connect("", {.version = v5, .user = "ana"});
    answer(client, "ana");
    EXPECT_NE(client.text().find(" client=auto-"), std::string::npos);
}

TEST_F(Permissions, at_shutdown_those_who_wait_are_closed_too) {
    Client& client = world.open("a").connect("a", {.user = "ana"});
    world.hub().shut_down(world.now());
    EXPECT_TRUE(client.closed());
    EXPECT_EQ(world.hub().counters().connections_authenticating, 0U);
}

TEST_F(Permissions, a_will_that_is_not_permitted_is_refused_at_connect) {
    gate.forbidden = {"secret"};
    Client& client = world.open("a").connect("a", {.version = v5, .user = "ana", .will_topic = "secret", .will_payload = "x"});
    answer(client, "ana");
    EXPECT_EQ(client.text(), "CONNACK 0x87");
    EXPECT_EQ(world.hub().counters().sessions, 0U);
}

// Whose session it is

TEST_F(Permissions, another_user_does_not_get_what_waits_in_a_session) {
    Client& ana = signed_in("device", {.clean = false, .user = "ana"});
    ana.subscribe("t", {.qos = 1}).take();
    ana.drop();
    Client& publisher = signed_in("p", {.user = "pia"});
    publisher.publish("t", "for ana", {.qos = 1, .id = 1});
    Client& bob = world.open("device").connect("device", {.clean = false, .user = "bob"});
    answer(bob, "bob");
    EXPECT_EQ(bob.text(), "CONNACK 0x0") << "no session present, no message";
    publisher.publish("t", "again", {.qos = 1, .id = 2});
    EXPECT_EQ(bob.text(), "") << "nor her subscription";
    EXPECT_EQ(world.hub().counters().sessions_of_others_ended, 1U);
    EXPECT_EQ(world.hub().counters().dropped_session_end, 1U);
}

TEST_F(Permissions, the_same_user_resumes_the_session) {
    signed_in("device", {.clean = false, .user = "ana"}).subscribe("t", {.qos = 1}).drop();
    signed_in("p", {.user = "pia"}).publish("t", "for ana", {.qos = 1, .id = 1});
    Client& ana = world.open("device").connect("device", {.clean = false, .user = "ana"});
    answer(ana, "ana");
    EXPECT_EQ(ana.text(), "CONNACK 0x0 present; PUBLISH t 'for ana' q1 #1");
}

TEST_F(Permissions, another_user_cannot_throw_a_connected_client_out) {
    Client& ana = signed_in("device", {.version = v5, .user = "ana"});
    Client& bob = world.open("device").connect("device", {.user = "bob"});
    answer(bob, "bob");
    EXPECT_EQ(bob.text(), "CONNACK 0x85");
    EXPECT_EQ(ana.ping().text(), "PINGRESP");
    EXPECT_EQ(world.hub().counters().client_ids_refused, 1U);
    Client& again = world.open("device").connect("device", {.version = v5, .user = "ana"});
    answer(again, "ana");
    EXPECT_EQ(ana.text(), "DISCONNECT 0x8e");
}

// Permissions that change

TEST_F(Permissions, a_review_ends_sessions_with_a_subscription_that_is_no_longer_permitted) {
    Client& here = signed_in("here", {.version = v5, .user = "ana", .session_expiry = 1000});
    here.subscribe("open").subscribe("secret").take();
    signed_in("away", {.clean = false, .user = "ana"}).subscribe("secret", {.qos = 1}).drop();
    signed_in("shared", {.clean = false, .user = "ana"}).subscribe("$share/g/secret", {.qos = 1}).drop();
    Client& fine = signed_in("fine", {.version = v5, .user = "ana"});
    fine.subscribe("open").take();
    gate.forbidden = {"secret"};
    review();
    EXPECT_EQ(here.text(), "DISCONNECT 0x87");
    EXPECT_TRUE(here.closed());
    EXPECT_EQ(fine.ping().text(), "PINGRESP");
    EXPECT_EQ(world.hub().counters().sessions, 1U);
    EXPECT_EQ(world.hub().counters().subscriptions, 1U);
    EXPECT_EQ(world.hub().counters().sessions_revoked, 3U);
    fine.publish("secret", "x");
    Client& back = world.open("here").connect("here", {.version = v5, .clean = false, .user = "ana", .session_expiry = 1000});
    answer(back, "ana");
    EXPECT_EQ(back.text().substr(0, 11), "CONNACK 0x0");
    EXPECT_EQ(back.subscribe("secret").text(), "SUBACK #1 0x87") << "that is how the client learns";
}

TEST_F(Permissions, who_comes_back_before_the_review_has_reached_their_session_gets_nothing_that_it_takes_away) {
    signed_in("away", {.clean = false, .user = "ana"}).subscribe("secret", {.qos = 1}).drop();
    signed_in("other", {.user = "bob"}).publish("secret", "x", {.qos = 1, .id = 1});
    gate.forbidden = {"secret"};
    gate.late = false;
    world.hub().review_permissions(&gate);
    Client& back = world.open("away").connect("away", {.version = v5, .clean = false, .user = "ana", .session_expiry = 1000});
    EXPECT_EQ(back.text().substr(0, 11), "CONNACK 0x0");
    EXPECT_EQ(back.ping().text(), "PINGRESP") << "nothing from before, no session";
    EXPECT_EQ(world.hub().counters().sessions_revoked, 1U);
}

TEST_F(Permissions, a_review_asks_again_for_topics_that_were_permitted) {
    Client& ana = signed_in("a", {.version = v5, .user = "ana"});
    EXPECT_EQ(ana.publish("t", "x", {.qos = 1, .id = 1}).text(), "PUBACK #1 0x10") << "nobody subscribes to it";
    gate.forbidden = {"t"};
    review();
    EXPECT_EQ(ana.publish("t", "x", {.qos = 1, .id = 2}).text(), "PUBACK #2 0x87");
}

TEST_F(Permissions, users_who_are_gone_lose_connection_and_session_those_who_must_sign_in_again_keep_it) {
    Client& ana = signed_in("a", {.version = v5, .user = "ana", .will_topic = "will", .will_payload = "x", .session_expiry = 1000});
    Client& bob = signed_in("b", {.version = v5, .user = "bob", .session_expiry = 1000});
    signed_in("a2", {.clean = false, .user = "ana"}).drop();
    signed_in("b2", {.clean = false, .user = "bob"}).drop();
    Client& carl = signed_in("c", {.version = v5, .user = "carl"});
    gate.standings = {{'a', Standing::gone}, {'b', Standing::sign_in_again}};
    review();
    EXPECT_EQ(ana.text(), "DISCONNECT 0x87");
    EXPECT_EQ(bob.text(), "DISCONNECT 0x87");
    EXPECT_EQ(carl.ping().text(), "PINGRESP");
    EXPECT_EQ(world.hub().counters().sessions, 3U) << "b, b2 and c";
    EXPECT_EQ(world.seen.size(), 1U) << "the will: the server ended the connection";
}

TEST_F(Permissions, a_review_of_many_sessions_takes_several_turns_and_finds_all) {
    gate.late = false;
    for (int i = 0; i < 1000; ++i) {
        const std::string id = "c" + std::to_string(i);
        world.client(id, {.clean = false, .user = "ana"}).subscribe(i % 2 == 0 ? "secret" : "open").drop();
    }
    gate.forbidden = {"secret"};
    world.hub().review_permissions(&gate);
    int turns = 0;
    while (world.hub().next_deadline() && *world.hub().next_deadline() <= world.now()) {
        world.hub().on_tick(world.now(), world.wall());
        ++turns;
    }
    EXPECT_EQ(turns, 4);
    EXPECT_EQ(world.hub().counters().sessions, 500U);
}

TEST_F(Permissions, without_an_authenticator_everybody_may_do_everything) {
    Client& ana = signed_in("a", {.version = v5, .user = "ana"});
    gate.forbidden = {"t"};
    EXPECT_EQ(ana.publish("t", "x", {.qos = 1, .id = 1}).text(), "PUBACK #1 0x87");
    world.hub().review_permissions(nullptr);
    EXPECT_EQ(ana.publish("t", "x", {.qos = 1, .id = 2}).text(), "PUBACK #2 0x10");
    EXPECT_EQ(world.open("b").connect("b").text(), "CONNACK 0x0");
}

}  // namespace
}  // namespace sluice::hub::test

// What survives the process: sessions, what waits for them, retained messages; and which acknowledgements wait until it does.
#include "flow/hub/journal.hpp"

#include <gtest/gtest.h>

#include "flow/hub/kept_world_test.hpp"

namespace sluice::hub::test {
namespace {

constexpr auto v5 = mqtt::Version::v5;
using mqtt::PacketType;

/// A client id that lives on a shard.
std::string id_on(std::uint32_t shard, std::uint16_t shards, std::string_view prefix = "c") {
    for (int n = 0;; ++n)
        if (std::string id = fmt::format("{}{}", prefix, n); base::shard_of(base::hash64(id), shards) == shard) return id;
}

TEST(Journal, a_publish_is_acknowledged_when_its_copy_for_an_absent_session_is_durable) {
    Disk disk;
    KeptWorld kept(disk, 1);
    Client& subscriber = kept.world.client("s", {.clean = false}).subscribe("t", {.qos = 1});
    EXPECT_EQ(subscriber.text(), "") << "the subscription is not durable yet";
    kept.commit();
    EXPECT_EQ(subscriber.text(), "SUBACK #1 0x1");
    subscriber.drop();
    Client& publisher = kept.world.client("p");
    EXPECT_EQ(publisher.publish("t", "one", {.qos = 1, .id = 1}).text(), "");
    EXPECT_EQ(publisher.publish("other", "x", {.qos = 1, .id = 2}).text(), "") << "acknowledgements of a connection keep their order";
    kept.commit();
    EXPECT_EQ(publisher.text(), "PUBACK #1; PUBACK #2");
    EXPECT_EQ(publisher.publish("other", "x", {.qos = 1, .id = 3}).text(), "PUBACK #3") << "nobody is owed this one";
}

TEST(Journal, subscriptions_that_wait_for_the_disk_are_bounded) {
    Disk disk;
    KeptWorld kept(disk, 1, {.subscribes_pending_max = 2});
    Client& client = kept.world.client("s", {.clean = false});
    client.subscribe("a", {.qos = 1, .id = 1}).subscribe("b", {.qos = 1, .id = 2}).subscribe("c", {.qos = 1, .id = 3});
    EXPECT_EQ(client.text(), "SUBACK #3 0x80") << "refused, so nothing of it need be durable";
    EXPECT_EQ(client.unsubscribe("a", 4).text(), "UNSUBACK #4") << "an UNSUBACK does not wait then";
    kept.commit();
    EXPECT_EQ(client.text(), "SUBACK #1 0x1; SUBACK #2 0x1");
    EXPECT_EQ(client.unsubscribe("b", 5).text(), "");
    kept.commit();
    EXPECT_EQ(client.text(), "UNSUBACK #5");
}

TEST(Journal, clean_sessions_and_quality_0_record_nothing) {
    Disk disk;
    KeptWorld kept(disk, 1);
    kept.world.client("clean").subscribe("t", {.qos = 2}).take();
    kept.world.client("zero", {.clean = false}).subscribe("t", {.qos = 0}).take();
    kept.commit();
    Client& publisher = kept.world.client("p");
    EXPECT_EQ(publisher.publish("t", "x", {.qos = 1, .id = 1}).text(), "PUBACK #1");
    kept.commit();
    EXPECT_EQ(disk.count(RowKind::session), 1U);
    EXPECT_EQ(disk.count(RowKind::subscription), 1U);
    EXPECT_EQ(disk.count(RowKind::delivery), 0U);
}

TEST(Journal, after_a_crash_the_session_is_present_and_gets_what_was_acknowledged) {
    Disk disk;
    {
        KeptWorld kept(disk, 1);
        kept.world.client("s", {.version = v5, .session_expiry = 100})
            .subscribe("t/+", {.qos = 2, .retain_as_published = true, .identifier = 9})
            .drop();
        Client& publisher = kept.world.client("p", {.version = v5});
        publisher.publish("t/1", "one", {.qos = 1, .id = 1, .retain = true, .content_type = "text"});
        publisher.publish("t/2", "two", {.qos = 2, .id = 2});
        kept.commit();
        EXPECT_EQ(publisher.text(), "PUBACK #1; PUBREC #2");
        EXPECT_EQ(publisher.publish("t/3", "never acknowledged", {.qos = 1, .id = 3}).text(), "");
    }
    KeptWorld kept(disk, 1);
    Client& subscriber = kept.world.open("s").connect("s", {.version = v5, .clean = false, .session_expiry = 100});
    EXPECT_EQ(subscriber.text(),
              "CONNACK 0x0 present keep_alive=64800; PUBLISH t/1 'one' q1 #1 retain id=9 3=text; PUBLISH t/2 'two' q2 #2 id=9");
    kept.world.client("p").publish("t/4", "live", {.qos = 1, .id = 1});
    EXPECT_EQ(subscriber.text(), "PUBLISH t/4 'live' q1 #3 id=9") << "the subscription is there with its options";
}

TEST(Journal, what_was_in_flight_is_sent_again_with_its_packet_id_and_then_the_queue) {
    Disk disk;
    {
        KeptWorld kept(disk, 1, {.inflight_max = 3});
        Client& subscriber = kept.world.client("s", {.clean = false}).subscribe("t", {.qos = 2});
        kept.commit();
        subscriber.take();
        Client& publisher = kept.world.client("p");
        for (mqtt::PacketId id = 1; id <= 5; ++id)
            publisher.publish("t", std::to_string(id), {.qos = static_cast<std::uint8_t>(id == 1 ? 1 : 2), .id = id});
        EXPECT_EQ(subscriber.text(), "PUBLISH t '1' q1 #1; PUBLISH t '2' q2 #2; PUBLISH t '3' q2 #3");
        EXPECT_EQ(subscriber.ack(PacketType::puback, 1).text(), "PUBLISH t '4' q2 #4");
        EXPECT_EQ(subscriber.ack(PacketType::pubrec, 3).text(), "PUBREL #3");
        kept.commit();
    }
    EXPECT_EQ(disk.count(RowKind::delivery), 3U) << "1 is done, of 3 only the packet id is left";
    EXPECT_EQ(disk.count(RowKind::inflight), 2U);
    KeptWorld kept(disk, 1, {.inflight_max = 3});
    Client& subscriber = kept.world.open("s").connect("s", {.clean = false});
    EXPECT_EQ(subscriber.text(), "CONNACK 0x0 present; PUBREL #3; PUBLISH t '2' q2 #2 dup; PUBLISH t '4' q2 #4 dup");
    EXPECT_EQ(subscriber.ack(PacketType::pubcomp, 3).text(), "PUBLISH t '5' q2 #1");
    for (const mqtt::PacketId id : {mqtt::PacketId{2}, mqtt::PacketId{4}, mqtt::PacketId{1}})
        subscriber.ack(PacketType::pubrec, id).ack(PacketType::pubcomp, id);
    kept.commit();
    EXPECT_EQ(disk.count(RowKind::delivery) + disk.count(RowKind::inflight), 0U);
    EXPECT_EQ(kept.world.hub().counters().messages_waiting, 0U);
    EXPECT_EQ(kept.world.hub().counters().waiting_bytes, 0U);
}

TEST(Journal, a_new_packet_id_is_never_one_that_is_in_flight_from_before) {
    Disk disk;
    {
        KeptWorld kept(disk, 1);
        Client& subscriber = kept.world.client("s", {.clean = false}).subscribe("t", {.qos = 1});
        kept.world.client("p").publish("t", "a", {.qos = 1, .id = 1}).publish("t", "b", {.qos = 1, .id = 2});
        subscriber.ack(PacketType::puback, 1);
        kept.commit();
    }
    KeptWorld kept(disk, 1);
    Client& subscriber = kept.world.open("s").connect("s", {.clean = false});
    EXPECT_EQ(subscriber.text(), "CONNACK 0x0 present; PUBLISH t 'b' q1 #2 dup");
    kept.world.client("p").publish("t", "c", {.qos = 1, .id = 1});
    const auto line = subscriber.text();
    EXPECT_TRUE(line.starts_with("PUBLISH t 'c' q1 #")) << line;
    EXPECT_EQ(line.find("#2"), std::string::npos) << line;
}

TEST(Journal, a_delivery_acknowledged_before_the_commit_leaves_nothing) {
    Disk disk;
    KeptWorld kept(disk, 1);
    Client& subscriber = kept.world.client("s", {.clean = false}).subscribe("t", {.qos = 1});
    kept.commit();
    kept.world.client("p").publish("t", "x", {.qos = 1, .id = 1});
    subscriber.take();
    subscriber.ack(PacketType::puback, 1);
    kept.commit();
    EXPECT_EQ(disk.count(RowKind::delivery), 0U);
}

TEST(Journal, sessions_that_end_are_gone_after_a_restart) {
    Disk disk;
    {
        KeptWorld kept(disk, 1);
        kept.world.client("clean", {.clean = false}).subscribe("t", {.qos = 1}).drop();
        kept.world.client("expires", {.version = v5, .session_expiry = 10}).subscribe("t", {.qos = 1}).drop();
        kept.world.client("leaves", {.version = v5, .session_expiry = 10}).subscribe("t", {.qos = 1}).disconnect({}, 0);
        kept.world.client("stays", {.clean = false}).subscribe("t", {.qos = 1}).unsubscribe("t").drop();
        kept.world.client("clean").drop();
        kept.world.advance(11s);
        kept.commit();
    }
    EXPECT_EQ(disk.count(RowKind::session), 1U);
    EXPECT_EQ(disk.count(RowKind::subscription), 0U);
    KeptWorld kept(disk, 1);
    EXPECT_EQ(kept.world.open("stays").connect("stays", {.clean = false}).text(), "CONNACK 0x0 present");
    EXPECT_EQ(kept.world.open("leaves").connect("leaves", {.clean = false}).text(), "CONNACK 0x0");
}

TEST(Journal, a_session_whose_expiry_becomes_0_is_forgotten_at_once) {
    Disk disk;
    KeptWorld kept(disk, 1);
    kept.world.client("s", {.version = v5, .session_expiry = 10}).subscribe("t", {.qos = 1}).drop();
    kept.world.client("p").publish("t", "x", {.qos = 1, .id = 1});
    kept.commit();
    Client& again = kept.world.client("s", {.version = v5, .clean = false});
    kept.commit();
    EXPECT_TRUE(disk.rows.empty());
    EXPECT_EQ(kept.world.client("p2").publish("t", "y", {.qos = 1, .id = 1}).text(), "PUBACK #1");
    EXPECT_EQ(again.text(), "PUBLISH t 'y' q1 #2") << "x was in the CONNACK's company";
}

TEST(Journal, expiry_goes_on_over_the_downtime) {
    Disk disk;
    {
        KeptWorld kept(disk, 1);
        kept.world.client("a", {.version = v5, .session_expiry = 60}).subscribe("t", {.qos = 1}).drop();
        kept.world.client("b", {.version = v5, .session_expiry = 200}).subscribe("t", {.qos = 1});  // connected until the crash
        kept.world.client("p", {.version = v5})
            .publish("t", "long", {.qos = 1, .id = 1})
            .publish("t", "short", {.qos = 1, .id = 2, .expiry = 80})
            .publish("r/short", "r", {.qos = 1, .id = 3, .retain = true, .expiry = 80})
            .publish("r/long", "r", {.qos = 1, .id = 4, .retain = true, .expiry = 1000});
        kept.world.advance(30s);
        kept.commit();
    }
    {
        KeptWorld kept(disk, 1, {}, 60s);
        EXPECT_EQ(kept.world.hub().counters().sessions, 1U);
        EXPECT_EQ(kept.world.hub().counters().sessions_expired, 1U);
        EXPECT_EQ(kept.world.hub().counters().retained_messages, 1U);
        EXPECT_EQ(disk.count(RowKind::session), 1U);
        EXPECT_EQ(disk.count(RowKind::retained), 1U);
        kept.world.advance(100s);
        kept.commit();
        EXPECT_EQ(kept.world.hub().counters().sessions, 1U) << "160 s since its connection ended";
    }
    {
        KeptWorld kept(disk, 1);
        Client& b = kept.world.open("b").connect("b", {.version = v5, .clean = false, .session_expiry = 200});
        EXPECT_EQ(b.text(), "CONNACK 0x0 present keep_alive=64800; PUBLISH t 'long' q1 #1 dup; PUBLISH t 'short' q1 #2 dup expiry=0");
        b.drop();
        kept.commit();
    }
    KeptWorld kept(disk, 1, {}, 201s);
    EXPECT_EQ(kept.world.hub().counters().sessions, 0U);
}

/// Everybody is who they say they are; numbers differ from run to run.
class Names final : public Authenticator {
public:
    explicit Names(std::uint32_t first) : first_(first) {}
    std::optional<Admission> authenticate(const Credentials& who) override {
        return Admission{mqtt::ReasonCode::success, principal_of(who.username)};
    }
    bool may_publish(const hub::Client&, std::string_view) override { return true; }
    bool may_subscribe(const hub::Client&, std::string_view) override { return true; }
    Standing standing(const hub::Client&) override { return Standing::welcome; }
    std::string_view name_of(Principal principal) const override {
        return principal == Principal{} ? std::string_view() : names_[principal.value() - first_];
    }
    Principal principal_of(std::string_view name) override {
        if (name.empty()) return {};
        const auto at = std::find(names_.begin(), names_.end(), name) - names_.begin();
        if (at == std::ssize(names_)) names_.emplace_back(name);
        return Principal(first_ + static_cast<std::uint32_t>(at));
    }

private:
    std::uint32_t first_;
    std::vector<std::string> names_;
};

TEST(Journal, a_session_still_belongs_to_its_user_after_a_restart) {
    Disk disk;
    {
        Names names(7);
        KeptWorld kept(disk, 1, {}, {}, &names);
        kept.world.client("s", {.clean = false, .user = "ana"}).subscribe("t", {.qos = 1}).disconnect();
        kept.world.client("r", {.clean = false, .user = "bob"}).subscribe("t", {.qos = 1}).disconnect();
        kept.world.client("p").publish("t", "for two", {.qos = 1, .id = 1});
        kept.commit();
    }
    Names names(100);
    KeptWorld kept(disk, 1, {}, {}, &names);
    EXPECT_EQ(kept.world.open("s").connect("s", {.clean = false, .user = "eve"}).text(), "CONNACK 0x0") << "not what waits for ana";
    EXPECT_EQ(kept.world.open("r").connect("r", {.clean = false, .user = "bob"}).text(), "CONNACK 0x0 present; PUBLISH t 'for two' q1 #1");
}

TEST(Journal, a_session_still_belongs_to_its_user_after_a_run_in_which_nobody_was_asked) {
    Disk disk;
    {
        Names names(7);
        KeptWorld kept(disk, 1, {}, {}, &names);
        for (const char* id : {"away", "back"})
            kept.world.client(id, {.clean = false, .user = "ana"}).subscribe("t", {.qos = 1}).disconnect();
        kept.commit();
    }
    {
        Names names(50);
        KeptWorld kept(disk, 1, {}, {}, nullptr, &names);
        EXPECT_EQ(kept.world.open("back").connect("back", {.clean = false}).text(), "CONNACK 0x0 present") << "everybody may do everything";
        kept.world.client("new", {.clean = false}).subscribe("t", {.qos = 1});
        kept.commit();
        kept.stop();
    }
    Names names(100);
    KeptWorld kept(disk, 1, {}, {}, &names);
    EXPECT_EQ(kept.world.open("away").connect("away", {.clean = false, .user = "eve"}).text(), "CONNACK 0x0") << "it is ana's";
    EXPECT_EQ(kept.world.open("back").connect("back", {.clean = false, .user = "ana"}).text(), "CONNACK 0x0 present");
    EXPECT_EQ(kept.world.open("new").connect("new", {.clean = false, .user = "ana"}).text(), "CONNACK 0x0") << "it is nobody's";
}

TEST(Journal, a_session_still_belongs_to_its_user_when_a_reload_stops_asking_and_another_asks_again) {
    Disk disk;
    Names names(7);
    KeptWorld kept(disk, 1, {}, {}, &names, &names);
    kept.world.client("s", {.clean = false, .user = "ana"}).subscribe("t", {.qos = 1}).disconnect();
    kept.world.hub().review_permissions(nullptr);
    EXPECT_EQ(kept.world.open("s").connect("s", {.clean = false}).text(), "CONNACK 0x0 present");
    kept.world.hub().review_permissions(&names);
    kept.world.advance(1s);
    EXPECT_EQ(kept.world.open("s").connect("s", {.clean = false, .user = "eve"}).text(), "CONNACK 0x85") << "ana's client is connected";
}

TEST(Journal, the_gateways_own_figures_are_not_written) {
    Disk disk;
    KeptWorld kept(disk, 1);
    kept.world.hub().publish({.topic = "$SYS/broker/uptime", .payload = base::as_bytes("1"), .retain = true}, kept.world.now(),
                             kept.world.wall());
    kept.world.advance(1001ms);
    kept.commit();
    EXPECT_EQ(disk.count(RowKind::retained), 0U);
    EXPECT_EQ(kept.world.client("s").subscribe("$SYS/#").text(), "SUBACK #1 0x0; PUBLISH $SYS/broker/uptime '1' retain");
}

TEST(Journal, retained_messages_survive_and_quality_0_ones_follow_within_a_second) {
    Disk disk;
    {
        KeptWorld kept(disk, 1);
        Client& publisher = kept.world.client("p");
        EXPECT_EQ(publisher.publish("one", "1", {.qos = 1, .id = 1, .retain = true}).text(), "");
        kept.commit();
        EXPECT_EQ(publisher.text(), "PUBACK #1");
        for (int i = 0; i < 5; ++i) publisher.publish("zero", std::to_string(i), {.retain = true});
        publisher.publish("gone", "x", {.retain = true}).publish("gone", "", {.retain = true});
        kept.commit();
        EXPECT_EQ(disk.count(RowKind::retained), 1U);
        kept.world.advance(1001ms);
        kept.commit();
        EXPECT_EQ(disk.count(RowKind::retained), 2U);
        publisher.publish("one", "", {.qos = 1, .id = 2, .retain = true}).publish("late", "l", {.retain = true});
        kept.stop();
    }
    KeptWorld kept(disk, 1);
    EXPECT_EQ(kept.world.client("s").subscribe("#", {.qos = 1}).take().size(), 3U);
    EXPECT_EQ(kept.world.client("s2").subscribe("zero").text(), "SUBACK #1 0x0; PUBLISH zero '4' retain");
    EXPECT_EQ(kept.world.client("s3").subscribe("late").text(), "SUBACK #1 0x0; PUBLISH late 'l' retain") << "a clean stop writes it";
}

TEST(Journal, a_retained_message_that_comes_from_a_shard_that_stops_later_is_kept) {
    constexpr std::uint16_t kShards = 2;
    Disk disk;
    const auto topic = id_on(0, kShards, "topic");
    {
        KeptWorld kept(disk, kShards);
        Client& publisher = kept.world.client(id_on(1, kShards, "p"));
        kept.world.hub(0).shut_down(kept.world.now());
        publisher.publish(topic, "last", {.retain = true});
        kept.stop();
    }
    EXPECT_EQ(disk.count(RowKind::retained), 1U);
}

TEST(Journal, a_retained_message_that_expires_leaves_the_disk) {
    Disk disk;
    KeptWorld kept(disk, 1);
    kept.world.client("p", {.version = v5}).publish("t", "x", {.qos = 1, .id = 1, .retain = true, .expiry = 5});
    kept.commit();
    EXPECT_EQ(disk.count(RowKind::retained), 1U);
    kept.world.advance(6s);
    kept.commit();
    EXPECT_EQ(disk.count(RowKind::retained), 0U);
}

TEST(Journal, publishes_awaiting_their_pubrel_are_remembered_over_a_clean_stop_only) {
    for (const bool clean : {true, false}) {
        Disk disk;
        {
            KeptWorld kept(disk, 1);
            Client& publisher = kept.world.client("p", {.clean = false}).publish("t", "x", {.qos = 2, .id = 7});
            EXPECT_EQ(publisher.text(), "PUBREC #7");
            clean ? kept.stop() : kept.commit();
        }
        KeptWorld kept(disk, 1);
        Client& publisher = kept.world.client("p", {.clean = false}).publish("t", "x", {.qos = 2, .id = 7, .dup = true});
        EXPECT_EQ(publisher.text(), "PUBREC #7");
        EXPECT_EQ(kept.world.seen.size(), clean ? 0U : 1U);
        EXPECT_EQ(kept.world.hub().counters().publishes_duplicate, clean ? 1U : 0U);
    }
}

TEST(Journal, an_identifier_remembered_at_a_clean_stop_swallows_nothing_after_a_later_crash) {
    Disk disk;
    {
        KeptWorld kept(disk, 1);
        kept.world.client("p", {.clean = false}).publish("t", "x", {.qos = 2, .id = 7}).take();
        kept.stop();
    }
    { KeptWorld crashed_at_once(disk, 1); }
    KeptWorld kept(disk, 1);
    kept.world.client("p", {.clean = false}).publish("t", "new", {.qos = 2, .id = 7}).take();
    EXPECT_EQ(kept.world.seen.size(), 1U);
}

TEST(Journal, limits_hold_for_what_is_restored_and_the_oldest_go) {
    Disk disk;
    {
        KeptWorld kept(disk, 1);
        for (const auto* id : {"s1", "s2", "s3"}) {
            kept.world.client(id, {.clean = false}).subscribe("t", {.qos = 1}).drop();
            kept.world.advance(1s);
        }
        Client& publisher = kept.world.client("p");
        for (mqtt::PacketId id = 1; id <= 5; ++id) publisher.publish("t", std::to_string(id), {.qos = 1, .id = id});
        kept.commit();
    }
    {
        KeptWorld kept(disk, 1, {.sessions_max = 2, .queue_messages_max = 2});
        EXPECT_EQ(kept.world.hub().counters().sessions_evicted, 1U);
        EXPECT_EQ(kept.world.hub().counters().dropped_queue_full, 9U);
        EXPECT_EQ(disk.count(RowKind::session), 2U);
        EXPECT_EQ(disk.count(RowKind::delivery), 4U);
    }
    KeptWorld kept(disk, 1);
    EXPECT_EQ(kept.world.open("s1").connect("s1", {.clean = false}).text(), "CONNACK 0x0");
    EXPECT_EQ(kept.world.open("s3").connect("s3", {.clean = false}).text(),
              "CONNACK 0x0 present; PUBLISH t '4' q1 #1; PUBLISH t '5' q1 #2");
}

TEST(Journal, a_publish_waits_for_the_shard_of_the_subscriber) {
    constexpr std::uint16_t kShards = 2;
    const auto publisher_id = id_on(0, kShards, "p");
    const auto subscriber_id = id_on(1, kShards, "s");
    Disk disk;
    {
        KeptWorld kept(disk, kShards);
        kept.world.client(subscriber_id, {.clean = false}).subscribe("t", {.qos = 1});
        kept.commit();
        Client& publisher = kept.world.client(publisher_id);
        publisher.publish("t", "x", {.qos = 1, .id = 1});
        kept.commit_one(0);
        EXPECT_EQ(publisher.text(), "");
        kept.commit_one(1);
        EXPECT_EQ(publisher.text(), "PUBACK #1");
    }
    KeptWorld kept(disk, kShards);
    Client& publisher = kept.world.client(publisher_id);
    EXPECT_EQ(publisher.publish("t", "y", {.qos = 1, .id = 1}).text(), "") << "what was restored is known to the other shards";
    EXPECT_EQ(kept.world.open(subscriber_id).connect(subscriber_id, {.clean = false}).text(),
              "CONNACK 0x0 present; PUBLISH t 'x' q1 #1 dup; PUBLISH t 'y' q1 #2");
    kept.commit();
    EXPECT_EQ(publisher.text(), "PUBACK #1");
}

TEST(Journal, a_publish_to_clean_sessions_elsewhere_waits_for_nothing) {
    constexpr std::uint16_t kShards = 2;
    Disk disk;
    KeptWorld kept(disk, kShards);
    Client& subscriber = kept.world.client(id_on(1, kShards, "s")).subscribe("t", {.qos = 1});
    EXPECT_EQ(subscriber.text(), "SUBACK #1 0x1");
    EXPECT_EQ(kept.world.client(id_on(0, kShards, "p")).publish("t", "x", {.qos = 1, .id = 1}).text(), "PUBACK #1");
    EXPECT_EQ(subscriber.text(), "PUBLISH t 'x' q1 #1");
}

TEST(Journal, a_retained_publish_waits_for_the_shard_that_keeps_its_topic) {
    constexpr std::uint16_t kShards = 2;
    Disk disk;
    {
        KeptWorld kept(disk, kShards);
        for (const std::uint32_t at : {0U, 1U}) {
            Client& publisher = kept.world.client(id_on(at, kShards, "p"));
            const auto topic = id_on(1, kShards, "topic");
            EXPECT_EQ(publisher.publish(topic, std::to_string(at), {.qos = 1, .id = 1, .retain = true}).text(), "");
            kept.commit_one(0);
            EXPECT_EQ(publisher.text(), "");
            kept.commit_one(1);
            EXPECT_EQ(publisher.text(), "PUBACK #1");
        }
        EXPECT_EQ(disk.count(RowKind::retained), 1U);
    }
    KeptWorld kept(disk, 3);  // another number of shards
    for (const std::uint32_t at : {0U, 1U, 2U})
        EXPECT_EQ(kept.world.client(id_on(at, 3, "s")).subscribe("#", {.qos = 1}).take().size(), 2U);
}

TEST(Journal, a_group_keeps_a_message_for_a_member_that_is_away_on_another_shard) {
    constexpr std::uint16_t kShards = 3;
    const auto member = id_on(2, kShards, "m");
    Disk disk;
    {
        KeptWorld kept(disk, kShards);
        kept.world.client(member, {.clean = false}).subscribe("$share/g/t", {.qos = 1});
        Client& other = kept.world.client(id_on(1, kShards, "o"), {.clean = false}).subscribe("$share/g/t", {.qos = 1});
        kept.commit();
        kept.world.client(member, {.clean = false}).drop();
        other.drop();
        Client& publisher = kept.world.client(id_on(0, kShards, "p"));
        for (mqtt::PacketId id = 1; id <= 4; ++id) publisher.publish("t", std::to_string(id), {.qos = 1, .id = id});
        kept.commit_one(0);
        EXPECT_EQ(publisher.text(), "");
        kept.commit();
        kept.commit();
        EXPECT_EQ(publisher.take().size(), 4U);
    }
    EXPECT_EQ(disk.count(RowKind::delivery), 4U);
    KeptWorld kept(disk, 1);
    std::size_t got = 0;
    for (const auto& id : {member, id_on(1, kShards, "o")}) got += kept.world.open(id).connect(id, {.clean = false}).take().size() - 1;
    EXPECT_EQ(got, 4U);
}

TEST(Journal, what_a_slow_session_loses_leaves_the_disk_too) {
    Disk disk;
    KeptWorld kept(disk, 1, {.queue_messages_max = 2});
    kept.world.client("s", {.clean = false}).subscribe("t", {.qos = 1}).drop();
    Client& publisher = kept.world.client("p");
    for (mqtt::PacketId id = 1; id <= 5; ++id) publisher.publish("t", std::to_string(id), {.qos = 1, .id = id});
    kept.commit();
    EXPECT_EQ(disk.count(RowKind::delivery), 2U);
    EXPECT_EQ(kept.world.hub().counters().dropped_queue_full, 3U);
}

}  // namespace
}  // namespace sluice::hub::test

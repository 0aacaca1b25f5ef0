// Several hubs with links between them: as clients see it there is one broker.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "data/topic.hpp"
#include "flow/hub/world_test.hpp"

namespace sluice::hub::test {
namespace {

constexpr auto v5 = mqtt::Version::v5;
using mqtt::PacketType;

/// A client id that lives on this shard.
std::string name_on(std::uint32_t shard, unsigned shards, std::string_view prefix = "c") {
    for (int i = 0;; ++i)
        if (std::string name = fmt::format("{}{}", prefix, i); base::shard_of(base::hash64(name), shards) == shard) return name;
}

TEST(Shards, a_publish_crosses_to_every_shard_that_wants_it_and_no_other) {
    World world(4);
    std::vector<Client*> taps;
    for (std::uint32_t shard = 0; shard < 3; ++shard) taps.push_back(&world.client(name_on(shard, 4), {}).subscribe("t/+", {.qos = 1}));
    for (Client* tap : taps) EXPECT_EQ(tap->text(), "SUBACK #1 0x1");
    const auto records = world.hub(3).counters().shard_records_in;
    Client& publisher = world.client(name_on(0, 4, "p"));
    publisher.publish("t/1", "x", {.qos = 1, .id = 1}).publish("u", "y");
    for (Client* tap : taps) EXPECT_EQ(tap->text(), "PUBLISH t/1 'x' q1 #1");
    EXPECT_EQ(world.hub(3).counters().shard_records_in, records) << "nobody there wants it";
    EXPECT_EQ(world.seen.size(), 2U) << "each reading is handed over once, where it came in";
}

TEST(Shards, many_subscribers_of_one_shard_cost_one_record) {
    World world(2);
    for (int i = 0; i < 5; ++i) world.client(name_on(1, 2, fmt::format("s{}-", i))).subscribe("t").take();
    Client& publisher = world.client(name_on(0, 2));
    const auto before = world.hub(1).counters().shard_records_in;
    publisher.publish("t", "x");
    world.settle();
    EXPECT_EQ(world.hub(1).counters().shard_records_in, before + 1);
    EXPECT_EQ(world.hub(1).counters().delivered, 5U);
}

TEST(Shards, suback_waits_until_the_others_know_the_filter) {
    World world(2);
    Client& tap = world.client(name_on(0, 2));
    Client& publisher = world.client(name_on(1, 2));
    tap.subscribe("t");
    world.turn(0);  // the filter is on its way
    publisher.publish("t", "too early");
    world.turn(1);  // the filter has arrived; the publish above was first
    publisher.publish("t", "in time");
    EXPECT_EQ(tap.text(), "SUBACK #1 0x0; PUBLISH t 'in time'");
}

TEST(Shards, what_was_retained_before_the_suback_is_complete) {
    World world(3);
    Client& publisher = world.client(name_on(2, 3));
    Client& tap = world.client(name_on(0, 3));
    world.settle();
    publisher.publish("t", "kept", {.qos = 1, .id = 1, .retain = true});  // acknowledged, but still in shard 2
    tap.subscribe("#");
    EXPECT_EQ(tap.text(), "SUBACK #1 0x0; PUBLISH t 'kept' retain");
    for (std::uint32_t shard = 0; shard < 3; ++shard) EXPECT_EQ(world.hub(shard).counters().retained_messages, 1U);
    publisher.publish("t", "", {.retain = true});
    EXPECT_EQ(tap.text(), "PUBLISH t ''");
    for (std::uint32_t shard = 0; shard < 3; ++shard) EXPECT_EQ(world.hub(shard).counters().retained_messages, 0U);
}

TEST(Shards, retained_messages_of_two_shards_end_up_the_same_everywhere) {
    World world(2);
    Client& a = world.client(name_on(0, 2));
    Client& b = world.client(name_on(1, 2));
    a.publish("t", "from a", {.retain = true});
    b.publish("t", "from b", {.retain = true});  // neither shard knows of the other's
    a.publish("u", "from a", {.retain = true});
    b.publish("u", "", {.retain = true});
    world.settle();
    const auto at = [&](std::uint32_t shard, const char* topic) { return world.client(name_on(shard, 2, "r")).subscribe(topic).text(); };
    EXPECT_EQ(at(0, "t"), at(1, "t"));
    EXPECT_EQ(at(0, "u"), at(1, "u"));
    world.advance(60s);  // removals are forgotten
    EXPECT_EQ(at(0, "t"), at(1, "t"));
}

TEST(Shards, an_unsubscribe_ends_the_interest_of_the_shard) {
    World world(2);
    Client& a = world.client(name_on(1, 2, "a")).subscribe("t");
    Client& b = world.client(name_on(1, 2, "b")).subscribe("t");
    a.take(), b.take();
    Client& publisher = world.client(name_on(0, 2));
    a.unsubscribe("t").take();
    publisher.publish("t", "1");
    EXPECT_EQ(b.text(), "PUBLISH t '1'");
    b.drop();
    world.settle();
    const auto before = world.hub(1).counters().shard_records_in;
    publisher.publish("t", "2");
    world.settle();
    EXPECT_EQ(world.hub(1).counters().shard_records_in, before);
}

TEST(Shards, an_absent_client_of_another_shard_finds_its_messages) {
    World world(2);
    const std::string name = name_on(1, 2);
    Client& first = world.client(name, {.clean = false}).subscribe("t", {.qos = 1});
    first.take();
    first.drop();
    world.client(name_on(0, 2)).publish("t", "x", {.qos = 1, .id = 1});
    world.settle();
    EXPECT_EQ(world.open(name).connect(name, {.clean = false}).text(), "CONNACK 0x0 present; PUBLISH t 'x' q1 #1");
}

TEST(Shards, properties_expiry_and_retain_flag_cross) {
    World world(2);
    Client& tap = world.client(name_on(1, 2), {.version = v5}).subscribe("t", {.retain_as_published = true, .identifier = 5});
    tap.take();
    world.client(name_on(0, 2), {.version = v5}).publish("t", "x", {.retain = true, .expiry = 60, .content_type = "json"});
    EXPECT_EQ(tap.text(), "PUBLISH t 'x' retain expiry=60 id=5 3=json");
}

TEST(Shards, a_group_over_several_shards_gives_each_message_to_one_member) {
    World world(3);
    std::vector<Client*> members;
    for (std::uint32_t shard = 0; shard < 3; ++shard)
        for (int i = 0; i < 2; ++i)
            members.push_back(&world.client(name_on(shard, 3, fmt::format("m{}-", i)), {.version = v5}).subscribe("$share/g/t/#"));
    for (Client* member : members) EXPECT_EQ(member->text(), "SUBACK #1 0x0");
    Client& publisher = world.client(name_on(0, 3, "p"));
    for (int i = 0; i < 60; ++i) publisher.publish("t/1", std::to_string(i));
    std::set<std::string> payloads;
    for (Client* member : members) {
        const auto lines = member->take();
        EXPECT_EQ(lines.size(), 10U) << "each in its turn";
        payloads.insert(lines.begin(), lines.end());
    }
    EXPECT_EQ(payloads.size(), 60U);
    for (std::size_t i = 2; i < members.size(); ++i) members[i]->drop();
    for (int i = 0; i < 10; ++i) publisher.publish("t/1", std::to_string(i));
    EXPECT_EQ(members[0]->take().size() + members[1]->take().size(), 10U);
}

TEST(Shards, a_group_whose_members_here_are_away_is_served_elsewhere) {
    World world(2);
    Client& away = world.client(name_on(0, 2, "a"), {.version = v5, .session_expiry = 100}).subscribe("$share/g/t", {.qos = 1});
    Client& here = world.client(name_on(1, 2, "b"), {.version = v5}).subscribe("$share/g/t", {.qos = 1});
    away.take(), here.take();
    away.drop();
    for (std::uint32_t shard = 0; shard < 2; ++shard) {
        Client& publisher = world.client(name_on(shard, 2, "p"));
        for (mqtt::PacketId id = 1; id <= 4; ++id) publisher.publish("t", "x", {.qos = 1, .id = id});
        EXPECT_EQ(here.take().size(), 4U) << "published on shard " << shard;
    }
}

TEST(Shards, a_full_mailbox_keeps_messages_until_there_is_room) {
    World world(2);
    Client& tap = world.client(name_on(1, 2)).subscribe("t", {.qos = 1});
    tap.take();
    Client& publisher = world.client(name_on(0, 2));
    world.mailbox_capacity = 0;
    for (mqtt::PacketId id = 1; id <= 5; ++id) {
        publisher.publish("t", std::to_string(id), {.qos = 1, .id = id});
        world.turn(0);
    }
    EXPECT_TRUE(world.hub(0).next_deadline().has_value()) << "somebody must try again";
    world.mailbox_capacity = 1;
    EXPECT_EQ(tap.take().size(), 5U);
}

TEST(Shards, a_shard_that_takes_nothing_stops_the_input_before_anything_is_lost) {
    World world(2, {.shard_backlog_bytes_max = 10'000});
    Client& tap = world.client(name_on(1, 2)).subscribe("t");
    tap.take();
    Client& publisher = world.client(name_on(0, 2));
    world.mailbox_capacity = 0;
    int sent = 0;
    for (; world.hub(0).wants_input() && sent < 1000; ++sent) {
        publisher.publish("t", std::string(100, 'x'));
        world.turn(0);
    }
    EXPECT_LT(sent, 1000);
    EXPECT_EQ(world.hub(0).counters().dropped_shard_backlog, 0U);
    for (int i = 0; i < 100; ++i) publisher.publish("t", std::string(100, 'x'));
    EXPECT_GT(world.hub(0).counters().dropped_shard_backlog, 0U) << "who goes on nevertheless loses, counted";
    world.mailbox_capacity = 64;
    const auto got = tap.take().size();
    EXPECT_EQ(got + world.hub(0).counters().dropped_shard_backlog, static_cast<std::size_t>(sent) + 100U);
    EXPECT_TRUE(world.hub(0).wants_input());
}

// A random life against a naive model: one list of subscriptions, one map of retained messages.

struct ModelClient {
    Client* client = nullptr;
    std::map<std::string, SubscribeOptions> filters;
    std::multiset<std::string> expected;
    mqtt::PacketId next_id = 1;
};

class RandomLife {
public:
    RandomLife(unsigned seed, std::uint16_t shards) : random_(seed), world_(shards) {
        for (int i = 0; i < 8; ++i) {
            ModelClient one;
            one.client = &world_.client(fmt::format("client-{}", i), {.version = i % 2 == 0 ? v5 : mqtt::Version::v311});
            modern_.push_back(i % 2 == 0);
            clients_.push_back(one);
        }
    }

    void step() {
        const std::size_t who = pick(clients_.size());
        switch (pick(6)) {
            case 0:
                return subscribe(who);
            case 1:
                return unsubscribe(who);
            default:
                return publish(who);
        }
    }

    /// Everything that was expected has come, and nothing else.
    void check() {
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            collect(i);
            EXPECT_EQ(clients_[i].expected, std::multiset<std::string>{}) << "not delivered to client " << i;
        }
    }

private:
    std::size_t pick(std::size_t n) { return random_() % n; }
    std::string level() { return std::string(1, static_cast<char>('a' + pick(3))); }
    std::string topic() { return pick(4) == 0 ? level() : level() + "/" + level(); }
    std::string filter() {
        switch (pick(5)) {
            case 0:
                return "#";
            case 1:
                return "+/" + level();
            case 2:
                return level() + "/#";
            case 3:
                return level() + "/+";
            default:
                return topic();
        }
    }

    void subscribe(std::size_t who) {
        ModelClient& model = clients_[who];
        const std::string what = filter();
        SubscribeOptions options{.qos = static_cast<std::uint8_t>(pick(3))};
        if (modern_[who]) {
            options.no_local = pick(2) == 0;
            options.identifier = static_cast<std::uint32_t>(1 + pick(500));
        }
        model.client->subscribe(what, options);
        model.filters[what] = options;
        model.expected.insert("SUBACK");
        for (const auto& [name, kept] : retained_)
            if (data::filter_matches(what, name)) {
                std::string line = fmt::format("{} '{}' q{}", name, kept.payload, std::min(options.qos, kept.qos));
                if (options.identifier != 0) line += fmt::format(" id={}", options.identifier);
                model.expected.insert(line + " retain");
            }
        collect(who);
    }

    void unsubscribe(std::size_t who) {
        ModelClient& model = clients_[who];
        if (model.filters.empty()) return;
        const auto at = std::next(model.filters.begin(), static_cast<std::ptrdiff_t>(pick(model.filters.size())));
        model.client->unsubscribe(at->first);
        model.filters.erase(at);
        model.expected.insert("UNSUBACK");
        collect(who);
    }

    void publish(std::size_t who) {
        const std::string name = topic();
        const std::string payload = pick(10) == 0 ? "" : fmt::format("m{}", ++message_);
        const bool retain = pick(3) == 0;
        const auto qos = static_cast<std::uint8_t>(pick(3));
        ModelClient& from = clients_[who];
        const mqtt::PacketId id = qos == 0 ? mqtt::PacketId{0} : ++from.next_id;
        from.client->publish(name, payload, {.qos = qos, .id = id, .retain = retain});
        if (qos == 1) from.expected.insert("PUBACK");
        if (qos == 2) {
            from.expected.insert("PUBREC");
            from.client->ack(PacketType::pubrel, id);
            from.expected.insert("PUBCOMP");
        }
        for (std::size_t i = 0; i < clients_.size(); ++i) expect(i, i == who, name, payload, qos);
        if (retain && payload.empty()) retained_.erase(name);
        if (retain && !payload.empty()) retained_[name] = {payload, qos};
        for (std::size_t i = 0; i < clients_.size(); ++i) collect(i);
    }

    void expect(std::size_t who, bool own, const std::string& name, const std::string& payload, std::uint8_t qos) {
        std::multiset<std::uint32_t> identifiers;
        int highest = -1;
        for (const auto& [filter, options] : clients_[who].filters) {
            if (!data::filter_matches(filter, name) || (own && options.no_local)) continue;
            highest = std::max<int>(highest, options.qos);
            if (options.identifier != 0) identifiers.insert(options.identifier);
        }
        if (highest < 0) return;
        std::string line = fmt::format("{} '{}' q{}", name, payload, std::min<int>(highest, qos));
        for (const auto one : identifiers) line += fmt::format(" id={}", one);
        clients_[who].expected.insert(line);
    }

    /// Takes what came, acknowledges it, and strikes it off what was expected.
    void collect(std::size_t who) {
        ModelClient& model = clients_[who];
        for (bool more = true; more;) {
            more = false;
            for (const std::string& line : model.client->take()) {
                more = true;
                const std::string key = normal(line, *model.client);
                if (key.empty()) continue;
                const auto at = model.expected.find(key);
                ASSERT_NE(at, model.expected.end()) << "client " << who << " got what it should not: " << line << " (" << key << ")";
                model.expected.erase(at);
            }
        }
    }

    /// "PUBLISH t 'x' q1 #3 retain id=7 id=2" -> "t 'x' q1 id=2 id=7 retain"; answers by their name. Acknowledges on the way.
    static std::string normal(const std::string& line, Client& client) {
        std::vector<std::string> words;
        std::size_t at = 0;
        while (at < line.size()) {
            const auto end = std::min(line.find(' ', at), line.size());
            words.push_back(line.substr(at, end - at));
            at = end + 1;
        }
        if (words[0] == "PUBREL") {
            client.ack(PacketType::pubcomp, static_cast<mqtt::PacketId>(std::stoi(words[1].substr(1))));
            return "";
        }
        if (words[0] != "PUBLISH") return words[0];
        std::string qos = "q0";
        std::multiset<std::uint32_t> identifiers;
        bool retain = false;
        for (std::size_t i = 3; i < words.size(); ++i) {
            if (words[i][0] == 'q') qos = words[i];
            if (words[i] == "retain") retain = true;
            if (words[i].starts_with("id=")) identifiers.insert(static_cast<std::uint32_t>(std::stoul(words[i].substr(3))));
            if (words[i][0] != '#') continue;
            const auto id = static_cast<mqtt::PacketId>(std::stoi(words[i].substr(1)));
            client.ack(qos == "q1" ? PacketType::puback : PacketType::pubrec, id);
        }
        std::string text = words[1] + " " + words[2] + " " + qos;
        for (const auto one : identifiers) text += fmt::format(" id={}", one);
        return retain ? text + " retain" : text;
    }

    struct Kept {
        std::string payload;
        std::uint8_t qos = 0;
    };
    std::mt19937 random_;
    World world_;
    std::vector<ModelClient> clients_;
    std::vector<bool> modern_;
    std::map<std::string, Kept> retained_;
    unsigned message_ = 0;
};

TEST(Shards, a_random_life_agrees_with_the_naive_model) {
    for (unsigned seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        RandomLife life(seed, static_cast<std::uint16_t>(1 + seed % 4));
        for (int step = 0; step < 300; ++step) {
            life.step();
            if (::testing::Test::HasFailure()) return;
        }
        life.check();
        if (::testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace sluice::hub::test

#include "manage/access/acl.hpp"

#include <random>

#include <gtest/gtest.h>

#include "data/topic.hpp"

namespace sluice::access {
namespace {

Identity user(std::string name) { return {Identity::Kind::user, std::move(name)}; }
Identity certificate(std::string name) { return {Identity::Kind::certificate, std::move(name)}; }

Row row(std::vector<Who> who, bool allows, std::string_view actions, std::vector<std::string> topics) {
    return {.who = std::move(who),
            .allows = allows,
            .publish = actions.find('p') != std::string_view::npos,
            .subscribe = actions.find('s') != std::string_view::npos,
            .topics = std::move(topics)};
}
const Who kAnyone{};

bool decide(const Acl& acl, const Identity& who, Action action, std::string_view topic, std::string_view client = "c1") {
    std::string scratch;
    return acl.decide(who, {action, client, topic}, acl.rows_for(who), scratch).allowed;
}
bool publish(const Acl& acl, const Identity& who, std::string_view topic, std::string_view client = "c1") {
    return decide(acl, who, Action::publish, topic, client);
}
bool subscribe(const Acl& acl, const Identity& who, std::string_view filter, std::string_view client = "c1") {
    return decide(acl, who, Action::subscribe, filter, client);
}

TEST(Acl, without_a_row_that_matches_everything_is_denied) {
    EXPECT_FALSE(publish(Acl({}), user("ana"), "a"));
    const Acl acl({row({{Who::Kind::user, "ana"}}, true, "p", {"a/#"})});
    EXPECT_TRUE(publish(acl, user("ana"), "a/b"));
    EXPECT_FALSE(publish(acl, user("ana"), "b"));
    EXPECT_FALSE(subscribe(acl, user("ana"), "a/b")) << "the row is about publishing";
    EXPECT_FALSE(publish(acl, user("bob"), "a/b"));
    EXPECT_FALSE(publish(acl, certificate("ana"), "a/b")) << "a certificate's name is no user's";
    EXPECT_FALSE(publish(acl, {}, "a/b"));
}

TEST(Acl, the_first_row_that_matches_decides) {
    const Acl acl({row({kAnyone}, false, "s", {"secret/#"}), row({kAnyone}, true, "ps", {"#"})});
    EXPECT_TRUE(publish(acl, user("ana"), "secret/x")) << "the first row is about subscribing";
    EXPECT_FALSE(subscribe(acl, user("ana"), "secret/x"));
    EXPECT_TRUE(subscribe(acl, user("ana"), "open/#"));
    const Acl other({row({kAnyone}, true, "ps", {"#"}), row({kAnyone}, false, "s", {"secret/#"})});
    EXPECT_TRUE(subscribe(other, user("ana"), "secret/x"));
}

TEST(Acl, a_filter_that_reaches_into_what_is_forbidden_is_denied_as_a_whole) {
    const Acl acl({row({kAnyone}, false, "s", {"secret/#"}), row({kAnyone}, true, "s", {"#"})});
    for (const char* filter : {"#", "+/x", "+", "secret", "secret/+", "+/#"}) EXPECT_FALSE(subscribe(acl, user("ana"), filter)) << filter;
    EXPECT_TRUE(subscribe(acl, user("ana"), "sensors/+"));
}

TEST(Acl, a_filter_is_allowed_only_if_one_pattern_covers_all_of_it) {
    const Acl acl({row({kAnyone}, true, "s", {"a/+", "b/#"})});
    EXPECT_TRUE(subscribe(acl, user("ana"), "a/+"));
    EXPECT_TRUE(subscribe(acl, user("ana"), "b"));
    EXPECT_FALSE(subscribe(acl, user("ana"), "a/#"));
    EXPECT_FALSE(subscribe(acl, user("ana"), "+/x"));
    EXPECT_EQ(acl.allows_a_part(user("ana"), {Action::subscribe, "c1", "a/#"}), &acl.rows()[0]);
    EXPECT_EQ(acl.allows_a_part(user("ana"), {Action::subscribe, "c1", "c/#"}), nullptr);
}

TEST(Acl, every_kind_of_who_means_only_that_kind) {
    const Acl acl({row({{Who::Kind::anonymous, ""}}, true, "p", {"anonymous"}), row({{Who::Kind::user, "x"}}, true, "p", {"user"}),
                   row({{Who::Kind::certificate, "x"}}, true, "p", {"cn"}), row({{Who::Kind::client, "x"}}, true, "p", {"client"}),
                   row({{Who::Kind::user, "y"}, {Who::Kind::client, "z"}}, true, "p", {"either"})});
    EXPECT_TRUE(publish(acl, {}, "anonymous"));
    EXPECT_FALSE(publish(acl, user("x"), "anonymous"));
    EXPECT_TRUE(publish(acl, user("x"), "user"));
    EXPECT_FALSE(publish(acl, certificate("x"), "user"));
    EXPECT_TRUE(publish(acl, certificate("x"), "cn"));
    EXPECT_FALSE(publish(acl, user("x"), "cn"));
    EXPECT_TRUE(publish(acl, user("q"), "client", "x"));
    EXPECT_FALSE(publish(acl, user("x"), "client", "q"));
    EXPECT_TRUE(publish(acl, user("y"), "either"));
    EXPECT_TRUE(publish(acl, {}, "either", "z"));
    EXPECT_FALSE(publish(acl, user("z"), "either", "y"));
}

TEST(Acl, a_client_id_or_a_name_never_widens_what_a_row_allows) {
    const Acl acl({row({kAnyone}, true, "ps", {"dev/%c/#", "home/%u/in", "%c/#"})});
    EXPECT_TRUE(subscribe(acl, user("ana"), "dev/c1/#"));
    EXPECT_TRUE(publish(acl, user("ana"), "home/ana/in"));
    EXPECT_FALSE(publish(acl, user("ana"), "home/bob/in"));
    for (const char* name : {"+", "#", "c1/+", "c1/#", "+/x", "a/b"}) {
        EXPECT_FALSE(subscribe(acl, user(name), "dev/+/#", name)) << name;
        EXPECT_FALSE(subscribe(acl, user(name), "dev/c1/x", name)) << name;
        EXPECT_FALSE(subscribe(acl, user(name), std::string("dev/") + name, name)) << name;
        EXPECT_FALSE(publish(acl, user(name), "home/ana/in", name)) << name;
        EXPECT_FALSE(publish(acl, user(name), "dev/a/b", name)) << name;
    }
    EXPECT_FALSE(subscribe(acl, user("ana"), "$SYS/#", "$SYS"));
}

TEST(Acl, a_row_that_forbids_what_it_cannot_name_forbids_everything) {
    const Acl acl({row({kAnyone}, false, "p", {"private/%c/#"}), row({kAnyone}, true, "p", {"#"})});
    EXPECT_FALSE(publish(acl, user("ana"), "private/c1/x"));
    EXPECT_TRUE(publish(acl, user("ana"), "private/c2/x"));
    EXPECT_FALSE(publish(acl, user("ana"), "private/c1/x", "c1/x")) << "with an odd client id it could be evaded otherwise";
    EXPECT_FALSE(publish(acl, user("ana"), "anything", "c1/x"));
    std::string scratch;
    const auto decision = acl.decide(user("ana"), {Action::publish, "c1/x", "a"}, acl.rows_for(user("ana")), scratch);
    EXPECT_TRUE(decision.unfit_name);
    EXPECT_EQ(decision.row, &acl.rows()[0]);
}

TEST(Acl, a_pattern_with_a_user_means_nothing_for_who_has_no_name) {
    const Acl acl({row({kAnyone}, false, "p", {"home/%u/#"}), row({kAnyone}, true, "p", {"home/#"})});
    EXPECT_TRUE(publish(acl, {}, "home/x"));
    EXPECT_FALSE(publish(acl, user("x"), "home/x/y"));
    EXPECT_FALSE(publish(acl, certificate("x"), "home/x/y")) << "%u is the certificate's name";
}

TEST(Acl, wildcards_do_not_reach_topics_that_begin_with_a_dollar) {
    const Acl acl({row({kAnyone}, true, "ps", {"#", "+/x", "$aws/#"})});
    EXPECT_FALSE(publish(acl, user("ana"), "$other/x"));
    EXPECT_FALSE(subscribe(acl, user("ana"), "$other/x"));
    EXPECT_TRUE(publish(acl, user("ana"), "$aws/x"));
}

/// What matters, on random lists: a subscription that is allowed never delivers a topic that the same list, asked for that topic alone,
/// denies. And the list is not merely deny-all.
TEST(Acl, rows_of_client_ids_are_not_among_those_of_an_identity_and_keep_their_place_in_the_order) {
    std::vector<Row> rows;
    for (int i = 0; i < 1000; ++i) rows.push_back(row({{Who::Kind::client, "c" + std::to_string(i)}}, true, "ps", {"own/#"}));
    rows.push_back(row({{Who::Kind::user, "ana"}}, false, "p", {"own/#", "late/#"}));
    rows.push_back(row({{Who::Kind::client, "c7"}, {Who::Kind::user, "bob"}, {Who::Kind::client, "c7"}}, true, "p", {"late/#"}));
    const Acl acl(std::move(rows));
    EXPECT_EQ(acl.rows_for(user("ana")).size(), 1U) << "not a thousand numbers for each user";
    EXPECT_EQ(acl.rows_for(user("bob")).size(), 1U);
    EXPECT_TRUE(publish(acl, user("ana"), "own/x", "c999")) << "before the row that forbids";
    EXPECT_FALSE(publish(acl, user("ana"), "own/x", "stranger"));
    EXPECT_FALSE(publish(acl, user("ana"), "late/x", "c7")) << "behind it";
    EXPECT_TRUE(publish(acl, user("eve"), "late/x", "c7"));
    EXPECT_TRUE(publish(acl, user("bob"), "late/x", "stranger"));
    EXPECT_FALSE(publish(acl, user("eve"), "late/x", "c8"));
}

TEST(Acl, no_allowed_subscription_delivers_a_denied_topic) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto pick = [&random](const auto& from) { return from[random() % from.size()]; };
    const std::vector<std::string> patterns{"#",  "+",    "a",  "b",    "a/#",   "+/a",  "a/+",  "a/b",   "+/#",    "b/#",  "a/b/#",
                                            "%c", "%c/#", "%u", "a/%u", "%u/%c", "$a/#", "$a/b", "+/+/#", "a/%c/+", "a/+/b"};
    const std::vector<std::string> filters{"#", "+", "a", "b", "a/#", "+/a", "a/+", "a/b", "+/b/#", "$a/#", "$a/+", "a/b/+", "+/+"};
    const std::vector<std::string> names{"a", "b", "+", "a/b", "#", "$a"};
    std::vector<std::string> topics;
    for (const char* one : {"a", "b", "z", "$a"}) {
        topics.emplace_back(one);
        for (const char* two : {"a", "b", "z"}) {
            topics.push_back(std::string(one) + "/" + two);
            for (const char* three : {"a", "b", "z"}) topics.push_back(std::string(one) + "/" + two + "/" + three);
        }
    }
    int allowed = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::vector<Row> rows;
        for (std::size_t i = 0; i < 1 + random() % 4; ++i) {
            std::vector<std::string> of_row;
            for (std::size_t t = 0; t < 1 + random() % 2; ++t) of_row.push_back(pick(patterns));
            rows.push_back(row({kAnyone}, random() % 3 != 0, "s", std::move(of_row)));
        }
        const Acl acl(std::move(rows));
        const Identity who = random() % 4 == 0 ? Identity{} : user(pick(names));
        const std::string client = pick(names);
        const std::string filter = pick(filters);
        if (!subscribe(acl, who, filter, client)) continue;
        ++allowed;
        for (const auto& topic : topics) {
            if (!data::filter_matches(filter, topic)) continue;
            ASSERT_TRUE(subscribe(acl, who, topic, client)) << filter << " was allowed and delivers " << topic;
        }
    }
    EXPECT_GT(allowed, 1'000);
}

}  // namespace
}  // namespace sluice::access

#include "flow/hub/topic_aliases.hpp"

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

/// As the deliverer uses it: what has no number is offered one. Its number; 0: none.
std::uint16_t send(TopicAliases& aliases, std::string_view topic) {
    const std::uint64_t hash = std::hash<std::string_view>{}(topic);
    const auto known = aliases.find(topic, hash);
    return known != 0 ? known : aliases.assign(topic, hash);
}

TEST(TopicAliases, topics_get_numbers_in_the_order_in_which_they_come) {
    std::size_t memory = 0;
    TopicAliases aliases(3, 1000, memory);
    EXPECT_EQ(send(aliases, "a"), 1);
    EXPECT_EQ(send(aliases, "b"), 2);
    EXPECT_EQ(send(aliases, "a"), 1);
    EXPECT_EQ(send(aliases, "c"), 3);
    EXPECT_EQ(send(aliases, "d"), 0) << "all are taken";
}

TEST(TopicAliases, a_stranger_that_comes_again_takes_the_place_unused_for_longest) {
    std::size_t memory = 0;
    TopicAliases aliases(2, 1000, memory);
    send(aliases, "a"), send(aliases, "b"), send(aliases, "a");
    EXPECT_EQ(send(aliases, "c"), 0);
    EXPECT_EQ(send(aliases, "c"), 2) << "instead of b";
    EXPECT_EQ(send(aliases, "a"), 1);
    EXPECT_EQ(send(aliases, "b"), 0);
}

TEST(TopicAliases, many_topics_in_turn_do_not_drive_each_other_out) {
    std::size_t memory = 0;
    TopicAliases aliases(4, 10'000, memory);
    for (int round = 0; round < 10; ++round)
        for (int i = 0; i < 100; ++i) {
            const auto alias = send(aliases, "t" + std::to_string(i));
            EXPECT_EQ(alias, i < 4 ? i + 1 : 0) << i;
        }
}

TEST(TopicAliases, equal_hashes_are_not_equal_topics) {
    std::size_t memory = 0;
    TopicAliases aliases(2, 1000, memory);
    EXPECT_EQ(aliases.assign("a", 7), 1);
    EXPECT_EQ(aliases.find("b", 7), 0);
    EXPECT_EQ(aliases.assign("b", 7), 2);
    EXPECT_EQ(aliases.find("a", 7), 1);
}

TEST(TopicAliases, their_bytes_are_bounded) {
    std::size_t memory = 0;
    TopicAliases aliases(10, 100, memory);
    EXPECT_EQ(send(aliases, std::string(60, 'a')), 1);
    EXPECT_EQ(send(aliases, std::string(60, 'b')), 0);
    EXPECT_EQ(send(aliases, std::string(40, 'c')), 2);
    EXPECT_EQ(send(aliases, "d"), 0);
}

TEST(TopicAliases, never_more_than_the_bound_however_many_are_offered) {
    std::size_t memory = 0;
    TopicAliases aliases(0xFFFF, 100'000, memory);
    for (std::size_t i = 1; i <= TopicAliases::kAliasesMax; ++i) EXPECT_EQ(send(aliases, "t" + std::to_string(i)), i);
    EXPECT_EQ(send(aliases, "one more"), 0);
}

}  // namespace
}  // namespace sluice::hub

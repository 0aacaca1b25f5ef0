#include "data/topic_pattern.hpp"

#include <gtest/gtest.h>

#include "data/topic.hpp"

namespace sluice::data {
namespace {

std::string filled(std::string_view pattern, std::string_view client, std::string_view user) {
    std::string out;
    switch (fill_topic_pattern(pattern, {.client = client, .user = user}, out)) {
        case Filled::good:
            return out;
        case Filled::no_name:
            return "no name";
        case Filled::unfit:
            return "unfit";
    }
    return "?";
}

TEST(TopicPattern, filters_with_places_for_names_are_patterns) {
    for (const char* good : {"a", "#", "+/x", "sensors/%u/#", "%c", "%c/%u", "dev-%c/out", "100%%/x", "a/%c%u"}) {
        EXPECT_TRUE(is_topic_pattern(good)) << good;
    }
    for (const char* bad : {"", "%", "a/%", "a/%x", "%C", "a/%c#", "+%c", "#/a", "a/%%%"}) EXPECT_FALSE(is_topic_pattern(bad)) << bad;
}

TEST(TopicPattern, names_are_filled_in_as_whole_levels_and_inside_them) {
    EXPECT_EQ(filled("sensors/%u/#", "c1", "ana"), "sensors/ana/#");
    EXPECT_EQ(filled("%c/from-%u-%c", "c1", "ana"), "c1/from-ana-c1");
    EXPECT_EQ(filled("100%%/%c", "c1", "ana"), "100%/c1");
    EXPECT_EQ(filled("plain/+", "+", ""), "plain/+");
}

TEST(TopicPattern, a_name_never_widens_a_pattern) {
    for (const char* name : {"+", "#", "a/b", "/", "a+", "#b", "x/#"}) {
        EXPECT_EQ(filled("sensors/%c", name, "u"), "unfit") << name;
        EXPECT_EQ(filled("sensors/%u/x", "c", name), "unfit") << name;
    }
    EXPECT_EQ(filled("%c/#", "$SYS", "u"), "unfit") << "it would reach topics that wildcards do not";
    EXPECT_EQ(filled("a/%c", "$SYS", "u"), "a/$SYS");
}

TEST(TopicPattern, places_in_names_are_not_filled_again) { EXPECT_EQ(filled("%c/x", "%u", "ana"), "%u/x"); }

TEST(TopicPattern, a_name_that_is_missing_makes_no_topic) {
    EXPECT_EQ(filled("a/%u", "c", ""), "no name");
    EXPECT_EQ(filled("a/%u/%c", "+", ""), "no name");
}

TEST(TopicPattern, what_is_filled_in_is_a_filter_for_every_printable_name) {
    for (char c = 0x20; c < 0x7f; ++c) {
        std::string out;
        const std::string name{c};
        if (fill_topic_pattern("a/%c/#", {.client = name, .user = {}}, out) == Filled::good) {
            EXPECT_TRUE(is_topic_filter(out)) << out;
            EXPECT_EQ(out, "a/" + name + "/#");
        }
    }
}

}  // namespace
}  // namespace sluice::data

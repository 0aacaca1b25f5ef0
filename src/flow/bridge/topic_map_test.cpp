#include "flow/bridge/topic_map.hpp"

#include <gtest/gtest.h>

namespace sluice::bridge {
namespace {

std::string to_remote(const TopicMap& map, std::string_view topic) {
    std::string scratch;
    return std::string(map.to_remote(topic, scratch).value_or("(none)"));
}
std::string to_local(const TopicMap& map, std::string_view topic) {
    std::string scratch;
    return std::string(map.to_local(topic, scratch).value_or("(none)"));
}

TEST(TopicMap, a_prefix_of_one_side_takes_the_place_of_the_others) {
    const TopicMap map({{.direction = Direction::both, .filter = "sensors/#", .local_prefix = "line4/", .remote_prefix = "plant7/a/"}});
    EXPECT_EQ(to_remote(map, "line4/sensors/x"), "plant7/a/sensors/x");
    EXPECT_EQ(to_local(map, "plant7/a/sensors/x/y"), "line4/sensors/x/y");
    EXPECT_EQ(to_remote(map, "sensors/x"), "(none)");
    EXPECT_EQ(to_remote(map, "line4/other"), "(none)");
}

TEST(TopicMap, each_direction_counts_for_itself) {
    const TopicMap map({{.direction = Direction::out, .filter = "up"}, {.direction = Direction::in, .filter = "down"}});
    EXPECT_EQ(to_remote(map, "up"), "up");
    EXPECT_EQ(to_remote(map, "down"), "(none)");
    EXPECT_EQ(to_local(map, "down"), "down");
    EXPECT_EQ(to_local(map, "up"), "(none)");
    EXPECT_TRUE(map.comes_back("down"));
    EXPECT_FALSE(map.comes_back("up"));
}

TEST(TopicMap, the_first_map_that_matches_counts) {
    const TopicMap map({{.filter = "a/b", .remote_prefix = "first/"}, {.filter = "a/#", .remote_prefix = "second/"}});
    EXPECT_EQ(to_remote(map, "a/b"), "first/a/b");
    EXPECT_EQ(to_remote(map, "a/c"), "second/a/c");
}

TEST(TopicMap, without_a_filter_two_topics_are_each_others) {
    const TopicMap map(std::vector<Map>{{.direction = Direction::both, .local_prefix = "here/x", .remote_prefix = "there/y"}});
    EXPECT_EQ(to_remote(map, "here/x"), "there/y");
    EXPECT_EQ(to_local(map, "there/y"), "here/x");
    EXPECT_EQ(to_remote(map, "here/x/z"), "(none)");
}

TEST(TopicMap, the_level_above_a_prefix_that_a_wildcard_matches_is_mapped_too) {
    const TopicMap map({{.filter = "#", .local_prefix = "site/", .remote_prefix = "far/away/"}});
    EXPECT_EQ(to_remote(map, "site"), "far/away");
    const TopicMap bare(std::vector<Map>{{.filter = "#", .local_prefix = "site/"}});
    EXPECT_EQ(to_remote(bare, "site"), "(none)") << "would be an empty topic";
    EXPECT_EQ(to_remote(bare, "site/x"), "x");
}

TEST(TopicMap, a_topic_that_would_be_too_long_there_has_no_map) {
    const TopicMap map({{.filter = "#", .remote_prefix = std::string(1000, 'p') + "/"}});
    EXPECT_EQ(to_remote(map, std::string(65'000, 't')), "(none)");
}

TEST(TopicMap, a_filter_of_several_maps_is_subscribed_to_once_with_the_highest_qos) {
    const TopicMap map(
        {{.qos = 0, .filter = "a", .remote_prefix = "x/"}, {.qos = 2, .filter = "a", .remote_prefix = "y/"}, {.qos = 1, .filter = "b"}});
    EXPECT_EQ(map.local_filters(), (std::vector<TopicMap::Filter>{{"a", 2}, {"b", 1}}));
    EXPECT_TRUE(map.remote_filters().empty());
}

}  // namespace
}  // namespace sluice::bridge

#include "cli/topic_template.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

TEST(TopicTemplate, columns_are_put_into_the_topic) {
    std::string problem;
    auto topic = TopicTemplate::parse("plants/{site}/{Product ID}/raw", problem);
    ASSERT_TRUE(topic) << problem;
    const std::vector<std::string> columns{"Product ID", "value", "site"};
    ASSERT_EQ(topic->bind(columns), std::nullopt);
    std::string made;
    const std::vector<csv::Field> row{{csv::FieldKind::text, "M14860"}, {csv::FieldKind::number, "1.50"}, {csv::FieldKind::number, "7"}};
    ASSERT_TRUE(topic->make(row, made, problem));
    EXPECT_EQ(made, "plants/7/M14860/raw");
}

TEST(TopicTemplate, a_plain_topic_needs_no_column) {
    std::string problem;
    std::string made;
    auto topic = TopicTemplate::parse("sensors/a", problem);
    ASSERT_TRUE(topic);
    ASSERT_EQ(topic->bind({}), std::nullopt);
    EXPECT_TRUE(topic->make({}, made, problem));
    EXPECT_EQ(made, "sensors/a");
}

TEST(TopicTemplate, what_can_never_be_a_topic_is_refused_at_once) {
    std::string problem;
    for (const char* bad : {"", "a/+", "a/#", "a/{", "a/{}", "a/{x", "a\nb"}) {
        problem.clear();
        EXPECT_FALSE(TopicTemplate::parse(bad, problem)) << bad;
        EXPECT_FALSE(problem.empty());
    }
}

TEST(TopicTemplate, unknown_columns_and_bad_values_are_named) {
    std::string problem;
    std::string made;
    auto topic = TopicTemplate::parse("s/{device}", problem);
    ASSERT_TRUE(topic);
    EXPECT_EQ(topic->bind(std::vector<std::string>{"Device"}), "device");
    ASSERT_EQ(topic->bind(std::vector<std::string>{"device"}), std::nullopt);
    EXPECT_FALSE(topic->make(std::vector<csv::Field>{{csv::FieldKind::text, "a+b"}}, made, problem));
    EXPECT_NE(problem.find("'s/a+b'"), std::string::npos);
    EXPECT_FALSE(topic->make(std::vector<csv::Field>{{csv::FieldKind::null, ""}}, made, problem));
    EXPECT_NE(problem.find("\"device\" is empty"), std::string::npos);
}

}  // namespace
}  // namespace sluice::cli

#include "cli/payload_query.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

class Query : public testing::Test {
protected:
    void make(const std::string& where, const std::string& fields = "") {
        query = PayloadQuery::make({.filters = filters, .where = where, .fields = fields}, problem);
    }
    std::string ask(std::string_view document, std::string_view topic = "s/a") {
        now += std::chrono::milliseconds(1);
        const auto answer = query->ask(topic, document, base::from_ms(1000), now);
        return answer ? "fits " + std::string(*answer) : "no";
    }
    std::vector<std::string> filters{"s/#", "it's/+", "s/#"};
    std::unique_ptr<PayloadQuery> query;
    std::string problem;
    base::Monotonic now{};
};

TEST_F(Query, only_what_is_true_fits) {
    make("vibration > 3 AND topic(2) <> 'b'");
    ASSERT_TRUE(query) << problem;
    EXPECT_EQ(ask(R"({"vibration":4})"), "fits ");
    EXPECT_EQ(ask(R"({"vibration":3})"), "no");
    EXPECT_EQ(ask(R"({"other":4})"), "no") << "NULL is not true";
    EXPECT_EQ(ask(R"({"vibration":4})", "s/b"), "no");
    EXPECT_EQ(ask(R"({"vibration":4})", "it's/a"), "fits ");
}

TEST_F(Query, a_payload_that_is_one_value_is_called_value) {
    make("value > 3 OR value = 'on'");
    ASSERT_TRUE(query) << problem;
    EXPECT_EQ(ask("4"), "fits ");
    EXPECT_EQ(ask("3"), "no");
    EXPECT_EQ(ask("\"on\""), "fits ");
    EXPECT_EQ(ask("[4]"), "no");
    make("value[1] = 2");
    ASSERT_TRUE(query) << problem;
    EXPECT_EQ(ask("[1,2]"), "fits ");
}

TEST_F(Query, fields_are_a_select_list) {
    make("", "device, vibration * 2 AS v");
    ASSERT_TRUE(query) << problem;
    EXPECT_TRUE(query->chooses_fields());
    EXPECT_EQ(ask(R"({"device":"a","vibration":1.5,"x":1})"), R"(fits {"device":"a","v":3})");
}

TEST_F(Query, statistics_remember_earlier_messages) {
    make("changed(v) OVER (PARTITION BY device)");
    ASSERT_TRUE(query) << problem;
    EXPECT_EQ(ask(R"({"device":"a","v":1})"), "fits ");
    EXPECT_EQ(ask(R"({"device":"b","v":1})"), "fits ");
    EXPECT_EQ(ask(R"({"device":"a","v":1})"), "no");
    EXPECT_EQ(ask(R"({"device":"a","v":2})"), "fits ");
}

TEST_F(Query, what_is_wrong_is_said_with_its_place) {
    make("vibration >");
    EXPECT_FALSE(query);
    EXPECT_TRUE(problem.starts_with("--where vibration >: at character ")) << problem;
    make("x > 1", "device, nosuch(y)");
    EXPECT_TRUE(problem.starts_with("--fields device, nosuch(y): at character 9: ")) << problem;
    make("nosuch(y)", "device");
    EXPECT_TRUE(problem.starts_with("--where nosuch(y): at character 1: ")) << problem;
    make("x) GROUP BY (y");
    EXPECT_FALSE(query && problem.empty());
}

}  // namespace
}  // namespace sluice::cli

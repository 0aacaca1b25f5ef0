#include "cli/topic_rates.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;

base::Monotonic at(std::chrono::milliseconds since) { return base::Monotonic{} + 1h + since; }

TEST(TopicRates, rates_are_those_between_two_looks) {
    TopicRates rates(at(0s));
    for (int i = 0; i < 4; ++i) rates.note("fast", 100, "v" + std::to_string(i), at(500ms));
    rates.note("slow", 3000, "x", at(1s));
    rates.look(at(2s));
    EXPECT_EQ(rates.frame({.columns = 100}),
              "2 topics  2.5 messages/s  1700 B/s  5 messages, 3400 B in 2s\n"
              "TOPIC                                        MSG/s     BYTES/s   MESSAGES     AGE LAST\n"
              "fast                                           2.0     200 B/s          4      1s v3\n"
              "slow                                           0.5    1500 B/s          1      1s x\n");
    rates.note("slow", 1, "y", at(3s));
    rates.look(at(4s));
    EXPECT_EQ(rates.json(RateOrder::rate),
              R"({"seconds":4.000,"messages":6,"bytes":3401,"messages_per_s":0.500,"bytes_per_s":0.5,"other_topics_messages":0,"topics":[)"
              R"({"topic":"slow","messages":2,"bytes":3001,"messages_per_s":0.500,"bytes_per_s":0.5,"age_s":1.000,"last":"y"},)"
              R"({"topic":"fast","messages":4,"bytes":400,"messages_per_s":0.000,"bytes_per_s":0.0,"age_s":3.500,"last":"v3"}]})");
}

std::string first_topic(const TopicRates& rates, RateOrder order) {
    const std::string frame = rates.frame({.order = order, .columns = 100, .lines = 3});
    const std::size_t third = frame.find('\n', frame.find('\n') + 1) + 1;
    return frame.substr(third, frame.find(' ', third) - third);
}

TEST(TopicRates, the_order_is_the_one_asked_for) {
    TopicRates rates(at(0s));
    rates.note("b/many", 1, "", at(1s));
    rates.note("b/many", 1, "", at(1s));
    rates.note("a/first", 1, "", at(1s));
    rates.note("c/large", 1000, "", at(1s));
    rates.note("d/late", 1, "", at(2s));
    rates.look(at(3s));
    EXPECT_EQ(first_topic(rates, RateOrder::rate), "b/many");
    EXPECT_EQ(first_topic(rates, RateOrder::bytes), "c/large");
    EXPECT_EQ(first_topic(rates, RateOrder::topic), "a/first");
    EXPECT_EQ(first_topic(rates, RateOrder::recent), "d/late");
    for (const auto* each : {"rate", "bytes", "topic", "recent"}) EXPECT_EQ(name(*parse_rate_order(each)), each);
    EXPECT_FALSE(parse_rate_order("x"));
}

TEST(TopicRates, lines_are_cut_and_topics_cannot_steer_the_terminal) {
    TopicRates rates(at(0s));
    rates.note("t\x1B", 1, std::string(200, 'x'), at(0s));
    rates.look(at(1s));
    const std::string frame = rates.frame({.columns = 100});
    EXPECT_EQ(frame.find('\x1B'), std::string::npos);
    EXPECT_NE(frame.find("xxx…"), std::string::npos);
}

TEST(TopicRates, topics_beyond_the_limit_are_counted_together_and_values_stay_whole_characters) {
    TopicRates rates(at(0s));
    for (std::size_t i = 0; i < TopicRates::kTopicsMax; ++i) rates.note(std::to_string(i), 1, "", at(0s));
    rates.note("one", 1, "", at(0s));
    rates.note("two", 1, "", at(0s));
    rates.note("7", 1, std::string(TopicRates::kValueBytesMax - 1, 'x') + "ü", at(0s));
    rates.look(at(1s));
    const std::string json = rates.json(RateOrder::topic);
    EXPECT_NE(json.find("\"other_topics_messages\":2"), std::string::npos);
    EXPECT_NE(json.find("x\"}"), std::string::npos) << "half a character would be no JSON";
    EXPECT_NE(rates.frame({}).find("(beyond 10000 topics)"), std::string::npos);
}

}  // namespace
}  // namespace sluice::cli

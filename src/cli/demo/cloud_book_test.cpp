#include "cli/demo/cloud_book.hpp"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cli/plant/reference.hpp"

namespace sluice::demo {
namespace {

std::string event(std::string_view name, std::string_view rule, int sequence, std::string_view data, int epoch = 5) {
    return fmt::format(R"({{"id":1,"gateway":"demo","epoch":{},"class":"{}","rule":"{}","seq":{},"ts":1,"data":{}}})", epoch, name, rule,
                       sequence, data);
}
std::string page(const std::vector<std::string>& events, std::string_view next) {
    return fmt::format(R"({{"events":[{}],"next":{}}})", fmt::join(events, ","), next);
}
constexpr std::string_view kSample = R"({"device":"sensor-00000","seq":1000})";

TEST(CloudBook, pages_follow_each_other_until_next_is_null) {
    CloudBook book;
    EXPECT_EQ(book.add_page(page({event("sample", "raw-sample", 1, kSample)}, "17")).value(), std::optional<std::uint64_t>(17));
    EXPECT_EQ(book.add_page(page({}, "null")).value(), std::nullopt);
    EXPECT_EQ(book.classes().at("sample"), (ClassBook{1, 0, 0, 1}));
}

TEST(CloudBook, repetitions_and_holes_are_counted_across_pages) {
    CloudBook book;
    ASSERT_TRUE(book.add_page(page({event("sample", "raw-sample", 1, kSample), event("sample", "raw-sample", 2, kSample)}, "2")));
    ASSERT_TRUE(book.add_page(page({event("sample", "raw-sample", 2, kSample), event("sample", "raw-sample", 5, kSample)}, "4")));
    EXPECT_EQ(book.classes().at("sample"), (ClassBook{4, 1, 2, 1}));
}

TEST(CloudBook, a_first_event_that_is_not_number_one_is_a_hole) {
    CloudBook book;
    ASSERT_TRUE(book.add_page(page({event("alert", "vibration-anomaly", 3, R"({"device":"sensor-00000","seq":101})")}, "1")));
    EXPECT_EQ(book.classes().at("alert").missing, 2U);
}

TEST(CloudBook, what_is_no_page_is_malformed) {
    CloudBook book;
    for (const auto* bad : {"", "[]", "{}", R"({"events":[1]})", R"({"events":[{"data":1}]})"}) EXPECT_FALSE(book.add_page(bad)) << bad;
}

struct Contents : ::testing::Test {
    plant::Options options{.seed = 3, .sensors = 2, .spike_probability = 0};
    std::vector<std::string> averages;
    void SetUp() override {
        plant::Plant plant(options);
        for (int window = 0; window < 2; ++window) {
            double sum = 0;
            for (int i = 0; i < 10; ++i) {
                char payload[plant::kPayloadBytesMax];
                const auto size = plant::render(plant.next(1), 0, payload);
                sum += plant::published_vibration({payload, size});
            }
            averages.push_back(event("aggregate", "vibration-average", window + 1,
                                     fmt::format(R"({{"device":"sensor-00001","average_vibration":{},"samples":10}})", sum / 10)));
        }
    }
};

TEST_F(Contents, averages_of_the_published_readings_are_right) {
    CloudBook book;
    ASSERT_TRUE(book.add_page(page(averages, "null")));
    const auto contents = book.check_contents(options, {0, 29});
    EXPECT_EQ(contents.averages_expected, 2U);
    EXPECT_EQ(contents.averages_wrong, 0U);
}

TEST_F(Contents, averages_in_the_wrong_order_or_too_many_are_wrong) {
    CloudBook swapped;
    ASSERT_TRUE(swapped.add_page(page({averages[1], averages[0]}, "null")));
    EXPECT_EQ(swapped.check_contents(options, {0, 29}).averages_wrong, 2U);
    CloudBook too_many;
    ASSERT_TRUE(too_many.add_page(page(averages, "null")));
    EXPECT_EQ(too_many.check_contents(options, {0, 19}).averages_wrong, 1U);
}

TEST_F(Contents, a_sample_must_be_of_a_thousandth_reading_that_was_published) {
    CloudBook book;
    ASSERT_TRUE(book.add_page(page(
        {event("sample", "raw-sample", 1, kSample), event("sample", "raw-sample", 2, R"({"device":"sensor-00000","seq":1999})")}, "null")));
    EXPECT_EQ(book.check_contents(options, {2000, 0}).samples_wrong, 1U);
    EXPECT_EQ(book.check_contents(options, {999, 0}).samples_wrong, 2U);
    EXPECT_EQ(book.check_contents(options, {2000, 1000}).samples_expected, 3U);
}

TEST_F(Contents, events_of_devices_that_are_not_there_are_wrong) {
    CloudBook book;
    ASSERT_TRUE(book.add_page(
        page({event("sample", "raw-sample", 1, R"({"device":"sensor-00009","seq":1000})"), event("aggregate", "other", 1, "{}")}, "null")));
    const auto contents = book.check_contents(options, {0, 0});
    EXPECT_EQ(contents.samples_wrong, 1U);
    EXPECT_EQ(contents.averages_wrong, 1U);
}

}  // namespace
}  // namespace sluice::demo

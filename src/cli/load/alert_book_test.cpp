#include "cli/load/alert_book.hpp"

#include <string>

#include <gtest/gtest.h>

namespace sluice::load {
namespace {

std::string alert(int sensor, int sequence) {
    return "{\"device\":\"" + plant::device_name(static_cast<std::uint32_t>(sensor)) + "\",\"ts\":1,\"seq\":" + std::to_string(sequence) +
           ",\"z\":9.5}";
}

plant::Expected expected() {
    plant::Expected out;
    out.alerts = {{.sensor = 1, .sequence = 101, .vibration = 5, .spike = true, .tie = false},
                  {.sensor = 1, .sequence = 140, .vibration = 1, .spike = false, .tie = false},
                  {.sensor = 2, .sequence = 150, .vibration = 1, .spike = false, .tie = true}};
    out.spikes = 1;
    out.ties = 1;
    return out;
}

TEST(AlertBook, reads_the_device_and_the_sequence_wherever_they_stand) {
    EXPECT_EQ(read_alert(R"({"seq":17,"x":1,"device":"sensor-00042"})"), (AlertKey{42, 17}));
    EXPECT_FALSE(read_alert(R"({"device":"sensor-00042"})"));
    EXPECT_FALSE(read_alert(R"({"device":"pump","seq":1})"));
    EXPECT_FALSE(read_alert(R"({"device":"sensor-00042","seq":0})"));
}

TEST(AlertBook, each_expected_alert_once_is_perfect_with_or_without_the_tie) {
    AlertBook book;
    book.note(alert(1, 140));
    book.note(alert(1, 101));
    EXPECT_TRUE(book.compare(expected()).perfect());
    book.note(alert(2, 150));
    const auto comparison = book.compare(expected());
    EXPECT_TRUE(comparison.perfect());
    EXPECT_EQ(comparison.expected, 2U);
    EXPECT_EQ(comparison.ties, 1U);
    EXPECT_EQ(comparison.spikes_exact, 1U);
}

TEST(AlertBook, a_missing_alert_is_told) {
    AlertBook book;
    book.note(alert(1, 140));
    const auto comparison = book.compare(expected());
    EXPECT_FALSE(comparison.perfect());
    EXPECT_EQ(comparison.missing, 1U);
    EXPECT_EQ(comparison.spikes_exact, 0U);
}

TEST(AlertBook, a_repeated_alert_is_told) {
    AlertBook book;
    for (const int sequence : {101, 140, 101}) book.note(alert(1, sequence));
    const auto comparison = book.compare(expected());
    EXPECT_FALSE(comparison.perfect());
    EXPECT_EQ(comparison.repeated, 1U);
    EXPECT_EQ(comparison.missing, 0U);
}

TEST(AlertBook, a_repeated_tie_is_told) {
    AlertBook book;
    for (const int sequence : {101, 140}) book.note(alert(1, sequence));
    book.note(alert(2, 150));
    book.note(alert(2, 150));
    EXPECT_FALSE(book.compare(expected()).perfect());
}

TEST(AlertBook, an_alert_without_a_reason_is_told) {
    AlertBook book;
    for (const int sequence : {101, 140, 141}) book.note(alert(1, sequence));
    const auto comparison = book.compare(expected());
    EXPECT_FALSE(comparison.perfect());
    EXPECT_EQ(comparison.unexpected, 1U);
}

TEST(AlertBook, what_is_no_alert_of_the_plant_is_told) {
    AlertBook book;
    for (const int sequence : {101, 140}) book.note(alert(1, sequence));
    EXPECT_FALSE(book.note("{}"));
    EXPECT_FALSE(book.compare(expected()).perfect());
}

}  // namespace
}  // namespace sluice::load

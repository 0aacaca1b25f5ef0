#include "cli/row_time.hpp"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

std::int64_t ms_of(std::string_view text) {
    const auto time = parse_time(text);
    return time ? base::to_ms(*time) : -1;
}

TEST(RowTime, dates_and_times_are_read_as_people_write_them) {
    constexpr std::int64_t kMs = 1'388'534'700'000;  // 2014-01-01 00:05:00 UTC
    for (const char* text :
         {"2014-01-01 00:05:00", "2014-01-01T00:05:00Z", "2014-01-01T00:05", "2014/01/01 00:05:00", "2014-01-01T01:05:00+01:00",
          "2013-12-31 20:35:00-0330", "2014-01-01 00:05:00.000", "2014-01-01 00:05:00 Z", "2014-01-01T02:05:00+02"})
        EXPECT_EQ(ms_of(text), kMs) << text;
    EXPECT_EQ(ms_of("2014-01-01"), kMs - 300'000);
    EXPECT_EQ(ms_of("2014-01-01 00:05:00.250"), kMs + 250);
    EXPECT_EQ(ms_of("2014-01-01 00:05:00,2509999999999"), kMs + 250);
    EXPECT_EQ(ms_of("2014-01-01 00:04:60"), kMs);
}

TEST(RowTime, numbers_are_seconds_milliseconds_microseconds_or_nanoseconds_by_their_size) {
    EXPECT_EQ(ms_of("1388534700"), 1'388'534'700'000);
    EXPECT_EQ(ms_of("1388534700.25"), 1'388'534'700'250);
    EXPECT_EQ(ms_of("1388534700000"), 1'388'534'700'000);
    EXPECT_EQ(ms_of("1388534700000000"), 1'388'534'700'000);
    EXPECT_EQ(ms_of("1388534700000000000"), 1'388'534'700'000);
    EXPECT_EQ(ms_of("0.0"), 0);
    EXPECT_EQ(ms_of("10"), 10'000);
    EXPECT_EQ(ms_of("1e3"), 1'000'000);
}

TEST(RowTime, everything_else_is_no_time) {
    for (const char* text : {"",
                             "abc",
                             "2014",
                             "2014-13-01",
                             "2014-02-30",
                             "2014-1-1",
                             "2014-01-01 24:00",
                             "2014-01-01 00:60",
                             "2014-01-01 00:05:00 CET",
                             "2014-01/01",
                             "01.02.2014",
                             "12:30",
                             "1500-01-01",
                             "9999-12-31",
                             "nan",
                             "inf",
                             "1e300",
                             "2014-01-01T",
                             "2014-01-01 00:05:00.",
                             "2014-01-01 00:05+1",
                             "-014-01-01"}) {
        const auto time = parse_time(text);
        const bool is_number = std::string_view(text) == "2014";  // seconds since the epoch: odd, but a time
        EXPECT_EQ(time.has_value(), is_number) << text;
    }
}

TEST(RowTime, the_time_column_is_found_by_its_name) {
    const auto find = [](std::vector<std::string> columns) { return find_time_column(columns).value_or(99); };
    EXPECT_EQ(find({"value", "Timestamp"}), 1U);
    EXPECT_EQ(find({"time", "ts", "timestamp"}), 2U);
    EXPECT_EQ(find({"DateTime", "time"}), 0U);
    EXPECT_EQ(find({"timestamps", "t"}), 99U);
    EXPECT_EQ(find({}), 99U);
}

}  // namespace
}  // namespace sluice::cli

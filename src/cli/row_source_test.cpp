#include "cli/row_source.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::cli {
namespace {

class Rows : public ::testing::Test {
protected:
    void SetUp() override { path = std::filesystem::temp_directory_path() / ("sluice_rows_" + std::to_string(::getpid()) + ".csv"); }
    void TearDown() override { std::filesystem::remove(path); }

    bool open(const std::string& text, std::string topic = "t", std::string time_column = "") {
        std::ofstream(path, std::ios::binary) << text;
        return rows.open({.file = path.string(), .topic = std::move(topic), .time_column = std::move(time_column)});
    }
    /// "topic payload @ms" a line.
    std::string rest() {
        std::string out;
        for (;;) {
            RowSource::Row row;
            const auto step = rows.next(row);
            if (step != RowSource::Step::row) return out + (step == RowSource::Step::failed ? "failed" : "");
            out += row.topic + " " + std::string(base::as_text(row.payload));
            if (row.time) out += " @" + std::to_string(base::to_ms(*row.time));
            out += "\n";
        }
    }
    bool problem_has(const std::string& text) const { return rows.problem().find(text) != std::string::npos; }

    std::filesystem::path path;
    RowSource rows;
};

TEST_F(Rows, come_as_topic_payload_and_time) {
    ASSERT_TRUE(open("timestamp,device,value\n1970-01-01 00:00:01,a,5\n1970-01-01 00:00:02,b,\n", "s/{device}")) << rows.problem();
    EXPECT_EQ(rows.time_column(), "timestamp");
    EXPECT_EQ(rest(),
              "s/a {\"timestamp\":\"1970-01-01 00:00:01\",\"device\":\"a\",\"value\":5} @1000\n"
              "s/b {\"timestamp\":\"1970-01-01 00:00:02\",\"device\":\"b\",\"value\":null} @2000\n");
}

TEST_F(Rows, a_column_that_only_sounds_like_time_does_not_pace) {
    ASSERT_TRUE(open("time,v\nmorning,1\n"));
    EXPECT_EQ(rows.time_column(), "");
    EXPECT_EQ(rest(), "t {\"time\":\"morning\",\"v\":1}\n");
}

TEST_F(Rows, the_named_time_column_wins_and_its_gaps_are_counted) {
    ASSERT_TRUE(open("ts,seconds\n9,0.5\n9,\n", "t", "seconds"));
    EXPECT_EQ(rows.time_column(), "seconds");
    EXPECT_EQ(rest(), "t {\"ts\":9,\"seconds\":0.5} @500\nt {\"ts\":9,\"seconds\":null}\n");
    EXPECT_EQ(rows.untimed(), 1U);
}

TEST_F(Rows, a_file_with_only_a_header_has_none) {
    ASSERT_TRUE(open("ts,v\n", "t", "ts"));
    EXPECT_EQ(rest(), "");
}

TEST_F(Rows, what_is_wrong_with_the_request_shows_before_the_first_row) {
    EXPECT_FALSE(open("a,b\n1,2\n", "x/{c}"));
    EXPECT_TRUE(problem_has("no column \"c\"; it has \"a\", \"b\"")) << rows.problem();
}
TEST_F(Rows, an_unknown_time_column_is_refused) {
    EXPECT_FALSE(open("a,b\n1,2\n", "x", "when"));
    EXPECT_TRUE(problem_has("--time-column:")) << rows.problem();
}
TEST_F(Rows, a_time_column_without_times_is_refused) {
    EXPECT_FALSE(open("a,b\nx,2\n", "x", "a"));
    EXPECT_TRUE(problem_has(".csv:2: column \"a\": 'x' is no time")) << rows.problem();
}
TEST_F(Rows, an_empty_file_is_refused) {
    EXPECT_FALSE(open(""));
    EXPECT_TRUE(problem_has(".csv:1: the file has no header")) << rows.problem();
}
TEST_F(Rows, a_missing_file_and_a_folder_are_refused) {
    EXPECT_FALSE(rows.open({.file = path.string() + ".not", .topic = "t", .time_column = ""}));
    EXPECT_TRUE(problem_has("not_found")) << rows.problem();
    EXPECT_FALSE(rows.open({.file = "/", .topic = "t", .time_column = ""}));
    EXPECT_TRUE(problem_has("is a folder")) << rows.problem();
}

TEST_F(Rows, a_bad_row_ends_them_and_names_its_line) {
    ASSERT_TRUE(open("a,b\n1,2\n3\n4,5\n"));
    EXPECT_EQ(rest(), "t {\"a\":1,\"b\":2}\nfailed");
    EXPECT_TRUE(problem_has(".csv:3: 1 fields where the header has 2")) << rows.problem();
}

TEST_F(Rows, a_value_that_makes_no_topic_ends_them) {
    ASSERT_TRUE(open("d\na\n\"#\"\n", "s/{d}"));
    EXPECT_EQ(rest(), "s/a {\"d\":\"a\"}\nfailed");
    EXPECT_TRUE(problem_has(".csv:3: 's/#' is no topic")) << rows.problem();
}

}  // namespace
}  // namespace sluice::cli

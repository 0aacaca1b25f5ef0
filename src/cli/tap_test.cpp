#include "cli/tap.hpp"

#include <string_view>

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using namespace std::string_view_literals;

std::string line(std::string_view payload, bool retain = false) {
    return tap_line({.topic = "a/b", .payload = base::as_bytes(payload), .retain = retain}, base::from_ms(86'400'000 + 3'723'004));
}

TEST(Tap, a_line_has_time_topic_and_payload) {
    EXPECT_EQ(line("{\"x\":1}"), "01:02:03.004 a/b {\"x\":1}");
    EXPECT_EQ(line("", true), "01:02:03.004 a/b (retained) ");
}

TEST(Tap, a_payload_cannot_steer_the_terminal) {
    EXPECT_EQ(line("a\x1B[2J\r\n\x7F\xC2\x9B\xC3\xBC"), "01:02:03.004 a/b a\\x1b[2J\\x0d\\n\\x7f\\x9b\xC3\xBC");
}

TEST(Tap, what_is_no_text_is_shown_as_bytes) {
    EXPECT_EQ(line("\x00\xFF"sv), "01:02:03.004 a/b (2 bytes) 00 ff");
    EXPECT_EQ(line(std::string(33, '\xFF')).size(),
              std::string_view("01:02:03.004 a/b (33 bytes) ").size() + 32 * 3 - 1 + std::string_view(" …").size());
}

TEST(Tap, json_carries_any_payload) {
    const auto json = [](std::string_view payload) {
        return tap_json({.topic = "a\"b", .payload = base::as_bytes(payload)}, base::from_ms(1234));
    };
    EXPECT_EQ(json("{\"x\":1}"), R"({"ts":1234,"topic":"a\"b","qos":0,"retain":false,"payload":"{\"x\":1}"})");
    EXPECT_EQ(json("\xFF"), R"({"ts":1234,"topic":"a\"b","qos":0,"retain":false,"payload_base64":"/w=="})");
    EXPECT_EQ(json("\xFF\xFE"), R"({"ts":1234,"topic":"a\"b","qos":0,"retain":false,"payload_base64":"//4="})");
    EXPECT_EQ(json("\xFF\xFE\x00"sv), R"({"ts":1234,"topic":"a\"b","qos":0,"retain":false,"payload_base64":"//4A"})");
}

}  // namespace
}  // namespace sluice::cli

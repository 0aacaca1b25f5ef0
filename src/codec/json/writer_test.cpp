#include "codec/json/writer.hpp"

#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace sluice::json {
namespace {

template <class Append, class... Arguments>
std::string written(Append append, Arguments... arguments) {
    base::Bytes to;
    append(to, arguments...);
    return std::string(base::as_text(to));
}

TEST(Writer, numbers_are_the_shortest_text_that_reads_back) {
    EXPECT_EQ(written(append_number, 0.1), "0.1");
    EXPECT_EQ(written(append_number, 1.0 / 3), "0.3333333333333333");
    EXPECT_EQ(written(append_number, 100000.0), "100000");
    EXPECT_EQ(written(append_number, -5.0), "-5");
    EXPECT_EQ(written(append_number, 9007199254740991.0), "9007199254740991");
    EXPECT_EQ(written(append_number, 1e300), "1e+300");
    EXPECT_EQ(written(append_number, -0.0), "-0");
    EXPECT_EQ(written(append_integer, std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
}

TEST(Writer, what_json_has_no_number_for_is_null) {
    EXPECT_EQ(written(append_number, std::numeric_limits<double>::quiet_NaN()), "null");
    EXPECT_EQ(written(append_number, std::numeric_limits<double>::infinity()), "null");
    EXPECT_EQ(written(append_value, Value::number(-std::numeric_limits<double>::infinity())), "null");
}

TEST(Writer, strings_are_escaped) {
    EXPECT_EQ(written(append_string, std::string_view("plain text of some length")), "\"plain text of some length\"");
    EXPECT_EQ(written(append_string, std::string_view("a\"b\\c\nd\re\tf\x01g\0h", 15)), "\"a\\\"b\\\\c\\nd\\re\\tf\\u0001g\\u0000h\"");
    EXPECT_EQ(written(append_string, std::string_view("ä€😀")), "\"ä€😀\"");
}

TEST(Writer, plain_text_has_no_quotes_and_null_is_nothing) {
    EXPECT_EQ(written(append_plain, Value::text("a b")), "a b");
    EXPECT_EQ(written(append_plain, Value::null()), "");
    EXPECT_EQ(written(append_plain, Value::number(std::numeric_limits<double>::infinity())), "");
    EXPECT_EQ(written(append_plain, Value::boolean(true)), "true");
}

TEST(Writer, a_raw_value_stays_on_one_line) { EXPECT_EQ(written(append_value, Value::raw("[1,\r\n 2]")), "[1,   2]"); }

}  // namespace
}  // namespace sluice::json

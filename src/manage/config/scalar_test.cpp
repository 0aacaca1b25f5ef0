#include "manage/config/scalar.hpp"

#include <array>

#include <gtest/gtest.h>

#include "manage/config/suggest.hpp"

namespace sluice::config {
namespace {

using std::chrono::milliseconds;

TEST(Scalar, percentages_have_their_sign) {
    EXPECT_EQ(parse_percent("0%"), 0U);
    EXPECT_EQ(parse_percent("30%"), 30U);
    EXPECT_EQ(parse_percent("100%"), 100U);
    for (const char* wrong : {"", "%", "30", "101%", "-1%", "3.5%", "30 %", "30%%", "99999999999999999999%"})
        EXPECT_FALSE(parse_percent(wrong)) << wrong;
}

TEST(Scalar, durations_have_a_unit) {
    EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
    EXPECT_EQ(parse_duration("3s"), milliseconds(3'000));
    EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
    EXPECT_EQ(parse_duration("18h"), milliseconds(64'800'000));
    EXPECT_EQ(parse_duration("7d"), milliseconds(604'800'000));
    EXPECT_EQ(parse_duration("36500d"), milliseconds(36'500LL * 86'400'000));
    for (const char* wrong :
         {"", "3", "s", "3 s", "-3s", "+3s", "3.5s", "3sec", "3S", "36501d", "99999999999999999999s", "18446744073709551615d"}) {
        EXPECT_FALSE(parse_duration(wrong)) << wrong;
    }
}

TEST(Scalar, sizes_are_bytes_or_have_a_unit) {
    EXPECT_EQ(parse_size("0"), 0U);
    EXPECT_EQ(parse_size("4096"), 4096U);
    EXPECT_EQ(parse_size("4096B"), 4096U);
    EXPECT_EQ(parse_size("256KiB"), 256U * 1024);
    EXPECT_EQ(parse_size("64MiB"), 64U * 1024 * 1024);
    EXPECT_EQ(parse_size("1TiB"), 1ULL << 40);
    EXPECT_EQ(parse_size("1MB"), 1'000'000U);
    EXPECT_EQ(parse_size("9223372036854775807"), 9'223'372'036'854'775'807ULL);
    for (const char* wrong : {"", "KiB", "1.5MiB", "-1", "64mib", "64 MiB", "64M", "9223372036854775808", "8388608TiB"}) {
        EXPECT_FALSE(parse_size(wrong)) << wrong;
    }
}

TEST(Scalar, numbers_are_whole_texts) {
    EXPECT_EQ(parse_integer("18446744073709551615"), ~std::uint64_t{0});
    EXPECT_FALSE(parse_integer("18446744073709551616"));
    EXPECT_FALSE(parse_integer("0x10"));
    EXPECT_FALSE(parse_integer(" 1"));
    EXPECT_EQ(parse_number("1.929"), 1.929);
    EXPECT_EQ(parse_number("1e3"), 1000.0);
    EXPECT_FALSE(parse_number("1e999"));
    EXPECT_FALSE(parse_number("nan"));
    EXPECT_FALSE(parse_number("inf"));
    EXPECT_FALSE(parse_number("1.0x"));
    EXPECT_EQ(parse_boolean("true"), true);
    EXPECT_FALSE(parse_boolean("yes"));
}

TEST(Scalar, identifiers_are_64_safe_characters_at_most) {
    EXPECT_TRUE(is_identifier("plant-7_B"));
    EXPECT_TRUE(is_identifier(std::string(64, 'a')));
    EXPECT_FALSE(is_identifier(std::string(65, 'a')));
    for (const char* wrong : {"", "a b", "a/b", "a.b", "\xC3\xA4", "a+"}) EXPECT_FALSE(is_identifier(wrong)) << wrong;
}

TEST(Scalar, a_choice_is_a_whole_word_of_the_list) {
    EXPECT_EQ(choice_index("low | balanced | eco", "low"), 0U);
    EXPECT_EQ(choice_index("low | balanced | eco", "eco"), 2U);
    EXPECT_FALSE(choice_index("low | balanced | eco", "ec"));
    EXPECT_FALSE(choice_index("low | balanced | eco", "|"));
    EXPECT_FALSE(choice_index("low | balanced | eco", ""));
}

TEST(Suggest, near_words_are_suggested_and_far_ones_listed) {
    constexpr std::array<std::string_view, 3> kKnown{"connections", "payload", "keep_alive_max"};
    EXPECT_EQ(nearest("conections", kKnown), "connections");
    EXPECT_EQ(nearest("paylaod", kKnown), "payload");
    EXPECT_EQ(nearest("Payload", kKnown), "payload");
    EXPECT_EQ(nearest("zebra", kKnown), "");
    EXPECT_EQ(nearest(std::string(10'000, 'x'), kKnown), "");
    EXPECT_EQ(suggestion("payloads", kKnown), "; did you mean `payload`?");
    EXPECT_EQ(suggestion("zebra", kKnown), "; known here: connections, payload, keep_alive_max");
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
    EXPECT_EQ(edit_distance("ab", "ba"), 1U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
}

}  // namespace
}  // namespace sluice::config

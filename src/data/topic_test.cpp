#include "data/topic.hpp"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::data {
namespace {

using namespace std::string_literals;

std::vector<std::string> levels_of(const std::string& text) {
    std::vector<std::string> levels{""};
    for (const char c : text) {
        if (c == '/')
            levels.emplace_back();
        else
            levels.back().push_back(c);
    }
    return levels;
}

/// MQTT 5.0 §4.7 word by word, on lists of levels.
bool plain_match(const std::string& filter, const std::string& topic) {
    if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
    const auto f = levels_of(filter);
    const auto t = levels_of(topic);
    for (std::size_t i = 0; i < f.size(); ++i) {
        if (f[i] == "#") return true;
        if (i == t.size() || (f[i] != "+" && f[i] != t[i])) return false;
    }
    return f.size() == t.size();
}

TEST(Topic, examples_of_the_standard_match_as_it_says) {
    EXPECT_TRUE(filter_matches("sport/tennis/player1/#", "sport/tennis/player1"));
    EXPECT_TRUE(filter_matches("sport/tennis/player1/#", "sport/tennis/player1/ranking"));
    EXPECT_TRUE(filter_matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
    EXPECT_TRUE(filter_matches("sport/#", "sport"));
    EXPECT_TRUE(filter_matches("#", "sport/tennis"));
    EXPECT_TRUE(filter_matches("sport/tennis/+", "sport/tennis/player1"));
    EXPECT_FALSE(filter_matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    EXPECT_FALSE(filter_matches("sport/+", "sport"));
    EXPECT_TRUE(filter_matches("sport/+", "sport/"));
    EXPECT_TRUE(filter_matches("+/+", "/finance"));
    EXPECT_TRUE(filter_matches("/+", "/finance"));
    EXPECT_FALSE(filter_matches("+", "/finance"));
    EXPECT_FALSE(filter_matches("#", "$SYS/monitor/Clients"));
    EXPECT_FALSE(filter_matches("+/monitor/Clients", "$SYS/monitor/Clients"));
    EXPECT_TRUE(filter_matches("$SYS/#", "$SYS/monitor/Clients"));
    EXPECT_TRUE(filter_matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
    EXPECT_FALSE(filter_matches("ACCOUNTS", "Accounts"));
    EXPECT_FALSE(filter_matches("sensors/+/vibration", "sensors/a/vibrations"));
    EXPECT_FALSE(filter_matches("a", "a/"));
    EXPECT_FALSE(filter_matches("a/", "a"));
    EXPECT_TRUE(filter_matches("a/", "a/"));
    EXPECT_FALSE(filter_matches("a/", "a/b"));
}

TEST(Topic, matching_agrees_with_a_level_by_level_model) {
    constexpr unsigned kSeed = 20261122;
    std::mt19937 random(kSeed);
    const std::vector<std::string> names{"", "a", "b", "aa", "$x"};
    const std::vector<std::string> patterns{"", "a", "b", "aa", "$x", "+", "+", "#"};
    int matches = 0;
    for (int round = 0; round < 200'000; ++round) {
        std::string topic;
        std::string filter;
        for (unsigned i = 0, n = 1 + random() % 4; i < n; ++i) topic += (i ? "/" : "") + names[random() % names.size()];
        for (unsigned i = 0, n = 1 + random() % 4; i < n; ++i) filter += (i ? "/" : "") + patterns[random() % patterns.size()];
        if (!is_topic_name(topic) || !is_topic_filter(filter)) continue;
        const bool expected = plain_match(filter, topic);
        ASSERT_EQ(filter_matches(filter, topic), expected) << "seed " << kSeed << ": " << filter << " | " << topic;
        matches += expected ? 1 : 0;
    }
    EXPECT_GT(matches, 1000);
}

TEST(Topic, names_have_no_wildcards_control_characters_or_broken_utf8) {
    EXPECT_TRUE(is_topic_name("sensors/sensor-00042/vibration"));
    EXPECT_TRUE(is_topic_name("/"));
    EXPECT_TRUE(is_topic_name(" "));
    EXPECT_TRUE(is_topic_name("Grüße/温度/🌡"));
    EXPECT_TRUE(is_topic_name(std::string(65'535, 'x')));
    EXPECT_FALSE(is_topic_name(std::string(65'536, 'x')));
    EXPECT_FALSE(is_topic_name(""));
    EXPECT_FALSE(is_topic_name("a/+/b"));
    EXPECT_FALSE(is_topic_name("a#"));
    EXPECT_FALSE(is_topic_name("ü+"));
    EXPECT_FALSE(is_topic_name("a\0b"s));
    EXPECT_FALSE(is_topic_name("a\nb"));
    EXPECT_FALSE(is_topic_name("a\x7F"));
    EXPECT_FALSE(is_topic_name("a\xC2\x85"));          // U+0085, a control character
    EXPECT_FALSE(is_topic_name("a\xEF\xBF\xBF"));      // U+FFFF
    EXPECT_FALSE(is_topic_name("a\xEF\xB7\x90"));      // U+FDD0
    EXPECT_FALSE(is_topic_name("a\xF0\x9F\xBF\xBE"));  // U+1FFFE
    EXPECT_FALSE(is_topic_name("a\xED\xA0\x80"));      // U+D800, a surrogate
}

TEST(Topic, a_bad_byte_is_found_at_every_place_of_a_word) {
    for (std::size_t size = 1; size < 40; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            for (const char bad : {'+', '#', '\0', '\x1F', '\x7F', '\x80', '\xFF'}) {
                std::string topic(size, 'z');
                topic[at] = bad;
                ASSERT_FALSE(is_topic_name(topic)) << size << " " << at << " " << int{bad};
            }
            std::string fine(size, '~');
            fine[at] = ' ';
            ASSERT_TRUE(is_topic_name(fine));
            fine[at] = '\0';
            ASSERT_FALSE(is_mqtt_utf8(fine));
        }
    }
}

TEST(Topic, filters_have_wildcards_only_as_whole_levels) {
    for (const char* good : {"#", "+", "+/+", "/+", "sport/tennis/#", "sport/+/player1", "+/tennis/#", "a//b", "/", "$SYS/#"})
        EXPECT_TRUE(is_topic_filter(good)) << good;
    for (const char* bad : {"", "sport/tennis#", "sport/tennis/#/ranking", "sport+", "a/b+/c", "##", "++", "#/", "a\x01"})
        EXPECT_FALSE(is_topic_filter(bad)) << bad;
}

TEST(Topic, levels_are_counted_from_one_and_may_be_empty) {
    EXPECT_EQ(topic_level("a/b/c", 1), "a");
    EXPECT_EQ(topic_level("a/b/c", 3), "c");
    EXPECT_EQ(topic_level("a/b/c", 4), "");
    EXPECT_EQ(topic_level("a/b/c", 0), "");
    EXPECT_EQ(topic_level("/b", 1), "");
    EXPECT_EQ(topic_level("/b", 2), "b");
    EXPECT_EQ(topic_level("b/", 2), "");
}

TEST(Topic, text_is_checked_as_mqtt_utf8) {
    EXPECT_TRUE(is_mqtt_utf8(""));
    EXPECT_TRUE(is_mqtt_utf8("a\x01\x7F"));          // control characters are a matter of topics
    EXPECT_TRUE(is_mqtt_utf8("\xEF\xBB\xBF"));       // U+FEFF is never stripped (MQTT-1.5.4-3)
    EXPECT_TRUE(is_mqtt_utf8("A\xF0\xAA\x9B\x94"));  // the standard's example, figure 1.1
    EXPECT_TRUE(is_mqtt_utf8("\xF4\x8F\xBF\xBF"));   // U+10FFFF
    EXPECT_FALSE(is_mqtt_utf8("\0"s));
    for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xBF\xBF", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80",
                            "\xF5\x80\x80\x80", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xE2(\xA1", "\xFF"})
        EXPECT_FALSE(is_mqtt_utf8(bad)) << bad;
}

TEST(PlainText, is_utf8_without_control_characters_and_may_be_empty) {
    for (const char* good : {"", "plant-7", "a b", "\xC3\xA9", "\xEF\xBB\xBFx", "+#/", "\xF0\xAA\x9B\x94"})
        EXPECT_TRUE(is_plain_text(good)) << good;
    for (const char* bad : {"\x01", "a\x1F", "\x7F", "\xC2\x9F", "\xEF\xBF\xBF", "\xC3\x28", "\xED\xA0\x80"})
        EXPECT_FALSE(is_plain_text(bad)) << bad;
    EXPECT_FALSE(is_plain_text(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace sluice::data

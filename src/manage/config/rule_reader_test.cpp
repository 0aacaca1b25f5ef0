// A rule that does not stand in the file is read as if it did.
#include <gtest/gtest.h>

#include "manage/config/load.hpp"

namespace sluice::config {
namespace {

const std::vector<ClassConfig> kClasses = Uplink{}.classes;

std::string problems(std::string_view text) { return format_all("body", read_rule(text, "hot", kClasses).problems); }

TEST(RuleReader, json_and_yaml_give_the_same_rule) {
    const auto json = read_rule(R"({"sql": "SELECT v\nFROM 's'", "to": [{"topic": "a/{v}"}, {"cloud": "sample"}]})", "hot", kClasses);
    const auto yaml = read_rule("sql: |-\n  SELECT v\n  FROM 's'\nto:\n  - topic: a/{v}\n  - cloud: sample\n", "hot", kClasses);
    EXPECT_TRUE(json.problems.empty());
    EXPECT_TRUE(yaml.problems.empty());
    EXPECT_EQ(json.rule, yaml.rule);
    EXPECT_EQ(json.rule.id.value, "hot");
    EXPECT_EQ(json.rule.to[1].class_index, 2);
    EXPECT_EQ(json.rule.sql.position(9), (Position{1, 20})) << "places are those of the body";
}

TEST(RuleReader, what_a_rule_does_when_it_is_full_is_read) {
    const auto full = [](const std::string& state) {
        const auto read = read_rule("{sql: SELECT 1 FROM 'a', to: [{topic: t}]" + state + "}", "hot", kClasses);
        EXPECT_EQ(format_all("body", read.problems), "");
        return read.rule.forget_oldest;
    };
    EXPECT_FALSE(full(""));
    EXPECT_FALSE(full(", state: {when_full: refuse}"));
    EXPECT_TRUE(full(", state: {when_full: forget_oldest}"));
    EXPECT_NE(problems("{sql: SELECT 1 FROM 'a', to: [{topic: t}], state: {when_full: shrink}}"), "");
}

TEST(RuleReader, an_id_in_the_text_must_be_the_one_that_was_asked_for) {
    EXPECT_EQ(problems("{id: hot, sql: SELECT 1 FROM 'a', to: [{topic: t}]}"), "");
    EXPECT_EQ(problems("{id: cold, sql: SELECT 1 FROM 'a', to: [{topic: t}]}"),
              "body:1:6: error: id: expected `hot`, as it was asked for, or no id\n");
    EXPECT_NE(format_all("body", read_rule("{sql: SELECT 1 FROM 'a', to: [{topic: t}]}", "a b", kClasses).problems), "");
}

TEST(RuleReader, mistakes_are_those_of_a_file) {
    EXPECT_EQ(problems("{sql: SELECT 1 FROM 'a', too: [{topic: t}]}"),
              "body:1:1: error: missing key `to`: expected a list\n"
              "body:1:26: error: unknown key `too`; did you mean `to`?\n");
    EXPECT_EQ(problems("{sql: SELECT 1 FROM 'a', to: [{cloud: sampel}]}"),
              "body:1:39: error: class `sampel` is not declared in `uplink.classes`; did you mean `sample`?\n");
    for (const char* text : {"", "[]", "x", "{", "[{sql: a}]", "\x01", "{sql: [], to: {}}", "a: &b 1"})
        EXPECT_NE(problems(text), "") << text;
}

TEST(RuleReader, json_escapes_of_what_is_beyond_16_bits_are_one_character) {
    const auto rule = read_rule(R"({"sql": "SELECT '\ud83d\ude00 \\ud83d \u00e9' FROM 'a'", "to": [{"topic": "t"}]})", "hot", kClasses);
    EXPECT_EQ(format_all("body", rule.problems), "");
    EXPECT_EQ(rule.rule.sql.value, "SELECT '\xF0\x9F\x98\x80 \\ud83d \xC3\xA9' FROM 'a'");
    EXPECT_NE(problems(R"({"sql": "SELECT '\ud83d' FROM 'a'", "to": [{"topic": "t"}]})"), "") << "half of a pair is none";
}

}  // namespace
}  // namespace sluice::config

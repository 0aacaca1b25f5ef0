// What was changed at run time holds above the file until the file says something new about that rule.
#include "gateway/rule_overlay.hpp"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

using Kind = RuleChange::Kind;

config::RuleConfig rule(const std::string& id, const std::string& sql, const std::string& topic = "out") {
    config::RuleConfig out;
    out.id.value = id;
    out.sql.value = sql;
    config::Destination to;
    to.topic.value = topic;
    out.to.push_back(to);
    return out;
}

RuleText text(const std::string& sql) { return {sql, {{"out", ""}}}; }

/// "a=1 b=2(paused)"
std::string shown(const std::vector<config::RuleConfig>& rules) {
    std::string out;
    for (const auto& each : rules) out += (out.empty() ? "" : " ") + each.id.value + "=" + each.sql.value + (each.paused ? "(paused)" : "");
    return out;
}

const std::vector<config::ClassConfig> kClasses = config::Uplink{}.classes;

TEST(RuleOverlay, rules_of_the_file_keep_their_order_and_others_follow_by_name) {
    const RuleOverlay::FileRules file{rule("b", "1"), rule("a", "2"), rule("c", "3")};
    RuleOverlay overlay;
    overlay.put("z", nullptr, text("9"));
    overlay.put("d", nullptr, text("8"));
    overlay.put("a", &file[1], text("7"));
    overlay.remove("c", &file[2]);
    overlay.pause("b", true);
    EXPECT_EQ(shown(overlay.merge(file, kClasses)), "b=1(paused) a=7 d=8 z=9");
}

TEST(RuleOverlay, the_file_overtakes_a_change_only_when_its_text_of_that_rule_changes) {
    RuleOverlay::FileRules file{rule("a", "1"), rule("b", "1"), rule("c", "1"), rule("d", "1")};
    RuleOverlay overlay;
    overlay.put("a", file.data(), text("api"));
    overlay.remove("b", &file[1]);
    overlay.pause("c", true);
    overlay.put("new", nullptr, text("api"));
    overlay.put("d", &file[3], text("api"));
    EXPECT_TRUE(overlay.reconcile(file).empty());
    EXPECT_EQ(shown(overlay.merge(file, kClasses)), "a=api c=1(paused) d=api new=api");

    // The file changes a, drops d, adds `new`; b stays as it was.
    file = {rule("a", "2"), rule("b", "1"), rule("c", "2"), rule("new", "2")};
    EXPECT_EQ(overlay.reconcile(file), (std::vector<std::string>{"a", "d", "new"}));
    EXPECT_EQ(shown(overlay.merge(file, kClasses)), "a=2 c=2(paused) new=2") << "a pause holds whatever the text";
    EXPECT_TRUE(overlay.reconcile(file).empty());

    file = {rule("b", "2")};
    EXPECT_EQ(overlay.reconcile(file), (std::vector<std::string>{"b", "c"}));
    EXPECT_TRUE(overlay.empty());
}

TEST(RuleOverlay, other_destinations_are_another_text) {
    RuleOverlay::FileRules file{rule("a", "1")};
    RuleOverlay overlay;
    overlay.put("a", file.data(), text("api"));
    file[0].to[0].topic.value = "elsewhere";
    EXPECT_EQ(overlay.reconcile(file), std::vector<std::string>{"a"});
}

TEST(RuleOverlay, putting_what_the_file_says_takes_the_change_back) {
    const RuleOverlay::FileRules file{rule("a", "1")};
    RuleOverlay overlay;
    overlay.put("a", file.data(), text("2"));
    overlay.put("a", file.data(), text("1"));
    EXPECT_TRUE(overlay.empty());
    overlay.pause("a", true);
    overlay.put("a", file.data(), text("1"));
    EXPECT_EQ(shown(overlay.merge(file, kClasses)), "a=1(paused)");
}

TEST(RuleOverlay, a_rule_of_the_api_alone_is_gone_when_it_is_removed) {
    RuleOverlay overlay;
    overlay.put("a", nullptr, text("1"));
    overlay.remove("a", nullptr);
    EXPECT_TRUE(overlay.empty());
}

TEST(RuleOverlay, a_change_that_cannot_be_used_leaves_the_files_text) {
    const RuleOverlay::FileRules file{rule("a", "1")};
    RuleOverlay overlay;
    overlay.put("a", file.data(), text("2"));
    overlay.put("b", nullptr, text("3"));
    EXPECT_EQ(shown(overlay.merge(file, kClasses, {"a", "b"})), "a=1");
}

TEST(RuleOverlay, a_class_that_is_gone_gets_an_index_that_nothing_has) {
    RuleOverlay overlay;
    overlay.put("a", nullptr, {"1", {{"", "gone"}, {"", "sample"}}});
    const auto rules = overlay.merge({}, kClasses);
    EXPECT_GE(rules[0].to[0].class_index, kClasses.size());
    EXPECT_EQ(rules[0].to[1].class_index, 2);
}

TEST(RuleOverlay, what_was_encoded_is_decoded_and_damage_is_seen) {
    const RuleOverlay::FileRules file{rule("a", "1"), rule("b", "1")};
    RuleOverlay overlay;
    overlay.put("a", file.data(), {"SELECT 'ä'", {{"t/{x}", ""}, {"", "alert"}}, 1 << 20, true});
    overlay.pause("a", true);
    overlay.remove("b", &file[1]);
    overlay.put("c", nullptr, text("3"));
    overlay.pause("d", true);
    const base::Bytes bytes = overlay.encode();
    const auto read = RuleOverlay::decode(bytes);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(*read, overlay);
    EXPECT_EQ(*RuleOverlay::decode(RuleOverlay{}.encode()), RuleOverlay{});

    EXPECT_EQ(RuleOverlay::decode({}).error().code, base::Errc::corrupt);
    base::Bytes other = bytes;
    other[0] = 9;
    EXPECT_EQ(RuleOverlay::decode(other).error().code, base::Errc::version);
    for (std::size_t size = 2; size < bytes.size(); ++size) {
        const auto cut = RuleOverlay::decode(base::ByteView(bytes).first(size));
        // Whole changes may be left; half of one is an error.
        if (cut) {
            EXPECT_LT(cut->changes().size(), overlay.changes().size());
        }
    }
    for (std::size_t at = 1; at < bytes.size(); ++at) {
        other = bytes;
        other[at] = 0xFF;
        (void)RuleOverlay::decode(other);  // must end
    }
}

/// A rule that was put, as docs/formats/rule_changes.md has it, without flags of the rule.
TEST(RuleOverlay, changes_of_version_1_are_read) {
    const base::Bytes bytes{1, 3, 0, 0, 0,   'h', 'o', 't', 1, 0,  // put
                            1, 0, 0, 0, '2', 0,   0,   1,   0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 3, 0, 0, 0, 'o', 'u', 't'};
    const auto read = RuleOverlay::decode(bytes);
    ASSERT_TRUE(read.has_value());
    RuleText expected = text("2");
    expected.state_bytes_max = 1 << 16;
    EXPECT_EQ(read->find("hot")->text, expected);
    EXPECT_EQ(shown(read->merge({}, kClasses)), "hot=2");
}

}  // namespace
}  // namespace sluice::gateway

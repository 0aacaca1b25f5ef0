#include "manage/config/access_files.hpp"

#include <gtest/gtest.h>

#include "manage/config/users_edit.hpp"

namespace sluice::config {
namespace {

constexpr std::string_view kHash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw";
constexpr std::string_view kOther = "$argon2id$v=19$m=19456,t=3,p=1$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw";

std::string hash(std::string_view costs) { return "$argon2id$v=19$" + std::string(costs) + "$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw"; }

std::string user_problems(std::string_view text) {
    Problems problems;
    static_cast<void>(read_users(text, "u.yaml", problems));
    return format_all("?", problems);
}
std::string acl_problems(std::string_view text) {
    Problems problems;
    static_cast<void>(read_acl(text, "a.yaml", problems));
    return format_all("?", problems);
}

TEST(UsersFile, users_are_a_line_each_or_a_mapping) {
    Problems problems;
    const auto users = read_users("# ours\nana: " + std::string(kHash) + "\n\"bob b\":\n  password: '" + std::string(kOther) +
                                      "'\n  disabled: true\ncarl: {disabled: false, password: \"" + std::string(kHash) + "\"}\n",
                                  "u.yaml", problems);
    EXPECT_EQ(format_all("?", problems), "");
    ASSERT_EQ(users.size(), 3U);
    EXPECT_EQ(users[0].name, "ana");
    EXPECT_EQ(phc::format(users[0].hash), kHash);
    EXPECT_EQ(users[1].name, "bob b");
    EXPECT_TRUE(users[1].disabled);
    EXPECT_EQ(users[1].hash.cost.passes, 3U);
    EXPECT_FALSE(users[2].disabled);
}

TEST(UsersFile, every_mistake_is_reported_at_its_place) {
    EXPECT_EQ(user_problems(""), "u.yaml:1:1: warning: no users yet: `sluice passwd FILE USER` adds one\n");
    EXPECT_EQ(user_problems("- ana\n"),
              "u.yaml:1:1: error: expected users, a line each: `NAME: $argon2id$…`; `sluice passwd FILE USER` writes them\n");
    const std::string good = "ana: " + std::string(kHash) + "\n";
    EXPECT_EQ(user_problems(good + good), "u.yaml:2:1: error: duplicate key `ana`: it stands in line 1 already\n");
    EXPECT_EQ(user_problems("ana: {pasword: \"" + std::string(kHash) + "\", disabled: yes}\n"),
              "u.yaml:1:1: error: missing key `password`\n"
              "u.yaml:1:7: error: unknown key `pasword`; did you mean `password`?\n"
              "u.yaml:1:100: error: disabled: expected true or false\n");
    EXPECT_EQ(user_problems("ana: secret\nbob:\ncarl: [x]\n"),
              "u.yaml:1:6: error: expected the hash of a password, `$argon2id$v=19$…`; `sluice passwd FILE USER` writes one\n"
              "u.yaml:2:1: error: expected the hash of a password, `$argon2id$v=19$…`; `sluice passwd FILE USER` writes one\n"
              "u.yaml:3:7: error: expected the hash of a password, `$argon2id$v=19$…`; `sluice passwd FILE USER` writes one\n");
    EXPECT_EQ(user_problems("ana: $2b$12$abc\n"),
              "u.yaml:1:6: error: this kind of password hash is not supported: expected Argon2id, `$argon2id$v=19$…`\n");
    EXPECT_EQ(user_problems("a+: " + std::string(kHash) + "\n"),
              "u.yaml:1:1: warning: a name with `+`, `#` or `/` never fills `%u` in an access list\n");
    EXPECT_EQ(user_problems("\"\": " + std::string(kHash) + "\n"), "u.yaml:1:1: error: the name of a user has 1 to 256 bytes\n");
    EXPECT_EQ(user_problems("ana: {\n").substr(0, 9), "u.yaml:2:");
}

TEST(UsersFile, a_hash_that_would_take_4_GiB_is_refused_and_a_weak_one_warned_of) {
    EXPECT_EQ(
        user_problems("ana: " + hash("m=4194304,t=1,p=1") + "\n"),
        "u.yaml:1:6: error: verifying this hash would cost too much: at most m=65536 (KiB), t=16, p=8, and m times t at most 524288\n");
    EXPECT_EQ(user_problems("ana: " + hash("m=8,t=1,p=1") + "\n"),
              "u.yaml:1:6: warning: this hash is quick to guess: expected at least m=19456,t=2; `sluice passwd` writes a better one\n");
}

TEST(UsersFile, no_message_repeats_a_hash_or_a_password) {
    for (const char* text : {"ana: secret\n", "ana: $argon2id$secret\n", "ana: {password: secret}\n", "secret\n", "- secret\n"})
        EXPECT_EQ(user_problems(text).find("secret"), std::string::npos) << text;
}

TEST(AclFile, rows_are_read_as_the_design_writes_them) {
    Problems problems;
    const auto rows = read_acl(
        "- {who: \"user:ana\", may: [publish, subscribe], topics: [\"sensors/%u/#\"]}\n"
        "- {who: \"*\", may_not: [subscribe], topics: [secret/#]}\n"
        "- who: [cn:pump-1, \"client:c1\", anonymous]\n  may: publish\n  topics: [\"%c/x\", y]\n",
        "a.yaml", problems);
    EXPECT_EQ(format_all("?", problems), "");
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].who, (std::vector<AclWho>{{AclWho::Kind::user, "ana"}}));
    EXPECT_TRUE(rows[0].allows && rows[0].publish && rows[0].subscribe);
    EXPECT_EQ(rows[0].topics, (std::vector<std::string>{"sensors/%u/#"}));
    EXPECT_FALSE(rows[1].allows || rows[1].publish);
    EXPECT_TRUE(rows[1].subscribe);
    EXPECT_EQ(rows[1].at.line, 2U);
    EXPECT_EQ(rows[2].who,
              (std::vector<AclWho>{{AclWho::Kind::certificate, "pump-1"}, {AclWho::Kind::client, "c1"}, {AclWho::Kind::anonymous, ""}}));
    EXPECT_EQ(rows[2].topics.size(), 2U);
}

TEST(AclFile, every_mistake_is_reported_at_its_place) {
    EXPECT_EQ(acl_problems(""), "a.yaml:1:1: warning: no rows: nobody may publish or subscribe to anything\n");
    EXPECT_EQ(acl_problems("who: x\n"),
              "a.yaml:1:1: error: expected a list of rows: `- {who: \"*\", may: [publish], topics: [\"sensors/#\"]}`\n");
    EXPECT_EQ(acl_problems("- publish\n"),
              "a.yaml:1:3: error: expected a row such as {who: \"user:ana\", may: [publish, subscribe], topics: [\"sensors/%u/#\"]}\n");
    EXPECT_EQ(acl_problems("- {who: \"*\", may: publish, may_not: subscribe, topics: a}\n"),
              "a.yaml:1:3: error: expected one of `may` and `may_not`\n");
    EXPECT_EQ(acl_problems("- {who: \"*\", may: write, topics: a}\n"),
              "a.yaml:1:19: error: expected publish or subscribe, found `write`; known here: publish, subscribe\n");
    EXPECT_EQ(acl_problems("- {who: \"user:\", may: [], topics: [[a], \"a#\", \"%x\", \"$share/g/a\"], topic: b}\n"),
              "a.yaml:1:9: error: who: a name is missing behind `user:`\n"
              "a.yaml:1:23: error: may: expected text or a list of texts\n"
              "a.yaml:1:36: error: topics: expected text\n"
              "a.yaml:1:41: error: topics: expected a topic filter, in which %c is the client id and %u the user, found `a#`\n"
              "a.yaml:1:47: error: topics: expected a topic filter, in which %c is the client id and %u the user, found `%x`\n"
              "a.yaml:1:53: error: topics: write the filter without `$share/GROUP/`: it counts for both\n"
              "a.yaml:1:68: error: unknown key `topic`; did you mean `topics`?\n");
}

TEST(AclFile, a_row_that_is_wrong_in_part_does_not_count_in_part) {
    Problems problems;
    EXPECT_TRUE(read_acl("- {who: [\"*\", nonsense], may: publish, topics: [a, \"b#\"]}\n", "a.yaml", problems).empty());
}

TEST(AclFile, the_number_of_rows_is_bounded) {
    std::string text;
    for (std::size_t i = 0; i <= kAclRowsMax; ++i) text += "- {who: \"*\", may: publish, topics: a}\n";
    EXPECT_EQ(acl_problems(text), "a.yaml:10001:3: error: more than 10000 rows; `%u` and `%c` let one row stand for many\n");
}

// Changing a users file

TEST(UsersEdit, a_new_user_is_added_at_the_end) {
    EXPECT_EQ(set_password("", "ana", kHash).value(), "ana: \"" + std::string(kHash) + "\"\n");
    const std::string before = "# people\nana: " + std::string(kHash) + " # the boss";
    EXPECT_EQ(set_password(before, "bob", kOther).value(), before + "\nbob: \"" + std::string(kOther) + "\"\n");
    for (const char* name : {"a b", "true", "null", "1", "a: b", "#x", "-", "\"q\"", "b\\s", "äöü", "~", "*x", "a'b"}) {
        const auto text = set_password(before, name, kHash);
        ASSERT_TRUE(text.has_value()) << name;
        Problems problems;
        const auto users = read_users(*text, "u", problems);
        EXPECT_TRUE(is_valid(problems)) << *text;
        EXPECT_EQ(users.back().name, name);
    }
}

TEST(UsersEdit, only_the_hash_of_the_user_changes) {
    const std::string one(kHash);
    const std::string two(kOther);
    const std::string text = "# a\nana: " + one + "   # boss\n\nbob: {password: '" + one +
                             "', disabled: true}\ncarl:\n  # c\n  password: \"" + one + "\"\n# end\n";
    EXPECT_EQ(set_password(text, "ana", two).value(), "# a\nana: " + two + text.substr(text.find("   # boss")));
    const auto bob = set_password(text, "bob", two).value();
    EXPECT_EQ(bob, text.substr(0, text.find("bob:")) + "bob: {password: '" + two + text.substr(text.find("', disabled")));
    const auto carl = set_password(text, "carl", two).value();
    EXPECT_EQ(carl, text.substr(0, text.rfind(one)) + two + "\"\n# end\n");
}

TEST(UsersEdit, a_user_is_removed_with_the_lines_that_are_only_theirs) {
    const std::string one(kHash);
    const std::string text = "ana: " + one + " # boss\n# about bob\nbob:\n  password: " + one + "\n  disabled: true\n\ncarl: " + one + "\n";
    EXPECT_EQ(remove_user(text, "ana").value(), text.substr(text.find("# about")));
    EXPECT_EQ(remove_user(text, "bob").value(), "ana: " + one + " # boss\n# about bob\n\ncarl: " + one + "\n");
    EXPECT_EQ(remove_user(text, "carl").value(), text.substr(0, text.find("carl")));
    EXPECT_EQ(remove_user(text, "dora").error().code, base::Errc::not_found);
    EXPECT_EQ(remove_user("ana: " + one, "ana").value(), "");
}

TEST(UsersEdit, what_cannot_be_changed_in_place_is_refused_rather_than_rewritten) {
    const std::string one(kHash);
    const std::string braces = "{ana: \"" + one + "\", bob: \"" + one + "\"}\n";
    EXPECT_EQ(set_password(braces, "carl", kOther).error().code, base::Errc::unsupported);
    EXPECT_EQ(remove_user(braces, "ana").error().code, base::Errc::unsupported);
    EXPECT_TRUE(set_password(braces, "ana", kOther).has_value()) << "in place it is possible";
    EXPECT_EQ(set_password("ana: >-\n  " + one + "\n", "ana", kOther).error().code, base::Errc::unsupported);
    EXPECT_EQ(set_password("ana: secret\n", "bob", kOther).error().code, base::Errc::unsupported) << "the file has errors";
    EXPECT_EQ(set_password("", "ana", "secret").error().code, base::Errc::malformed);
}

}  // namespace
}  // namespace sluice::config

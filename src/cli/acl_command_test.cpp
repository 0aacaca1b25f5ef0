#include "cli/acl_command.hpp"

#include <gtest/gtest.h>

#include "manage/config/memory_files.hpp"

namespace sluice::cli {
namespace {

class AclTest : public testing::Test {
protected:
    AclTest() {
        files.contents["g.yaml"] = "gateway: {id: g}\nauth: {users: users.yaml, acl: acl.yaml}\n";
        const std::string hash = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw";
        files.contents["users.yaml"] = "ana: " + hash + "\nbob: {password: \"" + hash + "\", disabled: true}\n\"a/b\": " + hash + "\n";
        files.contents["acl.yaml"] =
            "- {who: \"*\", may_not: subscribe, topics: secret/#}\n"
            "- {who: \"user:ana\", may: [publish, subscribe], topics: [\"sensors/%u/#\"]}\n"
            "- {who: \"cn:pump-1\", may: publish, topics: [\"%c/out\"]}\n"
            "- {who: \"*\", may_not: publish, topics: [\"private/%u\"]}\n"
            "- {who: \"*\", may: publish, topics: [open]}\n";
    }
    AclAnswer ask(std::optional<std::string> user, const std::string& action, const std::string& topic) {
        return test_acl(files, {.config = "g.yaml", .user = std::move(user), .action = action, .topic = topic});
    }
    config::MemoryFiles files;
};

TEST_F(AclTest, the_row_that_decided_is_named) {
    const auto allowed = ask("ana", "publish", "sensors/ana/x");
    EXPECT_EQ(allowed.out, "allowed: acl.yaml:2: sensors/%u/# is allowed by this row\n");
    EXPECT_EQ(allowed.code, 0);
    const auto denied = ask("ana", "subscribe", "$share/g/secret/x");
    EXPECT_EQ(denied.out, "denied: acl.yaml:1: secret/# is forbidden by this row\n");
    EXPECT_EQ(denied.code, 1);
    EXPECT_EQ(ask("ana", "publish", "x").out, "denied: no row allows it\n");
}

TEST_F(AclTest, a_filter_that_is_too_wide_is_explained) {
    EXPECT_EQ(ask("ana", "subscribe", "#").out, "denied: acl.yaml:1: the filter reaches into secret/#, which this row forbids\n");
    EXPECT_EQ(ask("ana", "subscribe", "sensors/+/x").out,
              "denied: no row allows it; acl.yaml:2 allows a part of it only, and a subscription is allowed as a whole or not at all\n");
}

TEST_F(AclTest, who_cannot_sign_in_is_denied) {
    EXPECT_EQ(ask("eve", "publish", "open").out, "denied: there is no such user in users.yaml\n");
    EXPECT_EQ(ask("bob", "publish", "open").out, "denied: the user is disabled in users.yaml\n");
    EXPECT_EQ(ask(std::nullopt, "publish", "open").out, "denied: who shows no credentials may not connect (auth.anonymous is false)\n");
}

TEST_F(AclTest, names_that_do_not_fit_are_explained) {
    EXPECT_EQ(
        ask("a/b", "publish", "open").out,
        "denied: acl.yaml:4: private/%u cannot be filled in with this client id or name (it holds `+`, `#` or `/`), so the row forbids "
        "everything\n");
}

TEST_F(AclTest, certificates_and_client_ids_count) {
    AclQuestion asked{.config = "g.yaml", .user = {}, .certificate = "pump-1", .client = "c1", .action = "publish", .topic = "c1/out"};
    EXPECT_EQ(test_acl(files, asked).code, 0);
    asked.client = "c2";
    EXPECT_EQ(test_acl(files, asked).code, 1);
}

TEST_F(AclTest, without_a_list_or_without_auth_everything_is_allowed) {
    files.contents["g.yaml"] = "gateway: {id: g}\nauth: {users: users.yaml}\n";
    EXPECT_EQ(ask("ana", "subscribe", "#").out, "allowed: without `auth.acl` who may connect may do everything\n");
    files.contents["g.yaml"] = "gateway: {id: g}\n";
    EXPECT_EQ(ask(std::nullopt, "subscribe", "#").out, "allowed: without `auth` everybody may do everything\n");
    EXPECT_EQ(ask(std::nullopt, "publish", "$SYS/x").out, "denied: nobody may publish below $SYS/\n");
}

TEST_F(AclTest, json_says_the_same) {
    const auto answer = test_acl(files, {.config = "g.yaml", .user = "ana", .action = "publish", .topic = "sensors/ana/x", .json = true});
    EXPECT_EQ(answer.out,
              "{\"allowed\":true,\"reason\":\"sensors/%u/# is allowed by this "
              "row\",\"file\":\"acl.yaml\",\"line\":2,\"topic\":\"sensors/%u/#\"}\n");
    EXPECT_EQ(test_acl(files, {.config = "g.yaml", .user = "ana", .action = "publish", .topic = "x", .json = true}).out,
              "{\"allowed\":false,\"reason\":\"no row allows it\"}\n");
}

TEST_F(AclTest, wrong_use_and_broken_files_are_told_apart_from_denied) {
    EXPECT_EQ(ask("ana", "publish", "a/#").code, 2);
    EXPECT_EQ(ask("ana", "subscribe", "a#").code, 2);
    EXPECT_EQ(ask("ana", "subscribe", "$share/g").code, 2);
    files.contents["acl.yaml"] = "- {who: all}\n";
    const auto broken = ask("ana", "publish", "open");
    EXPECT_EQ(broken.code, 2);
    EXPECT_TRUE(broken.err.starts_with("acl.yaml:1:3: error: ")) << broken.err;
}

}  // namespace
}  // namespace sluice::cli

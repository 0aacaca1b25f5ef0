#include <gtest/gtest.h>

#include "manage/config/load.hpp"
#include "manage/config/memory_files.hpp"

namespace sluice::config {
namespace {

std::string problems_of(std::string_view text) { return read_cloud(text, "c.yaml", nullptr).text(); }
std::string problems_behind_head(const std::string& text) { return problems_of("cloud: {id: hq}\n" + text); }

TEST(CloudConfig, all_of_it_is_read) {
    MemoryFiles files;
    files.contents["tokens/plant-8"] = "t8\n";
    const auto loaded = read_cloud(
        "cloud: {id: hq, data: /var/lib/sluice}\n"
        "listen: {mqtt: [tcp://0.0.0.0:1884], http: 127.0.0.1:8081}\n"
        "auth:\n"
        "  tokens:\n"
        "    - {gateway: plant-7, token: t7}\n"
        "    - {gateway: plant-8, token_file: tokens/plant-8}\n"
        "limits: {connections: 5, store_queue_bytes: 8MiB}\n"
        "store: sqlite\n"
        "bus: embedded\n",
        "c.yaml", &files);
    EXPECT_EQ(loaded.text(),
              "c.yaml:2:17: warning: tokens and events travel unencrypted over tcp:// (TLS: tls:// here, sluices:// at "
              "the gateway)\n");
    EXPECT_TRUE(loaded.is_runnable());
    const CloudConfig& config = loaded.config;
    EXPECT_EQ(config.cloud.id, "hq");
    EXPECT_EQ(config.cloud.data.value, "/var/lib/sluice");
    ASSERT_EQ(config.auth.tokens.size(), 2U);
    EXPECT_EQ(config.auth.tokens[0].token, "t7");
    EXPECT_EQ(config.auth.tokens[1].token, "t8");
    EXPECT_EQ(config.limits.connections, 5U);
    EXPECT_EQ(config.limits.store_queue_bytes, 8U * 1024 * 1024);
    EXPECT_EQ(config.store, StoreKind::sqlite);
}

TEST(CloudConfig, defaults_of_the_table_are_those_of_the_values) {
    const auto loaded = read_cloud("cloud: {id: hq}\n", "c.yaml", nullptr);
    EXPECT_EQ(loaded.text(), "");
    CloudConfig expected;
    expected.file = "c.yaml";
    expected.cloud = {"hq", {"var", {1, 1}}};
    EXPECT_EQ(loaded.config, expected);
}

TEST(CloudConfig, what_is_not_built_is_noted) {
    EXPECT_EQ(problems_behind_head("store: postgres://db/sluice\nbus: nats://n\nlake: {url: file:///lake}\n"),
              "c.yaml:2:8: note: `store`: postgres:// is not built yet\n"
              "c.yaml:3:6: note: `bus`: nats:// is not built yet\n"
              "c.yaml:4:1: note: `lake` is not built yet\n");
    EXPECT_EQ(problems_behind_head("store: mysql\n"), "c.yaml:2:8: error: store: expected `sqlite` or `postgres://…`, found `mysql`\n");
}

TEST(CloudConfig, gateways_from_elsewhere_need_tokens) {
    EXPECT_EQ(
        problems_behind_head("listen: {mqtt: [tcp://0.0.0.0:1884]}\n"),
        "c.yaml:2:17: error: no gateway could sign in here from another machine: give them tokens (`auth: {tokens: [{gateway: …, token: "
        "…}]}`), certificates (`ca` of a tls:// listener), or allow everyone with `auth: {anonymous: true}`\n");
    EXPECT_EQ(problems_behind_head("listen: {mqtt: [tcp://0.0.0.0:1884], http: 0.0.0.0:80}\nauth: {anonymous: true}\n"), "");
    EXPECT_EQ(problems_behind_head("listen: {http: 0.0.0.0:80}\n"),
              "c.yaml:2:16: error: the API has no sign-in yet, so it must be on this machine only (127.0.0.1); to let everyone read it, "
              "add `auth: "
              "{anonymous: true}`\n");
}

TEST(CloudConfig, tokens_are_checked) {
    EXPECT_EQ(problems_behind_head("auth:\n  tokens:\n    - {gateway: a, token: x}\n    - {gateway: a, token: y}\n    - {gateway: b}\n"),
              "c.yaml:5:17: error: duplicate gateway `a`: it stands in line 4 already\n"
              "c.yaml:6:7: error: missing key: expected `token` or `token_file`\n");
    EXPECT_EQ(problems_behind_head("auth: {tokens: [{gateway: a, token: x, token_file: y}]}\n"),
              "c.yaml:2:40: error: `token` and `token_file`: only one of them can be the token\n");
}

TEST(CloudConfig, a_missing_id_is_reported_at_its_parent) {
    EXPECT_EQ(problems_of("# c\ncloud: {}\n"),
              "c.yaml:2:1: error: missing key `id` in `cloud`: expected a name of letters, digits, `_` and `-`, 1 to 64 of them\n");
}

}  // namespace
}  // namespace sluice::config

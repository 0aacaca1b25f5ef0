// Bridges, as configured and as refused.
#include <gtest/gtest.h>

#include "manage/config/load.hpp"

namespace sluice::config {
namespace {

constexpr std::string_view kHead = "gateway: {id: plant-7}\nbridges:\n";  // what follows starts at line 3

Loaded<GatewayConfig> read(const std::string& bridges) { return read_gateway(std::string(kHead) + bridges, "g.yaml", nullptr, nullptr); }
std::string problems(const std::string& bridges) { return read(bridges).text(); }

TEST(BridgeConfig, what_is_not_said_has_its_default) {
    const auto loaded = read("  - {name: hq, url: 'mqtt://broker.example', topics: [{filter: 'alerts/#'}]}\n");
    EXPECT_EQ(loaded.text(), "");
    ASSERT_EQ(loaded.config.bridges.size(), 1U);
    BridgeConfig expected;
    expected.name.value = "hq";
    expected.url = "mqtt://broker.example";
    expected.host = "broker.example";
    expected.port = 1883;
    expected.client_id = "plant-7-hq";
    expected.topics = {{.filter = "alerts/#"}};
    EXPECT_EQ(loaded.config.bridges[0], expected);
}

TEST(BridgeConfig, everything_can_be_said) {
    const auto loaded = read(
        "  - name: hq\n    url: mqtts://[::1]:9000\n    client_id: c\n    user: u\n    password: p\n    ca: ca.crt\n    cert: c.crt\n    "
        "key: c.key\n"
        "    version: 3.1.1\n    clean_start: true\n    keep_alive: 5s\n    queue_messages: 7\n    queue_bytes: 1MiB\n"
        "    topics:\n      - {direction: both, filter: '+/x', qos: 2, local_prefix: a/, remote_prefix: b/}\n"
        "      - {direction: in, qos: 0, local_prefix: here, remote_prefix: there}\n");
    EXPECT_EQ(loaded.text(), "");
    const BridgeConfig& bridge = loaded.config.bridges.at(0);
    EXPECT_TRUE(bridge.tls);
    EXPECT_EQ(bridge.host, "::1");
    EXPECT_EQ(bridge.port, 9000);
    EXPECT_EQ(bridge.client_id, "c");
    EXPECT_EQ(bridge.user, "u");
    EXPECT_EQ(bridge.password, "p");
    EXPECT_EQ(bridge.version, BridgeVersion::v311);
    EXPECT_TRUE(bridge.clean_start);
    EXPECT_EQ(bridge.keep_alive, std::chrono::seconds(5));
    EXPECT_EQ(bridge.queue_messages, 7U);
    EXPECT_EQ(bridge.topics.at(0), (BridgeTopic{BridgeDirection::both, "+/x", 2, "a/", "b/"}));
    EXPECT_EQ(bridge.topics.at(1), (BridgeTopic{BridgeDirection::in, "", 0, "here", "there"}));
}

TEST(BridgeConfig, each_mistake_is_told_at_its_place) {
    EXPECT_EQ(problems("  - {name: hq, url: 'http://h', topics: [{filter: a}]}\n"),
              "g.yaml:3:21: error: expected mqtt://HOST or mqtts://HOST, found `http://`; known here: mqtt, mqtts\n");
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{filter: 'a/#/b'}]}\n"),
              "g.yaml:3:51: error: `a/#/b`, local_prefix and filter together, is no topic filter\n"
              "g.yaml:3:51: error: `a/#/b`, remote_prefix and filter together, is no topic filter\n");
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{filter: a, local_prefix: +/}]}\n"),
              "g.yaml:3:68: error: local_prefix: a prefix has no `+` and no `#`, found `+/`\n");
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{local_prefix: a}]}\n"),
              "g.yaml:3:42: error: missing key `filter`: without it, both prefixes are needed and are the two topics\n");
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{filter: '$share/g/a'}]}\n").find("cannot share a subscription") ==
                  std::string::npos,
              false);
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', password: p, topics: [{filter: a}]}\n").find("a password needs `user`") ==
                  std::string::npos,
              false);
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://127.0.0.1', ca: x, topics: [{filter: a}]}\n"),
              "g.yaml:3:41: error: `ca` needs TLS: an mqtts:// url\n");
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{filter: a, direction: up}]}\n").find("direction: expected") ==
                  std::string::npos,
              false);
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{filter: a, qos: 3}]}\n").find("qos") == std::string::npos, false);
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{filtre: a}]}\n").find("did you mean `filter`") == std::string::npos,
              false);
}

TEST(BridgeConfig, nothing_comes_in_as_a_topic_of_the_gateways_own) {
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{filter: '#', direction: in, local_prefix: $SYS/}]}\n"),
              "g.yaml:3:85: error: local_prefix: `$SYS/` is the gateway's own: nothing from elsewhere can come in there\n");
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{filter: '$SYS/#', direction: both}]}\n"),
              "g.yaml:3:51: error: filter: `$SYS/` is the gateway's own: nothing from elsewhere can come in there\n");
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{filter: '$SYS/#', direction: out}, {filter: '#', direction: in, "
                       "remote_prefix: $SYS/, local_prefix: hq/}]}\n"),
              "")
        << "ours may go out, and theirs come in under another name";
}

TEST(BridgeConfig, what_contradicts_itself_is_refused) {
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{filter: a}, {filter: a, direction: both}]}\n"),
              "g.yaml:3:55: error: this map stands in the list already\n");
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: [{filter: a}]}\n  - {name: hq, url: 'mqtt://g', topics: [{filter: a}]}\n"),
              "g.yaml:4:12: error: duplicate bridge name `hq`: it stands in line 3 already\n");
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', queue_bytes: 2KiB, topics: [{filter: a}]}\n"),
              "g.yaml:3:46: error: `queue_bytes` (2048 bytes) must be at least `limits.payload` (262144 bytes): such a message could never "
              "wait\n");
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://h', topics: []}\n"),
              "g.yaml:3:41: error: topics: expected at least one entry, found an empty list\n");
}

TEST(BridgeConfig, a_password_in_clear_text_over_a_network_is_warned_of) {
    const auto loaded = read("  - {name: hq, url: 'mqtt://h', user: u, password: hunter2, topics: [{filter: a}]}\n");
    EXPECT_TRUE(loaded.is_runnable());
    EXPECT_NE(loaded.text().find("unencrypted"), std::string::npos);
    EXPECT_EQ(loaded.text().find("hunter2"), std::string::npos);
    EXPECT_EQ(problems("  - {name: hq, url: 'mqtt://127.0.0.1', user: u, password: p, topics: [{filter: a}]}\n"), "");
}

}  // namespace
}  // namespace sluice::config

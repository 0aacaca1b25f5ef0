// What a gateway's configuration means, and what is said about a wrong one: to the letter, as people and scripts read it.
#include <gtest/gtest.h>

#include "manage/config/load.hpp"
#include "manage/config/memory_files.hpp"
#include "manage/config/source.hpp"

namespace sluice::config {
namespace {

constexpr std::string_view kHead = "gateway: {id: plant-7}\n";  // one line: what follows starts at line 2

std::string problems_of(std::string_view text) { return read_gateway(text, "g.yaml", nullptr, nullptr).text(); }
std::string problems_behind_head(const std::string& text) { return problems_of(std::string(kHead) + text); }

/// DESIGN section 6, in full.
constexpr std::string_view kEverything = R"(gateway:
  id: plant-7
  data: ./var/plant-7
  latency: balanced
listen:
  mqtt:
    - tcp://127.0.0.1:1883
    - {url: "tls://0.0.0.0:8883", cert: server.crt, key: server.key, ca: clients.crt, require_client_cert: true}
    - ws://127.0.0.1:9001
  http: 127.0.0.1:8080
auth:
  anonymous: false
  users: users.yaml
  acl: acl.yaml
limits: {connections: 20000, keep_alive_max: 18h, payload: 256KiB}
rules:
  - id: vibration-anomaly
    sql: |
      SELECT device, ts, seq, vibration, zscore(vibration, 100) OVER (PARTITION BY device) AS z
      FROM 'sensors/+/vibration'
      WHERE abs(z) > 3
    to:
      - topic: alerts/{device}
      - cloud: alert
  - id: raw-sample
    sql: SELECT * FROM 'sensors/+/vibration' WHERE every(1000) OVER (PARTITION BY device)
    to: [{cloud: sample}]
functions:
  - name: predictive-maintenance
    runtime: python3
    path: functions/
    handler: greengrass_predictive_maintenance.lambda_handler
    event: text
    from: sensors/+/vibration
    to: [{topic: "maintenance/{topic(2)}"}]
    timeout: 3s
    workers: 2
    memory: 64MiB
modules: []
models: []
shadows: {sync: {mode: realtime}}
uplink:
  url: sluice://127.0.0.1:1884
  token: secret
  classes:
    alert:     {priority: 0, ttl: 7d}
    aggregate: {priority: 1, ttl: 2d}
    sample:    {priority: 2, ttl: 1d}
    own:       {priority: 3, ttl: 1h, max_share: 30%, drop: newest}
spool: {max_bytes: 256MiB}
)";

MemoryFiles files_of_everything() {
    MemoryFiles files;
    for (const char* name : {"server.crt", "server.key", "clients.crt"}) files.contents[std::string("etc/") + name] = "x";
    files.contents["etc/users.yaml"] = "ana: $argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw\n";
    files.contents["etc/acl.yaml"] = "- {who: \"user:ana\", may: [publish, subscribe], topics: [\"sensors/%u/#\"]}\n";
    files.contents["etc/functions/greengrass_predictive_maintenance.py"] = "x";
    return files;
}

TEST(GatewayConfig, the_whole_of_the_design_is_read_and_what_is_not_built_is_noted) {
    MemoryFiles files = files_of_everything();
    const auto loaded = read_gateway(kEverything, "etc/g.yaml", &files, nullptr);
    EXPECT_EQ(loaded.text(),
              "etc/g.yaml:28:1: note: `functions` is not built yet\n"
              "etc/g.yaml:41:1: note: `shadows` is not built yet\n");
    EXPECT_TRUE(loaded.is_valid());
    EXPECT_FALSE(loaded.is_runnable());
    EXPECT_NE(loaded.refusal().find("etc/g.yaml:28:1: error: `functions` is not built yet; take it out to start\n"), std::string::npos);

    const GatewayConfig& config = loaded.config;
    EXPECT_EQ(config.gateway.id, "plant-7");
    EXPECT_EQ(config.gateway.data.value, "etc/var/plant-7");
    EXPECT_EQ(config.gateway.data.at, (Position{3, 9}));
    ASSERT_EQ(config.listen.mqtt.size(), 3U);
    EXPECT_EQ(config.listen.mqtt[0].text(), "tcp://127.0.0.1:1883");
    EXPECT_EQ(Position(config.listen.mqtt[0].at), (Position{7, 7}));
    EXPECT_EQ(config.listen.mqtt[1].scheme, Scheme::tls);
    EXPECT_EQ(config.listen.mqtt[1].cert.value, "etc/server.crt");
    EXPECT_TRUE(config.listen.mqtt[1].require_client_cert);
    EXPECT_FALSE(config.listen.mqtt[1].is_local());
    ASSERT_TRUE(config.listen.http);
    EXPECT_EQ(config.listen.http->port, 8080);
    EXPECT_EQ(config.limits.payload, 256U * 1024);
    ASSERT_EQ(config.rules.size(), 2U);
    EXPECT_EQ(config.rules[0].id.value, "vibration-anomaly");
    EXPECT_EQ(config.rules[0].sql.position(config.rules[0].sql.value.find("WHERE")), (Position{21, 7}));
    ASSERT_EQ(config.rules[0].to.size(), 2U);
    EXPECT_EQ(config.rules[0].to[0].topic.value, "alerts/{device}");
    EXPECT_EQ(config.rules[0].to[0].topic.position(7), (Position{23, 23}));
    EXPECT_EQ(config.rules[0].to[1].cloud, "alert");
    EXPECT_EQ(config.rules[1].to[0].class_index, 2);
    ASSERT_EQ(config.functions.size(), 1U);
    EXPECT_EQ(config.functions[0].path.value, "etc/functions/");
    EXPECT_EQ(config.functions[0].event, FunctionEvent::text);
    ASSERT_EQ(config.functions[0].from.size(), 1U);
    EXPECT_EQ(config.functions[0].workers, 2U);
    EXPECT_EQ(config.shadows.sync, ShadowSync::realtime);
    EXPECT_EQ(config.uplink.host, "127.0.0.1");
    EXPECT_EQ(config.uplink.port, 1884);
    EXPECT_EQ(config.uplink.token, "secret");
    ASSERT_EQ(config.uplink.classes.size(), 4U);
    EXPECT_EQ(config.uplink.classes[3], (ClassConfig{"own", 3, std::chrono::hours(1), 30, ClassDrop::newest}));
}

TEST(GatewayConfig, defaults_of_the_table_are_those_of_the_values) {
    const auto loaded = read_gateway("gateway: {id: x}\n", "g.yaml", nullptr, nullptr);
    EXPECT_EQ(loaded.text(), "");
    GatewayConfig expected;
    expected.file = "g.yaml";
    expected.gateway.id = "x";
    expected.gateway.data = {"var", {1, 1}};
    expected.auth = {};
    EXPECT_EQ(loaded.config.gateway, expected.gateway);
    EXPECT_EQ(loaded.config.limits, expected.limits);
    EXPECT_EQ(loaded.config.auth.configured, false);
    EXPECT_EQ(loaded.config.auth.anonymous, true);
    EXPECT_EQ(loaded.config.uplink.keep_alive, expected.uplink.keep_alive);
    EXPECT_EQ(loaded.config.uplink.ack_timeout, expected.uplink.ack_timeout);
    EXPECT_EQ(loaded.config.uplink.retry_max, expected.uplink.retry_max);
    EXPECT_EQ(loaded.config.uplink.drain_rate, expected.uplink.drain_rate);
    EXPECT_EQ(loaded.config.uplink.in_flight, expected.uplink.in_flight);
    EXPECT_EQ(loaded.config.uplink.classes, expected.uplink.classes);
    EXPECT_EQ(loaded.config.spool, expected.spool);
    EXPECT_EQ(loaded.config.state, expected.state);
    EXPECT_EQ(loaded.config.cost, expected.cost);
    EXPECT_EQ(loaded.config.shadows, expected.shadows);
    EXPECT_EQ(loaded.config.log, expected.log);

    const auto some = read_gateway(
        "gateway: {id: x}\n"
        "functions: [{name: f, path: p, handler: m.f, from: t}]\n"
        "modules: [{name: m, image: i, health: {command: [x]}}]\n"
        "models: [{name: m, file: f}]\n",
        "g.yaml", nullptr, nullptr);
    ASSERT_TRUE(some.is_valid()) << some.text();
    EXPECT_EQ(some.config.functions[0].timeout, FunctionConfig{}.timeout);
    EXPECT_EQ(some.config.functions[0].runtime, FunctionConfig{}.runtime);
    EXPECT_EQ(some.config.functions[0].event, FunctionConfig{}.event);
    EXPECT_EQ(some.config.functions[0].workers, FunctionConfig{}.workers);
    EXPECT_EQ(some.config.functions[0].memory, FunctionConfig{}.memory);
    EXPECT_EQ(some.config.modules[0].restart, ModuleConfig{}.restart);
    EXPECT_EQ(some.config.modules[0].health_interval, ModuleConfig{}.health_interval);
    EXPECT_EQ(some.config.modules[0].health_timeout, ModuleConfig{}.health_timeout);
    EXPECT_EQ(some.config.modules[0].memory, ModuleConfig{}.memory);
    EXPECT_EQ(some.config.modules[0].cpus, ModuleConfig{}.cpus);
    EXPECT_EQ(some.config.models[0].budget_latency, ModelConfig{}.budget_latency);
    EXPECT_EQ(some.config.models[0].budget_memory, ModelConfig{}.budget_memory);
}

TEST(GatewayConfig, wrong_types_are_reported_at_the_value) {
    EXPECT_EQ(problems_behind_head("limits:\n  connections: many\n"),
              "g.yaml:3:16: error: connections: expected a whole number from 1 to 1000000, found `many`\n");
    EXPECT_EQ(problems_behind_head("limits: {connections: \"20\"}\n"),
              "g.yaml:2:23: error: connections: expected a whole number from 1 to 1000000, found `20` as text: take the quotes away\n");
    EXPECT_EQ(problems_behind_head("limits: {connections: [1]}\n"),
              "g.yaml:2:23: error: connections: expected a whole number from 1 to 1000000, found a list\n");
    EXPECT_EQ(problems_behind_head("limits: {connections: }\n"),
              "g.yaml:2:23: error: connections: expected a whole number from 1 to 1000000, found nothing\n");
    EXPECT_EQ(problems_behind_head("limits: {connections: 0}\n"),
              "g.yaml:2:23: error: connections: expected a whole number from 1 to 1000000, found `0`\n");
    EXPECT_EQ(problems_behind_head("limits: {keep_alive_max: 18}\n"),
              "g.yaml:2:26: error: keep_alive_max: expected a duration such as 250ms, 3s, 18h or 7d from 1s to 65535s, found `18`\n");
    EXPECT_EQ(problems_behind_head("limits: {payload: 1.5MiB}\n"),
              "g.yaml:2:19: error: payload: expected a size such as 4096, 256KiB or 64MiB from 128B to 64MiB, found `1.5MiB`\n");
    EXPECT_EQ(problems_behind_head("rules: 5\n"), "g.yaml:2:8: error: rules: expected a list, found `5`\n");
    EXPECT_EQ(problems_behind_head("rules: {a: b}\n"), "g.yaml:2:8: error: rules: expected a list, found a mapping\n");
    EXPECT_EQ(problems_behind_head("limits: [1]\n"), "g.yaml:2:9: error: limits: expected a mapping (`key: value`), found a list\n");
    EXPECT_EQ(problems_behind_head("auth: {anonymous: yes}\n"), "g.yaml:2:19: error: anonymous: expected true or false, found `yes`\n");
    EXPECT_EQ(problems_of("gateway: {id: a b}\n"),
              "g.yaml:1:15: error: id: expected a name of letters, digits, `_` and `-`, 1 to 64 of them, found `a b`\n");
    EXPECT_EQ(problems_of("gateway: {id: x, latency: ecco}\n"),
              "g.yaml:1:27: error: latency: expected one of low | balanced | eco, found `ecco`; did you mean `eco`?\n");
    EXPECT_EQ(problems_of("- a\n"), "g.yaml:1:1: error: the file: expected a mapping (`key: value`), found a list\n");
}

TEST(GatewayConfig, unknown_keys_come_with_a_suggestion) {
    EXPECT_EQ(problems_behind_head("limits: {conections: 5}\n"),
              "g.yaml:2:10: error: unknown key `conections` in `limits`; did you mean `connections`?\n");
    EXPECT_EQ(problems_behind_head("ruels: []\n"), "g.yaml:2:1: error: unknown key `ruels`; did you mean `rules`?\n");
    EXPECT_EQ(problems_behind_head("spool: {zebra: 1}\n"),
              "g.yaml:2:9: error: unknown key `zebra` in `spool`; known here: max_bytes, compression\n");
    EXPECT_EQ(problems_behind_head("rules:\n  - id: a\n    slq: SELECT * FROM 't'\n    sql: SELECT * FROM 't'\n    to: [{cloud: alert}]\n"),
              "g.yaml:4:5: error: unknown key `slq` in `rules[0]`; did you mean `sql`?\n");
}

TEST(GatewayConfig, missing_keys_are_reported_at_their_parent) {
    EXPECT_EQ(problems_of(""), "g.yaml:1:1: error: missing key `gateway`: expected a mapping (`key: value`)\n");
    EXPECT_EQ(problems_of("listen: {}\n"), "g.yaml:1:1: error: missing key `gateway`: expected a mapping (`key: value`)\n");
    EXPECT_EQ(problems_of("# head\ngateway:\n  data: x\n"),
              "g.yaml:2:1: error: missing key `id` in `gateway`: expected a name of letters, digits, `_` and `-`, 1 to 64 of them\n");
    EXPECT_EQ(problems_behind_head("rules:\n  - id: a\n    sql: SELECT * FROM 't'\n"),
              "g.yaml:3:5: error: missing key `to` in `rules[0]`: expected a list\n");
    EXPECT_EQ(problems_behind_head("rules:\n  - id: a\n    sql: SELECT * FROM 't'\n    to: []\n"),
              "g.yaml:5:9: error: to: expected at least one entry, found an empty list\n");
}

TEST(GatewayConfig, duplicates_are_reported_at_the_second) {
    EXPECT_EQ(problems_behind_head("rules:\n"
                                   "  - {id: a, sql: SELECT 1, to: [{cloud: alert}]}\n"
                                   "  - {id: b, sql: SELECT 1, to: [{cloud: alert}]}\n"
                                   "  - {id: a, sql: SELECT 1, to: [{cloud: alert}]}\n"),
              "g.yaml:5:10: error: duplicate rule id `a`: it stands in line 3 already\n");
    EXPECT_EQ(problems_behind_head(
                  "listen:\n  mqtt: [tcp://127.0.0.1:1, tcp://127.0.0.1:0, tcp://127.0.0.1:0, tcp://127.0.0.1:1]\n  http: 127.0.0.1:1\n"),
              "g.yaml:3:67: error: duplicate listener: line 3 listens there already\n"
              "g.yaml:4:9: error: `listen.mqtt` in line 3 has this port already\n"
              "g.yaml:4:9: error: `listen.mqtt` in line 3 has this port already\n");
    EXPECT_EQ(problems_behind_head("models: [{name: a, file: f}, {name: a, file: f}]\n"),
              "g.yaml:2:1: note: `models` is not built yet\n"
              "g.yaml:2:37: error: duplicate model name `a`: it stands in line 2 already\n");
}

TEST(GatewayConfig, destinations_name_one_topic_or_one_declared_class) {
    const std::string rule = "rules:\n  - id: a\n    sql: SELECT * FROM 't'\n    to:\n";
    EXPECT_EQ(problems_behind_head(rule + "      - cloud: alerts\n"),
              "g.yaml:6:16: error: class `alerts` is not declared in `uplink.classes`; did you mean `alert`?\n");
    EXPECT_EQ(problems_behind_head(rule + "      - cloud: own\n"),
              "g.yaml:6:16: error: class `own` is not declared in `uplink.classes`; known here: alert, aggregate, sample\n");
    EXPECT_EQ(problems_behind_head(rule + "      - cloud: own\nuplink: {classes: {own: {priority: 4, ttl: 1h}}}\n"), "");
    EXPECT_EQ(problems_behind_head(rule + "      - {cloud: alert, topic: x}\n"),
              "g.yaml:6:9: error: a destination is `topic` or `cloud`: found both\n");
    EXPECT_EQ(problems_behind_head(rule + "      - {}\n"), "g.yaml:6:9: error: a destination is `topic` or `cloud`: found neither\n");
    EXPECT_EQ(problems_behind_head(rule + "      - alert\n"),
              "g.yaml:6:9: error: to[0]: expected a mapping (`key: value`), found `alert`\n"
              "g.yaml:6:9: error: a destination is `topic` or `cloud`: found neither\n");
}

TEST(GatewayConfig, classes_of_ones_own_need_everything_and_are_16_at_most) {
    EXPECT_EQ(problems_behind_head("uplink:\n  classes:\n    own: {priority: 3}\n    alert: {ttl: 30d}\n"),
              "g.yaml:4:5: error: missing key `ttl` in `uplink.classes.own`: a class of your own needs `priority` and `ttl`\n");
    std::string many = "uplink:\n  classes:\n";
    for (int i = 0; i < 14; ++i) many += "    c" + std::to_string(i) + ": {priority: 3, ttl: 1h}\n";
    EXPECT_EQ(problems_behind_head(many), "g.yaml:17:5: error: more than 16 classes (alert, aggregate and sample count)\n");
    EXPECT_EQ(problems_behind_head("uplink: {classes: {a b: {priority: 3, ttl: 1h}}}\n"),
              "g.yaml:2:20: error: the name of a class: expected letters, digits, `_` and `-`, 1 to 64 of them\n");
}

TEST(GatewayConfig, a_class_has_a_share_of_the_spool_and_a_policy_of_dropping) {
    EXPECT_EQ(problems_behind_head("uplink: {classes: {alert: {max_share: 5%, drop: newest}, sample: {max_share: 100%, drop: oldest}}}\n"),
              "");
    EXPECT_EQ(
        problems_behind_head("uplink:\n  classes:\n    alert: {max_share: 4%}\n    sample: {max_share: 30}\n    aggregate: {drop: all}\n"),
        "g.yaml:4:24: error: max_share: expected a percentage such as 30% from 5% to 100%, found `4%`\n"
        "g.yaml:5:25: error: max_share: expected a percentage such as 30% from 5% to 100%, found `30`\n"
        "g.yaml:6:23: error: drop: expected one of oldest | newest, found `all`\n");
}

TEST(GatewayConfig, listeners_beyond_this_machine_need_auth) {
    const std::string why = "without `auth`, listeners must be on this machine only (127.0.0.1): anyone who can reach this one could ";
    EXPECT_EQ(problems_behind_head("listen: {mqtt: [tcp://0.0.0.0:1883], http: 0.0.0.0:80}\n"),
              "g.yaml:2:17: error: " + why + "connect; to allow just that, add `auth: {anonymous: true}`\n" + "g.yaml:2:44: error: " + why +
                  "read everything; to allow just that, add `auth: {anonymous: true}`\n");
    EXPECT_EQ(problems_behind_head("listen: {mqtt: [tcp://0.0.0.0:1883], http: 0.0.0.0:80}\nauth: {anonymous: true}\n"), "");
    EXPECT_EQ(problems_behind_head("listen: {mqtt: [tcp://localhost:1883, 'tcp://[::1]:1883', tcp://127.8.9.1:1883]}\n"), "");
    EXPECT_EQ(problems_behind_head("auth: {anonymous: false}\n"),
              "g.yaml:2:1: error: nobody could sign in: add `users`, or `anonymous: true`\n");
}

TEST(GatewayConfig, the_files_of_auth_are_read_and_their_problems_carry_their_names) {
    MemoryFiles files = files_of_everything();
    const std::string text = std::string(kHead) + "auth: {users: users.yaml, acl: acl.yaml}\n";
    const auto good = read_gateway(text, "etc/g.yaml", &files, nullptr);
    EXPECT_EQ(good.text(), "");
    ASSERT_EQ(good.config.auth.user_list.size(), 1U);
    EXPECT_EQ(good.config.auth.user_list[0].name, "ana");
    ASSERT_EQ(good.config.auth.acl_rows.size(), 1U);
    files.contents["etc/users.yaml"] += "bob: secret\n";
    files.contents["etc/acl.yaml"] += "- {who: \"user:carl\", may: publish, topics: a}\n- {who: all}\n";
    files.mode = 0644;
    const auto bad = read_gateway(text, "etc/g.yaml", &files, nullptr);
    EXPECT_EQ(bad.text(),
              "etc/g.yaml:2:15: warning: users: everyone on this machine may read the hashes and try to guess the passwords; `chmod o-r` "
              "keeps them from it\n"
              "etc/acl.yaml:2:3: warning: there is no user `carl` in etc/users.yaml\n"
              "etc/acl.yaml:3:3: error: expected one of `may` and `may_not`\n"
              "etc/acl.yaml:3:3: error: missing key `topics`\n"
              "etc/acl.yaml:3:9: error: who: expected \"*\", anonymous, user:NAME, cn:NAME or client:ID, found `all`\n"
              "etc/users.yaml:2:6: error: expected the hash of a password, `$argon2id$v=19$…`; `sluice passwd FILE USER` writes one\n");
    EXPECT_NE(to_json("etc/g.yaml", bad.problems).find(R"({"file":"etc/users.yaml","line":2,"column":6,"severity":"error")"),
              std::string::npos);
    files.contents.erase("etc/acl.yaml");
    files.errors["etc/users.yaml"] = base::Errc::permission;
    const auto unreadable = read_gateway(text, "etc/g.yaml", &files, nullptr);
    EXPECT_FALSE(unreadable.is_valid());
    EXPECT_NE(unreadable.text().find("etc/g.yaml:2:32: error: acl: `etc/acl.yaml`: there is no such file or folder\n"), std::string::npos)
        << unreadable.text();
}

TEST(GatewayConfig, passwords_in_the_clear_are_warned_of) {
    MemoryFiles files = files_of_everything();
    const auto text_of = [&](const std::string& rest) {
        return read_gateway(std::string(kHead) + rest, "etc/g.yaml", &files, nullptr).text();
    };
    EXPECT_EQ(text_of("listen: {mqtt: [tcp://0.0.0.0:1883]}\nauth: {users: users.yaml}\n"),
              "etc/g.yaml:2:17: warning: passwords travel unencrypted over tcp://: everyone on the way can read them\n");
    EXPECT_EQ(text_of("listen: {mqtt: [tcp://127.0.0.1:1883]}\nauth: {users: users.yaml}\n"), "");
    EXPECT_EQ(text_of("auth: {acl: acl.yaml}\n"), "etc/g.yaml:2:1: error: nobody could sign in: add `users`, or `anonymous: true`\n");
}

TEST(GatewayConfig, listener_urls_are_checked) {
    EXPECT_EQ(problems_behind_head("listen: {mqtt: [127.0.0.1:1883]}\n"),
              "g.yaml:2:17: error: url: expected a URL, found `127.0.0.1:1883`\n");
    EXPECT_EQ(problems_behind_head("listen: {mqtt: [tcp://127.0.0.1]}\n"),
              "g.yaml:2:17: error: expected a port, such as tcp://127.0.0.1:1883\n");
    EXPECT_EQ(problems_behind_head("listen: {mqtt: [tpc://127.0.0.1:1]}\n"),
              "g.yaml:2:17: error: unknown scheme `tpc://`; did you mean `tcp`?\n");
    EXPECT_EQ(problems_behind_head("listen: {mqtt: [tcp://plant.local:1]}\nauth: {anonymous: true}\n"),
              "g.yaml:2:17: error: expected an IP address or localhost, found `plant.local`: listeners do not look names up\n");
    EXPECT_EQ(problems_behind_head("listen: {mqtt: [{url: tcp://127.0.0.1:1, cert: c}]}\n"),
              "g.yaml:2:42: error: `cert` belongs to tls:// and wss:// listeners only\n");
    EXPECT_EQ(problems_behind_head("listen: {mqtt: [{url: tls://127.0.0.1:1, cert: c}]}\n"),
              "g.yaml:2:17: error: missing key `key`: a tls:// listener needs `cert` and `key`\n");
    EXPECT_EQ(problems_behind_head("listen: {mqtt: [tcp://127.0.0.1:65536]}\n"),
              "g.yaml:2:17: error: url: expected a URL, found `tcp://127.0.0.1:65536`: a port is at most 65535\n");
    EXPECT_EQ(problems_behind_head("listen: {http: '[::1]:999999'}\n"),
              "g.yaml:2:16: error: http: expected HOST:PORT, found `[::1]:999999`: a port is at most 65535\n");
    EXPECT_EQ(problems_behind_head("listen: {http: 8080}\n"), "g.yaml:2:16: error: http: expected HOST:PORT, found `8080`\n");
}

TEST(GatewayConfig, secrets_are_not_repeated_in_messages) {
    EXPECT_EQ(problems_behind_head("uplink: {token: [hunter2]}\n"), "g.yaml:2:17: error: token: expected text, found a list\n");
    EXPECT_EQ(problems_behind_head("uplink: {token: ' '}\n"), "g.yaml:2:17: error: token: expected text, found text\n");
}

TEST(GatewayConfig, escapes_cannot_bring_in_control_characters) {
    const std::string rule = "rules:\n  - id: a\n    sql: SELECT * FROM 't'\n    to: [{topic: \"";
    EXPECT_EQ(problems_behind_head(rule + "a\\0b\"}]\n"), "g.yaml:5:18: error: topic: expected a topic, found `a\\x00b`\n");
    EXPECT_EQ(problems_of("gateway: {id: x, data: \"a\\nb\"}\n"), "g.yaml:1:24: error: data: expected a path, found `a\\x0ab`\n");
}

TEST(GatewayConfig, limits_must_fit_together) {
    EXPECT_EQ(problems_behind_head("limits: {payload: 2MiB}\n"),
              "g.yaml:2:19: error: `queue_bytes` (1048576 bytes) must be at least `payload` (2097152 bytes): such a message could never "
              "wait for a "
              "subscriber\n");
    EXPECT_EQ(problems_behind_head("limits: {payload: 2MiB, queue_bytes: 2MiB}\n"), "");
}

TEST(GatewayConfig, files_that_it_names_must_be_there) {
    MemoryFiles files = files_of_everything();
    files.contents.erase("etc/server.crt");
    files.contents.erase("etc/functions/greengrass_predictive_maintenance.py");
    files.contents["etc/denied"] = "x";
    const std::string text = read_gateway(kEverything, "etc/g.yaml", &files, nullptr).text();
    EXPECT_NE(text.find("etc/g.yaml:8:41: error: cert: `etc/server.crt`: there is no such file or folder\n"), std::string::npos) << text;
    EXPECT_NE(text.find("etc/g.yaml:31:11: error: path: `etc/functions/`: there is no such file or folder\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("server.key"), std::string::npos) << text;
}

TEST(GatewayConfig, a_token_can_come_from_a_file) {
    MemoryFiles files;
    files.contents["t"] = "abc123\n";
    const std::string text = std::string(kHead) + "uplink: {url: sluice://127.0.0.1, token_file: t}\n";
    const auto loaded = read_gateway(text, "g.yaml", &files, nullptr);
    EXPECT_EQ(loaded.text(), "");
    EXPECT_EQ(loaded.config.uplink.token, "abc123");
    files.mode = 0640;
    EXPECT_EQ(read_gateway(text, "g.yaml", &files, nullptr).text(),
              "g.yaml:2:47: warning: token_file: other users of this machine may read it; `chmod 600` keeps it secret\n");
    files.mode = 0600;
    files.contents["t"] = "two words\n";
    EXPECT_EQ(read_gateway(text, "g.yaml", &files, nullptr).text(),
              "g.yaml:2:47: error: token_file: expected one line of printable ASCII without spaces\n");
    files.contents.erase("t");
    EXPECT_EQ(read_gateway(text, "g.yaml", &files, nullptr).text(),
              "g.yaml:2:47: error: token_file: `t`: there is no such file or folder\n");
}

TEST(GatewayConfig, functions_and_modules_say_which_of_two) {
    EXPECT_EQ(problems_behind_head("functions:\n  - {name: f, path: p, handler: m.f}\n"),
              "g.yaml:2:1: note: `functions` is not built yet\n"
              "g.yaml:3:5: error: a function gets messages by `from` or by `sql`: found neither\n");
    EXPECT_EQ(problems_behind_head("functions:\n  - {name: f, path: p, from: [a/#, b/+/c/#, d#]}\n"),
              "g.yaml:2:1: note: `functions` is not built yet\n"
              "g.yaml:3:5: error: missing key `handler`: python3 needs module.function or module.Class.method\n"
              "g.yaml:3:45: error: from[2]: expected an MQTT topic filter, found `d#`\n");
    EXPECT_EQ(problems_behind_head("modules:\n  - {name: m, image: i, command: [c], env: {A: b}}\n"),
              "g.yaml:2:1: note: `modules` is not built yet\n"
              "g.yaml:3:5: error: a module is an `image` or a `command`: found both\n");
}

TEST(GatewayConfig, all_problems_are_reported_in_the_order_of_the_file) {
    EXPECT_EQ(problems_of("gateway: {id: a b, x: 1}\nlimits: {payload: big, payload: 1}\nspool: {max_bytes: 1}\n"),
              "g.yaml:1:15: error: id: expected a name of letters, digits, `_` and `-`, 1 to 64 of them, found `a b`\n"
              "g.yaml:1:20: error: unknown key `x` in `gateway`; known here: id, data, latency, shards, sys_interval\n"
              "g.yaml:2:19: error: payload: expected a size such as 4096, 256KiB or 64MiB from 128B to 64MiB, found `big`\n"
              "g.yaml:2:24: error: duplicate key `payload`: it stands in line 2 already\n"
              "g.yaml:3:20: error: max_bytes: expected a size such as 4096, 256KiB or 64MiB from 1MiB to 64TiB, found `1`\n");
}

TEST(GatewayConfig, a_file_that_cannot_be_read_says_why) {
    MemoryFiles files;
    EXPECT_EQ(load_gateway(files, "no.yaml", nullptr).text(),
              "no.yaml:1:1: error: there is no such file; `sluice init` writes one to start from\n");
    files.errors["locked.yaml"] = base::Errc::permission;
    EXPECT_EQ(load_gateway(files, "locked.yaml", nullptr).text(),
              "locked.yaml:1:1: error: cannot be read: permission: not permitted by the operating system\n");
    files.contents["big.yaml"] = std::string(kFileBytesMax + 1, '#');
    EXPECT_EQ(load_gateway(files, "big.yaml", nullptr).text(), "big.yaml:1:1: error: larger than 8388608 bytes: not a configuration\n");
    files.contents["good.yaml"] = std::string("\xEF\xBB\xBF") + "gateway: {id: x}\n";
    EXPECT_EQ(load_gateway(files, "good.yaml", nullptr).text(), "") << "a byte order mark is not part of the text";
}

TEST(GatewayConfig, hostile_files_end_in_bounded_messages) {
    std::string many = "gateway: {id: x}\n";
    for (int i = 0; i < 5'000; ++i) many += "k" + std::to_string(i) + ": 1\n";
    const auto loaded = read_gateway(many, "g.yaml", nullptr, nullptr);
    ASSERT_EQ(loaded.problems.size(), kProblemsMax + 1);
    EXPECT_EQ(loaded.problems.back().message, "and 4800 more problems from here on");
    EXPECT_EQ(loaded.problems.back().severity, Severity::error);
    EXPECT_EQ(problems_of("gateway: {id: \"" + std::string(100'000, 'x') + "\"}\n").size(), 162U);
    std::string wide;
    for (int i = 0; i < 1'000; ++i) wide += "\xE2\x82\xAC";
    const std::string cut = problems_of("gateway: {id: x}\n? " + wide + "\n: 1\n");
    EXPECT_LE(cut.size(), 300U) << cut;
    EXPECT_FALSE(first_bad_byte(cut)) << "no half characters";
    EXPECT_EQ(problems_behind_head("log: {level: \"\\u0007\\u001b[31m\"}\n"),
              "g.yaml:2:14: error: level: expected one of debug | info | warning | error, found `\\x07\\x1b[31m`\n")
        << "escapes of a terminal are shown, not sent";
}

TEST(GatewayConfig, the_tier_is_known_by_the_top_key) {
    EXPECT_EQ(tier_of("gateway: {}\n"), Tier::gateway);
    EXPECT_EQ(tier_of("cloud: {}\n"), Tier::cloud);
    EXPECT_EQ(tier_of("cloud: {}\ngateway: {}\n"), Tier::unknown);
    EXPECT_EQ(tier_of("clod: {}\n"), Tier::unknown);
    EXPECT_EQ(tier_of("[\n"), Tier::unknown);
}

TEST(GatewayConfig, a_file_without_its_top_key_is_checked_as_what_it_was_meant_for) {
    MemoryFiles files;
    files.contents["c.yaml"] = "clod: {id: hq}\n";
    EXPECT_EQ(check_file(files, "c.yaml", nullptr).tier, Tier::cloud);
    EXPECT_EQ(format_all("c.yaml", check_file(files, "c.yaml", nullptr).problems),
              "c.yaml:1:1: error: unknown key `clod`; did you mean `cloud`?\n"
              "c.yaml:1:1: error: missing key `cloud`: expected a mapping (`key: value`)\n");
    files.contents["g.yaml"] = "gatway: {id: x}\n";
    EXPECT_EQ(check_file(files, "g.yaml", nullptr).tier, Tier::gateway);
    files.contents["broken.yaml"] = "[\n";
    EXPECT_FALSE(is_valid(check_file(files, "broken.yaml", nullptr).problems));
    EXPECT_EQ(check_file(files, "none.yaml", nullptr).tier, Tier::unknown);
}

TEST(GatewayConfig, the_file_of_the_other_tier_is_named_as_such) {
    EXPECT_EQ(
        problems_of("listen: {http: x}\ncloud: {id: hq}\n"),
        "g.yaml:2:1: error: this is the configuration of a cloud, and a gateway's was expected; it runs with `sluice cloud -c FILE`\n");
    EXPECT_EQ(
        read_cloud("gateway: {id: x}\n", "c.yaml", nullptr).text(),
        "c.yaml:1:1: error: this is the configuration of a gateway, and a cloud's was expected; it runs with `sluice gateway -c FILE`\n");
}

TEST(GatewayConfig, two_files_that_mean_the_same_are_equal) {
    const std::string listen = "listen: {mqtt: [tcp://127.0.0.1:1]}\n";
    const std::string rules = "rules: [{id: a, sql: SELECT * FROM 't', to: [{topic: x}]}]\n";
    const auto one = read_gateway(std::string(kHead) + listen + rules, "g.yaml", nullptr, nullptr).config;
    const auto moved = read_gateway("# moved\n\n" + rules + std::string(kHead) + listen, "g.yaml", nullptr, nullptr).config;
    EXPECT_EQ(one, moved);
    const auto other =
        read_gateway(std::string(kHead) + rules + "listen: {mqtt: [tcp://127.0.0.1:2]}\n", "g.yaml", nullptr, nullptr).config;
    EXPECT_NE(one, other);
}

TEST(Problems, json_carries_the_same_as_the_text) {
    const auto loaded = read_gateway("gateway: {id: x}\nmodels: [{name: a, file: \"q\\\"\"}]\n", "g \"1\".yaml", nullptr, nullptr);
    EXPECT_EQ(
        to_json("g \"1\".yaml", loaded.problems),
        R"([{"file":"g \"1\".yaml","line":2,"column":1,"severity":"note","key":"models","message":"`models` is not built yet","not_built":true}])");
}

TEST(GatewayConfig, tables_are_read_with_one_column_of_the_key_or_several) {
    MemoryFiles files;
    files.contents["/etc/machines.csv"] = "id\n";
    files.contents["/etc/lines.json"] = "[]";
    const auto loaded = read_gateway(
        "gateway: {id: x}\ntables:\n  - {name: machines, file: machines.csv, key: id}\n  - {name: lines, file: lines.json, key: [site, "
        "line]}\n",
        "/etc/g.yaml", &files, nullptr);
    ASSERT_EQ(loaded.text(), "");
    ASSERT_EQ(loaded.config.tables.size(), 2U);
    EXPECT_EQ(loaded.config.tables[0].file.value, "/etc/machines.csv");
    EXPECT_EQ(loaded.config.tables[0].key, (std::vector<Located>{{"id", {}}}));
    EXPECT_EQ(loaded.config.tables[1].key, (std::vector<Located>{{"site", {}}, {"line", {}}}));
}

TEST(GatewayConfig, wrong_tables_are_reported_at_their_places) {
    MemoryFiles files;
    files.contents["/etc/t.csv"] = "id\n";
    files.contents["/etc/t.txt"] = "id\n";
    const auto problems = [&](const std::string& tables) {
        return read_gateway("gateway: {id: x}\ntables:\n" + tables, "/etc/g.yaml", &files, nullptr).text();
    };
    EXPECT_EQ(problems("  - {name: t, file: t.csv, key: id}\n  - {name: t, file: t.csv, key: id}\n"),
              "/etc/g.yaml:4:12: error: duplicate table name `t`: it stands in line 3 already\n");
    EXPECT_EQ(problems("  - {name: t, file: t.txt, key: id}\n"),
              "/etc/g.yaml:3:21: error: file: expected a name with .csv, .json or .ndjson at its end, found /etc/t.txt\n");
    EXPECT_NE(problems("  - {name: t, file: none.csv, key: id}\n").find("/etc/g.yaml:3:21: error: "), std::string::npos);
    EXPECT_NE(problems("  - {name: t, file: t.csv}\n").find("missing key `key`"), std::string::npos);
    EXPECT_NE(problems("  - {name: t, file: t.csv, key: []}\n").find("expected at least one entry"), std::string::npos);
}

TEST(GatewayConfig, classes_of_machines_have_three_ascending_limits) {
    const auto read = [](const std::string& classes) {
        return read_gateway("gateway: {id: x}\niso20816:\n" + classes, "g.yaml", nullptr, nullptr);
    };
    const auto good = read("  mills: [2, 3.6, 5.6]\n");
    ASSERT_EQ(good.text(), "");
    ASSERT_EQ(good.config.machine_classes.size(), 1U);
    EXPECT_EQ(good.config.machine_classes[0].name, "mills");
    EXPECT_EQ(good.config.machine_classes[0].limits, (std::array<double, 3>{2, 3.6, 5.6}));
    EXPECT_EQ(read("  mills: [2, 2, 5]\n").text(), "g.yaml:3:14: error: limits must ascend: 2 stands behind 2\n");
    EXPECT_EQ(read("  mills: [2, 3]\n").text(),
              "g.yaml:3:10: error: expected three limits, of zones A, B and C in mm/s, found 2: [2.3, 4.5, 7.1]\n");
    EXPECT_NE(read("  mills: [-1, 3, 5]\n").text().find("g.yaml:3:11: error: "), std::string::npos);
    EXPECT_NE(read("  mills: 5\n").text().find("g.yaml:3:10: error: "), std::string::npos);
    EXPECT_NE(read("  'a b': [1, 2, 3]\n").text().find("the name of a class of machines"), std::string::npos);
}

}  // namespace
}  // namespace sluice::config

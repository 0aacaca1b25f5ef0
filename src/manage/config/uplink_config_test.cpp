// Which cloud: what each kind reads, and what is said about a wrong one, to the letter.
#include <gtest/gtest.h>

#include "manage/config/built.hpp"
#include "manage/config/load.hpp"

namespace sluice::config {
namespace {

std::string problems_behind_head(const std::string& text) {
    return read_gateway("gateway: {id: plant-7}\n" + text, "g.yaml", nullptr, nullptr).text();
}

Uplink read(const std::string& uplink) {
    return read_gateway("gateway: {id: x}\nuplink: {url: " + uplink + "}\n", "g", nullptr, nullptr).config.uplink;
}

TEST(UplinkConfig, the_uplink_is_checked) {
    EXPECT_EQ(problems_behind_head("uplink: {url: sluise://h}\n"),
              "g.yaml:2:15: error: unknown scheme `sluise://`; did you mean `sluice`?\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: sluices://h, token: t}\n"), "");
    EXPECT_EQ(problems_behind_head("uplink: {url: sluice://far:1884, token: t}\n"),
              "g.yaml:2:15: warning: the token and all events travel unencrypted over sluice:// (TLS: sluices://)\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: sluice://h, cert: c}\n"),
              "g.yaml:2:27: error: `cert` and `key` are needed together\n"
              "g.yaml:2:27: error: `cert` needs TLS: an uplink over sluices://\n");
    EXPECT_EQ(problems_behind_head("uplink: {token: a, token_file: b}\n"),
              "g.yaml:2:20: error: `token` and `token_file`: only one of them can be the token\n");
    EXPECT_EQ(read_gateway("gateway: {id: x}\nuplink: {url: 'sluice://[::1]'}\n", "g", nullptr, nullptr).config.uplink.port, 1884);
}

TEST(UplinkConfig, a_broker_as_the_cloud_is_read_and_checked) {
    const Uplink plain = read("mqtt://far");
    EXPECT_EQ(plain.kind, UplinkKind::mqtt);
    EXPECT_EQ(plain.port, 1883);
    EXPECT_EQ(plain.client_id, "x");
    EXPECT_EQ(plain.topic, "sluice/{gateway}/{class}");
    EXPECT_EQ(plain.payload, UplinkPayload::batch);
    const Uplink aws = read("aws://far:443, cert: c, key: k");
    EXPECT_TRUE(aws.tls);
    EXPECT_EQ(aws.alpn, "x-amzn-mqtt-ca");
    EXPECT_LT(aws.message_bytes, 128U * 1024U);
    EXPECT_EQ(read("aws://far, cert: c, key: k").port, 8883);

    EXPECT_EQ(problems_behind_head("uplink: {url: mqtt://h, topic: 'a/{rule}'}\n"),
              "g.yaml:2:32: error: `{rule}`: a batch holds events of many rules; `payload: envelope` or `data` sends one a message\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: mqtt://h, payload: data, topic: 'a/{rule}'}\n"), "");
    EXPECT_EQ(problems_behind_head("uplink: {url: mqtt://h, topic: 'a/{what}'}\n"),
              "g.yaml:2:32: error: `a/{what}`: expected `gateway`, `class` or `rule` in braces\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: mqtt://h, topic: 'a/#'}\n"), "g.yaml:2:32: error: `a/#` is no topic name\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: mqtt://h, status_topic: 'a/{class}'}\n"),
              "g.yaml:2:39: error: `a/{class}`: expected `gateway` in braces\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: mqtt://h, token: t}\n"),
              "g.yaml:2:15: warning: the token and all events travel unencrypted over mqtt:// (TLS: mqtts://)\n"
              "g.yaml:2:25: error: `token` is for sluice://, sluices://, nats://, http:// and https://: mqtt:// has no use for it\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: mqtt://h, password: p}\n"),
              "g.yaml:2:15: warning: the password and all events travel unencrypted over mqtt:// (TLS: mqtts://)\n"
              "g.yaml:2:25: error: a password needs `user`\n");
    EXPECT_EQ(
        problems_behind_head("uplink: {url: sluice://h, topic: x}\n"),
        "g.yaml:2:27: error: `topic` is for mqtt://, mqtts://, aws://, nats://, kafka:// and kafkas://: sluice:// has no use for it\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: aws://h}\n"),
              "g.yaml:2:15: error: missing key `cert` in `uplink`: AWS IoT Core knows a gateway by it\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: aws://h, cert: c, key: k, topic: a/b/c/d/e/f/g/h/i}\n"),
              "g.yaml:2:48: error: AWS IoT Core takes topics of at most 8 levels and 256 bytes\n");
}

TEST(UplinkConfig, azure_as_the_cloud_is_read_and_checked) {
    const Uplink azure = read("azure://hub.azure-devices.net, client_id: line-1, password: a2V5");
    EXPECT_EQ(azure.kind, UplinkKind::azure);
    EXPECT_TRUE(azure.tls);
    EXPECT_EQ(azure.port, 8883);
    EXPECT_EQ(azure.client_id, "line-1");
    EXPECT_EQ(azure.version, UplinkVersion::v311);
    EXPECT_LT(azure.message_bytes, 256U * 1024U);
    EXPECT_EQ(problems_behind_head("uplink: {url: azure://h, password: a2V5}\n"), "");
    EXPECT_EQ(problems_behind_head("uplink: {url: azure://h, cert: c, key: k}\n"), "");
    EXPECT_EQ(problems_behind_head("uplink: {url: azure://h, password: 'my key'}\n"),
              "g.yaml:2:36: error: expected the device's shared access key as the portal shows it, in base64\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: azure://h}\n"),
              "g.yaml:2:15: error: missing key `password` in `uplink`: the device's shared access key; or `cert` and `key`\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: azure://h, password: a2V5, cert: c, key: k}\n"),
              "g.yaml:2:15: error: a device at Azure IoT Hub has a shared access key or a certificate, not both\n");
    EXPECT_EQ(
        problems_behind_head("uplink: {url: azure://h, password: a2V5, topic: t}\n"),
        "g.yaml:2:42: error: `topic` is for mqtt://, mqtts://, aws://, nats://, kafka:// and kafkas://: azure:// has no use for it\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: azure://h, password: a2V5, client_id: 'a b'}\n"),
              "g.yaml:2:53: error: client_id: the device's id at the hub: expected 1 to 128 letters, digits and - . % _ # * ? ! ( ) , : "
              "= @ $ '\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: azure://h, password: a2V5, keep_alive: 30m}\n"),
              "g.yaml:2:54: error: Azure IoT Hub takes a keep-alive of at most 1767s\n");
}

TEST(UplinkConfig, a_receiver_over_http_is_read_and_checked) {
    const Uplink http = read("'https://in.example/v1/{class}', token: t");
    EXPECT_EQ(http.kind, UplinkKind::http);
    EXPECT_TRUE(http.tls);
    EXPECT_EQ(http.port, 443);
    EXPECT_TRUE(http.default_port);
    EXPECT_EQ(http.topic, "/v1/{class}");
    EXPECT_EQ(http.token, "t");
    EXPECT_EQ(read("http://127.0.0.1:8000").topic, "/");
    EXPECT_FALSE(read("http://127.0.0.1:8000").default_port);
    EXPECT_EQ(problems_behind_head("uplink: {url: 'http://127.0.0.1/{rule}', payload: data, user: u, password: p}\n"), "");
    EXPECT_EQ(
        problems_behind_head("uplink: {url: 'http://127.0.0.1/{rule}'}\n"),
        "g.yaml:2:15: error: expected a path of printable ASCII, percent-encoded, with `{gateway}`, `{class}` and, where `payload` is "
        "not `batch`, `{rule}` in braces\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: http://h, token: t}\n"),
              "g.yaml:2:15: warning: the token and all events travel unencrypted over http:// (TLS: https://)\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: http://127.0.0.1, token: t, user: u}\n"),
              "g.yaml:2:43: error: `token` and `user`: only one of them can sign in\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: mqtt://h/path}\n"),
              "g.yaml:2:15: error: expected mqtt://HOST[:PORT], found a path behind it\n");
}

TEST(UplinkConfig, nats_as_the_cloud_is_read_and_checked) {
    const Uplink nats = read("nats://a, servers: ['b:4223', c], replicas: 3");
    EXPECT_EQ(nats.kind, UplinkKind::nats);
    EXPECT_EQ(nats.port, 4222);
    EXPECT_EQ(nats.servers, (std::vector<std::string>{"b:4223", "c:4222"}));
    EXPECT_EQ(nats.topic, "sluice.{gateway}.{class}");
    EXPECT_EQ(nats.stream, "SLUICE");
    EXPECT_EQ(nats.replicas, 3U);
    EXPECT_FALSE(nats.tls);
    EXPECT_TRUE(read("nats://a, ca: c").tls);
    EXPECT_EQ(problems_behind_head("uplink: {url: nats://127.0.0.1, topic: 'a.*'}\n"),
              "g.yaml:2:40: error: `a.*`: expected a subject such as plant.{gateway}.{class}, without wildcards; `{rule}` only where "
              "`payload` is not `batch`\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: nats://127.0.0.1, servers: ['a:b']}\n"),
              "g.yaml:2:43: error: expected HOST[:PORT], found `a:b`\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: nats://127.0.0.1, stream: a.b}\n"),
              "g.yaml:2:41: error: stream: expected printable ASCII without . * > / \\ and spaces\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: nats://far, token: t}\n"),
              "g.yaml:2:15: warning: the token and all events travel unencrypted over nats:// (TLS: with `ca`)\n");
}

TEST(UplinkConfig, kafka_as_the_cloud_is_read_and_checked) {
    const Uplink kafka =
        read("'kafka://a,b:9093,[::1]:9094', topic: 'plants-{class}', compression: lz4, user: u, password: p, sasl: scram-sha-512");
    EXPECT_EQ(kafka.kind, UplinkKind::kafka);
    EXPECT_EQ(kafka.brokers, (std::vector<std::string>{"a:9092", "b:9093", "[::1]:9094"}));
    EXPECT_EQ(kafka.topic, "plants-{class}");
    EXPECT_EQ(kafka.compression, UplinkCompression::lz4);
    EXPECT_EQ(kafka.sasl, UplinkSasl::scram_sha_512);
    EXPECT_FALSE(kafka.tls);
    const Uplink secure = read("kafkas://a");
    EXPECT_TRUE(secure.tls);
    EXPECT_EQ(secure.brokers, (std::vector<std::string>{"a:9093"}));
    EXPECT_EQ(secure.topic, "sluice-{class}");
    EXPECT_EQ(secure.compression, UplinkCompression::zstd);
    EXPECT_EQ(secure.sasl, UplinkSasl::plain);
}

/// What is said of a configuration beside that this binary cannot do it, where it cannot.
std::string kafka_problems(const std::string& uplink) {
    std::string out = problems_behind_head("uplink: {url: " + uplink + "}\n");
    const std::string scheme = uplink.find("kafkas:") == std::string::npos ? "kafka" : "kafkas";
    const std::string missing = "g.yaml:2:15: error: this binary was built without an uplink over " + scheme +
                                ":// (CMake option SLUICE_KAFKA=OFF): use one that has it, or another cloud\n";
    const std::size_t said = out.find(missing);
    EXPECT_EQ(said != std::string::npos, !is_kafka_built()) << out;
    return said == std::string::npos ? out : out.erase(said, missing.size());
}

TEST(UplinkConfig, what_is_wrong_with_kafka_is_said) {
    EXPECT_EQ(kafka_problems("kafka://h"), "") << "and, in a binary without it, that";
    EXPECT_EQ(kafka_problems("kafkas://h, user: u, password: p, ca: c"), "");
    EXPECT_EQ(
        kafka_problems("kafka://127.0.0.1, topic: a/b"),
        "g.yaml:2:41: error: `a/b`: expected a topic such as plant-{class} of letters, digits and . _ -; `{rule}` only where `payload` "
        "is not `batch`\n");
    EXPECT_EQ(kafka_problems("kafka://127.0.0.1, payload: data, topic: 'a-{rule}'"), "");
    EXPECT_EQ(kafka_problems("kafka://far, user: u, password: p"),
              "g.yaml:2:15: warning: the password and all events travel unencrypted over kafka:// (TLS: kafkas://)\n");
    EXPECT_EQ(kafka_problems("'kafka://127.0.0.1,far', user: u, password: p"),
              "g.yaml:2:15: warning: the password and all events travel unencrypted over kafka:// (TLS: kafkas://)\n")
        << "one of them is not on this machine";
    EXPECT_EQ(kafka_problems("kafka://127.0.0.1, cert: c, key: k"),
              "g.yaml:2:34: error: `cert` needs TLS: an uplink over kafkas://\n"
              "g.yaml:2:43: error: `key` needs TLS: an uplink over kafkas://\n");
    EXPECT_EQ(kafka_problems("'kafka://a:9092,b:0'"), "g.yaml:2:15: error: `b`: expected a port from 1 to 65535, found 0\n");
    EXPECT_EQ(kafka_problems("'kafka://a:0,b'"), "g.yaml:2:15: error: `a`: expected a port from 1 to 65535, found 0\n");
    EXPECT_EQ(
        kafka_problems("'kafka://a,b:99999,c'"),
        "g.yaml:2:15: error: url: expected a URL, found `kafka://a,b:99999,c`: `b:99999` is not HOST[:PORT]: a port is at most 65535\n");
    EXPECT_EQ(kafka_problems("'kafkas://a,b:x'"),
              "g.yaml:2:15: error: url: expected a URL, found `kafkas://a,b:x`: `b:x` is not HOST[:PORT]\n");
    EXPECT_EQ(kafka_problems("'kafka://a,b/topic'"),
              "g.yaml:2:15: error: expected kafka://HOST[:PORT][,HOST[:PORT]], found a path behind it\n");
    EXPECT_EQ(
        kafka_problems("kafka://a, sasl: scram-sha-256"),
        "g.yaml:2:26: error: `sasl` says how `user` signs in, and there is none: expected `user` and `password` or `password_file`\n");
    EXPECT_EQ(kafka_problems("kafkas://a, sasl: plain, user: u, password: p"), "");
    EXPECT_EQ(kafka_problems("kafka://a, servers: [b]"), "g.yaml:2:26: error: `servers` is for nats://: kafka:// has no use for it\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: mqtt://h, sasl: plain}\n"),
              "g.yaml:2:25: error: `sasl` is for kafka:// and kafkas://: mqtt:// has no use for it\n");
    EXPECT_EQ(problems_behind_head("uplink: {url: 'mqtt://a,b'}\n"), "g.yaml:2:15: error: url: expected a URL, found `mqtt://a,b`\n")
        << "several hosts: only Kafka's";
}

}  // namespace
}  // namespace sluice::config

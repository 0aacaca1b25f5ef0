// Keys of listeners: what they mean, and what is said about wrong ones.
#include <gtest/gtest.h>

#include "manage/config/load.hpp"

namespace sluice::config {
namespace {

Loaded<GatewayConfig> read(const std::string& listener, const std::string& more = "") {
    return read_gateway("gateway: {id: plant-7}\nlisten: {mqtt: [" + listener + "]}\n" + more, "etc/g.yaml", nullptr, nullptr);
}
std::string problems_of(const std::string& listener, const std::string& more = "") { return read(listener, more).text(); }

MqttListener only(const Loaded<GatewayConfig>& loaded) {
    EXPECT_EQ(loaded.text(), "");
    EXPECT_EQ(loaded.config.listen.mqtt.size(), 1U);
    return loaded.config.listen.mqtt.empty() ? MqttListener{} : loaded.config.listen.mqtt.front();
}

TEST(ListenerConfig, certificates_revocations_and_names_are_read) {
    const auto listener =
        only(read("{url: 'wss://127.0.0.1:9443', cert: a.crt, key: a.key, ca: /ca.crt, crl: ca.crl, identity: san, origins: "
                  "['https://dash.example:8443', '*'], sni: [{name: '*.Plants.example', cert: b.crt, key: b.key}]}"));
    EXPECT_EQ(listener.scheme, Scheme::wss);
    EXPECT_EQ(listener.crl.value, "etc/ca.crl");
    EXPECT_EQ(listener.identity, CertificateName::san);
    ASSERT_EQ(listener.sni.size(), 1U);
    EXPECT_EQ(listener.sni[0].name, "*.plants.example");
    EXPECT_EQ(listener.sni[0].cert.value, "etc/b.crt");
    EXPECT_EQ(listener.origins, (std::vector<std::string>{"https://dash.example:8443", "*"}));
    EXPECT_FALSE(listener.require_client_cert);
}

TEST(ListenerConfig, a_unix_socket_is_relative_to_the_file_and_local) {
    const auto listener = only(read("{url: 'unix://./var/mqtt.sock', mode: 0600}"));
    EXPECT_EQ(listener.socket, "etc/var/mqtt.sock");
    EXPECT_EQ(listener.mode, 0600U);
    EXPECT_TRUE(listener.is_local());
    EXPECT_EQ(listener.text(), "unix://etc/var/mqtt.sock");
    EXPECT_EQ(only(read("'unix:///run/sluice.sock'")).socket, "/run/sluice.sock");
    EXPECT_EQ(only(read("'unix:///run/sluice.sock'")).mode, 0660U);
    EXPECT_EQ(problems_of("{url: 'unix:///s', mode: 8}"), "etc/g.yaml:2:42: error: mode: expected permissions such as 0660, found `8`\n");
    EXPECT_EQ(problems_of("{url: 'unix:///s', mode: '1777'}"),
              "etc/g.yaml:2:42: error: mode: expected permissions such as 0660, found `1777`\n");
    const std::string path = "/" + std::string(107, 'x');
    EXPECT_EQ(problems_of("'unix://" + path + "'"),
              "etc/g.yaml:2:17: error: the path of the socket, " + path + ", has 108 bytes: the system takes 107\n");
}

TEST(ListenerConfig, keys_of_other_kinds_of_listeners_are_refused) {
    EXPECT_EQ(problems_of("{url: 'tcp://127.0.0.1:1', crl: x}"),
              "etc/g.yaml:2:44: error: `crl` belongs to tls:// and wss:// listeners only\n");
    EXPECT_EQ(problems_of("{url: 'ws://127.0.0.1:1', sni: [{name: a, cert: b, key: c}]}"),
              "etc/g.yaml:2:43: error: `sni` belongs to tls:// and wss:// listeners only\n");
    EXPECT_EQ(problems_of("{url: 'tcp://127.0.0.1:1', origins: ['*']}"),
              "etc/g.yaml:2:44: error: `origins` belongs to ws:// and wss:// listeners only\n");
    EXPECT_EQ(problems_of("{url: 'tcp://127.0.0.1:1', mode: 0600}"), "etc/g.yaml:2:44: error: `mode` belongs to unix:// listeners only\n");
    EXPECT_EQ(problems_of("{url: 'tls://127.0.0.1:1', cert: a, key: b, crl: c}"),
              "etc/g.yaml:2:61: error: `crl` needs `ca`: the certificates that sign the clients'\n");
    EXPECT_EQ(problems_of("{url: 'tls://127.0.0.1:1', cert: a, key: b, require_client_cert: true}"),
              "etc/g.yaml:2:61: error: `require_client_cert` needs `ca`: the certificates that sign the clients'\n");
}

TEST(ListenerConfig, names_and_origins_are_checked) {
    const std::string tls = "{url: 'tls://127.0.0.1:1', cert: a, key: b, sni: [{name: ";
    EXPECT_EQ(problems_of(tls + "'a b', cert: c, key: d}]}"),
              "etc/g.yaml:2:74: error: name: expected a host name such as plant.example.com or *.example.com, found `a b`\n");
    EXPECT_EQ(problems_of(tls + "a, cert: c, key: d}, {name: A, cert: c, key: d}]}"), "etc/g.yaml:2:102: error: duplicate name `a`\n");
    EXPECT_EQ(problems_of(tls + "a, cert: c}]}"),
              "etc/g.yaml:2:67: error: missing key `key` in `listen.mqtt[0].sni[0]`: expected a path\n");
    EXPECT_EQ(problems_of("{url: 'ws://127.0.0.1:1', origins: [dash.example]}"),
              "etc/g.yaml:2:53: error: expected an origin such as https://dash.example.com or http://10.0.0.5:3000, `null` or `*`, found "
              "`dash.example`\n");
    EXPECT_EQ(only(read("{url: 'ws://127.0.0.1:1', origins: 'http://10.0.0.5:3000'}")).origins.size(), 1U);
}

TEST(ListenerConfig, behind_a_proxy_nobody_is_local) {
    EXPECT_FALSE(read("{url: 'tcp://127.0.0.1:1', proxy_protocol: true}").config.listen.mqtt.at(0).is_local());
    EXPECT_EQ(
        problems_of("{url: 'tcp://127.0.0.1:1', proxy_protocol: true}"),
        "etc/g.yaml:2:23: error: without `auth`, clients must be on this machine, and a proxy speaks for others: anyone who can reach "
        "the proxy could connect; to allow just that, add `auth: {anonymous: true}`\n");
    EXPECT_TRUE(only(read("{url: 'tcp://127.0.0.1:1', proxy_protocol: true}", "auth: {anonymous: true}\n")).proxy_protocol);
}

}  // namespace
}  // namespace sluice::config

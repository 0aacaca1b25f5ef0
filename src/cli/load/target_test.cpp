#include "cli/load/target.hpp"

#include <gtest/gtest.h>

namespace sluice::load {
namespace {

TEST(Target, takes_the_usual_ways_to_name_a_broker) {
    EXPECT_EQ(parse_target("mqtt://10.0.0.5:1884").value(), (Target{"10.0.0.5", 1884}));
    EXPECT_EQ(parse_target("mqtt://localhost").value(), (Target{"localhost", 1883}));
    EXPECT_EQ(parse_target("localhost:1").value(), (Target{"localhost", 1}));
    EXPECT_EQ(parse_target("mqtt://[::1]:1884/").value(), (Target{"::1", 1884}));
    EXPECT_EQ(parse_target("mqtt://[::1]").value(), (Target{"::1", 1883}));
}

TEST(Target, takes_every_kind_of_listener_by_its_names) {
    using Scheme = Target::Scheme;
    EXPECT_EQ(parse_target("mqtts://plant-7").value(), (Target{"plant-7", 8883, Scheme::mqtts}));
    EXPECT_EQ(parse_target("tls://plant-7:1").value(), (Target{"plant-7", 1, Scheme::mqtts}));
    EXPECT_EQ(parse_target("tcp://plant-7").value(), (Target{"plant-7", 1883}));
    EXPECT_EQ(parse_target("ws://plant-7").value(), (Target{"plant-7", 80, Scheme::ws, "/mqtt"}));
    EXPECT_EQ(parse_target("wss://[::1]:9001/a/b?c").value(), (Target{"::1", 9001, Scheme::wss, "/a/b?c"}));
    EXPECT_EQ(parse_target("unix:///run/sluice/mqtt").value(), (Target{"/run/sluice/mqtt", 0, Scheme::unix_socket}));
    for (const auto* same : {"mqtt://a:1", "mqtts://[::1]:8883", "ws://a:80/mqtt", "wss://a:443/x", "unix:///run/x"}) {
        EXPECT_EQ(parse_target(same).value().text(), same);
    }
}

TEST(Target, a_failure_says_what_to_do) {
    const auto tls = parse_target("mqtts://a:1").value();
    const base::Error closed{base::Errc::closed};
    EXPECT_EQ(explain_failure(closed, tls, "certificate verify failed: unable to get local issuer certificate"),
              "mqtts://a:1: certificate verify failed: unable to get local issuer certificate; --ca names who signs its certificate");
    EXPECT_NE(explain_failure(closed, tls).find("MQTT port with TLS"), std::string::npos);
    EXPECT_EQ(explain_failure(base::Error{base::Errc::not_found}, parse_target("unix:///x").value()), "unix:///x: no such socket");
}

TEST(Target, refuses_what_it_cannot_reach) {
    EXPECT_EQ(parse_target("http://host:8883").error().code, base::Errc::unsupported);
    for (const auto* bad :
         {"", "mqtt://", "mqtt://:1883", "mqtt://host:", "mqtt://host:0", "mqtt://host:65536", "mqtt://host:12x", "mqtt://[::1",
          "mqtt://[::1]1883", "mqtt://user@host", "mqtt://host/path", "ws://host/a b", "ws://ho st/", "unix://", "tcp://host:99999"}) {
        EXPECT_FALSE(parse_target(bad)) << bad;
    }
}

}  // namespace
}  // namespace sluice::load

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

TEST(Target, refuses_what_it_cannot_reach) {
    EXPECT_EQ(parse_target("mqtts://host:8883").error().code, base::Errc::unsupported);
    for (const auto* bad : {"", "mqtt://", "mqtt://:1883", "mqtt://host:", "mqtt://host:0", "mqtt://host:65536", "mqtt://host:12x",
                            "mqtt://[::1", "mqtt://[::1]1883", "mqtt://user@host", "mqtt://host/path"}) {
        EXPECT_FALSE(parse_target(bad)) << bad;
    }
}

}  // namespace
}  // namespace sluice::load

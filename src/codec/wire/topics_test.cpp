#include "codec/wire/topics.hpp"

#include <gtest/gtest.h>

namespace sluice::wire {
namespace {

TEST(WireTopics, topics_are_read_back) {
    for (const auto channel : {Channel::events, Channel::status}) {
        const auto text = topic("plant-7", channel);
        const auto address = parse_topic(text);
        ASSERT_TRUE(address.known);
        EXPECT_EQ(address.gateway, "plant-7");
        EXPECT_EQ(address.channel, channel);
    }
    EXPECT_EQ(topic("plant-7", Channel::events), "$sluice/v1/plant-7/events");
    EXPECT_EQ(client_id("plant-7"), "gw:plant-7");
}

TEST(WireTopics, other_topics_are_not_known) {
    for (const auto* text : {"", "$sluice/v1/", "$sluice/v1/x", "$sluice/v1/x/", "$sluice/v1//events", "$sluice/v1/x/events/",
                             "$sluice/v2/x/events", "$sluice/v1/x y/events", "$sluice/v1/x/other", "sluice/v1/x/events"})
        EXPECT_FALSE(parse_topic(text).known) << text;
    EXPECT_FALSE(parse_topic("$sluice/v1/" + std::string(65, 'a') + "/events").known);
    EXPECT_TRUE(parse_topic("$sluice/v1/" + std::string(64, 'a') + "/events").known);
}

}  // namespace
}  // namespace sluice::wire

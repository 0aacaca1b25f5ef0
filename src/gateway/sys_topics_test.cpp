#include "gateway/sys_topics.hpp"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

using namespace std::chrono_literals;

class SysTopicsTest : public testing::Test {
protected:
    using Values = std::map<std::string, std::string, std::less<>>;

    /// What was published.
    Values update(const SysTotals& totals, std::chrono::nanoseconds later) {
        now_ += later;
        Values out;
        topics_.update(totals, now_, [&](std::string_view topic, std::string_view value) { out.emplace(topic, value); });
        return out;
    }

    base::Monotonic now_{100s};
    SysTopics topics_{"sluice 0.1.0", now_};
};

TEST_F(SysTopicsTest, the_first_update_publishes_everything_later_ones_what_changed) {
    SysTotals totals{.clients_connected = 2, .clients_total = 3};
    const Values first = update(totals, 10s);
    EXPECT_EQ(first.at("$SYS/broker/version"), "sluice 0.1.0");
    EXPECT_EQ(first.at("$SYS/broker/uptime"), "10 seconds");
    EXPECT_EQ(first.at("$SYS/broker/clients/connected"), "2");
    EXPECT_EQ(first.at("$SYS/broker/clients/disconnected"), "1");
    EXPECT_EQ(update(totals, 10s), (Values{{"$SYS/broker/uptime", "20 seconds"}}));
    totals.retained = 7;
    EXPECT_EQ(update(totals, 10s), (Values{{"$SYS/broker/retained messages/count", "7"}, {"$SYS/broker/uptime", "30 seconds"}}));
}

TEST_F(SysTopicsTest, subscriptions_of_groups_and_memory_have_the_names_of_mosquitto) {
    const Values seen = update({.subscriptions = 5, .shared_subscriptions = 2, .memory = 4096, .memory_peak = 8192}, 10s);
    EXPECT_EQ(seen.at("$SYS/broker/subscriptions/count"), "5");
    EXPECT_EQ(seen.at("$SYS/broker/shared_subscriptions/count"), "2");
    EXPECT_EQ(seen.at("$SYS/broker/heap/current"), "4096");
    EXPECT_EQ(seen.at("$SYS/broker/heap/maximum"), "8192");
}

TEST_F(SysTopicsTest, the_maximum_of_clients_stays) {
    EXPECT_EQ(update({.clients_connected = 5, .clients_total = 5}, 10s).at("$SYS/broker/clients/maximum"), "5");
    EXPECT_FALSE(update({.clients_connected = 1, .clients_total = 5}, 10s).contains("$SYS/broker/clients/maximum"));
    EXPECT_EQ(update({.clients_connected = 6, .clients_total = 6}, 10s).at("$SYS/broker/clients/maximum"), "6");
}

TEST_F(SysTopicsTest, a_steady_rate_becomes_the_load_sooner_over_one_minute_than_over_fifteen) {
    SysTotals totals;
    Values seen;
    for (int i = 0; i < 60; ++i) {  // ten minutes of 100 a second
        totals.publish_received += 1000;
        for (auto& [topic, value] : update(totals, 10s)) seen[topic] = value;
    }
    EXPECT_NEAR(std::stod(seen.at("$SYS/broker/load/publish/received/1min")), 6000, 1);
    EXPECT_NEAR(std::stod(seen.at("$SYS/broker/load/publish/received/5min")), 6000 * (1 - std::exp(-2.0)), 1);
    EXPECT_NEAR(std::stod(seen.at("$SYS/broker/load/publish/received/15min")), 6000 * (1 - std::exp(-10.0 / 15)), 1);
}

}  // namespace
}  // namespace sluice::gateway

#include "gateway/connect_gate.hpp"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

using namespace std::chrono_literals;
constexpr base::Monotonic kStart{1000s};

int admitted(ConnectGate& gate, std::optional<access::SourceAddress> from, int tries, base::Monotonic now, const ConnectRates& rates) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += gate.admit(from, now, rates) ? 1 : 0;
    return count;
}

TEST(ConnectGate, without_rates_everybody_comes_in) {
    ConnectGate gate(1);
    EXPECT_EQ(admitted(gate, 7, 100'000, kStart, {}), 100'000);
    EXPECT_LE(gate.open_at({}), kStart);
}

TEST(ConnectGate, an_address_that_floods_is_turned_away_and_takes_nothing_from_the_others) {
    ConnectGate gate(1);
    const ConnectRates rates{.all = 100, .of_address = 10};
    EXPECT_EQ(admitted(gate, 7, 100'000, kStart, rates), 10);
    EXPECT_LE(gate.open_at(rates), kStart) << "accepting must not pause for one that is turned away";
    EXPECT_EQ(admitted(gate, 8, 5, kStart, rates), 5);
    EXPECT_EQ(admitted(gate, 7, 100, kStart + 500ms, rates), 5) << "it goes on at its rate";
}

TEST(ConnectGate, all_together_wait_and_nobody_is_turned_away) {
    ConnectGate gate(1);
    const ConnectRates rates{.all = 100, .of_address = 10};
    for (access::SourceAddress address = 1; address <= 10; ++address) EXPECT_EQ(admitted(gate, address, 10, kStart, rates), 10);
    EXPECT_GT(gate.open_at(rates), kStart);
    EXPECT_LE(gate.open_at(rates), kStart + 10ms);
    EXPECT_TRUE(gate.admit(11, kStart, rates)) << "it was accepted before anybody could know";
    EXPECT_GT(gate.open_at(rates), kStart + 10ms) << "and is paid for";
}

TEST(ConnectGate, without_an_address_only_the_rate_of_all_counts) {
    ConnectGate gate(1);
    const ConnectRates rates{.all = 100, .of_address = 10};
    EXPECT_EQ(admitted(gate, std::nullopt, 50, kStart, rates), 50);
    EXPECT_LE(gate.open_at(rates), kStart);
}

TEST(ConnectGate, a_flood_from_very_many_addresses_does_not_forget_one_that_is_turned_away) {
    ConnectGate gate(1);
    const ConnectRates rates{.all = 0, .of_address = 10};
    ASSERT_EQ(admitted(gate, 7, 20, kStart, rates), 10);
    for (access::SourceAddress address = 100; address < 100'000; ++address) static_cast<void>(gate.admit(address, kStart, rates));
    EXPECT_EQ(admitted(gate, 7, 10, kStart, rates), 0);
}

TEST(ConnectGate, a_changed_rate_counts_from_the_next_connection_on) {
    ConnectGate gate(1);
    EXPECT_EQ(admitted(gate, 7, 100, kStart, {.all = 0, .of_address = 10}), 10);
    EXPECT_EQ(admitted(gate, 7, 100, kStart, {.all = 0, .of_address = 0}), 100);
}

}  // namespace
}  // namespace sluice::gateway

#include "gateway/turn_ledger.hpp"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

TEST(TurnLedger, a_turn_is_complete_when_its_own_events_are_durable) {
    TurnLedger turns;
    const auto first = turns.current();
    turns.close({.events = true}, 0);
    EXPECT_LT(turns.complete(0, 0), first);
    EXPECT_EQ(turns.complete(first, 0), first);
    EXPECT_TRUE(turns.idle());
}

TEST(TurnLedger, a_later_turn_does_not_complete_before_an_earlier_one_that_waits_for_another_shard) {
    TurnLedger turns;
    const auto first = turns.current();
    turns.close({}, 2);
    const auto second = turns.current();
    turns.close({.events = true}, 0);
    EXPECT_LT(turns.complete(second, 0), first);
    turns.forward_done(first);
    EXPECT_LT(turns.complete(second, 0), first);
    turns.forward_done(first);
    EXPECT_EQ(turns.complete(second, 0), second);
}

TEST(TurnLedger, a_turn_that_only_forwarded_does_not_wait_for_the_spool) {
    TurnLedger turns;
    const auto first = turns.current();
    turns.close({}, 1);
    turns.forward_done(first);
    EXPECT_EQ(turns.complete(0, 0), first);
}

TEST(TurnLedger, a_million_turns_that_wait_for_a_dead_disk_take_no_memory) {
    TurnLedger turns;
    for (int i = 0; i < 1'000'000; ++i) turns.close({.events = true}, 0);
    EXPECT_EQ(turns.runs(), 1U);
    EXPECT_EQ(turns.complete(400'000, 0), 400'000U);
    turns.close({}, 1);
    const auto forwarded = turns.current() - 1;
    turns.close({.events = true}, 0);
    EXPECT_EQ(turns.complete(forwarded + 1, 0), forwarded - 1) << "the turn that waits for another shard holds back those after it";
    turns.forward_done(forwarded);
    EXPECT_EQ(turns.complete(forwarded, 0), forwarded);
    EXPECT_EQ(turns.complete(forwarded + 1, 0), forwarded + 1);
}

TEST(TurnLedger, a_turn_waits_for_its_events_and_its_records) {
    TurnLedger turns;
    const auto first = turns.current();
    turns.close({.events = true, .records = true}, 0);
    turns.close({.records = true}, 0);
    turns.close({.events = true}, 0);
    EXPECT_EQ(turns.complete(first, 0), first - 1);
    EXPECT_EQ(turns.complete(0, first + 1), first - 1);
    EXPECT_EQ(turns.complete(first, first), first);
    EXPECT_EQ(turns.complete(first, first + 1), first + 1) << "events of the second turn there are none";
    EXPECT_EQ(turns.complete(first + 2, first + 1), first + 2);
    EXPECT_TRUE(turns.idle());
}

}  // namespace
}  // namespace sluice::gateway

#include "gateway/turn_ledger.hpp"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

TEST(TurnLedger, a_turn_is_complete_when_its_own_events_are_durable) {
    TurnLedger turns;
    const auto first = turns.current();
    turns.close(true, 0);
    EXPECT_LT(turns.complete(0), first);
    EXPECT_EQ(turns.complete(first), first);
    EXPECT_TRUE(turns.idle());
}

TEST(TurnLedger, a_later_turn_does_not_complete_before_an_earlier_one_that_waits_for_another_shard) {
    TurnLedger turns;
    const auto first = turns.current();
    turns.close(false, 2);
    const auto second = turns.current();
    turns.close(true, 0);
    EXPECT_LT(turns.complete(second), first);
    turns.forward_done(first);
    EXPECT_LT(turns.complete(second), first);
    turns.forward_done(first);
    EXPECT_EQ(turns.complete(second), second);
}

TEST(TurnLedger, a_turn_that_only_forwarded_does_not_wait_for_the_spool) {
    TurnLedger turns;
    const auto first = turns.current();
    turns.close(false, 1);
    turns.forward_done(first);
    EXPECT_EQ(turns.complete(0), first);
}

TEST(TurnLedger, a_million_turns_that_wait_for_a_dead_disk_take_no_memory) {
    TurnLedger turns;
    for (int i = 0; i < 1'000'000; ++i) turns.close(true, 0);
    EXPECT_EQ(turns.runs(), 1U);
    EXPECT_EQ(turns.complete(400'000), 400'000U);
    turns.close(false, 1);
    const auto forwarded = turns.current() - 1;
    turns.close(true, 0);
    EXPECT_EQ(turns.complete(forwarded + 1), forwarded - 1) << "the turn that waits for another shard holds back those after it";
    turns.forward_done(forwarded);
    EXPECT_EQ(turns.complete(forwarded), forwarded);
    EXPECT_EQ(turns.complete(forwarded + 1), forwarded + 1);
}

}  // namespace
}  // namespace sluice::gateway

#include "base/token_bucket.hpp"

#include <gtest/gtest.h>

namespace sluice::base {
namespace {

using namespace std::chrono_literals;

/// How many of the same cost can be taken, as early as possible, in so long.
int taken(TokenBucket& bucket, std::chrono::nanoseconds cost, Monotonic& now, std::chrono::nanoseconds during) {
    const Monotonic end = now + during;
    int count = 0;
    for (;; ++count) {
        now = std::max(now, bucket.ready_at(cost));
        if (now >= end) return count;
        bucket.take(cost, now);
    }
}

TEST(TokenBucket, a_full_one_gives_a_second_at_once_and_then_its_rate) {
    for (const std::uint64_t rate : {1U, 2U, 7U, 1000U, 1'000'000U}) {
        TokenBucket bucket;
        Monotonic now{1000s};
        EXPECT_EQ(taken(bucket, TokenBucket::cost(1, rate), now, 1ns), static_cast<int>(rate)) << rate;
        now = Monotonic(1000s);
        EXPECT_NEAR(taken(bucket, TokenBucket::cost(1, rate), now, 10s), static_cast<int>(10 * rate), 1) << rate;
    }
}

TEST(TokenBucket, what_costs_more_than_it_holds_waits_until_it_is_full_and_is_paid_off) {
    TokenBucket bucket;
    const Monotonic now{1000s};
    const auto large = TokenBucket::cost(3000, 1000);
    EXPECT_LE(bucket.ready_at(large), now);
    bucket.take(large, now);
    EXPECT_EQ(bucket.ready_at(large), now + 3s);
    EXPECT_EQ(bucket.ready_at(TokenBucket::cost(1, 1000)), now + 2001ms);
}

TEST(TokenBucket, idle_time_is_not_saved_up_beyond_the_burst) {
    TokenBucket bucket;
    Monotonic now{1000s};
    EXPECT_EQ(taken(bucket, 100ms, now, 1ns), 10);
    now = Monotonic(2000s);
    EXPECT_EQ(taken(bucket, 100ms, now, 1ns), 10);
}

TEST(TokenBucket, the_largest_packet_at_the_smallest_rate_does_not_overflow) {
    EXPECT_EQ(TokenBucket::cost(std::uint64_t{1} << 33, 1), std::chrono::seconds(std::int64_t{1} << 33));
}

}  // namespace
}  // namespace sluice::base

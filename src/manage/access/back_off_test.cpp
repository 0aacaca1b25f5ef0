#include "manage/access/back_off.hpp"

#include <random>
#include <string>

#include <gtest/gtest.h>

namespace sluice::access {
namespace {

using namespace std::chrono_literals;

class BackOffTest : public testing::Test {
protected:
    void fail(SourceAddress from, std::string_view user, int times = 1) {
        for (int i = 0; i < times; ++i) back_off.failed(from, user, now);
    }
    std::chrono::nanoseconds pause(SourceAddress from, std::string_view user) { return back_off.pause(from, user, now); }
    base::Monotonic now{1000s};
    BackOffLimits limits;
    BackOff back_off{limits, 42};
};

TEST_F(BackOffTest, failures_of_many_users_a_little_closer_than_one_leak_do_not_add_up) {
    for (int i = 0; i < 60; ++i, now += limits.leak - 1s) fail(1, "user " + std::to_string(i));
    EXPECT_EQ(pause(1, "somebody else"), 0s);
    for (int i = 0; i < 60; ++i, now += limits.leak / 4) fail(1, "user " + std::to_string(i));
    EXPECT_GT(pause(1, "somebody else") + 0s, 0s);
}

TEST_F(BackOffTest, some_mistakes_cost_nothing_then_pauses_double_up_to_the_longest) {
    fail(1, "ana", 4);
    EXPECT_EQ(pause(1, "ana"), 0s);
    fail(1, "ana");
    EXPECT_EQ(pause(1, "ana"), 1s);
    now += 999ms;
    EXPECT_EQ(pause(1, "ana"), 1ms);
    now += 1ms;
    EXPECT_EQ(pause(1, "ana"), 0s);
    std::chrono::nanoseconds expected = 2s;
    for (int i = 0; i < 12; ++i) {
        fail(1, "ana");
        EXPECT_EQ(pause(1, "ana"), std::min<std::chrono::nanoseconds>(expected, 300s));
        now += pause(1, "ana");
        expected *= 2;
    }
}

TEST_F(BackOffTest, others_are_not_concerned) {
    fail(1, "ana", 20);
    EXPECT_GT(pause(1, "ana"), 0s);
    EXPECT_EQ(pause(2, "ana"), 0s);
    EXPECT_EQ(pause(1, "bob"), 0s) << "twenty failures are below the limit of an address";
}

TEST_F(BackOffTest, success_forgives_the_pair) {
    fail(1, "ana", 4);
    back_off.succeeded(1, "ana");
    fail(1, "ana", 4);
    EXPECT_EQ(pause(1, "ana"), 0s);
    fail(1, "ana");
    EXPECT_EQ(pause(1, "ana"), 1s);
    back_off.succeeded(1, "ana");  // can only be a sign-in that was under way
    EXPECT_EQ(pause(1, "ana"), 0s);
}

TEST_F(BackOffTest, an_address_that_tries_many_users_pauses_for_all) {
    for (int i = 0; i < 49; ++i) fail(1, "user" + std::to_string(i));
    EXPECT_EQ(pause(1, "fresh"), 0s);
    fail(1, "user49");
    EXPECT_EQ(pause(1, "fresh"), 1s);
    EXPECT_EQ(pause(2, "fresh"), 0s);
    back_off.succeeded(1, "user0");
    EXPECT_EQ(pause(1, "fresh"), 1s) << "one good account must not buy more guesses";
}

TEST_F(BackOffTest, a_device_with_a_wrong_password_does_not_pause_its_whole_address) {
    for (int i = 0; i < 500; ++i) {
        now += std::max<std::chrono::nanoseconds>(pause(1, "old-sensor"), 1s);
        fail(1, "old-sensor");
        EXPECT_EQ(pause(1, "ana"), 0s) << i;
    }
    EXPECT_EQ(pause(1, "old-sensor"), 300s);
}

TEST_F(BackOffTest, a_user_who_is_guessed_from_many_addresses_can_still_sign_in_from_a_new_one) {
    for (SourceAddress from = 100; from < 200; ++from) fail(from, "ana");
    EXPECT_EQ(pause(7, "ana"), 0s) << "never refused for what others do";
    fail(199, "ana");
    fail(7, "ana");
    EXPECT_EQ(pause(7, "ana"), 1s) << "but the first mistake costs a pause now";
    EXPECT_EQ(pause(7, "bob"), 0s);
    now += 30 * 10s + 100 * 10s;
    fail(8, "ana");
    EXPECT_EQ(pause(8, "ana"), 0s) << "the attack is over";
}

TEST_F(BackOffTest, quiet_time_forgets) {
    fail(1, "ana", 9);
    now += limits.forget;
    fail(1, "ana", 4);
    EXPECT_EQ(pause(1, "ana"), 0s);
}

TEST_F(BackOffTest, the_table_is_bounded_and_keeps_who_fails_most) {
    limits.entries_max = 64;
    BackOff small(limits, 42);
    for (int i = 0; i < 10; ++i) small.failed(1, "ana", now);
    ASSERT_GT(small.pause(1, "ana", now), 10s);
    for (SourceAddress from = 1'000; from < 11'000; ++from) {
        now += 1ms;
        small.failed(from, "user" + std::to_string(from), now);
        ASSERT_LE(small.size(), 64U);
    }
    EXPECT_GT(small.pause(1, "ana", now), 0s) << "a flood of others must not buy it out of its pause";
}

TEST_F(BackOffTest, random_histories_never_pause_beyond_the_longest_nor_a_pair_that_only_succeeds) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (int i = 0; i < 50'000; ++i) {
        now += std::chrono::milliseconds(random() % 500);
        const SourceAddress from = random() % 40;
        const std::string user = "u" + std::to_string(random() % 20);
        if (pause(from, user) == 0s) {
            if (random() % 3 == 0)
                back_off.succeeded(from, user);
            else
                back_off.failed(from, user, now);
        }
        ASSERT_LE(pause(from, user), limits.longest);
        ASSERT_EQ(pause(99, "good"), 0s);
        back_off.succeeded(99, "good");
    }
}

}  // namespace
}  // namespace sluice::access

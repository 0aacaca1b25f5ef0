#include "flow/uplink/pacing.hpp"

#include <gtest/gtest.h>

namespace sluice::uplink {
namespace {

using base::Monotonic;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ByteWindow, grows_to_its_limit_while_answers_are_fast) {
    ByteWindow window(milliseconds(250));
    window.on_connected();
    Monotonic now{};
    for (int i = 0; i < 1000; ++i) window.on_ack(window.bytes(), milliseconds(20), true, now += milliseconds(20));
    EXPECT_EQ(window.bytes(), ByteWindow::kMax);
}

TEST(ByteWindow, does_not_grow_when_it_was_not_the_limit) {
    ByteWindow window(milliseconds(250));
    window.on_connected();
    for (int i = 0; i < 100; ++i) window.on_ack(1000, milliseconds(20), false, Monotonic{});
    EXPECT_EQ(window.bytes(), ByteWindow::kStart);
}

TEST(ByteWindow, shrinks_once_a_round_trip_when_answers_are_late) {
    ByteWindow window(milliseconds(250));
    window.on_connected();
    Monotonic now{};
    window.on_ack(1000, milliseconds(20), true, now);
    const auto before = window.bytes();
    window.on_ack(1000, milliseconds(400), true, now += milliseconds(400));
    window.on_ack(1000, milliseconds(400), true, now += milliseconds(1));
    EXPECT_EQ(window.bytes(), before - before / 4);
    for (int i = 0; i < 100; ++i) window.on_ack(1000, milliseconds(400), true, now += milliseconds(400));
    EXPECT_EQ(window.bytes(), ByteWindow::kMin);
}

TEST(RateBucket, lets_through_what_its_rate_says) {
    RateBucket bucket(1000);
    Monotonic now{seconds(5)};
    std::size_t taken = 0;
    for (int i = 0; i < 10'000; ++i, now += milliseconds(1)) {
        const auto free = bucket.available(false, now);
        bucket.take(free);
        taken += free;
    }
    EXPECT_NEAR(static_cast<double>(taken), 10'000, 150);
}

TEST(RateBucket, urgent_events_go_on_credit_and_the_others_pay) {
    RateBucket bucket(1000);
    Monotonic now{seconds(5)};
    bucket.take(bucket.available(false, now));
    EXPECT_EQ(bucket.available(false, now), 0U);
    EXPECT_EQ(bucket.available(true, now), 1000U);
    bucket.take(500);
    const auto at = bucket.ready_at(50, false, now);
    EXPECT_NEAR(std::chrono::duration<double>(at - now).count(), 0.55, 0.01);
    EXPECT_EQ(bucket.available(false, at - milliseconds(5)), 0U + 45U);
    EXPECT_GE(bucket.available(false, at), 50U);
}

TEST(RateBucket, a_rate_of_0_is_no_limit) {
    RateBucket bucket(0);
    bucket.take(1'000'000);
    EXPECT_EQ(bucket.available(false, Monotonic{}), SIZE_MAX);
    EXPECT_EQ(bucket.ready_at(1000, false, Monotonic{}), Monotonic{});
}

TEST(RateBucket, every_batch_it_allows_fits_into_it) {
    for (const std::uint32_t rate : {1U, 2U, 10U, 15U, 100U, 100'000U}) {
        RateBucket bucket(rate);
        Monotonic now{seconds(1)};
        bucket.take(bucket.available(false, now));
        const auto at = bucket.ready_at(bucket.batch_max(), false, now);
        EXPECT_GE(bucket.available(false, at), bucket.batch_max()) << rate;
    }
}

TEST(BackOff, doubles_with_jitter_up_to_its_limit) {
    BackOff back_off(milliseconds(250), seconds(30));
    std::chrono::nanoseconds full = milliseconds(250);
    for (unsigned i = 0; i < 100; ++i) {
        const auto pause = back_off.next(i * 0x9e3779b97f4a7c15);
        EXPECT_GE(pause, full / 2);
        EXPECT_LE(pause, full);
        full = std::min<std::chrono::nanoseconds>(full * 2, seconds(30));
    }
    back_off.reset();
    EXPECT_LE(back_off.next(12345), milliseconds(250));
    back_off.longest();
    EXPECT_GE(back_off.next(12345), seconds(15));
}

TEST(BatchSize, is_halved_down_to_one_byte_and_says_when_less_cannot_go) {
    BatchSize size(1'000);
    EXPECT_FALSE(size.is_cut());
    EXPECT_TRUE(size.cut(5'000));
    EXPECT_EQ(size.bytes(), 500U);
    EXPECT_TRUE(size.cut(20)) << "what was too much was far below the limit";
    EXPECT_EQ(size.bytes(), 10U);
    while (size.bytes() > 1) EXPECT_TRUE(size.cut(1'000));
    EXPECT_FALSE(size.cut(1'000));
    size.restore();
    EXPECT_EQ(size.bytes(), 1'000U);
}

TEST(BatchSize, grows_after_many_full_messages_and_not_beyond_its_limit) {
    BatchSize size(1'000);
    ASSERT_TRUE(size.cut(1'000));
    for (unsigned i = 0; i < 1'000; ++i) size.on_taken(100);
    EXPECT_EQ(size.bytes(), 500U) << "small messages say nothing of larger ones";
    for (unsigned i = 1; i < BatchSize::kPatienceMin; ++i) size.on_taken(500);
    EXPECT_EQ(size.bytes(), 500U);
    size.on_taken(500);
    EXPECT_EQ(size.bytes(), 1'000U);
    for (unsigned i = 0; i < 1'000; ++i) size.on_taken(1'000);
    EXPECT_EQ(size.bytes(), 1'000U);
}

TEST(BatchSize, that_grew_in_vain_waits_twice_as_long_up_to_a_limit_until_it_grows_for_good) {
    BatchSize size(100'000);
    const auto until_it_grows = [&size] {
        unsigned messages = 0;
        for (const auto before = size.bytes(); size.bytes() == before; ++messages) size.on_taken(before);
        return messages;
    };
    ASSERT_TRUE(size.cut(10'000));
    for (unsigned expected = BatchSize::kPatienceMin; expected < BatchSize::kPatienceMax; expected *= 2) {
        EXPECT_EQ(until_it_grows(), expected);
        ASSERT_TRUE(size.cut(10'000));
    }
    EXPECT_EQ(until_it_grows(), BatchSize::kPatienceMax);
    ASSERT_TRUE(size.cut(10'000));
    EXPECT_EQ(until_it_grows(), BatchSize::kPatienceMax);
    EXPECT_EQ(until_it_grows(), BatchSize::kPatienceMax) << "this one holds";
    EXPECT_EQ(until_it_grows(), BatchSize::kPatienceMin);
}

}  // namespace
}  // namespace sluice::uplink

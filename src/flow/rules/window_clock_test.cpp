#include "flow/rules/window_clock.hpp"

#include <gtest/gtest.h>

namespace sluice::rules {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kStart = 1'700'000'000'000;
constexpr WindowClock::Lengths kMinute{.pane_ms = 10'000, .span_ms = 60'000};

base::Monotonic at(std::chrono::nanoseconds since) { return base::Monotonic(seconds(5000) + since); }
base::WallTime wall(std::chrono::nanoseconds since) { return base::from_ms(kStart) + since; }

TEST(WindowClock, begins_with_the_wall_clock) {
    WindowClock clock;
    EXPECT_FALSE(clock.is_set());
    const auto told = clock.tell(at({}), wall(milliseconds(1234)), kMinute, std::nullopt);
    EXPECT_EQ(told.ms, kStart + 1234);
    EXPECT_EQ(told.later, seconds(0));
    EXPECT_EQ(clock.monotonic(kStart + 1235), at(milliseconds(1)));
    EXPECT_EQ(clock.ms(at(seconds(3))), kStart + 4234);
}

TEST(WindowClock, does_not_begin_a_window_of_before_that_ended_already) {
    WindowClock clock;
    EXPECT_EQ(clock.tell(at({}), wall(seconds(-2)), kMinute, kStart).ms, kStart);
    WindowClock believes;
    EXPECT_EQ(believes.tell(at({}), wall(seconds(-61)), kMinute, kStart).ms, kStart - 61'000);
}

TEST(WindowClock, follows_what_the_wall_clock_drifts) {
    WindowClock clock;
    clock.set(at({}), wall({}));
    auto told = clock.tell(at(seconds(10)), wall(milliseconds(10'003)), kMinute, std::nullopt);
    EXPECT_EQ(told.ms, kStart + 10'003);
    EXPECT_EQ(told.later, milliseconds(-3));
    // Back behind the end of a pane that has passed by the clock as it was: the next pane has begun all the same.
    told = clock.tell(at(seconds(20)), wall(milliseconds(19'995)), kMinute, std::nullopt);
    EXPECT_EQ(told.ms, kStart + 20'000);
    EXPECT_EQ(told.later, milliseconds(8));
    EXPECT_EQ(clock.monotonic(kStart + 30'000), at(milliseconds(30'005)));
}

TEST(WindowClock, a_jump_forward_leaves_open_windows_alone) {
    WindowClock clock;
    clock.set(at({}), wall({}));
    const auto told = clock.tell(at(seconds(10)), wall(seconds(3610)), kMinute, std::nullopt);
    EXPECT_EQ(told.ms, kStart + 3'610'000);
    EXPECT_EQ(told.later, seconds(0));
}

TEST(WindowClock, waits_for_a_wall_clock_that_was_set_back_an_eighth_at_a_time) {
    WindowClock clock;
    clock.set(at({}), wall({}));
    base::Monotonic now = at({});
    int panes = 0;
    for (std::int64_t end = kStart + 10'000;; end += 10'000, ++panes) {
        now = clock.monotonic(end);
        const auto told = clock.tell(now, wall(now - at({}) - seconds(30)), kMinute, std::nullopt);
        EXPECT_EQ(told.ms, end);
        EXPECT_LE(told.later, milliseconds(1250));
        EXPECT_GE(told.later, seconds(0));
        if (told.later == seconds(0)) break;
    }
    EXPECT_EQ(panes, 24);
    EXPECT_EQ(clock.wall(now), wall(now - at({}) - seconds(30)));
}

TEST(WindowClock, believes_a_wall_clock_that_was_set_back_by_more_than_a_window) {
    WindowClock clock;
    clock.set(at({}), wall({}));
    const auto told = clock.tell(at(seconds(10)), wall(seconds(-51)), kMinute, kStart + 10'000);
    EXPECT_EQ(told.ms, kStart - 51'000);
    EXPECT_EQ(told.later, seconds(0));
}

}  // namespace
}  // namespace sluice::rules

#include "cli/pacer.hpp"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;

constexpr base::Monotonic kStart{100s};
base::WallTime at(std::chrono::seconds time) { return base::WallTime(1'000'000s + time); }

TEST(Pacer, keeps_the_distances_of_the_rows_at_a_speed) {
    Pacer pacer(60.0);
    pacer.start(kStart);
    EXPECT_EQ(pacer.due(at(0s), true), kStart);
    EXPECT_EQ(pacer.due(at(300s), true), kStart + 5s);
    EXPECT_EQ(pacer.due(at(600s), true), kStart + 10s);
}

TEST(Pacer, times_that_go_back_or_are_missing_are_due_with_the_row_before) {
    Pacer pacer(1.0);
    pacer.start(kStart);
    EXPECT_EQ(pacer.due(std::nullopt, true), kStart);
    EXPECT_EQ(pacer.due(at(0s), true), kStart);
    EXPECT_EQ(pacer.due(at(10s), true), kStart + 10s);
    EXPECT_EQ(pacer.due(at(5s), true), kStart + 10s);
    EXPECT_EQ(pacer.due(std::nullopt, true), kStart + 10s);
    EXPECT_EQ(pacer.due(at(11s), true), kStart + 11s);
}

TEST(Pacer, without_times_one_row_a_second) {
    Pacer pacer(4.0);
    pacer.start(kStart);
    EXPECT_EQ(pacer.due(std::nullopt, false), kStart);
    EXPECT_EQ(pacer.due(std::nullopt, false), kStart + 250ms);
    EXPECT_EQ(pacer.due(std::nullopt, false), kStart + 500ms);
}

TEST(Pacer, without_a_speed_nothing_waits) {
    Pacer pacer(std::nullopt);
    pacer.start(kStart);
    EXPECT_EQ(pacer.due(at(0s), true), kStart);
    EXPECT_EQ(pacer.due(at(3000s), true), kStart);
}

TEST(Pacer, absurd_distances_and_speeds_stay_inside_the_clock) {
    Pacer pacer(1e-300);
    pacer.start(kStart);
    EXPECT_EQ(pacer.due(at(0s), true), kStart);
    EXPECT_GT(pacer.due(at(1s), true), kStart + std::chrono::hours(24));
}

}  // namespace
}  // namespace sluice::cli

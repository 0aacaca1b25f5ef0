#include "cli/load/histogram.hpp"

#include <gtest/gtest.h>

namespace sluice::load {
namespace {

using std::chrono::nanoseconds;

TEST(Histogram, small_values_are_exact) {
    Histogram histogram;
    for (int i = 0; i < 60; ++i) histogram.record(nanoseconds(i));
    EXPECT_EQ(histogram.quantile(0.5).count(), 29);
    EXPECT_EQ(histogram.quantile(1.0).count(), 59);
    EXPECT_EQ(histogram.count(), 60U);
}

TEST(Histogram, a_quantile_is_never_below_and_at_most_a_sixty_fourth_above_the_true_value) {
    for (std::int64_t value = 1; value < std::int64_t{1} << 39; value = value * 5 / 4 + 1) {
        Histogram histogram;
        histogram.record(nanoseconds(value));
        histogram.record(nanoseconds(value * 2));
        const auto read = histogram.quantile(0.5).count();
        EXPECT_GE(read, value);
        EXPECT_LE(read, value + value / 64 + 1);
    }
}

TEST(Histogram, quantiles_count_from_the_smallest) {
    Histogram histogram;
    for (int i = 0; i < 999; ++i) histogram.record(nanoseconds(1000));
    histogram.record(nanoseconds(5'000'000));
    EXPECT_LE(histogram.quantile(0.99).count(), 1016);
    EXPECT_LE(histogram.quantile(0.999).count(), 1016);
    EXPECT_EQ(histogram.max().count(), 5'000'000);
    EXPECT_EQ(histogram.quantile(1.0).count(), 5'000'000);
}

TEST(Histogram, what_is_longer_than_the_range_keeps_its_maximum_and_negative_counts_as_zero) {
    Histogram histogram;
    histogram.record(nanoseconds(std::int64_t{1} << 50));
    histogram.record(nanoseconds(-5));
    EXPECT_EQ(histogram.max().count(), std::int64_t{1} << 50);
    EXPECT_EQ(histogram.quantile(0.5).count(), 0);
}

TEST(Histogram, without_values_everything_is_zero) {
    EXPECT_EQ(Histogram().quantile(0.99).count(), 0);
    EXPECT_EQ(Histogram().max().count(), 0);
}

}  // namespace
}  // namespace sluice::load

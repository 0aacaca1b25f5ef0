#include "sluice/device/statistics.hpp"

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::device {
namespace {

struct Reference {
    long double z;
    long double deviation;
};

/// All in differences from the first value: a mean held beside a large offset would lose digits even in long double.
Reference fresh(const std::vector<double>& values, std::size_t from, std::size_t count, double x) {
    const auto difference = [&](double v) { return static_cast<long double>(v) - values[from]; };
    long double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += difference(values[from + i]);
    const long double mean = sum / static_cast<long double>(count);
    long double squares = 0;
    for (std::size_t i = 0; i < count; ++i) squares += (difference(values[from + i]) - mean) * (difference(values[from + i]) - mean);
    const long double deviation = std::sqrt(squares / static_cast<long double>(count - 1));
    return {(difference(x) - mean) / deviation, deviation};
}

/// Pushes all values through a window and compares each z-score with a fresh two-pass computation in long double.
void expect_exact(const std::vector<double>& values, std::uint32_t size) {
    std::vector<double> ring(size);
    SlidingWindow window;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (window.full(size)) {
            const Reference reference = fresh(values, i - size, size, values[i]);
            const double z = window.zscore(values[i], ring.data());
            if (reference.deviation > 0 && !window.no_spread()) {
                const long double expected = reference.z;
                const long double scale = std::max(std::fabs(expected), 1e-6L);  // a z of nearly 0 is a difference of nearly equal numbers
                ASSERT_LT(std::fabs(z - expected) / scale, 1e-9L)
                    << "at " << i << ": z " << z << ", expected " << static_cast<double>(expected);
            }
        }
        window.push(values[i], ring.data(), size);
    }
}

TEST(SlidingWindow, z_scores_are_those_of_a_fresh_two_pass_computation) {
    std::mt19937_64 random(1);
    for (const std::uint32_t size : {2u, 3u, 10u, 100u, 1000u}) {
        SCOPED_TRACE(size);
        std::normal_distribution<double> noise(0.7, 0.05);
        std::vector<double> values(5000);
        for (double& v : values) v = noise(random);
        expect_exact(values, size);
    }
}

TEST(SlidingWindow, an_offset_a_billion_times_the_spread_costs_no_digits) {
    std::mt19937_64 random(2);
    std::normal_distribution<double> noise(1e6, 1e-3);
    std::vector<double> values(3000);
    for (double& v : values) v = noise(random);
    expect_exact(values, 100);
}

TEST(SlidingWindow, a_glitch_of_1e12_leaves_no_error_once_it_is_gone) {
    std::mt19937_64 random(3);
    std::normal_distribution<double> noise(20.0, 0.01);
    std::vector<double> values(2000);
    for (double& v : values) v = noise(random);
    values[333] = 1e12;
    values[777] = -1e12;
    values[778] = 1e15;
    expect_exact(values, 100);
    expect_exact(values, 7);
}

TEST(SlidingWindow, level_shifts_ramps_and_wild_scales_stay_exact) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937_64 random(seed);
        std::normal_distribution<double> noise(0, 1);
        std::uniform_real_distribution<double> uniform(0, 1);
        std::vector<double> values(1500);
        double level = 0;
        double slope = 0;
        double spread = 1;
        for (double& v : values) {
            if (uniform(random) < 0.01) level = std::pow(10.0, uniform(random) * 12 - 3) * (uniform(random) < 0.5 ? -1 : 1);
            if (uniform(random) < 0.01) slope = noise(random);
            if (uniform(random) < 0.01) spread = std::pow(10.0, uniform(random) * 6 - 3);
            level += slope;
            v = level + spread * noise(random);
            if (uniform(random) < 0.005) v *= 1e9;
        }
        expect_exact(values, static_cast<std::uint32_t>(2 + seed * 3));
    }
}

TEST(SlidingWindow, no_spread_is_decided_by_equality) {
    double ring[5];
    SlidingWindow window;
    for (int i = 0; i < 12; ++i) window.push(0.1, ring, 5);
    EXPECT_EQ(window.zscore(0.1, ring), 0.0);
    EXPECT_EQ(window.zscore(std::nextafter(0.1, 1), ring), std::numeric_limits<double>::infinity());
    EXPECT_EQ(window.zscore(0.0, ring), -std::numeric_limits<double>::infinity());
    window.push(std::nextafter(0.1, 1), ring, 5);
    EXPECT_TRUE(std::isfinite(window.zscore(0.2, ring))) << "one bit of spread is spread";
    for (int i = 0; i < 5; ++i) window.push(0.1, ring, 5);
    EXPECT_TRUE(window.no_spread());
}

TEST(SlidingWindow, values_whose_squares_overflow_or_vanish_still_give_a_z_score) {
    for (const double scale : {1e300, 1e155, 1e-160, 1e-300}) {
        SCOPED_TRACE(scale);
        double ring[4];
        SlidingWindow window;
        for (const double v : {1.0, 2.0, 3.0, 4.0}) window.push(v * scale, ring, 4);
        EXPECT_NEAR(window.zscore(5 * scale, ring), 2.5 / std::sqrt(5.0 / 3), 1e-9);
    }
    double ring[4];
    SlidingWindow window;
    for (const double v : {1.0, 1e308, -1e308, 2.0}) window.push(v, ring, 4);
    EXPECT_TRUE(std::isfinite(window.zscore(3.0, ring)));
    for (const double v : {1.0, 2.0, 3.0, 4.0}) window.push(v, ring, 4);
    EXPECT_NEAR(window.zscore(5, ring), 2.5 / std::sqrt(5.0 / 3), 1e-12);
}

TEST(SlidingWindow, a_window_rebuilt_from_its_ring_goes_on_as_before) {
    std::mt19937_64 random(5);
    std::uniform_int_distribution<int> coarse(0, 3);
    constexpr std::uint32_t kSize = 20;
    std::vector<double> ring(kSize);
    SlidingWindow window;
    for (int i = 0; i < 500; ++i) {
        window.push(coarse(random) == 0 ? 1.0 : 1.5, ring.data(), kSize);
        SlidingWindow copy;
        copy.count = window.count;
        copy.head = window.head;
        copy.recompute(ring.data());
        copy.recount_run(ring.data(), kSize);
        ASSERT_EQ(copy.run, window.run) << "at " << i;
        if (!window.full(kSize) || window.no_spread()) continue;
        ASSERT_NEAR(copy.zscore(3, ring.data()), window.zscore(3, ring.data()), 1e-9);
    }
}

TEST(RunningMoments, mean_and_variances_of_a_small_set) {
    RunningMoments moments;
    for (const double v : {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0}) moments.push(v);
    EXPECT_DOUBLE_EQ(moments.mean, 5);
    EXPECT_DOUBLE_EQ(moments.variance_population(), 4);
    EXPECT_DOUBLE_EQ(moments.variance_sample(), 32.0 / 7);
}

TEST(CompensatedSum, small_numbers_beside_large_ones_are_not_lost) {
    CompensatedSum sum;
    for (const double v : {1.0, 1e100, 1.0, -1e100}) sum.push(v);
    EXPECT_EQ(sum.value(), 2.0);
    for (int i = 0; i < 2; ++i) sum.push(1.7e308);
    EXPECT_EQ(sum.value(), std::numeric_limits<double>::infinity());
}

TEST(Shape, kurtosis_crest_and_rms_of_known_signals) {
    std::vector<double> sine(1000);
    for (std::size_t i = 0; i < sine.size(); ++i) sine[i] = std::sin(2 * M_PI * static_cast<double>(i) / 100);
    EXPECT_NEAR(root_mean_square(sine.data(), sine.size()), std::sqrt(0.5), 1e-12);
    EXPECT_NEAR(crest_factor(sine.data(), sine.size()), std::sqrt(2.0), 1e-12);
    EXPECT_NEAR(kurtosis(sine.data(), sine.size()), 1.5, 1e-12);
    const double flat[3] = {2, 2, 2};
    EXPECT_TRUE(std::isnan(kurtosis(flat, 3)));
    const double zero[2] = {0, 0};
    EXPECT_EQ(root_mean_square(zero, 2), 0.0);
    EXPECT_TRUE(std::isnan(crest_factor(zero, 2)));
}

TEST(Shape, kurtosis_of_values_whose_squares_leave_the_range_of_a_double) {
    const double far[4] = {2, 1e300, -1e300, 3};
    EXPECT_NEAR(kurtosis(far, 4), 2, 1e-12);
    const double greatest[4] = {0, 1.7e308, -1.7e308, 0};
    EXPECT_NEAR(kurtosis(greatest, 4), 2, 1e-12);
    const double two[2] = {1e200, 2};
    EXPECT_NEAR(kurtosis(two, 2), 1, 1e-12);
    const double near[4] = {0, 1e-200, -1e-200, 0};
    EXPECT_NEAR(kurtosis(near, 4), 2, 1e-12);
    const double denormal[4] = {0, 5e-324, -5e-324, 0};
    EXPECT_NEAR(kurtosis(denormal, 4), 2, 1e-12);
}

}  // namespace
}  // namespace sluice::device

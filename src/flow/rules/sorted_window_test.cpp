#include "flow/rules/sorted_window.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::rules {
namespace {

double naive_median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t n = values.size();
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double naive_deviation(const std::vector<double>& values) {
    const double median = naive_median(values);
    std::vector<double> deviations;
    for (const double x : values) deviations.push_back(std::fabs(x - median));
    return naive_median(deviations);
}

/// Few distinct values, ties, glitches, constant stretches.
double next_value(std::mt19937& random, std::size_t i) {
    if (i % 97 == 0) return random() % 2 == 0 ? 1e12 : -1e12;
    if (i / 50 % 4 == 3) return 5;
    return static_cast<double>(random() % 20) / 4;
}

TEST(SortedWindow, agrees_with_sorting_the_window_after_every_push) {
    std::mt19937 random(1);
    for (const std::uint32_t size : {2U, 3U, 10U, 101U}) {
        SortedWindow window;
        std::vector<double> ring(size);
        std::vector<double> sorted(size);
        std::vector<double> all;
        for (std::size_t i = 0; i < 1000; ++i) {
            all.push_back(next_value(random, i));
            window.push(all.back(), ring.data(), sorted.data(), size);
            std::vector<double> fresh(all.end() - static_cast<std::ptrdiff_t>(std::min<std::size_t>(all.size(), size)), all.end());
            for (std::uint32_t k = 0; k < window.count; ++k) ASSERT_EQ(window.at(k, ring.data(), size), fresh[k]) << size << " " << i;
            ASSERT_EQ(median_of_sorted({sorted.data(), window.count}), naive_median(fresh)) << size << " " << i;
            ASSERT_EQ(median_deviation_of_sorted({sorted.data(), window.count}), naive_deviation(fresh)) << size << " " << i;
            std::sort(fresh.begin(), fresh.end());
            ASSERT_TRUE(std::equal(fresh.begin(), fresh.end(), sorted.begin())) << size << " " << i;
        }
    }
}

}  // namespace
}  // namespace sluice::rules

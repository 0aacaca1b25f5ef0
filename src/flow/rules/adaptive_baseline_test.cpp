#include "flow/rules/adaptive_baseline.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::rules {
namespace {

using Parameters = AdaptiveBaseline::Parameters;

class Detector {
public:
    explicit Detector(Parameters parameters) : parameters_(parameters), fast_(parameters.fast), slow_(parameters.slow) {}
    void push(double x) { state.push(x, parameters_, {.fast = fast_.data(), .slow = slow_.data()}); }
    [[nodiscard]] bool alarm() const { return state.alarmed != 0; }

    AdaptiveBaseline state{};

private:
    Parameters parameters_;
    std::vector<double> fast_;
    std::vector<double> slow_;
};

double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double x : values) sum += x - values[0];
    return values[0] + sum / static_cast<double>(values.size());
}

double variance(const std::vector<double>& values) {
    const double center = mean(values);
    double sum = 0;
    for (const double x : values) sum += (x - center) * (x - center);
    return sum / static_cast<double>(values.size() - 1);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t n = values.size();
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/// The definition, computed afresh from the values for each reading.
class Naive {
public:
    explicit Naive(Parameters parameters) : p_(parameters) {}

    void push(double x) {
        if (!ready) {
            baseline_.push_back(x);
            if (baseline_.size() == p_.slow) learn();
            return;
        }
        const double reach = 8 * std::sqrt(variance(baseline_));
        if (reach > 0) x = std::clamp(x, mean(baseline_) - reach, mean(baseline_) + reach);
        average_.push_back(x);
        const double left = average_.front();
        average_.erase(average_.begin());
        if (alarm) {
            tainted_ = p_.fast;
        } else if (tainted_ > 0) {
            --tainted_;
        } else {
            baseline_.push_back(left);
            if (baseline_.size() > p_.slow) baseline_.erase(baseline_.begin());
        }
        judge();
    }

    bool ready = false;
    bool alarm = false;
    double score = 0;

private:
    void learn() {
        const double center = median(baseline_);
        std::vector<double> deviations;
        deviations.reserve(baseline_.size());
        for (const double x : baseline_) deviations.push_back(std::fabs(x - center));
        double spread = 1.482602218505602 * median(deviations);
        if (spread == 0) {
            std::erase(deviations, 0);
            std::sort(deviations.begin(), deviations.end());
            if (deviations.size() > 1) spread = deviations[(deviations.size() - 1) / 2];
        }
        for (double& x : baseline_) x = std::clamp(x, center - 8 * spread, center + 8 * spread);
        const double all = mean(baseline_);
        squares_ = 0;
        const std::size_t windows = p_.slow - p_.fast + 1;
        for (std::size_t i = 0; i < windows; ++i) {
            const auto from = baseline_.begin() + static_cast<std::ptrdiff_t>(i);
            const double difference = mean({from, from + static_cast<std::ptrdiff_t>(p_.fast)}) - all;
            squares_ += difference * difference / static_cast<double>(windows);
        }
        known_ = p_.slow;
        average_.assign(baseline_.end() - static_cast<std::ptrdiff_t>(p_.fast), baseline_.end());
        baseline_.resize(p_.slow - p_.fast);
        ready = true;
        judge();
    }

    void judge() {
        const double difference = mean(average_) - mean(baseline_);
        const double usual = std::sqrt(std::max(squares_, variance(baseline_) / static_cast<double>(p_.fast)));
        score = difference == 0 ? 0 : difference / usual;
        if (!alarm && std::fabs(score) > p_.limit) {
            alarm = true;
            run_ = 1;
        } else if (!alarm) {
            known_ = std::min(known_ + 1, std::size_t{5} * p_.slow);
            squares_ += (difference * difference - squares_) / static_cast<double>(known_);
        } else if (std::fabs(score) < 0.7 * p_.limit) {
            alarm = false;
        } else if (p_.relearn != 0 && run_ >= p_.relearn) {
            *this = Naive(p_);
        } else {
            ++run_;
        }
    }

    Parameters p_;
    std::vector<double> average_;
    std::vector<double> baseline_;
    double squares_ = 0;
    std::size_t known_ = 0;
    std::size_t run_ = 0;
    std::size_t tainted_ = 0;
};

constexpr Parameters kParameters{.fast = 7, .slow = 40, .limit = 4, .relearn = 90};

/// Noise, drift, steps, few distinct values, glitches of 1e12, constant stretches.
double hostile(std::mt19937& random, std::size_t i) {
    const double noise = static_cast<double>(random() % 1000) / 1000;
    if (i % 331 == 17) return random() % 2 == 0 ? 1e12 : -1e12;
    switch (i / 300 % 5) {
        case 0:
            return 100 + noise;
        case 1:
            return 100 + static_cast<double>(i % 300) / 100 + noise;
        case 2:
            return 107 + std::round(3 * noise);
        case 3:
            return 42;
        default:
            return i % 300 < 150 ? noise : 8 + noise;
    }
}

TEST(AdaptiveBaseline, agrees_with_a_fresh_computation_after_every_reading) {
    std::mt19937 random(7);
    Detector detector(kParameters);
    Naive naive(kParameters);
    std::size_t alarms = 0;
    for (std::size_t i = 0; i < 20'000; ++i) {
        const double x = hostile(random, i);
        detector.push(x);
        naive.push(x);
        ASSERT_EQ(detector.state.ready(), naive.ready) << i;
        ASSERT_EQ(detector.alarm(), naive.alarm) << i;
        if (!naive.ready) continue;
        alarms += naive.alarm ? 1U : 0U;
        if (std::isinf(naive.score))
            ASSERT_EQ(detector.state.score(), naive.score) << i;
        else
            ASSERT_NEAR(detector.state.score(), naive.score, 1e-6 * std::max(1.0, std::fabs(naive.score))) << i;
    }
    EXPECT_GT(alarms, 1000u);
}

double noise(std::mt19937& random) { return static_cast<double>(random()) / 4294967296.0; }

TEST(AdaptiveBaseline, a_step_is_an_alarm_and_a_return_clears_it) {
    std::mt19937 random(2);
    Detector detector(kParameters);
    for (int i = 0; i < 500; ++i) {
        detector.push(noise(random));
        ASSERT_FALSE(detector.alarm()) << i;
    }
    for (int i = 0; i < 20; ++i) detector.push(3 + noise(random));
    EXPECT_TRUE(detector.alarm());
    for (int i = 0; i < 20; ++i) detector.push(noise(random));
    EXPECT_FALSE(detector.alarm());
}

TEST(AdaptiveBaseline, one_glitch_is_no_alarm_and_leaves_no_trace) {
    for (const std::size_t at : {std::size_t{3}, std::size_t{39}, std::size_t{200}}) {
        std::mt19937 random(3);
        Detector with(kParameters);
        Detector without(kParameters);
        for (std::size_t i = 0; i < 2000; ++i) {
            const double x = noise(random) + (i / 400 == 3 ? 2 : 0);
            with.push(i == at ? 1e12 : x);
            without.push(x);
            ASSERT_EQ(with.alarm(), without.alarm()) << at << " " << i;
        }
        EXPECT_NEAR(with.state.score(), without.state.score(), 0.1);
    }
}

TEST(AdaptiveBaseline, a_constant_signal_is_zero_and_any_change_of_it_infinite) {
    Detector detector(kParameters);
    for (int i = 0; i < 100; ++i) detector.push(i == 20 ? 1e12 : 0.1);
    EXPECT_EQ(detector.state.score(), 0);
    detector.push(0.2);
    EXPECT_TRUE(std::isinf(detector.state.score()));
    for (int i = 0; i < 7; ++i) detector.push(0.1);
    EXPECT_EQ(detector.state.score(), 0);
    EXPECT_FALSE(detector.alarm());
}

TEST(AdaptiveBaseline, many_readings_leave_no_error) {
    std::mt19937 random(5);
    Detector old(kParameters);
    for (int i = 0; i < 3'000'000; ++i) old.push(1e6 + noise(random));
    Naive fresh(kParameters);
    Detector young(kParameters);
    for (int i = 0; i < 3000; ++i) {
        const double x = 1e6 + noise(random);
        old.push(x);
        fresh.push(x);
        young.push(x);
    }
    // Both know the same last values; the usual difference has long forgotten all before them.
    EXPECT_NEAR(old.state.score(), fresh.score, 1e-3);
    EXPECT_NEAR(young.state.score(), fresh.score, 1e-6);
}

TEST(AdaptiveBaseline, values_at_the_end_of_the_range_do_not_poison_it) {
    Detector detector(kParameters);
    for (int i = 0; i < 50; ++i) detector.push(i % 2 == 0 ? 1.7e308 : -1.7e308);
    std::mt19937 random(6);
    for (int i = 0; i < 20'000; ++i) detector.push(noise(random));
    EXPECT_TRUE(std::isfinite(detector.state.score()));
    for (int i = 0; i < 20; ++i) detector.push(5);
    EXPECT_TRUE(detector.alarm());
}

}  // namespace
}  // namespace sluice::rules

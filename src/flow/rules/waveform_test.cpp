#include "flow/rules/waveform.hpp"

#include <cmath>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "flow/rules/bearing.hpp"

namespace sluice::rules {
namespace {

constexpr double kRate = 12'000;

std::vector<double> sine(double frequency, double amplitude, std::size_t length) {
    std::vector<double> block;
    for (std::size_t i = 0; i < length; ++i)
        block.push_back(amplitude * std::sin(2 * std::numbers::pi * frequency * static_cast<double>(i) / kRate));
    return block;
}

std::vector<double> noise(std::mt19937& random, std::size_t length) {
    std::normal_distribution<double> normal;
    std::vector<double> block;
    for (std::size_t i = 0; i < length; ++i) block.push_back(normal(random));
    return block;
}

/// A resonance at 3 kHz that is struck at `impacts` Hz, in noise.
std::vector<double> struck(double impacts, std::size_t length, std::mt19937& random) {
    std::vector<double> block = noise(random, length);
    for (double at = 0; at < static_cast<double>(length); at += kRate / impacts) {
        for (auto i = static_cast<std::size_t>(std::ceil(at)); i < length; ++i) {
            const double seconds = (static_cast<double>(i) - at) / kRate;
            if (seconds > 0.01) break;
            block[i] += 8 * std::exp(-seconds * 800) * std::sin(2 * std::numbers::pi * 3000 * seconds);
        }
    }
    return block;
}

TEST(Waveform, the_rms_of_a_band_is_that_of_the_lines_within_it) {
    SpectrumAnalyzer analyzer;
    auto block = sine(300, 2, 2400);
    const auto other = sine(1500, 1, 2400);
    for (std::size_t i = 0; i < block.size(); ++i) block[i] += other[i];
    EXPECT_NEAR(analyzer.band_rms(block, kRate, {.low = 200, .high = 400}), std::sqrt(2.0), 1e-9);
    EXPECT_NEAR(analyzer.band_rms(block, kRate, {.low = 1000, .high = 2000}), std::sqrt(0.5), 1e-9);
    EXPECT_NEAR(analyzer.band_rms(block, kRate, {.low = 500, .high = 1000}), 0, 1e-9);
}

TEST(Waveform, velocity_is_acceleration_over_angular_frequency) {
    SpectrumAnalyzer analyzer;
    // 1 g of amplitude at 50 Hz: 9806.65 / (2 pi 50) = 31.216 mm/s of amplitude, the example of every handbook. Leakage of neighbouring
    // bins, which are divided by other frequencies, is a few thousandths.
    const auto block = sine(50, 1, 4800);
    EXPECT_NEAR(9806.65 * analyzer.integrated_rms(block, kRate, {.low = 10, .high = 1000}), 31.216 / std::sqrt(2.0), 0.1);
}

TEST(Waveform, any_length_works_and_tells_the_same) {
    SpectrumAnalyzer analyzer;
    for (const std::size_t length : {8U, 9U, 31U, 997U, 2048U, 2053U, 3000U, 49'999U}) {
        std::mt19937 random(length);
        const auto block = noise(random, length);
        EXPECT_NEAR(analyzer.band_rms(block, kRate, {.low = 0, .high = kRate / 2}), 1, 3 / std::sqrt(static_cast<double>(length)));
    }
}

TEST(Waveform, impacts_stand_as_lines_in_the_envelope_and_other_lines_do_not) {
    SpectrumAnalyzer analyzer;
    std::mt19937 random(1);
    for (const std::size_t length : {2048U, 3000U, 4096U, 8192U}) {
        auto envelope = analyzer.envelope(struck(107.4, length, random), kRate, {.low = 2000, .high = 5000});
        const double outer = envelope.line(107.4, 500);
        EXPECT_GT(outer, 20) << length;
        EXPECT_LT(envelope.line(75.0, 500), 7) << length;
        // Twice the inner race's 162.2 Hz is three times 107.4 within the slip: the lines of a bearing share multiples, the greatest
        // counts.
        EXPECT_LT(envelope.line(162.2, 500), outer / 2) << length;
    }
}

TEST(Waveform, rolling_elements_may_slip_by_one_percent_and_a_half) {
    SpectrumAnalyzer analyzer;
    std::mt19937 random(8);
    auto envelope = analyzer.envelope(struck(107.4, 30'000, random), kRate, {.low = 2000, .high = 5000});
    EXPECT_GT(envelope.line(106.0, 500), 20);
    EXPECT_GT(envelope.line(108.8, 500), 20);
    EXPECT_LT(envelope.line(104.0, 500), 7);
}

TEST(Waveform, what_no_machine_does_costs_nothing_but_its_own_result) {
    SpectrumAnalyzer analyzer;
    std::vector<double> block(2048, 0.0);
    auto flat = analyzer.envelope(block, kRate, {.low = 2000, .high = 5000});
    EXPECT_EQ(flat.line(100, 500), 0);
    std::mt19937 random(5);
    auto noisy = analyzer.envelope(noise(random, 2048), kRate, {.low = 2000, .high = 5000});
    for (const double line : {1e-300, 6000.0, 1e300, 1e308}) EXPECT_EQ(noisy.line(line, 1e308), 0) << line;
    block[7] = 1e300;
    auto glitch = analyzer.envelope(block, kRate, {.low = 2000, .high = 5000});
    EXPECT_TRUE(std::isnan(glitch.line(100, 500)));
}

TEST(Waveform, noise_has_no_lines) {
    SpectrumAnalyzer analyzer;
    std::mt19937 random(4);
    int found = 0;
    for (int i = 0; i < 1000; ++i) {
        auto envelope = analyzer.envelope(noise(random, 2048), kRate, {.low = 2000, .high = 5000});
        if (envelope.line(107.4, 560) >= 7) ++found;
    }
    EXPECT_LE(found, 1);
}

TEST(Waveform, a_line_beside_a_stronger_one_is_not_taken_for_it) {
    SpectrumAnalyzer analyzer;
    std::mt19937 random(2);
    // 119.8 Hz is the fourth multiple of a shaft at 1797 rpm, two bins of 5.9 Hz from the outer race's 107.4.
    auto envelope = analyzer.envelope(struck(119.8, 2048, random), kRate, {.low = 2000, .high = 5000});
    EXPECT_LT(envelope.line(107.4, 500), 7);
}

TEST(Bearing, rates_follow_from_geometry) {
    const auto rates = parse_bearing("balls=9 ball=7.94 pitch=39.04 angle=0");
    ASSERT_TRUE(rates.has_value());
    // The manufacturer's multipliers of 6205-2RS.
    EXPECT_NEAR(rates->outer, 3.5848, 1e-3);
    EXPECT_NEAR(rates->inner, 5.4152, 1e-3);
    EXPECT_NEAR(rates->ball, 4.7135, 2e-3);
    EXPECT_NEAR(rates->cage, 0.3983, 1e-3);
    const auto given = parse_bearing("bpfo=3.5848 bpfi=5.4152 bsf=2.3568 ftf=0.3983");
    ASSERT_TRUE(given.has_value());
    EXPECT_EQ(given->ball, 2 * 2.3568);
}

TEST(Bearing, what_is_no_bearing_is_refused) {
    for (const char* text :
         {"", "6205", "balls=9 ball=7.94", "balls=9 ball=7.94 pitch=x", "balls=9 ball=50 pitch=39", "balls=9 balls=8 ball=1 pitch=9",
          "bpfo=3 bpfi=5 bsf=2", "bpfo=3 bpfi=5 bsf=2 ftf=0.4 balls=9 ball=7.94 pitch=39.04", "balls=0 ball=1 pitch=9"})
        EXPECT_FALSE(parse_bearing(text).has_value()) << text;
}

}  // namespace
}  // namespace sluice::rules

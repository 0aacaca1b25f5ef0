#include "cli/plant/plant.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "cli/plant/reference.hpp"

namespace sluice::plant {
namespace {

std::string payload_of(const Sample& sample, std::int64_t ts) {
    char buffer[kPayloadBytesMax];
    return {buffer, render(sample, ts, buffer)};
}

TEST(Plant, the_same_seed_gives_the_same_readings_whatever_the_order_of_sensors) {
    Plant forward({.seed = 7, .sensors = 5, .spike_probability = 0.01});
    Plant backward({.seed = 7, .sensors = 5, .spike_probability = 0.01});
    std::vector<std::vector<std::string>> first(5), second(5);
    for (int round = 0; round < 300; ++round) {
        for (std::uint32_t s = 0; s < 5; ++s) first[s].push_back(payload_of(forward.next(s), 1));
    }
    for (std::uint32_t s = 5; s-- > 0;) {
        for (int round = 0; round < 300; ++round) second[s].push_back(payload_of(backward.next(s), 1));
    }
    EXPECT_EQ(first, second);
}

TEST(Plant, another_seed_and_another_sensor_give_other_readings) {
    Plant one({.seed = 1, .sensors = 2});
    Plant two({.seed = 2, .sensors = 2});
    int same_seed = 0, same_sensor = 0;
    for (int i = 0; i < 100; ++i) {
        const auto a = one.next(0).vibration_milli;
        same_sensor += a == one.next(1).vibration_milli ? 1 : 0;
        same_seed += a == two.next(0).vibration_milli ? 1 : 0;
    }
    EXPECT_LT(same_seed, 20);
    EXPECT_LT(same_sensor, 20);
}

TEST(Plant, a_reading_renders_as_the_json_that_the_rules_read) {
    const Sample sample{.sensor = 42, .sequence = 17, .vibration_milli = 734, .temperature_deci = 412, .rpm = 1797, .spike = false};
    EXPECT_EQ(payload_of(sample, 1700000000123),
              R"({"device":"sensor-00042","ts":1700000000123,"seq":17,"vibration":0.734,"temperature":41.2,"rpm":1797})");
    EXPECT_EQ(topic_name(42), "sensors/sensor-00042/vibration");
    const Sample low{.sensor = 99'999, .sequence = 1, .vibration_milli = 4'007, .temperature_deci = 5, .rpm = 0, .spike = true};
    EXPECT_EQ(payload_of(low, 0), R"({"device":"sensor-99999","ts":0,"seq":1,"vibration":4.007,"temperature":0.5,"rpm":0})");
}

TEST(Plant, the_longest_payload_fits) {
    const Sample longest{.sensor = 99'999,
                         .sequence = UINT64_MAX,
                         .vibration_milli = UINT32_MAX,
                         .temperature_deci = UINT32_MAX,
                         .rpm = UINT32_MAX,
                         .spike = false};
    EXPECT_LE(payload_of(longest, INT64_MAX).size(), kPayloadBytesMax);
}

TEST(Plant, no_spike_falls_into_warm_up_or_the_gap_even_at_probability_one) {
    Plant plant({.seed = 3, .sensors = 1, .spike_probability = 1.0});
    std::vector<std::uint64_t> spikes;
    for (int i = 0; i < 1000; ++i) {
        const Sample sample = plant.next(0);
        if (sample.spike) spikes.push_back(sample.sequence);
    }
    ASSERT_EQ(spikes.size(), 36U);
    EXPECT_EQ(spikes.front(), kWarmupReadings + 1);
    for (std::size_t i = 1; i < spikes.size(); ++i) EXPECT_EQ(spikes[i] - spikes[i - 1], kSpikeGapReadings);
}

TEST(Plant, every_spike_passes_the_threshold_at_any_density) {
    for (const double probability : {0.001, 0.02, 0.2, 1.0}) {
        const std::uint32_t sensors = 400;
        const auto expected =
            expected_alerts({.seed = 11, .sensors = sensors, .spike_probability = probability}, std::vector<std::uint32_t>(sensors, 600));
        EXPECT_GT(expected.spikes, 0U);
        EXPECT_EQ(expected.missed_spikes, 0U) << "at probability " << probability;
    }
}

TEST(Plant, bearings_without_spikes_rarely_pass_the_threshold) {
    const std::uint32_t sensors = 500;
    const auto expected = expected_alerts({.seed = 5, .sensors = sensors}, std::vector<std::uint32_t>(sensors, 400));
    EXPECT_EQ(expected.spikes, 0U);
    EXPECT_LT(expected.alerts.size(), 500U * 300U / 200U) << "more than half a per cent of false alarms";
}

TEST(Plant, some_bearings_are_damaged_and_damage_raises_the_level_between_its_lows) {
    const std::uint32_t sensors = 2000;
    Plant plant({.seed = 1, .sensors = sensors});
    int outer = 0, inner = 0;
    double spread_sound = 0, spread_damaged = 0;
    for (std::uint32_t s = 0; s < sensors; ++s) {
        std::uint32_t low = UINT32_MAX, high = 0;
        for (int i = 0; i < 100; ++i) {
            const auto v = plant.next(s).vibration_milli;
            low = std::min(low, v);
            high = std::max(high, v);
        }
        outer += plant.fault(s) == Fault::outer_race ? 1 : 0;
        inner += plant.fault(s) == Fault::inner_race ? 1 : 0;
        (plant.fault(s) == Fault::none ? spread_sound : spread_damaged) += high - low;
    }
    EXPECT_GT(outer, 20);
    EXPECT_GT(inner, 20);
    EXPECT_GT(spread_damaged / (outer + inner), spread_sound / (2000.0 - outer - inner));
}

TEST(Plant, levels_stay_in_range_over_a_million_readings_of_one_bearing) {
    Plant plant({.seed = 9, .sensors = 1});
    for (int i = 0; i < 1'000'000; ++i) {
        const Sample sample = plant.next(0);
        ASSERT_GT(sample.vibration_milli, 200U) << "at " << i;
        ASSERT_LT(sample.vibration_milli, 4'000U) << "at " << i;
    }
}

}  // namespace
}  // namespace sluice::plant

#include "cli/plant/reference.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace sluice::plant {
namespace {

std::vector<double> window(double last) {
    std::vector<double> values;
    for (int i = 0; i < 100; ++i) values.push_back(i % 2 == 0 ? 1.0 : 3.0);  // mean 2, sample deviation sqrt(100/99)
    values.push_back(last);
    return values;
}

TEST(Reference, a_hundred_readings_are_not_enough_to_judge_the_hundredth) {
    std::vector<double> values(99, 1.0);
    values.push_back(1e9);
    EXPECT_EQ(judge(values), Verdict::quiet);
    values.push_back(1.0);
    EXPECT_EQ(judge(values), Verdict::quiet) << "the glitch is in the window now";
}

TEST(Reference, the_sample_deviation_decides_not_the_population_one) {
    // 3 sample deviations are 3.0151; 3 population deviations are 3.
    EXPECT_EQ(judge(window(2.0 + 3.01)), Verdict::quiet);
    EXPECT_EQ(judge(window(2.0 + 3.02)), Verdict::alert);
    EXPECT_EQ(judge(window(2.0 - 3.02)), Verdict::alert);
}

TEST(Reference, exactly_on_the_threshold_is_a_tie) {
    const long double three_deviations = 3.0L * 1.00503781525921167L;  // sqrt(100/99)
    EXPECT_EQ(judge(window(static_cast<double>(2.0L + three_deviations))), Verdict::tie);
}

TEST(Reference, without_spread_any_other_value_is_an_alert) {
    std::vector<double> values(100, 0.1);
    values.push_back(0.1);
    EXPECT_EQ(judge(values), Verdict::quiet);
    values.back() = 0.1000001;
    EXPECT_EQ(judge(values), Verdict::alert);
}

TEST(Reference, the_number_is_read_back_from_the_text) {
    EXPECT_EQ(published_vibration(R"({"seq":1,"vibration":0.734,"rpm":3})"), 0.734);
    EXPECT_EQ(published_vibration(R"({"vibration":4.007})"), 4.007);
}

TEST(Reference, expected_alerts_hold_all_spikes_of_the_readings_that_were_published) {
    const Options options{.seed = 4, .sensors = 3, .spike_probability = 0.05};
    const auto all = expected_alerts(options, {400, 400, 400});
    const auto fewer = expected_alerts(options, {400, 0, 150});
    EXPECT_GT(all.spikes, fewer.spikes);
    for (const auto& alert : fewer.alerts) {
        EXPECT_NE(alert.sensor, 1U);
        EXPECT_TRUE(alert.sensor == 0 || alert.sequence <= 150);
        EXPECT_NE(std::find(all.alerts.begin(), all.alerts.end(), alert), all.alerts.end());
    }
}

}  // namespace
}  // namespace sluice::plant

#include "cli/plant/reference.hpp"

#include <charconv>
#include <cmath>
#include <limits>

#include "base/check.hpp"

namespace sluice::plant {

Verdict judge(const std::vector<double>& values) {
    if (values.size() <= kZScoreWindow) return Verdict::quiet;
    const double value = values.back();
    const std::size_t first = values.size() - 1 - kZScoreWindow;
    long double sum = 0;
    bool same = true;
    for (std::size_t i = first; i < first + kZScoreWindow; ++i) {
        sum += static_cast<long double>(values[i]);
        same = same && values[i] == values[first];
    }
    if (same) return value == values[first] ? Verdict::quiet : Verdict::alert;
    const long double mean = sum / static_cast<long double>(kZScoreWindow);
    long double squares = 0;
    for (std::size_t i = first; i < first + kZScoreWindow; ++i) {
        const long double off = static_cast<long double>(values[i]) - mean;
        squares += off * off;
    }
    const long double deviation = std::sqrt(squares / static_cast<long double>(kZScoreWindow - 1));
    const auto z = static_cast<double>(std::fabs((static_cast<long double>(value) - mean) / deviation));
    if (std::fabs(z - kZScoreThreshold) <= kZScoreThreshold * kTieTolerance) return Verdict::tie;
    return z > kZScoreThreshold ? Verdict::alert : Verdict::quiet;
}

double published_vibration(std::string_view payload) {
    constexpr std::string_view kKey = "\"vibration\":";
    const std::size_t at = payload.find(kKey);
    base::check(at != std::string_view::npos, "plant: a payload without vibration");
    double value = std::numeric_limits<double>::quiet_NaN();
    const auto read = std::from_chars(payload.data() + at + kKey.size(), payload.data() + payload.size(), value);
    base::check(read.ec == std::errc{}, "plant: vibration is not a number");
    return value;
}

Expected expected_alerts(const Options& options, const std::vector<std::uint32_t>& published) {
    base::check(published.size() == options.sensors, "plant: one count for each sensor");
    Plant plant(options);
    Expected expected;
    std::vector<double> values;
    char payload[kPayloadBytesMax];
    for (std::uint32_t sensor = 0; sensor < options.sensors; ++sensor) {
        values.clear();
        for (std::uint32_t i = 0; i < published[sensor]; ++i) {
            const Sample sample = plant.next(sensor);
            const std::size_t size = render(sample, 0, payload);
            values.push_back(published_vibration({payload, size}));
            const Verdict verdict = judge(values);
            if (sample.spike) ++expected.spikes;
            if (sample.spike && verdict != Verdict::alert) ++expected.missed_spikes;
            if (verdict == Verdict::tie) ++expected.ties;
            if (verdict == Verdict::quiet && !sample.spike) continue;
            expected.alerts.push_back({sensor, sample.sequence, values.back(), sample.spike, verdict == Verdict::tie});
        }
    }
    return expected;
}

}  // namespace sluice::plant

// Which readings must raise an alert: the z-score rule evaluated again, plainly and independently of the gateway's code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "cli/plant/plant.hpp"

namespace sluice::plant {

/// The rule `abs(zscore(vibration, 100)) > 3`.
inline constexpr std::size_t kZScoreWindow = 100;
inline constexpr double kZScoreThreshold = 3.0;
/// |z| this close to the threshold (relative) may fall on either side by rounding alone.
inline constexpr double kTieTolerance = 1e-9;

enum class Verdict : std::uint8_t {
    quiet,  ///< no alert
    alert,
    tie,  ///< within rounding of the threshold: both answers are right
};

/// The verdict on the last value of `values` against the kZScoreWindow before it, by two passes in long double: mean, then the sample
/// deviation (n - 1). With fewer values before it: quiet. No spread in the window: quiet if the value equals the mean, else alert.
[[nodiscard]] Verdict judge(const std::vector<double>& values);

/// The number that a payload carries under `vibration`, as a JSON reader sees it (correctly rounded). The payload is one of render()'s.
[[nodiscard]] double published_vibration(std::string_view payload);

struct ExpectedAlert {
    std::uint32_t sensor;
    std::uint64_t sequence;
    double vibration;
    bool spike;  ///< injected; else the physics alone passed the threshold
    bool tie;
    friend bool operator==(const ExpectedAlert&, const ExpectedAlert&) = default;
};

/// Runs a plant again and judges each reading, for `published[i]` readings of sensor i, from the text that was published.
/// In the order of sensors, then of sequence. All spikes are in the result, also one that the rule would miss: `missed_spikes` counts
/// those.
struct Expected {
    std::vector<ExpectedAlert> alerts;  ///< ties included
    std::uint64_t spikes = 0;
    std::uint64_t missed_spikes = 0;  ///< 0 unless the plant's promise is broken
    std::uint64_t ties = 0;
};
[[nodiscard]] Expected expected_alerts(const Options& options, const std::vector<std::uint32_t>& published);

}  // namespace sluice::plant

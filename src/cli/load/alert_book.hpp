// What was alerted, how often and how fast, against what had to be.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "cli/plant/reference.hpp"

namespace sluice::load {

struct AlertKey {
    std::uint32_t sensor;
    std::uint64_t sequence;
    friend bool operator==(const AlertKey&, const AlertKey&) = default;
};

/// Sensor and sequence number of an alert's JSON: `"device":"sensor-00042"` and `"seq":17`, anywhere in it. Nothing for anything else.
[[nodiscard]] std::optional<AlertKey> read_alert(std::string_view json);

/// One thread.
class AlertBook {
public:
    /// False when the JSON is not an alert of a plant's sensor; it is counted as strange.
    bool note(std::string_view json);

    struct Comparison {
        std::uint64_t expected = 0;      ///< alerts that had to come, ties left out
        std::uint64_t exact = 0;         ///< of these, came exactly once
        std::uint64_t missing = 0;       ///< of these, never came
        std::uint64_t repeated = 0;      ///< readings alerted more than once, expected or not
        std::uint64_t unexpected = 0;    ///< readings alerted that had no reason to
        std::uint64_t strange = 0;       ///< alerts that name no reading of the plant
        std::uint64_t spikes = 0;        ///< injected
        std::uint64_t spikes_exact = 0;  ///< of these, alerted exactly once
        std::uint64_t ties = 0;          ///< readings on the threshold to within rounding: alerted or not, both are right
        [[nodiscard]] bool perfect() const {
            return exact == expected && missing == 0 && repeated == 0 && unexpected == 0 && strange == 0 && spikes == spikes_exact;
        }
    };
    [[nodiscard]] Comparison compare(const plant::Expected& expected) const;

    /// Alerts so far, repetitions included, strange ones not.
    [[nodiscard]] std::uint64_t count() const { return count_; }

private:
    struct Hash {
        std::size_t operator()(const AlertKey& key) const { return key.sequence * 0x9e3779b97f4a7c15U ^ key.sensor; }
    };
    std::unordered_map<AlertKey, std::uint32_t, Hash> seen_;
    std::uint64_t count_ = 0;
    std::uint64_t strange_ = 0;
};

}  // namespace sluice::load

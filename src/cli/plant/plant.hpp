// A plant of rolling bearings: what each vibration sensor would report, deterministic from a seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::plant {

/// Names are `sensor-00000` to `sensor-99999`.
inline constexpr std::uint32_t kSensorsMax = 100'000;
/// No spike before a sensor has reported this often: a rule over the last hundred readings can judge reading 101 first.
inline constexpr std::uint32_t kWarmupReadings = 100;
/// Readings between two spikes of a sensor, at least: so no more than four of the hundred readings before a spike are spikes, and
/// each spike stands out (|z| > 3) however large the others were. See plant.cpp for the arithmetic.
inline constexpr std::uint32_t kSpikeGapReadings = 25;
/// Longest payload that render() makes, rounded up.
inline constexpr std::size_t kPayloadBytesMax = 176;

struct Options {
    std::uint64_t seed = 1;
    std::uint32_t sensors = 1;       ///< 1 to kSensorsMax
    double spike_probability = 0.0;  ///< 0 to 1, for each reading after warm-up that is not within the gap of another spike
};

/// One reading of one sensor, in the precision in which it is published.
struct Sample {
    std::uint32_t sensor;            ///< index from 0
    std::uint64_t sequence;          ///< 1, 2, 3, … for each sensor
    std::uint32_t vibration_milli;   ///< acceleration of the last window, thousandths of g (RMS), at least 1
    std::uint32_t temperature_deci;  ///< bearing temperature, tenths of a degree Celsius
    std::uint32_t rpm;               ///< shaft speed, revolutions a minute
    bool spike;                      ///< injected by us; not published
};

enum class Fault : std::uint8_t { none, outer_race, inner_race };

/// The state of all bearings: 72 bytes a sensor. One thread at a time. Readings of a sensor depend on the seed, the sensor's index, the
/// spike probability and nothing else: neither on other sensors nor on time.
class Plant {
public:
    explicit Plant(const Options& options);

    /// The next reading of a sensor; `sensor` is below options().sensors.
    [[nodiscard]] Sample next(std::uint32_t sensor);

    [[nodiscard]] Fault fault(std::uint32_t sensor) const { return bearings_[sensor].fault; }
    [[nodiscard]] const Options& options() const { return options_; }

private:
    struct Phasor {  ///< a unit vector that turns by a fixed angle with each reading
        float cosine, sine;
        float step_cosine, step_sine;
    };
    struct Bearing {
        std::uint64_t random;       ///< state of the sensor's own generator
        Phasor shaft;               ///< position of the shaft at the reading, seen through the sampling (aliased)
        float base;                 ///< level of a sound bearing, g
        float wear_per_reading;     ///< g
        float temperature;          ///< degrees Celsius
        float impact_phase;         ///< 0…1: time since the last impact, in periods of the fault frequency
        float impact_step;          ///< how far the phase moves from reading to reading
        float impact_g;             ///< level of a fresh impact, g
        std::uint32_t readings;     ///< reported so far
        std::uint32_t spike_after;  ///< no spike up to and including this reading
        std::uint16_t rpm;
        Fault fault;
    };

    Options options_;
    std::uint64_t spike_below_;  ///< a 32-bit draw under this is a spike
    std::vector<Bearing> bearings_;
};

/// `sensor-00042`. Also the sensor's MQTT client id.
[[nodiscard]] std::string device_name(std::uint32_t sensor);
/// `sensors/sensor-00042/vibration`
[[nodiscard]] std::string topic_name(std::uint32_t sensor);

/// Writes `{"device":"sensor-00042","ts":1700000000123,"seq":17,"vibration":0.734,"temperature":41.2,"rpm":1797}`; returns its length.
/// `out` has room for kPayloadBytesMax; `ts` is in ms since 1970 and not negative.
std::size_t render(const Sample& sample, std::int64_t ts, char* out);

}  // namespace sluice::plant

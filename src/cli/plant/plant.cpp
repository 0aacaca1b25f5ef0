#include "cli/plant/plant.hpp"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numbers>

#include "base/check.hpp"

// Each reading is the level (RMS, g) that a wireless vibration sensor reports for a window of 0.11 s:
//   level = base + wear + Σ a_k sin(k φ) + impacts + noise (+ spike)
// φ is the position of the shaft at the end of the window. The shaft turns about 3.3 times per window (1,797 rpm, each machine a little
// different), so the harmonics 1×, 2× and 3× show up aliased, as beats, as they do in a real plant. A whole number of turns would freeze
// them, and the noise alone would be the spread that the z-score knows: many more readings would pass three deviations.
// A damaged bearing adds impacts at its ball-pass frequency with a ring-down that has decayed to e^-5 when the next one comes. The
// frequencies are those of SKF 6205-2RS, the bearing of the CWRU data set: 3.5848 × shaft speed for the outer race (BPFO) and
// 5.4152 × for the inner race (BPFI); impacts of an inner-race fault are stronger while the fault is in the load zone, once per turn.
//
// Why a spike always has |z| > 3 against the hundred readings before it: it adds 4 to 5 g; a sound or damaged bearing stays within
// 0.2 g of its mean; and with a gap of 25 readings at most 4 of the hundred are spikes. The worst case is a spike of 4 g after four of
// 5 g: their share raises the mean by 0.2 g and the deviation to 5·sqrt(0.04·0.96·100/99) = 0.985 g, so z ≥ (4 - 0.2 - 0.2) / 0.99 = 3.6.
namespace sluice::plant {
namespace {

constexpr double kWindowSeconds = 0.11;
constexpr double kNominalRpm = 1797;
constexpr double kBallPassOuter = 3.5848;
constexpr double kBallPassInner = 5.4152;
constexpr float kHarmonic1 = 0.040F;  // unbalance, g
constexpr float kHarmonic2 = 0.020F;  // misalignment, g
constexpr float kHarmonic3 = 0.010F;  // looseness, g
constexpr float kNoise = 0.020F;      // standard deviation, g
constexpr float kSpikeLow = 4.0F;     // g
constexpr float kSpikeSpan = 1.0F;    // g
constexpr float kRingDown = 5.0F;     // e-foldings of an impact until the next one
constexpr float kAmbient = 24.0F;     // degrees Celsius

/// splitmix64 (Steele, Lea, Flood, OOPSLA 2014): one multiplication chain, passes BigCrush, any state is a good state.
std::uint64_t draw(std::uint64_t& state) {
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/// 0 … 1 from 16 bits.
float unit(std::uint64_t bits) { return static_cast<float>(bits & 0xffffU) * (1.0F / 65536.0F); }

/// Nearly normal, mean 0, deviation 1, within ±8.2: the number of ones in 64 random bits is binomial (deviation 4); 16 other bits fill the
/// gaps between the steps.
float normal(std::uint64_t bits, std::uint64_t fill) {
    return (static_cast<float>(std::popcount(bits)) - 32.0F + unit(fill) - 0.5F) * 0.25F;
}

double fraction(double x) { return x - std::floor(x); }

}  // namespace

Plant::Plant(const Options& options) : options_(options) {
    base::check(options.sensors >= 1 && options.sensors <= kSensorsMax, "plant: number of sensors");
    base::check(options.spike_probability >= 0 && options.spike_probability <= 1, "plant: spike probability");
    spike_below_ = static_cast<std::uint64_t>(options.spike_probability * 4294967296.0);
    bearings_.reserve(options.sensors);
    for (std::uint32_t i = 0; i < options.sensors; ++i) {
        std::uint64_t random = options.seed;
        random = draw(random) ^ (static_cast<std::uint64_t>(i) * 0xd6e8feb86659fd93U);  // an odd constant: sensors get states far apart
        const std::uint64_t a = draw(random);
        const std::uint64_t b = draw(random);

        Bearing bearing{};
        const double rpm = kNominalRpm + 30.0 * (static_cast<double>(unit(a)) - 0.5);
        const double turns = rpm / 60.0 * kWindowSeconds;  // in one window
        const double turn = 2.0 * std::numbers::pi * fraction(turns);
        const double start = 2.0 * std::numbers::pi * static_cast<double>(unit(a >> 16));
        bearing.shaft = {static_cast<float>(std::cos(start)), static_cast<float>(std::sin(start)), static_cast<float>(std::cos(turn)),
                         static_cast<float>(std::sin(turn))};
        bearing.rpm = static_cast<std::uint16_t>(rpm);
        bearing.base = 0.45F + 0.4F * unit(a >> 32);
        bearing.wear_per_reading = 2e-6F * unit(a >> 48);
        bearing.temperature = kAmbient + 8.0F * unit(b);
        bearing.impact_phase = unit(b >> 16);
        const auto kind = (b >> 32) % 40;  // one bearing of forty has an outer-race fault, one an inner-race fault
        bearing.fault = kind == 0 ? Fault::outer_race : kind == 1 ? Fault::inner_race : Fault::none;
        if (bearing.fault != Fault::none) {
            bearing.impact_step =
                static_cast<float>(fraction(turns * (bearing.fault == Fault::outer_race ? kBallPassOuter : kBallPassInner)));
            bearing.impact_g = 0.05F + 0.10F * unit(b >> 40);
        }
        bearing.spike_after = kWarmupReadings;
        bearing.random = random;
        bearings_.push_back(bearing);
    }
}

Sample Plant::next(std::uint32_t sensor) {
    Bearing& bearing = bearings_[sensor];
    const std::uint64_t noise_bits = draw(bearing.random);
    const std::uint64_t bits = draw(bearing.random);
    const std::uint32_t reading = ++bearing.readings;

    Phasor& shaft = bearing.shaft;
    const float cosine = shaft.cosine * shaft.step_cosine - shaft.sine * shaft.step_sine;
    const float sine = shaft.sine * shaft.step_cosine + shaft.cosine * shaft.step_sine;
    // One Newton step towards length 1, so that rounding never lets the vector grow or fade.
    const float length = 1.5F - 0.5F * (cosine * cosine + sine * sine);
    shaft.cosine = cosine * length;
    shaft.sine = sine * length;

    const float sine2 = 2.0F * sine * cosine;                // sin 2φ
    const float sine3 = sine * (3.0F - 4.0F * sine * sine);  // sin 3φ
    const float wear = bearing.wear_per_reading * static_cast<float>(reading);
    float level = bearing.base + wear + kHarmonic1 * sine + kHarmonic2 * sine2 + kHarmonic3 * sine3 + kNoise * normal(noise_bits, bits);

    if (bearing.fault != Fault::none) {
        bearing.impact_phase += bearing.impact_step;
        if (bearing.impact_phase >= 1.0F) bearing.impact_phase -= 1.0F;
        const float load = bearing.fault == Fault::inner_race ? 0.5F + 0.5F * cosine : 1.0F;
        level += bearing.impact_g * load * std::exp(-kRingDown * bearing.impact_phase);
    }

    const bool spike = reading > bearing.spike_after && (bits >> 32) < spike_below_;
    if (spike) {
        level += kSpikeLow + kSpikeSpan * unit(bits >> 16);
        bearing.spike_after = reading + kSpikeGapReadings - 1;
    }

    // The housing warms up to what friction gives, slowly: a thousandth of the way with each reading.
    const float target = kAmbient + 16.0F + 12.0F * (bearing.base - 0.45F) + 40.0F * wear;
    bearing.temperature += (target - bearing.temperature) * 0.001F;

    Sample sample{};
    sample.sensor = sensor;
    sample.sequence = reading;
    sample.vibration_milli = level <= 0.001F ? 1U : static_cast<std::uint32_t>(level * 1000.0F + 0.5F);
    sample.temperature_deci = static_cast<std::uint32_t>((bearing.temperature + 0.4F * (unit(bits) - 0.5F)) * 10.0F);
    sample.rpm = bearing.rpm + static_cast<std::uint32_t>((bits >> 8) & 3U);
    sample.spike = spike;
    return sample;
}

namespace {

char* put(char* to, std::string_view text) {
    std::memcpy(to, text.data(), text.size());
    return to + text.size();
}

char* put(char* to, std::uint64_t number) { return std::to_chars(to, to + 20, number).ptr; }

/// The lowest `digits` decimal digits, with leading zeros.
char* put_padded(char* to, std::uint32_t number, int digits) {
    for (int i = digits - 1; i >= 0; --i) {
        to[i] = static_cast<char>('0' + number % 10);
        number /= 10;
    }
    return to + digits;
}

}  // namespace

std::string device_name(std::uint32_t sensor) {
    char digits[5];
    put_padded(digits, sensor, 5);
    return "sensor-" + std::string(digits, sizeof digits);
}

std::string topic_name(std::uint32_t sensor) { return "sensors/" + device_name(sensor) + "/vibration"; }

std::size_t render(const Sample& sample, std::int64_t ts, char* out) {
    char* at = put(out, R"({"device":"sensor-)");
    at = put_padded(at, sample.sensor, 5);
    at = put(at, R"(","ts":)");
    at = put(at, static_cast<std::uint64_t>(ts));
    at = put(at, R"(,"seq":)");
    at = put(at, sample.sequence);
    at = put(at, R"(,"vibration":)");
    at = put(at, sample.vibration_milli / 1000U);
    *at++ = '.';
    at = put_padded(at, sample.vibration_milli % 1000U, 3);
    at = put(at, R"(,"temperature":)");
    at = put(at, sample.temperature_deci / 10U);
    *at++ = '.';
    at = put_padded(at, sample.temperature_deci % 10U, 1);
    at = put(at, R"(,"rpm":)");
    at = put(at, sample.rpm);
    *at++ = '}';
    return static_cast<std::size_t>(at - out);
}

}  // namespace sluice::plant

// Functions of a block of raw waveform, a JSON array of numbers.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "flow/rules/arguments.hpp"
#include "flow/rules/bearing.hpp"
#include "flow/rules/function_families.hpp"
#include "flow/rules/number_array.hpp"
#include "flow/rules/waveform.hpp"
#include "sluice/device/statistics.hpp"

namespace sluice::rules {
namespace {

using Block = std::span<double>;

/// Standard gravity in mm/s²: acceleration is measured in g, velocity of machines in mm/s.
constexpr double kGravity = 9806.65;

Value finite(Scope& scope, double result) { return std::isfinite(result) ? Value::number(result) : bad_value(scope); }

/// NULL is the result wherever an argument is: it says that something is not known, not that it is wrong.
bool has_null(const Arguments& arguments) {
    for (std::uint32_t i = 0; i < arguments.size(); ++i) {
        if (arguments.at(i).is_null()) return true;
    }
    return false;
}

/// The block less its mean. nullopt: NULL (not counted), or no array of at least `least` numbers (counted).
std::optional<Block> block_of(Scope& scope, const Value& value, std::size_t least) {
    if (value.is_null()) return std::nullopt;
    std::optional<Block> block;
    if (value.kind() == json::Kind::raw) block = scope.numbers->read(value.as_view());
    if (!block || block->size() < least) {
        (void)bad_value(scope);
        return std::nullopt;
    }
    remove_mean(*block);
    return block;
}

/// Argument `index`, or `otherwise` where it is left out. nullopt: it is no number.
std::optional<double> number_of(const Arguments& arguments, std::uint32_t index, std::optional<double> otherwise = std::nullopt) {
    if (index >= arguments.size()) return otherwise;
    const Value value = arguments.at(index);
    if (!value.is_numeric() || !std::isfinite(value.as_double())) return std::nullopt;
    return value.as_double();
}

/// From argument `index` on: low and high, in Hz; without them what is given.
std::optional<Band> band_of(const Arguments& arguments, std::uint32_t index, Band otherwise) {
    const auto low = number_of(arguments, index, otherwise.low);
    const auto high = number_of(arguments, index + 1, otherwise.high);
    if (!low || !high || *low < 0 || *high <= *low) return std::nullopt;
    return Band{.low = *low, .high = *high};
}

template <double (*feature)(const double*, std::size_t)>
Value of_block(Scope& scope, const Arguments& arguments) {
    const auto block = block_of(scope, arguments.at(0), 2);
    return block ? finite(scope, feature(block->data(), block->size())) : Value::null();
}

double peak(const double* values, std::size_t count) {
    double largest = 0;
    for (std::size_t i = 0; i < count; ++i) largest = std::fmax(largest, std::fabs(values[i]));
    return largest;
}

Value band_rms(Scope& scope, const Arguments& arguments) {
    if (has_null(arguments)) return Value::null();
    const auto rate = number_of(arguments, 1);
    if (!rate || *rate <= 0) return bad_value(scope);
    const auto band = band_of(arguments, 2, {.low = 0, .high = *rate / 2});
    if (!band) return bad_value(scope);
    const auto block = block_of(scope, arguments.at(0), SpectrumAnalyzer::kLengthMin);
    return block ? finite(scope, scope.spectrum->band_rms(*block, *rate, *band)) : Value::null();
}

Value velocity_rms(Scope& scope, const Arguments& arguments) {
    if (has_null(arguments)) return Value::null();
    const auto rate = number_of(arguments, 1);
    const auto band = band_of(arguments, 2, {.low = 10, .high = 1000});  // the band of ISO 20816-3
    if (!rate || *rate <= 0 || !band || band->low <= 0) return bad_value(scope);
    const auto block = block_of(scope, arguments.at(0), SpectrumAnalyzer::kLengthMin);
    return block ? finite(scope, kGravity * scope.spectrum->integrated_rms(*block, *rate, *band)) : Value::null();
}

Value envelope_line(Scope& scope, const Arguments& arguments) {
    if (has_null(arguments)) return Value::null();
    const auto rate = number_of(arguments, 1);
    const auto band = band_of(arguments, 2, {.low = 0, .high = 0});
    const auto line = number_of(arguments, 4);
    if (!rate || *rate <= 0 || !band || !line || *line <= 0) return bad_value(scope);
    const auto block = block_of(scope, arguments.at(0), SpectrumAnalyzer::kLengthMin);
    if (!block) return Value::null();
    return finite(scope, scope.spectrum->envelope(*block, *rate, *band).line(*line, 4 * *line));
}

/// How clearly each of a bearing's lines stands in the envelope spectrum.
struct BearingLines {
    double outer;
    double inner;
    double ball;
    double cage;
};

/// Lines next to each other, and those of the shaft between them, are told apart only over some turns of the shaft.
constexpr double kTurnsMin = 4.5;

/// Arguments: block, rate, rpm, bearing[, low, high]. nullopt: NULL is the result.
std::optional<BearingLines> bearing_lines(Scope& scope, const Arguments& arguments, std::uint32_t band_at) {
    const auto bad = [&scope] {
        (void)bad_value(scope);
        return std::nullopt;
    };
    const auto rate = number_of(arguments, 1);
    const auto rpm = number_of(arguments, 2);
    const Value text = arguments.at(3);
    const auto bearing = text.kind() == json::Kind::text ? parse_bearing(text.as_view()) : std::nullopt;
    if (!rate || *rate <= 0 || !rpm || *rpm <= 0 || !bearing) return bad();
    // Most of what a bearing's impacts excite lies there: above the shaft's and gears' own lines, below the sensor's filter.
    const auto band = band_of(arguments, band_at, {.low = *rate / 6, .high = *rate * 5 / 12});
    if (!band) return bad();
    const auto block = block_of(scope, arguments.at(0), SpectrumAnalyzer::kLengthMin);
    if (!block) return std::nullopt;
    const double shaft = *rpm / 60;
    if (static_cast<double>(block->size()) / *rate * shaft < kTurnsMin) return bad();
    auto envelope = scope.spectrum->envelope(*block, *rate, *band);
    const double upto = 3.5 * bearing->inner * shaft;
    return BearingLines{.outer = envelope.line(bearing->outer * shaft, upto),
                        .inner = envelope.line(bearing->inner * shaft, upto),
                        .ball = envelope.line(bearing->ball * shaft, upto),
                        .cage = envelope.line(bearing->cage * shaft, upto)};
}

Value bearing_line(Scope& scope, const Arguments& arguments) {
    if (has_null(arguments)) return Value::null();
    const Value part = arguments.at(4);
    const std::string_view name = part.kind() == json::Kind::text ? part.as_view() : std::string_view{};
    if (name != "outer" && name != "inner" && name != "ball" && name != "cage") return bad_value(scope);
    const auto lines = bearing_lines(scope, arguments, 5);
    if (!lines) return Value::null();
    return finite(scope, name == "outer" ? lines->outer : name == "inner" ? lines->inner : name == "ball" ? lines->ball : lines->cage);
}

/// A fault is named when its line stands this many times over the spectrum. Noise has power distributed exponentially, with a median of ln
/// 2 times its mean: three bins of it reach 7 medians on average with a probability of 6e-5, the greatest of two bins three times with
/// 5e-4.
constexpr double kNamed = 7;

Value bearing_fault(Scope& scope, const Arguments& arguments) {
    if (has_null(arguments)) return Value::null();
    const auto lines = bearing_lines(scope, arguments, 4);
    if (!lines) return Value::null();
    const double most = std::max({lines->outer, lines->inner, lines->ball});
    if (most >= kNamed) return Value::text(most == lines->outer ? "outer" : most == lines->inner ? "inner" : "ball");
    // The cage's line also modulates the others: it is the fault only where it stands alone.
    return lines->cage >= 2 * kNamed ? Value::text("cage") : Value::null();
}

}  // namespace

// clang-format off
constinit const Family<Function::wave_rms, Function::bearing_fault> kWaveformFunctions{{
    {Function::wave_rms, "wave_rms", "", FunctionKind::scalar, "j", Type::number, "wave_rms(block)", "root mean square of a waveform less its mean", "wave_rms(array(1, 5))", "2", of_block<device::root_mean_square>},
    {Function::wave_peak, "wave_peak", "", FunctionKind::scalar, "j", Type::number, "wave_peak(block)", "the greatest distance from the mean", "wave_peak(array(1, 5))", "2", of_block<peak>},
    {Function::wave_crest, "wave_crest", "", FunctionKind::scalar, "j", Type::number, "wave_crest(block)", "peak / rms; NULL without spread", "wave_crest(array(1, 5))", "1", of_block<device::crest_factor>},
    {Function::wave_kurtosis, "wave_kurtosis", "", FunctionKind::scalar, "j", Type::number, "wave_kurtosis(block)", "mean of x⁴ / rms⁴: 3 for noise, 1.5 for a sine, more with impacts; NULL without spread", "wave_kurtosis(array(1, 5))", "1", of_block<device::kurtosis>},
    {Function::wave_band_rms, "wave_band_rms", "", FunctionKind::scalar, "jnnn", Type::number, "wave_band_rms(block, rate, low, high)", "root mean square of what lies between two frequencies; rate: samples a second", "round(wave_band_rms(array(1, -1, 1, -1, 1, -1, 1, -1), 8, 3, 4), 6)", "1", band_rms},
    {Function::wave_velocity_rms, "wave_velocity_rms", "", FunctionKind::scalar, "jn[nn]", Type::number, "wave_velocity_rms(block, rate[, low, high])", "velocity in mm/s (rms) of an acceleration in g; from 10 to 1000 Hz as in ISO 20816", "round(wave_velocity_rms(array(0, 1, 0, -1, 0, 1, 0, -1), 200), 3)", "26.186", velocity_rms},
    {Function::envelope_line, "envelope_line", "", FunctionKind::scalar, "jnnnn", Type::number, "envelope_line(block, rate, low, high, line)", "how many times a line (Hz) and its multiples stand over the median of the squared envelope's spectrum; the envelope is that of the band low…high", "envelope_line(wave, 12000, 2000, 5000, 107.4)", "", envelope_line},
    {Function::bearing_line, "bearing_line", "", FunctionKind::scalar, "jnngt[nn]", Type::number, "bearing_line(block, rate, rpm, bearing, part[, low, high])", "envelope_line of a part of a bearing: 'outer' (BPFO), 'inner' (BPFI), 'ball' (2×BSF) or 'cage' (FTF)", "bearing_line(wave, 12000, 1797, 'balls=9 ball=7.94 pitch=39.04', 'outer')", "", bearing_line},
    {Function::bearing_fault, "bearing_fault", "", FunctionKind::scalar, "jnng[nn]", Type::text, "bearing_fault(block, rate, rpm, bearing[, low, high])", "'outer', 'inner', 'ball' or 'cage', whichever line stands out most, at least 7 times; NULL where none does", "bearing_fault(wave, 12000, 1797, 'bpfo=3.5848 bpfi=5.4152 bsf=2.3568 ftf=0.3983')", "", bearing_fault},
}};
// clang-format on

}  // namespace sluice::rules

#include "flow/rules/bearing.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <numbers>

namespace sluice::rules {
namespace {

enum Key : std::size_t { balls, ball, pitch, angle, bpfo, bpfi, bsf, ftf };
constexpr std::array<std::string_view, 8> kKeys{"balls", "ball", "pitch", "angle", "bpfo", "bpfi", "bsf", "ftf"};
using Values = std::array<std::optional<double>, kKeys.size()>;

std::optional<Values> parse_pairs(std::string_view text) {
    Values values;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
        if (text.empty()) return values;
        const std::string_view pair = text.substr(0, text.find(' '));
        text.remove_prefix(pair.size());
        const std::size_t equal = pair.find('=');
        if (equal == std::string_view::npos) return std::nullopt;
        double number = 0;
        const auto [end, problem] = std::from_chars(pair.data() + equal + 1, pair.data() + pair.size(), number);
        if (problem != std::errc() || end != pair.data() + pair.size() || !std::isfinite(number)) return std::nullopt;
        std::size_t key = 0;
        while (key < kKeys.size() && kKeys[key] != pair.substr(0, equal)) ++key;
        if (key == kKeys.size() || values[key]) return std::nullopt;
        values[key] = number;
    }
}

}  // namespace

std::optional<BearingRates> parse_bearing(std::string_view text) {
    const std::optional<Values> parsed = parse_pairs(text);
    if (!parsed) return std::nullopt;
    const Values& given = *parsed;
    const bool geometry = given[balls] && given[ball] && given[pitch];
    const bool multipliers = given[bpfo] && given[bpfi] && given[bsf] && given[ftf];
    if (geometry == multipliers) return std::nullopt;
    BearingRates rates{};
    if (multipliers) {
        rates = {.outer = *given[bpfo], .inner = *given[bpfi], .ball = 2 * *given[bsf], .cage = *given[ftf]};
    } else {
        const double ratio = *given[ball] / *given[pitch];
        const double g = ratio * std::cos(given[angle].value_or(0) * std::numbers::pi / 180);
        rates = {
            .outer = *given[balls] / 2 * (1 - g), .inner = *given[balls] / 2 * (1 + g), .ball = (1 - g * g) / ratio, .cage = (1 - g) / 2};
    }
    const bool possible = rates.outer > 0 && rates.inner > 0 && rates.ball > 0 && rates.cage > 0 && std::isfinite(rates.ball);
    return possible ? std::optional(rates) : std::nullopt;
}

}  // namespace sluice::rules

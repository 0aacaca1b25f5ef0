#include "manage/config/scalar.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace sluice::config {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

/// A whole number and one of the units; the product is at most `max`.
template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const std::array<Unit, N>& units, std::uint64_t max) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_integer(text.substr(0, digits));
    const std::string_view name = text.substr(digits);
    const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& row) { return row.name == name; });
    if (!number || unit == units.end() || *number > max / unit->factor) return std::nullopt;
    return *number * unit->factor;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    constexpr std::array<Unit, 5> kUnits{{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
    constexpr std::uint64_t kMax = 36'500ULL * 86'400'000;  // a century fits nanoseconds in 64 bits, wherever this is added
    const auto ms = parse_with_unit(text, kUnits, kMax);
    if (!ms) return std::nullopt;
    return std::chrono::milliseconds(static_cast<std::int64_t>(*ms));
}

std::optional<std::uint32_t> parse_percent(std::string_view text) {
    constexpr std::array<Unit, 1> kUnits{{{"%", 1}}};
    const auto percent = parse_with_unit(text, kUnits, 100);
    if (!percent) return std::nullopt;
    return static_cast<std::uint32_t>(*percent);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
    constexpr std::array<Unit, 10> kUnits{{{"", 1},
                                           {"B", 1},
                                           {"kB", 1'000},
                                           {"MB", 1'000'000},
                                           {"GB", 1'000'000'000},
                                           {"TB", 1'000'000'000'000},
                                           {"KiB", 1ULL << 10},
                                           {"MiB", 1ULL << 20},
                                           {"GiB", 1ULL << 30},
                                           {"TiB", 1ULL << 40}}};
    return parse_with_unit(text, kUnits, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
}

std::optional<std::uint64_t> parse_integer(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<double> parse_number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    return value;
}

std::optional<bool> parse_boolean(std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    return std::nullopt;
}

bool is_identifier(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

std::optional<std::size_t> choice_index(std::string_view choices, std::string_view word) {
    for (std::size_t index = 0; !choices.empty(); ++index) {
        const std::size_t end = choices.find(" | ");
        if (choices.substr(0, end) == word) return index;
        choices = end == std::string_view::npos ? std::string_view{} : choices.substr(end + 3);
    }
    return std::nullopt;
}

}  // namespace sluice::config

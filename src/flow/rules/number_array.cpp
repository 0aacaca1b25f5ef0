#include "flow/rules/number_array.hpp"

#include <charconv>
#include <cstddef>
#include <cstdint>

#include "codec/json/text_scan.hpp"

namespace sluice::rules {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// A mantissa below 2^53 times or over a power of ten that a double holds exactly is rounded once: correct (Clinger 1990, "fast path").
constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr std::ptrdiff_t kPowersMax = 22;
constexpr std::ptrdiff_t kDigitsMax = 19;  // of a 64-bit mantissa
constexpr std::uint64_t kMantissaMax = std::uint64_t{1} << 53;

/// One number at `at`; the place behind it, or nullptr: none is there. The document is valid, so that a number ends before `end`.
const char* take(const char* at, const char* end, double& number, bool& all_whole) {
    const char* const start = at;
    const bool negative = *at == '-';
    if (negative) ++at;
    if (!is_digit(*at)) return nullptr;
    std::uint64_t mantissa = 0;
    const char* const digits = at;
    for (; is_digit(*at); ++at) mantissa = mantissa * 10 + static_cast<unsigned>(*at - '0');
    std::ptrdiff_t count = at - digits;
    std::ptrdiff_t behind_point = 0;
    if (*at == '.') {
        const char* const fraction = ++at;
        for (; is_digit(*at); ++at) mantissa = mantissa * 10 + static_cast<unsigned>(*at - '0');
        behind_point = at - fraction;
        count += behind_point;
        all_whole = false;
    }
    if (*at != 'e' && *at != 'E' && count <= kDigitsMax && mantissa <= kMantissaMax && behind_point <= kPowersMax) {
        const double value = static_cast<double>(mantissa) / kPowers[behind_point];
        number = negative ? -value : value;
        return at;
    }
    if (*at == 'e' || *at == 'E') all_whole = false;
    const auto [stop, problem] = std::from_chars(start, end, number);
    if (problem == std::errc::result_out_of_range) {
        if (!json::is_near_zero({start, static_cast<std::size_t>(stop - start)})) return nullptr;
        number = 0;
    }
    return stop;
}

}  // namespace

std::optional<std::span<double>> NumberArray::read(std::string_view raw) {
    numbers_.clear();
    all_whole_ = true;
    if (raw.size() < 2 || raw.front() != '[') return std::nullopt;
    const char* const end = raw.data() + raw.size();  // behind the ']'
    for (const char* at = raw.data() + 1;;) {
        while (is_blank(*at)) ++at;
        if (*at == ']' && numbers_.empty()) break;
        double number = 0;
        at = take(at, end, number, all_whole_);
        if (at == nullptr) return std::nullopt;
        numbers_.push_back(number);
        while (is_blank(*at)) ++at;
        if (*at == ']') break;
        ++at;  // ,
    }
    return std::span(numbers_);
}

}  // namespace sluice::rules

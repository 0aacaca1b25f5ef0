#include "cli/row_time.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>

namespace sluice::cli {
namespace {

using std::chrono::nanoseconds;

constexpr int kYearMin = 1700;
constexpr int kYearMax = 2250;
// Where the unit of a number changes: each bound is about the year 5138 in its own unit and 1973 in the next.
constexpr double kSecondsEnd = 1e11;
constexpr double kMillisecondsEnd = 1e14;
constexpr double kMicrosecondsEnd = 1e17;

/// Takes pieces from the front of a text.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}
    [[nodiscard]] bool done() const { return text_.empty(); }
    bool skip(std::string_view any_of) {
        if (text_.empty() || any_of.find(text_.front()) == std::string_view::npos) return false;
        last_ = text_.front();
        text_.remove_prefix(1);
        return true;
    }
    [[nodiscard]] char last() const { return last_; }
    /// Exactly so many digits.
    bool digits(std::size_t count, int& out) {
        if (text_.size() < count) return false;
        const auto read = std::from_chars(text_.data(), text_.data() + count, out);
        if (read.ptr != text_.data() + count || text_.front() == '-') return false;
        text_.remove_prefix(count);
        return true;
    }
    /// Digits behind the point, as nanoseconds; more than nine are cut.
    bool fraction(nanoseconds& out) {
        std::int64_t value = 0;
        std::size_t count = 0;
        for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; text_.remove_prefix(1), ++count)
            if (count < 9) value = value * 10 + (text_.front() - '0');
        for (std::size_t i = count; i < 9; ++i) value *= 10;
        out = nanoseconds(value);
        return count != 0;
    }

private:
    std::string_view text_;
    char last_ = '\0';
};

/// `Z`, `+01:00`, `-0330`, `+01` or nothing.
bool read_zone(Scanner& in, std::chrono::minutes& offset) {
    if (in.done() || in.skip("Zz")) return true;
    if (!in.skip("+-")) return false;
    const int sign = in.last() == '-' ? -1 : 1;
    int hours = 0;
    int minutes = 0;
    if (!in.digits(2, hours)) return false;
    if (!in.done()) {
        in.skip(":");
        if (!in.digits(2, minutes)) return false;
    }
    if (hours > 15 || minutes > 59) return false;
    offset = std::chrono::minutes(sign * (hours * 60 + minutes));
    return true;
}

std::optional<base::WallTime> parse_date_time(std::string_view text) {
    Scanner in(text);
    int year = 0;
    int month = 0;
    int day = 0;
    if (!in.digits(4, year) || !in.skip("-/")) return std::nullopt;
    const char separator = in.last();
    if (!in.digits(2, month) || !in.skip({&separator, 1}) || !in.digits(2, day)) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok() || year < kYearMin || year > kYearMax) return std::nullopt;
    nanoseconds since = std::chrono::sys_days(date).time_since_epoch();
    if (in.done()) return base::WallTime(since);
    int hour = 0;
    int minute = 0;
    int second = 0;
    nanoseconds fraction{0};
    std::chrono::minutes offset{0};
    if (!in.skip("T t") || !in.digits(2, hour) || !in.skip(":") || !in.digits(2, minute)) return std::nullopt;
    if (in.skip(":")) {
        if (!in.digits(2, second)) return std::nullopt;
        if (in.skip(".,") && !in.fraction(fraction)) return std::nullopt;
    }
    in.skip(" ");
    if (!read_zone(in, offset) || !in.done()) return std::nullopt;
    if (hour > 23 || minute > 59 || second > 60) return std::nullopt;  // 60: a leap second, counted as the next second
    since += std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second) + fraction - offset;
    return base::WallTime(since);
}

std::optional<base::WallTime> parse_epoch(std::string_view text) {
    double value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
    const double size = std::fabs(value);
    const std::int64_t unit = size < kSecondsEnd        ? 1'000'000'000
                              : size < kMillisecondsEnd ? 1'000'000
                              : size < kMicrosecondsEnd ? 1'000
                                                        : 1;
    constexpr double kLimit = 8.8e18;  // nanoseconds, the year 2248
    if (size * static_cast<double>(unit) > kLimit) return std::nullopt;
    const double whole = std::floor(value);  // apart from the fraction, whose digits the product would lose
    const auto fraction = std::llround((value - whole) * static_cast<double>(unit));
    return base::WallTime(nanoseconds(static_cast<std::int64_t>(whole) * unit + fraction));
}

bool same_word(std::string_view a, std::string_view lower) {
    return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                      [](char x, char y) { return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y; });
}

}  // namespace

std::optional<base::WallTime> parse_time(std::string_view text) {
    if (const auto time = parse_date_time(text)) return time;
    return parse_epoch(text);
}

std::optional<std::size_t> find_time_column(std::span<const std::string> columns) {
    constexpr std::array<std::string_view, 4> kNames{"timestamp", "ts", "datetime", "time"};
    for (const auto name : kNames) {
        const auto at = std::find_if(columns.begin(), columns.end(), [&](const std::string& column) { return same_word(column, name); });
        if (at != columns.end()) return static_cast<std::size_t>(at - columns.begin());
    }
    return std::nullopt;
}

}  // namespace sluice::cli

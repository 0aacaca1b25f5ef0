#include "flow/rules/calendar.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "flow/rules/problems.hpp"

namespace sluice::rules {
namespace {

namespace chrono = std::chrono;

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr int kMonths = 12;

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - static_cast<std::int64_t>(a % b < 0); }
constexpr std::int64_t floor_mod(std::int64_t a, std::int64_t b) { return a - floor_div(a, b) * b; }

chrono::sys_days day_of(std::int64_t moment) { return chrono::sys_days(chrono::days(floor_div(moment, kDay))); }
std::int64_t moment_of(chrono::sys_days day) { return static_cast<std::int64_t>(day.time_since_epoch().count()) * kDay; }

/// Months since the year 0.
std::int64_t month_number(std::int64_t moment) {
    const Civil civil = civil_of(moment);
    return std::int64_t{civil.year} * kMonths + civil.month - 1;
}

/// Days since 1970-01-01, a Thursday; the Monday before it has the number -3.
std::int64_t week_number(std::int64_t moment) { return floor_div(floor_div(moment, kDay) + 3, 7); }

std::int64_t length(TimeUnit unit) {
    switch (unit) {
        case TimeUnit::second:
            return kSecond;
        case TimeUnit::minute:
            return kMinute;
        case TimeUnit::hour:
            return kHour;
        case TimeUnit::day:
            return kDay;
        case TimeUnit::week:
            return 7 * kDay;
        default:
            return 1;
    }
}

int months(TimeUnit unit) { return unit == TimeUnit::year ? kMonths : unit == TimeUnit::quarter ? 3 : 1; }

struct UnitName {
    std::string_view name;
    TimeUnit unit;
};
constexpr std::array kUnits{
    UnitName{"year", TimeUnit::year},
    UnitName{"yyyy", TimeUnit::year},
    UnitName{"yy", TimeUnit::year},
    UnitName{"quarter", TimeUnit::quarter},
    UnitName{"qq", TimeUnit::quarter},
    UnitName{"month", TimeUnit::month},
    UnitName{"mm", TimeUnit::month},
    UnitName{"week", TimeUnit::week},
    UnitName{"wk", TimeUnit::week},
    UnitName{"iso_week", TimeUnit::week},
    UnitName{"day", TimeUnit::day},
    UnitName{"dd", TimeUnit::day},
    UnitName{"hour", TimeUnit::hour},
    UnitName{"hh", TimeUnit::hour},
    UnitName{"minute", TimeUnit::minute},
    UnitName{"mi", TimeUnit::minute},
    UnitName{"second", TimeUnit::second},
    UnitName{"ss", TimeUnit::second},
    UnitName{"millisecond", TimeUnit::millisecond},
    UnitName{"ms", TimeUnit::millisecond},
    UnitName{"dayofyear", TimeUnit::day_of_year},
    UnitName{"doy", TimeUnit::day_of_year},
    UnitName{"dayofweek", TimeUnit::day_of_week},
    UnitName{"weekday", TimeUnit::day_of_week},
    UnitName{"dw", TimeUnit::day_of_week},
    UnitName{"isodow", TimeUnit::iso_day_of_week},
};

}  // namespace

Civil civil_of(std::int64_t moment) {
    const chrono::year_month_day date(day_of(moment));
    const std::int64_t time = floor_mod(moment, kDay);
    return {.year = static_cast<int>(date.year()),
            .month = static_cast<int>(static_cast<unsigned>(date.month())),
            .day = static_cast<int>(static_cast<unsigned>(date.day())),
            .hour = static_cast<int>(time / kHour),
            .minute = static_cast<int>(time / kMinute % 60),
            .second = static_cast<int>(time / kSecond % 60),
            .millisecond = static_cast<int>(time % kSecond)};
}

std::optional<std::int64_t> moment_of(const Civil& civil) {
    const auto in = [](int value, int least, int most) { return value >= least && value <= most; };
    if (!in(civil.year, 1, 9999) || !in(civil.month, 1, kMonths) || !in(civil.day, 1, 31) || !in(civil.hour, 0, 23) ||
        !in(civil.minute, 0, 59) || !in(civil.second, 0, 59) || !in(civil.millisecond, 0, 999))
        return std::nullopt;
    const chrono::year_month_day date(chrono::year(civil.year), chrono::month(static_cast<unsigned>(civil.month)),
                                      chrono::day(static_cast<unsigned>(civil.day)));
    if (!date.ok()) return std::nullopt;
    return moment_of(chrono::sys_days(date)) + civil.hour * kHour + civil.minute * kMinute + civil.second * kSecond + civil.millisecond;
}

int weekday_of(std::int64_t moment) { return static_cast<int>(chrono::weekday(day_of(moment)).c_encoding()); }

int day_of_year(std::int64_t moment) {
    return static_cast<int>(floor_div(moment, kDay) - floor_div(time_floor(moment, TimeUnit::year), kDay)) + 1;
}

int iso_week(std::int64_t moment) {
    // The week is of the year that its Thursday lies in.
    const std::int64_t thursday = (week_number(moment) * 7) * kDay;
    return (day_of_year(std::clamp(thursday, kMomentMin, kMomentMax)) - 1) / 7 + 1;
}

std::optional<TimeUnit> time_unit(std::string_view name) {
    if (name.size() > 3 && (name.back() == 's' || name.back() == 'S')) name.remove_suffix(1);  // hours
    const auto* found = std::find_if(kUnits.begin(), kUnits.end(), [name](const UnitName& known) { return same_word(known.name, name); });
    if (found == kUnits.end()) return std::nullopt;
    return found->unit;
}

std::int64_t time_part(std::int64_t moment, TimeUnit unit) {
    const Civil civil = civil_of(moment);
    switch (unit) {
        case TimeUnit::millisecond:
            return civil.millisecond;
        case TimeUnit::second:
            return civil.second;
        case TimeUnit::minute:
            return civil.minute;
        case TimeUnit::hour:
            return civil.hour;
        case TimeUnit::day:
            return civil.day;
        case TimeUnit::week:
            return iso_week(moment);
        case TimeUnit::month:
            return civil.month;
        case TimeUnit::quarter:
            return (civil.month - 1) / 3 + 1;
        case TimeUnit::year:
            return civil.year;
        case TimeUnit::day_of_week:
            return weekday_of(moment) + 1;
        case TimeUnit::iso_day_of_week:
            return (weekday_of(moment) + 6) % 7 + 1;
        case TimeUnit::day_of_year:
            return day_of_year(moment);
    }
    return 0;
}

std::int64_t time_floor(std::int64_t moment, TimeUnit unit) {
    if (unit < TimeUnit::week) return floor_div(moment, length(unit)) * length(unit);
    if (unit == TimeUnit::week) return std::max((week_number(moment) * 7 - 3) * kDay, kMomentMin);
    const Civil civil = civil_of(moment);
    const int month = (civil.month - 1) / months(unit) * months(unit) + 1;
    return moment_of(Civil{.year = civil.year, .month = month}).value_or(moment);
}

std::optional<std::int64_t> time_add(std::int64_t moment, TimeUnit unit, std::int64_t count) {
    constexpr std::int64_t kFar = 400'000'000'000'000;  // milliseconds: more than the calendar has, small enough to compute with
    count = std::clamp(count, -kFar, kFar);
    std::int64_t result = 0;
    if (unit <= TimeUnit::week) {
        if (__builtin_mul_overflow(count, length(unit), &result) || __builtin_add_overflow(result, moment, &result)) return std::nullopt;
    } else {
        const std::int64_t month = month_number(moment) + count * months(unit);
        const chrono::year year(static_cast<int>(std::clamp<std::int64_t>(floor_div(month, kMonths), 0, 10'000)));
        const chrono::month in_year(static_cast<unsigned>(floor_mod(month, kMonths)) + 1);
        const chrono::day last = chrono::year_month_day_last(year, chrono::month_day_last(in_year)).day();
        const chrono::year_month_day date(day_of(moment));
        result = moment_of(chrono::sys_days(year / in_year / std::min(date.day(), last))) + floor_mod(moment, kDay);
    }
    if (result < kMomentMin || result > kMomentMax) return std::nullopt;
    return result;
}

std::int64_t time_difference(std::int64_t from, std::int64_t to, TimeUnit unit) {
    if (unit < TimeUnit::week) return floor_div(to, length(unit)) - floor_div(from, length(unit));
    if (unit == TimeUnit::week) return week_number(to) - week_number(from);
    return month_number(to) / months(unit) - month_number(from) / months(unit);
}

}  // namespace sluice::rules

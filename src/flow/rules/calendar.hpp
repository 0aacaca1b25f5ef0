// Moments as milliseconds since 1970 UTC, and what people call them. The Gregorian calendar from the year 1 to 9999, no locale, no time
// zones but fixed offsets from UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::rules {

struct Civil {
    int year = 1970;
    int month = 1;
    int day = 1;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int millisecond = 0;
};

/// 0001-01-01 and the last millisecond of 9999.
inline constexpr std::int64_t kMomentMin = -62'135'596'800'000;
inline constexpr std::int64_t kMomentMax = 253'402'300'799'999;

/// `moment` from kMomentMin to kMomentMax.
[[nodiscard]] Civil civil_of(std::int64_t moment);
/// nullopt: there is no such day or time.
[[nodiscard]] std::optional<std::int64_t> moment_of(const Civil& civil);

/// 0 is Sunday.
[[nodiscard]] int weekday_of(std::int64_t moment);
/// From 1.
[[nodiscard]] int day_of_year(std::int64_t moment);
/// ISO 8601: weeks begin with Monday, the first one has the year's first Thursday.
[[nodiscard]] int iso_week(std::int64_t moment);

enum class TimeUnit : std::uint8_t {
    millisecond,
    second,
    minute,
    hour,
    day,
    week,
    month,
    quarter,
    year,
    day_of_week,
    iso_day_of_week,
    day_of_year
};

/// By name or by the short names of Azure (`ss`, `hh`); any case.
[[nodiscard]] std::optional<TimeUnit> time_unit(std::string_view name);
/// Has it a beginning and a length, so that one can cut and add it? (`day_of_week` has none.)
[[nodiscard]] constexpr bool is_span(TimeUnit unit) { return unit <= TimeUnit::year; }

[[nodiscard]] std::int64_t time_part(std::int64_t moment, TimeUnit unit);
/// The beginning of the unit that the moment is in. Weeks begin with Monday.
[[nodiscard]] std::int64_t time_floor(std::int64_t moment, TimeUnit unit);
/// Months and longer keep the day of the month, or take the last there is. nullopt: beyond the calendar.
[[nodiscard]] std::optional<std::int64_t> time_add(std::int64_t moment, TimeUnit unit, std::int64_t count);
/// How many beginnings of the unit lie between them.
[[nodiscard]] std::int64_t time_difference(std::int64_t from, std::int64_t to, TimeUnit unit);

}  // namespace sluice::rules

// Functions of time. A moment is milliseconds since 1970 UTC, or ISO 8601 text.
#include <optional>

#include "flow/rules/arguments.hpp"
#include "flow/rules/calendar.hpp"
#include "flow/rules/function_families.hpp"
#include "flow/rules/text_builder.hpp"
#include "flow/rules/time_text.hpp"

namespace sluice::rules {
namespace {

/// The call's value where an argument is none that it can work with; nullopt so far.
using Failure = std::optional<Value>;

bool is_moment(std::int64_t moment) { return moment >= kMomentMin && moment <= kMomentMax; }

Failure read_moment(Scope& scope, const Arguments& arguments, std::uint32_t i, std::int64_t& to) {
    const Value value = arguments.at(i);
    if (value.is_null()) return Value::null();
    if (value.is_text()) {
        const auto moment = parse_iso8601(value.as_view(), 0);
        if (!moment) return bad_value(scope);
        to = *moment;
        return std::nullopt;
    }
    if (!value.is_numeric()) return bad_value(scope);
    const double rough = value.as_double();
    if (!(rough >= static_cast<double>(kMomentMin) && rough <= static_cast<double>(kMomentMax))) return bad_value(scope);
    to = value.kind() == json::Kind::integer ? value.as_integer() : static_cast<std::int64_t>(std::floor(rough));
    return std::nullopt;
}

/// The offset from UTC that an argument names; 0 where it was left out.
Failure read_offset(Scope& scope, const Arguments& arguments, std::uint32_t i, std::int64_t& to) {
    to = 0;
    if (i >= arguments.size()) return std::nullopt;
    std::string_view text;
    if (!arguments.text(i, text)) return arguments.nothing();
    const auto offset = parse_offset(text);
    if (!offset) return bad_value(scope);
    to = *offset;
    return std::nullopt;
}

Failure read_local(Scope& scope, const Arguments& arguments, std::uint32_t i, std::int64_t& moment, std::int64_t& offset) {
    if (Failure failure = read_moment(scope, arguments, i, moment)) return failure;
    if (Failure failure = read_offset(scope, arguments, i + 1, offset)) return failure;
    if (!is_moment(moment + offset)) return bad_value(scope);
    moment += offset;
    return std::nullopt;
}

Failure read_unit(Scope& scope, const Arguments& arguments, std::uint32_t i, TimeUnit& to) {
    std::string_view name;
    if (!arguments.text(i, name)) return arguments.nothing();
    const auto unit = time_unit(name);
    if (!unit) return bad_value(scope);
    to = *unit;
    return std::nullopt;
}

Value arrival(Scope& scope, const Arguments&) {
    return scope.reading == nullptr ? Value::null() : Value::integer(base::to_ms(scope.reading->arrived));
}

Value to_moment(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    std::int64_t offset = 0;
    std::string_view format;
    if (arguments.size() > 1 && !arguments.text(1, format)) return arguments.nothing();
    if (Failure failure = read_offset(scope, arguments, 2, offset)) return *failure;
    const auto moment = arguments.size() > 1 ? parse_time(text, format, offset) : parse_iso8601(text, offset);
    return moment ? Value::integer(*moment) : bad_value(scope);
}

Value formatted(Scope& scope, const Arguments& arguments) {
    std::int64_t moment = 0;
    std::int64_t offset = 0;
    std::string_view format;
    if (Failure failure = read_moment(scope, arguments, 0, moment)) return *failure;
    if (!arguments.text(1, format)) return arguments.nothing();
    if (Failure failure = read_offset(scope, arguments, 2, offset)) return *failure;
    if (!is_moment(moment + offset)) return bad_value(scope);
    TextBuilder text(scope);
    return append_time(text.bytes(), moment, format, offset) ? text.text() : bad_value(scope);
}

Value iso8601(Scope& scope, const Arguments& arguments) {
    std::int64_t moment = 0;
    std::int64_t offset = 0;
    if (Failure failure = read_moment(scope, arguments, 0, moment)) return *failure;
    if (Failure failure = read_offset(scope, arguments, 1, offset)) return *failure;
    if (!is_moment(moment + offset)) return bad_value(scope);
    TextBuilder text(scope);
    append_iso8601(text.bytes(), moment, offset);
    return text.text();
}

Value part(Scope& scope, const Arguments& arguments) {
    TimeUnit unit{};
    std::int64_t moment = 0;
    std::int64_t offset = 0;
    if (Failure failure = read_unit(scope, arguments, 0, unit)) return *failure;
    if (Failure failure = read_local(scope, arguments, 1, moment, offset)) return *failure;
    return Value::integer(time_part(moment, unit));
}

template <TimeUnit unit>
Value part_of(Scope& scope, const Arguments& arguments) {
    std::int64_t moment = 0;
    std::int64_t offset = 0;
    if (Failure failure = read_local(scope, arguments, 0, moment, offset)) return *failure;
    return Value::integer(time_part(moment, unit));
}

Value truncated(Scope& scope, const Arguments& arguments) {
    TimeUnit unit{};
    std::int64_t moment = 0;
    std::int64_t offset = 0;
    if (Failure failure = read_unit(scope, arguments, 0, unit)) return *failure;
    if (Failure failure = read_local(scope, arguments, 1, moment, offset)) return *failure;
    return is_span(unit) ? Value::integer(time_floor(moment, unit) - offset) : bad_value(scope);
}

Value added(Scope& scope, const Arguments& arguments) {
    TimeUnit unit{};
    std::int64_t count = 0;
    std::int64_t moment = 0;
    if (Failure failure = read_unit(scope, arguments, 0, unit)) return *failure;
    if (!arguments.whole(1, count)) return arguments.nothing();
    if (Failure failure = read_moment(scope, arguments, 2, moment)) return *failure;
    const auto result = is_span(unit) ? time_add(moment, unit, count) : std::nullopt;
    return result ? Value::integer(*result) : bad_value(scope);
}

Value difference(Scope& scope, const Arguments& arguments) {
    TimeUnit unit{};
    std::int64_t from = 0;
    std::int64_t to = 0;
    if (Failure failure = read_unit(scope, arguments, 0, unit)) return *failure;
    if (Failure failure = read_moment(scope, arguments, 1, from)) return *failure;
    if (Failure failure = read_moment(scope, arguments, 2, to)) return *failure;
    return is_span(unit) ? Value::integer(time_difference(from, to, unit)) : bad_value(scope);
}

}  // namespace

// clang-format off
constinit const Family<Function::now, Function::day_of_year> kTimeFunctions{{
    {Function::now, "now", "current_timestamp getdate", FunctionKind::context, "", Type::number, "now()", "arrival of the reading, as timestamp(): the same each time it is asked for the same reading", "now()", "", arrival},
    {Function::to_timestamp, "to_timestamp", "parse_time time_to_epoch", FunctionKind::scalar, "t[fz]", Type::number, "to_timestamp(text[, format[, offset]])", "the moment that the text says, ISO 8601 or by the format", "to_timestamp('2024-02-29T12:00:00.5Z')", "1709208000500", to_moment},
    {Function::format_time, "format_time", "date_format", FunctionKind::scalar, "mf[z]", Type::text, "format_time(ts, format[, offset])", "the moment as text", "format_time(1709208000500, 'dd.MM.yyyy HH:mm', '+02:00')", "\"29.02.2024 14:00\"", formatted},
    {Function::iso8601, "iso8601", "to_iso8601", FunctionKind::scalar, "m[z]", Type::text, "iso8601(ts[, offset])", "the moment by ISO 8601", "iso8601(1709208000500)", "\"2024-02-29T12:00:00.500Z\"", iso8601},
    {Function::date_part, "date_part", "datepart", FunctionKind::scalar, "um[z]", Type::number, "date_part(unit, ts[, offset])", "a part of the moment: `year quarter month week day hour minute second millisecond dayofyear weekday isodow`; weeks by ISO 8601", "date_part(hour, 1709208000500, '+02:00')", "14", part},
    {Function::date_trunc, "date_trunc", "datetrunc", FunctionKind::scalar, "um[z]", Type::number, "date_trunc(unit, ts[, offset])", "the beginning of the unit that the moment is in; weeks begin with Monday", "date_trunc('day', 1709208000500)", "1709164800000", truncated},
    {Function::date_add, "date_add", "dateadd", FunctionKind::scalar, "unm", Type::number, "date_add(unit, n, ts)", "n units later; months and years keep the day of the month, or take its last", "iso8601(date_add(month, 1, '2024-01-31'))", "\"2024-02-29T00:00:00Z\"", added},
    {Function::date_diff, "date_diff", "datediff", FunctionKind::scalar, "umm", Type::number, "date_diff(unit, from, to)", "how often a new unit begins between them", "date_diff(day, '2024-02-28T23:59:00Z', '2024-03-01')", "2", difference},
    {Function::year, "year", "", FunctionKind::scalar, "m[z]", Type::number, "year(ts[, offset])", "year", "year('2024-02-29')", "2024", part_of<TimeUnit::year>},
    {Function::month, "month", "", FunctionKind::scalar, "m[z]", Type::number, "month(ts[, offset])", "month, 1 to 12", "month('2024-02-29')", "2", part_of<TimeUnit::month>},
    {Function::day, "day", "day_of_month dayofmonth", FunctionKind::scalar, "m[z]", Type::number, "day(ts[, offset])", "day of the month", "day('2024-02-29')", "29", part_of<TimeUnit::day>},
    {Function::hour, "hour", "", FunctionKind::scalar, "m[z]", Type::number, "hour(ts[, offset])", "hour, 0 to 23", "hour(1709208000500, '-12:30')", "23", part_of<TimeUnit::hour>},
    {Function::minute, "minute", "", FunctionKind::scalar, "m[z]", Type::number, "minute(ts[, offset])", "minute", "minute('2024-02-29T12:34:56Z')", "34", part_of<TimeUnit::minute>},
    {Function::second, "second", "", FunctionKind::scalar, "m[z]", Type::number, "second(ts[, offset])", "second", "second('2024-02-29T12:34:56Z')", "56", part_of<TimeUnit::second>},
    {Function::day_of_week, "day_of_week", "dayofweek", FunctionKind::scalar, "m[z]", Type::number, "day_of_week(ts[, offset])", "1 is Sunday, 7 Saturday", "day_of_week('2024-02-29')", "5", part_of<TimeUnit::day_of_week>},
    {Function::day_of_year, "day_of_year", "dayofyear", FunctionKind::scalar, "m[z]", Type::number, "day_of_year(ts[, offset])", "1 to 366", "day_of_year('2024-02-29')", "60", part_of<TimeUnit::day_of_year>},
}};
// clang-format on

}  // namespace sluice::rules

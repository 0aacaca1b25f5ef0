// The table of all functions: the planner checks calls against it, docs/sql.md is made from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace sluice::rules {

enum class FunctionKind : std::uint8_t {
    scalar,     ///< of its arguments alone
    context,    ///< of the reading: topic, arrival, client
    window,     ///< of the window: its start and end
    stateful,   ///< of this and earlier readings of one key; needs OVER (PARTITION BY …) for more than one state
    aggregate,  ///< of the readings of a window, or of OVER (… ROWS n PRECEDING)
    external,   ///< of something outside of the rules
};

enum class Function : std::uint8_t {
    abs,
    ceil,
    floor,
    round,
    trunc,
    sqrt,
    power,
    exp,
    ln,
    log10,
    sign,
    mod,
    sin,
    cos,
    tan,
    atan2,
    greatest,
    least,
    coalesce,
    ifnull,
    nullif,
    upper,
    lower,
    trim,
    length,
    substr,
    replace,
    concat,
    topic,
    timestamp,
    clientid,
    payload,
    window_start,
    window_end,
    zscore,
    every,
    lag,
    delta,
    rate,
    changed,
    ewma,
    rms,
    kurtosis,
    crest,
    episode,
    count,
    sum,
    avg,
    min,
    max,
    stddev,
    stddevs,
    var,
    vars,
    median,
    percentile,
    first,
    last,
    collect,
    infer,
    call,
    shadow,
};

/// What an argument must be. A letter each in FunctionInfo::arguments; the last one repeats.
///   n a number   t text   b a condition   x anything   i a whole number written out   c a number written out
inline constexpr std::uint8_t kAnyNumber = std::numeric_limits<std::uint8_t>::max();

struct FunctionInfo {
    Function id;
    std::string_view name;
    FunctionKind kind;
    std::uint8_t arguments_min;
    std::uint8_t arguments_max;
    std::string_view arguments;
    std::string_view signature;
    std::string_view text;
    std::string_view example;
};

// clang-format off
inline constexpr std::array kFunctions{
    FunctionInfo{Function::abs, "abs", FunctionKind::scalar, 1, 1, "n", "abs(x)", "without the sign", "abs(-2) = 2"},
    FunctionInfo{Function::ceil, "ceil", FunctionKind::scalar, 1, 1, "n", "ceil(x)", "up to a whole number", "ceil(1.2) = 2"},
    FunctionInfo{Function::floor, "floor", FunctionKind::scalar, 1, 1, "n", "floor(x)", "down to a whole number", "floor(-1.2) = -2"},
    FunctionInfo{Function::round, "round", FunctionKind::scalar, 1, 2, "ni", "round(x[, digits])", "to the nearest; halves away from zero; digits behind the point, 0 to 15", "round(2.345, 1) = 2.3"},
    FunctionInfo{Function::trunc, "trunc", FunctionKind::scalar, 1, 2, "ni", "trunc(x[, digits])", "towards zero; digits behind the point, 0 to 15", "trunc(-1.7) = -1"},
    FunctionInfo{Function::sqrt, "sqrt", FunctionKind::scalar, 1, 1, "n", "sqrt(x)", "square root; NULL below 0", "sqrt(9) = 3"},
    FunctionInfo{Function::power, "power", FunctionKind::scalar, 2, 2, "n", "power(x, y)", "x to the power of y", "power(2, 10) = 1024"},
    FunctionInfo{Function::exp, "exp", FunctionKind::scalar, 1, 1, "n", "exp(x)", "e to the power of x", "exp(0) = 1"},
    FunctionInfo{Function::ln, "ln", FunctionKind::scalar, 1, 1, "n", "ln(x)", "natural logarithm; NULL for 0 and below", "ln(1) = 0"},
    FunctionInfo{Function::log10, "log10", FunctionKind::scalar, 1, 1, "n", "log10(x)", "logarithm to the base of 10; NULL for 0 and below", "log10(1000) = 3"},
    FunctionInfo{Function::sign, "sign", FunctionKind::scalar, 1, 1, "n", "sign(x)", "-1, 0 or 1", "sign(-3) = -1"},
    FunctionInfo{Function::mod, "mod", FunctionKind::scalar, 2, 2, "n", "mod(x, y)", "the rest of x / y with the sign of x, as x % y; NULL where y is 0", "mod(7, 3) = 1"},
    FunctionInfo{Function::sin, "sin", FunctionKind::scalar, 1, 1, "n", "sin(x)", "sine of x in radians", "sin(0) = 0"},
    FunctionInfo{Function::cos, "cos", FunctionKind::scalar, 1, 1, "n", "cos(x)", "cosine of x in radians", "cos(0) = 1"},
    FunctionInfo{Function::tan, "tan", FunctionKind::scalar, 1, 1, "n", "tan(x)", "tangent of x in radians", "tan(0) = 0"},
    FunctionInfo{Function::atan2, "atan2", FunctionKind::scalar, 2, 2, "n", "atan2(y, x)", "angle of the point (x, y), in radians", "atan2(0, 1) = 0"},
    FunctionInfo{Function::greatest, "greatest", FunctionKind::scalar, 1, kAnyNumber, "x", "greatest(a, b, …)", "the greatest; NULLs ignored; NULL where types differ", "greatest(1, 3, 2) = 3"},
    FunctionInfo{Function::least, "least", FunctionKind::scalar, 1, kAnyNumber, "x", "least(a, b, …)", "the least; NULLs ignored; NULL where types differ", "least(1, 3, 2) = 1"},
    FunctionInfo{Function::coalesce, "coalesce", FunctionKind::scalar, 1, kAnyNumber, "x", "coalesce(a, b, …)", "the first that is not NULL", "coalesce(NULL, 5) = 5"},
    FunctionInfo{Function::ifnull, "ifnull", FunctionKind::scalar, 2, 2, "x", "ifnull(a, b)", "a, or b where a is NULL", "ifnull(NULL, 0) = 0"},
    FunctionInfo{Function::nullif, "nullif", FunctionKind::scalar, 2, 2, "x", "nullif(a, b)", "NULL where a = b, else a", "nullif(3, 0) = 3"},
    FunctionInfo{Function::upper, "upper", FunctionKind::scalar, 1, 1, "t", "upper(text)", "ASCII letters in upper case", "upper('ab') = 'AB'"},
    FunctionInfo{Function::lower, "lower", FunctionKind::scalar, 1, 1, "t", "lower(text)", "ASCII letters in lower case", "lower('AB') = 'ab'"},
    FunctionInfo{Function::trim, "trim", FunctionKind::scalar, 1, 1, "t", "trim(text)", "without blanks, tabs and line breaks at both ends", "trim(' a ') = 'a'"},
    FunctionInfo{Function::length, "length", FunctionKind::scalar, 1, 1, "t", "length(text)", "number of characters (Unicode code points)", "length('abc') = 3"},
    FunctionInfo{Function::substr, "substr", FunctionKind::scalar, 2, 3, "tn", "substr(text, from[, count])", "characters from a place (the first is 1) on", "substr('sensor-7', 8) = '7'"},
    FunctionInfo{Function::replace, "replace", FunctionKind::scalar, 3, 3, "t", "replace(text, what, by)", "each `what` replaced", "replace('a-b', '-', '_') = 'a_b'"},
    FunctionInfo{Function::concat, "concat", FunctionKind::scalar, 1, kAnyNumber, "x", "concat(a, b, …)", "joined as text; NULLs left out (a || b is NULL where one is)", "concat('a', 1) = 'a1'"},

    FunctionInfo{Function::topic, "topic", FunctionKind::context, 0, 1, "i", "topic([n])", "the topic, or its n-th level (from 1); NULL where there are fewer", "topic(2)"},
    FunctionInfo{Function::timestamp, "timestamp", FunctionKind::context, 0, 0, "", "timestamp()", "arrival of the reading, milliseconds since 1970", "timestamp()"},
    FunctionInfo{Function::clientid, "clientid", FunctionKind::context, 0, 0, "", "clientid()", "client id of who published; NULL for the gateway itself", "clientid()"},
    FunctionInfo{Function::payload, "payload", FunctionKind::context, 0, 0, "", "payload()", "the payload as text, JSON or not; NULL where it is not UTF-8", "length(payload())"},

    FunctionInfo{Function::window_start, "window_start", FunctionKind::window, 0, 0, "", "window_start()", "start of the window, milliseconds since 1970; NULL for COUNTWINDOW", "window_start()"},
    FunctionInfo{Function::window_end, "window_end", FunctionKind::window, 0, 0, "", "window_end()", "end of the window, milliseconds since 1970; NULL for COUNTWINDOW", "window_end()"},

    FunctionInfo{Function::zscore, "zscore", FunctionKind::stateful, 2, 2, "ni", "zscore(x, n)", "standard deviations (sample, n - 1) of x from the mean of the n valid values before it; NULL until there are n; without spread 0 or ±infinity", "zscore(vibration, 100) OVER (PARTITION BY device)"},
    FunctionInfo{Function::every, "every", FunctionKind::stateful, 1, 1, "i", "every(n)", "true for each n-th reading", "every(1000) OVER (PARTITION BY device)"},
    FunctionInfo{Function::lag, "lag", FunctionKind::stateful, 1, 2, "xi", "lag(x[, k])", "the k-th value before this one (k = 1)", "lag(state) OVER (PARTITION BY device)"},
    FunctionInfo{Function::delta, "delta", FunctionKind::stateful, 1, 1, "n", "delta(x)", "x less the value before it", "delta(counter) OVER (PARTITION BY device)"},
    FunctionInfo{Function::rate, "rate", FunctionKind::stateful, 1, 1, "n", "rate(x)", "delta(x) per second of arrival time; NULL where no time has passed", "rate(energy) OVER (PARTITION BY meter)"},
    FunctionInfo{Function::changed, "changed", FunctionKind::stateful, 1, 2, "xc", "changed(x[, deadband])", "true for the first and when |x - last value for which it was true| > deadband (0); text and booleans: when different", "changed(level, 0.5) OVER (PARTITION BY tank)"},
    FunctionInfo{Function::ewma, "ewma", FunctionKind::stateful, 2, 2, "nc", "ewma(x, a)", "a * x + (1 - a) * previous; the first is x; 0 < a <= 1", "ewma(temperature, 0.1) OVER (PARTITION BY device)"},
    FunctionInfo{Function::rms, "rms", FunctionKind::stateful, 2, 2, "ni", "rms(x, n)", "root mean square of the last n; NULL until there are n", "rms(acceleration, 256) OVER (PARTITION BY device)"},
    FunctionInfo{Function::kurtosis, "kurtosis", FunctionKind::stateful, 2, 2, "ni", "kurtosis(x, n)", "m4 / m2² of the last n (3 for a normal distribution); NULL until there are n, and without spread", "kurtosis(acceleration, 256) OVER (PARTITION BY device)"},
    FunctionInfo{Function::crest, "crest", FunctionKind::stateful, 2, 2, "ni", "crest(x, n)", "max |x| / rms of the last n; NULL until there are n", "crest(acceleration, 256) OVER (PARTITION BY device)"},
    FunctionInfo{Function::episode, "episode", FunctionKind::stateful, 3, 3, "bi", "episode(c, on, off)", "'onset' when c has held for `on` readings in a row, 'clear' when it has been false for `off` in a row, else NULL", "episode(temperature > 80, 5, 5) OVER (PARTITION BY device)"},

    FunctionInfo{Function::count, "count", FunctionKind::aggregate, 1, 1, "x", "count(*), count(x)", "number of readings, or of values that are not NULL", "count(*)"},
    FunctionInfo{Function::sum, "sum", FunctionKind::aggregate, 1, 1, "n", "sum(x)", "sum; whole numbers stay exact up to 2^63", "sum(energy)"},
    FunctionInfo{Function::avg, "avg", FunctionKind::aggregate, 1, 1, "n", "avg(x)", "mean", "avg(vibration)"},
    FunctionInfo{Function::min, "min", FunctionKind::aggregate, 1, 1, "x", "min(x)", "the least", "min(temperature)"},
    FunctionInfo{Function::max, "max", FunctionKind::aggregate, 1, 1, "x", "max(x)", "the greatest", "max(temperature)"},
    FunctionInfo{Function::stddev, "stddev", FunctionKind::aggregate, 1, 1, "n", "stddev(x)", "standard deviation of the population (n)", "stddev(vibration)"},
    FunctionInfo{Function::stddevs, "stddevs", FunctionKind::aggregate, 1, 1, "n", "stddevs(x)", "standard deviation of a sample (n - 1); NULL below two values", "stddevs(vibration)"},
    FunctionInfo{Function::var, "var", FunctionKind::aggregate, 1, 1, "n", "var(x)", "variance of the population (n)", "var(vibration)"},
    FunctionInfo{Function::vars, "vars", FunctionKind::aggregate, 1, 1, "n", "vars(x)", "variance of a sample (n - 1); NULL below two values", "vars(vibration)"},
    FunctionInfo{Function::median, "median", FunctionKind::aggregate, 1, 1, "n", "median(x)", "median; of an even count the mean of the middle two", "median(vibration)"},
    FunctionInfo{Function::percentile, "percentile", FunctionKind::aggregate, 2, 2, "nc", "percentile(x, p)", "p in 0…1, interpolated between the neighbours", "percentile(latency, 0.99)"},
    FunctionInfo{Function::first, "first", FunctionKind::aggregate, 1, 1, "x", "first(x)", "the first that is not NULL", "first(ts)"},
    FunctionInfo{Function::last, "last", FunctionKind::aggregate, 1, 1, "x", "last(x)", "the last that is not NULL", "last(ts)"},
    FunctionInfo{Function::collect, "collect", FunctionKind::aggregate, 1, 1, "x", "collect(x)", "all that are not NULL, as an array", "collect(code)"},

    FunctionInfo{Function::infer, "infer", FunctionKind::external, 1, kAnyNumber, "x", "infer('model', x, …)", "runs a model; not built yet", "infer('anomaly', x, y)"},
    FunctionInfo{Function::call, "call", FunctionKind::external, 1, kAnyNumber, "x", "call('function', x)", "calls a function; not built yet", "call('convert', x)"},
    FunctionInfo{Function::shadow, "shadow", FunctionKind::external, 2, 2, "t", "shadow('thing', 'reported.x')", "reads a shadow; not built yet", "shadow('pump-1', 'desired.limit')"},
};
// clang-format on

[[nodiscard]] constexpr const FunctionInfo& info(Function id) { return kFunctions[static_cast<std::size_t>(id)]; }

/// nullptr: no such function. `name` in lower case.
[[nodiscard]] const FunctionInfo* find_function(std::string_view name);
[[nodiscard]] std::span<const std::string_view> function_names();

/// The functions section of docs/sql.md, in Markdown.
[[nodiscard]] std::string functions_reference();

}  // namespace sluice::rules

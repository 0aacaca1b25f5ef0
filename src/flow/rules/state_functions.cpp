// Stateful functions: their rows. What they compute is in state_ops.cpp and hit_ops.cpp, their parameters in state_compiler.cpp.
#include "flow/rules/function_families.hpp"

namespace sluice::rules {

// clang-format off
constinit const Family<Function::zscore, Function::last_hit_count> kStateFunctions{{
    {Function::zscore, "zscore", "", FunctionKind::stateful, "ni", Type::number, "zscore(x, n)", "standard deviations (sample, n - 1) of x from the mean of the n valid values before it; NULL until there are n; without spread 0 or ±infinity", "zscore(vibration, 100) OVER (PARTITION BY device)", ""},
    {Function::every, "every", "", FunctionKind::stateful, "i", Type::boolean, "every(n)", "true for each n-th reading", "every(1000) OVER (PARTITION BY device)", ""},
    {Function::lag, "lag", "", FunctionKind::stateful, "x[i]", Type::any, "lag(x[, k])", "the k-th value before this one (k = 1)", "lag(state) OVER (PARTITION BY device)", ""},
    {Function::delta, "delta", "", FunctionKind::stateful, "n", Type::number, "delta(x)", "x less the value before it", "delta(counter) OVER (PARTITION BY device)", ""},
    {Function::rate, "rate", "", FunctionKind::stateful, "n", Type::number, "rate(x)", "delta(x) per second of arrival time; NULL where no time has passed", "rate(energy) OVER (PARTITION BY meter)", ""},
    {Function::changed, "changed", "", FunctionKind::stateful, "x[c]", Type::boolean, "changed(x[, deadband])", "true for the first and when |x - last value for which it was true| > deadband (0); text and booleans: when different", "changed(level, 0.5) OVER (PARTITION BY tank)", ""},
    {Function::ewma, "ewma", "", FunctionKind::stateful, "nc", Type::number, "ewma(x, a)", "a * x + (1 - a) * previous; the first is x; 0 < a <= 1", "ewma(temperature, 0.1) OVER (PARTITION BY device)", ""},
    {Function::rms, "rms", "", FunctionKind::stateful, "ni", Type::number, "rms(x, n)", "root mean square of the last n; NULL until there are n", "rms(acceleration, 256) OVER (PARTITION BY device)", ""},
    {Function::kurtosis, "kurtosis", "", FunctionKind::stateful, "ni", Type::number, "kurtosis(x, n)", "m4 / m2² of the last n (3 for a normal distribution); NULL until there are n, and without spread", "kurtosis(acceleration, 256) OVER (PARTITION BY device)", ""},
    {Function::crest, "crest", "", FunctionKind::stateful, "ni", Type::number, "crest(x, n)", "max |x| / rms of the last n; NULL until there are n", "crest(acceleration, 256) OVER (PARTITION BY device)", ""},
    {Function::episode, "episode", "", FunctionKind::stateful, "bii", Type::text, "episode(c, on, off)", "'onset' when c has held for `on` readings in a row, 'clear' when it has been false for `off` in a row, else NULL", "episode(temperature > 80, 5, 5) OVER (PARTITION BY device)", ""},
    {Function::last_hit_time, "last_hit_time", "", FunctionKind::stateful, "", Type::number, "last_hit_time()", "when this rule last put out a row of this key, in milliseconds since 1970; NULL before", "last_hit_time() OVER (PARTITION BY device)", ""},
    {Function::last_hit_count, "last_hit_count", "", FunctionKind::stateful, "", Type::number, "last_hit_count()", "how many rows of this key this rule has put out before this reading", "last_hit_count() OVER (PARTITION BY device)", ""},
}};
// clang-format on

}  // namespace sluice::rules

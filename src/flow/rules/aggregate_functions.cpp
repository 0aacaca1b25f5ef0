// Aggregates: their rows. What they compute is in aggregates.cpp.
#include "flow/rules/function_families.hpp"

namespace sluice::rules {

// clang-format off
constinit const Family<Function::count, Function::collect> kAggregateFunctions{{
    {Function::count, "count", "", FunctionKind::aggregate, "x", Type::number, "count(*), count(x)", "number of readings, or of values that are not NULL", "count(*)", ""},
    {Function::sum, "sum", "", FunctionKind::aggregate, "n", Type::number, "sum(x)", "sum; whole numbers stay exact up to 2^63", "sum(energy)", ""},
    {Function::avg, "avg", "", FunctionKind::aggregate, "n", Type::number, "avg(x)", "mean", "avg(vibration)", ""},
    {Function::min, "min", "", FunctionKind::aggregate, "x", Type::any, "min(x)", "the least", "min(temperature)", ""},
    {Function::max, "max", "", FunctionKind::aggregate, "x", Type::any, "max(x)", "the greatest", "max(temperature)", ""},
    {Function::stddev, "stddev", "", FunctionKind::aggregate, "n", Type::number, "stddev(x)", "standard deviation of the population (n)", "stddev(vibration)", ""},
    {Function::stddevs, "stddevs", "", FunctionKind::aggregate, "n", Type::number, "stddevs(x)", "standard deviation of a sample (n - 1); NULL below two values", "stddevs(vibration)", ""},
    {Function::var, "var", "", FunctionKind::aggregate, "n", Type::number, "var(x)", "variance of the population (n)", "var(vibration)", ""},
    {Function::vars, "vars", "", FunctionKind::aggregate, "n", Type::number, "vars(x)", "variance of a sample (n - 1); NULL below two values", "vars(vibration)", ""},
    {Function::median, "median", "", FunctionKind::aggregate, "n", Type::number, "median(x)", "median; of an even count the mean of the middle two", "median(vibration)", ""},
    {Function::percentile, "percentile", "", FunctionKind::aggregate, "nc", Type::number, "percentile(x, p)", "p in 0…1, interpolated between the neighbours", "percentile(latency, 0.99)", ""},
    {Function::first, "first", "", FunctionKind::aggregate, "x", Type::any, "first(x)", "the first that is not NULL", "first(ts)", ""},
    {Function::last, "last", "", FunctionKind::aggregate, "x", Type::any, "last(x)", "the last that is not NULL", "last(ts)", ""},
    {Function::collect, "collect", "", FunctionKind::aggregate, "x", Type::json, "collect(x)", "all that are not NULL, as an array", "collect(code)", ""},
}};
// clang-format on

}  // namespace sluice::rules

// Functions of numbers.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include "flow/rules/arguments.hpp"
#include "flow/rules/decimal_cut.hpp"
#include "flow/rules/function_families.hpp"

namespace sluice::rules {
namespace {

using json::Kind;

/// Powers of ten for round and trunc; a double has no more digits behind the point than this.
constexpr double kPowers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/// A result that is not finite though the argument was is no value.
Value finite(Scope& scope, double result, double argument) {
    if (std::isfinite(result) || (!std::isfinite(argument) && !std::isnan(result))) return Value::number(result);
    return bad_value(scope);
}

/// NULL for NULL, a bad value for what is no number.
Value not_a_number(Scope& scope, const Value& x) { return x.is_null() ? Value::null() : bad_value(scope); }

template <double (*function)(double)>
Value of_number(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    if (!x.is_numeric()) return not_a_number(scope, x);
    return finite(scope, function(x.as_double()), x.as_double());
}

template <double (*function)(double, double)>
Value of_numbers(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    const Value y = arguments.at(1);
    if (x.is_null() || y.is_null()) return Value::null();
    if (!x.is_numeric() || !y.is_numeric()) return bad_value(scope);
    const double result = function(x.as_double(), y.as_double());
    return finite(scope, result, std::isfinite(x.as_double()) ? y.as_double() : x.as_double());
}

template <double (*function)(double)>
Value logarithm(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    if (!x.is_numeric()) return not_a_number(scope, x);
    return x.as_double() <= 0 ? bad_value(scope) : finite(scope, function(x.as_double()), x.as_double());
}

Value absolute(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    if (!x.is_numeric()) return not_a_number(scope, x);
    if (x.kind() == Kind::integer && x.as_integer() != INT64_MIN) return Value::integer(std::abs(x.as_integer()));
    return Value::number(std::fabs(x.as_double()));
}

using Rounding = double (*)(double);
constexpr Rounding up = std::ceil;
constexpr Rounding down = std::floor;
constexpr Rounding nearest = std::round;
constexpr Rounding towards_zero = std::trunc;

/// Whole numbers are left as they are.
template <Rounding rounding>
Value rounded(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    if (!x.is_numeric()) return not_a_number(scope, x);
    return x.kind() == Kind::integer ? x : finite(scope, rounding(x.as_number()), x.as_number());
}

/// round and trunc to digits behind the point: of the number as it is written in decimals, so that 4.35 is halfway.
template <Rounding rounding>
Value rounded_to(Scope& scope, const Arguments& arguments) {
    if (arguments.size() < 2) return rounded<rounding>(scope, arguments);
    const Value x = arguments.at(0);
    if (!x.is_numeric()) return not_a_number(scope, x);
    const Value digits = arguments.at(1);
    if (x.kind() == Kind::integer || digits.is_null()) return digits.is_null() ? Value::null() : x;
    const double v = x.as_number();
    if (!std::isfinite(v)) return x;
    const auto places = static_cast<std::size_t>(std::clamp<std::int64_t>(digits.as_integer(), 0, std::size(kPowers) - 1));
    const double scaled = v * kPowers[places];
    // Where the float is surely on the side that its decimals are on, whole numbers of this size and powers of ten are exact.
    constexpr double kSure = 1e-3;
    constexpr double kSureMax = 4398046511104.0;  // 2^42: floats have 2^-10 there
    const double from_border =
        rounding == nearest ? std::fabs(std::fabs(scaled - std::trunc(scaled)) - 0.5) : std::fabs(scaled - std::round(scaled));
    if (std::fabs(scaled) < kSureMax && from_border > kSure) return Value::number(rounding(scaled) / kPowers[places]);
    DecimalRoom room;
    const std::string_view written = cut_decimal(v, places, rounding == nearest ? Cut::to_nearest : Cut::towards_zero, room);
    double result = 0;
    (void)std::from_chars(written.data(), written.data() + written.size(), result);  // digits and a point: always a number
    return Value::number(std::copysign(result, v));
}

Value sign_of(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    if (!x.is_numeric()) return not_a_number(scope, x);
    const double v = x.as_double();
    return Value::integer(v > 0 ? 1 : v < 0 ? -1 : 0);
}

Value remainder(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    const Value y = arguments.at(1);
    if (x.is_null() || y.is_null()) return Value::null();
    if (!x.is_numeric() || !y.is_numeric() || y.as_double() == 0) return bad_value(scope);
    if (x.kind() == Kind::integer && y.kind() == Kind::integer)
        return Value::integer(y.as_integer() == -1 ? 0 : x.as_integer() % y.as_integer());
    return finite(scope, std::fmod(x.as_double(), y.as_double()), x.as_double());
}

double cotangent(double x) { return 1 / std::tan(x); }
double to_degrees(double x) { return x * (180 / std::numbers::pi); }
double to_radians(double x) { return x * (std::numbers::pi / 180); }

Value pi(Scope&, const Arguments&) { return Value::number(std::numbers::pi); }

/// To the base of 10, or of the second argument.
Value logarithm_to(Scope& scope, const Arguments& arguments) {
    double x = 0;
    double base = 0;
    if (arguments.size() == 1) return logarithm<std::log10>(scope, arguments);
    if (!arguments.number(0, x) || !arguments.number(1, base)) return arguments.nothing();
    if (x <= 0 || base <= 0 || base == 1) return bad_value(scope);
    // The exact ones where there are exact ones: log(1000, 10) is 3.
    if (base == 2) return finite(scope, std::log2(x), x);
    if (base == 10) return finite(scope, std::log10(x), x);
    return finite(scope, std::log(x) / std::log(base), x);
}

Value square(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    if (!x.is_numeric()) return not_a_number(scope, x);
    std::int64_t whole = 0;
    if (x.kind() == Kind::integer && !__builtin_mul_overflow(x.as_integer(), x.as_integer(), &whole)) return Value::integer(whole);
    return finite(scope, x.as_double() * x.as_double(), x.as_double());
}

Value clamped(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    const Value low = arguments.at(1);
    const Value high = arguments.at(2);
    if (x.is_null() || low.is_null() || high.is_null()) return Value::null();
    if (!x.is_numeric() || !low.is_numeric() || !high.is_numeric() || compare(low, high) == Order::greater) return bad_value(scope);
    return compare(x, low) == Order::less ? low : compare(x, high) == Order::greater ? high : x;
}

enum class Bits : std::uint8_t { conjunction, disjunction, difference, left, right };

/// Of whole numbers in two's complement with 64 bits. Shifts fill with zeros, so that a shift by 64 and more leaves none of the bits.
template <Bits operation>
Value of_bits(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    const Value y = arguments.at(1);
    if (x.is_null() || y.is_null()) return Value::null();
    if (x.kind() != Kind::integer || y.kind() != Kind::integer) return bad_value(scope);
    const auto a = static_cast<std::uint64_t>(x.as_integer());
    const auto b = static_cast<std::uint64_t>(y.as_integer());
    switch (operation) {
        case Bits::conjunction:
            return Value::integer(static_cast<std::int64_t>(a & b));
        case Bits::disjunction:
            return Value::integer(static_cast<std::int64_t>(a | b));
        case Bits::difference:
            return Value::integer(static_cast<std::int64_t>(a ^ b));
        case Bits::left:
        case Bits::right:
            break;
    }
    if (y.as_integer() < 0) return bad_value(scope);
    if (b >= 64) return Value::integer(0);
    return Value::integer(static_cast<std::int64_t>(operation == Bits::left ? a << b : a >> b));
}

Value complement(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    if (x.kind() != Kind::integer) return not_a_number(scope, x);
    return Value::integer(~x.as_integer());
}

Value is_infinite(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    return x.is_numeric() ? Value::boolean(std::isinf(x.as_double())) : not_a_number(scope, x);
}

}  // namespace

// clang-format off
constinit const Family<Function::abs, Function::isinf> kMathFunctions{{
    {Function::abs, "abs", "", FunctionKind::scalar, "n", Type::number, "abs(x)", "without the sign", "abs(-2)", "2", absolute},
    {Function::ceil, "ceil", "ceiling", FunctionKind::scalar, "n", Type::number, "ceil(x)", "up to a whole number", "ceil(1.2)", "2", rounded<up>},
    {Function::floor, "floor", "", FunctionKind::scalar, "n", Type::number, "floor(x)", "down to a whole number", "floor(-1.2)", "-2", rounded<down>},
    {Function::round, "round", "", FunctionKind::scalar, "n[i]", Type::number, "round(x[, digits])", "to the nearest; halves away from zero; digits behind the point, 0 to 15, of the number as it is written", "round(4.35, 1)", "4.4", rounded_to<nearest>},
    {Function::trunc, "trunc", "truncate", FunctionKind::scalar, "n[i]", Type::number, "trunc(x[, digits])", "towards zero; digits behind the point, 0 to 15", "trunc(-1.7)", "-1", rounded_to<towards_zero>},
    {Function::sqrt, "sqrt", "", FunctionKind::scalar, "n", Type::number, "sqrt(x)", "square root; NULL below 0", "sqrt(9)", "3", of_number<std::sqrt>},
    {Function::power, "power", "pow", FunctionKind::scalar, "nn", Type::number, "power(x, y)", "x to the power of y", "power(2, 10)", "1024", of_numbers<std::pow>},
    {Function::exp, "exp", "", FunctionKind::scalar, "n", Type::number, "exp(x)", "e to the power of x", "exp(0)", "1", of_number<std::exp>},
    {Function::ln, "ln", "", FunctionKind::scalar, "n", Type::number, "ln(x)", "natural logarithm; NULL for 0 and below", "ln(1)", "0", logarithm<std::log>},
    {Function::log10, "log10", "", FunctionKind::scalar, "n", Type::number, "log10(x)", "logarithm to the base of 10; NULL for 0 and below", "log10(1000)", "3", logarithm<std::log10>},
    {Function::sign, "sign", "sgn", FunctionKind::scalar, "n", Type::number, "sign(x)", "-1, 0 or 1", "sign(-3)", "-1", sign_of},
    {Function::mod, "mod", "", FunctionKind::scalar, "nn", Type::number, "mod(x, y)", "the rest of x / y with the sign of x, as x % y; NULL where y is 0", "mod(7, 3)", "1", remainder},
    {Function::sin, "sin", "", FunctionKind::scalar, "n", Type::number, "sin(x)", "sine of x in radians", "sin(0)", "0", of_number<std::sin>},
    {Function::cos, "cos", "", FunctionKind::scalar, "n", Type::number, "cos(x)", "cosine of x in radians", "cos(0)", "1", of_number<std::cos>},
    {Function::tan, "tan", "", FunctionKind::scalar, "n", Type::number, "tan(x)", "tangent of x in radians", "tan(0)", "0", of_number<std::tan>},
    {Function::atan2, "atan2", "", FunctionKind::scalar, "nn", Type::number, "atan2(y, x)", "angle of the point (x, y), in radians", "atan2(0, 1)", "0", of_numbers<std::atan2>},
    {Function::acos, "acos", "", FunctionKind::scalar, "n", Type::number, "acos(x)", "the angle whose cosine is x, in radians; NULL beyond -1 to 1", "acos(1)", "0", of_number<std::acos>},
    {Function::asin, "asin", "", FunctionKind::scalar, "n", Type::number, "asin(x)", "the angle whose sine is x, in radians; NULL beyond -1 to 1", "asin(0)", "0", of_number<std::asin>},
    {Function::atan, "atan", "", FunctionKind::scalar, "n", Type::number, "atan(x)", "the angle whose tangent is x, in radians", "atan(0)", "0", of_number<std::atan>},
    {Function::sinh, "sinh", "", FunctionKind::scalar, "n", Type::number, "sinh(x)", "hyperbolic sine", "sinh(0)", "0", of_number<std::sinh>},
    {Function::cosh, "cosh", "", FunctionKind::scalar, "n", Type::number, "cosh(x)", "hyperbolic cosine", "cosh(0)", "1", of_number<std::cosh>},
    {Function::tanh, "tanh", "", FunctionKind::scalar, "n", Type::number, "tanh(x)", "hyperbolic tangent", "tanh(0)", "0", of_number<std::tanh>},
    {Function::cot, "cot", "", FunctionKind::scalar, "n", Type::number, "cot(x)", "cotangent of x in radians; NULL for 0", "round(cot(1), 6)", "0.642093", of_number<cotangent>},
    {Function::degrees, "degrees", "", FunctionKind::scalar, "n", Type::number, "degrees(x)", "radians as degrees", "degrees(pi())", "180", of_number<to_degrees>},
    {Function::radians, "radians", "", FunctionKind::scalar, "n", Type::number, "radians(x)", "degrees as radians", "radians(180) = pi()", "true", of_number<to_radians>},
    {Function::pi, "pi", "", FunctionKind::scalar, "", Type::number, "pi()", "3.141592653589793", "pi()", "3.141592653589793", pi},
    {Function::cbrt, "cbrt", "", FunctionKind::scalar, "n", Type::number, "cbrt(x)", "cube root", "round(cbrt(-27), 9)", "-3", of_number<std::cbrt>},
    {Function::log2, "log2", "", FunctionKind::scalar, "n", Type::number, "log2(x)", "logarithm to the base of 2; NULL for 0 and below", "log2(8)", "3", logarithm<std::log2>},
    {Function::log, "log", "", FunctionKind::scalar, "n[n]", Type::number, "log(x[, base])", "logarithm to the base, or of 10; NULL for 0 and below", "log(81, 3)", "4", logarithm_to},
    {Function::square, "square", "", FunctionKind::scalar, "n", Type::number, "square(x)", "x * x", "square(-3)", "9", square},
    {Function::clamp, "clamp", "", FunctionKind::scalar, "nnn", Type::number, "clamp(x, low, high)", "x, but not below low and not above high; NULL where low is above high", "clamp(12, 0, 10)", "10", clamped},
    {Function::bit_and, "bitand", "bit_and", FunctionKind::scalar, "nn", Type::number, "bitand(a, b)", "bits that both have; whole numbers of 64 bits", "bitand(12, 10)", "8", of_bits<Bits::conjunction>},
    {Function::bit_or, "bitor", "bit_or", FunctionKind::scalar, "nn", Type::number, "bitor(a, b)", "bits that one has", "bitor(12, 10)", "14", of_bits<Bits::disjunction>},
    {Function::bit_xor, "bitxor", "bit_xor", FunctionKind::scalar, "nn", Type::number, "bitxor(a, b)", "bits that one of them has and the other has not", "bitxor(12, 10)", "6", of_bits<Bits::difference>},
    {Function::bit_not, "bitnot", "bit_not", FunctionKind::scalar, "n", Type::number, "bitnot(a)", "each bit turned", "bitnot(12)", "-13", complement},
    {Function::shift_left, "shift_left", "lshift", FunctionKind::scalar, "nn", Type::number, "shift_left(a, n)", "bits moved n places up; zeros come in", "shift_left(3, 4)", "48", of_bits<Bits::left>},
    {Function::shift_right, "shift_right", "rshift", FunctionKind::scalar, "nn", Type::number, "shift_right(a, n)", "bits moved n places down; zeros come in", "shift_right(48, 4)", "3", of_bits<Bits::right>},
    {Function::isinf, "isinf", "", FunctionKind::scalar, "n", Type::boolean, "isinf(x)", "is x infinite, as zscore() is without spread?", "isinf(1)", "false", is_infinite},
}};
// clang-format on

}  // namespace sluice::rules

// Functions that judge a reading by the ones before it: their rows and parameters. What they compute is in sorted_ops.cpp, adaptive_ops.cpp
// and presence_ops.cpp; how to use them, in docs/detection.md.
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "flow/rules/function_families.hpp"
#include "flow/rules/rule_compiler.hpp"

namespace sluice::rules {
namespace {

constexpr std::int64_t kCountMax = 1'000'000'000;

/// adaptive without parameters. With readings once a second: a quarter of a minute against the three minutes before it.
constexpr std::uint32_t kFast = 15;
constexpr std::uint32_t kSlow = 200;
constexpr double kLimit = 5;

struct Unit {
    std::string_view name;
    double milliseconds;
};
constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86'400e3}};

/// `'90s'`, in milliseconds.
std::optional<double> parse_duration(std::string_view text) {
    double number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc() || !std::isfinite(number) || number <= 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    for (const Unit& unit : kUnits) {
        if (text == unit.name) return number * unit.milliseconds;
    }
    return std::nullopt;
}

}  // namespace

bool RuleCompiler::read_detection_parameters(StateOp& op, const Expr& expr) {
    const auto most = static_cast<std::int64_t>(limits_.window_rows_max);
    bool good = true;
    const auto whole = [&](std::size_t at, std::int64_t least, std::int64_t up_to, std::string_view what, std::uint32_t otherwise) {
        if (at >= expr.args.size()) return otherwise;
        const auto value = whole_parameter(*expr.args[at], least, up_to, std::string(what) + " of " + expr.name);
        good = good && value.has_value();
        return static_cast<std::uint32_t>(value.value_or(least));
    };
    const auto real = [&](std::size_t at, double least, std::string_view what, double otherwise) {
        if (at >= expr.args.size()) return otherwise;
        const auto value = real_parameter(*expr.args[at], least, INFINITY, std::string(what) + " of " + expr.name);
        good = good && value.has_value();
        return value.value_or(least);
    };
    switch (op.function) {
        case Function::robust_z:
            op.n = whole(1, 2, most, "n", 0);
            op.off = op.n;
            return good;
        case Function::beyond:
            op.n = whole(1, 2, most, "n", 0);
            op.off = whole(2, 2, op.n, "`least`", op.n);
            return good;
        case Function::stuck:
            op.n = whole(1, 2, kCountMax, "n", 0);
            op.a = real(2, 0, "the tolerance", 0);
            return good;
        case Function::gap: {
            const Compiled node = compile(*expr.args[0], Place::key);
            if (!node) return false;
            std::optional<double> limit;
            if (program_.is_constant(*node) && program_.constant_value(*node).kind() == json::Kind::text)
                limit = parse_duration(program_.constant_value(*node).as_view());
            if (!limit) problems_.error(expr.args[0]->offset, "the limit of gap must be a time such as '90s', '5m' or '1.5h', written out");
            op.a = limit.value_or(0);
            return limit.has_value();
        }
        default: {  // adaptive and its views
            op.n = whole(2, 4, most, "`slow`", kSlow);
            // A baseline of fewer values than twice the average's would be that average.
            op.off = whole(1, 1, op.n / 2, "`fast`", std::min(kFast, op.n / 2));
            op.a = real(3, 0, "the limit", kLimit);
            op.more = whole(4, 0, kCountMax, "`relearn`", 2 * op.n);
            return good;
        }
    }
}

// clang-format off
constinit const Family<Function::robust_z, Function::gap> kDetectionFunctions{{
    {Function::robust_z, "robust_z", "", FunctionKind::stateful, "ni", Type::number, "robust_z(x, n)", "(x - median) / (1.482602218505602 median absolute deviation) of the n valid values before it; NULL until there are n; where the deviation is 0, 0 or ±infinity", "robust_z(pressure, 100) OVER (PARTITION BY device)", ""},
    {Function::beyond, "beyond", "", FunctionKind::stateful, "ni[i]", Type::number, "beyond(x, n[, least])", "how far x is outside of the range of the up to n valid values before it, in ranges, negative below; 0 within; NULL until there are `least` (n)", "beyond(load, 2000, 150) OVER (PARTITION BY host)", ""},
    {Function::adaptive, "adaptive", "", FunctionKind::stateful, "n[iici]", Type::number, "adaptive(x[, fast[, slow[, limit[, relearn]]]])", "how far the mean of the last `fast` (15) values is from the mean of the `slow` (200) before, in units of how far it usually is; the baseline stands still while that is above `limit` (5), and is learned anew after `relearn` (2 slow) values of one alarm, 0: never; NULL while learning", "adaptive(flow, 15, 200, 5, 400) OVER (PARTITION BY pump)", ""},
    {Function::adaptive_alarm, "adaptive_alarm", "", FunctionKind::stateful, "n[iici]", Type::boolean, "adaptive_alarm(…)", "of adaptive with the same arguments: true from |score| > limit on until it is below 0.7 limit; false while learning, NULL for a bad value", "adaptive_alarm(flow) OVER (PARTITION BY pump)", ""},
    {Function::adaptive_average, "adaptive_average", "", FunctionKind::stateful, "n[iici]", Type::number, "adaptive_average(…)", "of adaptive with the same arguments: the mean of the last `fast` values", "adaptive_average(flow) OVER (PARTITION BY pump)", ""},
    {Function::adaptive_baseline, "adaptive_baseline", "", FunctionKind::stateful, "n[iici]", Type::number, "adaptive_baseline(…)", "of adaptive with the same arguments: the mean of the baseline", "adaptive_baseline(flow) OVER (PARTITION BY pump)", ""},
    {Function::adaptive_limit, "adaptive_limit", "", FunctionKind::stateful, "n[iici]", Type::number, "adaptive_limit(…)", "of adaptive with the same arguments: how far the average may be from the baseline, in the unit of x", "adaptive_limit(flow) OVER (PARTITION BY pump)", ""},
    {Function::stuck, "stuck", "", FunctionKind::stateful, "ni[c]", Type::boolean, "stuck(x, n[, tolerance])", "true when n or more valid values in a row are the same, or within the tolerance of the first of them", "stuck(temperature, 60) OVER (PARTITION BY device)", ""},
    {Function::gap, "gap", "", FunctionKind::stateful, "t[n]", Type::boolean, "gap(limit[, time])", "true when more than the limit ('90s', '5m', '1.5h') has passed since the reading before, by arrival or by a time in milliseconds; false for a time that goes back, NULL beyond 2^52", "gap('5m') OVER (PARTITION BY device)", ""},
}};
// clang-format on

}  // namespace sluice::rules

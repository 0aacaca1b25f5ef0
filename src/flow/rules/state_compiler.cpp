// Calls that keep state: stateful functions, aggregates of windows and over rows.
#include <algorithm>
#include <cmath>

#include "base/hash.hpp"
#include "flow/rules/rule_compiler.hpp"
#include "flow/rules/state_methods.hpp"

namespace sluice::rules {
namespace {

std::string number_text(double value) {
    std::string text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text;
}

}  // namespace

std::optional<std::int64_t> RuleCompiler::whole_parameter(const Expr& expr, std::int64_t least, std::int64_t most, std::string_view what) {
    const Compiled node = compile(expr, Place::key);
    if (!node) return std::nullopt;
    if (program_.is_constant(*node)) {
        const Value& value = program_.constant_value(*node);
        if (value.kind() == json::Kind::integer && value.as_integer() >= least && value.as_integer() <= most) return value.as_integer();
    }
    problems_.error(expr.offset, std::string(what) + " must be a whole number from " + std::to_string(least) + " to " +
                                     std::to_string(most) + ", written out");
    return std::nullopt;
}

std::optional<double> RuleCompiler::real_parameter(const Expr& expr, double least, double most, std::string_view what) {
    const Compiled node = compile(expr, Place::key);
    if (!node) return std::nullopt;
    if (program_.is_constant(*node)) {
        const Value& value = program_.constant_value(*node);
        if (value.is_numeric() && value.as_double() >= least && value.as_double() <= most) return value.as_double();
    }
    const std::string range =
        std::isinf(most) ? "of at least " + number_text(least) : "from " + number_text(least) + " to " + number_text(most);
    problems_.error(expr.offset, std::string(what) + " must be a number " + range + ", written out");
    return std::nullopt;
}

bool RuleCompiler::read_parameters(StateOp& op, const Expr& expr, const FunctionInfo& function) {
    const auto most = static_cast<std::int64_t>(limits_.window_rows_max);
    constexpr std::int64_t kCountMax = 1'000'000'000;
    const auto n_from = [&](std::size_t argument, std::int64_t least, std::int64_t up_to, std::string_view what) {
        const auto n = whole_parameter(*expr.args[argument], least, up_to, what);
        op.n = static_cast<std::uint32_t>(n.value_or(1));
        return n.has_value();
    };
    if (op.methods != nullptr) return op.methods->hit != nullptr || read_detection_parameters(op, expr);
    switch (function.id) {
        case Function::every:
            return n_from(0, 1, kCountMax, "n of every");
        case Function::zscore:
        case Function::kurtosis:
            return n_from(1, 2, most, "n of " + expr.name);
        case Function::rms:
        case Function::crest:
            return n_from(1, 1, most, "n of " + expr.name);
        case Function::lag:
            op.n = 1;
            return expr.args.size() < 2 || n_from(1, 1, most, "k of lag");
        case Function::episode: {
            const auto off = whole_parameter(*expr.args[2], 1, kCountMax, "`off` of episode");
            op.off = static_cast<std::uint32_t>(off.value_or(1));
            return n_from(1, 1, kCountMax, "`on` of episode") && off.has_value();
        }
        case Function::ewma: {
            const auto a = real_parameter(*expr.args[1], 0, 1, "a of ewma");
            op.a = a.value_or(1);
            if (a && *a == 0) problems_.error(expr.args[1]->offset, "a of ewma must be above 0: with 0 it never changes");
            return a.has_value() && *a != 0;
        }
        case Function::changed: {
            if (expr.args.size() < 2) return true;
            const auto deadband = real_parameter(*expr.args[1], 0, INFINITY, "the deadband of changed");
            op.a = deadband.value_or(0);
            return deadband.has_value();
        }
        case Function::percentile: {
            const auto p = real_parameter(*expr.args[1], 0, 1, "p of percentile");
            op.a = p.value_or(0);
            return p.has_value();
        }
        default:
            return true;
    }
}

void RuleCompiler::warn_without_over(const Expr& expr) {
    for (const FromTopic& topic : query_.from) {
        if (topic.filter.find_first_of("+#") == std::string::npos) continue;
        problems_.warning(expr.offset,
                          expr.name + " without OVER (PARTITION BY …) keeps one state for all topics of '" + topic.filter + "' together");
        return;
    }
}

RuleCompiler::Compiled RuleCompiler::compile_stateful(const Expr& expr, const FunctionInfo& function, Place place) {
    if (place == Place::key) {
        problems_.error(expr.offset, expr.name + " keeps state: it cannot make up a key or a parameter");
        return std::nullopt;
    }
    if (query_.grouped && (function.id == Function::last_hit_time || function.id == Function::last_hit_count)) {
        problems_.error(expr.offset,
                        expr.name + " belongs to a query without a window: a rule that reads the rows of this one can have it");
        return std::nullopt;
    }
    if (place == Place::grouped || place == Place::having) {
        problems_.error(expr.offset,
                        expr.name +
                            " has a value for each reading: in a query with a window it must stand inside an aggregate, such as max(" +
                            expr.name + "(…))");
        return std::nullopt;
    }
    if (expr.over != nullptr && expr.over->preceding) {
        problems_.error(expr.over->rows_offset, "ROWS n PRECEDING belongs to aggregates; " + expr.name + " has its own parameters");
        return std::nullopt;
    }
    StateOp op;
    op.function = function.id;
    op.methods = methods_of(function.id);
    // gap looks at the arrival unless it is given a time, behind its limit.
    const std::size_t argument_at = function.id == Function::gap ? 1 : 0;
    op.has_argument = function.id != Function::every && argument_at < expr.args.size();
    if (op.has_argument) {
        const Compiled argument = compile(*expr.args[argument_at], Place::argument);
        if (!argument) return std::nullopt;
        if (!require(*argument, function.arguments.type(argument_at), *expr.args[argument_at], expr.name)) return std::nullopt;
        op.argument = *argument;
    }
    if (!read_parameters(op, expr, function)) return std::nullopt;
    if (expr.over == nullptr) warn_without_over(expr);
    if (op.methods == &kAdaptiveViews) return add_view(std::move(op), expr, function.result);
    return add_state(std::move(op), expr, function.result);
}

RuleCompiler::Compiled RuleCompiler::compile_aggregate(const Expr& expr, const FunctionInfo& function, Place place) {
    const bool star = expr.args[0]->kind == Expr::Kind::star;
    if (star && function.id != Function::count) {
        problems_.error(expr.args[0]->offset, "* stands for all readings in count(*) only");
        return std::nullopt;
    }
    const bool over = expr.over != nullptr;
    if (over && !expr.over->preceding) {
        problems_.error(expr.over->offset, expr.name + " OVER needs its rows: OVER (PARTITION BY key ROWS n PRECEDING)");
        return std::nullopt;
    }
    if (!over && place != Place::grouped && place != Place::having) {
        std::string message = expr.name +
                              " is an aggregate: it needs GROUP BY with a window, such as TUMBLINGWINDOW(ss, 10), or OVER (PARTITION BY "
                              "key ROWS n PRECEDING)";
        // In a query with a window `select` is an alias that WHERE names.
        if ((place == Place::where || place == Place::select) && query_.grouped)
            message = expr.name + " is an aggregate: conditions on it belong to HAVING";
        if (place == Place::argument) message = expr.name + " is an aggregate inside another function that takes readings";
        if (place == Place::key) message = expr.name + " is an aggregate: it cannot make up a key or a parameter";
        problems_.error(expr.offset, message);
        return std::nullopt;
    }
    if (over && (place == Place::grouped || place == Place::having || place == Place::key)) {
        problems_.error(expr.offset,
                        expr.name + " OVER has a value for each reading: in a query with a window it must stand inside an aggregate");
        return std::nullopt;
    }
    StateOp op;
    op.function = function.id;
    op.has_argument = !star;
    if (!star) {
        const Compiled argument = compile(*expr.args[0], Place::argument);
        if (!argument || !require(*argument, function.arguments.type(0), *expr.args[0], expr.name)) return std::nullopt;
        op.argument = *argument;
    }
    if (!read_parameters(op, expr, function)) return std::nullopt;
    if (over) {
        const std::int64_t rows = *expr.over->preceding;
        if (rows < 0 || rows + 1 > static_cast<std::int64_t>(limits_.window_rows_max)) {
            problems_.error(expr.over->rows_offset,
                            "n of ROWS n PRECEDING must be from 0 to " + std::to_string(limits_.window_rows_max - 1));
            return std::nullopt;
        }
        op.n = static_cast<std::uint32_t>(rows + 1);
        return add_state(std::move(op), expr, function.result);
    }
    if (!rule_.window) return std::nullopt;  // reported where GROUP BY is
    WindowPlan& window = *rule_.window;
    const Accumulator kind = accumulator_of(function.id, star, window.event_time.has_value());
    const auto accumulator = std::find_if(window.accumulators.begin(), window.accumulators.end(), [&](const AccumulatorPlan& known) {
        return known.kind == kind && known.argument == op.argument;
    });
    const auto at = static_cast<std::uint32_t>(accumulator - window.accumulators.begin());
    if (accumulator == window.accumulators.end()) window.accumulators.push_back({.kind = kind, .argument = op.argument});
    window.aggregates.push_back({.function = function.id, .p = op.a, .accumulator = at, .text = sql_of(expr)});
    const auto index = static_cast<std::uint32_t>(window.aggregates.size() - 1);
    // The rule is part of the identity: aggregates of two rules are never the same node.
    return program_.indexed(Op::aggregate, function.result, index, mix({index_, index}));
}

/// A function that reads the state of adaptive with the same arguments, which runs before it.
RuleCompiler::Compiled RuleCompiler::add_view(StateOp op, const Expr& expr, Type type) {
    StateOp source = op;
    source.function = Function::adaptive;
    source.methods = &kAdaptiveMethods;
    const Compiled added = add_state(std::move(source), expr, Type::number);
    if (!added) return std::nullopt;
    op.source = plan_.data.program.nodes[*added].a;
    return add_state(std::move(op), expr, type);
}

RuleCompiler::Compiled RuleCompiler::add_state(StateOp op, const Expr& expr, Type type) {
    std::vector<NodeId> partition;
    if (expr.over != nullptr) {
        auto nodes = compile_all(expr.over->partition, Place::key);
        if (!nodes) return std::nullopt;
        partition = std::move(*nodes);
    }
    op.table = table(partition);
    op.fingerprint = mix({base::hash64(info(op.function).name), op.has_argument ? program_.fingerprint(op.argument) : 0, op.n, op.off,
                          std::bit_cast<std::uint64_t>(op.a), plan_.data.tables[op.table].fingerprint});
    if (op.more != 0) op.fingerprint = mix({op.fingerprint, op.more});
    const bool hit = op.methods != nullptr && op.methods->hit != nullptr;
    if (hit) op.fingerprint = mix({op.fingerprint, base::hash64(spec_.id)});
    op.text = sql_of(expr);
    StateOp& known = plan_.op(std::move(op), owner_);
    if (known.rules.empty() || known.rules.back() != index_) known.rules.push_back(index_);
    if (std::find(rule_.tables.begin(), rule_.tables.end(), known.table) == rule_.tables.end()) rule_.tables.push_back(known.table);
    if (hit && std::find(rule_.hits.begin(), rule_.hits.end(), known.reg) == rule_.hits.end()) rule_.hits.push_back(known.reg);
    return program_.indexed(Op::reg, type, known.reg, known.fingerprint);
}

}  // namespace sluice::rules

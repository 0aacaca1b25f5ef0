// Calls of functions without state, and what is checked of their arguments while the rule is compiled.
#include <algorithm>
#include <iterator>

#include "flow/rules/bearing.hpp"
#include "flow/rules/calendar.hpp"
#include "flow/rules/json_values.hpp"
#include "flow/rules/machine_classes.hpp"
#include "flow/rules/rule_compiler.hpp"
#include "flow/rules/time_text.hpp"

namespace sluice::rules {
namespace {

/// Of a text written out in SQL: where its character `at` stands, with quotes written twice.
std::size_t place_in(const Expr& literal, std::size_t at) {
    if (literal.kind != Expr::Kind::text) return literal.offset;
    const std::string_view before = std::string_view(literal.name).substr(0, at);
    return literal.offset + 1 + before.size() + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\''));
}

/// `hour` in DATEPART(hour, ts): a unit, not a column.
bool is_bare_unit(const Expr& expr) {
    return expr.kind == Expr::Kind::column && expr.path.size() == 1 && time_unit(std::get<std::string>(expr.path[0])).has_value();
}

}  // namespace

RuleCompiler::Compiled RuleCompiler::compile_call(const Expr& expr, Place place) {
    const FunctionInfo* function = find_function(expr.name);
    if (function == nullptr) {
        if (expr.name.ends_with("window")) {
            problems_.error(expr.offset, "windows stand in GROUP BY only");
            return std::nullopt;
        }
        problems_.error(expr.offset, "there is no function " + expr.name + did_you_mean(expr.name, function_names()));
        return std::nullopt;
    }
    if (expr.args.size() < function->arguments.least() || expr.args.size() > function->arguments.most()) {
        problems_.error(expr.offset, "wrong number of arguments: " + std::string(function->signature));
        return std::nullopt;
    }
    const bool keeps_state = function->kind == FunctionKind::stateful || function->kind == FunctionKind::aggregate;
    if (expr.over != nullptr && !keeps_state) {
        problems_.error(expr.over->offset, "OVER belongs to functions that keep state; " + expr.name + " keeps none");
        return std::nullopt;
    }
    switch (function->kind) {
        case FunctionKind::external:
            problems_.not_built(expr.offset, expr.name + "() is not built yet");
            return std::nullopt;
        case FunctionKind::stateful:
            return compile_stateful(expr, *function, place);
        case FunctionKind::aggregate:
            return compile_aggregate(expr, *function, place);
        case FunctionKind::expansion:
            return compile_unnest(expr, place);
        case FunctionKind::window:
            if ((place != Place::grouped && place != Place::having) || !rule_.window) {
                problems_.error(expr.offset, expr.name + "() belongs to SELECT and HAVING of a query with a window");
                return std::nullopt;
            }
            break;
        case FunctionKind::context:
            if (place == Place::grouped || place == Place::having) {
                problems_.error(expr.offset,
                                expr.name + "() must stand in GROUP BY or inside an aggregate, such as last(" + expr.name + "(…))");
                return std::nullopt;
            }
            break;
        case FunctionKind::scalar:
            break;
    }
    return compile_plain_call(expr, *function, place);
}

RuleCompiler::Compiled RuleCompiler::compile_plain_call(const Expr& expr, const FunctionInfo& function, Place place) {
    std::vector<NodeId> arguments;
    bool good = true;
    for (std::size_t i = 0; i < expr.args.size(); ++i) {
        const Compiled node = compile_argument(*expr.args[i], function.arguments.letter(i), place);
        good = node.has_value() && require(*node, function.arguments.type(i), *expr.args[i], expr.name) && good;
        arguments.push_back(node.value_or(0));
    }
    if (!good || !check_parameters(expr, function)) return std::nullopt;
    return program_.with_arguments(Op::function, function.result, arguments, false, function.id);
}

RuleCompiler::Compiled RuleCompiler::compile_argument(const Expr& expr, char letter, Place place) {
    if (letter == 'r') return compile_pattern(expr);
    if (letter == 'u' && is_bare_unit(expr)) return program_.constant(Value::text(std::get<std::string>(expr.path[0])));
    const Compiled node = compile(expr, place);
    if (!node || !program_.is_constant(*node)) return node;
    const Value& value = program_.constant_value(*node);
    if (value.is_text() && !check_written(expr, letter, value.as_view())) return std::nullopt;
    return node;
}

RuleCompiler::Compiled RuleCompiler::compile_pattern(const Expr& expr) {
    const Compiled node = compile(expr, Place::key);
    if (!node) return std::nullopt;
    if (!program_.is_constant(*node) || !program_.constant_value(*node).is_text()) {
        problems_.error(expr.offset, "a pattern must be text, written out: it is compiled once with the rule");
        return std::nullopt;
    }
    const std::string text(program_.constant_value(*node).as_view());
    Pattern::Problem problem;
    auto pattern = Pattern::make(text, problem);
    if (pattern == nullptr) {
        problems_.error(place_in(expr, problem.offset), "not a pattern: " + problem.message);
        return std::nullopt;
    }
    return program_.pattern(text, std::move(pattern));
}

bool RuleCompiler::check_written(const Expr& expr, char letter, std::string_view text) {
    switch (letter) {
        case 'u':
            if (time_unit(text)) return true;
            problems_.error(expr.offset,
                            "there is no unit of time '" + std::string(text) +
                                "': year, quarter, month, week, day, hour, minute, second, millisecond, dayofyear, weekday or isodow");
            return false;
        case 'f':
            if (const std::size_t at = time_format_problem(text); at != kFormatGood) {
                problems_.error(place_in(expr, at), "a format of time has no letter '" + std::string(text.substr(at, 1)) +
                                                        "': yyyy MM dd HH mm ss SSS, hh a, MMM, EEE, Z or X; other text in quotes");
                return false;
            }
            return true;
        case 'z':
            if (parse_offset(text)) return true;
            problems_.error(expr.offset, "not an offset from UTC: write '+02:00' or 'Z'");
            return false;
        case 'p':
            if (const std::size_t at = json_path_problem(text); at != kPathGood) {
                problems_.error(place_in(expr, at), "not a path into JSON: write '$.a.b[0]'");
                return false;
            }
            return true;
        case 'g':
            if (parse_bearing(text)) return true;
            problems_.error(expr.offset,
                            "not a bearing: write 'balls=9 ball=7.94 pitch=39.04 angle=0' or 'bpfo=3.58 bpfi=5.42 bsf=2.36 ftf=0.4'");
            return false;
        case 'k': {
            const auto& own = plan_.data.program.machine_classes;
            if (find_machine_class(text, own) != nullptr) return true;
            std::vector<std::string_view> names;
            names.reserve(std::size(kMachineClasses) + own.size());
            for (const MachineClass& known : kMachineClasses) names.push_back(known.name);
            for (const NamedMachineClass& known : own) names.emplace_back(known.name);
            std::string list;
            for (const std::string_view name : names) list += (list.empty() ? "" : ", ") + std::string(name);
            const std::string hint = did_you_mean(text, names);
            problems_.error(expr.offset, "there is no class of machine '" + std::string(text) + "'" +
                                             (hint.empty() ? ": " + list + ", or three limits" : hint));
            return false;
        }
        default:
            return true;
    }
}

bool RuleCompiler::check_parameters(const Expr& expr, const FunctionInfo& function) {
    const auto written = [&](std::size_t argument, std::int64_t least, std::int64_t most, std::string_view what) {
        return argument >= expr.args.size() || whole_parameter(*expr.args[argument], least, most, what).has_value();
    };
    switch (function.id) {
        case Function::topic:
            return written(0, 1, 65'535, "the level of topic(n)");
        case Function::round:
        case Function::trunc:
        case Function::format:
            return written(1, 0, 15, "digits");
        case Function::regexp_substr:
            return written(2, 0, static_cast<std::int64_t>(Pattern::kGroupsMax) - 1, "the group");
        case Function::object:
            if (expr.args.size() % 2 == 0) return true;
            problems_.error(expr.args.back()->offset, "a key without a value: " + std::string(function.signature));
            return false;
        default:
            return true;
    }
}

/// Its rows are made after WHERE and after all state: only columns can see an element.
RuleCompiler::Compiled RuleCompiler::compile_unnest(const Expr& expr, Place place) {
    if (!expands_ || place != Place::select) {
        problems_.error(expr.offset, "unnest makes rows out of a column of SELECT, in a query without a window: it cannot stand here");
        return std::nullopt;
    }
    const Compiled array = compile(*expr.args[0], Place::argument);
    if (!array || !require(*array, Type::json, *expr.args[0], expr.name)) return std::nullopt;
    const auto known = std::find(rule_.unnests.begin(), rule_.unnests.end(), *array);
    const auto index = static_cast<std::uint32_t>(known - rule_.unnests.begin());
    if (known == rule_.unnests.end()) rule_.unnests.push_back(*array);
    return program_.indexed(Op::element, Type::any, index, program_.fingerprint(*array));
}

}  // namespace sluice::rules

#include "flow/rules/expression.hpp"

#include <cmath>

#include "flow/rules/arguments.hpp"
#include "flow/rules/lookups.hpp"
#include "flow/rules/utf8.hpp"

namespace sluice::rules {
namespace {

using json::Kind;

constexpr double kTwo63 = 9223372036854775808.0;

Order order_of(double a, double b) { return a < b ? Order::less : a > b ? Order::greater : a == b ? Order::equal : Order::unknown; }

/// Without rounding the whole number to a float.
Order order_of(std::int64_t a, double b) {
    if (std::isnan(b)) return Order::unknown;
    if (b >= kTwo63) return Order::less;
    if (b < -kTwo63) return Order::greater;
    const auto whole = static_cast<std::int64_t>(b);
    if (a != whole) return a < whole ? Order::less : Order::greater;
    return order_of(0.0, b - static_cast<double>(whole));
}

Order reversed(Order order) { return order == Order::less ? Order::greater : order == Order::greater ? Order::less : order; }

/// A result that is not finite though the operands were is no value.
Value number_result(Scope& scope, double result, double a, double b) {
    if (std::isfinite(result)) [[likely]]
        return Value::number(result);
    if (std::isnan(result) || (std::isfinite(a) && std::isfinite(b))) return bad_value(scope);
    return Value::number(result);
}

Value arithmetic(Scope& scope, Op op, const Value& a, const Value& b) {
    if (a.kind() == Kind::number && b.kind() == Kind::number && op <= Op::mul) [[likely]] {
        const double x = a.as_number();
        const double y = b.as_number();
        return number_result(scope, op == Op::add ? x + y : op == Op::sub ? x - y : x * y, x, y);
    }
    if (a.is_null() || b.is_null()) return Value::null();
    if (!a.is_numeric() || !b.is_numeric()) return bad_value(scope);
    if (a.kind() == Kind::integer && b.kind() == Kind::integer && op != Op::div) {
        std::int64_t result = 0;
        bool overflow = false;
        switch (op) {
            case Op::add:
                overflow = __builtin_add_overflow(a.as_integer(), b.as_integer(), &result);
                break;
            case Op::sub:
                overflow = __builtin_sub_overflow(a.as_integer(), b.as_integer(), &result);
                break;
            case Op::mul:
                overflow = __builtin_mul_overflow(a.as_integer(), b.as_integer(), &result);
                break;
            default:
                if (b.as_integer() == 0) return bad_value(scope);
                result = b.as_integer() == -1 ? 0 : a.as_integer() % b.as_integer();
        }
        if (!overflow) return Value::integer(result);
    }
    const double x = a.as_double();
    const double y = b.as_double();
    switch (op) {
        case Op::add:
            return number_result(scope, x + y, x, y);
        case Op::sub:
            return number_result(scope, x - y, x, y);
        case Op::mul:
            return number_result(scope, x * y, x, y);
        case Op::div:
            return y == 0 ? bad_value(scope) : number_result(scope, x / y, x, y);
        default:
            return y == 0 ? bad_value(scope) : number_result(scope, std::fmod(x, y), x, y);
    }
}

bool holds(Op op, Order order) {
    switch (op) {
        case Op::eq:
            return order == Order::equal;
        case Op::ne:
            return order != Order::equal;
        case Op::lt:
            return order == Order::less;
        case Op::le:
            return order != Order::greater;
        case Op::gt:
            return order == Order::greater;
        default:
            return order != Order::less;
    }
}

Value comparison(Op op, const Value& a, const Value& b) {
    const Order order = compare(a, b);
    return order == Order::unknown ? Value::null() : Value::boolean(holds(op, order));
}

Value logic(Scope& scope, const Node& node) {
    const bool decisive = node.op == Op::or_;  // one true decides an OR, one false an AND
    const auto decides = [decisive](const Value& v) { return decisive ? v.is_true() : v.is_false(); };
    const Value a = evaluate(scope, node.a);
    if (decides(a)) return Value::boolean(decisive);
    const Value b = evaluate(scope, node.b);
    if (decides(b)) return Value::boolean(decisive);
    if (a.kind() != Kind::boolean || b.kind() != Kind::boolean) return Value::null();
    return Value::boolean(!decisive);
}

Value between(Scope& scope, const Node& node) {
    const NodeId* arguments = scope.program->arguments.data() + node.a;
    const Value x = evaluate(scope, arguments[0]);
    const Value low = comparison(Op::ge, x, evaluate(scope, arguments[1]));
    const Value high = comparison(Op::le, x, evaluate(scope, arguments[2]));
    if (low.is_false() || high.is_false()) return Value::boolean(node.negated);
    if (low.is_null() || high.is_null()) return Value::null();
    return Value::boolean(!node.negated);
}

Value in_list(Scope& scope, const Node& node) {
    const NodeId* arguments = scope.program->arguments.data() + node.a;
    const Value x = evaluate(scope, arguments[0]);
    bool unknown = false;
    for (std::uint32_t i = 1; i < node.b; ++i) {
        const Order order = compare(x, evaluate(scope, arguments[i]));
        if (order == Order::equal) return Value::boolean(!node.negated);
        unknown = unknown || order == Order::unknown;
    }
    return unknown ? Value::null() : Value::boolean(node.negated);
}

Value like_test(Scope& scope, const Node& node) {
    const NodeId* arguments = scope.program->arguments.data() + node.a;
    const Value text = evaluate(scope, arguments[0]);
    const Value pattern = evaluate(scope, arguments[1]);
    const Value escape = node.b > 2 ? evaluate(scope, arguments[2]) : Value::text("");
    if (!text.is_text() || !pattern.is_text() || !escape.is_text()) return Value::null();
    if (node.b > 2 && characters(escape.as_view()) != 1) return bad_value(scope);
    bool decided = true;
    const bool matches = like(text.as_view(), pattern.as_view(), escape.as_view(), decided);
    return decided ? Value::boolean(matches != node.negated) : bad_value(scope);
}

Value case_of(Scope& scope, const Node& node) {
    const NodeId* arguments = scope.program->arguments.data() + node.a;
    std::uint32_t i = 0;
    Value operand;
    if (node.op == Op::case_simple) operand = evaluate(scope, arguments[i++]);
    for (; i + 1 < node.b; i += 2) {
        const Value condition = evaluate(scope, arguments[i]);
        const bool taken = node.op == Op::case_simple ? compare(operand, condition) == Order::equal : condition.is_true();
        if (taken) return evaluate(scope, arguments[i + 1]);
    }
    return i < node.b ? evaluate(scope, arguments[i]) : Value::null();
}

/// A field that is a number beyond the range of a float. Apart: fields are read more often than anything else is done.
[[gnu::noinline, gnu::cold]] Value unreadable(Scope& scope) { return bad_value(scope); }

Value negated(Scope& scope, const Value& a) {
    if (a.is_null()) return Value::null();
    if (a.kind() == Kind::integer && a.as_integer() != INT64_MIN) return Value::integer(-a.as_integer());
    return a.is_numeric() ? Value::number(-a.as_double()) : bad_value(scope);
}

}  // namespace

Value bad_value(Scope& scope) {
    ++scope.bad_values;
    return Value::null();
}

Order compare(const Value& a, const Value& b) {
    if (a.kind() == Kind::number) {
        if (b.kind() == Kind::number) return order_of(a.as_number(), b.as_number());
        return b.kind() == Kind::integer ? reversed(order_of(b.as_integer(), a.as_number())) : Order::unknown;
    }
    if (a.kind() == Kind::integer) {
        if (b.kind() == Kind::integer)
            return a.as_integer() < b.as_integer() ? Order::less : a.as_integer() > b.as_integer() ? Order::greater : Order::equal;
        return b.kind() == Kind::number ? order_of(a.as_integer(), b.as_number()) : Order::unknown;
    }
    if (a.kind() != b.kind()) return Order::unknown;
    if (a.kind() == Kind::text) {
        const int order = a.as_view().compare(b.as_view());
        return order < 0 ? Order::less : order > 0 ? Order::greater : Order::equal;
    }
    if (a.kind() == Kind::boolean) return a.is_true() == b.is_true() ? Order::equal : a.is_true() ? Order::greater : Order::less;
    return Order::unknown;
}

double distance(const Value& a, const Value& b) {
    const Value* const pair[] = {&a, &b};
    std::int64_t whole[2] = {};
    bool exact = true;
    for (int i = 0; i < 2; ++i) {
        if (pair[i]->kind() == Kind::integer) {
            whole[i] = pair[i]->as_integer();
            continue;
        }
        const double x = pair[i]->as_double();
        exact = exact && std::fabs(x) < kTwo63 && x == std::trunc(x);
        if (exact) whole[i] = static_cast<std::int64_t>(x);
    }
    std::int64_t difference = 0;
    if (!exact || __builtin_sub_overflow(whole[0], whole[1], &difference)) return std::fabs(a.as_double() - b.as_double());
    return std::fabs(static_cast<double>(difference));
}

bool is_same(const Value& a, const Value& b) {
    if (a.is_null() || b.is_null()) return a.is_null() && b.is_null();
    if (a.kind() == Kind::raw && b.kind() == Kind::raw) return a.as_view() == b.as_view();
    return compare(a, b) == Order::equal;
}

Value subtract(Scope& scope, const Value& a, const Value& b) { return arithmetic(scope, Op::sub, a, b); }

Value evaluate(Scope& scope, NodeId id) {
    const Node& node = scope.program->nodes[id];
    switch (node.op) {
        case Op::constant:
            return scope.program->constants[node.a];
        case Op::slot_or:
            if (scope.slots[node.a].is_missing()) return evaluate(scope, node.b);
            [[fallthrough]];
        case Op::slot:
            if (scope.slots[node.a].is_beyond_range()) [[unlikely]]
                return unreadable(scope);
            return scope.slots[node.a];
        case Op::reg:
            return scope.regs[node.a];
        case Op::aggregate:
            return scope.aggregates[node.a];
        case Op::key:
            return scope.keys[node.a];
        case Op::negate:
            return negated(scope, evaluate(scope, node.a));
        case Op::not_: {
            const Value a = evaluate(scope, node.a);
            return a.kind() == Kind::boolean ? Value::boolean(!a.is_true()) : Value::null();
        }
        case Op::add:
        case Op::sub:
        case Op::mul:
        case Op::div:
        case Op::mod: {
            const Value a = evaluate(scope, node.a);
            return arithmetic(scope, node.op, a, evaluate(scope, node.b));
        }
        case Op::concat: {
            const Value a = evaluate(scope, node.a);
            return join(scope, a, evaluate(scope, node.b));
        }
        case Op::eq:
        case Op::ne:
        case Op::lt:
        case Op::le:
        case Op::gt:
        case Op::ge: {
            const Value a = evaluate(scope, node.a);
            return comparison(node.op, a, evaluate(scope, node.b));
        }
        case Op::and_:
        case Op::or_:
            return logic(scope, node);
        case Op::is_null:
            return Value::boolean(evaluate(scope, node.a).is_null() != node.negated);
        case Op::between:
            return between(scope, node);
        case Op::in:
            return in_list(scope, node);
        case Op::like:
            return like_test(scope, node);
        case Op::case_search:
        case Op::case_simple:
            return case_of(scope, node);
        case Op::cast_number:
        case Op::cast_integer:
        case Op::cast_text:
        case Op::cast_boolean:
        case Op::cast_array:
        case Op::cast_record: {
            const Value a = evaluate(scope, node.a);
            const std::uint64_t bad_values = scope.bad_values;
            const Value result = cast(scope, node.op, a);
            if (node.negated) scope.bad_values = bad_values;
            return result;
        }
        case Op::function:
            return info(node.function).call(scope, Arguments(scope, node));
        case Op::element:
            return scope.elements[node.a];
        case Op::distinct:
        case Op::not_distinct: {
            const Value a = evaluate(scope, node.a);
            return Value::boolean(is_same(a, evaluate(scope, node.b)) == (node.op == Op::not_distinct));
        }
        case Op::joined:
            return scope.lookups->value(scope, node.a, node.b);
        case Op::matched:
            return Value::boolean(scope.lookups->row(scope, node.a) != nullptr);
        case Op::pattern:
            break;
    }
    return Value::null();
}

}  // namespace sluice::rules

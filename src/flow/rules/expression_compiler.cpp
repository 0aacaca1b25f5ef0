// Names, types and operators of expressions.
#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "flow/rules/rule_compiler.hpp"
#include "flow/rules/utf8.hpp"

namespace sluice::rules {
namespace {

struct Operator {
    std::string_view name;
    Op op;
    Type operands;
    Type result;
};
constexpr std::array kOperators{
    Operator{"+", Op::add, Type::number, Type::number},
    Operator{"-", Op::sub, Type::number, Type::number},
    Operator{"*", Op::mul, Type::number, Type::number},
    Operator{"/", Op::div, Type::number, Type::number},
    Operator{"%", Op::mod, Type::number, Type::number},
    Operator{"||", Op::concat, Type::any, Type::text},
    Operator{"=", Op::eq, Type::any, Type::boolean},
    Operator{"<>", Op::ne, Type::any, Type::boolean},
    Operator{"<", Op::lt, Type::any, Type::boolean},
    Operator{"<=", Op::le, Type::any, Type::boolean},
    Operator{">", Op::gt, Type::any, Type::boolean},
    Operator{">=", Op::ge, Type::any, Type::boolean},
    Operator{"and", Op::and_, Type::boolean, Type::boolean},
    Operator{"or", Op::or_, Type::boolean, Type::boolean},
    Operator{"is distinct from", Op::distinct, Type::any, Type::boolean},
    Operator{"is not distinct from", Op::not_distinct, Type::any, Type::boolean},
};

bool known(Type type) { return type != Type::any && type != Type::null; }

}  // namespace

bool same(const Expr& a, const Expr& b) {
    if (a.kind != b.kind || a.name != b.name || a.path != b.path || a.join != b.join || a.negated != b.negated || a.truth != b.truth ||
        a.whole != b.whole || a.real != b.real || a.has_operand != b.has_operand || a.has_else != b.has_else ||
        a.args.size() != b.args.size() || (a.over == nullptr) != (b.over == nullptr))
        return false;
    const auto all_same = [](const std::vector<ExprPtr>& x, const std::vector<ExprPtr>& y) {
        return std::equal(x.begin(), x.end(), y.begin(), y.end(), [](const ExprPtr& p, const ExprPtr& q) { return same(*p, *q); });
    };
    if (a.over != nullptr && (a.over->preceding != b.over->preceding || !all_same(a.over->partition, b.over->partition))) return false;
    return all_same(a.args, b.args);
}

bool RuleCompiler::require(NodeId node, Type wanted, const Expr& expr, std::string_view user) {
    const Type type = program_.type(node);
    if (wanted == Type::any || !known(type) || type == wanted) return true;
    std::string hint;
    if (wanted == Type::number && type == Type::text) hint = "; use CAST(… AS double)";
    if (wanted == Type::text && type == Type::number) hint = "; use CAST(… AS text)";
    problems_.error(expr.offset,
                    std::string(user) + " needs " + std::string(type_name(wanted)) + ", this is " + std::string(type_name(type)) + hint);
    return false;
}

RuleCompiler::Compiled RuleCompiler::compile_condition(const Expr& expr, Place place, std::string_view clause) {
    const Compiled node = compile(expr, place);
    if (!node || !require(*node, Type::boolean, expr, clause)) return std::nullopt;
    return node;
}

RuleCompiler::Compiled RuleCompiler::compile(const Expr& expr, Place place) {
    if (++compiled_ > limits_.nodes_max) {
        problems_.error(expr.offset,
                        "more than " + std::to_string(limits_.nodes_max) + " expressions in one rule (aliases count where they are used)");
        return std::nullopt;
    }
    std::uint32_t component = 0;
    if ((place == Place::grouped || place == Place::having) && is_group_expression(expr, component))
        return program_.indexed(Op::key, program_.type(group_[component]), component, program_.fingerprint(group_[component]));
    switch (expr.kind) {
        case Expr::Kind::null:
            return program_.constant(Value::null());
        case Expr::Kind::boolean:
            return program_.constant(Value::boolean(expr.truth));
        case Expr::Kind::integer:
            return program_.constant(Value::integer(expr.whole));
        case Expr::Kind::number:
            return program_.constant(Value::number(expr.real));
        case Expr::Kind::text:
            return program_.constant(Value::text(expr.name));
        case Expr::Kind::column:
            return compile_column(expr, place);
        case Expr::Kind::star:
            problems_.error(expr.offset, "* stands for all readings in count(*) only");
            return std::nullopt;
        case Expr::Kind::call:
            return compile_call(expr, place);
        case Expr::Kind::binary:
            return compile_binary(expr, place);
        case Expr::Kind::case_:
            return compile_case(expr, place);
        case Expr::Kind::between:
        case Expr::Kind::in:
        case Expr::Kind::like:
            return compile_list(expr, place);
        case Expr::Kind::negate:
        case Expr::Kind::not_:
        case Expr::Kind::is_null:
        case Expr::Kind::cast:
            break;
    }
    const Compiled a = compile(*expr.args[0], place);
    if (!a) return std::nullopt;
    if (expr.kind == Expr::Kind::is_null) return program_.unary(Op::is_null, Type::boolean, *a, expr.negated);
    if (expr.kind == Expr::Kind::cast) return compile_cast(expr, *a);
    const bool negate = expr.kind == Expr::Kind::negate;
    const Type type = negate ? Type::number : Type::boolean;
    if (!require(*a, type, *expr.args[0], negate ? "the sign -" : "NOT")) return std::nullopt;
    return program_.unary(negate ? Op::negate : Op::not_, type, *a);
}

RuleCompiler::Compiled RuleCompiler::compile_cast(const Expr& expr, NodeId value) {
    struct Cast {
        std::string_view name;
        Op op;
        Type type;
    };
    constexpr std::array kCasts{
        Cast{"double", Op::cast_number, Type::number}, Cast{"integer", Op::cast_integer, Type::number},
        Cast{"text", Op::cast_text, Type::text},       Cast{"boolean", Op::cast_boolean, Type::boolean},
        Cast{"array", Op::cast_array, Type::json},     Cast{"record", Op::cast_record, Type::json},
    };
    const auto* found = std::find_if(kCasts.begin(), kCasts.end(), [&](const Cast& known) { return known.name == expr.name; });
    base::check(found != kCasts.end(), "rules: the parser knows a type that the compiler does not");
    return program_.unary(found->op, found->type, value, expr.negated);
}

const SelectItem* RuleCompiler::alias(const Expr& expr) const {
    if (expr.kind != Expr::Kind::column || expr.path.size() != 1 || expr.qualified) return nullptr;
    const auto& name = std::get<std::string>(expr.path[0]);
    for (const SelectItem& item : query_.items) {
        if (item.aliased && item.name == name && item.expr != nullptr) return &item;
    }
    return nullptr;
}

bool RuleCompiler::is_group_expression(const Expr& expr, std::uint32_t& component) const {
    for (component = 0; component < group_.size(); ++component) {
        if (same(expr, *query_.group_by[component])) return true;
    }
    return false;
}

RuleCompiler::Compiled RuleCompiler::compile_column(const Expr& expr, Place place) {
    const SelectItem* renamed = alias(expr);
    if (place == Place::having && renamed != nullptr) return compile(*renamed->expr, Place::grouped);
    if (place == Place::grouped || place == Place::having) {
        const std::string name = sql_of(expr);
        problems_.error(expr.offset, "column " + name + " must stand in GROUP BY or inside an aggregate, such as last(" + name + ")");
        return std::nullopt;
    }
    if (expr.join != 0) return compile_joined(expr);
    warn_about_columns_of_tables(expr);
    const auto note_slot = [&] {
        const std::uint32_t slot = program_.slot(expr.path);
        if (std::find(rule_.slots.begin(), rule_.slots.end(), slot) == rule_.slots.end()) rule_.slots.push_back(slot);
    };
    // The alias of the column itself (`a AS a`) hides nothing.
    if (place == Place::where && renamed != nullptr && !same(expr, *renamed->expr)) {
        const Compiled other = compile(*renamed->expr, Place::select);
        if (!other) return std::nullopt;
        note_slot();
        return program_.field_or(expr.path, *other);
    }
    note_slot();
    return program_.field(expr.path);
}

RuleCompiler::Compiled RuleCompiler::compile_binary(const Expr& expr, Place place) {
    const auto* found = std::find_if(kOperators.begin(), kOperators.end(), [&](const Operator& known) { return known.name == expr.name; });
    base::check(found != kOperators.end(), "rules: the parser knows an operator that the compiler does not");
    const Compiled a = compile(*expr.args[0], place);
    const Compiled b = compile(*expr.args[1], place);
    if (!a || !b) return std::nullopt;
    const std::string user = found->operands == Type::boolean ? (found->op == Op::and_ ? "AND" : "OR") : "the operator " + expr.name;
    const bool good_a = require(*a, found->operands, *expr.args[0], user);
    const bool good_b = require(*b, found->operands, *expr.args[1], user);
    if (!good_a || !good_b) return std::nullopt;
    const Type type_a = program_.type(*a);
    const Type type_b = program_.type(*b);
    if (found->op >= Op::eq && found->op <= Op::ge) {
        if (type_a == Type::null || type_b == Type::null)
            problems_.warning(expr.offset, "a comparison with NULL is always NULL; use IS NULL");
        else if (type_a == Type::json || type_b == Type::json)
            problems_.warning(expr.offset,
                              "a comparison of arrays and objects is always NULL; IS NOT DISTINCT FROM tells whether they are "
                              "written alike");
        else if (known(type_a) && known(type_b) && type_a != type_b)
            problems_.warning(expr.offset, "compares " + std::string(type_name(type_a)) + " with " + std::string(type_name(type_b)) +
                                               ": always NULL; use CAST");
    }
    return program_.binary(found->op, found->result, *a, *b);
}

std::optional<std::vector<NodeId>> RuleCompiler::compile_all(const std::vector<ExprPtr>& exprs, Place place) {
    std::vector<NodeId> nodes;
    bool good = true;
    for (const ExprPtr& expr : exprs) {
        const Compiled node = compile(*expr, place);
        good = good && node.has_value();
        nodes.push_back(node.value_or(0));
    }
    if (!good) return std::nullopt;
    return nodes;
}

RuleCompiler::Compiled RuleCompiler::compile_list(const Expr& expr, Place place) {
    const auto arguments = compile_all(expr.args, place);
    if (!arguments) return std::nullopt;
    if (expr.kind == Expr::Kind::like) {
        for (std::size_t i = 0; i < arguments->size(); ++i) {
            if (!require((*arguments)[i], Type::text, *expr.args[i], "LIKE")) return std::nullopt;
        }
        const bool known =
            arguments->size() > 2 && program_.is_constant((*arguments)[2]) && program_.constant_value((*arguments)[2]).is_text();
        if (known && characters(program_.constant_value((*arguments)[2]).as_view()) != 1) {
            problems_.error(expr.args[2]->offset, "ESCAPE needs one character, such as '!'");
            return std::nullopt;
        }
        return program_.with_arguments(Op::like, Type::boolean, *arguments, expr.negated);
    }
    return program_.with_arguments(expr.kind == Expr::Kind::in ? Op::in : Op::between, Type::boolean, *arguments, expr.negated);
}

RuleCompiler::Compiled RuleCompiler::compile_case(const Expr& expr, Place place) {
    const auto arguments = compile_all(expr.args, place);
    if (!arguments) return std::nullopt;
    Type type = Type::null;
    const std::size_t first = expr.has_operand ? 1 : 0;
    for (std::size_t i = first; i < arguments->size(); ++i) {
        const bool is_else = expr.has_else && i + 1 == arguments->size();
        const bool is_condition = (i - first) % 2 == 0 && !is_else;
        if (is_condition) {
            if (!expr.has_operand && !require((*arguments)[i], Type::boolean, *expr.args[i], "WHEN")) return std::nullopt;
            continue;
        }
        const Type result = program_.type((*arguments)[i]);
        if (result == Type::null) continue;
        type = type == Type::null || type == result ? result : Type::any;
    }
    return program_.with_arguments(expr.has_operand ? Op::case_simple : Op::case_search, type, *arguments);
}

}  // namespace sluice::rules

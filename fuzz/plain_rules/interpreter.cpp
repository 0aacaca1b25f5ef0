#include "interpreter.hpp"

#include <algorithm>
#include <numeric>

#include "flow/rules/functions.hpp"
#include "flow/rules/rule_compiler.hpp"
#include "history.hpp"
#include "scalars.hpp"
#include "windows.hpp"

namespace sluice::rules::plain {
namespace {

const std::string& name_of(const Expr& column) { return std::get<std::string>(column.path[0]); }

/// The arguments behind the first; of every() all of them.
Parameters parameters_of(const Expr& call) {
    Parameters result;
    for (std::size_t i = call.name == "every" ? 0 : 1; i < call.args.size(); ++i) {
        if (call.args[i]->kind == Expr::Kind::integer)
            result.emplace_back(call.args[i]->whole);
        else
            result.emplace_back(call.args[i]->real);
    }
    return result;
}

bool is_rows(const Expr& call) { return call.args[0]->kind == Expr::Kind::star; }

}  // namespace

Interpreter::Result Interpreter::run() const {
    Result result;
    const auto put_out = [&](const Place& place) {
        Output& row = result.rows.emplace_back();
        for (const SelectItem& item : query_.items) row.push_back(value(*item.expr, place));
    };
    if (query_.window) {
        Windows windows(*this, query_);
        for (const Group& group : windows.all()) {
            if (query_.having == nullptr || is_true(value(*query_.having, {.group = &group, .sees_aliases = true})))
                put_out({.group = &group});
        }
        result.late = windows.late();
        return result;
    }
    for (std::size_t row = 0; row < rows_.size(); ++row) {
        if (passes(row)) put_out({.row = row});
    }
    return result;
}

bool Interpreter::passes(std::size_t row) const {
    return query_.where == nullptr || is_true(value(*query_.where, {.row = row, .sees_aliases = true}));
}

std::vector<Datum> Interpreter::values(const std::vector<ExprPtr>& exprs, std::size_t row) const {
    std::vector<Datum> result;
    result.reserve(exprs.size());
    for (const ExprPtr& expr : exprs) result.push_back(value(*expr, {.row = row}));
    return result;
}

const SelectItem* Interpreter::alias(const std::string& name) const {
    const auto found =
        std::find_if(query_.items.begin(), query_.items.end(), [&](const SelectItem& item) { return item.aliased && item.name == name; });
    return found == query_.items.end() ? nullptr : &*found;
}

Datum Interpreter::column(const Expr& expr, const Place& place) const {
    const SelectItem* named = place.sees_aliases ? alias(name_of(expr)) : nullptr;
    if (place.group != nullptr) return value(*named->expr, {.group = place.group});
    const auto& fields = rows_[place.row].fields;
    const auto field = fields.find(name_of(expr));
    if (field != fields.end()) return field->second;
    return named != nullptr && !same(expr, *named->expr) ? value(*named->expr, {.row = place.row}) : Datum(Null{});
}

Datum Interpreter::value(const Expr& expr, const Place& place) const {
    if (place.group != nullptr) {
        for (std::size_t i = 0; i < query_.group_by.size(); ++i) {
            if (same(expr, *query_.group_by[i])) return place.group->key[i];
        }
    }
    const auto argument = [&](std::size_t i) { return value(*expr.args[i], place); };
    const auto negated = [&](const Datum& truth) { return expr.negated ? logical_not(truth) : truth; };
    switch (expr.kind) {
        case Expr::Kind::null:
        case Expr::Kind::star:
            return Null{};
        case Expr::Kind::boolean:
            return expr.truth;
        case Expr::Kind::integer:
            return expr.whole;
        case Expr::Kind::number:
            return expr.real;
        case Expr::Kind::text:
            return expr.name;
        case Expr::Kind::column:
            return column(expr, place);
        case Expr::Kind::call:
            return call(expr, place);
        case Expr::Kind::negate:
            return apply("-", std::int64_t{0}, argument(0));
        case Expr::Kind::not_:
            return logical_not(argument(0));
        case Expr::Kind::binary:
            return binary(expr, place);
        case Expr::Kind::between:
            return negated(logical_and(apply(">=", argument(0), argument(1)), apply("<=", argument(0), argument(2))));
        case Expr::Kind::in: {
            Datum found = false;
            for (std::size_t i = 1; i < expr.args.size(); ++i)
                found = logical_not(logical_and(logical_not(found), logical_not(apply("=", argument(0), argument(i)))));
            return negated(found);
        }
        case Expr::Kind::like:
            return negated(like(argument(0), argument(1)));
        case Expr::Kind::is_null:
            return is_null(argument(0)) != expr.negated;
        case Expr::Kind::case_:
            return case_of(expr, place);
        case Expr::Kind::cast:
            return cast(expr.name, argument(0));
    }
    return Null{};
}

Datum Interpreter::binary(const Expr& expr, const Place& place) const {
    const Datum a = value(*expr.args[0], place);
    const Datum b = value(*expr.args[1], place);
    if (expr.name == "and") return logical_and(a, b);
    if (expr.name == "or") return logical_not(logical_and(logical_not(a), logical_not(b)));
    return apply(expr.name, a, b);
}

Datum Interpreter::case_of(const Expr& expr, const Place& place) const {
    const std::size_t first = expr.has_operand ? 1 : 0;
    const std::size_t pairs = (expr.args.size() - first) / 2;
    for (std::size_t i = 0; i < pairs; ++i) {
        const Datum when = value(*expr.args[first + 2 * i], place);
        const Datum taken = expr.has_operand ? apply("=", value(*expr.args[0], place), when) : when;
        if (is_true(taken)) return value(*expr.args[first + 2 * i + 1], place);
    }
    return expr.has_else ? value(*expr.args.back(), place) : Datum(Null{});
}

Datum Interpreter::call(const Expr& expr, const Place& place) const {
    const FunctionInfo& function = *find_function(expr.name);
    if (function.kind == FunctionKind::stateful || expr.over != nullptr) return with_state(expr, place.row);
    if (function.kind == FunctionKind::aggregate) return of_group(expr, *place.group);
    if (function.kind == FunctionKind::window) {
        if (!place.group->timed) return Null{};
        return function.id == Function::window_start ? place.group->start_ms : place.group->end_ms;
    }
    std::vector<Datum> arguments;
    arguments.reserve(expr.args.size());
    for (const ExprPtr& argument : expr.args) arguments.push_back(value(*argument, place));
    return scalar(expr.name, arguments);
}

/// State sees every reading up to this one.
Datum Interpreter::with_state(const Expr& expr, std::size_t row) const {
    const auto key = [&](std::size_t at) { return expr.over != nullptr ? values(expr.over->partition, at) : std::vector<Datum>{}; };
    const std::vector<Datum> present = key(row);
    std::vector<Datum> history;
    for (std::size_t at = 0; at <= row; ++at) {
        if (same_key(key(at), present)) history.push_back(value(*expr.args[0], {.row = at}));
    }
    if (expr.over != nullptr && expr.over->preceding)
        return over_rows(expr.name, history, is_rows(expr), static_cast<std::size_t>(*expr.over->preceding), parameters_of(expr));
    return stateful(expr.name, history, parameters_of(expr));
}

Datum Interpreter::of_group(const Expr& expr, const Group& group) const {
    std::vector<std::size_t> places(group.rows.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    if (query_.event_time && (expr.name == "first" || expr.name == "last")) {
        std::sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
            return group.at[a] != group.at[b] ? group.at[a] < group.at[b] : group.rows[a] < group.rows[b];
        });
    }
    std::vector<Datum> taken;
    taken.reserve(places.size());
    for (const std::size_t at : places) taken.push_back(value(*expr.args[0], {.row = group.rows[at]}));
    return aggregate(expr.name, taken, is_rows(expr), parameters_of(expr));
}

}  // namespace sluice::rules::plain

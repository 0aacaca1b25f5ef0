// Functions that choose among their arguments.
#include "flow/rules/arguments.hpp"
#include "flow/rules/function_families.hpp"

namespace sluice::rules {
namespace {

template <Order wanted>
Value extreme(Scope&, const Arguments& arguments) {
    Value best = Value::null();
    for (std::uint32_t i = 0; i < arguments.size(); ++i) {
        const Value value = arguments.at(i);
        if (value.is_null()) continue;
        if (best.is_null()) {
            best = value;
            continue;
        }
        const Order order = compare(value, best);
        if (order == Order::unknown) return Value::null();
        if (order == wanted) best = value;
    }
    return best;
}

Value first_known(Scope&, const Arguments& arguments) {
    for (std::uint32_t i = 0; i < arguments.size(); ++i) {
        const Value value = arguments.at(i);
        if (!value.is_null()) return value;
    }
    return Value::null();
}

Value null_if(Scope&, const Arguments& arguments) {
    const Value a = arguments.at(0);
    return compare(a, arguments.at(1)) == Order::equal ? Value::null() : a;
}

Value choice(Scope&, const Arguments& arguments) {
    if (arguments.at(0).is_true()) return arguments.at(1);
    return arguments.size() > 2 ? arguments.at(2) : Value::null();
}

Value choice_by_null(Scope&, const Arguments& arguments) { return arguments.at(arguments.at(0).is_null() ? 2 : 1); }

/// As CASE x WHEN …, but here NULL equals NULL, as users of decode know it.
Value decoded(Scope&, const Arguments& arguments) {
    const Value x = arguments.at(0);
    std::uint32_t i = 1;
    for (; i + 1 < arguments.size(); i += 2) {
        const Value known = arguments.at(i);
        if (x.is_null() ? known.is_null() : compare(x, known) == Order::equal) return arguments.at(i + 1);
    }
    return i < arguments.size() ? arguments.at(i) : Value::null();
}

Value is_null(Scope&, const Arguments& arguments) { return Value::boolean(arguments.at(0).is_null()); }
Value is_not_null(Scope&, const Arguments& arguments) { return Value::boolean(!arguments.at(0).is_null()); }
Value is_undefined(Scope&, const Arguments& arguments) { return Value::boolean(arguments.at(0).is_missing()); }

}  // namespace

// clang-format off
constinit const Family<Function::greatest, Function::isundefined> kConditionalFunctions{{
    {Function::greatest, "greatest", "", FunctionKind::scalar, "x*", Type::any, "greatest(a, b, …)", "the greatest; NULLs ignored; NULL where types differ", "greatest(1, 3, 2)", "3", extreme<Order::greater>},
    {Function::least, "least", "", FunctionKind::scalar, "x*", Type::any, "least(a, b, …)", "the least; NULLs ignored; NULL where types differ", "least(1, 3, 2)", "1", extreme<Order::less>},
    {Function::coalesce, "coalesce", "", FunctionKind::scalar, "x*", Type::any, "coalesce(a, b, …)", "the first that is not NULL", "coalesce(NULL, 5)", "5", first_known},
    {Function::ifnull, "ifnull", "nvl", FunctionKind::scalar, "xx", Type::any, "ifnull(a, b)", "a, or b where a is NULL", "ifnull(NULL, 0)", "0", first_known},
    {Function::nullif, "nullif", "", FunctionKind::scalar, "xx", Type::any, "nullif(a, b)", "NULL where a = b, else a", "nullif(3, 0)", "3", null_if},
    {Function::iif, "iif", "if", FunctionKind::scalar, "bx[x]", Type::any, "iif(c, a[, b])", "a where c is true, else b (NULL where it is left out)", "iif(2 > 1, 'a', 'b')", "\"a\"", choice},
    {Function::nvl2, "nvl2", "", FunctionKind::scalar, "xxx", Type::any, "nvl2(x, a, b)", "a where x is not NULL, else b", "nvl2(NULL, 'a', 'b')", "\"b\"", choice_by_null},
    {Function::decode, "decode", "", FunctionKind::scalar, "xxx*", Type::any, "decode(x, v, a, …[, b])", "a where x = v, the next pair otherwise, at last b; NULL equals NULL", "decode(2, 1, 'one', 2, 'two', 'many')", "\"two\"", decoded},
    {Function::isnull, "isnull", "is_null", FunctionKind::scalar, "x", Type::boolean, "isnull(x)", "as x IS NULL", "isnull(NULL)", "true", is_null},
    {Function::isnotnull, "isnotnull", "is_not_null", FunctionKind::scalar, "x", Type::boolean, "isnotnull(x)", "as x IS NOT NULL", "isnotnull(0)", "true", is_not_null},
    {Function::isundefined, "isundefined", "is_undefined", FunctionKind::scalar, "x", Type::boolean, "isundefined(x)", "is there no such field? A field that is null is there", "isundefined(no_such_field)", "true", is_undefined},
}};
// clang-format on

}  // namespace sluice::rules

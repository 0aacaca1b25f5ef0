// Functions of JSON arrays. Indices are from 0, as in a[0].
#include <algorithm>
#include <cmath>

#include "codec/json/walk.hpp"
#include "codec/json/writer.hpp"
#include "flow/rules/arguments.hpp"
#include "flow/rules/function_families.hpp"
#include "flow/rules/json_values.hpp"
#include "flow/rules/number_array.hpp"
#include "flow/rules/text_builder.hpp"

namespace sluice::rules {
namespace {

/// Elements that sequence() makes, and texts that array_sort takes.
constexpr std::size_t kElementsMax = 10'000;

/// An array being made.
class ArrayBuilder {
public:
    explicit ArrayBuilder(Scope& scope) : scope_(scope), text_(scope) { text_.append('['); }
    void add(const Value& value) {
        comma();
        json::append_value(text_.bytes(), value);
    }
    void add_item(std::string_view item) {
        comma();
        text_.append(item);
    }
    [[nodiscard]] bool too_long() const { return text_.too_long(); }
    [[nodiscard]] Value finish() {
        if (too_long()) return bad_value(scope_);
        text_.append(']');
        return text_.raw();
    }

private:
    void comma() {
        if (!empty_) text_.append(',');
        empty_ = false;
    }

    Scope& scope_;
    TextBuilder text_;
    bool empty_ = true;
};

Value array(Scope& scope, const Arguments& arguments) {
    ArrayBuilder result(scope);
    for (std::uint32_t i = 0; i < arguments.size(); ++i) {
        result.add(arguments.at(i));
        if (result.too_long()) return bad_value(scope);
    }
    return result.finish();
}

Value cardinality(Scope&, const Arguments& arguments) {
    std::string_view array;
    return arguments.array(0, array) ? Value::integer(item_count(array)) : arguments.nothing();
}

Value element_at(Scope& scope, const Arguments& arguments) {
    std::string_view array;
    std::int64_t index = 0;
    if (!arguments.array(0, array) || !arguments.whole(1, index)) return arguments.nothing();
    const Value found = element(scope, array, index);
    return found.is_missing() ? Value::null() : found;
}

/// Index of the first element that is `wanted`, or -1.
std::int64_t index_in(Scope& scope, std::string_view array, const Value& wanted) {
    std::int64_t index = 0;
    for (json::Walk walk(array); walk.next(); ++index) {
        if (is_same(item_value(scope, walk.item()), wanted)) return index;
    }
    return -1;
}

Value contains(Scope& scope, const Arguments& arguments) {
    std::string_view array;
    if (!arguments.array(0, array)) return arguments.nothing();
    return Value::boolean(index_in(scope, array, arguments.at(1)) >= 0);
}

Value position(Scope& scope, const Arguments& arguments) {
    std::string_view array;
    if (!arguments.array(0, array)) return arguments.nothing();
    return Value::integer(index_in(scope, array, arguments.at(1)));
}

enum class Statistic : std::uint8_t { least, greatest, sum, mean };

/// Whole numbers up to this, and sums of them, are floats without loss.
constexpr double kExactMax = 9007199254740992.0;  // 2^53

/// The least or the greatest of the array's numbers, with all its digits.
Value exact_extreme(Scope& scope, std::string_view array, Order better) {
    Value result;
    for (json::Walk walk(array); walk.next();) {
        const Value value = item_value(scope, walk.item());
        if (result.is_missing() || compare(value, result) == better) result = value;
    }
    return result;
}

/// The sum of an array of whole numbers; `rounded` where it is none of 64 bits.
Value exact_sum(Scope& scope, std::string_view array, double rounded) {
    std::int64_t sum = 0;
    for (json::Walk walk(array); walk.next();) {
        const Value value = item_value(scope, walk.item());
        if (value.kind() == json::Kind::integer) {
            if (__builtin_add_overflow(sum, value.as_integer(), &sum)) return Value::number(rounded);
        } else if (value.as_number() != 0) {  // -0 is no whole number
            return Value::number(rounded);
        }
    }
    return Value::integer(sum);
}

template <Statistic statistic>
Value of_numbers(Scope& scope, const Arguments& arguments) {
    std::string_view array;
    if (!arguments.array(0, array)) return arguments.nothing();
    const auto numbers = scope.numbers->read(array);
    if (!numbers) return bad_value(scope);
    if (numbers->empty()) return Value::null();
    double result = 0;
    double size = 0;  // of the largest number on the way
    switch (statistic) {
        case Statistic::least:
            result = *std::min_element(numbers->begin(), numbers->end());
            break;
        case Statistic::greatest:
            result = *std::max_element(numbers->begin(), numbers->end());
            break;
        case Statistic::sum:
        case Statistic::mean:
            for (const double number : *numbers) {
                result += number;
                size = std::max({size, std::fabs(number), std::fabs(result)});
            }
            if (statistic == Statistic::mean) result /= static_cast<double>(numbers->size());
    }
    if (!std::isfinite(result)) return bad_value(scope);
    if (statistic == Statistic::mean) return Value::number(result);
    const bool all_whole = scope.numbers->all_whole();
    if (std::max(size, std::fabs(result)) < kExactMax)
        return all_whole ? Value::integer(static_cast<std::int64_t>(result)) : Value::number(result);
    if (statistic == Statistic::sum) return all_whole ? exact_sum(scope, array, result) : Value::number(result);
    return exact_extreme(scope, array, statistic == Statistic::least ? Order::less : Order::greater);
}

/// Takes out all elements; false: one is no text, or there are too many.
bool read_texts(Scope& scope, std::string_view array, std::vector<Value>& values) {
    values.clear();
    for (json::Walk walk(array); walk.next();) {
        values.push_back(item_value(scope, walk.item()));
        if (!values.back().is_text() || values.size() > kElementsMax) return false;
    }
    return true;
}

Value sorted(Scope& scope, const Arguments& arguments) {
    std::string_view array;
    if (!arguments.array(0, array)) return arguments.nothing();
    ArrayBuilder result(scope);
    std::vector<Value>& values = *scope.values;
    if (const auto numbers = scope.numbers->read(array)) {
        const bool exact = std::all_of(numbers->begin(), numbers->end(), [](double number) { return std::fabs(number) < kExactMax; });
        if (exact) {
            std::sort(numbers->begin(), numbers->end());
            for (const double number : *numbers) result.add(Value::number(number));
            return result.finish();
        }
        values.clear();
        for (json::Walk walk(array); walk.next();) values.push_back(item_value(scope, walk.item()));
        std::sort(values.begin(), values.end(), [](const Value& a, const Value& b) { return compare(a, b) == Order::less; });
        for (const Value& value : values) result.add(value);
        return result.finish();
    }
    if (!read_texts(scope, array, values)) return bad_value(scope);
    std::sort(values.begin(), values.end(), [](const Value& a, const Value& b) { return a.as_view() < b.as_view(); });
    for (const Value& value : values) result.add(value);
    return result.finish();
}

Value distinct(Scope& scope, const Arguments& arguments) {
    std::string_view array;
    if (!arguments.array(0, array)) return arguments.nothing();
    std::vector<Value>& seen = *scope.values;
    seen.clear();
    ArrayBuilder result(scope);
    constexpr std::size_t kComparisonsMax = 1'000'000;  // a millisecond or so
    std::size_t comparisons = 0;
    for (json::Walk walk(array); walk.next();) {
        const Value value = item_value(scope, walk.item());
        comparisons += seen.size();
        if (comparisons > kComparisonsMax) return bad_value(scope);
        if (std::any_of(seen.begin(), seen.end(), [&value](const Value& other) { return is_same(value, other); })) continue;
        seen.push_back(value);
        result.add_item(walk.item());
    }
    return result.finish();
}

Value slice(Scope& scope, const Arguments& arguments) {
    std::string_view array;
    std::int64_t from = 0;
    std::int64_t to = 0;
    if (!arguments.array(0, array) || !arguments.whole(1, from)) return arguments.nothing();
    const std::int64_t size = item_count(array);
    if (!arguments.whole_or(2, size, to)) return arguments.nothing();
    if (from < 0) from = std::max<std::int64_t>(from + size, 0);
    if (to < 0) to += size;
    ArrayBuilder result(scope);
    std::int64_t index = 0;
    for (json::Walk walk(array); index < to && walk.next(); ++index) {
        if (index >= from) result.add_item(walk.item());
    }
    return result.finish();
}

Value joined(Scope& scope, const Arguments& arguments) {
    std::string_view array;
    std::string_view separator;
    if (!arguments.array(0, array) || !arguments.text(1, separator)) return arguments.nothing();
    TextBuilder result(scope);
    bool first = true;
    for (json::Walk walk(array); walk.next();) {
        const Value value = item_value(scope, walk.item());
        if (value.is_null()) continue;
        if (!first) result.append(separator);
        first = false;
        json::append_plain(result.bytes(), value);
        if (result.too_long()) return bad_value(scope);
    }
    return result.text();
}

Value concatenated(Scope& scope, const Arguments& arguments) {
    ArrayBuilder result(scope);
    for (std::uint32_t i = 0; i < arguments.size(); ++i) {
        std::string_view array;
        if (!arguments.array(i, array)) return arguments.nothing();
        for (json::Walk walk(array); walk.next();) result.add_item(walk.item());
        if (result.too_long()) return bad_value(scope);
    }
    return result.finish();
}

/// Whole numbers from `from` up to and including `to`.
Value sequence(Scope& scope, const Arguments& arguments) {
    std::int64_t from = 0;
    std::int64_t to = 0;
    std::int64_t step = 1;
    if (!arguments.whole(0, from) || !arguments.whole(1, to) || !arguments.whole_or(2, from <= to ? 1 : -1, step))
        return arguments.nothing();
    if (step == 0) return bad_value(scope);
    ArrayBuilder result(scope);
    std::size_t count = 0;
    for (std::int64_t at = from; step > 0 ? at <= to : at >= to;) {
        if (++count > kElementsMax) return bad_value(scope);
        result.add(Value::integer(at));
        if (__builtin_add_overflow(at, step, &at)) break;
    }
    return result.finish();
}

}  // namespace

// clang-format off
constinit const Family<Function::array, Function::unnest> kArrayFunctions{{
    {Function::array, "array", "array_create json_array", FunctionKind::scalar, "[x*", Type::json, "array(a, b, …)", "an array", "array(1, 'a', NULL)", "[1,\"a\",null]", array},
    {Function::array_length, "array_length", "cardinality array_size", FunctionKind::scalar, "j", Type::number, "array_length(a)", "number of its elements", "array_length(array(7, 8))", "2", cardinality},
    {Function::element_at, "element_at", "", FunctionKind::scalar, "jn", Type::any, "element_at(a, index)", "its element, from 0, below 0 from the end; NULL where there is none", "element_at(array(7, 8), -1)", "8", element_at},
    {Function::array_contains, "array_contains", "", FunctionKind::scalar, "jx", Type::boolean, "array_contains(a, x)", "is x one of the elements?", "array_contains(array(7, 8), 8.0)", "true", contains},
    {Function::array_position, "array_position", "", FunctionKind::scalar, "jx", Type::number, "array_position(a, x)", "index of the first element that is x; -1 where there is none", "array_position(array(7, 8), 8)", "1", position},
    {Function::array_min, "array_min", "", FunctionKind::scalar, "j", Type::number, "array_min(a)", "the least; NULL where an element is no number, and of no elements", "array_min(array(7, 8))", "7", of_numbers<Statistic::least>},
    {Function::array_max, "array_max", "", FunctionKind::scalar, "j", Type::number, "array_max(a)", "the greatest; NULL as array_min", "array_max(array(7, 8))", "8", of_numbers<Statistic::greatest>},
    {Function::array_sum, "array_sum", "", FunctionKind::scalar, "j", Type::number, "array_sum(a)", "the sum; NULL as array_min", "array_sum(array(7, 8))", "15", of_numbers<Statistic::sum>},
    {Function::array_avg, "array_avg", "array_mean", FunctionKind::scalar, "j", Type::number, "array_avg(a)", "the mean; NULL as array_min", "array_avg(array(7, 8))", "7.5", of_numbers<Statistic::mean>},
    {Function::array_sort, "array_sort", "", FunctionKind::scalar, "j", Type::json, "array_sort(a)", "from the least on: all numbers, or all texts; NULL else", "array_sort(array(3, 1, 2))", "[1,2,3]", sorted},
    {Function::array_distinct, "array_distinct", "", FunctionKind::scalar, "j", Type::json, "array_distinct(a)", "each value once, where it stood first", "array_distinct(array(1, 2, 1))", "[1,2]", distinct},
    {Function::array_slice, "array_slice", "", FunctionKind::scalar, "jn[n]", Type::json, "array_slice(a, from[, to])", "elements from an index up to before another; below 0 from the end", "array_slice(array(5, 6, 7, 8), 1, 3)", "[6,7]", slice},
    {Function::array_join, "array_join", "array_to_string", FunctionKind::scalar, "jt", Type::text, "array_join(a, separator)", "its elements as text with the separator between; nulls left out", "array_join(array(1, 'b'), '-')", "\"1-b\"", joined},
    {Function::array_concat, "array_concat", "array_cat", FunctionKind::scalar, "jj*", Type::json, "array_concat(a, b, …)", "one after the other", "array_concat(array(1), array(2, 3))", "[1,2,3]", concatenated},
    {Function::sequence, "sequence", "", FunctionKind::scalar, "nn[n]", Type::json, "sequence(from, to[, step])", "whole numbers up to and including `to`; at most 10,000", "sequence(1, 4)", "[1,2,3,4]", sequence},
    {Function::unnest, "unnest", "", FunctionKind::expansion, "j", Type::any, "unnest(a)", "in SELECT: a row for each element; several at once go side by side, the shorter with NULLs; of an empty array or NULL no row", "unnest(array(7))", "7"},
}};
// clang-format on

}  // namespace sluice::rules

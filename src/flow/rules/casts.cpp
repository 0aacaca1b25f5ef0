// CAST, and values as text.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "codec/json/scanner.hpp"
#include "codec/json/writer.hpp"
#include "flow/rules/expression.hpp"
#include "flow/rules/json_values.hpp"

namespace sluice::rules {
namespace {

using json::Kind;

/// As numbers of CSV are written: a + may stand in front.
Value number_from(Scope& scope, std::string_view text) {
    if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
    std::int64_t whole = 0;
    const char* end = text.data() + text.size();
    const auto as_whole = std::from_chars(text.data(), end, whole);
    if (as_whole.ec == std::errc{} && as_whole.ptr == end && !text.empty()) return Value::integer(whole);
    double number = 0;
    const auto as_number = std::from_chars(text.data(), end, number);
    if (as_number.ec != std::errc{} || as_number.ptr != end || text.empty() || !std::isfinite(number)) return bad_value(scope);
    return Value::number(number);
}

Value to_integer(Scope& scope, const Value& value) {
    if (value.kind() == Kind::integer) return value;
    const double whole = std::trunc(value.as_double());
    if (!(whole >= -9223372036854775808.0 && whole < 9223372036854775808.0)) return bad_value(scope);
    return Value::integer(static_cast<std::int64_t>(whole));
}

}  // namespace

Value as_text(Scope& scope, const Value& value) {
    if (value.is_null() || value.is_text()) return value.is_null() ? Value::null() : value;
    if (value.kind() == Kind::boolean) return Value::text(value.is_true() ? "true" : "false");
    if (value.kind() == Kind::raw) return Value::text(value.as_view());
    if (value.kind() == Kind::number && !std::isfinite(value.as_number()))
        return Value::text(value.as_number() > 0 ? "Infinity" : "-Infinity");
    char* to = scope.arena->allocate(json::kNumberBytesMax);
    if (to == nullptr) return bad_value(scope);
    const char* end = value.kind() == Kind::integer ? std::to_chars(to, to + json::kNumberBytesMax, value.as_integer()).ptr
                                                    : json::write_number(to, value.as_number());
    return Value::text({to, static_cast<std::size_t>(end - to)});
}

Value parse_json(Scope& scope, std::string_view text) {
    static const json::FieldSet kNoFields;
    // The scanner reads a few bytes behind its document: the arena has them.
    const Value copy = copy_text(scope, Value::text(text));
    if (copy.is_null()) return copy;
    if (!scope.scanner->scan(base::as_bytes(copy.as_view()), kNoFields, {})) return bad_value(scope);
    constexpr std::string_view kBlanks = " \t\r\n";
    const std::string_view document = copy.as_view();
    const std::size_t first = document.find_first_not_of(kBlanks);
    return item_value(scope, document.substr(first, document.find_last_not_of(kBlanks) - first + 1));
}

Value copy_text(Scope& scope, const Value& value) {
    if (!value.is_text() && value.kind() != Kind::raw) return value;
    const std::string_view text = value.as_view();
    char* to = scope.arena->allocate(text.size());
    if (to == nullptr) return bad_value(scope);
    std::copy(text.begin(), text.end(), to);
    return value.is_text() ? Value::text({to, text.size()}) : Value::raw({to, text.size()});
}

Value join(Scope& scope, const Value& a, const Value& b) {
    const Value left = as_text(scope, a);
    const Value right = as_text(scope, b);
    if (left.is_null() || right.is_null()) return Value::null();
    const std::string_view x = left.as_view();
    const std::string_view y = right.as_view();
    if (x.empty() || y.empty()) return x.empty() ? right : left;
    char* to = scope.arena->allocate(x.size() + y.size());
    if (to == nullptr) return bad_value(scope);
    std::copy(y.begin(), y.end(), std::copy(x.begin(), x.end(), to));
    return Value::text({to, x.size() + y.size()});
}

Value cast(Scope& scope, Op to, const Value& value) {
    if (value.is_null()) return Value::null();
    switch (to) {
        case Op::cast_text:
            return as_text(scope, value);
        case Op::cast_boolean:
            if (value.kind() == Kind::boolean) return value;
            if (value.is_numeric()) return Value::boolean(value.as_double() != 0);
            if (value.is_text() && (value.as_view() == "true" || value.as_view() == "false"))
                return Value::boolean(value.as_view() == "true");
            return bad_value(scope);
        case Op::cast_array:
        case Op::cast_record: {
            const Value json = value.is_text() ? parse_json(scope, value.as_view()) : value;
            if (json.is_null()) return Value::null();
            const char opening = to == Op::cast_array ? '[' : '{';
            return json.kind() == Kind::raw && json.as_view().front() == opening ? json : bad_value(scope);
        }
        default: {
            Value number = value;
            if (value.is_text()) number = number_from(scope, value.as_view());
            if (value.kind() == Kind::boolean) number = Value::integer(value.is_true() ? 1 : 0);
            if (number.is_null()) return number;
            if (!number.is_numeric()) return bad_value(scope);
            return to == Op::cast_integer ? to_integer(scope, number) : number;
        }
    }
}

}  // namespace sluice::rules

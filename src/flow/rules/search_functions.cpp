// Functions that look into texts.
#include <algorithm>
#include <optional>

#include "flow/rules/arguments.hpp"
#include "flow/rules/function_families.hpp"
#include "flow/rules/utf8.hpp"

namespace sluice::rules {
namespace {

/// Byte comparisons that a search may take for one reading (a millisecond or so): both sides can come from a hostile payload.
constexpr std::size_t kComparisonsMax = 16'000'000;

Value length(Scope&, const Arguments& arguments) {
    std::string_view text;
    return arguments.text(0, text) ? Value::integer(characters(text)) : arguments.nothing();
}

Value bytes(Scope&, const Arguments& arguments) {
    std::string_view text;
    return arguments.text(0, text) ? Value::integer(static_cast<std::int64_t>(text.size())) : arguments.nothing();
}

Value code(Scope&, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    return text.empty() ? Value::null() : Value::integer(first_character(text));
}

Value starts_with(Scope&, const Arguments& arguments) {
    std::string_view text;
    std::string_view what;
    if (!arguments.text(0, text) || !arguments.text(1, what)) return arguments.nothing();
    return Value::boolean(text.starts_with(what));
}

Value ends_with(Scope&, const Arguments& arguments) {
    std::string_view text;
    std::string_view what;
    if (!arguments.text(0, text) || !arguments.text(1, what)) return arguments.nothing();
    return Value::boolean(text.ends_with(what));
}

/// Characters in front of the first `what` at or behind the character `from`; -1: it is not there; nullopt: too long a search.
std::optional<std::int64_t> found_at(std::string_view text, std::string_view what, std::int64_t from) {
    if (text.size() * std::max<std::size_t>(what.size(), 1) > kComparisonsMax) return std::nullopt;
    const std::string_view rest = skip(text, from);
    const std::size_t at = rest.find(what);
    if (at == std::string_view::npos || from > characters(text)) return -1;
    return characters(text.substr(0, text.size() - rest.size() + at));
}

/// The place counts from `first`; where it is not there one less.
template <std::uint32_t text_argument, std::int64_t first>
Value place(Scope& scope, const Arguments& arguments) {
    std::string_view a;
    std::string_view b;
    std::int64_t from = first;
    if (!arguments.text(0, a) || !arguments.text(1, b) || !arguments.whole_or(2, first, from)) return arguments.nothing();
    const auto at = text_argument == 0 ? found_at(a, b, std::max<std::int64_t>(from - first, 0))
                                       : found_at(b, a, std::max<std::int64_t>(from - first, 0));
    return at ? Value::integer(*at + first) : bad_value(scope);
}

Value contains(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    std::string_view what;
    if (!arguments.text(0, text) || !arguments.text(1, what)) return arguments.nothing();
    const auto at = found_at(text, what, 0);
    return at ? Value::boolean(*at >= 0) : bad_value(scope);
}

/// The part with this index (from 0; below 0 from the end); nullopt: there are fewer.
std::optional<std::string_view> part_of(std::string_view text, std::string_view separator, std::int64_t index) {
    if (separator.empty()) return index == 0 || index == -1 ? std::optional(text) : std::nullopt;
    if (index < 0) {
        for (;; ++index) {
            const std::size_t at = text.rfind(separator);
            if (index == -1) return at == std::string_view::npos ? text : text.substr(at + separator.size());
            if (at == std::string_view::npos) return std::nullopt;
            text = text.substr(0, at);
        }
    }
    for (;; --index) {
        const std::size_t at = text.find(separator);
        if (index == 0) return text.substr(0, at);
        if (at == std::string_view::npos) return std::nullopt;
        text.remove_prefix(at + separator.size());
    }
}

/// PostgreSQL's: from 1, '' where there are fewer. eKuiper's: from 0, NULL where there are fewer.
template <std::int64_t first>
Value split(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    std::string_view separator;
    std::int64_t index = 0;
    if (!arguments.text(0, text) || !arguments.text(1, separator) || !arguments.whole(2, index)) return arguments.nothing();
    if (text.size() * std::max<std::size_t>(separator.size(), 1) > kComparisonsMax) return bad_value(scope);
    if (first == 1 && index == 0) return bad_value(scope);
    const auto found = part_of(text, separator, index < 0 ? index : index - first);
    if (found) return Value::text(*found);
    return first == 1 ? Value::text("") : Value::null();
}

}  // namespace

// clang-format off
constinit const Family<Function::length, Function::split_value> kSearchFunctions{{
    {Function::length, "length", "len char_length character_length", FunctionKind::scalar, "t", Type::number, "length(text)", "number of characters (Unicode code points)", "length('abc')", "3", length},
    {Function::numbytes, "numbytes", "octet_length", FunctionKind::scalar, "t", Type::number, "numbytes(text)", "number of bytes in UTF-8", "numbytes('°C')", "3", bytes},
    {Function::ascii, "ascii", "unicode", FunctionKind::scalar, "t", Type::number, "ascii(text)", "code point of the first character; NULL for ''", "ascii('A')", "65", code},
    {Function::startswith, "startswith", "starts_with", FunctionKind::scalar, "tt", Type::boolean, "startswith(text, what)", "does the text begin so?", "startswith('pump-7', 'pump')", "true", starts_with},
    {Function::endswith, "endswith", "ends_with", FunctionKind::scalar, "tt", Type::boolean, "endswith(text, what)", "does it end so?", "endswith('pump-7', '-7')", "true", ends_with},
    {Function::contains, "contains", "", FunctionKind::scalar, "tt", Type::boolean, "contains(text, what)", "is it in the text?", "contains('pump-7', 'mp')", "true", contains},
    {Function::indexof, "indexof", "index_of", FunctionKind::scalar, "tt[n]", Type::number, "indexof(text, what[, from])", "where it is in the text, from 0; -1 where it is not", "indexof('pump-7', '-')", "4", place<0, 0>},
    {Function::strpos, "strpos", "position instr", FunctionKind::scalar, "tt[n]", Type::number, "strpos(text, what[, from])", "where it is in the text, from 1; 0 where it is not", "strpos('pump-7', '-')", "5", place<0, 1>},
    {Function::charindex, "charindex", "locate", FunctionKind::scalar, "tt[n]", Type::number, "charindex(what, text[, from])", "as strpos, the other way round", "charindex('-', 'pump-7')", "5", place<1, 1>},
    {Function::split_part, "split_part", "", FunctionKind::scalar, "ttn", Type::text, "split_part(text, separator, n)", "the n-th part, from 1, below 0 from the end; '' where there are fewer", "split_part('a/b/c', '/', -1)", "\"c\"", split<1>},
    {Function::split_value, "split_value", "", FunctionKind::scalar, "ttn", Type::text, "split_value(text, separator, index)", "the part with this index, from 0, below 0 from the end; NULL where there are fewer", "split_value('a/b/c', '/', 1)", "\"b\"", split<0>},
}};
// clang-format on

}  // namespace sluice::rules

// Regular expressions.
#include <array>

#include "flow/rules/arguments.hpp"
#include "flow/rules/function_families.hpp"
#include "flow/rules/pattern.hpp"
#include "flow/rules/text_builder.hpp"
#include "flow/rules/utf8.hpp"

namespace sluice::rules {
namespace {

/// Bytes that the searches of one call may look at: each may have to look at all that is left, and there is one for each match.
constexpr std::size_t kBytesMax = 16'000'000;

using Groups = std::array<std::string_view, Pattern::kGroupsMax>;

Value matches(Scope&, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    return Value::boolean(arguments.pattern(1).find(text, 0, {}));
}

Value extracted(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    std::int64_t group = 0;
    if (!arguments.text(0, text) || !arguments.whole_or(2, 0, group)) return arguments.nothing();
    if (group < 0 || group >= static_cast<std::int64_t>(Pattern::kGroupsMax)) return bad_value(scope);
    Groups groups;
    const auto wanted = static_cast<std::size_t>(group);
    if (!arguments.pattern(1).find(text, 0, std::span(groups).first(wanted + 1)) || groups[wanted].data() == nullptr) return Value::null();
    return Value::text(groups[wanted]);
}

/// `$1` and `\1` stand for what the first parentheses matched, `$0` for all of it; `$$` and `\\` for themselves.
void append_replacement(TextBuilder& to, std::string_view by, const Groups& groups) {
    for (std::size_t i = 0; i < by.size(); ++i) {
        const bool mark = (by[i] == '$' || by[i] == '\\') && i + 1 < by.size();
        if (mark && by[i + 1] >= '0' && by[i + 1] <= '9')
            to.append(groups[static_cast<std::size_t>(by[++i] - '0')]);
        else if (mark && by[i + 1] == by[i])
            to.append(by[++i]);
        else
            to.append(by[i]);
    }
}

Value replaced(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    std::string_view by;
    if (!arguments.text(0, text) || !arguments.text(2, by)) return arguments.nothing();
    const Pattern& pattern = arguments.pattern(1);
    Groups groups;
    TextBuilder result(scope);
    std::size_t copied = 0;
    std::size_t looked_at = 0;
    for (std::size_t from = 0; from <= text.size() && pattern.find(text, from, groups);) {
        const auto begin = static_cast<std::size_t>(groups[0].data() - text.data());
        const std::size_t end = begin + groups[0].size();
        result.append(text.substr(copied, begin - copied));
        append_replacement(result, by, groups);
        looked_at += text.size() - from;
        if (result.too_long() || looked_at > kBytesMax) return bad_value(scope);
        copied = end;
        from = end;
        if (groups[0].empty()) from = text.size() - skip(text.substr(end), 1).size() + (end == text.size() ? 1 : 0);
    }
    result.append(text.substr(copied));
    return result.text();
}

}  // namespace

// clang-format off
constinit const Family<Function::regexp_matches, Function::regexp_replace> kRegexpFunctions{{
    {Function::regexp_matches, "regexp_matches", "regexp_like", FunctionKind::scalar, "tr", Type::boolean, "regexp_matches(text, pattern)", "is there a match anywhere in the text? Patterns are RE2's and written out; `^…$` for all of it", "regexp_matches('pump-7', '^pump-[0-9]+$')", "true", matches},
    {Function::regexp_substr, "regexp_substr", "regexp_substring regexp_extract", FunctionKind::scalar, "tr[i]", Type::text, "regexp_substr(text, pattern[, group])", "the first match, or what its n-th parentheses hold; NULL without one", "regexp_substr('pump-7', '-([0-9]+)', 1)", "\"7\"", extracted},
    {Function::regexp_replace, "regexp_replace", "", FunctionKind::scalar, "trt", Type::text, "regexp_replace(text, pattern, by)", "each match replaced; `$1` stands for the first parentheses, `$0` for the match; NULL where a long text has very many matches", "regexp_replace('a1b22', '([0-9]+)', '<$1>')", "\"a<1>b<22>\"", replaced},
}};
// clang-format on

}  // namespace sluice::rules

// The pattern language of LIKE.
#include "flow/rules/expression.hpp"
#include "flow/rules/utf8.hpp"

namespace sluice::rules {
namespace {

/// Steps that a search may take for one reading (a millisecond or so): both sides can come from a hostile payload.
constexpr std::size_t kStepsMax = 1'000'000;

}  // namespace

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

}  // namespace sluice::rules

#include "data/topic_pattern.hpp"

#include "data/topic.hpp"

namespace sluice::data {

bool is_topic_pattern(std::string_view pattern) {
    for (std::size_t at = pattern.find('%'); at != std::string_view::npos; at = pattern.find('%', at + 2)) {
        if (at + 1 == pattern.size()) return false;
        const char what = pattern[at + 1];
        if (what != 'c' && what != 'u' && what != '%') return false;
    }
    std::string filled;
    return fill_topic_pattern(pattern, {.client = "x", .user = "x"}, filled) == Filled::good && is_topic_filter(filled);
}

Filled fill_topic_pattern(std::string_view pattern, const PatternNames& names, std::string& out) {
    out.clear();
    Filled outcome = Filled::good;
    for (std::size_t at = 0; at < pattern.size(); ++at) {
        if (pattern[at] != '%' || at + 1 == pattern.size()) {
            out += pattern[at];
            continue;
        }
        const char what = pattern[++at];
        if (what == '%') {
            out += '%';
            continue;
        }
        const std::string_view name = what == 'c' ? names.client : names.user;
        if (name.empty()) return Filled::no_name;
        if (name.find_first_of("+#/") != std::string_view::npos || (out.empty() && name[0] == '$')) outcome = Filled::unfit;
        out += name;
    }
    return outcome;
}

}  // namespace sluice::data

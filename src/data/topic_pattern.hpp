// Topic filters with places for names, as access lists have them: `sensors/%u/#`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::data {

/// A topic filter in which `%c` stands for a client id, `%u` for a user's name and `%%` for a percent sign, as a whole level or inside one.
/// Any other use of `%` makes it no pattern.
[[nodiscard]] bool is_topic_pattern(std::string_view pattern);

struct PatternNames {
    std::string_view client{};
    std::string_view user{};  ///< empty: has none
};

enum class Filled : std::uint8_t {
    good,
    no_name,  ///< the pattern asks for a name that is not there: it stands for no topic
    unfit,    ///< a name holds `+`, `#` or `/`, or would begin the topic with `$`: filled in, it would say more than one name may
};

/// Puts names into a pattern. `out` is replaced; it is a topic filter if the outcome is good (but for control characters in a name, with
/// which it matches no topic).
Filled fill_topic_pattern(std::string_view pattern, const PatternNames& names, std::string& out);

}  // namespace sluice::data

// Text from outside as a terminal may see it.
#pragma once

#include <string>
#include <string_view>

namespace sluice::cli {

/// Control characters (C0, DEL and, as UTF-8, C1) become escapes: what a client calls itself must not steer the terminal.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace sluice::cli

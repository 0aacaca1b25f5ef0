// How two topic filters relate (MQTT 5.0 §4.7). Both must be valid, without `$share/<group>/`. Linear in their lengths, no allocation.
#pragma once

#include <string_view>

namespace sluice::access {

/// Every topic that `inner` matches is matched by `outer` too: `sensors/#` covers `sensors/+/x`, `sensors/+` does not cover `sensors/#`.
[[nodiscard]] bool covers(std::string_view outer, std::string_view inner);

/// Some topic is matched by both: `sensors/+/x` and `sensors/a/#` overlap.
[[nodiscard]] bool overlap(std::string_view a, std::string_view b);

}  // namespace sluice::access

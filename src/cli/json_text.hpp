// Text in JSON that commands print.
#pragma once

#include <string>
#include <string_view>

namespace sluice::cli {

/// In quotes. `text` is UTF-8; whatever else is in it cannot break the line.
[[nodiscard]] std::string json_text(std::string_view text);

}  // namespace sluice::cli

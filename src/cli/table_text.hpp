// Numbers and names as columns of a table have them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::cli {

/// "512 B", "12.5 KiB", "3.0 MiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);
/// "12s", "3m05s", "2h40m", "7d03h".
[[nodiscard]] std::string duration_text(double seconds);
/// At most so many characters, not bytes; `…` where something was cut.
[[nodiscard]] std::string shortened_to(std::string_view text, std::size_t characters);

}  // namespace sluice::cli

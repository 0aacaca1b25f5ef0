#include "cli/table_text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace sluice::cli {

std::string size_text(std::uint64_t bytes) {
    if (bytes < 10'000) return fmt::format("{} B", bytes);
    if (bytes < 10'000'000) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1024 * 1024));
}

std::string duration_text(double seconds) {
    const auto s = static_cast<std::uint64_t>(std::max(seconds, 0.0));
    if (s < 60) return fmt::format("{}s", s);
    if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
    if (s < 86'400) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
    return fmt::format("{}d{:02}h", s / 86'400, s / 3600 % 24);
}

std::string shortened_to(std::string_view text, std::size_t characters) {
    std::size_t seen = 0;
    std::size_t keep = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if ((static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) continue;
        if (seen + 1 == characters) keep = at;
        if (++seen > characters) return std::string(text.substr(0, keep)) + "…";
    }
    return std::string(text);
}

}  // namespace sluice::cli

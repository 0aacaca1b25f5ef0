// How the file descriptors of the process are shared out: a flood of clients must not take those that the spool needs for its next segment.
#pragma once

#include <algorithm>
#include <cstdint>

namespace sluice::gateway {

/// Kept back from MQTT clients for HTTP connections, files, loops and listeners: 1,200, or a third where there are few.
[[nodiscard]] constexpr std::uint64_t own_descriptors(std::uint64_t limit) { return std::min<std::uint64_t>(1200, limit / 3); }
/// Of these, for HTTP connections.
[[nodiscard]] constexpr std::uint64_t http_descriptors(std::uint64_t limit) { return own_descriptors(limit) * 5 / 6; }
/// MQTT connections that there is room for.
[[nodiscard]] constexpr std::uint64_t connection_descriptors(std::uint64_t limit) { return limit - own_descriptors(limit); }

static_assert(http_descriptors(20'000) == 1000 && connection_descriptors(20'000) == 18'800);
static_assert(own_descriptors(1024) - http_descriptors(1024) >= 50, "the spool's segments, databases, logs, loops");

}  // namespace sluice::gateway

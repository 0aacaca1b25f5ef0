// When a row of a CSV file was measured: times as people and machines write them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace sluice::cli {

/// Reads `2014-01-01 00:05:00`, `2014-01-01T00:05:00.250Z`, `2014/01/01 00:05`, `2014-01-01T01:05:00+01:00`, a date alone, or a number
/// since the epoch: below 1e11 in seconds (that is until the year 5138), below 1e14 in milliseconds, below 1e17 in microseconds, else in
/// nanoseconds. Without a zone: UTC. Years 1700 to 2250 (what 64 bits of nanoseconds can hold). Nothing for anything else.
[[nodiscard]] std::optional<base::WallTime> parse_time(std::string_view text);

/// The first column called timestamp, ts, datetime or time (in this order, upper or lower case).
[[nodiscard]] std::optional<std::size_t> find_time_column(std::span<const std::string> columns);

}  // namespace sluice::cli

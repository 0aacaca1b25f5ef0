// The scalars of a configuration: durations, sizes, numbers, names.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::config {

/// `250ms 3s 5m 18h 7d`: a whole number and a unit, without a space; at most 36,500 days.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// `4096 256KiB 64MiB 2GiB 1TiB`, also `kB MB GB TB` (powers of 1000) and `B`: bytes, below 2^63.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

/// `30%`: a whole number and the sign, without a space; 0 to 100.
[[nodiscard]] std::optional<std::uint32_t> parse_percent(std::string_view text);

/// A whole number from 0 to 2^64 - 1, digits only.
[[nodiscard]] std::optional<std::uint64_t> parse_integer(std::string_view text);

/// A finite number in decimal notation.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);

/// `true` or `false`.
[[nodiscard]] std::optional<bool> parse_boolean(std::string_view text);

/// [A-Za-z0-9_-]{1,64}: ids of gateways, rules, functions, classes; they become parts of topics, file names and URLs.
[[nodiscard]] bool is_identifier(std::string_view text);

/// The position of a word in a list `low | balanced | eco`.
[[nodiscard]] std::optional<std::size_t> choice_index(std::string_view choices, std::string_view word);

}  // namespace sluice::config

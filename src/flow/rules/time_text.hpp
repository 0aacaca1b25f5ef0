// Moments as text: ISO 8601, and formats of the letters that Java, AWS and eKuiper use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice::rules {

/// Milliseconds since 1970 of `2024-01-31`, `2024-01-31T12:00:00.5Z`, `2024-01-31 12:00+02:00`. Without an offset: by `offset`, in
/// milliseconds. More than three digits behind the point are cut.
[[nodiscard]] std::optional<std::int64_t> parse_iso8601(std::string_view text, std::int64_t offset);
/// `2024-01-31T12:00:00.500Z`, or with the offset behind it; the fraction only where there is one.
void append_iso8601(base::Bytes& to, std::int64_t moment, std::int64_t offset);

/// Letters: yyyy yy MMMM MMM MM M dd d HH H hh h mm m ss s SSS a EEEE EEE Z X (three of it: with a colon); 'text' in quotes, anything that
/// is no letter as it is.
inline constexpr std::size_t kFormatGood = static_cast<std::size_t>(-1);
/// The place of the first letter that says nothing, or kFormatGood.
[[nodiscard]] std::size_t time_format_problem(std::string_view format);
[[nodiscard]] std::optional<std::int64_t> parse_time(std::string_view text, std::string_view format, std::int64_t offset);
/// With the offset, the moment lies in the calendar. False: the format has a letter that says nothing.
[[nodiscard]] bool append_time(base::Bytes& to, std::int64_t moment, std::string_view format, std::int64_t offset);

/// `+02:00`, `-0530`, `+02`, `Z`, `UTC`: in milliseconds, less than a day.
[[nodiscard]] std::optional<std::int64_t> parse_offset(std::string_view text);

}  // namespace sluice::rules

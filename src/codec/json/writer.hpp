// Appends JSON to a buffer that the caller owns.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "codec/json/value.hpp"

namespace sluice::json {

/// The shortest text that reads back as the same number; whole numbers below 2^53 without a point,
/// from 0.00001 up to there without an exponent; NaN and infinity as null.
void append_number(base::Bytes& to, double value);
/// The same without a buffer: to `to`, which has room for kNumberBytesMax characters. Finite values only. Returns the end.
inline constexpr std::size_t kNumberBytesMax = 32;
char* write_number(char* to, double value);
void append_integer(base::Bytes& to, std::int64_t value);

/// With quotes. `text` is valid UTF-8; quote, backslash and control characters are escaped.
void append_string(base::Bytes& to, std::string_view text);

/// Missing and null as null; raw values as they are, line breaks between their tokens as blanks (so that one document stays one line).
void append_value(base::Bytes& to, const Value& value);

/// As words for people and topics: text without quotes, null and missing as nothing, everything else as in JSON.
void append_plain(base::Bytes& to, const Value& value);

/// The document on one line: line breaks can only stand between tokens, blanks take their place.
void append_on_one_line(base::Bytes& to, std::string_view document);

}  // namespace sluice::json

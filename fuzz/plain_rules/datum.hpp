// A value of the plain interpreter: owned, and as simple as can be.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "codec/json/value.hpp"

namespace sluice::rules::plain {

struct Null {
    friend bool operator==(const Null&, const Null&) = default;
};
/// An array, as JSON.
struct List {
    std::string json;
    friend bool operator==(const List&, const List&) = default;
};
using Datum = std::variant<Null, bool, std::int64_t, double, std::string, List>;

[[nodiscard]] inline bool is_null(const Datum& value) { return std::holds_alternative<Null>(value); }
[[nodiscard]] inline bool is_number(const Datum& value) {
    return std::holds_alternative<std::int64_t>(value) || std::holds_alternative<double>(value);
}
[[nodiscard]] inline double real(const Datum& value) {
    const auto* whole = std::get_if<std::int64_t>(&value);
    return whole != nullptr ? static_cast<double>(*whole) : std::get<double>(value);
}
[[nodiscard]] inline bool is_true(const Datum& value) { return value == Datum(true); }
[[nodiscard]] inline bool is_false(const Datum& value) { return value == Datum(false); }

/// -1, 0, 1; nothing where the two cannot be compared: NULL, or values of different types.
struct Ordering {
    bool known = false;
    int sign = 0;
};
[[nodiscard]] Ordering order(const Datum& a, const Datum& b);

/// Are they the same key of a group? NULL equals NULL here.
[[nodiscard]] bool same_key(const std::vector<Datum>& a, const std::vector<Datum>& b);

/// As JSON on one line.
[[nodiscard]] std::string to_json(const Datum& value);

/// Of a scanned document.
[[nodiscard]] Datum datum_of(const json::Value& value);

}  // namespace sluice::rules::plain

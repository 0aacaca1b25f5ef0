// Parts of raw JSON values as values of expressions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "flow/rules/expression.hpp"

namespace sluice::rules {

/// An element's or member's value; texts with escapes go to the arena (a bad value where that has no room). 1e999 is a bad value.
[[nodiscard]] Value item_value(Scope& scope, std::string_view item);
/// A key as written, without its escapes; empty where the arena has no room.
[[nodiscard]] std::string_view key_text(Scope& scope, std::string_view written);

/// Missing where there is none. Of equal keys the last counts, as for fields of a payload.
[[nodiscard]] Value member(Scope& scope, std::string_view object, std::string_view key);
/// From 0, below 0 from the end; missing where there are fewer.
[[nodiscard]] Value element(Scope& scope, std::string_view array, std::int64_t index);
[[nodiscard]] std::int64_t item_count(std::string_view raw);

/// `$.a.b[0]["c d"]`; the $ may be left out. The place of the first mistake, or kPathGood.
inline constexpr std::size_t kPathGood = static_cast<std::size_t>(-1);
[[nodiscard]] std::size_t json_path_problem(std::string_view path);
/// Missing where the path leads nowhere.
[[nodiscard]] Value follow(Scope& scope, const Value& from, std::string_view path);

}  // namespace sluice::rules

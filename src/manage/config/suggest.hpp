// "Did you mean …?"
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace sluice::config {

/// Optimal string alignment distance (insertions, deletions, substitutions, swaps of neighbours), ignoring case. O(a·b).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to a misspelt word, if near enough to be meant (a third of its letters, at least one); else empty.
[[nodiscard]] std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// "; did you mean `x`?", or "; known here: a, b, c" (all candidates, if there are at most 20), or nothing.
[[nodiscard]] std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace sluice::config

// The last values of a stream in order of time and in order of size: median, median absolute deviation and extremes of a window, exactly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::rules {

/// A normal distribution's standard deviation over its median absolute deviation, 1 / Φ⁻¹(3/4).
inline constexpr double kNormalSpread = 1.482602218505602;

/// The storage is the caller's: `ring` and `sorted`, `size` values each, the same in every call. Zeroed, it is empty. Values are finite.
///
/// A push finds its places by binary search and moves the values between them: O(log n) comparisons and one move of at most n values, which
/// for the allowed 10,000 is faster than any tree would be on average, and nothing is ever added up: no glitch leaves a rounding error.
struct SortedWindow {
    std::uint32_t count = 0;
    std::uint32_t head = 0;  ///< place of the oldest value in the ring once it is full

    void push(double x, double* ring, double* sorted, std::uint32_t size);
    /// The i-th oldest.
    [[nodiscard]] double at(std::uint32_t i, const double* ring, std::uint32_t size) const {
        return ring[count < size ? i : (head + i) % size];
    }
};

/// Of an even count the mean of the middle two. Needs at least one value, ascending.
[[nodiscard]] double median_of_sorted(std::span<const double> sorted);
/// Median of |x - median|, by binary search: O(log n).
[[nodiscard]] double median_deviation_of_sorted(std::span<const double> sorted);

}  // namespace sluice::rules

// Running statistics for one stream of numbers: the same code on a microcontroller and behind the SQL functions of the gateway.
// No heap, no exceptions, no OS: the caller gives the storage of a window (its ring). All structs are valid, and empty, when zeroed, and
// may be copied as bytes. Values must be finite: callers skip and count NaN and infinity before they come here.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace sluice::device {

/// Mean and variance of everything pushed. Welford, Technometrics 4(3), 1962: one pass, no cancellation.
struct RunningMoments {
    std::uint64_t count = 0;
    double mean = 0;
    double squares = 0;  ///< sum of (x - mean)²

    void push(double x) {
        ++count;
        const double delta = x - mean;
        mean += delta / static_cast<double>(count);
        squares += delta * (x - mean);
    }
    /// As if the other's values had been pushed here. Chan, Golub, LeVeque, The American Statistician 37(3), 1983, eq. 2.1.
    void merge(const RunningMoments& other) {
        if (other.count == 0) return;
        const double n = static_cast<double>(count);
        const double m = static_cast<double>(other.count);
        const double delta = other.mean - mean;
        count += other.count;
        mean += delta * (m / (n + m));
        squares += other.squares + delta * delta * (n * m / (n + m));
    }
    /// Divided by n. Needs count >= 1.
    [[nodiscard]] double variance_population() const { return squares / static_cast<double>(count); }
    /// Divided by n - 1. Needs count >= 2.
    [[nodiscard]] double variance_sample() const { return squares / static_cast<double>(count - 1); }
};

/// A sum that loses nothing to cancellation. Neumaier, ZAMM 54, 1974 (an improved Kahan summation).
struct CompensatedSum {
    double sum = 0;
    double lost = 0;

    void push(double x) {
        const double next = sum + x;
        if (std::fabs(sum) >= std::fabs(x))
            lost += (sum - next) + x;
        else
            lost += (x - next) + sum;
        sum = next;
    }
    void merge(const CompensatedSum& other) {
        push(other.sum);
        push(other.lost);
    }
    [[nodiscard]] double value() const {
        // Infinite sums have a NaN in `lost`.
        return std::isfinite(sum) ? sum + lost : sum;
    }
};

/// Mean and variance of a slice of values: corrected two-pass algorithm (Chan, Golub, LeVeque, The American Statistician 37(3), 1983).
struct Moments2 {
    double mean = 0;
    double squares = 0;  ///< sum of (x - mean)²
};
[[nodiscard]] inline Moments2 two_pass(const double* values, std::size_t count) {
    Moments2 result;
    if (count == 0) return result;
    const double n = static_cast<double>(count);
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += values[i] - values[0];
    result.mean = values[0] + sum / n;
    double first = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const double d = values[i] - result.mean;
        first += d;
        result.squares += d * d;
    }
    result.squares -= first * first / n;
    result.mean += first / n;
    return result;
}

/// The last `size` values of a stream: mean, variance, z-score of the next one. O(1) a value on average.
///
/// Sums are kept of (x - anchor) and (x - anchor)², where the anchor is the mean at the last recomputation: near the values, so that
/// nothing cancels. Every operation adds to a bound of the rounding error made so far; the sums are recomputed from the ring once per lap,
/// and at once when the bound passes kErrorMax of the variance, which is what happens when an extreme value has just left: a 1e12 glitch
/// that is gone from the window leaves no error from the next value on. Worst case, for values chosen to be hostile: O(size).
struct SlidingWindow {
    /// Bound of the relative error of the variance; a z-score is better by half.
    static constexpr double kErrorMax = 1e-10;

    double anchor = 0;
    double first = 0;   ///< sum of (x - anchor)
    double second = 0;  ///< sum of (x - anchor)²
    double error = 0;   ///< bound of the error of `second`, in units of the machine epsilon
    std::uint32_t count = 0;
    std::uint32_t head = 0;  ///< place of the oldest value once the ring is full
    std::uint32_t run = 0;   ///< how many of the newest values are equal, at most `size`
    std::uint32_t lap = 0;   ///< values since the last recomputation

    [[nodiscard]] bool full(std::uint32_t size) const { return count == size; }
    /// max = min, decided by counting, not by an epsilon.
    [[nodiscard]] bool no_spread() const { return run >= count; }

    /// `ring` holds `size` values; size is the same in every call, at least 1.
    void push(double x, double* ring, std::uint32_t size) {
        if (count == 0) {
            anchor = x;
            ring[0] = x;
            count = 1;
            run = 1;
            return;
        }
        const std::uint32_t newest = count < size ? count - 1 : (head == 0 ? size - 1 : head - 1);
        run = ring[newest] == x ? (run < size ? run + 1 : run) : 1;
        const double d = x - anchor;
        double added = d * d;
        first += d;
        if (count < size) {
            ring[count] = x;
            ++count;
            second += added;
        } else {
            const double old = ring[head] - anchor;
            ring[head] = x;
            if (++head == size) head = 0;
            first -= old;
            second += added - old * old;
            added += old * old;
        }
        error += added + std::fabs(second);
        ++lap;
        const double spread = squares();
        if (lap >= size || !(error * kEpsilon <= kErrorMax * spread)) recompute(ring);
    }

    /// Sum of (x - mean)².
    [[nodiscard]] double squares() const { return second - first * first / static_cast<double>(count); }
    [[nodiscard]] double mean() const { return anchor + first / static_cast<double>(count); }

    /// How many sample standard deviations (n - 1) `x` is from the mean of the window, `x` itself not included. No spread: 0 when x is
    /// equal to the mean, else infinity with the sign of the difference. Needs a full window of at least 2.
    [[nodiscard]] double zscore(double x, const double* ring) const {
        const double n = static_cast<double>(count);
        if (no_spread()) {
            const double difference = x - ring[0];
            if (difference == 0) return 0;
            return difference > 0 ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
        }
        const double spread = squares();
        // Outside this range squares overflow or lose their digits.
        if (!(spread > 1e-280 && spread < 1e300)) return scaled_zscore(x, ring);
        return ((x - anchor) - first / n) / std::sqrt(spread / (n - 1));
    }

    /// From the ring alone, after it was restored: `count` and `head` must be set.
    void recompute(const double* ring) {
        const double n = static_cast<double>(count);
        double sum = 0;
        for (std::uint32_t i = 0; i < count; ++i) sum += ring[i] - ring[0];
        anchor = ring[0] + sum / n;
        if (!std::isfinite(anchor)) anchor = 0;
        first = 0;
        second = 0;
        for (std::uint32_t i = 0; i < count; ++i) {
            const double d = ring[i] - anchor;
            first += d;
            second += d * d;
        }
        error = 0;
        lap = 0;
    }
    void recount_run(const double* ring, std::uint32_t size) {
        run = 0;
        std::uint32_t at = count < size ? count : head;
        double newest = 0;
        for (std::uint32_t i = 0; i < count; ++i) {
            at = at == 0 ? size - 1 : at - 1;
            if (i == 0) newest = ring[at];
            if (ring[at] != newest) break;
            ++run;
        }
    }

private:
    static constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

    /// For values whose squares leave the range of a double: everything scaled by a power of two, which is exact.
    [[nodiscard]] double scaled_zscore(double x, const double* ring) const {
        const double n = static_cast<double>(count);
        int exponent = std::numeric_limits<int>::min();
        for (std::uint32_t i = 0; i < count; ++i) {
            if (ring[i] == 0) continue;
            const int e = std::ilogb(ring[i]);
            if (e > exponent) exponent = e;
        }
        double sum = 0;
        for (std::uint32_t i = 0; i < count; ++i) sum += std::scalbn(ring[i], -exponent);
        const double center = sum / n;
        double rest = 0;
        double squares_scaled = 0;
        for (std::uint32_t i = 0; i < count; ++i) {
            const double d = std::scalbn(ring[i], -exponent) - center;
            rest += d;
            squares_scaled += d * d;
        }
        squares_scaled -= rest * rest / n;
        return (std::scalbn(x, -exponent) - center - rest / n) / std::sqrt(squares_scaled / (n - 1));
    }
};

/// Square root of the mean of x².
[[nodiscard]] inline double root_mean_square(const double* values, std::size_t count) {
    double largest = 0;
    for (std::size_t i = 0; i < count; ++i) largest = std::fmax(largest, std::fabs(values[i]));
    if (largest == 0) return 0;
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const double scaled = values[i] / largest;  // so that squares neither overflow nor vanish
        sum += scaled * scaled;
    }
    return largest * std::sqrt(sum / static_cast<double>(count));
}
/// max |x| / rms; NaN when all are 0.
[[nodiscard]] inline double crest_factor(const double* values, std::size_t count) {
    double largest = 0;
    for (std::size_t i = 0; i < count; ++i) largest = std::fmax(largest, std::fabs(values[i]));
    return largest / root_mean_square(values, count);
}
/// kurtosis() of values whose squares leave the range of a double: everything scaled by a power of two, which is exact.
[[nodiscard]] inline double scaled_kurtosis(const double* values, std::size_t count) {
    const double n = static_cast<double>(count);
    double largest = 0;
    for (std::size_t i = 0; i < count; ++i) largest = std::fmax(largest, std::fabs(values[i]));
    const int exponent = std::ilogb(largest);
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sum += std::scalbn(values[i], -exponent);
    double second = 0;
    double fourth = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const double d = std::scalbn(values[i], -exponent) - sum / n;
        second += d * d;
        fourth += d * d * d * d;
    }
    return n * fourth / (second * second);
}
/// m4 / m2² of the central moments: 3 for a normal distribution; NaN without spread.
[[nodiscard]] inline double kurtosis(const double* values, std::size_t count) {
    bool spread = false;
    for (std::size_t i = 1; i < count; ++i) spread = spread || values[i] != values[0];
    if (!spread) return std::numeric_limits<double>::quiet_NaN();
    const Moments2 moments = two_pass(values, count);
    if (!(moments.squares > 1e-280 && moments.squares < 1e300)) return scaled_kurtosis(values, count);
    const double n = static_cast<double>(count);
    const double deviation = std::sqrt(moments.squares / n);
    double fourth = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const double d = (values[i] - moments.mean) / deviation;
        fourth += d * d * d * d;
    }
    return fourth / n;
}

}  // namespace sluice::device

#include "flow/rules/adaptive_baseline.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <tuple>
#include <vector>

#include "flow/rules/sorted_window.hpp"

namespace sluice::rules {
namespace {

/// Mean, exact where all values are equal.
double mean_of(const device::SlidingWindow& window, const double* ring) { return window.no_spread() ? ring[0] : window.mean(); }

double variance_of(const device::SlidingWindow& window) {
    return window.no_spread() || window.count < 2 ? 0 : std::max(window.squares(), 0.0) / static_cast<double>(window.count - 1);
}

/// Robust standard deviation of `sorted`. Where more than half of the values are equal, their deviation says nothing: then the lower median
/// of the deviations that are not 0 is the scale, and a value that is the only one to differ is an outlier (0).
double robust_spread(std::span<const double> sorted, double median) {
    const double deviation = median_deviation_of_sorted(sorted);
    if (deviation > 0) return kNormalSpread * deviation;
    std::vector<double> others;
    for (const double x : sorted) {
        if (x != median) others.push_back(std::fabs(x - median));
    }
    if (others.size() < 2) return 0;
    const auto middle = others.begin() + static_cast<std::ptrdiff_t>((others.size() - 1) / 2);
    std::nth_element(others.begin(), middle, others.end());
    return *middle;
}

/// Allocates, but only at the end of learning.
void pull_in_outliers(double* values, std::uint32_t count) {
    std::vector<double> sorted(values, values + count);
    std::sort(sorted.begin(), sorted.end());
    const double median = median_of_sorted(sorted);
    const double reach = AdaptiveBaseline::kOutlier * robust_spread(sorted, median);
    for (std::uint32_t i = 0; i < count; ++i) values[i] = std::clamp(values[i], median - reach, median + reach);
}

/// So that a mean square of them stays finite.
double square(double difference) { return std::min(difference * difference, 1e300); }

}  // namespace

void AdaptiveBaseline::push(double x, const Parameters& parameters, const Rings& rings) {
    if (!ready()) {
        baseline.push(x, rings.slow, parameters.slow);
        if (baseline.full(parameters.slow)) learn(parameters, rings);
        return;
    }
    const double reach = kOutlier * std::sqrt(variance_of(baseline));
    if (reach > 0) {
        const double mean = mean_of(baseline, rings.slow);
        x = std::clamp(x, mean - reach, mean + reach);
    }
    const double left = rings.fast[average.head];
    average.push(x, rings.fast, parameters.fast);
    if (alarmed != 0)
        tainted = parameters.fast;
    else if (tainted != 0)
        --tainted;
    else
        baseline.push(left, rings.slow, parameters.slow);
    judge(parameters, rings);
}

double AdaptiveBaseline::score() const {
    if (usual > 0) return difference / usual;
    return difference == 0 ? 0 : std::copysign(std::numeric_limits<double>::infinity(), difference);
}

void AdaptiveBaseline::judge(const Parameters& parameters, const Rings& rings) {
    difference = mean_of(average, rings.fast) - mean_of(baseline, rings.slow);
    usual = std::sqrt(std::max(squares, variance_of(baseline) / static_cast<double>(parameters.fast)));
    if (!std::isfinite(difference)) return;  // values near the end of a double's range
    const double size = std::fabs(score());
    if (alarmed == 0 && size > parameters.limit) {
        alarmed = 1;
        return;
    }
    if (alarmed == 0) {
        if (known < kMemory * parameters.slow) ++known;
        squares += (square(difference) - squares) / static_cast<double>(known);
        return;
    }
    if (size < kRelease * parameters.limit) {
        alarmed = 0;
    } else if (parameters.relearn != 0 && alarmed >= parameters.relearn) {
        *this = {};
    } else if (alarmed != std::numeric_limits<std::uint32_t>::max()) {
        ++alarmed;
    }
}

void AdaptiveBaseline::learn(const Parameters& parameters, const Rings& rings) {
    double* const values = rings.slow;
    const std::uint32_t fast = parameters.fast;
    const std::uint32_t slow = parameters.slow;
    pull_in_outliers(values, slow);
    baseline = {};
    for (std::uint32_t i = 0; i < slow; ++i) baseline.push(values[i], rings.slow, slow);
    const double mean = mean_of(baseline, values);
    average = {};
    double sum = 0;
    for (std::uint32_t i = 0; i < slow; ++i) {
        average.push(values[i], rings.fast, fast);
        if (!average.full(fast)) continue;
        sum += square(mean_of(average, rings.fast) - mean) / static_cast<double>(slow - fast + 1);
    }
    squares = sum;
    known = slow;
    // The newest values are in the fast window; they reach the baseline when they leave it.
    baseline.count = slow - fast;
    baseline.head = 0;
    baseline.recompute(values);
    baseline.recount_run(values, slow);
    difference = 0;
    usual = 0;
    judge(parameters, rings);
}

void AdaptiveBaseline::recompute(const Parameters& parameters, const Rings& rings) {
    for (auto [window, ring, size] :
         {std::tuple(&average, rings.fast, parameters.fast), std::tuple(&baseline, rings.slow, parameters.slow)}) {
        if (window->count == 0) continue;
        window->recompute(ring);
        window->recount_run(ring, size);
    }
}

}  // namespace sluice::rules

// A fast average against a slow baseline that stands still while the two disagree: the state behind the SQL function `adaptive`.
#pragma once

#include <cstdint>

#include "sluice/device/statistics.hpp"

namespace sluice::rules {

/// For each value: how far the mean of the last `fast` values is from the mean of the `slow` values before them, in units of how far it
/// usually is.
///
/// - **Learning.** The first `slow` values are the first baseline; until then there is no score. What is further than kOutlier robust
///   standard deviations (median, MAD) from their median is pulled in to there, so that a glitch does not spoil it.
/// - **Usual difference.** Root of the mean square of (average - baseline), over the last kMemory * slow values (exponentially), never less
///   than the standard error of the average, baseline spread / sqrt(fast). It knows what a z-score does not: that neighbouring values are
///   alike, and how much this signal wanders when nothing is wrong.
/// - **Alarm** while |score| has passed `limit` and not come back below kRelease * limit. Baseline and usual difference then stand still;
/// of
///   the values that were in the fast window meanwhile none gets into the baseline later.
/// - **Learning again**: after `relearn` values of one alarm everything is forgotten and learned anew: what lasts is the new normal. 0:
/// never.
/// - A single value counts for at most kOutlier standard deviations of the baseline from its mean: one outlier is no alarm.
/// Without any spread the score is 0 where the average is equal to the baseline, else infinite.
struct AdaptiveBaseline {
    static constexpr double kOutlier = 8;
    static constexpr double kRelease = 0.7;
    static constexpr double kMemory = 5;

    struct Parameters {
        std::uint32_t fast;
        std::uint32_t slow;
        double limit;
        std::uint32_t relearn;
    };
    /// `fast` and `slow` values, the caller's, the same in every call.
    struct Rings {
        double* fast;
        double* slow;
    };

    device::SlidingWindow average;   ///< of the last values
    device::SlidingWindow baseline;  ///< of the values before them that came without alarm; while learning: of the first ones
    double squares = 0;              ///< mean square of the difference
    double difference = 0;           ///< average - baseline, at the last value
    double usual = 0;                ///< the usual difference, at the last value
    std::uint32_t known = 0;         ///< how many differences `squares` has seen, up to kMemory * slow; 0: still learning
    std::uint32_t alarmed = 0;       ///< values of the alarm so far; 0: none
    std::uint32_t tainted = 0;       ///< how many values in the fast window came during an alarm
    std::uint32_t unused = 0;

    /// Zeroed bytes are the state before the first value. `x` is finite.
    void push(double x, const Parameters& parameters, const Rings& rings);
    /// Is there a score? While learning there is none, and no alarm.
    [[nodiscard]] bool ready() const { return known != 0; }
    [[nodiscard]] double score() const;

    /// After the windows' count and rings were restored.
    void recompute(const Parameters& parameters, const Rings& rings);

private:
    void learn(const Parameters& parameters, const Rings& rings);
    void judge(const Parameters& parameters, const Rings& rings);
};

}  // namespace sluice::rules

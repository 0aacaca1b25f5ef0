#include "flow/rules/waveform.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include <kissfft/kissfft.hh>

namespace sluice::rules {
namespace {

constexpr double kPi = std::numbers::pi;

/// Mean of the squared Hann window.
constexpr double kHannEnergy = 3.0 / 8.0;

/// The most values of a block that a fast transform takes: the greatest product of 2, 3 and 5 that is not above `length`.
std::size_t smooth_length(std::size_t length) {
    std::size_t best = 1;
    for (std::size_t fives = 1; fives <= length; fives *= 5) {
        for (std::size_t threes = fives; threes <= length; threes *= 3) {
            std::size_t product = threes;
            while (product * 2 <= length) product *= 2;
            best = std::max(best, product);
        }
    }
    return best;
}

/// Periodic Hann window.
double hann(std::size_t i, std::size_t length) {
    return 0.5 - 0.5 * std::cos(2 * kPi * static_cast<double>(i) / static_cast<double>(length));
}

}  // namespace

struct SpectrumAnalyzer::Plans {
    struct Plan {
        std::size_t length;
        kissfft<double> forward;
        kissfft<double> inverse;
    };
    /// Devices choose the lengths: the oldest plan gives way.
    static constexpr std::size_t kPlansMax = 8;

    std::vector<std::unique_ptr<Plan>> plans;

    const Plan& of(std::size_t length) {
        for (const auto& plan : plans) {
            if (plan->length == length) return *plan;
        }
        if (plans.size() == kPlansMax) plans.erase(plans.begin());
        plans.push_back(std::make_unique<Plan>(Plan{length, {length, false}, {length, true}}));
        return *plans.back();
    }
};

SpectrumAnalyzer::SpectrumAnalyzer() : plans_(std::make_unique<Plans>()) {}
SpectrumAnalyzer::~SpectrumAnalyzer() = default;

void remove_mean(std::span<double> block) {
    if (block.empty()) return;
    double sum = 0;
    for (const double x : block) sum += x - block[0];
    const double mean = block[0] + sum / static_cast<double>(block.size());
    for (double& x : block) x -= mean;
}

void SpectrumAnalyzer::transform_windowed(std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) block_[i] *= hann(i, length);
    plans_->of(length).forward.transform(block_.data(), spectrum_.data());
}

double SpectrumAnalyzer::weighted_rms(std::span<const double> block, double rate, Band band, bool integrate) {
    const std::size_t length = smooth_length(block.size());
    block_.assign(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(length));
    spectrum_.resize(length);
    transform_windowed(length);
    const double bin = rate / static_cast<double>(length);
    double sum = 0;
    for (std::size_t k = 1; k <= length / 2; ++k) {
        const double f = static_cast<double>(k) * bin;
        if (f < band.low || f > band.high) continue;
        const double power = std::norm(spectrum_[k]) * (2 * k == length ? 1 : 2);
        sum += integrate ? power / (4 * kPi * kPi * f * f) : power;
    }
    return std::sqrt(sum / kHannEnergy) / static_cast<double>(length);
}

double SpectrumAnalyzer::band_rms(std::span<const double> block, double rate, Band band) { return weighted_rms(block, rate, band, false); }

double SpectrumAnalyzer::integrated_rms(std::span<const double> block, double rate, Band band) {
    return weighted_rms(block, rate, band, true);
}

SpectrumAnalyzer::Envelope SpectrumAnalyzer::envelope(std::span<const double> block, double rate, Band band) {
    const std::size_t length = smooth_length(block.size());
    const double bin = rate / static_cast<double>(length);
    block_.assign(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(length));
    spectrum_.resize(length);
    plans_->of(length).forward.transform(block_.data(), spectrum_.data());
    for (std::size_t k = 0; k < length; ++k) {
        const double f = static_cast<double>(k) * bin;
        if (2 * k > length || f < band.low || f > band.high) spectrum_[k] = 0;
    }
    plans_->of(length).inverse.transform(spectrum_.data(), block_.data());
    double sum = 0;
    for (auto& x : block_) {
        x = std::norm(x);
        sum += x.real();
    }
    for (auto& x : block_) x -= sum / static_cast<double>(length);
    transform_windowed(length);
    power_.resize(length / 2 + 1);
    double total = 0;
    for (std::size_t k = 0; k < power_.size(); ++k) {
        power_[k] = std::norm(spectrum_[k]);
        total += power_[k];
    }
    if (!std::isfinite(total)) power_.clear();  // values whose fourth powers leave the range of a double have no lines
    return {power_, sorted_, bin};
}

double SpectrumAnalyzer::Envelope::line(double line, double upto) {
    constexpr std::size_t kDirectCurrent = 2;  // bins that the window spreads the mean over
    constexpr std::size_t kAround = 3;         // bins on either side: the window's main lobe and one
    constexpr double kSlip = 0.015;
    constexpr std::size_t kMultiples = 3;
    const auto bins = static_cast<double>(power_.size());
    const double last = upto / bin_;
    const std::size_t end = last < bins - 1 ? static_cast<std::size_t>(last) + 1 : power_.size();
    if (end < kDirectCurrent + 2) return std::numeric_limits<double>::quiet_NaN();
    sorted_.assign(power_.begin() + kDirectCurrent, power_.begin() + static_cast<std::ptrdiff_t>(end));
    const auto middle = sorted_.begin() + static_cast<std::ptrdiff_t>(sorted_.size() / 2);
    std::nth_element(sorted_.begin(), middle, sorted_.end());
    if (*middle == 0) return 0;
    double sum = 0;
    for (std::size_t multiple = 1; multiple <= kMultiples; ++multiple) {
        const double center = static_cast<double>(multiple) * line / bin_;
        if (!(center < bins)) break;
        const auto low = static_cast<std::size_t>(std::min(std::floor(center), std::round(center * (1 - kSlip))));
        const auto high = static_cast<std::size_t>(std::max(std::ceil(center), std::round(center * (1 + kSlip))));
        if (low < kDirectCurrent + 1 || high + 1 + kAround > power_.size()) continue;
        const auto at = [this](std::size_t k) { return power_.begin() + static_cast<std::ptrdiff_t>(k); };
        const double peak = *std::max_element(at(low), at(high + 1));
        const std::size_t before = low - std::min(low, kAround);
        const double left = *std::max_element(at(before), at(low));
        const double right = *std::max_element(at(high + 1), at(high + 1 + kAround));
        if (peak >= std::max(left, right)) sum += peak;
    }
    return sum / static_cast<double>(kMultiples) / *middle;
}

}  // namespace sluice::rules

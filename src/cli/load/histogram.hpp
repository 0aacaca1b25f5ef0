// A histogram of durations with a fixed relative precision: the idea of HdrHistogram (Tene), logarithmic buckets cut into linear parts.
#pragma once

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace sluice::load {

/// Nanoseconds from 0 to 2^40 (18 minutes; longer ones count as that, max() stays exact). Values read back are at most 1/64 above the true
/// ones. 18 KiB.
class Histogram {
public:
    Histogram() : counts_(kRows * kParts) {}

    void record(std::chrono::nanoseconds value) {
        const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0));
        ++counts_[slot(std::min(ns, kLargest))];
        ++count_;
        max_ = std::max(max_, ns);
    }

    /// The smallest value that at least this share (0 to 1) of the recorded ones do not pass; 0 when empty.
    [[nodiscard]] std::chrono::nanoseconds quantile(double share) const {
        if (count_ == 0) return {};
        const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(share * static_cast<double>(count_) + 0.999999));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen >= wanted) return std::chrono::nanoseconds(std::min(upper(i), max_));
        }
        return max();
    }
    [[nodiscard]] std::chrono::nanoseconds max() const { return std::chrono::nanoseconds(max_); }
    [[nodiscard]] std::uint64_t count() const { return count_; }
    void clear() {
        std::fill(counts_.begin(), counts_.end(), 0);
        count_ = 0;
        max_ = 0;
    }

private:
    static constexpr unsigned kPartBits = 6;
    static constexpr std::size_t kParts = std::size_t{1} << kPartBits;
    static constexpr unsigned kLargestBits = 40;
    static constexpr std::uint64_t kLargest = (std::uint64_t{1} << kLargestBits) - 1;
    static constexpr std::size_t kRows = kLargestBits - kPartBits + 1;

    /// Row 0 is linear below kParts; row r holds [kParts·2^(r-1), kParts·2^r) in kParts parts of 2^(r-1).
    static std::size_t slot(std::uint64_t ns) {
        if (ns < kParts) return ns;
        const auto row = static_cast<unsigned>(std::bit_width(ns)) - kPartBits;
        return row * kParts + ((ns >> (row - 1)) - kParts);
    }
    static std::uint64_t upper(std::size_t index) {
        const std::size_t row = index / kParts;
        if (row == 0) return index;
        return ((index % kParts + kParts + 1) << (row - 1)) - 1;
    }

    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

/// `{"count":…,"p50":…,"p99":…,"p99_9":…,"max":…}` in milliseconds; `null` when empty.
[[nodiscard]] std::string to_json(const Histogram& histogram);

}  // namespace sluice::load

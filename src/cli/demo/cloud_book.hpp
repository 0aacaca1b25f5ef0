// What the cloud has stored, read page by page from its API and held against what must be there.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "cli/load/alert_book.hpp"
#include "cli/plant/plant.hpp"

namespace sluice::demo {

/// Events of one class in the order in which the cloud stored them. A gateway numbers them 1, 2, 3, … in one epoch.
struct ClassBook {
    std::uint64_t events = 0;
    std::uint64_t repeated = 0;  ///< with a sequence number that was there before, or older than one before
    std::uint64_t missing = 0;   ///< numbers that were jumped over
    std::uint64_t epochs = 0;
    friend bool operator==(const ClassBook&, const ClassBook&) = default;
};

/// One gateway's events. One thread.
class CloudBook {
public:
    /// Takes the body of GET /api/v1/events. Returns `next`: what to pass as `after` for the next page; nothing after the last one.
    /// Errors: malformed.
    base::Result<std::optional<std::uint64_t>> add_page(std::string_view body);

    [[nodiscard]] const std::map<std::string, ClassBook, std::less<>>& classes() const { return classes_; }
    [[nodiscard]] const load::AlertBook& alerts() const { return alerts_; }

    /// The averages and samples against the plant, run again. `wrong` counts events with another value than the readings give, or of a
    /// device or reading that does not exist.
    struct Contents {
        std::uint64_t averages_expected = 0;
        std::uint64_t samples_expected = 0;
        std::uint64_t averages_wrong = 0;
        std::uint64_t samples_wrong = 0;
    };
    [[nodiscard]] Contents check_contents(const plant::Options& options, const std::vector<std::uint32_t>& published) const;

private:
    struct Average {
        double value;
        std::uint64_t samples;
    };
    std::map<std::string, ClassBook, std::less<>> classes_;
    std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> last_;  // by class and epoch
    load::AlertBook alerts_;
    std::map<std::uint32_t, std::vector<Average>> averages_;       // by sensor, in the cloud's order
    std::map<std::uint32_t, std::vector<std::uint64_t>> samples_;  // by sensor: sequence numbers
    std::uint64_t strange_averages_ = 0;
    std::uint64_t strange_samples_ = 0;
};

}  // namespace sluice::demo

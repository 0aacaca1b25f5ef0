// The numbers of a JSON array as floats: what functions of arrays and of waveforms work on.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace sluice::rules {

/// Owned by one thread; its buffer is reused, so that nothing is allocated per array once it has its size.
class NumberArray {
public:
    /// All elements of `raw`, the text of a valid JSON document (json::Kind::raw). nullopt: it is an object, or an element is no number
    /// (null, text, a nested array, 1e999). Valid until the next call. The span may be changed by who asked for it.
    [[nodiscard]] std::optional<std::span<double>> read(std::string_view raw);
    /// Were all elements of the last array whole numbers, without a point and an exponent?
    [[nodiscard]] bool all_whole() const { return all_whole_; }

private:
    std::vector<double> numbers_;
    bool all_whole_ = true;
};

}  // namespace sluice::rules

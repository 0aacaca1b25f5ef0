// Stateful functions and aggregates, each computed from all its values, every time anew.
#pragma once

#include <string>
#include <vector>

#include "datum.hpp"

namespace sluice::rules::plain {

/// The numbers and texts that a call has beside its value: n of zscore, a of ewma, p of percentile, …
using Parameters = std::vector<Datum>;

/// A stateful function at its last value: `values` are those of all readings of the key, the present one included.
[[nodiscard]] Datum stateful(const std::string& function, const std::vector<Datum>& values, const Parameters& parameters);

/// An aggregate over these values. `rows`: count(*).
[[nodiscard]] Datum aggregate(const std::string& function, const std::vector<Datum>& values, bool rows, const Parameters& parameters);

/// agg(x) OVER (ROWS n PRECEDING): over the last n + 1 of the values that it takes. NULL where it does not take the present one.
[[nodiscard]] Datum over_rows(const std::string& function, const std::vector<Datum>& values, bool rows, std::size_t preceding,
                              const Parameters& parameters);

}  // namespace sluice::rules::plain

// Rules and readings from bytes: the same bytes give the same case; any bytes give a good one.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "interpreter.hpp"

namespace sluice::rules::plain {

struct Case {
    std::vector<std::string> rules;  ///< SQL, all over topic t, with parts in common
    std::vector<Row> rows;
};

[[nodiscard]] Case make_case(std::span<const std::uint8_t> bytes);

/// The row as a payload, with its time of arrival as ts.
[[nodiscard]] std::string payload_of(const Row& row);

}  // namespace sluice::rules::plain

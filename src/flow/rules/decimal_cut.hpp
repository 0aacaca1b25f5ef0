// Numbers cut behind the point as they are written in decimals: what round, trunc and format mean by halfway.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace sluice::rules {

/// Room for the digits of any float: 1 to 309 before the point, or up to 342 behind it, and a carry.
using DecimalRoom = std::array<char, 400>;

enum class Cut : char { to_nearest = '5', towards_zero = ':' };  ///< the least digit that, cut off, counts up; ':' is behind '9'

/// The digits of the shortest decimal number that stands for |v|, finite, with at most so many behind the point: 1.005 cut to two is 1.01,
/// though the float is below. Halves go up. There is at least one digit before the point, and no 0 before another. Lies in the room.
[[nodiscard]] std::string_view cut_decimal(double v, std::size_t digits, Cut cut, DecimalRoom& room);

}  // namespace sluice::rules

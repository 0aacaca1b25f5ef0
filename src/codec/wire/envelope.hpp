// The first four bytes of every message: docs/formats/wire.md, "Batch".
#pragma once

#include <array>

#include "base/bytes.hpp"

namespace sluice::wire {

inline constexpr std::array<base::Byte, 2> kMagic{'S', 'L'};
inline constexpr base::Byte kFlagCompressed = 1;

}  // namespace sluice::wire

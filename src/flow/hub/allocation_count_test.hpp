// For tests: how often the program has called operator new.
#pragma once

#include <cstddef>

namespace sluice::hub::test {

[[nodiscard]] std::size_t allocations_so_far();

}  // namespace sluice::hub::test

// For tests: how often the program has called operator new.
#pragma once

#include <cstddef>

namespace sluice::hub::test {

[[nodiscard]] std::size_t allocations_so_far();
/// What `new` has given and not got back, with the allocator's own part.
[[nodiscard]] std::size_t bytes_in_use();

}  // namespace sluice::hub::test

// How much memory this process has.
#pragma once

#include <cstdint>

namespace sluice::posix {

struct ProcessMemory {
    std::uint64_t resident = 0;  ///< bytes in memory now
    std::uint64_t peak = 0;      ///< the most that there ever were
};

/// As the kernel counts. Any thread; takes some microseconds. Zeroes where it does not tell.
[[nodiscard]] ProcessMemory process_memory();

}  // namespace sluice::posix

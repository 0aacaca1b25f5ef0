// What the machine gives a process.
#pragma once

#include <cstdint>

namespace sluice::posix {

/// Bytes of memory of the machine, or of the control group (cgroup v2) that the process is in if that has less. 0: nobody says.
[[nodiscard]] std::uint64_t machine_memory();

/// From now on large blocks (128 KiB and more) go back to the system when they are freed. glibc raises its threshold up to 32 MiB
/// otherwise, and memory that bursts of large buffers took would stay with the process.
void return_large_blocks();

}  // namespace sluice::posix

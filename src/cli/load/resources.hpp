// What a run needs from the operating system and what a process has used.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include <sys/types.h>

#include "base/error.hpp"

namespace sluice::load {

/// Raises this process's limit of open files (RLIMIT_NOFILE) so that `connections` sockets fit beside its own files.
/// Errors: limit, when the hard limit is lower; `open_files_max()` says how low.
[[nodiscard]] base::Status allow_connections(std::uint32_t connections);
[[nodiscard]] std::uint64_t open_files_max();

struct ProcessUse {
    std::chrono::nanoseconds cpu{};  ///< user and system, all threads, ended ones too (CPU clock of the process)
    std::uint64_t memory_peak = 0;   ///< bytes (VmHWM)
    std::uint64_t memory = 0;        ///< bytes now (VmRSS)
    std::uint32_t threads = 0;
};
/// Errors: not_found (no such process). Without /proc memory and threads stay 0.
[[nodiscard]] base::Result<ProcessUse> process_use(pid_t process);
/// Of all of them together; one that is gone counts as nothing.
[[nodiscard]] ProcessUse process_use(std::span<const pid_t> processes);

}  // namespace sluice::load

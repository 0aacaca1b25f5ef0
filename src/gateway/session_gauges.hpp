// What the session thread tells the others. One writer, relaxed atomics.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice::gateway {

struct SessionGauges {
    std::atomic<std::uint64_t> commits{0}, commit_failures{0}, rows_written{0}, rows_removed{0}, rows_spared{0}, degraded{0};
    // Of the last start
    std::atomic<std::uint64_t> sessions_loaded{0}, rows_unreadable{0}, deliveries_lost{0}, sessions_lost{0}, damaged{0};
};

}  // namespace sluice::gateway

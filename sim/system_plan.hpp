// What one seed means: how much happens, and what goes wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "sim/disk.hpp"
#include "sim/network.hpp"

namespace sluice::sim {

struct SystemPlan {
    std::uint64_t seed = 0;
    // Load
    std::uint32_t events = 100;
    std::chrono::nanoseconds length = std::chrono::seconds(10);  ///< of the time in which events are made and faults happen
    std::uint32_t event_bytes_max = 300;
    // Gateway
    std::uint64_t spool_bytes_max = 64U << 20;
    std::chrono::milliseconds time_to_live{0};  ///< of all classes; 0: for ever
    std::uint32_t in_flight = 16;
    std::uint32_t batch_events_max = 100;
    std::uint32_t drain_rate = 0;
    std::chrono::milliseconds commit_delay_max{20};
    std::uint32_t gateway_kills = 0;   ///< kill -9 at random moments
    std::uint32_t gateway_cuts = 0;    ///< of power, at random moments
    std::uint32_t gateway_deaths = 0;  ///< of power, in the middle of a random disk operation
    std::uint32_t clean_stops = 0;
    DiskFaults disk;
    std::uint64_t disk_bytes_max = UINT64_MAX;  ///< the disk itself is full there, below the spool's own limit
    std::uint32_t disk_outages = 0;             ///< for a while nothing can be written
    std::uint32_t clock_jumps = 0;
    // Cloud
    std::chrono::milliseconds store_delay_max{20};
    std::uint32_t cloud_kills = 0;
    std::uint32_t store_failures = 0;  ///< calls of the store that fail; commits among them before or after they took effect
    // Between
    NetworkFaults network;
    std::uint32_t network_cuts = 0;
    std::uint32_t network_resets = 0;

    /// Nothing in this plan may cost an event: no limit can be reached, no medium fails.
    [[nodiscard]] bool lossless() const;
    /// Calls of the disk may fail at random.
    [[nodiscard]] bool may_fail() const;
    [[nodiscard]] std::string describe() const;
};

[[nodiscard]] SystemPlan plan_of_seed(std::uint64_t seed);

}  // namespace sluice::sim

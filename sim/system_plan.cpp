#include "sim/system_plan.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace sluice::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

SystemPlan plan_of_seed(std::uint64_t seed) {
    Random random(seed ^ 0x5e1f5eed);
    SystemPlan plan;
    plan.seed = seed;
    plan.events = static_cast<std::uint32_t>(random.between(20, random.chance(1, 10) ? 2'000 : 300));
    plan.length = milliseconds(random.between(500, random.chance(1, 4) ? 120'000 : 20'000));
    plan.event_bytes_max = random.chance(1, 4) ? 8'000 : 300;
    if (random.chance(1, 4)) {  // a disk too small for what comes
        plan.spool_bytes_max = 1U << 20;
        plan.event_bytes_max = static_cast<std::uint32_t>(random.between(8'000, 60'000));
    }
    if (random.chance(1, 6)) plan.time_to_live = milliseconds(random.between(500, 10'000));
    plan.in_flight = static_cast<std::uint32_t>(random.between(2, 16));
    plan.batch_events_max = static_cast<std::uint32_t>(random.chance(1, 3) ? random.between(1, 5) : random.between(1, 200));
    plan.drain_rate = random.chance(1, 4) ? static_cast<std::uint32_t>(random.between(20, 1'000)) : 0;
    plan.commit_delay_max = milliseconds(random.between(0, 50));
    if (random.chance(2, 3)) {
        plan.gateway_kills = static_cast<std::uint32_t>(random.below(4));
        plan.gateway_cuts = static_cast<std::uint32_t>(random.below(4));
        plan.gateway_deaths = static_cast<std::uint32_t>(random.below(5));
    }
    plan.clean_stops = random.chance(1, 4) ? 1 : 0;
    if (random.chance(1, 6)) {
        plan.disk = {.write = static_cast<std::uint32_t>(random.below(20'000)),
                     .read = static_cast<std::uint32_t>(random.below(20'000)),
                     .sync = static_cast<std::uint32_t>(random.below(20'000)),
                     .other = static_cast<std::uint32_t>(random.below(20'000))};
    }
    if (random.chance(1, 8)) {
        plan.disk_bytes_max = random.between(1U << 20, 3U << 20);
        plan.event_bytes_max = static_cast<std::uint32_t>(random.between(2'000, 60'000));
    }
    if (random.chance(1, 8)) plan.disk_outages = static_cast<std::uint32_t>(random.between(1, 3));
    if (random.chance(1, 6)) plan.clock_jumps = static_cast<std::uint32_t>(random.between(1, 4));
    plan.store_delay_max = milliseconds(random.between(0, 100));
    if (random.chance(1, 2)) plan.cloud_kills = static_cast<std::uint32_t>(random.below(5));
    if (random.chance(1, 3)) plan.store_failures = static_cast<std::uint32_t>(random.between(1, 5));
    plan.network.latency_max = milliseconds(random.between(0, random.chance(1, 4) ? 2'000 : 50));
    if (random.chance(1, 2)) plan.network.reset_per_mille = static_cast<std::uint32_t>(random.below(800));
    if (random.chance(1, 4)) plan.network.half_open_per_mille = static_cast<std::uint32_t>(random.below(300));
    if (random.chance(1, 8)) plan.network.bytes_per_second = static_cast<std::uint32_t>(random.between(20'000, 200'000));
    if (random.chance(1, 2)) plan.network_cuts = static_cast<std::uint32_t>(random.below(4));
    if (random.chance(1, 2)) plan.network_resets = static_cast<std::uint32_t>(random.below(10));
    return plan;
}

bool SystemPlan::may_fail() const { return disk.write + disk.read + disk.sync + disk.other != 0; }

bool SystemPlan::lossless() const {
    const bool fits = static_cast<std::uint64_t>(events) * (event_bytes_max + 200) < std::min(spool_bytes_max, disk_bytes_max) / 4;
    const bool disk_fails = may_fail() || disk_outages != 0 || disk_bytes_max != UINT64_MAX;
    return fits && time_to_live.count() == 0 && !disk_fails;
}

std::string SystemPlan::describe() const {
    return fmt::format(
        "{} events of up to {} bytes in {:.1f} s; spool {} KiB, ttl {} ms; gateway: {} kills, {} power cuts, {} deaths in a disk "
        "operation, {} stops, "
        "{} clock jumps; disk of {} KiB (0: any), {} outages; disk faults in millionths: write {}, read {}, sync {}, other {}; cloud: {} "
        "kills, {} failing calls; network: "
        "latency {} ms, resets {} per "
        "mille, half-open {} per mille, {} cuts, {} resets of all",
        events, event_bytes_max, std::chrono::duration<double>(length).count(), spool_bytes_max / 1024, time_to_live.count(), gateway_kills,
        gateway_cuts, gateway_deaths, clean_stops, clock_jumps, disk_bytes_max == UINT64_MAX ? 0 : disk_bytes_max / 1024, disk_outages,
        disk.write, disk.read, disk.sync, disk.other, cloud_kills, store_failures,
        std::chrono::duration_cast<milliseconds>(network.latency_max).count(), network.reset_per_mille, network.half_open_per_mille,
        network_cuts, network_resets);
}

}  // namespace sluice::sim

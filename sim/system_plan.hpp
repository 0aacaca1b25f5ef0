// What one seed means: how much happens, and what goes wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/disk.hpp"
#include "sim/network.hpp"

namespace sluice::sim {

/// What kind of run a seed is of. A seed means something else in each.
enum class Family : std::uint8_t {
    mixed,     ///< seconds to minutes under load; power, disk, cloud and network fail at any moment
    rough,     ///< the same, and media and clocks that lie, lost disks, a cloud from an old backup, two gateways with one id
    lasting,   ///< weeks to a year of slow events, outages of days; timers that only chatter are slower (see SystemPlan)
    stateful,  ///< seconds to minutes with rule state and its journal; up to a hundred short lives, each ended by power or kill -9
};
[[nodiscard]] std::string_view name(Family family);
[[nodiscard]] std::optional<Family> family_named(std::string_view name);

struct SystemPlan {
    std::uint64_t seed = 0;
    Family family = Family::mixed;
    std::uint32_t salt = 0;  ///< other moments for the same faults: shrinking varies it
    // Load
    std::uint32_t events = 100;
    std::chrono::milliseconds length{10'000};  ///< of the time in which events are made and faults happen
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
    std::uint32_t rule_state = 0;                        ///< of ten readings so many move the state of a rule; 0: no rule has any
    std::chrono::milliseconds checkpoint_every{1'000};   ///< of rule state
    std::chrono::milliseconds gateway_pause_max{3'000};  ///< until it starts again
    DiskFaults disk;
    std::uint64_t disk_bytes_max = UINT64_MAX;   ///< the disk itself is full there, below the spool's own limit
    std::uint32_t disk_outages = 0;              ///< for a while nothing can be written
    std::uint32_t disk_rot = 0;                  ///< bits that flip in what lies on the medium
    std::uint32_t disk_losses = 0;               ///< the machine comes back with an empty disk
    std::chrono::milliseconds disk_slow_max{0};  ///< a commit may take so long
    std::uint32_t clock_jumps = 0;               ///< anywhere within 60 years
    std::uint32_t clock_tricks = 0;              ///< 1970, −50 years, ±1 h, a leap second, and back
    std::uint32_t twins = 0;                     ///< 1: a second gateway with the same id and a disk of its own
    // Cloud
    std::chrono::milliseconds store_delay_max{20};
    std::uint32_t cloud_kills = 0;
    std::chrono::milliseconds cloud_pause_max{5'000};
    std::uint32_t store_failures = 0;  ///< calls of the store that fail; commits among them before or after they took effect
    std::uint32_t cloud_restores = 0;  ///< it comes back with a backup of an earlier moment
    // Between
    NetworkFaults network;
    std::uint32_t network_cuts = 0;
    std::uint32_t network_resets = 0;
    std::uint32_t name_failures = 0;               ///< for a while no new connection can be made; the ones there are go on
    std::chrono::milliseconds outage_max{10'000};  ///< of the network, of names, of the disk
    // Timers that only chatter. The product's own in families mixed and rough; slower in family lasting, so that idle weeks cost little.
    std::chrono::milliseconds maintain_every{1'000};
    std::chrono::milliseconds status_every{5'000};
    std::chrono::milliseconds keep_alive{30'000};
    std::chrono::milliseconds retry_max{30'000};

    /// What may cost an event in this plan: nothing else is accepted as the reason of a drop.
    [[nodiscard]] bool may_reach_spool_limit() const;
    [[nodiscard]] bool may_reach_disk_limit() const;
    [[nodiscard]] bool medium_lies() const { return disk_rot != 0 || disk.misdirected != 0; }
    /// Calls of the disk may fail at random.
    [[nodiscard]] bool may_fail() const;
    [[nodiscard]] std::string describe() const;
};

[[nodiscard]] SystemPlan plan_of_seed(std::uint64_t seed, Family family = Family::mixed);

/// A number of a plan that can be set by name; durations in milliseconds.
struct PlanField {
    std::string_view name;
    std::uint64_t (*get)(const SystemPlan&);
    void (*set)(SystemPlan&, std::uint64_t);
    std::uint64_t calm;  ///< the value with which it does no harm
};
[[nodiscard]] std::span<const PlanField> plan_fields();

}  // namespace sluice::sim

// Families of plans: what a seed means in each, and the names of a plan's numbers.
#include "sim/system_plan.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace sluice::sim {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

std::uint32_t up_to(Random& random, std::uint64_t most) { return static_cast<std::uint32_t>(random.below(most + 1)); }

/// The order of the draws gives old seeds their meaning: new faults go into another family, or to the end.
SystemPlan mixed_plan(Random random) {
    SystemPlan plan;
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

/// Faults that no honest machine has, each in a part of the seeds.
SystemPlan rough_plan(Random random) {
    auto plan = mixed_plan(random.fork());
    if (random.chance(1, 4)) plan.disk.misdirected = up_to(random, 20'000);
    if (random.chance(1, 4)) plan.disk_rot = 1;  // two at once can take both places where something stands
    if (random.chance(1, 6)) plan.disk_losses = 1 + up_to(random, 1);
    if (random.chance(1, 4)) plan.disk_slow_max = milliseconds(random.between(10, random.chance(1, 4) ? 30'000 : 1'000));
    if (random.chance(1, 3)) {
        plan.clock_jumps = 0;
        plan.clock_tricks = 1 + up_to(random, 4);
        if (random.chance(2, 3)) plan.time_to_live = milliseconds(random.between(20'000, 600'000));
    }
    if (random.chance(1, 4)) plan.name_failures = 1 + up_to(random, 3);
    if (random.chance(1, 5)) plan.cloud_restores = 1 + up_to(random, 1);
    if (random.chance(1, 6)) plan.twins = 1;
    if (random.chance(1, 6)) plan.disk = {.sync = up_to(random, 100'000), .misdirected = plan.disk.misdirected};
    return plan;
}

/// A site with few events, months long: outages of days, a disk that is small for them, restarts now and then.
SystemPlan lasting_plan(Random random) {
    SystemPlan plan;
    const auto days = random.between(20, random.chance(1, 4) ? 365 : 120);
    plan.length = hours(24 * days);
    plan.events = static_cast<std::uint32_t>(random.between(1, random.chance(1, 8) ? 20 : 4) * days);
    plan.event_bytes_max = random.chance(1, 4) ? 4'000 : 200;
    if (random.chance(1, 4)) {
        plan.spool_bytes_max = 1U << 20;
        plan.event_bytes_max = static_cast<std::uint32_t>(random.between(4'000, 30'000));
    }
    if (random.chance(1, 4)) plan.time_to_live = hours(random.between(6, 24 * 14));
    plan.in_flight = static_cast<std::uint32_t>(random.between(2, 16));
    plan.gateway_kills = up_to(random, days / 20);
    plan.gateway_cuts = up_to(random, days / 20);
    plan.gateway_deaths = up_to(random, days / 20);
    plan.clean_stops = up_to(random, 3);
    plan.gateway_pause_max = random.chance(1, 3) ? milliseconds(hours(24 * 5)) : milliseconds(minutes(5));
    if (random.chance(1, 8)) plan.disk = {.write = up_to(random, 5'000), .read = up_to(random, 5'000), .sync = up_to(random, 5'000)};
    if (random.chance(1, 8)) plan.disk_outages = 1 + up_to(random, 2);
    if (random.chance(1, 8)) plan.disk_slow_max = seconds(random.between(1, 30));
    if (random.chance(1, 10)) plan.disk_losses = 1;
    if (random.chance(1, 4)) plan.clock_tricks = 1 + up_to(random, 4);
    plan.cloud_kills = up_to(random, days / 20);
    plan.cloud_pause_max = random.chance(1, 3) ? milliseconds(hours(24 * 3)) : milliseconds(minutes(10));
    if (random.chance(1, 3)) plan.store_failures = 1 + up_to(random, 5);
    if (random.chance(1, 10)) plan.cloud_restores = 1;
    plan.network.latency_max = milliseconds(random.between(5, random.chance(1, 4) ? 3'000 : 100));
    if (random.chance(1, 2)) plan.network.reset_per_mille = up_to(random, 300);
    if (random.chance(1, 3)) plan.network.half_open_per_mille = up_to(random, 300);
    plan.network_cuts = up_to(random, days / 10);
    plan.network_resets = up_to(random, days / 5);
    if (random.chance(1, 4)) plan.name_failures = up_to(random, days / 20);
    plan.outage_max = hours(random.between(1, random.chance(1, 3) ? 24 * 21 : 48));
    plan.maintain_every = minutes(random.between(60, 240));
    plan.status_every = hours(random.between(6, 24));
    plan.keep_alive = minutes(random.between(60, 240));
    plan.retry_max = minutes(random.between(20, 120));
    return plan;
}

/// A gateway with rule state on a machine whose power fails again and again, often before it has lived for a second: what is only tidied up
/// now and then piles up.
SystemPlan stateful_plan(Random random) {
    SystemPlan plan;
    plan.rule_state = static_cast<std::uint32_t>(random.between(1, 10));
    plan.events = static_cast<std::uint32_t>(random.between(50, random.chance(1, 4) ? 3'000 : 600));
    plan.length = milliseconds(random.between(2'000, random.chance(1, 4) ? 120'000 : 30'000));
    plan.checkpoint_every = milliseconds(random.chance(1, 3) ? random.between(50, 1'000) : random.between(1'000, 300'000));
    if (random.chance(1, 2)) {  // commits of several blocks: a segment is a 64th of the spool, a block a quarter of that
        plan.spool_bytes_max = random.between(1U << 20, 8U << 20);
        plan.event_bytes_max = static_cast<std::uint32_t>(plan.spool_bytes_max / 150);
        plan.events = std::min(plan.events, 60U);
    }
    plan.commit_delay_max = milliseconds(random.between(0, random.chance(1, 2) ? 1'000 : 50));
    const std::uint64_t lives = random.chance(1, 2) ? 10 : 100;
    plan.gateway_kills = up_to(random, lives / 2);
    plan.gateway_cuts = up_to(random, lives);
    plan.gateway_deaths = up_to(random, lives);
    plan.clean_stops = up_to(random, 1);
    plan.gateway_pause_max = milliseconds(random.between(1, 300));
    plan.in_flight = static_cast<std::uint32_t>(random.between(2, 16));
    plan.batch_events_max = static_cast<std::uint32_t>(random.between(1, 200));
    plan.store_delay_max = milliseconds(random.between(0, 100));
    plan.network.latency_max = milliseconds(random.between(0, 50));
    if (random.chance(1, 2)) plan.network_cuts = up_to(random, 4);
    plan.outage_max = milliseconds(random.between(100, 10'000));
    if (random.chance(1, 4)) plan.disk_outages = up_to(random, 3);
    if (random.chance(1, 4)) plan.disk.sync = static_cast<std::uint32_t>(random.between(1, 5'000));
    if (random.chance(1, 4)) plan.disk.write = static_cast<std::uint32_t>(random.between(1, 1'000));
    return plan;
}

constexpr std::array<std::string_view, 4> kFamilyNames{"mixed", "rough", "lasting", "stateful"};

template <auto Member>
constexpr PlanField count(std::string_view name, std::uint64_t calm = 0) {
    return {
        name, [](const SystemPlan& plan) { return static_cast<std::uint64_t>(plan.*Member); },
        [](SystemPlan& plan, std::uint64_t value) { plan.*Member = static_cast<std::remove_reference_t<decltype(plan.*Member)>>(value); },
        calm};
}
template <auto Member>
constexpr PlanField time(std::string_view name, std::uint64_t calm = 0) {
    return {name, [](const SystemPlan& plan) { return static_cast<std::uint64_t>((plan.*Member).count()); },
            [](SystemPlan& plan, std::uint64_t value) { plan.*Member = milliseconds(value); }, calm};
}
template <auto Member>
constexpr PlanField disk_rate(std::string_view name) {
    return {name, [](const SystemPlan& plan) { return static_cast<std::uint64_t>(plan.disk.*Member); },
            [](SystemPlan& plan, std::uint64_t value) { plan.disk.*Member = static_cast<std::uint32_t>(value); }, 0};
}
template <auto Member>
constexpr PlanField network_rate(std::string_view name) {
    return {name, [](const SystemPlan& plan) { return static_cast<std::uint64_t>(plan.network.*Member); },
            [](SystemPlan& plan, std::uint64_t value) { plan.network.*Member = static_cast<std::uint32_t>(value); }, 0};
}

/// In the order in which shrinking tries them: whole kinds of faults first, then sizes.
constexpr std::array kFields{
    count<&SystemPlan::twins>("twins"),
    count<&SystemPlan::cloud_restores>("cloud_restores"),
    count<&SystemPlan::cloud_kills>("cloud_kills"),
    count<&SystemPlan::store_failures>("store_failures"),
    count<&SystemPlan::network_cuts>("network_cuts"),
    count<&SystemPlan::network_resets>("network_resets"),
    count<&SystemPlan::name_failures>("name_failures"),
    network_rate<&NetworkFaults::reset_per_mille>("reset_per_mille"),
    network_rate<&NetworkFaults::half_open_per_mille>("half_open_per_mille"),
    network_rate<&NetworkFaults::bytes_per_second>("bytes_per_second"),
    count<&SystemPlan::gateway_kills>("gateway_kills"),
    count<&SystemPlan::gateway_cuts>("gateway_cuts"),
    count<&SystemPlan::gateway_deaths>("gateway_deaths"),
    count<&SystemPlan::clean_stops>("clean_stops"),
    count<&SystemPlan::rule_state>("rule_state"),
    time<&SystemPlan::checkpoint_every>("checkpoint_every", 1'000),
    disk_rate<&DiskFaults::write>("disk_write"),
    disk_rate<&DiskFaults::read>("disk_read"),
    disk_rate<&DiskFaults::sync>("disk_sync"),
    disk_rate<&DiskFaults::other>("disk_other"),
    disk_rate<&DiskFaults::misdirected>("disk_misdirected"),
    count<&SystemPlan::disk_outages>("disk_outages"),
    count<&SystemPlan::disk_rot>("disk_rot"),
    count<&SystemPlan::disk_losses>("disk_losses"),
    time<&SystemPlan::disk_slow_max>("disk_slow_max"),
    count<&SystemPlan::clock_jumps>("clock_jumps"),
    count<&SystemPlan::clock_tricks>("clock_tricks"),
    time<&SystemPlan::time_to_live>("time_to_live"),
    count<&SystemPlan::drain_rate>("drain_rate"),
    count<&SystemPlan::disk_bytes_max>("disk_bytes_max", UINT64_MAX),
    count<&SystemPlan::events>("events", 1),
    count<&SystemPlan::event_bytes_max>("event_bytes_max", 1),
    time<&SystemPlan::length>("length", 500),
    time<&SystemPlan::store_delay_max>("store_delay_max"),
    time<&SystemPlan::commit_delay_max>("commit_delay_max"),
    PlanField{"latency_max",
              [](const SystemPlan& plan) {
                  return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(plan.network.latency_max).count());
              },
              [](SystemPlan& plan, std::uint64_t value) { plan.network.latency_max = milliseconds(value); }, 0},
    count<&SystemPlan::spool_bytes_max>("spool_bytes_max", 64U << 20),
    time<&SystemPlan::gateway_pause_max>("gateway_pause_max", 1'000),
    time<&SystemPlan::cloud_pause_max>("cloud_pause_max", 1'000),
    time<&SystemPlan::outage_max>("outage_max", 1'000),
    count<&SystemPlan::in_flight>("in_flight", 2),
    count<&SystemPlan::batch_events_max>("batch_events_max", 1),
    count<&SystemPlan::salt>("salt"),
};

}  // namespace

std::string_view name(Family family) { return kFamilyNames[static_cast<std::size_t>(family)]; }

std::optional<Family> family_named(std::string_view name) {
    const auto found = std::find(kFamilyNames.begin(), kFamilyNames.end(), name);
    if (found == kFamilyNames.end()) return std::nullopt;
    return static_cast<Family>(found - kFamilyNames.begin());
}

SystemPlan plan_of_seed(std::uint64_t seed, Family family) {
    auto plan = family == Family::mixed      ? mixed_plan(Random(seed ^ 0x5e1f5eed))
                : family == Family::rough    ? rough_plan(Random(seed ^ 0x2064))
                : family == Family::stateful ? stateful_plan(Random(seed ^ 0x57a7e))
                                             : lasting_plan(Random(seed ^ 0x1a57));
    plan.seed = seed;
    plan.family = family;
    return plan;
}

std::span<const PlanField> plan_fields() { return kFields; }

bool SystemPlan::may_fail() const { return disk.write + disk.read + disk.sync + disk.other != 0; }

bool SystemPlan::may_reach_spool_limit() const {
    return std::uint64_t{events} * (std::uint64_t{event_bytes_max} + 200) >= spool_bytes_max / 4;
}

bool SystemPlan::may_reach_disk_limit() const { return disk_bytes_max != UINT64_MAX || may_fail() || disk_outages != 0; }

/// Every number that is not at its calm value, by the names that --set takes.
std::string SystemPlan::describe() const {
    std::string text(sim::name(family));
    for (const auto& field : kFields)
        if (field.get(*this) != field.calm) text += fmt::format(" {}={}", field.name, field.get(*this));
    return text;
}

}  // namespace sluice::sim

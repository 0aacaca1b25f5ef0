#include "sim/system_sim.hpp"

#include <fmt/format.h>

#include "sim/system_check.hpp"
#include "sim/system_cloud.hpp"
#include "sim/system_gateway.hpp"

namespace sluice::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

/// Without faults everything must be in the cloud by then: the longest pause between attempts is half a minute, the slowest link carries
/// the largest spool in a few.
constexpr minutes kDrainMax{60};
/// No simulation needs so many steps; one that does has found a loop.
constexpr std::uint64_t kStepsMax = 20'000'000;

class System {
public:
    System(const SystemPlan& plan, Defect defect)
        : plan_(plan),
          random_(plan.seed ^ 0x5157e3),
          network_(scheduler_, plan.seed ^ 0x2e7),
          gateway_(plan_, defect, scheduler_, network_),
          cloud_(plan_, defect, scheduler_, network_) {
        network_.set_faults(plan_.network);
    }

    SystemResult run() {
        cloud_.boot();
        gateway_.boot();
        schedule_everything();
        const Scheduler::Time end = plan_.length;
        bool finished = run_until(end);
        calm();
        // Every step is looked at, but a system that has drained may still have to hear it: run on until nothing waits.
        while (finished && !gateway_.drained() && gateway_.complaint().empty()) finished = step(end + kDrainMax);
        SystemResult result;
        result.broken = verdict(finished);
        result.events = gateway_.journal().entries().size();
        for (const auto& [id, entry] : gateway_.journal().entries()) result.acked += entry.acked ? 1 : 0;
        result.stored = cloud_.store().committed().events.size();
        result.duplicates = cloud_.counts().duplicates;
        result.gone = cloud_.counts().gone;
        result.resets = network_.resets();
        result.boots = gateway_.boots();
        result.virtual_seconds = std::chrono::duration<double>(scheduler_.now()).count();
        return result;
    }

private:
    std::string verdict(bool finished) {
        if (!gateway_.complaint().empty()) return gateway_.complaint();
        if (!finished) return "the system does not come to rest though nothing fails any more: " + gateway_.describe();
        if (cloud_.refused() != 0) return "the cloud refused a batch: the two ends disagree about the format";
        return find_broken_promise({.plan = plan_, .journal = gateway_.journal(), .store = cloud_.store(), .gateway = gateway_.stats()});
    }

    Scheduler::Time moment() {
        return Scheduler::Time(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(plan_.length.count()))));
    }
    void at_random(std::uint32_t times, const Scheduler::Action& action) {
        for (; times != 0; --times) scheduler_.after(moment(), action);
    }

    void schedule_everything() {
        at_random(plan_.events, [this] { gateway_.produce(); });
        at_random(plan_.gateway_kills, [this] { gateway_.kill(); });
        at_random(plan_.gateway_cuts, [this] { gateway_.cut_power(); });
        at_random(plan_.gateway_deaths, [this] { gateway_.die_in_operation(1 + random_.below(60)); });
        at_random(plan_.clean_stops, [this] { gateway_.stop_cleanly(); });
        at_random(plan_.disk_outages, [this] {
            gateway_.set_disk_dead(true);
            scheduler_.after(milliseconds(random_.below(10'000)), [this] { gateway_.set_disk_dead(false); });
        });
        at_random(plan_.clock_jumps, [this] { gateway_.jump_clock(); });
        at_random(plan_.cloud_kills, [this] { cloud_.kill(); });
        at_random(plan_.store_failures, [this] { cloud_.fail_store(); });
        at_random(plan_.network_resets, [this] { network_.reset_all(); });
        at_random(plan_.network_cuts, [this] {
            network_.set_cut(true);
            scheduler_.after(milliseconds(random_.below(10'000)), [this] { network_.set_cut(false); });
        });
    }

    void calm() {
        auto faults = plan_.network;
        faults.reset_per_mille = 0;
        faults.half_open_per_mille = 0;
        network_.set_faults(faults);
        network_.set_cut(false);
        gateway_.calm();
        cloud_.calm();
    }

    bool step(Scheduler::Time limit) {
        if (++steps_ > kStepsMax) return false;
        return scheduler_.step(limit);
    }
    bool run_until(Scheduler::Time end) {
        while (scheduler_.now() < end)
            if (!step(end)) break;
        return steps_ <= kStepsMax;
    }

    const SystemPlan plan_;
    Scheduler scheduler_;
    Random random_;
    Network network_;
    GatewayMachine gateway_;
    CloudMachine cloud_;
    std::uint64_t steps_ = 0;
};

}  // namespace

SystemResult simulate(const SystemPlan& plan, Defect defect) { return System(plan, defect).run(); }

}  // namespace sluice::sim

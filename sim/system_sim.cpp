#include "sim/system_sim.hpp"

#include <algorithm>
#include <memory>
#include <vector>

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
/// A gateway tries a dead disk ten times a second: longer would only repeat that.
constexpr Scheduler::Time kDiskOutageMax = minutes(10);
/// No simulation needs so many steps; one that does has found a loop.
constexpr std::uint64_t kStepsMax = 20'000'000;

class System {
public:
    System(const SystemPlan& plan, Defect defect)
        : plan_(plan),
          random_(plan.seed ^ 0x5157e3 ^ (std::uint64_t{plan.salt} << 48)),
          network_(scheduler_, plan.seed ^ 0x2e7 ^ (std::uint64_t{plan.salt} << 48)),
          cloud_(plan_, defect, scheduler_, network_) {
        for (std::uint32_t i = 0; i <= std::min(plan_.twins, 1U); ++i)
            gateways_.push_back(std::make_unique<GatewayMachine>(plan_, defect, scheduler_, network_, i));
        network_.set_faults(plan_.network);
    }

    SystemResult run() {
        cloud_.boot();
        for (const auto& gateway : gateways_) gateway->boot();
        schedule_everything();
        const Scheduler::Time end = plan_.length;
        bool finished = run_until(end);
        calm();
        // Every step is looked at, but a system that has drained may still have to hear it: run on until nothing waits.
        const auto limit = end + kDrainMax + 4 * plan_.retry_max + 2 * plan_.keep_alive + 2 * plan_.status_every;
        while (finished && !settled()) finished = step(limit);
        SystemResult result;
        result.verdict = verdict(finished);
        for (const auto& gateway : gateways_) {
            result.events += gateway->journal().entries().size();
            for (const auto& [id, entry] : gateway->journal().entries()) result.acked += entry.acked ? 1 : 0;
            result.boots += gateway->boots();
            result.misdirected += gateway->disk_counts().misdirected;
        }
        result.stored = cloud_.store().committed().events.size();
        result.duplicates = cloud_.counts().duplicates;
        result.gone = cloud_.counts().gone;
        result.resets = network_.resets();
        result.taken_over = cloud_.taken_over();
        for (const auto& [key, rows] : cloud_.undone())
            for (const auto& row : rows) result.undone += row.last - row.first + 1;
        result.steps = steps_;
        result.virtual_seconds = std::chrono::duration<double>(scheduler_.now()).count();
        result.gateway_days = result.virtual_seconds / 86'400 * static_cast<double>(gateways_.size());
        return result;
    }

private:
    [[nodiscard]] bool drained() const {
        return std::all_of(gateways_.begin(), gateways_.end(), [](const auto& gateway) { return gateway->drained(); });
    }
    /// Nothing is left to wait for. Of two gateways with one id the cloud shows now one account, now the other.
    [[nodiscard]] bool settled() const {
        for (const auto& gateway : gateways_)
            if (gateway->verdict().broken()) return true;
        return drained() && (gateways_.size() > 1 ? cloud_.taken_over() != 0 : shows_ledger(cloud_, *gateways_.front()));
    }

    Verdict verdict(bool finished) {
        for (const auto& gateway : gateways_)
            if (gateway->verdict().broken()) return gateway->verdict();
        if (!finished && !drained()) {
            std::string text = "the system does not come to rest though nothing fails any more";
            for (const auto& gateway : gateways_) text += ": " + gateway->describe();
            return {Checker::rest, text};
        }
        if (cloud_.refused() != 0) return {Checker::format, "the cloud refused a batch: the two ends disagree about the format"};
        Evidence evidence{.plan = plan_, .cloud = cloud_, .gateways = {}};
        for (const auto& gateway : gateways_) evidence.gateways.push_back(gateway.get());
        if (auto found = find_broken_promise(evidence); found.broken()) return found;
        if (!finished) return {Checker::ledger, "the cloud does not show the gateway's account: " + ledger_json(gateways_[0]->stats(), {})};
        return {};
    }

    Scheduler::Time moment() {
        return Scheduler::Time(
            static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(std::chrono::nanoseconds(plan_.length).count()))));
    }
    void at_random(std::uint32_t times, const Scheduler::Action& action) {
        for (; times != 0; --times) scheduler_.after(moment(), action);
    }

    /// In the order that gives old seeds their meaning; new faults go to the end.
    void schedule_everything() {
        auto& gateway = *gateways_.front();
        at_random(plan_.events, [&gateway] { gateway.produce(); });
        schedule_deaths(gateway);
        at_random(plan_.disk_outages, [this, &gateway] {
            gateway.set_disk_dead(true);
            scheduler_.after(std::min(outage(), kDiskOutageMax), [&gateway] { gateway.set_disk_dead(false); });
        });
        at_random(plan_.clock_jumps, [&gateway] { gateway.jump_clock(); });
        at_random(plan_.cloud_kills, [this] { cloud_.kill(); });
        at_random(plan_.store_failures, [this] { cloud_.fail_store(); });
        at_random(plan_.network_resets, [this] { network_.reset_all(); });
        at_random(plan_.network_cuts, [this] {
            network_.set_cut(true);
            scheduler_.after(outage(), [this] { network_.set_cut(false); });
        });
        at_random(plan_.name_failures, [this] {
            network_.set_names_fail(true);
            scheduler_.after(outage(), [this] { network_.set_names_fail(false); });
        });
        at_random(plan_.disk_rot, [&gateway] { gateway.rot_disk(); });
        at_random(plan_.disk_losses, [&gateway] { gateway.lose_disk(); });
        at_random(plan_.clock_tricks, [&gateway] { gateway.trick_clock(); });
        for (auto restores = plan_.cloud_restores; restores != 0; --restores) {
            const auto one = moment();
            const auto other = moment();
            scheduler_.after(std::min(one, other), [this] { cloud_.back_up(); });
            scheduler_.after(std::max(one, other), [this] { cloud_.restore(); });
        }
        for (std::size_t i = 1; i < gateways_.size(); ++i) {
            auto& twin = *gateways_[i];
            at_random(plan_.events, [&twin] { twin.produce(); });
            schedule_deaths(twin);
        }
    }

    void schedule_deaths(GatewayMachine& gateway) {
        at_random(plan_.gateway_kills, [&gateway] { gateway.kill(); });
        at_random(plan_.gateway_cuts, [&gateway] { gateway.cut_power(); });
        at_random(plan_.gateway_deaths, [this, &gateway] { gateway.die_in_operation(1 + random_.below(60)); });
        at_random(plan_.clean_stops, [&gateway] { gateway.stop_cleanly(); });
    }

    Scheduler::Time outage() { return milliseconds(random_.below(static_cast<std::uint64_t>(plan_.outage_max.count()))); }

    void calm() {
        auto faults = plan_.network;
        faults.reset_per_mille = 0;
        faults.half_open_per_mille = 0;
        network_.set_faults(faults);
        network_.set_cut(false);
        network_.set_names_fail(false);
        for (const auto& gateway : gateways_) gateway->calm();
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
    CloudMachine cloud_;
    std::vector<std::unique_ptr<GatewayMachine>> gateways_;
    std::uint64_t steps_ = 0;
};

}  // namespace

SystemResult simulate(const SystemPlan& plan, Defect defect) { return System(plan, defect).run(); }

}  // namespace sluice::sim

// A simulated gateway: the real spool and the real uplink on a simulated disk and network. It can die at any moment and starts again.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flow/spool/spool.hpp"
#include "flow/uplink/mqtt_carrier.hpp"
#include "flow/uplink/uplink.hpp"
#include "gateway/spool_sealer.hpp"
#include "sim/disk.hpp"
#include "sim/network.hpp"
#include "sim/system_defect.hpp"
#include "sim/system_defect_files.hpp"
#include "sim/system_journal.hpp"
#include "sim/system_plan.hpp"
#include "sim/system_rule_state.hpp"
#include "sim/system_source.hpp"
#include "sim/system_verdict.hpp"
#include "sim/system_watch.hpp"

namespace sluice::sim {

class GatewayMachine final : public Endpoint, private uplink::Transport, private uplink::StatusSource {
public:
    static constexpr const char* kId = "plant-7";

    /// `number`: 0, or 1 for the twin, which has the same id and everything else of its own.
    GatewayMachine(const SystemPlan& plan, Defect defect, Scheduler& scheduler, Network& network, std::uint32_t number);
    ~GatewayMachine() override;

    void boot();
    [[nodiscard]] bool running() const { return process_ != nullptr; }
    /// A reading arrives that causes an event. Nothing happens where the gateway is down.
    void produce();
    void kill();                             ///< kill -9: the page cache stays
    void cut_power();                        ///< and the page cache is gone; boots again after a while, like after kill()
    void die_in_operation(std::uint64_t n);  ///< power goes in the n-th disk operation from now
    void stop_cleanly();
    void jump_clock();
    void trick_clock();
    void set_disk_dead(bool dead);
    void rot_disk();
    void lose_disk();  ///< the process dies, and comes back on a machine with an empty disk
    /// From now on nothing fails any more.
    void calm();

    /// Everything was told to the cloud and acknowledged.
    [[nodiscard]] bool drained() const;
    [[nodiscard]] spool::Stats stats() const;
    /// For a run that does not come to rest: what waits, and for what.
    [[nodiscard]] std::string describe() const;
    /// Broken when something was wrong that no fault explains.
    [[nodiscard]] const Verdict& verdict() const { return verdict_; }
    [[nodiscard]] const Journal& journal() const { return journal_; }
    [[nodiscard]] const std::vector<ToldGap>& told() const { return told_; }
    [[nodiscard]] std::optional<data::Epoch> epoch() const { return epoch_; }
    [[nodiscard]] std::uint32_t boots() const { return boots_; }
    [[nodiscard]] const DiskCounts& disk_counts() const { return disk_.counts(); }
    /// The wall clock has jumped while it claimed to be set: time to live may then be anything (docs/formats/spool.md).
    [[nodiscard]] bool clock_lied() const { return clock_lied_; }
    [[nodiscard]] std::uint64_t interruptions() const { return interruptions_; }
    /// The readings that a rule with state has counted; nullptr where there is none, or the gateway is down.
    [[nodiscard]] const std::set<std::uint64_t>* counted() const;

    void on_link_open(LinkId link) override;
    std::size_t on_link_bytes(LinkId link, base::ByteView bytes) override;
    void on_link_closed(LinkId link) override;

private:
    struct Process;

    void open() override;
    void send(base::ByteView bytes) override;
    void close(bool flush) override;
    void append_ledger(base::Bytes& out) override;

    void take_event();
    base::Result<std::unique_ptr<RuleState>> open_rule_state(spool::Spool& events);
    void look_for_events(spool::Spool& events);
    base::Status write();
    void save_rule_state();
    void commit();
    void tell_committed();
    void turn();
    /// Now, or when a slow commit is over: the spool, the uplink and their events share a thread.
    void when_free(std::function<void()> action);
    void be_busy();
    void work_off();
    void complain(Checker checker, std::string text);
    void after_step();
    void schedule_turn();
    void end_process(bool power);
    void check();
    [[nodiscard]] spool::Options spool_options() const;
    [[nodiscard]] uplink::Options uplink_options() const;
    [[nodiscard]] uplink::MqttCarrier::Options carrier_options(const uplink::Options& options) const;
    [[nodiscard]] bool refuses_new_events();
    base::Result<std::unique_ptr<spool::Spool>> open_spool();

    const SystemPlan& plan_;
    Defect defect_;
    Scheduler& scheduler_;
    Network& network_;
    Random random_;
    SimClock clock_;
    SimEntropy entropy_;
    SimDisk disk_;
    gateway::SpoolSealer sealer_;
    // Of defects
    DefectFiles defect_files_;
    CredulousSealer credulous_sealer_;
    WallClockOnly wall_clock_only_;
    StubbornEntropy stubborn_entropy_;

    Journal journal_;
    Checkpoint checkpoint_;
    std::unique_ptr<Process> process_;
    std::uint64_t life_ = 0;  ///< actions of earlier lives do nothing
    std::uint32_t boots_ = 0;
    bool calm_ = false;
    std::optional<data::Epoch> epoch_;
    std::vector<ToldGap> told_;
    Verdict verdict_;
    std::uint64_t interruptions_ = 0;  ///< connections that ended without our doing
    bool clock_lied_ = false;
};

/// The account that the gateway sends to the cloud, with the defect of the run built in.
[[nodiscard]] std::string ledger_json(const spool::Stats& stats, Defect defect);

}  // namespace sluice::sim

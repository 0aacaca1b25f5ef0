// A simulated gateway: the real spool and the real uplink on a simulated disk and network. It can die at any moment and starts again.
#pragma once

#include <memory>
#include <string>

#include "flow/spool/spool.hpp"
#include "flow/uplink/uplink.hpp"
#include "gateway/spool_sealer.hpp"
#include "sim/disk.hpp"
#include "sim/network.hpp"
#include "sim/system_defect.hpp"
#include "sim/system_journal.hpp"
#include "sim/system_plan.hpp"

namespace sluice::sim {

class GatewayMachine final : public Endpoint, private uplink::Transport, private uplink::StatusSource {
public:
    static constexpr const char* kId = "plant-7";
    static constexpr std::size_t kClasses = 3;
    static constexpr const char* kClassNames[kClasses] = {"alert", "aggregate", "sample"};

    GatewayMachine(const SystemPlan& plan, Defect defect, Scheduler& scheduler, Network& network);
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
    void set_disk_dead(bool dead);
    /// From now on nothing fails any more.
    void calm();

    /// Everything was told to the cloud and acknowledged.
    [[nodiscard]] bool drained() const;
    [[nodiscard]] spool::Stats stats() const;
    /// For a run that does not come to rest: what waits, and for what.
    [[nodiscard]] std::string describe() const;
    /// Set when something was wrong that no fault explains.
    [[nodiscard]] const std::string& complaint() const { return complaint_; }
    [[nodiscard]] const Journal& journal() const { return journal_; }
    [[nodiscard]] std::uint32_t boots() const { return boots_; }

    void on_link_open(LinkId link) override;
    std::size_t on_link_bytes(LinkId link, base::ByteView bytes) override;
    void on_link_closed(LinkId link) override;

private:
    struct Process;
    class Source;

    void open() override;
    void send(base::ByteView bytes) override;
    void close(bool flush) override;
    void append_ledger(base::Bytes& out) override;

    void commit();
    void turn();
    void after_step();
    void schedule_turn();
    void end_process(bool power);
    void check_ledger();
    [[nodiscard]] spool::Options spool_options() const;

    const SystemPlan& plan_;
    Defect defect_;
    Scheduler& scheduler_;
    Network& network_;
    Random random_;
    SimClock clock_;
    SimEntropy entropy_;
    SimDisk disk_;
    gateway::SpoolSealer sealer_;
    Journal journal_;
    std::unique_ptr<Process> process_;
    std::uint64_t life_ = 0;  ///< actions of earlier lives do nothing
    std::uint32_t boots_ = 0;
    bool calm_ = false;
    std::optional<data::Epoch> epoch_;
    std::string complaint_;
};

}  // namespace sluice::sim

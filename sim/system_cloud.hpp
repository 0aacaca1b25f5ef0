// A simulated cloud: the real reception (hub, decoder) and the real applier over a store in memory whose commits survive. It can die at any
// moment.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "cloud/memory_store.hpp"
#include "cloud/reception.hpp"
#include "cloud/store_writer.hpp"
#include "sim/network.hpp"
#include "sim/system_defect_store.hpp"
#include "sim/system_plan.hpp"

namespace sluice::sim {

class CloudMachine final : public Endpoint, private cloud::ReceptionPort {
public:
    CloudMachine(const SystemPlan& plan, Defect defect, Scheduler& scheduler, Network& network);
    ~CloudMachine() override;

    void boot();
    void kill();
    /// One of the next calls of the store fails; a commit perhaps after it took effect.
    void fail_store();
    /// Comes back with the store as it was at one of the last backups; makes one if there is none.
    void back_up();
    void restore();
    void calm();

    [[nodiscard]] const cloud::MemoryStore& store() const { return store_; }
    [[nodiscard]] const cloud::ApplyCounts& counts() const { return counts_; }
    [[nodiscard]] std::uint64_t refused() const { return refused_; }
    [[nodiscard]] std::uint64_t taken_over() const;
    /// What restores have undone: numbers of a stream that the cloud had once and that no gateway has any more.
    struct Undone {
        std::uint64_t first;
        std::uint64_t last;
    };
    [[nodiscard]] const std::map<cloud::MemoryStore::Key, std::vector<Undone>>& undone() const { return undone_; }

    void on_link_open(LinkId link) override;
    std::size_t on_link_bytes(LinkId link, base::ByteView bytes) override;
    void on_link_closed(LinkId link) override;

private:
    struct Process;

    base::Bytes* output(hub::ConnectionId to) override;
    [[nodiscard]] std::size_t queued_bytes(hub::ConnectionId of) const override;
    void close(hub::ConnectionId connection) override;
    void submit(cloud::Delivery&& delivery) override;

    static hub::ConnectionId connection_of(LinkId link) { return hub::ConnectionId((std::uint64_t{1} << 32) | link); }
    static LinkId link_of(hub::ConnectionId connection) { return connection.value() & 0xffffffff; }
    void write();
    void flush();
    void after_step();

    const SystemPlan& plan_;
    Defect defect_;
    Scheduler& scheduler_;
    Network& network_;
    Random random_;
    SimClock clock_;
    cloud::MemoryStore store_;
    DefectStore defect_store_{store_, defect_};  ///< the writer's way to it
    cloud::MemoryStore::Contents backup_;
    std::map<cloud::MemoryStore::Key, std::vector<Undone>> undone_;
    cloud::Admission admission_{{}, true};
    std::unique_ptr<Process> process_;
    std::uint64_t life_ = 0;
    cloud::ApplyCounts counts_;
    std::uint64_t refused_ = 0;
    std::uint64_t taken_over_ = 0;
};

}  // namespace sluice::sim

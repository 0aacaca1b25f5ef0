// The event store as a cloud with a defect would use it.
#pragma once

#include <map>

#include "cloud/memory_store.hpp"
#include "sim/system_defect.hpp"

namespace sluice::sim {

/// Passes everything on, but for what the defect forgets or does apart. One thread.
class DefectStore final : public cloud::EventStore {
public:
    DefectStore(cloud::MemoryStore& inner, Defect defect) : inner_(inner), defect_(defect) {}
    base::Status begin() override;
    base::Result<cloud::Stream> stream(const cloud::StreamKey& key) override;
    base::Status insert(const cloud::EventRow& row) override { return inner_.insert(row); }
    base::Status note_gap(cloud::StreamId stream, data::Sequence first, data::Sequence last, std::string_view reason) override;
    base::Status advance(cloud::StreamId stream, data::Sequence next) override;
    base::Status save_gateway(std::string_view gateway, base::WallTime last_seen, std::string_view ledger) override {
        return inner_.save_gateway(gateway, last_seen, ledger);
    }
    base::Status commit() override;
    void rollback() override { inner_.rollback(); }

private:
    cloud::MemoryStore& inner_;
    Defect defect_;
    cloud::MemoryStore::Key current_;
    std::map<cloud::MemoryStore::Key, data::Sequence> apart_;  ///< Defect::cloud_commits_positions_apart: for the second transaction
};

}  // namespace sluice::sim

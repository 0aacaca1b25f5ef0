// For tests: hubs whose journals write to a disk that a crash leaves as it was at the last commit.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "flow/hub/world_test.hpp"

namespace sluice::hub::test {

/// The rows that were committed.
struct Disk {
    std::map<std::tuple<KeptId, RowKind, std::uint64_t, std::string>, base::Bytes> rows;
    Age age = 1'000'000;  // when the process that wrote last ended

    void apply(base::ByteView changes);
    [[nodiscard]] std::size_t count(RowKind kind) const;
};

/// A World whose hubs keep what must survive. Nothing is durable before commit(). Destroying it is a crash.
class KeptWorld {
public:
    KeptWorld(Disk& disk, std::uint16_t shards, Limits limits = {}, std::chrono::milliseconds downtime = {},
              Authenticator* authenticator = nullptr, Authenticator* names = nullptr);
    KeptWorld(const KeptWorld&) = delete;
    KeptWorld& operator=(const KeptWorld&) = delete;

    /// Settles, makes what one shard (or each) recorded so far durable, and lets out what waited for it.
    void commit_one(std::uint32_t shard);
    void commit();
    /// A clean stop: clients told, all durable.
    void stop();
    /// Without commits: answers go as far as they can.
    void answer();

    World world;

private:
    class Writer final : public Journal {
    public:
        Writer(KeptWorld& owner, std::uint32_t index) : owner_(owner), index_(index) {}
        Ticket ticket() override { return turn_; }
        void take(base::Bytes&& changes, bool awaited, unsigned fences) override;
        std::uint64_t owe(data::ShardIndex to, std::uint64_t number, bool recorded, unsigned nested) override;
        void commit(Disk& disk);
        bool answer();
        void answered(std::uint64_t number);

    private:
        static constexpr std::uint64_t kNestedBit = std::uint64_t{1} << 63;
        struct Batch {
            std::uint64_t turn;
            base::Bytes changes;
        };
        struct Turn {
            std::uint64_t number;
            unsigned fences;
        };
        struct Owed {
            std::uint32_t to;
            std::uint64_t number;
            std::uint64_t our_turn;
            unsigned nested;
            std::uint64_t nested_number;
        };
        KeptWorld& owner_;
        std::uint32_t index_;
        std::uint64_t turn_ = 1;
        std::uint64_t durable_ = 0;
        std::uint64_t last_nested_ = 0;
        bool forced_ = false;
        std::deque<Batch> batches_;
        std::deque<Turn> turns_;
        std::vector<Owed> owed_;
    };

    Disk& disk_;
    AgeClock clock_;
    std::vector<std::unique_ptr<Writer>> writers_;
};

}  // namespace sluice::hub::test

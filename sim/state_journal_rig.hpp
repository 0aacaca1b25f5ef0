// What the tests of the journal of rule state share: a gateway's spool and journal on a simulated disk.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "flow/spool/block.hpp"
#include "gateway/state_journal.hpp"
#include "sim/spool_rig.hpp"

namespace sluice::sim {

/// Counts turns by group, from a position on: what is before it a checkpoint has.
class Turns final : public gateway::StateJournal::Visitor, private gateway::TurnVisitor {
public:
    explicit Turns(std::uint64_t from) : from_(from) {}
    void on_turn(std::uint64_t position, base::ByteView record) override {
        EXPECT_GT(position, position_) << "turns out of order";
        position_ = position;
        if (position < from_) return;
        EXPECT_TRUE(gateway::read_turn(record, *this));
    }
    std::map<unsigned, unsigned> seen;

private:
    void on_reading(const data::Reading& reading, rules::Origin) override {
        ++seen[static_cast<unsigned>(std::stoul(std::string(base::as_text(reading.payload))))];
    }
    void on_time(gateway::JournalMoment, rules::Origin) override {}
    std::uint64_t from_;
    std::uint64_t position_ = 0;
};

/// A gateway whose runs are cut off by hand.
struct Site {
    /// False: it died meanwhile.
    bool start() {
        journal.reset();
        const bool opened = rig.open().has_value();
        SimDisk& disk = journal_disk ? *journal_disk : rig.disk;
        auto opened_journal = gateway::StateJournal::open({disk, rig.clock, rig.entropy, rig.sealer}, {.directory = "/data/state/journal"});
        if (!opened || !opened_journal) return false;
        journal = std::move(*opened_journal);
        const auto settled = journal->settle(*rig.spool);
        if (settled) found = *settled;
        return settled && !rig.disk.power_is_off();
    }
    void power_cut() {
        journal.reset();
        rig.crash();
        if (journal_disk) journal_disk->crash();
    }
    /// A reading that moves state and causes an event of each of two classes.
    void take(unsigned reading) {
        const std::string text = std::to_string(reading);
        for (const auto event_class : {kAlert, kAggregate}) put(event_class, text);
        take_turn(reading);
    }
    /// An event alone.
    void put(data::ClassIndex event_class, const std::string& text) {
        const data::Event event{event_class, "rule", rig.clock.wall().time, base::as_bytes(text)};
        if (const auto sequence = rig.spool->append(event)) journal->note(*rig.spool, *sequence, event);
    }
    void take_turn(unsigned reading) {
        const std::string text = std::to_string(reading);
        gateway::TurnJournal turn({.shard = 0, .shards = 1});
        turn.add({.topic = "t", .payload = base::as_bytes(text), .client = "c", .arrived = rig.clock.wall().time, .at = rig.clock.now()});
        for (const base::Bytes& record : turn.take()) journal->append(record);
    }
    /// Is what was taken safe with that?
    bool commit_journal() {
        const auto safe = journal->commit(*rig.spool, {rig.clock.now(), rig.clock.wall().time}, true);
        EXPECT_TRUE(safe);
        return safe && *safe;
    }
    void commit() {
        if (commit_journal()) rig.spool->promise();
        EXPECT_TRUE(rig.spool->commit());
    }
    std::map<unsigned, unsigned> turns() {
        Turns turns(0);
        EXPECT_TRUE(journal->read(turns));
        return turns.seen;
    }

    SpoolRig rig{};
    std::unique_ptr<SimDisk> journal_disk{};  ///< nullptr: that of the spool
    std::unique_ptr<gateway::StateJournal> journal{};
    gateway::StateJournal::Found found{};  ///< by the last start
};

/// The n-th block of the spool, as if it had not been written.
inline void tear_block(SpoolRig& rig, std::size_t n) {
    for (const std::string& path : rig.segments()) {
        if (!path.starts_with(rig.options.directory)) continue;
        auto bytes = *rig.disk.contents(path);
        for (std::size_t at = spool::kSegmentHeaderBytes; at + spool::kBlockHeaderBytes <= bytes.size(); --n) {
            const auto header = spool::decode_block_header(base::ByteView(bytes).subspan(at));
            if (!header) break;
            if (n == 0) {
                for (std::size_t i = 0; i < spool::kBlockHeaderBytes; ++i) bytes[at + i] ^= 0xff;
                return rig.disk.overwrite(path, std::move(bytes));
            }
            at += header->size_on_disk();
        }
    }
    ADD_FAILURE() << "there is no such block";
}

}  // namespace sluice::sim

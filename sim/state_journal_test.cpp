// The journal of rule state beside a spool on a disk that loses power or its process at any operation: a commit's turns and its events are
// there together, or not at all.
#include "gateway/state_journal.hpp"

#include <cstdlib>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "sim/spool_rig.hpp"

namespace sluice::sim {
namespace {

using gateway::JournalMoment;
using gateway::StateJournal;

struct Group {
    unsigned turns = 0;
    unsigned events = 0;
    bool durable = false;
};

class Turns final : public StateJournal::Visitor, private gateway::TurnVisitor {
public:
    void on_turn(std::uint64_t position, base::ByteView record) override {
        position_ = position;
        EXPECT_TRUE(gateway::read_turn(record, *this));
    }
    std::map<unsigned, unsigned> seen;  // turns by group

private:
    void on_reading(const data::Reading& reading, rules::Origin) override {
        ++seen[static_cast<unsigned>(std::stoul(std::string(base::as_text(reading.payload))))];
        EXPECT_GE(position_, last_);
        last_ = position_;
    }
    void on_time(JournalMoment, rules::Origin) override {}
    std::uint64_t position_ = 0;
    std::uint64_t last_ = 0;
};

class World {
public:
    explicit World(std::uint64_t seed) : random_(seed), key_random_(seed + 1), rig_(seed) {
        // Small segments: commits of several blocks and segments are what is hard.
        rig_.options.bytes_max = 8 << 20;
    }

    void live() {
        for (unsigned run = 0; run < 6 && !testing::Test::HasFailure(); ++run) {
            if (!start(run)) continue;
            // Nothing after this operation happens: with the power or with the process.
            const bool power = random_() % 2 == 0;
            if (power)
                rig_.disk.crash_at(1 + random_() % 120);
            else
                rig_.disk.kill_at(1 + random_() % 120);
            for (unsigned commits = static_cast<unsigned>(random_() % 25); commits > 0 && !rig_.disk.power_is_off(); --commits) group();
            end(power);
        }
        if (start(6)) check();
    }

private:
    bool start(unsigned run) {
        SCOPED_TRACE("run " + std::to_string(run));
        const auto opened = rig_.open();
        EXPECT_TRUE(opened) << base::describe(opened.error());
        auto journal = StateJournal::open({rig_.disk, rig_.clock, rig_.entropy, rig_.sealer},
                                          {.directory = "/data/state/journal", .bytes_max = 16 << 20});
        EXPECT_TRUE(journal) << base::describe(journal.error());
        if (!opened || !journal) return false;
        journal_ = std::move(*journal);
        const auto found = journal_->settle(*rig_.spool);
        EXPECT_TRUE(found);
        check();
        EXPECT_TRUE(journal_->begin());
        return true;
    }

    void group() {
        const unsigned id = ++groups_made_;
        Group& group = groups_[id];
        group.turns = static_cast<unsigned>(random_() % 3);
        group.events = static_cast<unsigned>(random_() % 4 == 0 ? random_() % 40 : random_() % 3);
        for (unsigned i = 0; i < group.turns; ++i) {
            gateway::TurnJournal turn({.shard = 0, .shards = 1});
            const std::string payload = std::to_string(id);
            turn.add({.topic = "t",
                      .payload = base::as_bytes(payload),
                      .client = "c",
                      .arrived = rig_.clock.wall().time,
                      .at = rig_.clock.now()});
            for (const base::Bytes& record : turn.take()) journal_->append(record);
        }
        for (unsigned i = 0; i < group.events; ++i) {
            const data::ClassIndex event_class(static_cast<std::uint8_t>(random_() % 3));
            const std::string json = std::to_string(id) + " " + std::string(random_() % 6 == 0 ? 20'000 : 10, 'x');
            const data::Event event{event_class, "rule", rig_.clock.wall().time, base::as_bytes(json)};
            if (const auto sequence = rig_.spool->append(event)) journal_->note(*rig_.spool, *sequence, event);
        }
        const bool journaled = journal_->commit(*rig_.spool, {rig_.clock.now(), rig_.clock.wall().time}).has_value();
        const bool spooled = rig_.spool->commit().has_value();
        group.durable = journaled && spooled;
        rig_.clock.advance(std::chrono::milliseconds(random_() % 50));
        if (random_() % 10 == 0) (void)rig_.spool->maintain();
        if (random_() % 10 == 0) (void)journal_->maintain();
        if (!rig_.disk.power_is_off()) tend_keys();
    }

    /// The spool and the journal share the keys: one goes when neither needs it.
    void tend_keys() {
        if (key_random_() % 8 == 0) rig_.rotate();
        for (const identity::KeyNumber number : rig_.keys.numbers()) {
            const auto needs = [number](const spool::KeyUse& each) { return each.key == number; };
            const auto by_spool = rig_.spool->key_use();
            const auto by_journal = journal_->key_use();
            const bool needed =
                std::any_of(by_spool.begin(), by_spool.end(), needs) || std::any_of(by_journal.begin(), by_journal.end(), needs);
            if (number != rig_.keys.newest() && !needed) rig_.keys.remove(number);
        }
        rig_.sealer.use(rig_.keys);
    }

    void end(bool power) {
        journal_.reset();
        if (power) {
            rig_.crash();
        } else {
            rig_.kill();
        }
    }

    void check() {
        Turns turns;
        EXPECT_TRUE(journal_->read(turns));
        std::map<unsigned, unsigned> events;
        for (const auto event_class : {kAlert, kAggregate, kSample}) {
            for (const std::string& text : rig_.texts(event_class)) ++events[static_cast<unsigned>(std::stoul(text))];
        }
        for (const auto& [id, group] : groups_) {
            const unsigned seen_turns = turns.seen[id];
            const unsigned seen_events = events[id];
            const std::string what = "group " + std::to_string(id) + ": " + std::to_string(seen_turns) + " of " +
                                     std::to_string(group.turns) + " turns, " + std::to_string(seen_events) + " of " +
                                     std::to_string(group.events) + " events";
            if (group.durable || seen_turns != 0) {
                EXPECT_EQ(seen_turns, group.turns) << what;
                EXPECT_EQ(seen_events, group.events) << what;
            } else if (group.turns != 0) {
                EXPECT_EQ(seen_events, 0u) << what;
            }
        }
    }

    std::mt19937_64 random_;
    std::mt19937_64 key_random_;  // of its own: what else a seed means stays
    SpoolRig rig_;
    std::unique_ptr<StateJournal> journal_;
    std::map<unsigned, Group> groups_;
    unsigned groups_made_ = 0;
};

/// SLUICE_JOURNAL_SEEDS="17 1" repeats seed 17.
TEST(StateJournal, turns_and_events_of_a_commit_survive_together_or_not_at_all) {
    std::uint64_t from = 1;
    std::uint64_t count = 400;
    if (const char* seeds = std::getenv("SLUICE_JOURNAL_SEEDS"); seeds != nullptr) {
        char* rest = nullptr;
        from = std::strtoull(seeds, &rest, 10);
        count = std::max<std::uint64_t>(1, std::strtoull(rest, nullptr, 10));
    }
    for (std::uint64_t seed = from; seed < from + count && !HasFailure(); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        World(seed).live();
    }
}

}  // namespace
}  // namespace sluice::sim

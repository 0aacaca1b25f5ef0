// The journal of rule state beside a spool on a disk that loses power or its process at any operation, or fails for the spool only: a
// commit's turns and its events are there together, or not at all, and when the journal says that they are safe they are.
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "sim/state_journal_rig.hpp"

namespace sluice::sim {
namespace {

using gateway::StateJournal;

struct Group {
    unsigned turns = 0;
    unsigned events = 0;
    bool durable = false;
    bool saved = false;  ///< a checkpoint has its turns
};

/// A gateway's life over some runs, each of which ends with the power or the process at any operation of its disk, its start included.
class World {
public:
    explicit World(std::uint64_t seed) : random_(seed), key_random_(seed + 1), fault_random_(seed + 2), rig_(seed) {
        // Small segments: commits of several blocks and segments are what is hard.
        rig_.options.bytes_max = 8 << 20;
    }

    void live() {
        for (unsigned run = 0; run < 8 && !testing::Test::HasFailure(); ++run) {
            SCOPED_TRACE("run " + std::to_string(run));
            // Nothing after this operation happens: with the power or with the process.
            const bool power = random_() % 2 == 0;
            const std::uint64_t operation = 1 + random_() % (random_() % 3 == 0 ? 60 : 250);
            if (power)
                rig_.disk.crash_at(operation);
            else
                rig_.disk.kill_at(operation);
            if (start()) {
                for (unsigned commits = static_cast<unsigned>(random_() % 25); commits > 0 && !rig_.disk.power_is_off(); --commits) group();
            }
            end(power);
        }
        if (start()) check();
    }

private:
    /// False: it died meanwhile.
    bool start() {
        const auto opened = rig_.open();
        if (rig_.disk.power_is_off()) return false;
        EXPECT_TRUE(opened) << base::describe(opened.error());
        auto journal = StateJournal::open({rig_.disk, rig_.clock, rig_.entropy, rig_.sealer},
                                          {.directory = "/data/state/journal", .bytes_max = 16 << 20});
        if (rig_.disk.power_is_off()) return false;
        EXPECT_TRUE(journal) << base::describe(journal.error());
        if (!opened || !journal) return false;
        journal_ = std::move(*journal);
        failing_ = false;
        waiting_.clear();
        const auto found = journal_->settle(*rig_.spool);
        if (rig_.disk.power_is_off()) return false;
        EXPECT_TRUE(found);
        check();
        return !rig_.disk.power_is_off();
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
            const std::string json = std::to_string(id) + " " + std::to_string(++events_made_) + " " + std::string(padding(), 'x');
            const data::Event event{event_class, "rule", rig_.clock.wall().time, base::as_bytes(json)};
            if (const auto sequence = rig_.spool->append(event)) journal_->note(*rig_.spool, *sequence, event);
        }
        const bool saves = random_() % 8 == 0;
        const std::uint64_t position = journal_->position();
        // As the gateway: Backbone::commit.
        const auto safe = journal_->commit(*rig_.spool, {rig_.clock.now(), rig_.clock.wall().time}, fault_random_() % 2 == 0);
        if (safe && *safe && !failing_ && !rig_.spool->has_unsaved_losses()) {
            rig_.spool->promise();
            group.durable = !rig_.disk.power_is_off();
        }
        const bool fails = safe && fault_random_() % (failing_ ? 2 : 12) == 0;
        if (fails) rig_.disk.set_dead(true);
        const bool spooled = rig_.spool->commit().has_value();
        if (fails) rig_.disk.set_dead(false);
        failing_ = !safe || !spooled;
        waiting_.push_back(id);
        if (!failing_ && !rig_.disk.power_is_off()) {
            for (const unsigned each : waiting_) groups_[each].durable = true;
            waiting_.clear();
        }
        if (saves && group.durable && !failing_) save(position);
        rig_.clock.advance(std::chrono::milliseconds(random_() % 50));
        if (random_() % 10 == 0) deliver();
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

    /// Small ones, and some that fill a block alone, so that small blocks lie behind large ones.
    std::size_t padding() {
        if (random_() % 6 != 0) return 10;
        return random_() % 2 == 0 ? 20'000 : 40'000;
    }

    /// All that counts is in a checkpoint, which was begun before the commit and is on disk behind it.
    void save(std::uint64_t position) {
        floor_ = position;
        for (auto& [id, group] : groups_) group.saved = group.saved || group.durable || counting_.contains(id);
        journal_->release(position);
    }

    /// The cloud gets what waits, and the spool forgets it.
    void deliver() {
        for (const auto event_class : {kAlert, kAggregate, kSample}) {
            data::Sequence next;
            read(event_class, cloud_[event_class.value()], next);
            if (rig_.disk.power_is_off()) return;
            if (next > data::Sequence(1)) rig_.spool->acknowledge(event_class, data::Sequence(next.value() - 1));
        }
    }

    /// All that waits, by number, to what was there before; as far as the disk lets us.
    void read(data::ClassIndex event_class, std::map<std::uint64_t, std::string>& to, data::Sequence& next) {
        next = data::Sequence(1);
        for (bool more = true; more;) {
            Seen seen;
            const auto found = rig_.spool->read(event_class, next, {}, seen);
            if (!found) {
                EXPECT_TRUE(rig_.disk.power_is_off()) << base::describe(found.error());
                return;
            }
            for (const auto& event : seen.items) {
                const auto [known, fresh] = to.emplace(event.sequence, event.json);
                EXPECT_EQ(known->second, event.json) << "number " << event.sequence << " was given out twice";
            }
            more = found->gap || found->events != 0;
            next = found->next;
        }
    }

    void end(bool power) {
        journal_.reset();
        if (power) {
            rig_.crash();
        } else {
            rig_.kill();
        }
    }

    /// After settle(), and before anything new comes.
    void check() {
        if (rig_.disk.power_is_off()) return;
        Turns turns(floor_);
        const auto journal_read = journal_->read(turns);
        std::map<unsigned, unsigned> events;
        for (const auto event_class : {kAlert, kAggregate, kSample}) {
            auto whole = cloud_[event_class.value()];
            data::Sequence next;
            read(event_class, whole, next);
            unsigned long before = 0;
            for (const auto& [sequence, text] : whole) {
                std::size_t size = 0;
                ++events[static_cast<unsigned>(std::stoul(text, &size))];
                const unsigned long made = std::stoul(text.substr(size));
                EXPECT_GT(made, before) << "class " << int{event_class.value()} << ", number " << sequence
                                        << ": an event lies behind a newer one, or twice";
                before = std::max(before, made);
            }
        }
        if (rig_.disk.power_is_off()) return;
        EXPECT_TRUE(journal_read);
        counting_.clear();
        for (const auto& [id, group] : groups_) {
            const unsigned seen_turns = group.saved ? group.turns : turns.seen[id];
            const unsigned seen_events = events[id];
            const std::string what = "group " + std::to_string(id) + ": " + std::to_string(seen_turns) + " of " +
                                     std::to_string(group.turns) + " turns, " + std::to_string(seen_events) + " of " +
                                     std::to_string(group.events) + " events";
            if (seen_turns != 0) counting_.insert(id);
            if (group.durable || seen_turns != 0) {
                EXPECT_EQ(seen_turns, group.turns) << what;
                EXPECT_EQ(seen_events, group.events) << what;
            } else if (group.turns != 0) {
                EXPECT_EQ(seen_events, 0u) << what;
            }
        }
    }

    std::mt19937_64 random_;
    std::mt19937_64 key_random_;    // of its own: what else a seed means stays …
    std::mt19937_64 fault_random_;  // … as this one
    SpoolRig rig_;
    std::unique_ptr<StateJournal> journal_;
    std::map<unsigned, Group> groups_;
    std::set<unsigned> counting_;  // as of the last start
    std::map<std::uint64_t, std::string> cloud_[3];
    std::uint64_t floor_ = 0;  // of the checkpoint
    bool failing_ = false;
    std::vector<unsigned> waiting_;  // groups that the spool has not committed
    unsigned groups_made_ = 0;
    unsigned events_made_ = 0;
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

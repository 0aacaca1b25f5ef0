// The journal of rule state beside a spool on a disk that loses power or its process at any operation, or fails for the spool only: a
// commit's turns and its events are there together, or not at all, and when the journal says that they are safe they are.
#include "gateway/state_journal.hpp"

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "flow/spool/block.hpp"
#include "sim/spool_rig.hpp"

namespace sluice::sim {
namespace {

using gateway::JournalMoment;
using gateway::StateJournal;

struct Group {
    unsigned turns = 0;
    unsigned events = 0;
    bool durable = false;
    bool saved = false;  ///< a checkpoint has its turns
};

/// Counts turns by group, from a position on: what is before it a checkpoint has.
class Turns final : public StateJournal::Visitor, private gateway::TurnVisitor {
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
    void on_time(JournalMoment, rules::Origin) override {}
    std::uint64_t from_;
    std::uint64_t position_ = 0;
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
        const auto safe = journal_->commit(*rig_.spool, {rig_.clock.now(), rig_.clock.wall().time});
        if (safe && *safe && !failing_) {
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

/// The n-th block of the spool, as if it had not been written.
void tear_block(SpoolRig& rig, std::size_t n) {
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

/// A gateway whose runs are cut off by hand: what the random life above meets by chance.
struct Site {
    /// False: it died meanwhile.
    bool start() {
        journal.reset();
        const bool opened = rig.open().has_value();
        auto found = StateJournal::open({rig.disk, rig.clock, rig.entropy, rig.sealer}, {.directory = "/data/state/journal"});
        if (!opened || !found) return false;
        journal = std::move(*found);
        return journal->settle(*rig.spool).has_value() && !rig.disk.power_is_off();
    }
    void power_cut() {
        journal.reset();
        rig.crash();
    }
    /// A reading that moves state and causes an event of each of two classes.
    void take(unsigned reading) {
        const std::string text = std::to_string(reading);
        for (const auto event_class : {kAlert, kAggregate}) {
            const data::Event event{event_class, "rule", rig.clock.wall().time, base::as_bytes(text)};
            journal->note(*rig.spool, *rig.spool->append(event), event);
        }
        take_turn(reading);
    }
    void take_turn(unsigned reading) {
        const std::string text = std::to_string(reading);
        gateway::TurnJournal turn({.shard = 0, .shards = 1});
        turn.add({.topic = "t", .payload = base::as_bytes(text), .client = "c", .arrived = rig.clock.wall().time, .at = rig.clock.now()});
        for (const base::Bytes& record : turn.take()) journal->append(record);
    }
    /// Is what was taken safe with that?
    bool commit_journal() {
        const auto safe = journal->commit(*rig.spool, {rig.clock.now(), rig.clock.wall().time});
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

    SpoolRig rig;
    std::unique_ptr<StateJournal> journal;
};

TEST(StateJournal, one_sync_makes_a_reading_and_its_events_safe) {
    Site site;
    ASSERT_TRUE(site.start());
    site.take(1);
    site.commit();  // the first one makes files
    site.take(2);
    const std::uint64_t before = site.journal->stats().syncs + site.rig.spool->stats().syncs;
    EXPECT_TRUE(site.commit_journal());
    EXPECT_EQ(site.journal->stats().syncs + site.rig.spool->stats().syncs - before, 1U);
    site.power_cut();
    ASSERT_TRUE(site.start());
    EXPECT_EQ(site.rig.texts(kAlert), (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(site.rig.texts(kAggregate), (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(site.turns().size(), 2U);
}

/// Readings that move nothing have their events in the spool only.
TEST(StateJournal, events_without_a_turn_are_for_the_spool_to_say) {
    Site site;
    ASSERT_TRUE(site.start());
    const data::Event event{kAlert, "rule", site.rig.clock.wall().time, base::as_bytes("1")};
    site.journal->note(*site.rig.spool, *site.rig.spool->append(event), event);
    const std::uint64_t before = site.journal->stats().syncs;
    EXPECT_FALSE(site.commit_journal());
    EXPECT_EQ(site.journal->stats().syncs, before);
}

TEST(StateJournal, more_events_than_are_kept_twice_are_in_the_spool_first) {
    constexpr unsigned kEvents = 60;
    Site site;
    site.rig.options.bytes_max = 32 << 20;
    site.rig.options.commits_when_full = false;
    ASSERT_TRUE(site.start());
    for (unsigned i = 0; i < kEvents; ++i) {
        const std::string text = std::to_string(i) + std::string(100'000, 'x');
        const data::Event event{kAlert, "rule", site.rig.clock.wall().time, base::as_bytes(text)};
        site.journal->note(*site.rig.spool, *site.rig.spool->append(event), event);
    }
    site.take_turn(1);
    EXPECT_TRUE(site.commit_journal());
    site.power_cut();
    ASSERT_TRUE(site.start());
    EXPECT_EQ(site.rig.texts(kAlert).size(), kEvents);
    EXPECT_EQ(site.turns().size(), 1U);
}

/// What the journal has of several commits while the spool's disk fails is one write then, which a cut may tear anywhere.
TEST(StateJournal, what_was_acknowledged_before_the_disk_failed_comes_again_in_its_order) {
    for (const std::size_t torn_block : {0U, 1U, 2U}) {
        SCOPED_TRACE("block " + std::to_string(torn_block));
        Site site;
        site.rig.options.bytes_max = 1 << 20;
        ASSERT_TRUE(site.start());
        std::vector<std::string> expected;
        for (const unsigned reading : {1U, 2U, 3U}) {
            const std::string text = std::to_string(reading) + std::string(6'000, 'x');  // more than a block
            const data::Event event{kAlert, "rule", site.rig.clock.wall().time, base::as_bytes(text)};
            site.journal->note(*site.rig.spool, *site.rig.spool->append(event), event);
            expected.push_back(text);
            site.take_turn(reading);
            EXPECT_TRUE(site.commit_journal());
            if (reading == 1) site.rig.spool->promise();
            site.rig.disk.set_dead(reading != 3);
            EXPECT_EQ(site.rig.spool->commit().has_value(), reading == 3);
            site.rig.disk.set_dead(false);
        }
        site.power_cut();
        tear_block(site.rig, torn_block);
        ASSERT_TRUE(site.start());
        EXPECT_EQ(site.rig.texts(kAlert), expected);
        EXPECT_EQ(site.turns().size(), 3U);
    }
}

/// Each start wrote down again what all starts before it had written down: twice as much each time, until that was too large for a record
/// and the start left no mark. The next one then took commits of earlier runs for its own.
TEST(StateJournal, what_starts_write_down_does_not_add_up_however_often_the_power_goes) {
    constexpr unsigned kRuns = 40;
    constexpr std::uint64_t kBytesOfRun = 64U << 10;
    Site site;
    std::vector<std::string> expected;
    std::uint64_t written_before = 0;
    for (unsigned run = 0; run < kRuns; ++run) {
        ASSERT_TRUE(site.start());
        ASSERT_EQ(site.rig.texts(kAlert), expected) << "in run " << run;
        ASSERT_EQ(site.rig.texts(kAggregate), expected) << "in run " << run;
        const std::uint64_t written = site.journal->stats().bytes_written;
        EXPECT_LT(written - written_before, kBytesOfRun) << "in run " << run;
        written_before = written;
        site.take(3 * run);
        site.commit();
        // More events than the next run has before it dies in the same way.
        site.take(3 * run + 1);
        site.take(3 * run + 2);
        site.commit_journal();
        site.power_cut();  // the spool has none of their events
        for (unsigned i = 0; i < 3; ++i) expected.push_back(std::to_string(3 * run + i));
    }
    ASSERT_TRUE(site.start());
    EXPECT_EQ(site.rig.texts(kAlert), expected);
    EXPECT_EQ(site.rig.texts(kAggregate), expected);
    const auto counting = site.turns();
    EXPECT_EQ(counting.size(), 3 * kRuns);
    for (const auto& [reading, times] : counting) EXPECT_EQ(times, 1U) << reading;
}

/// Until December 2026 a commit named the first event that the spool would write in it, and counted only with that.
TEST(StateJournal, an_older_commit_counts_if_the_spool_has_its_first_event) {
    const auto older = [](Site& site, unsigned reading, data::Sequence first) {
        spool::Options options;
        options.directory = "/data/state/journal";
        options.bytes_max = 64U << 20;
        options.classes = {{.name = "state"}};
        site.journal.reset();
        auto opened = spool::Spool::open({site.rig.disk, site.rig.clock, site.rig.entropy, site.rig.sealer}, options);
        ASSERT_TRUE(opened);
        gateway::TurnJournal turn({.shard = 0, .shards = 1});
        const std::string text = std::to_string(reading);
        turn.add({.topic = "t", .payload = base::as_bytes(text), .client = "c", .arrived = site.rig.clock.wall().time, .at = {}});
        ASSERT_TRUE((*opened)->append({data::ClassIndex{0}, {}, base::from_ms(0), turn.take().at(0)}));
        base::Bytes commit(1, 2);
        base::append_le(commit, std::uint64_t{0});
        base::append_le(commit, std::uint64_t{0});
        base::append_le(commit, site.rig.spool->epoch().value());
        const std::string& name = site.rig.spool->classes()[kAlert.value()].name;
        commit.push_back(static_cast<base::Byte>(name.size()));
        base::append(commit, name);
        spool::append_varint(commit, first.value());
        ASSERT_TRUE((*opened)->append({data::ClassIndex{0}, {}, base::from_ms(0), commit}));
        ASSERT_TRUE((*opened)->commit());
    };
    Site site;
    ASSERT_TRUE(site.start());
    const data::Event event{kAlert, "rule", site.rig.clock.wall().time, base::as_bytes("1")};
    const auto first = site.rig.spool->append(event);
    ASSERT_TRUE(first);
    ASSERT_TRUE(site.rig.spool->commit());
    older(site, 1, *first);
    older(site, 2, data::Sequence(first->value() + 1));  // its event was never written
    for (int start = 0; start < 3; ++start) {            // … and what takes that number later is no event of it
        ASSERT_TRUE(site.start());
        EXPECT_EQ(site.turns(), (std::map<unsigned, unsigned>{{1, 1}})) << start;
        EXPECT_TRUE(site.rig.append(kAlert, "later"));
        EXPECT_TRUE(site.rig.spool->commit());
    }
}

/// A start brought events into the spool and wrote that down behind it: when the power went between the two, the next one did it again.
TEST(StateJournal, what_a_start_brings_into_the_spool_comes_once_wherever_the_power_goes) {
    bool died = true;
    for (std::uint64_t operation = 1; died; ++operation) {
        SCOPED_TRACE("operation " + std::to_string(operation));
        Site site;
        ASSERT_TRUE(site.start());
        site.take(1);
        site.commit();
        const std::string path = site.rig.segments().at(1);
        const std::size_t good = site.rig.disk.contents(path)->size();
        site.take(2);
        site.take(3);
        site.commit();
        site.power_cut();
        // The block of the second class was torn: its numbers are not used again.
        auto bytes = *site.rig.disk.contents(path);
        ASSERT_LT(good, bytes.size());
        for (std::size_t at = good; at < bytes.size(); at += 3) bytes[at] ^= 0xff;
        site.rig.disk.overwrite(path, std::move(bytes));
        site.rig.disk.crash_at(operation);
        died = !site.start();
        site.rig.disk.crash_at(UINT64_MAX / 2);  // no more
        if (died) {
            ASSERT_TRUE(site.rig.disk.power_is_off());
            site.power_cut();
            ASSERT_TRUE(site.start());
        }
        const std::vector<std::string> expected{"1", "2", "3"};
        EXPECT_EQ(site.rig.texts(kAlert), expected);
        EXPECT_EQ(site.rig.texts(kAggregate), expected);
        EXPECT_EQ(site.turns().size(), 3U);
    }
}

/// The same with more than a block of each class: a start's own write may be torn, too.
TEST(StateJournal, a_start_that_dies_in_what_it_brings_is_finished_by_the_next) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        bool died = true;
        for (std::uint64_t operation = 1; died; ++operation) {
            SCOPED_TRACE("seed " + std::to_string(seed) + ", operation " + std::to_string(operation));
            Site site{.rig = SpoolRig(seed), .journal = {}};
            site.rig.options.bytes_max = 1 << 20;
            ASSERT_TRUE(site.start());
            std::vector<std::string> expected;
            for (const unsigned reading : {1U, 2U, 3U, 4U}) {
                const std::string text = std::to_string(reading) + std::string(4'500, 'x');  // more than a block
                const data::Event event{kAlert, "rule", site.rig.clock.wall().time, base::as_bytes(text)};
                site.journal->note(*site.rig.spool, *site.rig.spool->append(event), event);
                expected.push_back(text);
                site.take_turn(reading);
            }
            EXPECT_TRUE(site.commit_journal());
            site.power_cut();
            site.rig.disk.crash_at(operation);
            died = !site.start();
            site.rig.disk.crash_at(UINT64_MAX / 2);  // no more
            if (died) {
                site.power_cut();
                ASSERT_TRUE(site.start());
            }
            ASSERT_EQ(site.rig.texts(kAlert), expected);
            ASSERT_EQ(site.turns().size(), 4U);
        }
    }
}

/// One write of three blocks, of which a cut may leave any.
struct TornWrite {
    TornWrite() {
        constexpr std::size_t kMoreThanABlock = 6'000;
        site.rig.options.bytes_max = 1 << 20;
        EXPECT_TRUE(site.start());
        for (const auto size : {std::size_t{10}, kMoreThanABlock, std::size_t{10}}) {
            const std::string text = std::to_string(++events) + std::string(size, 'x');
            const data::Event event{kAlert, "rule", site.rig.clock.wall().time, base::as_bytes(text)};
            site.journal->note(*site.rig.spool, *site.rig.spool->append(event), event);
            expected.push_back(text);
        }
        site.take_turn(1);
        site.commit();
        site.power_cut();
    }
    void tear(std::size_t n) { tear_block(site.rig, n); }
    Site site;
    unsigned events = 0;
    std::vector<std::string> expected;
};

TEST(StateJournal, a_write_that_is_torn_anywhere_comes_again_in_its_order) {
    for (const std::size_t block : {0U, 1U, 2U}) {
        TornWrite torn;
        torn.tear(block);
        ASSERT_TRUE(torn.site.start());
        EXPECT_EQ(torn.site.rig.texts(kAlert), torn.expected) << block;
        EXPECT_EQ(torn.site.turns().size(), 1U) << block;
    }
}

/// What came behind it says that the write was whole once: the medium has lost a block of it, and that is counted like any other.
TEST(StateJournal, a_block_that_the_medium_has_lost_is_no_torn_write) {
    TornWrite torn;
    ASSERT_TRUE(torn.site.start());
    torn.site.take(9);
    EXPECT_TRUE(torn.site.rig.spool->commit());  // without the journal: the last commit that it has is still the first one
    torn.site.power_cut();
    torn.tear(1);
    ASSERT_TRUE(torn.site.start());
    EXPECT_EQ(torn.site.rig.texts(kAlert), (std::vector<std::string>{torn.expected[0], torn.expected[2], "9"}));
    EXPECT_EQ(SpoolRig::dropped(torn.site.rig.stats(kAlert), base::DropReason::corrupt), 1U);
}

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

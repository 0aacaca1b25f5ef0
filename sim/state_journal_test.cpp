// The journal of rule state beside a spool, cut off at chosen places: what state_journal_life_test.cpp meets by chance.
#include <map>

#include "flow/spool/block.hpp"
#include "sim/state_journal_rig.hpp"

namespace sluice::sim {
namespace {

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
    site.put(kAlert, "1");
    const std::uint64_t before = site.journal->stats().syncs;
    EXPECT_FALSE(site.commit_journal());
    EXPECT_EQ(site.journal->stats().syncs, before);
}

/// … unless it would need several syncs for it.
TEST(StateJournal, one_sync_makes_urgent_events_of_several_classes_safe) {
    Site site;
    ASSERT_TRUE(site.start());
    const auto take = [&site] {
        for (const auto event_class : {kAlert, kAggregate, kSample}) {
            site.put(event_class, "1");
        }
    };
    take();
    site.commit();
    take();
    const std::uint64_t before = site.journal->stats().syncs + site.rig.spool->stats().syncs;
    EXPECT_TRUE(site.commit_journal());
    EXPECT_EQ(site.journal->stats().syncs + site.rig.spool->stats().syncs - before, 1U);
    site.power_cut();
    ASSERT_TRUE(site.start());
    for (const auto event_class : {kAlert, kAggregate, kSample}) EXPECT_EQ(site.rig.texts(event_class).size(), 2U);
}

TEST(StateJournal, more_events_than_are_kept_twice_are_in_the_spool_first) {
    constexpr unsigned kEvents = 60;
    Site site;
    site.rig.options.bytes_max = 32 << 20;
    site.rig.options.commits_when_full = false;
    ASSERT_TRUE(site.start());
    for (unsigned i = 0; i < kEvents; ++i) {
        const std::string text = std::to_string(i) + std::string(100'000, 'x');
        site.put(kAlert, text);
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
            site.put(kAlert, text);
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

/// As versions until December 2026 wrote it.
void commit_as_before(Site& site, unsigned reading, data::Sequence first) {
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
}

/// Until December 2026 a commit named the first event that the spool would write in it, and counted only with that.
TEST(StateJournal, an_older_commit_counts_if_the_spool_has_its_first_event) {
    Site site;
    ASSERT_TRUE(site.start());
    const data::Event event{kAlert, "rule", site.rig.clock.wall().time, base::as_bytes("1")};
    const auto first = site.rig.spool->append(event);
    ASSERT_TRUE(first);
    ASSERT_TRUE(site.rig.spool->commit());
    commit_as_before(site, 1, *first);
    commit_as_before(site, 2, data::Sequence(first->value() + 1));  // its event was never written
    for (int start = 0; start < 3; ++start) {                       // … and what takes that number later is no event of it
        ASSERT_TRUE(site.start());
        EXPECT_EQ(site.turns(), (std::map<unsigned, unsigned>{{1, 1}})) << start;
        EXPECT_TRUE(site.rig.append(kAlert, "later"));
        EXPECT_TRUE(site.rig.spool->commit());
    }
}

/// Its number is known, since a torn write leaves numbers that nobody has: the last commit is one that nobody had an acknowledgement of.
TEST(StateJournal, an_older_last_commit_counts_only_if_its_first_event_can_be_read) {
    Site site;
    ASSERT_TRUE(site.start());
    const auto first = site.rig.append(kAlert, "1");
    ASSERT_TRUE(first);
    ASSERT_TRUE(site.rig.spool->commit());
    commit_as_before(site, 1, *first);
    site.power_cut();
    tear_block(site.rig, 0);
    for (int start = 0; start < 2; ++start) {
        ASSERT_TRUE(site.start());
        EXPECT_EQ(site.turns().size(), 0U) << start;
        EXPECT_TRUE(site.rig.texts(kAlert).empty()) << start;
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
            Site site{.rig = SpoolRig(seed)};
            site.rig.options.bytes_max = 1 << 20;
            ASSERT_TRUE(site.start());
            std::vector<std::string> expected;
            for (const unsigned reading : {1U, 2U, 3U, 4U}) {
                const std::string text = std::to_string(reading) + std::string(4'500, 'x');  // more than a block
                site.put(kAlert, text);
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
            site.put(kAlert, text);
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

}  // namespace
}  // namespace sluice::sim

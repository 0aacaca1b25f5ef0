// What the journal of rule state has alone must outlive full disks, failing calls and changed configurations, and must stay bounded.
#include "sim/state_journal_rig.hpp"

namespace sluice::sim {
namespace {

constexpr std::uint64_t kUnlimited = UINT64_MAX;

/// Four readings are in the spool; the event of the fifth, acknowledged, only in the journal.
void only_in_the_journal(Site& site) {
    ASSERT_TRUE(site.start());
    for (unsigned i = 1; i <= 4; ++i) {
        site.take(i);
        site.commit();
    }
    site.take(5);
    ASSERT_TRUE(site.commit_journal());
    site.power_cut();
}

const std::vector<std::string> kFive{"1", "2", "3", "4", "5"};

/// The journal needed a new file, and on the full disk it dropped its oldest one for that, with the only copy in it.
TEST(StateJournalFaults, a_start_on_a_full_disk_loses_nothing_wherever_it_dies) {
    bool whole = false;
    for (std::uint64_t operation = 1; !whole; ++operation) {
        SCOPED_TRACE("operation " + std::to_string(operation));
        Site site;
        only_in_the_journal(site);
        site.rig.disk.set_bytes_max(site.rig.disk.bytes_used());
        site.rig.disk.crash_at(operation);
        whole = site.start() || !site.rig.disk.power_is_off();
        site.rig.disk.crash_at(kUnlimited / 2);
        site.power_cut();
        site.rig.disk.set_bytes_max(kUnlimited);
        ASSERT_TRUE(site.start());
        EXPECT_EQ(site.turns().size(), 5U);
        const auto stats = site.rig.stats(kAlert);
        EXPECT_EQ(stats.created - stats.dropped_total(), site.rig.texts(kAlert).size());
        // The spool may have given way with what is oldest, and counts that.
        const auto texts = site.rig.texts(kAlert);
        ASSERT_FALSE(texts.empty());
        EXPECT_EQ(texts.back(), "5");
        EXPECT_EQ(texts.size() + SpoolRig::dropped(stats, base::DropReason::disk_full), kFive.size());
    }
}

TEST(StateJournalFaults, a_start_in_which_any_call_fails_loses_nothing) {
    for (const auto code : {base::Errc::io, base::Errc::disk_full}) {
        bool met = true;
        for (std::uint64_t operation = 1; met; ++operation) {
            SCOPED_TRACE("operation " + std::to_string(operation));
            Site site;
            only_in_the_journal(site);
            site.rig.disk.fail_at(operation, code);
            const auto before = site.rig.disk.counts().operations;
            const bool started = site.start();
            met = site.rig.disk.counts().operations - before >= operation;
            site.rig.disk.fail_at(kUnlimited / 2, code);  // no more
            if (!started) {
                site.journal.reset();
                site.rig.kill();
                ASSERT_TRUE(site.start());
            }
            EXPECT_EQ(site.rig.texts(kAlert), kFive);
            EXPECT_EQ(site.turns().size(), 5U);
        }
    }
}

/// While only the spool cannot be written what a start will have to bring stays bounded, and what was acknowledged is among it.
TEST(StateJournalFaults, a_spool_that_fails_for_long_does_not_fill_the_journal) {
    constexpr unsigned kCommits = 150;
    constexpr std::uint64_t kBroughtMax = 9U << 20;
    Site site;
    site.journal_disk = std::make_unique<SimDisk>(7);
    site.rig.options.bytes_max = 64U << 20;
    site.rig.options.commits_when_full = false;
    ASSERT_TRUE(site.start());
    site.put(kAlert, "acknowledged");
    site.take_turn(0);
    ASSERT_TRUE(site.commit_journal());
    site.rig.spool->promise();
    site.rig.disk.set_dead(true);
    EXPECT_FALSE(site.rig.spool->commit());
    std::uint64_t bytes = 0;
    unsigned refused = 0;
    for (unsigned i = 1; i <= kCommits; ++i) {
        for (unsigned k = 0; k < 100; ++k) {
            const std::string text = std::to_string(i) + std::string(10'000, 'x');
            bytes += text.size();
            site.put(kSample, text);
        }
        site.take_turn(i);
        if (!site.journal->commit(*site.rig.spool, {site.rig.clock.now(), site.rig.clock.wall().time}, true)) ++refused;
        EXPECT_FALSE(site.rig.spool->commit());
    }
    EXPECT_GT(bytes, 100U << 20);
    EXPECT_GT(refused, kCommits / 2) << "the spool has to have them first";
    EXPECT_LT(refused, kCommits);
    site.power_cut();
    site.rig.disk.set_dead(false);
    ASSERT_TRUE(site.start());
    EXPECT_EQ(site.rig.texts(kAlert), std::vector<std::string>{"acknowledged"});
    std::uint64_t brought = 0;
    for (const std::string& each : site.rig.texts(kSample)) brought += each.size();
    EXPECT_GT(brought, 0U);
    EXPECT_LT(brought, kBroughtMax);
    // And it goes on as if nothing had been.
    site.take(1);
    site.commit();
    EXPECT_EQ(site.rig.texts(kAlert).size(), 2U);
}

/// A class that never had an event on disk is forgotten when it leaves the configuration; another spool has other numbers.
TEST(StateJournalFaults, events_of_another_spool_or_of_a_class_that_is_gone_are_said_to_be_strange) {
    {
        Site site;
        ASSERT_TRUE(site.start());
        site.put(kAlert, "1");
        site.take_turn(1);
        ASSERT_TRUE(site.commit_journal());
        site.power_cut();
        site.rig.options.classes[0].name = "alarm";
        ASSERT_TRUE(site.start());
        EXPECT_EQ(site.found.strange, 1U);
        EXPECT_EQ(site.found.brought, 0U);
    }
    Site site;
    only_in_the_journal(site);
    site.rig.options.directory = "/data/another";
    ASSERT_TRUE(site.start());
    EXPECT_EQ(site.found.strange, 2U) << "of the last commit: the others were in the spool that is gone";
    EXPECT_TRUE(site.rig.texts(kAlert).empty());
    EXPECT_EQ(site.turns().size(), 5U);
}

TEST(StateJournalFaults, what_a_start_brings_is_for_the_spool_that_it_brings_it_to) {
    Site site;
    only_in_the_journal(site);
    ASSERT_TRUE(site.start());
    EXPECT_EQ(site.found.brought, 2U);
    site.power_cut();
    site.rig.options.directory = "/data/another";
    ASSERT_TRUE(site.start());
    EXPECT_TRUE(site.rig.texts(kAlert).empty()) << "they may have been delivered";
}

/// A start that has nothing to decide writes nothing, and takes nothing of what lies behind the last commit for its own.
TEST(StateJournalFaults, turns_without_a_commit_never_count) {
    Site site;
    ASSERT_TRUE(site.start());
    site.take_turn(1);
    site.commit();
    site.take_turn(2);
    ASSERT_TRUE(site.journal->close());  // on disk, and no commit behind it
    site.power_cut();
    ASSERT_TRUE(site.start());
    site.take_turn(3);
    site.commit();
    site.power_cut();
    ASSERT_TRUE(site.start());
    EXPECT_EQ(site.turns(), (std::map<unsigned, unsigned>{{1, 1}, {3, 1}}));
}

/// An event that is too large is lost, and only memory knows: whoever acknowledges has to ask.
TEST(StateJournalFaults, a_loss_is_unsaved_until_the_spool_has_written_it_down) {
    Site site;
    ASSERT_TRUE(site.start());
    EXPECT_FALSE(site.rig.spool->has_unsaved_losses());
    EXPECT_FALSE(site.rig.append(kAlert, std::string(1U << 20, 'x')));
    site.take(1);
    EXPECT_TRUE(site.commit_journal());
    EXPECT_TRUE(site.rig.spool->has_unsaved_losses());
    ASSERT_TRUE(site.rig.spool->commit());
    EXPECT_FALSE(site.rig.spool->has_unsaved_losses());
    site.power_cut();
    ASSERT_TRUE(site.start());
    EXPECT_EQ(SpoolRig::dropped(site.rig.stats(kAlert), base::DropReason::too_large), 1U);
}

}  // namespace
}  // namespace sluice::sim

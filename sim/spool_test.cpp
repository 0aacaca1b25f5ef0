// The spool's behaviour, one sentence at a time, on the simulated disk.
#include <algorithm>

#include <fmt/format.h>

#include "sim/spool_rig.hpp"

namespace sluice::sim {
namespace {

using base::DropReason;
using base::Errc;
using spool::Gap;

data::Sequence number(std::uint64_t n) { return data::Sequence(n); }

TEST(Spool, GivesBackWhatWasCommittedInOrder) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(*rig.append(kAlert, "{\"a\":1}", "rule-a"), number(1));
    EXPECT_EQ(*rig.append(kAlert, "{\"a\":2}", "rule-b"), number(2));
    EXPECT_EQ(*rig.append(kSample, "{\"s\":1}"), number(1));
    ASSERT_TRUE(rig.spool->commit());
    EXPECT_EQ(*rig.append(kAlert, "{\"a\":3}", "rule-a"), number(3));
    ASSERT_TRUE(rig.spool->commit());
    const auto alerts = rig.read_all(kAlert);
    ASSERT_EQ(alerts.events.size(), 3U);
    EXPECT_EQ(alerts.events[1].rule, "rule-b");
    EXPECT_EQ(alerts.events[2].json, "{\"a\":3}");
    EXPECT_EQ(alerts.events[2].sequence, 3U);
    EXPECT_EQ(alerts.events[0].made_ms, base::to_ms(rig.clock.wall().time));
    EXPECT_EQ(rig.texts(kSample), std::vector<std::string>{"{\"s\":1}"});
    EXPECT_TRUE(rig.texts(kAggregate).empty());
}

TEST(Spool, ShowsNothingToReadersBeforeTheCommit) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kAlert, "{}"));
    EXPECT_TRUE(rig.texts(kAlert).empty());
    EXPECT_EQ(rig.stats(kAlert).pending, 1U);
    EXPECT_EQ(rig.stats(kAlert).waiting, 1U);
    EXPECT_EQ(rig.spool->durable_end(kAlert), number(1));
}

TEST(Spool, KeepsCommittedEventsOverAPowerCut) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        SpoolRig rig(seed);
        ASSERT_TRUE(rig.open());
        const data::Epoch epoch = rig.spool->epoch();
        ASSERT_TRUE(rig.append(kAlert, "{\"a\":1}"));
        ASSERT_TRUE(rig.append(kAlert, "{\"a\":2}"));
        ASSERT_TRUE(rig.spool->commit());
        rig.crash();
        ASSERT_TRUE(rig.open());
        EXPECT_EQ(rig.spool->epoch(), epoch);
        EXPECT_EQ(rig.texts(kAlert), (std::vector<std::string>{"{\"a\":1}", "{\"a\":2}"})) << seed;
        EXPECT_EQ(*rig.append(kAlert, "{}"), number(3));
    }
}

TEST(Spool, ContinuesAfterTheAcknowledgedPositionOnceSaved) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(rig.append(kAlert, "{}"));
    ASSERT_TRUE(rig.spool->commit());
    (void)rig.read_all(kAlert);
    rig.spool->acknowledge(kAlert, number(4));
    EXPECT_EQ(rig.spool->first_waiting(kAlert), number(5));
    ASSERT_TRUE(rig.spool->close());
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.spool->first_waiting(kAlert), number(5));
    EXPECT_EQ(rig.stats(kAlert).delivered, 4U);
    EXPECT_EQ(rig.stats(kAlert).waiting, 6U);
    EXPECT_EQ(rig.read_all(kAlert).events.front().sequence, 5U);
}

TEST(Spool, RemovesSegmentsOnceAcknowledged) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    const std::string json(1000, 'x');
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(rig.append(kSample, json));
        ASSERT_TRUE(rig.spool->commit());
    }
    EXPECT_GT(rig.segments().size(), 10U);
    rig.spool->acknowledge(kSample, number(1000));
    ASSERT_TRUE(rig.spool->maintain());
    EXPECT_EQ(rig.segments().size(), 1U);  // the one being written
    EXPECT_EQ(rig.stats(kSample).delivered, 1000U);
}

TEST(Spool, DropsTheOldestOfTheLowestClassWhenFull) {
    SpoolRig rig;
    rig.options.bytes_max = spool::kSpoolBytesMin;
    ASSERT_TRUE(rig.open());
    const std::string json(1000, 'x');
    for (int i = 0; i < 300; ++i) {
        ASSERT_TRUE(rig.append(kAlert, json));
        ASSERT_TRUE(rig.append(kSample, json));
        ASSERT_TRUE(rig.spool->commit());
        ASSERT_LE(rig.spool->stats().bytes_used, rig.options.bytes_max);
    }
    for (int i = 0; i < 400; ++i) {
        ASSERT_TRUE(rig.append(kSample, json));
        ASSERT_TRUE(rig.spool->commit());
    }
    const auto alerts = rig.stats(kAlert);
    const auto samples = rig.stats(kSample);
    EXPECT_EQ(alerts.dropped_total(), 0U);
    EXPECT_EQ(alerts.waiting, 300U);
    EXPECT_GT(rig.dropped(samples, DropReason::spool_full), 0U);
    EXPECT_EQ(samples.created, 700U);
    const auto read = rig.read_all(kSample);
    ASSERT_EQ(read.gaps.size(), 1U);
    EXPECT_EQ(read.gaps[0].first, number(1));
    EXPECT_EQ(read.gaps[0].reason, DropReason::spool_full);
    EXPECT_EQ(read.gaps[0].last.value() + read.events.size(), 700U);
    EXPECT_EQ(read.events.back().sequence, 700U);
    EXPECT_LE(rig.disk.bytes_used(), rig.options.bytes_max);
}

TEST(Spool, ShrinksToALoweredLimit) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    for (int i = 0; i < 2500; ++i) {
        ASSERT_TRUE(rig.append(i % 2 == 0 ? kAlert : kSample, std::string(1000, 'x')));
        ASSERT_TRUE(rig.spool->commit());
    }
    ASSERT_TRUE(rig.spool->close());
    EXPECT_EQ(rig.stats(kAlert).dropped_total() + rig.stats(kSample).dropped_total(), 0U);
    rig.options.bytes_max = 2 << 20;
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.spool->maintain());
    EXPECT_LE(rig.spool->stats().bytes_used, rig.options.bytes_max);
    EXPECT_LE(rig.disk.bytes_used(), rig.options.bytes_max);
    EXPECT_EQ(rig.stats(kAlert).dropped_total(), 0U);
    EXPECT_GT(rig.dropped(rig.stats(kSample), DropReason::spool_full), 0U);
}

TEST(Spool, NeverDropsAMoreImportantClassForALessImportantOne) {
    SpoolRig rig;
    rig.options.bytes_max = spool::kSpoolBytesMin;
    ASSERT_TRUE(rig.open());
    const std::string json(4000, 'x');
    while (rig.stats(kAlert).dropped_total() == 0) {
        ASSERT_TRUE(rig.append(kAlert, json));
        ASSERT_TRUE(rig.spool->commit());
    }
    const auto before = rig.stats(kAlert);
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(rig.append(kSample, json));
        ASSERT_TRUE(rig.spool->commit());
    }
    EXPECT_EQ(rig.stats(kAlert).waiting, before.waiting);
    EXPECT_EQ(rig.stats(kSample).created, 50U);
    EXPECT_GT(rig.stats(kSample).dropped_total(), 40U);
}

TEST(Spool, CountsAnEventThatIsTooLargeWithoutANumber) {
    SpoolRig rig;
    rig.options.bytes_max = spool::kSpoolBytesMin;
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.append(kAlert, std::string(spool::kSpoolBytesMin / 8, 'x')).error().code, Errc::too_large);
    EXPECT_EQ(*rig.append(kAlert, std::string(spool::kSpoolBytesMin / 8 - 6, 'x')), number(1));
    ASSERT_TRUE(rig.spool->commit());
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.stats(kAlert).created, 2U);
    EXPECT_EQ(rig.dropped(rig.stats(kAlert), DropReason::too_large), 1U);
    EXPECT_EQ(rig.texts(kAlert).size(), 1U);
}

TEST(Spool, TakesTheLargestEventOfAll) {
    SpoolRig rig;
    rig.options.bytes_max = 64 << 20;
    ASSERT_TRUE(rig.open());
    const std::string json(spool::kRecordBytesMax - 6, 'x');
    EXPECT_TRUE(rig.append(kAlert, json));
    EXPECT_EQ(rig.append(kAlert, json + "x").error().code, Errc::too_large);
    ASSERT_TRUE(rig.spool->commit());
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.texts(kAlert), std::vector<std::string>{json});
}

TEST(Spool, KeepsCountsOfEventsThatNeverReachedIt) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    rig.spool->count_dropped(kSample, DropReason::queue_full, 7);
    ASSERT_TRUE(rig.spool->commit());
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.stats(kSample).created, 7U);
    EXPECT_EQ(rig.dropped(rig.stats(kSample), DropReason::queue_full), 7U);
}

TEST(Spool, ExpiresByTimeToLiveAndTellsTheGap) {
    SpoolRig rig;
    rig.options.classes[2].time_to_live = std::chrono::hours(1);
    ASSERT_TRUE(rig.open());
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(rig.append(kSample, "{}"));
        ASSERT_TRUE(rig.append(kAlert, "{}"));
        ASSERT_TRUE(rig.spool->commit());
        rig.clock.advance(std::chrono::minutes(10));
    }
    ASSERT_TRUE(rig.spool->maintain());  // 100 minutes after the first, 10 after the last
    const auto read = rig.read_all(kSample);
    ASSERT_EQ(read.gaps.size(), 1U);
    EXPECT_EQ(read.gaps[0], (Gap{number(1), number(4), DropReason::ttl}));
    EXPECT_EQ(read.events.size(), 6U);
    EXPECT_EQ(rig.stats(kAlert).waiting, 10U);
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.dropped(rig.stats(kSample), DropReason::ttl), 4U);
}

TEST(Spool, ExpiresWholeSegmentsAndRemovesThem) {
    SpoolRig rig;
    rig.options.classes[2].time_to_live = std::chrono::hours(1);
    ASSERT_TRUE(rig.open());
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(rig.append(kSample, std::string(1000, 'x')));
        ASSERT_TRUE(rig.spool->commit());
        rig.clock.advance(std::chrono::seconds(1));
    }
    rig.clock.advance(std::chrono::minutes(50));
    const std::size_t before = rig.segments().size();
    ASSERT_TRUE(rig.spool->maintain());
    EXPECT_EQ(rig.dropped(rig.stats(kSample), DropReason::ttl), 400U);
    EXPECT_LT(rig.segments().size(), before);
    rig.clock.advance(std::chrono::hours(2));
    ASSERT_TRUE(rig.spool->maintain());
    EXPECT_EQ(rig.stats(kSample).waiting, 0U);
}

TEST(Spool, ExpiresNothingWhenTheWallClockLies) {
    SpoolRig rig;
    rig.options.classes[2].time_to_live = std::chrono::hours(1);
    rig.clock.set_wall(base::from_ms(0), false);  // 1970
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kSample, "{}"));
    ASSERT_TRUE(rig.spool->commit());
    rig.clock.set_wall(base::from_ms(1'900'000'000'000), true);  // 2030 at last
    ASSERT_TRUE(rig.spool->maintain());
    EXPECT_EQ(rig.stats(kSample).waiting, 1U);
    ASSERT_TRUE(rig.spool->close());
    rig.clock.set_wall(base::from_ms(1'000), false);
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.spool->maintain());
    EXPECT_EQ(rig.stats(kSample).waiting, 1U);
    rig.clock.set_wall(base::from_ms(5'000'000'000'000), true);  // 2128: more than ten years: a lie
    ASSERT_TRUE(rig.spool->maintain());
    EXPECT_EQ(rig.stats(kSample).waiting, 1U);
    rig.clock.advance(std::chrono::minutes(61));
    ASSERT_TRUE(rig.spool->maintain());
    EXPECT_EQ(rig.stats(kSample).waiting, 0U);
}

TEST(Spool, CountsTheTimeSwitchedOffIfBothClocksWereSet) {
    SpoolRig rig;
    rig.options.classes[2].time_to_live = std::chrono::hours(1);
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kSample, "{}"));
    ASSERT_TRUE(rig.spool->close());
    rig.spool.reset();
    rig.clock.reboot(std::chrono::hours(2));
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.stats(kSample).waiting, 1U);
    ASSERT_TRUE(rig.spool->maintain());
    EXPECT_EQ(rig.dropped(rig.stats(kSample), DropReason::ttl), 1U);
}

TEST(Spool, CanBeLookedAtWhileAGatewayRuns) {
    SpoolRig rig;
    rig.options.bytes_max = spool::kSpoolBytesMin;
    ASSERT_TRUE(rig.open());
    for (int i = 0; i < 500; ++i) {
        ASSERT_TRUE(rig.append(kAlert, "{\"n\":" + std::to_string(i) + "}"));
        ASSERT_TRUE(rig.spool->commit());
    }
    (void)rig.read_all(kAlert);
    rig.spool->acknowledge(kAlert, number(200));
    spool::Options options = rig.options;
    options.read_only = true;
    options.classes.clear();
    const auto operations = rig.disk.counts().bytes_written;
    auto view = spool::Spool::open({rig.disk, rig.clock, rig.entropy, rig.sealer}, options);
    ASSERT_TRUE(view) << base::describe(view.error());
    ASSERT_EQ((*view)->classes().size(), 3U);
    EXPECT_EQ((*view)->classes()[0].name, "alert");
    Seen seen;
    data::Sequence next = (*view)->first_waiting(kAlert);
    while (next < (*view)->durable_end(kAlert)) {
        const auto found = (*view)->read(kAlert, next, {}, seen);
        ASSERT_TRUE(found);
        next = found->next;
    }
    ASSERT_FALSE(seen.items.empty());
    EXPECT_EQ(seen.items.back().json, "{\"n\":499}");
    EXPECT_EQ((*view)->stats().classes[0].dropped_total(), 0U);
    EXPECT_EQ(rig.disk.counts().bytes_written, operations);
    ASSERT_TRUE(rig.append(kAlert, "{}"));
    EXPECT_TRUE(rig.spool->commit());
}

TEST(Spool, CountsAsDeliveredWhatWasDroppedWhileOnItsWay) {
    SpoolRig rig;
    rig.options.bytes_max = spool::kSpoolBytesMin;
    ASSERT_TRUE(rig.open());
    const std::string json(1000, 'x');
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(rig.append(kSample, json));
        ASSERT_TRUE(rig.spool->commit());
    }
    EXPECT_EQ(rig.read_all(kSample).events.size(), 100U);  // handed to the uplink, in flight
    for (int i = 0; i < 2000; ++i) {
        ASSERT_TRUE(rig.append(kSample, json));
        ASSERT_TRUE(rig.spool->commit());
    }
    EXPECT_GT(rig.stats(kSample).dropped_total(), 1000U);
    const auto rest = rig.read_all(kSample, 101);
    ASSERT_EQ(rest.gaps.size(), 1U);
    EXPECT_EQ(rest.gaps[0].first, number(101));
    rig.spool->acknowledge(kSample, number(100));  // the cloud has them after all
    EXPECT_EQ(rig.stats(kSample).delivered, 100U);
    EXPECT_EQ(rig.stats(kSample).dropped_total(), rest.gaps[0].last.value() - 100);
    rig.spool->acknowledge(kSample, number(2100));
    EXPECT_EQ(rig.stats(kSample).waiting, 0U);
    EXPECT_EQ(rig.stats(kSample).delivered, 100 + rest.events.size());
}

// A cloud has said that it never takes it.
TEST(Spool, TellsAnEventThatWasGivenUpAsAGap) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    for (int i = 1; i <= 4; ++i) ASSERT_TRUE(rig.append(kAlert, fmt::format("{{\"n\":{}}}", i)));
    ASSERT_TRUE(rig.spool->commit());
    ASSERT_EQ(rig.read_all(kAlert).events.size(), 4U);
    rig.spool->drop(kAlert, number(2), DropReason::too_large);
    EXPECT_EQ(rig.stats(kAlert).waiting, 3U);
    const auto is_told = [&] {
        const auto all = rig.read_all(kAlert);
        EXPECT_EQ(all.gaps, (std::vector<spool::Gap>{{number(2), number(2), DropReason::too_large}}));
        EXPECT_EQ(all.events.size(), 3U);
    };
    is_told();
    rig.crash();
    ASSERT_TRUE(rig.open());
    is_told();
    rig.spool->acknowledge(kAlert, number(4));
    const auto stats = rig.stats(kAlert);
    EXPECT_EQ(stats.created, 4U);
    EXPECT_EQ(stats.delivered, 3U);
    EXPECT_EQ(rig.dropped(stats, DropReason::too_large), 1U);
    rig.spool->drop(kAlert, number(3), DropReason::too_large);
    EXPECT_EQ(rig.stats(kAlert).delivered, 3U) << "what is settled stays so";
}

TEST(Spool, KeepsClassesByNameWhenTheConfigurationChanges) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kAlert, "{\"alert\":1}"));
    ASSERT_TRUE(rig.append(kSample, "{\"sample\":1}"));
    ASSERT_TRUE(rig.spool->close());
    rig.options.classes = {{"sample", 5, {}}, {"new", 6, {}}};
    ASSERT_TRUE(rig.open());
    ASSERT_EQ(rig.spool->classes().size(), 3U) << "no `aggregate`, which never had an event";
    EXPECT_EQ(rig.spool->classes()[0].name, "sample");
    EXPECT_EQ(rig.spool->classes()[2].name, "alert");
    EXPECT_GT(rig.spool->classes()[2].priority, 6U);
    EXPECT_EQ(rig.texts(data::ClassIndex(0)), std::vector<std::string>{"{\"sample\":1}"});
    EXPECT_EQ(rig.texts(data::ClassIndex(2)), std::vector<std::string>{"{\"alert\":1}"});
    ASSERT_TRUE(rig.append(data::ClassIndex(1), "{}"));
    ASSERT_TRUE(rig.spool->close());
    rig.options.classes = {{"alert", 0, {}}};
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.texts(kAlert), std::vector<std::string>{"{\"alert\":1}"});
    EXPECT_EQ(*rig.append(kAlert, "{}"), number(2));
}

// Sixteen names are remembered; those that never had an event need not be.
TEST(Spool, ForgetsNamesThatNeverHadAnEventAndNoOther) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kAlert, "{\"n\":1}"));
    ASSERT_TRUE(rig.spool->commit());
    rig.spool->acknowledge(kAlert, number(1));
    EXPECT_FALSE(rig.append(kSample, std::string(spool::kRecordBytesMax, 'x'))) << "counted, without a number";
    ASSERT_TRUE(rig.spool->close());
    for (int life = 0; life < 40; ++life) {
        rig.options.classes = {{fmt::format("never-{}", life), 0, {}}, {fmt::format("other-{}", life), 1, {}}};
        ASSERT_TRUE(rig.open()) << life;
        ASSERT_TRUE(rig.spool->close());
    }
    // Its only event is not in the manifest yet when the power fails.
    rig.options.classes = {{"late", 0, {}}};
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kAlert, "{\"late\":1}"));
    ASSERT_TRUE(rig.spool->commit());
    rig.crash();
    rig.options.classes = {{"last", 0, {}}};
    ASSERT_TRUE(rig.open());
    std::vector<std::string> names;
    for (const auto& each : rig.spool->classes()) names.push_back(each.name);
    EXPECT_EQ(names.size(), 4U);
    for (const char* name : {"last", "alert", "sample", "late"}) EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
    ASSERT_TRUE(rig.spool->close());
    rig.options.classes = {{"alert", 0, {}}, {"sample", 1, {}}, {"late", 2, {}}};
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.stats(kAlert).delivered, 1U);
    EXPECT_EQ(rig.dropped(rig.stats(data::ClassIndex(1)), DropReason::too_large), 1U);
    EXPECT_EQ(rig.texts(data::ClassIndex(2)), std::vector<std::string>{"{\"late\":1}"});
    EXPECT_EQ(*rig.append(kAlert, "{}"), number(2)) << "no number comes back";
}

TEST(Spool, OpensNotWhenMoreThanSixteenNamesHadEvents) {
    SpoolRig rig;
    for (int life = 0; life < 16; ++life) {
        rig.options.classes = {{fmt::format("class-{}", life), 0, {}}};
        ASSERT_TRUE(rig.open()) << life;
        ASSERT_TRUE(rig.append(kAlert, "{}"));
        ASSERT_TRUE(rig.spool->close());
    }
    rig.options.classes = {{"one more", 0, {}}};
    const auto opened = rig.open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::limit);
    rig.options.classes.clear();
    rig.options.read_only = true;
    ASSERT_TRUE(rig.open()) << "but can be looked at";
    EXPECT_EQ(rig.spool->classes().size(), 16U);
}

// A file system that copies on write has no space for the manifest either when it is full. Files that were removed all the same made a
// killed gateway give the numbers of delivered events to new ones, which the cloud took for copies.
TEST(Spool, NeverGivesANumberOutAgainAfterADiskWithoutSpaceForTheManifest) {
    for (const bool delivered : {true, false}) {
        SpoolRig rig;
        rig.options.bytes_max = spool::kSpoolBytesMin;
        ASSERT_TRUE(rig.open());
        const auto put = [&] { return rig.append(kAlert, std::string(3000, 'x')).has_value() && rig.spool->commit().has_value(); };
        std::uint64_t durable = 0;
        while (durable < 60) {
            ASSERT_TRUE(put());
            ++durable;
        }
        rig.disk.set_full(true);
        for (int attempt = 0; attempt < 50; ++attempt) {
            if (delivered) rig.spool->acknowledge(kAlert, number(durable));
            (void)put();
            (void)rig.spool->maintain();
        }
        EXPECT_TRUE(rig.spool->stats().degraded);
        rig.kill();
        rig.disk.set_full(false);
        ASSERT_TRUE(rig.open());
        EXPECT_GE(rig.stats(kAlert).last, number(durable)) << "delivered: " << delivered;
        const auto stats = rig.stats(kAlert);
        EXPECT_EQ(stats.created, stats.delivered + stats.waiting + stats.dropped_total());
        // At most the one file that went first.
        EXPECT_LE(stats.dropped_total(), 5U);
        EXPECT_TRUE(put());
    }
}

TEST(Spool, RefusesOptionsThatCannotWork) {
    SpoolRig rig;
    const auto opened_with = [&](auto change) {
        spool::Options options = rig.options;
        change(options);
        return spool::Spool::open({rig.disk, rig.clock, rig.entropy, rig.sealer}, options).error().code;
    };
    EXPECT_EQ(opened_with([](auto& o) { o.bytes_max = spool::kSpoolBytesMin - 1; }), Errc::invalid);
    EXPECT_EQ(opened_with([](auto& o) { o.classes.clear(); }), Errc::invalid);
    EXPECT_EQ(opened_with([](auto& o) { o.classes[1].name = "alert"; }), Errc::invalid);
    EXPECT_EQ(opened_with([](auto& o) { o.classes[1].name = std::string(65, 'x'); }), Errc::invalid);
    EXPECT_EQ(opened_with([](auto& o) { o.classes.resize(17, o.classes[0]); }), Errc::invalid);
    EXPECT_EQ(opened_with([](auto& o) { o.read_only = true; }), Errc::not_found);
}

TEST(Spool, WritesEachByteAboutOnce) {
    SpoolRig rig;
    rig.options.bytes_max = 64 << 20;
    ASSERT_TRUE(rig.open());
    const std::string json = R"({"device":"bearing-17","ts":1700000000000,"vibration":0.8731,"z":3.41})";
    for (int group = 0; group < 500; ++group) {
        for (int i = 0; i < 50; ++i) ASSERT_TRUE(rig.append(kAlert, json));
        ASSERT_TRUE(rig.spool->commit());
    }
    const auto stats = rig.spool->stats();
    EXPECT_EQ(stats.bytes_accepted, 500U * 50U * (json.size() + 6));
    const double amplification = static_cast<double>(stats.bytes_written) / static_cast<double>(stats.bytes_accepted);
    EXPECT_LT(amplification, 1.05);
    EXPECT_LE(stats.syncs, 500U + 20U);
}

/// What was acknowledged because it is safe elsewhere stays, however little memory there is.
TEST(Spool, promised_events_are_not_dropped_for_want_of_memory) {
    constexpr unsigned kPromised = 20;
    SpoolRig rig;
    rig.options.pending_bytes_max = 256 << 10;
    rig.options.commits_when_full = false;
    ASSERT_TRUE(rig.open());
    const std::string padding(1'000, 'x');
    for (unsigned i = 0; i < kPromised; ++i) ASSERT_TRUE(rig.append(kSample, std::to_string(i) + padding));
    rig.spool->promise();
    rig.disk.set_dead(true);
    EXPECT_FALSE(rig.spool->commit());
    constexpr unsigned kNewer = 1'000;
    for (unsigned i = 0; i < kNewer; ++i) ASSERT_TRUE(rig.append(kSample, "newer" + padding));
    for (unsigned i = 0; i < 10; ++i) ASSERT_TRUE(rig.append(kAlert, "alert" + padding));
    rig.disk.set_dead(false);
    ASSERT_TRUE(rig.spool->commit());
    EXPECT_EQ(rig.texts(kAlert).size(), 10U) << "what is less important goes first, promised or not";
    const auto read = rig.read_all(kSample);
    ASSERT_GT(read.events.size(), kPromised);
    for (unsigned i = 0; i < kPromised; ++i) EXPECT_EQ(read.events[i].json, std::to_string(i) + padding);
    const auto lost = SpoolRig::dropped(rig.stats(kSample), base::DropReason::disk_full);
    EXPECT_GT(lost, 0U);
    EXPECT_EQ(read.events.size() + lost, kPromised + kNewer);
    ASSERT_EQ(read.gaps.size(), 1U) << "the oldest of the newer ones go";
    EXPECT_EQ(read.gaps[0].first, data::Sequence(kPromised + 1));
    const auto check = [&rig] {
        for (const auto event_class : {kAlert, kAggregate, kSample}) {
            const auto stats = rig.stats(event_class);
            EXPECT_EQ(stats.created, stats.waiting + stats.delivered + stats.dropped_total());
            EXPECT_EQ(stats.pending, 0U);
        }
    };
    check();
    const auto before = rig.texts(kSample);
    rig.crash();
    ASSERT_TRUE(rig.open());
    check();
    EXPECT_EQ(rig.texts(kSample), before);
}

/// All that is newer than what was promised may go, and then something comes again.
TEST(Spool, a_hole_behind_promised_events_is_told_when_those_are_durable) {
    SpoolRig rig;
    rig.options.pending_bytes_max = 64 << 10;
    ASSERT_TRUE(rig.open());
    const std::string large(30'000, 'x');
    ASSERT_TRUE(rig.append(kSample, "promised" + large));
    rig.spool->promise();
    rig.disk.set_dead(true);
    EXPECT_FALSE(rig.spool->commit());
    ASSERT_TRUE(rig.append(kSample, "newer" + large));
    ASSERT_TRUE(rig.append(kAlert, "alert" + large));  // there is no room for both
    ASSERT_TRUE(rig.append(kSample, "no room" + large));
    EXPECT_FALSE(rig.spool->commit());
    EXPECT_EQ(rig.read_all(kSample).events.size() + rig.read_all(kSample).gaps.size(), 0U);
    rig.disk.set_dead(false);
    ASSERT_TRUE(rig.spool->commit());
    ASSERT_TRUE(rig.append(kSample, "again"));
    ASSERT_TRUE(rig.spool->commit());
    const auto read = rig.read_all(kSample);
    ASSERT_EQ(read.events.size(), 2U);
    EXPECT_EQ(read.events[0].sequence, 1U);
    EXPECT_EQ(read.events[1].sequence, 4U);
    EXPECT_EQ(read.gaps, (std::vector<spool::Gap>{{data::Sequence(2), data::Sequence(3), base::DropReason::disk_full}}));
    EXPECT_EQ(rig.texts(kAlert).size(), 1U);
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.read_all(kSample).events.size(), 2U);
    EXPECT_EQ(SpoolRig::dropped(rig.stats(kSample), base::DropReason::disk_full), 2U);
}

TEST(Spool, promised_events_are_durable_before_newer_ones_are_written) {
    const std::string padding(1'200, 'x');  // some sectors, so that one alone can be torn out of its block
    unsigned newer_seen = 0;
    for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
        for (std::uint64_t operation = 1; operation <= 12; ++operation) {
            SpoolRig rig(seed);
            rig.options.bytes_max = 1 << 20;
            ASSERT_TRUE(rig.open());
            ASSERT_TRUE(rig.append(kAlert, "promised" + padding));
            rig.spool->promise();
            rig.disk.set_dead(true);
            EXPECT_FALSE(rig.spool->commit());
            rig.disk.set_dead(false);
            ASSERT_TRUE(rig.append(kAlert, "newer"));
            rig.disk.crash_at(operation);
            (void)rig.spool->commit();
            rig.crash();
            ASSERT_TRUE(rig.open());
            const auto texts = rig.texts(kAlert);
            if (texts.empty()) continue;
            EXPECT_EQ(texts[0], "promised" + padding) << "seed " << seed << ", operation " << operation;
            newer_seen += texts.size() > 1 ? 1U : 0U;
        }
    }
    EXPECT_GT(newer_seen, 0U);
}

}  // namespace
}  // namespace sluice::sim

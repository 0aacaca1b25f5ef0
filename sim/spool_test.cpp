// The spool's behaviour, one sentence at a time, on the simulated disk.
#include <algorithm>

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

TEST(Spool, RefusesAnotherKeyAndTouchesNothing) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kAlert, "{}"));
    ASSERT_TRUE(rig.spool->close());
    rig.spool.reset();
    std::map<std::string, base::Bytes> before;
    for (const auto& path : rig.disk.paths()) before[path] = *rig.disk.contents(path);
    gateway::SpoolSealer other(SpoolRig::make_key(99));
    EXPECT_EQ(spool::Spool::open({rig.disk, rig.clock, rig.entropy, other}, rig.options).error().code, Errc::wrong_key);
    for (const auto& path : rig.disk.paths()) EXPECT_EQ(before[path], *rig.disk.contents(path)) << path;
    // Also when only segments are left.
    ASSERT_TRUE(rig.disk.remove("/data/spool/manifest.0"));
    ASSERT_TRUE(rig.disk.remove("/data/spool/manifest.1"));
    EXPECT_EQ(spool::Spool::open({rig.disk, rig.clock, rig.entropy, other}, rig.options).error().code, Errc::wrong_key);
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.texts(kAlert).size(), 1U);
}

TEST(Spool, IsOpenInOneProcessOnly) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(spool::Spool::open({rig.disk, rig.clock, rig.entropy, rig.sealer}, rig.options).error().code, Errc::in_use);
    rig.kill();
    EXPECT_TRUE(rig.open());
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

TEST(Spool, LeavesNothingReadableOnTheDisk) {
    SpoolRig rig;
    rig.options.classes[1].name = "CLASSNAME";
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kAggregate, "{\"device\":\"PAYLOADTEXT\"}", "RULENAME"));
    ASSERT_TRUE(rig.spool->close());
    for (const auto& path : rig.disk.paths()) {
        const std::string content(base::as_text(*rig.disk.contents(path)));
        for (const std::string_view secret : {"CLASSNAME", "PAYLOADTEXT", "RULENAME", "device"}) {
            EXPECT_EQ(content.find(secret), std::string::npos) << path << " shows " << secret;
            EXPECT_EQ(path.find(secret), std::string::npos);
        }
    }
}

TEST(Spool, DetectsEveryFlippedBitOfASegment) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    const std::vector<std::string> texts{"{\"a\":1}", "{\"a\":2}", "{\"a\":3}"};
    for (const auto& text : texts) {
        ASSERT_TRUE(rig.append(kAlert, text));
        ASSERT_TRUE(rig.spool->commit());
    }
    ASSERT_TRUE(rig.spool->close());
    rig.spool.reset();
    std::map<std::string, base::Bytes> saved;
    for (const auto& path : rig.disk.paths()) saved[path] = *rig.disk.contents(path);
    const std::string path = rig.segments().at(0);
    for (std::size_t bit = 0; bit < saved[path].size() * 8; ++bit) {
        for (const auto& [name, content] : saved) rig.disk.overwrite(name, content);
        base::Bytes flipped = saved[path];
        flipped[bit / 8] = static_cast<base::Byte>(flipped[bit / 8] ^ (1U << (bit % 8)));
        rig.disk.overwrite(path, flipped);
        const auto opened = rig.open();
        if (!opened) {  // the version or the key check in the header
            EXPECT_EQ(opened.error().code, Errc::version);
            continue;
        }
        const auto read = rig.read_all(kAlert);
        const auto stats = rig.stats(kAlert);
        EXPECT_GE(stats.dropped_total(), 1U) << "bit " << bit;
        EXPECT_EQ(rig.dropped(stats, DropReason::corrupt), stats.dropped_total());
        EXPECT_EQ(read.events.size() + stats.dropped_total(), 3U) << "bit " << bit;
        for (const auto& item : read.events) EXPECT_EQ(item.json, texts.at(item.sequence - 1)) << "bit " << bit;
        EXPECT_EQ(*rig.append(kAlert, "{}"), number(4)) << "bit " << bit;
    }
}

TEST(Spool, LivesWithEveryFlippedBitOfAManifest) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(rig.append(kAlert, "{}"));
    ASSERT_TRUE(rig.spool->commit());
    rig.spool->acknowledge(kAlert, number(1));
    ASSERT_TRUE(rig.spool->close());
    const auto epoch = rig.spool->epoch();
    rig.spool.reset();
    std::map<std::string, base::Bytes> saved;
    for (const auto& path : rig.disk.paths()) saved[path] = *rig.disk.contents(path);
    for (const std::string path : {"/data/spool/manifest.0", "/data/spool/manifest.1"}) {
        for (std::size_t bit = 0; bit < 600 * 8; ++bit) {
            for (const auto& [name, content] : saved) rig.disk.overwrite(name, content);
            base::Bytes flipped = saved[path];
            flipped[bit / 8] = static_cast<base::Byte>(flipped[bit / 8] ^ (1U << (bit % 8)));
            rig.disk.overwrite(path, flipped);
            ASSERT_TRUE(rig.open()) << path << " bit " << bit;
            EXPECT_EQ(rig.spool->epoch(), epoch);
            const auto stats = rig.stats(kAlert);
            EXPECT_EQ(stats.created, 3U);
            EXPECT_EQ(stats.dropped_total(), 0U);
        }
    }
}

TEST(Spool, RebuildsPositionsWhenBothManifestsAreGone) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    for (int i = 0; i < 300; ++i) {
        ASSERT_TRUE(rig.append(kSample, std::string(1000, 'x')));
        ASSERT_TRUE(rig.spool->commit());
    }
    rig.spool->acknowledge(kSample, number(100));
    ASSERT_TRUE(rig.spool->close());
    const auto epoch = rig.spool->epoch();
    rig.spool.reset();
    rig.disk.overwrite("/data/spool/manifest.0", {});
    rig.disk.overwrite("/data/spool/manifest.1", base::Bytes(20'000, 0xff));
    ASSERT_TRUE(rig.open());
    EXPECT_TRUE(rig.spool->stats().manifest_rebuilt);
    EXPECT_EQ(rig.spool->epoch(), epoch);
    const auto stats = rig.stats(kSample);
    EXPECT_EQ(stats.created, 300U);
    EXPECT_LE(stats.delivered, 100U);
    EXPECT_EQ(stats.dropped_total(), 0U);
    EXPECT_EQ(rig.read_all(kSample).events.back().sequence, 300U);
}

TEST(Spool, CountsEventsOfAFileThatSomeoneDeleted) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    for (int i = 0; i < 500; ++i) {
        ASSERT_TRUE(rig.append(kSample, std::string(1000, 'x')));
        ASSERT_TRUE(rig.spool->commit());
    }
    ASSERT_TRUE(rig.spool->close());
    for (const std::size_t victim : {std::size_t{3}, std::size_t{0}, rig.segments().size() - 3}) {
        const auto before = rig.stats(kSample);
        rig.spool.reset();
        ASSERT_TRUE(rig.disk.remove(rig.segments().at(victim)));
        ASSERT_TRUE(rig.open());
        const auto read = rig.read_all(kSample);
        const auto stats = rig.stats(kSample);
        EXPECT_EQ(stats.created, 500U);
        EXPECT_GT(rig.dropped(stats, DropReason::corrupt), rig.dropped(before, DropReason::corrupt));
        EXPECT_EQ(read.events.size() + rig.dropped(stats, DropReason::corrupt), 500U);
    }
}

TEST(Spool, NeverSyncsAFileAgainAfterAFailedSync) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kAlert, "{\"a\":1}"));
    ASSERT_TRUE(rig.spool->commit());
    ASSERT_EQ(rig.segments().size(), 1U);
    ASSERT_TRUE(rig.append(kAlert, "{\"a\":2}"));
    rig.disk.fail_at(2, Errc::io);     // the write goes through, its sync fails
    EXPECT_TRUE(rig.spool->commit());  // a second try in a new file
    EXPECT_EQ(rig.segments().size(), 2U);
    EXPECT_EQ(rig.spool->stats().sync_failures, 1U);
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.texts(kAlert), (std::vector<std::string>{"{\"a\":1}", "{\"a\":2}"}));
    EXPECT_EQ(rig.stats(kAlert).dropped_total(), 0U);
}

TEST(Spool, HoldsEventsInMemoryWhileTheDiskIsDeadAndRecoversByItself) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kAlert, "{\"a\":1}"));
    ASSERT_TRUE(rig.spool->commit());
    rig.disk.set_dead(true);
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(rig.append(kAlert, "{\"a\":2}"));
        EXPECT_FALSE(rig.spool->commit());
    }
    EXPECT_TRUE(rig.spool->stats().degraded);
    EXPECT_EQ(rig.texts(kAlert).size(), 1U);
    EXPECT_EQ(rig.stats(kAlert).pending, 10U);
    rig.disk.set_dead(false);
    EXPECT_TRUE(rig.spool->commit());
    EXPECT_FALSE(rig.spool->stats().degraded);
    EXPECT_EQ(rig.texts(kAlert).size(), 11U);
    EXPECT_EQ(rig.stats(kAlert).dropped_total(), 0U);
}

TEST(Spool, DropsTheOldestOfTheLowestClassFromMemoryWhenTheDiskStaysDead) {
    SpoolRig rig;
    rig.options.pending_bytes_max = 256 << 10;
    ASSERT_TRUE(rig.open());
    rig.disk.set_dead(true);
    const std::string json(1000, 'x');
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(rig.append(kAlert, json));
        for (int j = 0; j < 10; ++j) ASSERT_TRUE(rig.append(kSample, json));
        EXPECT_FALSE(rig.spool->commit());
    }
    EXPECT_EQ(rig.stats(kAlert).dropped_total(), 0U);
    EXPECT_GT(rig.dropped(rig.stats(kSample), DropReason::disk_full), 500U);
    Seen seen;
    EXPECT_FALSE(rig.spool->read(kSample, number(1), {}, seen));  // the gap is not durable yet: nobody may be told
    rig.disk.set_dead(false);
    ASSERT_TRUE(rig.spool->commit());
    const auto read = rig.read_all(kSample);
    ASSERT_EQ(read.gaps.size(), 1U);
    EXPECT_EQ(read.gaps[0].reason, DropReason::disk_full);
    EXPECT_EQ(read.gaps[0].last.value() + read.events.size(), 1000U);
    const auto before = rig.stats(kSample);
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.stats(kSample).dropped, before.dropped);
    EXPECT_EQ(rig.stats(kSample).created, 1000U);
    EXPECT_EQ(rig.texts(kAlert).size(), 100U);
}

TEST(Spool, TreatsAFullDiskLikeItsOwnLimit) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    const std::string json(1000, 'x');
    for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(rig.append(kSample, json));
        ASSERT_TRUE(rig.append(kAlert, json));
        ASSERT_TRUE(rig.spool->commit());
    }
    rig.disk.set_bytes_max(rig.disk.bytes_used());
    for (int i = 0; i < 150; ++i) {
        ASSERT_TRUE(rig.append(kAlert, json));
        ASSERT_TRUE(rig.spool->commit()) << i;
    }
    EXPECT_EQ(rig.stats(kAlert).waiting, 350U);
    EXPECT_GT(rig.dropped(rig.stats(kSample), DropReason::disk_full), 0U);
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.stats(kAlert).waiting, 350U);
    EXPECT_EQ(rig.texts(kAlert).size(), 350U);
}

TEST(Spool, WorksOnADiskThatIsFullFromTheFirstSegmentOn) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    rig.disk.set_bytes_max(rig.disk.bytes_used() + 1000);
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(rig.append(kAlert, "{}"));
        ASSERT_TRUE(rig.spool->commit());
    }
    EXPECT_EQ(rig.dropped(rig.stats(kAlert), DropReason::disk_full), 20U);
    EXPECT_EQ(rig.read_all(kAlert).gaps, (std::vector<Gap>{{number(1), number(20), DropReason::disk_full}}));
    rig.disk.set_bytes_max(UINT64_MAX);
    ASSERT_TRUE(rig.append(kAlert, "{}"));
    ASSERT_TRUE(rig.spool->commit());
    EXPECT_EQ(rig.stats(kAlert).waiting, 1U);
}

TEST(Spool, GivesUpASectorThatCannotBeReadAndCountsItOnce) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(rig.append(kAlert, "{}"));
        ASSERT_TRUE(rig.spool->commit());
    }
    rig.disk.set_faults({.read = 1'000'000});
    Seen seen;
    EXPECT_FALSE(rig.spool->read(kAlert, number(1), {}, seen));
    EXPECT_FALSE(rig.spool->read(kAlert, number(1), {}, seen));
    const auto third = rig.spool->read(kAlert, number(1), {}, seen);
    ASSERT_TRUE(third);
    ASSERT_TRUE(third->gap);
    EXPECT_EQ(third->gap->reason, DropReason::corrupt);
    EXPECT_EQ(rig.dropped(rig.stats(kAlert), DropReason::corrupt), 5U);
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

TEST(Spool, KeepsClassesByNameWhenTheConfigurationChanges) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kAlert, "{\"alert\":1}"));
    ASSERT_TRUE(rig.append(kSample, "{\"sample\":1}"));
    ASSERT_TRUE(rig.spool->close());
    rig.options.classes = {{"sample", 5, {}}, {"new", 6, {}}};
    ASSERT_TRUE(rig.open());
    ASSERT_EQ(rig.spool->classes().size(), 4U);
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

}  // namespace
}  // namespace sluice::sim

// What each class may hold of the spool, and which of its events go when it is full.
#include "sim/spool_rig.hpp"

namespace sluice::sim {
namespace {

using base::DropReason;
using base::Errc;
using spool::DropPolicy;

data::Sequence number(std::uint64_t n) { return data::Sequence(n); }

/// A rig whose class has this share and policy.
struct ShareRig : SpoolRig {
    ShareRig(data::ClassIndex index, std::uint32_t percent, DropPolicy drop = DropPolicy::oldest) {
        options.bytes_max = spool::kSpoolBytesMin;
        options.classes[index.value()].share_percent = percent;
        options.classes[index.value()].drop = drop;
        EXPECT_TRUE(open());
    }
    void write(data::ClassIndex index, int events) {
        for (int i = 0; i < events; ++i) {
            ASSERT_TRUE(append(index, std::string(1000, 'x')));
            ASSERT_TRUE(spool->commit());
            ASSERT_LE(stats(index).bytes, stats(index).bytes_max);
        }
    }
};

TEST(SpoolShare, AClassNeverTakesMoreThanItsShareAndDropsItsOwnOldest) {
    ShareRig rig(kAlert, 30);
    rig.write(kSample, 200);
    rig.write(kAlert, 1000);  // the most important class: without a share it would push the samples out
    EXPECT_EQ(rig.stats(kSample).dropped_total(), 0U);
    const auto alerts = rig.stats(kAlert);
    EXPECT_EQ(alerts.bytes_max, spool::kSpoolBytesMin * 30 / 100);
    EXPECT_EQ(rig.stats(kSample).bytes_max, spool::kSpoolBytesMin);
    EXPECT_EQ(alerts.dropped_total(), rig.dropped(alerts, DropReason::spool_full));
    EXPECT_GT(alerts.waiting, 250U);
    const auto read = rig.read_all(kAlert);
    ASSERT_EQ(read.gaps.size(), 1U);
    EXPECT_EQ(read.gaps[0], (spool::Gap{number(1), number(1000 - alerts.waiting), DropReason::spool_full}));
    EXPECT_EQ(read.events.back().sequence, 1000U);
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.stats(kAlert).dropped, alerts.dropped);
    EXPECT_EQ(rig.read_all(kAlert).gaps, read.gaps);
}

TEST(SpoolShare, WithDropNewestTheBeginningIsKept) {
    ShareRig rig(kSample, 20, DropPolicy::newest);
    rig.write(kSample, 1000);
    const auto samples = rig.stats(kSample);
    EXPECT_EQ(samples.dropped_total(), rig.dropped(samples, DropReason::spool_full));
    auto read = rig.read_all(kSample);
    ASSERT_EQ(read.gaps.size(), 1U);
    EXPECT_EQ(read.events.front().sequence, 1U);
    EXPECT_EQ(read.gaps[0], (spool::Gap{number(samples.waiting + 1), number(1000), DropReason::spool_full}));
    // A restart changes nothing, and what drains makes room.
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.stats(kSample).waiting, samples.waiting);
    rig.spool->acknowledge(kSample, number(samples.waiting));
    ASSERT_TRUE(rig.spool->maintain());
    rig.write(kSample, 10);
    EXPECT_EQ(rig.stats(kSample).waiting, 10U);
    read = rig.read_all(kSample);
    EXPECT_EQ(read.events.front().sequence, 1001U);
}

TEST(SpoolShare, AClassThatDrainsWhileItIsFullLosesNothingButWhatItRefuses) {
    ShareRig rig(kSample, 60, DropPolicy::newest);
    std::uint64_t delivered = 0;
    std::uint64_t gone = 0;
    for (int round = 0; round < 400; ++round) {
        rig.write(kSample, 20);
        const auto found_at = rig.spool->first_waiting(kSample);
        Seen seen;
        const auto found = rig.spool->read(kSample, found_at, {.events = 10}, seen);  // half as fast as it comes
        ASSERT_TRUE(found);
        if (found->gap) {
            EXPECT_EQ(found->gap->reason, DropReason::spool_full);
            gone += found->gap->last.value() - found->gap->first.value() + 1;
        }
        delivered += seen.items.size();
        rig.spool->acknowledge(kSample, number(found->next.value() - 1));
        ASSERT_TRUE(rig.spool->maintain());
    }
    const auto stats = rig.stats(kSample);
    const auto rest = rig.read_all(kSample, rig.spool->first_waiting(kSample).value());
    for (const auto& gap : rest.gaps) gone += gap.last.value() - gap.first.value() + 1;
    EXPECT_EQ(stats.delivered, delivered);
    EXPECT_EQ(stats.dropped_total(), gone);
    EXPECT_EQ(delivered + gone + rest.events.size(), 8000U);
    EXPECT_LE(rest.gaps.size(), 10U);  // refused in long stretches, not once for each segment
    EXPECT_GT(rest.events.size(), 200U);
}

TEST(SpoolShare, MoreImportantClassesTakeTheNewestOfAClassThatKeepsItsBeginning) {
    ShareRig rig(kSample, 100, DropPolicy::newest);
    rig.write(kSample, 700);
    EXPECT_EQ(rig.stats(kSample).dropped_total(), 0U);
    rig.write(kAlert, 500);
    EXPECT_EQ(rig.stats(kAlert).dropped_total(), 0U);
    auto read = rig.read_all(kSample);
    ASSERT_EQ(read.gaps.size(), 1U);
    EXPECT_EQ(read.events.front().sequence, 1U);
    EXPECT_EQ(read.gaps[0].last, number(700));
    // Full of what is more important or older: what comes now goes.
    rig.write(kSample, 50);
    read = rig.read_all(kSample);
    ASSERT_EQ(read.gaps.size(), 2U);  // the first part was told already
    EXPECT_EQ(read.gaps[1], (spool::Gap{number(701), number(750), DropReason::spool_full}));
    const auto before = rig.stats(kSample);
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.stats(kSample).waiting, before.waiting);
    EXPECT_EQ(rig.stats(kSample).dropped, before.dropped);
    EXPECT_EQ(rig.read_all(kSample).events.size(), read.events.size());
}

TEST(SpoolShare, ALoweredShareHoldsFromTheFirstMaintenanceOn) {
    for (const DropPolicy drop : {DropPolicy::oldest, DropPolicy::newest}) {
        ShareRig rig(kAlert, 100, drop);
        rig.write(kAlert, 600);
        ASSERT_TRUE(rig.spool->close());
        rig.options.classes[0].share_percent = 10;
        ASSERT_TRUE(rig.open());
        ASSERT_TRUE(rig.spool->maintain());
        const auto stats = rig.stats(kAlert);
        EXPECT_LE(stats.bytes, stats.bytes_max);
        EXPECT_EQ(stats.waiting + rig.dropped(stats, DropReason::spool_full), 600U);
        const auto read = rig.read_all(kAlert);
        ASSERT_EQ(read.gaps.size(), 1U);
        EXPECT_EQ(read.gaps[0].first == number(1), drop == DropPolicy::oldest);
    }
}

TEST(SpoolShare, AnEventLargerThanHalfTheShareIsTooLarge) {
    ShareRig rig(kAlert, spool::kSharePercentMin);
    const std::size_t half = spool::kSpoolBytesMin / 100 * spool::kSharePercentMin / 2;
    EXPECT_EQ(rig.append(kAlert, std::string(half, 'x')).error().code, Errc::too_large);
    EXPECT_TRUE(rig.append(kAlert, std::string(half - 6, 'x')));
    EXPECT_TRUE(rig.append(kSample, std::string(half, 'x')));
    ASSERT_TRUE(rig.spool->commit());
    EXPECT_EQ(rig.stats(kAlert).waiting, 1U);
    rig.options.classes[0].share_percent = spool::kSharePercentMin - 1;
    EXPECT_EQ(rig.open().error().code, Errc::invalid);
    rig.options.classes[0].share_percent = 101;
    EXPECT_EQ(rig.open().error().code, Errc::invalid);
}

}  // namespace
}  // namespace sluice::sim

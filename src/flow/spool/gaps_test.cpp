#include "flow/spool/gaps.hpp"

#include <set>

#include <gtest/gtest.h>

namespace sluice::spool {
namespace {

using base::DropReason;
using Entry = GapList::Entry;

TEST(GapList, JoinsNeighboursOfOneReasonOnly) {
    GapList gaps;
    EXPECT_EQ(gaps.add(10, 19, DropReason::ttl), 10U);
    EXPECT_EQ(gaps.add(20, 29, DropReason::ttl), 10U);
    EXPECT_EQ(gaps.add(30, 39, DropReason::spool_full), 10U);
    EXPECT_EQ(gaps.entries(), (std::vector<Entry>{{10, 29, DropReason::ttl}, {30, 39, DropReason::spool_full}}));
    EXPECT_EQ(gaps.total(), 30U);
    EXPECT_TRUE(gaps.covers(12, 39));
    EXPECT_FALSE(gaps.covers(12, 40));
    EXPECT_EQ(gaps.skip(10), 40U);
    EXPECT_EQ(gaps.skip(9), 9U);
    EXPECT_EQ(gaps.next_gap(5, 99), 10U);
    EXPECT_EQ(gaps.next_gap(40, 99), 99U);
}

TEST(GapList, CountsOnlyWhatIsNew) {
    GapList gaps;
    EXPECT_EQ(gaps.add(10, 19, DropReason::ttl), 10U);
    EXPECT_EQ(gaps.add(5, 24, DropReason::corrupt), 10U);
    EXPECT_EQ(gaps.add(1, 100, DropReason::ttl), 80U);
    EXPECT_EQ(gaps.add(1, 100, DropReason::ttl), 0U);
    EXPECT_EQ(gaps.total(), 100U);
    EXPECT_EQ(gaps.find(12)->reason, DropReason::ttl);
    EXPECT_EQ(gaps.find(22)->reason, DropReason::corrupt);
    EXPECT_EQ(gaps.find(101), nullptr);
}

TEST(GapList, StaysBoundedByTakingInTheSmallestStretchBetween) {
    GapList gaps;
    std::uint64_t added = 0;
    for (std::uint64_t i = 0; i < GapList::kGapsMax; ++i) added += gaps.add(i * 100, i * 100, DropReason::corrupt);
    EXPECT_EQ(added, GapList::kGapsMax);
    EXPECT_EQ(gaps.add(703, 703, DropReason::corrupt), 3U);  // 701, 702 and 703
    EXPECT_EQ(gaps.entries().size(), GapList::kGapsMax);
    EXPECT_TRUE(gaps.covers(700, 703));
}

TEST(GapList, RemembersWhatWasAnnounced) {
    GapList gaps;
    (void)gaps.add(10, 29, DropReason::spool_full);
    EXPECT_EQ(gaps.announce(20), (Entry{20, 29, DropReason::spool_full, true}));
    EXPECT_EQ(gaps.entries().size(), 2U);
    const auto removed = gaps.remove_below(25, 18);
    EXPECT_EQ(removed.announced, 5U);
    EXPECT_EQ(removed.unannounced[static_cast<std::size_t>(DropReason::spool_full)], 8U);
    EXPECT_EQ(removed.rest, 2U);
    EXPECT_EQ(gaps.entries(), (std::vector<Entry>{{25, 29, DropReason::spool_full, true}}));
}

TEST(GapList, AgreesWithASetOfNumbers) {
    std::uint64_t state = 12345;
    const auto below = [&](std::uint64_t n) {  // Knuth's MMIX generator
        state = state * 6364136223846793005U + 1442695040888963407U;
        return (state >> 33) % n;
    };
    for (int round = 0; round < 200; ++round) {
        GapList gaps;
        std::set<std::uint64_t> model;
        for (int step = 0; step < 15; ++step) {
            const std::uint64_t first = 1 + below(200);
            const std::uint64_t last = first + below(20);
            std::uint64_t fresh = 0;
            for (std::uint64_t n = first; n <= last; ++n) fresh += model.insert(n).second ? 1U : 0U;
            EXPECT_EQ(gaps.add(first, last, step % 2 == 0 ? DropReason::ttl : DropReason::corrupt), fresh);
            const std::uint64_t probe = 1 + below(220);
            EXPECT_EQ(gaps.find(probe) != nullptr, model.contains(probe));
            if (model.contains(probe)) (void)gaps.announce(probe);
            EXPECT_EQ(gaps.total(), model.size());
            if (step % 5 == 4) {
                const std::uint64_t end = below(100);
                (void)gaps.remove_below(end, 50);
                model.erase(model.begin(), model.lower_bound(end));
            }
        }
    }
}

}  // namespace
}  // namespace sluice::spool

// What goes to disk for each byte of an event, counted by the disk: docs/spool.md has the figures.
#include <cstdio>

#include <fmt/format.h>

#include "sim/random.hpp"
#include "sim/spool_rig.hpp"

namespace sluice::sim {
namespace {

/// A minute of a plant: so many commits a second with so many events each, a cloud that acknowledges, the housekeeping of a gateway.
struct Load {
    const char* name;
    bool compress;
    unsigned commits_per_second;
    unsigned alerts;      ///< each commit
    unsigned aggregates;  ///< each commit
    bool online;
};

double amplification_of(const Load& load) {
    SpoolRig rig;
    rig.options.bytes_max = 256 << 20;
    rig.options.compress = load.compress;
    EXPECT_TRUE(rig.open());
    const std::uint64_t before = rig.disk.counts().bytes_written;
    const std::uint64_t own_before = rig.spool->stats().bytes_written;
    Random random(7);
    std::uint64_t seq = 48'210;
    const auto digits = [&] { return random.between(100'000, 999'999); };
    const auto alert = [&] {
        return fmt::format(R"({{"device":"bearing-{}","ts":{},"seq":{},"vibration":0.{},"z":3.{}}})", random.between(10, 99),
                           base::to_ms(rig.clock.wall().time), ++seq, digits(), digits() % 100);
    };
    const auto aggregate = [&] {
        return fmt::format(R"({{"device":"bearing-{}","average_vibration":0.{}{},"samples":10}})", random.between(10, 99), digits(),
                           digits());
    };
    for (unsigned second = 0; second < 60; ++second) {
        for (unsigned i = 0; i < load.commits_per_second; ++i) {
            for (unsigned n = 0; n < load.alerts; ++n) EXPECT_TRUE(rig.append(kAlert, alert(), "vibration-anomaly"));
            for (unsigned n = 0; n < load.aggregates; ++n) EXPECT_TRUE(rig.append(kAggregate, aggregate(), "vibration-average"));
            EXPECT_TRUE(rig.spool->commit());
            rig.clock.advance(std::chrono::milliseconds(1000 / load.commits_per_second));
        }
        if (load.online) {
            for (const auto index : {kAlert, kAggregate})
                rig.spool->acknowledge(index, data::Sequence(rig.spool->durable_end(index).value() - 1));
        }
        EXPECT_TRUE(rig.spool->maintain());
    }
    const auto stats = rig.spool->stats();
    const std::uint64_t written = rig.disk.counts().bytes_written - before;
    EXPECT_EQ(stats.bytes_written - own_before, written) << "the spool's own figure is not what the disk saw";
    return static_cast<double>(written) / static_cast<double>(stats.bytes_accepted);
}

TEST(SpoolAmplification, StaysBelowOnePointTwoForOrdinaryCommits) {
    for (const Load& load : {Load{"offline, 100 commits/s of 1 alert and 10 aggregates", false, 100, 1, 10, false},
                             Load{"online, 100 commits/s of 1 alert and 10 aggregates", false, 100, 1, 10, true},
                             Load{"online, 20 commits/s of 4 alerts", false, 20, 4, 0, true},
                             Load{"online, 10 commits/s of 100 aggregates", false, 10, 0, 100, true}}) {
        const double amplification = amplification_of(load);
        std::printf("%-55s %.3f\n", load.name, amplification);
        EXPECT_LE(amplification, 1.2) << load.name;
        EXPECT_GT(amplification, 0.8) << load.name;  // the JSON; of rule ids there is one for each block
    }
}

TEST(SpoolAmplification, CompressionSavesMoreTheLargerACommitIs) {
    const double small = amplification_of({"100 commits/s of 1 alert and 10 aggregates, packed", true, 100, 1, 10, true});
    const double large = amplification_of({"10 commits/s of 100 aggregates, packed", true, 10, 0, 100, true});
    std::printf("packed: 10 aggregates a commit %.3f, 100 %.3f\n", small, large);
    EXPECT_LE(small, 0.55);
    EXPECT_LE(large, 0.2);
}

TEST(SpoolAmplification, OneSmallEventACommitIsTheWorstCase) {
    const double amplification = amplification_of({"online, 1 alert a second, alone", true, 1, 1, 0, true});
    std::printf("online, 1 alert a second, alone: %.3f\n", amplification);
    EXPECT_LE(amplification, 3.0);  // a block of its own, and a manifest for five of them
}

}  // namespace
}  // namespace sluice::sim

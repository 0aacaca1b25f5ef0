// The spool under thousands of seeds, and under each single failing call.
#include "sim/spool_model.hpp"

#include <cstdlib>

namespace sluice::sim {
namespace {

/// SLUICE_SPOOL_SEEDS="first last" runs others; one that failed goes to the list below.
std::pair<std::uint64_t, std::uint64_t> seeds() {
    std::uint64_t first = 1;
    std::uint64_t last = 400;
    if (const char* const wanted = std::getenv("SLUICE_SPOOL_SEEDS"); wanted != nullptr) {
        char* end = nullptr;
        first = std::strtoull(wanted, &end, 10);
        last = std::strtoull(end, nullptr, 10);
        if (last < first) last = first;
    }
    return {first, last};
}

TEST(SpoolModel, KeepsItsPromisesUnderEverySeed) {
    SpoolModel::Counts total;
    const auto [first, last] = seeds();
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        SpoolModel model(seed);
        model.run(200);
        ASSERT_EQ(model.problem(), "") << "seed " << seed;
        total.commits += model.counts().commits;
        total.failed_commits += model.counts().failed_commits;
        total.crashes += model.counts().crashes;
        total.kills += model.counts().kills;
        total.stored += model.counts().stored;
        total.resent += model.counts().resent;
        total.dropped += model.counts().dropped;
        total.corrupt += model.counts().corrupt;
        total.rotations += model.counts().rotations;
        total.retired += model.counts().retired;
    }
    RecordProperty("commits", std::to_string(total.commits));
    std::printf(
        "%llu commits (%llu failed), %llu power cuts, %llu kills, %llu events stored, %llu resent, %llu dropped, %llu corrupt, %llu keys, "
        "%llu retired\n",
        static_cast<unsigned long long>(total.commits), static_cast<unsigned long long>(total.failed_commits),
        static_cast<unsigned long long>(total.crashes), static_cast<unsigned long long>(total.kills),
        static_cast<unsigned long long>(total.stored), static_cast<unsigned long long>(total.resent),
        static_cast<unsigned long long>(total.dropped), static_cast<unsigned long long>(total.corrupt),
        static_cast<unsigned long long>(total.rotations), static_cast<unsigned long long>(total.retired));
    EXPECT_GT(total.crashes, (last - first + 1) * 2);
    EXPECT_GT(total.stored, last - first);
    EXPECT_GT(total.retired, (last - first + 1) * 2);
}

/// A fixed course of events; returns what append() and commit() made safe.
struct Course {
    std::uint64_t safe_alerts = 0;
    std::uint64_t safe_samples = 0;
    bool finished = false;
};

Course run_course(SpoolRig& rig) {
    Course course;
    if (!rig.spool && !rig.open()) return course;
    for (int i = 0; i < 40; ++i) {
        const auto alert = rig.append(kAlert, "{\"n\":" + std::to_string(i) + "}");
        const auto sample = rig.append(kSample, std::string(9000, 's'));
        if (rig.spool->commit()) {
            course.safe_alerts = alert->value();
            course.safe_samples = sample->value();
        }
        if (i % 10 == 9) {
            Seen seen;
            const auto found = rig.spool->read(kSample, rig.spool->first_waiting(kSample), {}, seen);
            if (found && !found->gap && found->events > 0) rig.spool->acknowledge(kSample, data::Sequence(found->next.value() - 1));
            (void)rig.spool->maintain();  // its failures show later
        }
    }
    course.finished = true;
    return course;
}

TEST(SpoolFaults, EveryCallThatFailsOnceLosesNothing) {
    SpoolRig counting;
    (void)run_course(counting);
    const std::uint64_t operations = counting.disk.counts().operations;
    ASSERT_GT(operations, 100U);
    for (const base::Errc code : {base::Errc::io, base::Errc::disk_full}) {
        for (std::uint64_t operation = 1; operation <= operations; ++operation) {
            SpoolRig rig;
            rig.disk.fail_at(operation, code);
            const Course course = run_course(rig);
            if (!course.finished) {  // opening failed: it must work now
                ASSERT_TRUE(rig.open()) << "operation " << operation;
                continue;
            }
            ASSERT_TRUE(rig.spool->commit()) << "operation " << operation;
            EXPECT_GE(course.safe_alerts, 39U) << "operation " << operation;
            const auto before = rig.stats(kAlert);
            rig.crash();
            ASSERT_TRUE(rig.open()) << "operation " << operation;
            const auto alerts = rig.read_all(kAlert);
            EXPECT_EQ(alerts.events.size() + before.dropped_total(), 40U) << "operation " << operation;
            EXPECT_EQ(rig.dropped(rig.stats(kAlert), base::DropReason::corrupt), 0U) << "operation " << operation;
            EXPECT_TRUE(code == base::Errc::disk_full || before.dropped_total() == 0) << "operation " << operation;
            const auto samples = rig.stats(kSample);
            EXPECT_EQ(samples.created, 40U);
            EXPECT_EQ(rig.dropped(samples, base::DropReason::corrupt), 0U) << "operation " << operation;
        }
    }
}

TEST(SpoolFaults, APowerCutAtEachCallKeepsWhatWasSafe) {
    SpoolRig counting;
    (void)run_course(counting);
    const std::uint64_t operations = counting.disk.counts().operations;
    for (std::uint64_t operation = 1; operation <= operations; ++operation) {
        SpoolRig rig(operation);
        rig.disk.crash_at(operation);
        const Course course = run_course(rig);
        rig.crash();
        ASSERT_TRUE(rig.open()) << "operation " << operation;
        EXPECT_GE(rig.stats(kAlert).last.value(), course.safe_alerts) << "operation " << operation;
        const auto alerts = rig.read_all(kAlert);
        ASSERT_GE(alerts.events.size(), course.safe_alerts) << "operation " << operation;
        for (std::uint64_t i = 0; i < course.safe_alerts; ++i) EXPECT_EQ(alerts.events[i].json, "{\"n\":" + std::to_string(i) + "}");
        EXPECT_GE(rig.stats(kSample).last.value(), course.safe_samples) << "operation " << operation;
    }
}

TEST(SpoolFaults, APowerCutDuringRecoveryChangesNothing) {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        SpoolRig rig(seed);
        rig.disk.crash_at(60 + seed * 3);
        const Course course = run_course(rig);
        for (std::uint64_t operation = 1; operation <= 40; operation += 3) {
            rig.crash();
            rig.disk.crash_at(operation);
            (void)rig.open();  // dies on the way
        }
        rig.crash();
        ASSERT_TRUE(rig.open());
        const auto alerts = rig.read_all(kAlert);
        ASSERT_GE(alerts.events.size(), course.safe_alerts) << "seed " << seed;
        for (std::uint64_t i = 0; i < course.safe_alerts; ++i) EXPECT_EQ(alerts.events[i].json, "{\"n\":" + std::to_string(i) + "}");
    }
}

}  // namespace
}  // namespace sluice::sim

// The spool while its keys are rotated: nothing becomes unreadable, old keys go, a key that is missing costs what it sealed.
#include <algorithm>

#include "flow/spool/key_scan.hpp"
#include "flow/spool/verify.hpp"
#include "manage/identity/key_files.hpp"
#include "sim/spool_rig.hpp"

namespace sluice::sim {
namespace {

using base::DropReason;
using base::Errc;
using spool::KeyUse;

/// A number as JSON, and what a read finds.
std::string text_of(std::uint64_t n) { return "{\"n\":" + std::to_string(n) + "}"; }

void put(SpoolRig& rig, data::ClassIndex event_class, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t n = first; n <= last; ++n) {
        ASSERT_TRUE(rig.append(event_class, text_of(n)));
        ASSERT_TRUE(rig.spool->commit());
    }
}

bool needs(const std::vector<KeyUse>& use, spool::KeyNumber key) {
    return std::any_of(use.begin(), use.end(), [key](const KeyUse& each) { return each.key == key; });
}

void maintain(SpoolRig& rig, unsigned times) {
    for (unsigned i = 0; i < times; ++i) {
        rig.clock.advance(std::chrono::seconds(1));
        ASSERT_TRUE(rig.spool->maintain());
    }
}

TEST(SpoolRotation, ANewKeySealsWhatComesNextAndTheOldOneOpensTheRest) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    put(rig, kAlert, 1, 5);
    rig.rotate();
    put(rig, kAlert, 6, 9);
    EXPECT_EQ(rig.segments().size(), 2U);
    EXPECT_EQ(rig.texts(kAlert).size(), 9U);
    rig.crash();
    ASSERT_TRUE(rig.open());
    const auto texts = rig.texts(kAlert);
    ASSERT_EQ(texts.size(), 9U);
    for (std::uint64_t n = 1; n <= 9; ++n) EXPECT_EQ(texts[n - 1], text_of(n));
    EXPECT_EQ(rig.stats(kAlert).dropped_total(), 0U);
}

TEST(SpoolRotation, MaintenanceTakesTheKeyOverWithoutAnyEvents) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    put(rig, kAlert, 1, 1);
    ASSERT_TRUE(rig.spool->close());
    ASSERT_TRUE(rig.open());
    rig.rotate();
    maintain(rig, 1);
    EXPECT_TRUE(needs(rig.spool->key_use(), 1));
    rig.spool->acknowledge(kAlert, data::Sequence(1));
    maintain(rig, 2);
    const auto use = rig.spool->key_use();
    ASSERT_EQ(use.size(), 1U);
    EXPECT_EQ(use[0].key, 2U);
    EXPECT_EQ(use[0].manifests, 2U);
    EXPECT_EQ(use[0].segments, 0U);
}

TEST(SpoolRotation, AnOldKeyIsNeededUntilItsSegmentsAreDeliveredAndItsFilesGone) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    put(rig, kAlert, 1, 3);
    put(rig, kSample, 1, 3);
    rig.rotate();
    put(rig, kAlert, 4, 6);
    maintain(rig, 3);
    auto use = rig.spool->key_use();
    ASSERT_EQ(use.size(), 2U);
    EXPECT_EQ(use[0].key, 1U);
    EXPECT_EQ(use[0].segments, 2U) << "one a class";
    EXPECT_EQ(use[0].manifests, 0U);
    EXPECT_GT(use[0].bytes, 0U);
    rig.spool->acknowledge(kAlert, data::Sequence(6));
    EXPECT_EQ(rig.spool->key_use()[0].segments, 2U) << "a file that is about to go may come back after a power cut";
    maintain(rig, 1);
    EXPECT_EQ(rig.spool->key_use()[0].segments, 1U);
    EXPECT_EQ(rig.retire(), 0U);
    rig.spool->acknowledge(kSample, data::Sequence(3));
    maintain(rig, 1);
    EXPECT_EQ(rig.retire(), 1U);
    rig.crash();
    ASSERT_TRUE(rig.open()) << "with the new key alone";
    EXPECT_EQ(rig.stats(kAlert).delivered, 6U);
    EXPECT_EQ(rig.stats(kAlert).dropped_total() + rig.stats(kSample).dropped_total(), 0U);
}

TEST(SpoolRotation, WhatTheFilesNameInTheClearIsWhatTheSpoolSaysItNeeds) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    put(rig, kAlert, 1, 3);
    rig.rotate();
    put(rig, kSample, 1, 2);
    maintain(rig, 1);
    const auto use = rig.spool->key_use();
    const auto named = spool::scan_keys(rig.disk, "/data/spool");
    ASSERT_TRUE(named);
    ASSERT_EQ(named->size(), use.size());
    for (std::size_t i = 0; i < use.size(); ++i) {
        EXPECT_EQ((*named)[i].key.number, use[i].key);
        EXPECT_EQ((*named)[i].segments, use[i].segments);
        EXPECT_EQ((*named)[i].manifests, use[i].manifests);
        EXPECT_TRUE(rig.sealer.has((*named)[i].key));
    }
    EXPECT_EQ(spool::scan_keys(rig.disk, "/nowhere").error().code, Errc::not_found);
}

class Verdicts final : public spool::VerifyObserver {
public:
    void on_problem(const spool::Problem& problem) override { problems.push_back(problem); }
    void on_progress(std::uint64_t, std::uint64_t) override {}
    bool wait() override { return false; }
    std::vector<spool::Problem> problems;
};

/// Three keys, three events of each class under each; then key 2 is lost.
struct LostKey {
    LostKey() {
        EXPECT_TRUE(rig.open());
        for (std::uint64_t n = 0; n < 3; ++n) {
            if (n != 0) rig.rotate();
            put(rig, kAlert, 3 * n + 1, 3 * n + 3);
            put(rig, kSample, 3 * n + 1, 3 * n + 3);
        }
        EXPECT_TRUE(rig.spool->close());
        EXPECT_TRUE(rig.open());
        maintain(rig, 2);
        EXPECT_TRUE(rig.spool->close());
        rig.spool.reset();
        rig.keys.remove(2);
        rig.sealer.use(rig.keys);
    }
    SpoolRig rig;
};

TEST(SpoolRotation, AMissingKeyCostsWhatItSealedAndNothingElse) {
    LostKey lost;
    SpoolRig& rig = lost.rig;
    ASSERT_TRUE(rig.open());
    for (const data::ClassIndex each : {kAlert, kSample}) {
        const auto read = rig.read_all(each);
        ASSERT_EQ(read.gaps.size(), 1U);
        EXPECT_EQ(read.gaps[0], (spool::Gap{data::Sequence(4), data::Sequence(6), DropReason::corrupt}));
        ASSERT_EQ(read.events.size(), 6U);
        EXPECT_EQ(read.events[2].json, text_of(3));
        EXPECT_EQ(read.events[3].json, text_of(7));
        EXPECT_EQ(rig.dropped(rig.stats(each), DropReason::corrupt), 3U);
        EXPECT_EQ(rig.stats(each).dropped_total(), 3U);
    }
    ASSERT_TRUE(rig.append(kAlert, text_of(10)));
    ASSERT_TRUE(rig.spool->commit());
    rig.crash();
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.dropped(rig.stats(kAlert), DropReason::corrupt), 3U) << "counted once";
    EXPECT_EQ(rig.texts(kAlert).back(), text_of(10));
}

TEST(SpoolRotation, AnotherKeyUnderTheNumberOfOneThatIsMissingOpensNothing) {
    LostKey lost;
    SpoolRig& rig = lost.rig;
    rig.keys.add(2, SpoolRig::make_key(4711));
    rig.sealer.use(rig.keys);
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.read_all(kAlert).events.size(), 6U);
    EXPECT_EQ(rig.dropped(rig.stats(kAlert), DropReason::corrupt), 3U);
}

TEST(SpoolRotation, VerifyingSaysWhichFilesNeedTheMissingKeyAndWhatTheyCost) {
    LostKey lost;
    SpoolRig& rig = lost.rig;
    Verdicts verdicts;
    const auto summary = spool::verify(rig.disk, rig.sealer, rig.options.directory, verdicts);
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->events_lost, 6U);
    ASSERT_EQ(verdicts.problems.size(), 2U);
    for (const spool::Problem& each : verdicts.problems) {
        EXPECT_EQ(each.kind, spool::ProblemKind::other_key);
        EXPECT_EQ(each.first, 4U);
        EXPECT_EQ(each.last, 6U);
        EXPECT_EQ(each.events_lost, 3U);
    }
}

TEST(SpoolRotation, WithoutTheKeyOfThePositionsNothingIsTouched) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    put(rig, kAlert, 1, 3);
    rig.rotate();
    put(rig, kAlert, 4, 6);
    ASSERT_TRUE(rig.spool->close());
    rig.spool.reset();
    std::map<std::string, base::Bytes> before;
    for (const auto& path : rig.disk.paths()) before[path] = *rig.disk.contents(path);
    // A copy of the keys from before the rotation was put back.
    gateway::SpoolSealer old(SpoolRig::make_key(1));
    EXPECT_EQ(spool::Spool::open({rig.disk, rig.clock, rig.entropy, old}, rig.options).error().code, Errc::wrong_key);
    for (const auto& path : rig.disk.paths()) EXPECT_EQ(before[path], *rig.disk.contents(path)) << path;
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.texts(kAlert).size(), 6U);
}

TEST(SpoolRotation, AnOlderCopyOfThePositionsUnderAMissingKeyCostsNothing) {
    SpoolRig rig;
    ASSERT_TRUE(rig.open());
    put(rig, kAlert, 1, 3);
    maintain(rig, 6);
    rig.spool->acknowledge(kAlert, data::Sequence(2));
    maintain(rig, 6);
    rig.rotate();
    maintain(rig, 1);
    const auto use = rig.spool->key_use();
    ASSERT_EQ(use.size(), 2U);
    EXPECT_EQ(use[0].manifests, 1U);
    EXPECT_EQ(use[1].manifests, 1U);
    rig.crash();
    rig.keys.remove(1);
    rig.sealer.use(rig.keys);
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(rig.stats(kAlert).delivered, 2U);
    EXPECT_TRUE(rig.texts(kAlert).empty());
    EXPECT_EQ(rig.dropped(rig.stats(kAlert), DropReason::corrupt), 1U) << "the event in the old key's segment";
    maintain(rig, 2);
    rig.crash();
    ASSERT_TRUE(rig.open());
}

/// Events, a new key from its file, events, deliveries, the old key's removal as a gateway does it; twice.
struct Course {
    std::uint64_t safe = 0;
    std::uint64_t acknowledged = 0;
    unsigned removed = 0;
    bool finished = false;
};

bool take_keys(SpoolRig& rig) {
    auto keys = identity::KeyFiles(rig.disk, "/data").open_or_create(rig.entropy);
    if (!keys) return false;
    rig.keys = std::move(*keys);
    rig.sealer.use(rig.keys);
    return true;
}

void retire_keys(SpoolRig& rig, Course& course) {
    const auto use = rig.spool->key_use();
    for (const identity::KeyNumber number : rig.keys.numbers()) {
        if (number == rig.keys.newest() || needs(use, number)) continue;
        if (!identity::KeyFiles(rig.disk, "/data").remove(number)) return;
        rig.keys.remove(number);
        rig.sealer.use(rig.keys);
        ++course.removed;
    }
}

Course run_course(SpoolRig& rig) {
    Course course;
    if (!take_keys(rig) || !rig.open()) return course;
    std::uint64_t next = rig.stats(kAlert).last.value() + 1;
    const auto commit_some = [&](unsigned events) {
        for (unsigned i = 0; i < events; ++i) {
            const auto sequence = rig.append(kAlert, text_of(next));
            if (!sequence) return false;
            if (!rig.spool->commit()) return false;
            course.safe = next++;
        }
        return true;
    };
    for (unsigned round = 0; round < 2; ++round) {
        if (!commit_some(4)) return course;
        if (!identity::KeyFiles(rig.disk, "/data").add(rig.entropy)) return course;
        if (!take_keys(rig)) return course;
        if (!commit_some(3)) return course;
        rig.clock.advance(std::chrono::seconds(1));
        if (!rig.spool->maintain()) return course;
        retire_keys(rig, course);
        course.acknowledged = course.safe - 1;
        rig.spool->acknowledge(kAlert, data::Sequence(course.acknowledged));
        for (unsigned i = 0; i < 3; ++i) {
            rig.clock.advance(std::chrono::seconds(1));
            if (!rig.spool->maintain()) return course;
            retire_keys(rig, course);
        }
    }
    course.finished = true;
    return course;
}

/// Everything that was safe is there, or told to the cloud; a torn write, which nobody was promised, may be called corrupt. `full`: on a
/// full disk the oldest may have been dropped.
void expect_nothing_lost(SpoolRig& rig, const Course& course, std::uint64_t operation, bool full = false) {
    ASSERT_TRUE(take_keys(rig)) << "operation " << operation;
    const auto opened = rig.open();
    ASSERT_TRUE(opened) << "operation " << operation << ": " << base::describe(opened.error());
    EXPECT_GE(rig.stats(kAlert).last.value(), course.safe) << "operation " << operation;
    const std::uint64_t first = rig.spool->first_waiting(kAlert).value();
    EXPECT_LE(first, course.acknowledged + 1) << "operation " << operation;
    const auto read = rig.read_all(kAlert, first);
    std::uint64_t gone = 0;
    for (const spool::Gap& gap : read.gaps) {
        if (full && gap.reason == DropReason::disk_full) {
            gone += gap.last.value() - gap.first.value() + 1;
        } else {
            EXPECT_GT(gap.first.value(), course.safe) << "operation " << operation;
        }
    }
    std::uint64_t safe = 0;
    std::uint64_t before = first - 1;
    for (const auto& event : read.events) {
        EXPECT_GT(event.sequence, before) << "operation " << operation;
        EXPECT_EQ(event.json, text_of(event.sequence)) << "operation " << operation;
        before = event.sequence;
        safe += event.sequence <= course.safe ? 1U : 0U;
    }
    EXPECT_EQ(safe + gone, course.safe - (first - 1)) << "operation " << operation;
    Verdicts verdicts;
    const auto summary = spool::verify(rig.disk, rig.sealer, rig.options.directory, verdicts);
    ASSERT_TRUE(summary) << "operation " << operation;
    EXPECT_EQ(summary->events_lost, 0U) << "operation " << operation;
}

TEST(SpoolRotation, APowerCutAtEachCallLeavesEverythingReadable) {
    SpoolRig counting;
    const Course whole = run_course(counting);
    ASSERT_TRUE(whole.finished);
    ASSERT_EQ(whole.removed, 2U);
    const std::uint64_t operations = counting.disk.counts().operations;
    unsigned removed = 0;
    for (std::uint64_t operation = 1; operation <= operations; ++operation) {
        for (std::uint64_t seed = 1; seed <= 5; ++seed) {
            SpoolRig rig(operation * 16 + seed);
            rig.disk.crash_at(operation);
            const Course course = run_course(rig);
            removed += course.removed;
            rig.crash();
            expect_nothing_lost(rig, course, operation);
            if (testing::Test::HasFailure()) return;
        }
    }
    EXPECT_GT(removed, 100U) << "many cuts come after a key has gone";
}

TEST(SpoolRotation, AProcessThatDiesAtAnyCallAndThenAPowerCutLeaveEverythingReadable) {
    SpoolRig counting;
    ASSERT_TRUE(run_course(counting).finished);
    const std::uint64_t operations = counting.disk.counts().operations;
    for (std::uint64_t operation = 1; operation <= operations; ++operation) {
        SpoolRig rig(operation);
        rig.disk.kill_at(operation);
        Course course = run_course(rig);
        rig.kill();
        const Course second = run_course(rig);  // goes on in the same folder
        course.safe = std::max(course.safe, second.safe);
        course.acknowledged = std::max(course.acknowledged, second.acknowledged);
        rig.crash();
        expect_nothing_lost(rig, course, operation);
        if (testing::Test::HasFailure()) return;
    }
}

/// Also files that were removed, or saves that failed: a key that the spool does not name is on no file that a power cut leaves.
TEST(SpoolRotation, NoFileThatAPowerCutLeavesNeedsAKeyThatTheSpoolDidNotName) {
    for (std::uint64_t operation = 1; operation <= 30; ++operation) {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            SpoolRig rig(operation * 32 + seed);
            ASSERT_TRUE(rig.open());
            put(rig, kAlert, 1, 3);
            maintain(rig, 6);
            rig.rotate();
            put(rig, kSample, 1, 1);
            if (seed % 2 == 0) maintain(rig, 2);  // both manifests are under the new key
            rig.spool->acknowledge(kAlert, data::Sequence(3));
            rig.disk.fail_at(operation, Errc::io);
            for (unsigned i = 0; i < 1 + seed % 4; ++i) (void)rig.spool->maintain();  // one fails, or none
            const auto use = rig.spool->key_use();
            rig.spool.reset();
            rig.disk.crash();
            const auto left = spool::scan_keys(rig.disk, "/data/spool");
            ASSERT_TRUE(left);
            for (const auto& each : *left) EXPECT_TRUE(needs(use, each.key.number)) << operation << ", seed " << seed;
            if (HasFailure()) return;
        }
    }
}

TEST(SpoolRotation, EveryCallThatFailsOnceLosesNothing) {
    SpoolRig counting;
    ASSERT_TRUE(run_course(counting).finished);
    const std::uint64_t operations = counting.disk.counts().operations;
    for (const Errc code : {Errc::io, Errc::disk_full}) {
        for (std::uint64_t operation = 1; operation <= operations; ++operation) {
            SpoolRig rig(operation);
            rig.disk.fail_at(operation, code);
            const Course course = run_course(rig);
            rig.crash();
            expect_nothing_lost(rig, course, operation, code == Errc::disk_full);
            if (testing::Test::HasFailure()) return;
        }
    }
}

}  // namespace
}  // namespace sluice::sim

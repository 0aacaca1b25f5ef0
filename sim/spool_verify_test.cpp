// Verifying a spool: damage is found where it is and costs what recovery will count; a spool in use, or after a power cut, is good.
#include <functional>
#include <map>

#include "flow/spool/verify.hpp"
#include "sim/spool_rig.hpp"

namespace sluice::sim {
namespace {

using base::DropReason;
using base::Errc;
using spool::ProblemKind;

data::Sequence number(std::uint64_t n) { return data::Sequence(n); }

class Findings final : public spool::VerifyObserver {
public:
    void on_problem(const spool::Problem& problem) override { problems.push_back(problem); }
    void on_progress(std::uint64_t done, std::uint64_t total) override {
        EXPECT_LE(done, total);
        EXPECT_GE(done, done_before);
        done_before = done;
    }
    bool wait() override {
        ++waits;
        if (while_waiting) while_waiting();
        return static_cast<bool>(while_waiting);
    }
    std::vector<spool::Problem> problems;
    std::function<void()> while_waiting;
    unsigned waits = 0;
    std::uint64_t done_before = 0;
};

struct VerifyRig : SpoolRig {
    using SpoolRig::SpoolRig;
    base::Result<spool::VerifySummary> verify() {
        findings = Findings{};
        findings.while_waiting = while_waiting;
        return spool::verify(disk, sealer, options.directory, findings);
    }
    /// A closed spool with three classes: some delivered, some dropped, some waiting.
    void fill(int events = 300) {
        options.bytes_max = spool::kSpoolBytesMin;
        ASSERT_TRUE(open());
        for (int i = 0; i < events; ++i) {
            ASSERT_TRUE(append(kAlert, "{\"a\":" + std::to_string(i) + "}"));
            ASSERT_TRUE(append(kSample, std::string(4000, 's')));
            ASSERT_TRUE(spool->commit());
        }
        (void)read_all(kAlert);
        spool->acknowledge(kAlert, number(40));
        ASSERT_TRUE(spool->close());
        spool.reset();
    }
    void flip(const std::string& path, std::size_t bit) {
        base::Bytes bytes = *disk.contents(path);
        bytes[bit / 8] = static_cast<base::Byte>(bytes[bit / 8] ^ (1U << (bit % 8)));
        disk.overwrite(path, bytes);
    }
    void save() {
        for (const auto& path : disk.paths()) saved[path] = *disk.contents(path);
    }
    void restore() {
        for (const auto& [path, bytes] : saved) disk.overwrite(path, bytes);
    }
    Findings findings;
    std::function<void()> while_waiting;
    std::map<std::string, base::Bytes> saved;
};

TEST(SpoolVerify, AGoodSpoolIsGoodAndNothingIsChanged) {
    VerifyRig rig;
    rig.fill();
    rig.save();
    const auto written = rig.disk.counts().bytes_written;
    const auto summary = rig.verify();
    ASSERT_TRUE(summary);
    EXPECT_TRUE(summary->good());
    EXPECT_TRUE(summary->manifest);
    EXPECT_EQ(rig.findings.waits, 0U);
    EXPECT_EQ(summary->segments, rig.segments().size());
    EXPECT_EQ(rig.disk.counts().bytes_written, written);
    ASSERT_TRUE(rig.open());
    EXPECT_EQ(summary->epoch, rig.spool->epoch().value());
    const auto stats = rig.spool->stats();
    EXPECT_EQ(summary->waiting, stats.classes[0].waiting + stats.classes[2].waiting);
    EXPECT_GT(stats.classes[2].dropped_total(), 0U);
}

TEST(SpoolVerify, AFolderWithoutASpoolIsNotFoundAndAnotherKeyIsRefused) {
    VerifyRig rig;
    EXPECT_EQ(rig.verify().error().code, Errc::not_found);
    rig.fill(10);
    gateway::SpoolSealer other(SpoolRig::make_key(99));
    Findings findings;
    EXPECT_EQ(spool::verify(rig.disk, other, rig.options.directory, findings).error().code, Errc::wrong_key);
    rig.disk.overwrite("/data/spool/manifest.0", {});
    rig.disk.overwrite("/data/spool/manifest.1", {});
    EXPECT_EQ(spool::verify(rig.disk, other, rig.options.directory, findings).error().code, Errc::wrong_key);
}

TEST(SpoolVerify, EveryFlippedBitOfASegmentIsFoundAndCostsWhatRecoveryCounts) {
    VerifyRig rig;
    ASSERT_TRUE(rig.open());
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(rig.append(kAlert, "{\"a\":" + std::to_string(i) + "}"));
        ASSERT_TRUE(rig.append(kAlert, "{}"));
        ASSERT_TRUE(rig.spool->commit());
    }
    ASSERT_TRUE(rig.spool->close());
    rig.spool.reset();
    rig.save();
    const std::string path = rig.segments().at(0);
    for (std::size_t bit = 0; bit < rig.saved[path].size() * 8; ++bit) {
        rig.restore();
        rig.flip(path, bit);
        const auto summary = rig.verify();
        ASSERT_TRUE(summary) << bit;
        ASSERT_FALSE(summary->good()) << bit;
        EXPECT_EQ(rig.findings.waits, 0U) << bit;
        const spool::Problem& problem = rig.findings.problems.at(0);
        EXPECT_EQ("/data/spool/" + problem.file, path);
        EXPECT_EQ(problem.event_class, "alert");
        EXPECT_LE(problem.offset, bit / 8) << bit;
        ASSERT_TRUE(rig.open()) << bit;
        (void)rig.read_all(kAlert);
        EXPECT_EQ(summary->events_lost, rig.dropped(rig.stats(kAlert), DropReason::corrupt)) << bit;
        rig.spool.reset();
    }
}

TEST(SpoolVerify, ADamagedManifestIsFoundAndCostsNothingWhileTheOtherOpens) {
    VerifyRig rig;
    rig.fill(20);
    rig.save();
    for (const std::string name : {"manifest.0", "manifest.1"}) {
        rig.restore();
        rig.flip("/data/spool/" + name, 300);
        const auto summary = rig.verify();
        ASSERT_TRUE(summary);
        ASSERT_EQ(rig.findings.problems.size(), 1U);
        EXPECT_EQ(rig.findings.problems[0].kind, ProblemKind::manifest);
        EXPECT_EQ(rig.findings.problems[0].file, name);
        EXPECT_EQ(summary->events_lost, 0U);
    }
    rig.restore();
    ASSERT_TRUE(rig.disk.remove("/data/spool/manifest.0"));
    ASSERT_TRUE(rig.verify());
    EXPECT_EQ(rig.findings.problems.at(0).kind, ProblemKind::manifest);
    rig.flip("/data/spool/manifest.1", 300);
    const auto none = rig.verify();
    ASSERT_TRUE(none);
    EXPECT_FALSE(none->manifest);
    EXPECT_EQ(rig.findings.problems.at(0).kind, ProblemKind::no_manifest);
}

TEST(SpoolVerify, ADeletedSegmentIsMissingWithItsNumbers) {
    VerifyRig rig;
    rig.fill();
    rig.save();
    const auto files = rig.segments();
    for (const std::string& file : files) {
        rig.restore();
        ASSERT_TRUE(rig.disk.remove(file));
        const auto summary = rig.verify();
        ASSERT_TRUE(summary);
        ASSERT_EQ(rig.findings.problems.size(), 1U) << file;
        EXPECT_EQ(rig.findings.problems[0].kind, ProblemKind::missing);
        ASSERT_TRUE(rig.open());
        std::uint64_t corrupt = 0;
        for (const auto index : {kAlert, kSample}) {
            (void)rig.read_all(index);
            corrupt += rig.dropped(rig.stats(index), DropReason::corrupt);
        }
        EXPECT_EQ(summary->events_lost, corrupt);
        EXPECT_GT(corrupt, 0U);
        rig.spool.reset();
        for (const auto& path : rig.disk.paths()) ASSERT_TRUE(rig.disk.remove(path));
    }
}

TEST(SpoolVerify, DamageInWhatIsDeliveredCostsNothing) {
    VerifyRig rig;
    rig.fill();
    const std::string path = rig.segments().at(0);  // alerts 1 to 40 are delivered
    rig.flip(path, (spool::kTagBytes + 100) * 8);
    const auto summary = rig.verify();
    ASSERT_TRUE(summary);
    EXPECT_FALSE(summary->good());
    ASSERT_EQ(rig.findings.problems.size(), 1U);
    EXPECT_EQ(rig.findings.problems[0].kind, ProblemKind::block);
    EXPECT_EQ(rig.findings.problems[0].first, 1U);
    EXPECT_EQ(summary->events_lost, 0U);
}

TEST(SpoolVerify, AFileUnderTheNameOfAnotherIsForeign) {
    VerifyRig rig;
    rig.fill();
    const auto files = rig.segments();
    rig.disk.overwrite("/data/spool/02-000000000000ffff.seg", *rig.disk.contents(files.back()));
    rig.disk.overwrite("/data/spool/07-000000000000fffe.seg", *rig.disk.contents(files.back()));
    const auto summary = rig.verify();
    ASSERT_TRUE(summary);
    ASSERT_EQ(rig.findings.problems.size(), 2U);
    for (const auto& problem : rig.findings.problems) EXPECT_EQ(problem.kind, ProblemKind::foreign);
    EXPECT_EQ(summary->events_lost, 0U);
}

TEST(SpoolVerify, WhatARunningGatewayIsJustWritingIsNoDamage) {
    VerifyRig rig;
    ASSERT_TRUE(rig.open());
    ASSERT_TRUE(rig.append(kAlert, "{\"a\":1}"));
    ASSERT_TRUE(rig.spool->commit());
    const std::string path = rig.segments().at(0);
    const base::Bytes before = *rig.disk.contents(path);
    ASSERT_TRUE(rig.append(kAlert, "{\"a\":2}"));
    ASSERT_TRUE(rig.spool->commit());
    const base::Bytes after = *rig.disk.contents(path);
    for (std::size_t cut = before.size(); cut <= after.size(); ++cut) {
        base::Bytes half(after.begin(), after.begin() + static_cast<std::ptrdiff_t>(cut));
        half.resize(after.size() + 4096);  // reserved space reads as zero
        rig.disk.overwrite(path, half);
        rig.while_waiting = [&] { rig.disk.overwrite(path, after); };
        const auto summary = rig.verify();
        ASSERT_TRUE(summary);
        EXPECT_TRUE(summary->good()) << cut;
    }
    // It stays as it is: a bit flipped, or the power went.
    rig.while_waiting = [] {};
    rig.flip(path, (after.size() - 1) * 8);
    const auto summary = rig.verify();
    ASSERT_TRUE(summary);
    ASSERT_EQ(rig.findings.problems.size(), 1U);
    EXPECT_EQ(rig.findings.problems[0].first, 2U);
    EXPECT_GT(rig.findings.waits, 1U);
}

TEST(SpoolVerify, WhatIsDeliveredAndDroppedMeanwhileIsNoDamage) {
    VerifyRig rig;
    rig.options.bytes_max = spool::kSpoolBytesMin;
    ASSERT_TRUE(rig.open());
    for (int i = 0; i < 400; ++i) {
        ASSERT_TRUE(rig.append(kAlert, std::string(1000, 'a')));
        ASSERT_TRUE(rig.append(kSample, std::string(1000, 's')));
        ASSERT_TRUE(rig.spool->commit());
    }
    ASSERT_TRUE(rig.spool->maintain());
    // A manifest in the middle of being written makes the verifier wait after it has read the other one: the gateway goes on.
    bool done = false;
    rig.while_waiting = [&] {
        if (done) return;
        done = true;
        rig.spool->acknowledge(kAlert, number(300));
        for (int i = 0; i < 900; ++i) {
            EXPECT_TRUE(rig.append(kSample, std::string(1000, 's')));
            EXPECT_TRUE(rig.spool->commit());
            EXPECT_TRUE(rig.spool->maintain());
        }
    };
    rig.disk.overwrite("/data/spool/manifest.0", base::Bytes(16 << 10, 1));
    const auto summary = rig.verify();
    ASSERT_TRUE(summary);
    EXPECT_TRUE(done);
    for (const auto& problem : rig.findings.problems) ADD_FAILURE() << spool::name(problem.kind) << ' ' << problem.file;
}

TEST(SpoolVerify, IsGoodAfterEveryPowerCutButForATornTail) {
    unsigned torn = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        VerifyRig rig(seed);
        ASSERT_TRUE(rig.open());
        for (int i = 0; i < 20; ++i) {
            ASSERT_TRUE(rig.append(kAlert, std::string(600, 'a')));
            ASSERT_TRUE(rig.append(kSample, std::string(600, 's')));
            if (i == 15) rig.disk.crash_at(seed % 9 + 1);
            if (!rig.spool->commit()) break;
        }
        rig.crash();
        const auto summary = rig.verify();
        ASSERT_TRUE(summary) << seed;
        const std::uint64_t safe = 15;
        for (const auto& problem : rig.findings.problems) {
            EXPECT_TRUE(problem.kind == ProblemKind::torn || problem.kind == ProblemKind::block ||
                        problem.kind == ProblemKind::segment_header)
                << seed;
            EXPECT_TRUE(problem.first == 0 || problem.first > safe) << seed;
            ++torn;
        }
        ASSERT_TRUE(rig.open());
        ASSERT_TRUE(rig.spool->close());
        rig.spool.reset();
        const auto again = rig.verify();  // the bytes are as they are, but recovery has counted what they cost
        ASSERT_TRUE(again);
        EXPECT_EQ(again->events_lost, 0U) << seed;
    }
    EXPECT_GT(torn, 0U);
}

}  // namespace
}  // namespace sluice::sim

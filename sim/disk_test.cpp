// The simulated disk must be as bad as a real one, or nothing that passes on it means anything.
#include "sim/disk.hpp"

#include <set>

#include <gtest/gtest.h>

#include "sim/clock.hpp"

namespace sluice::sim {
namespace {

using base::Bytes;
using base::Errc;
using env::OpenMode;

Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }

struct Fixture {
    explicit Fixture(std::uint64_t seed) : disk(seed) {
        EXPECT_TRUE(disk.make_directory("/d"));
        file = std::move(*disk.open("/d/f", OpenMode::create_new));
        EXPECT_TRUE(disk.sync_directory("/d"));
    }
    SimDisk disk;
    std::unique_ptr<env::File> file;
};

TEST(SimDisk, KeepsSyncedBytesOverACrash) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        Fixture at(seed);
        ASSERT_TRUE(at.file->write_at(0, bytes("synced")));
        ASSERT_TRUE(at.file->sync());
        ASSERT_TRUE(at.file->write_at(6, Bytes(2000, 'x')));
        at.disk.crash();
        const Bytes after = *at.disk.contents("/d/f");
        ASSERT_GE(after.size(), 6U);
        EXPECT_EQ(base::as_text(base::ByteView(after).first(6)), "synced");
        EXPECT_FALSE(at.file->write_at(0, bytes("dead handle")));
    }
}

TEST(SimDisk, LosesTearsAndGarblesUnsyncedBytes) {
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Fixture at(seed);
        ASSERT_TRUE(at.file->write_at(0, Bytes(1024, 'x')));
        at.disk.crash();
        const Bytes after = *at.disk.contents("/d/f");
        const auto sector = [&](std::size_t i) -> std::string {
            if (after.size() <= i * 512) return "lost";
            const auto part = base::ByteView(after).subspan(i * 512, 512);
            if (part[0] == 'x' && part[511] == 'x') return "kept";
            return part[0] == 0 && part[511] == 0 ? "zero" : "garbage";
        };
        outcomes.insert(sector(0) + " " + sector(1));
    }
    for (const char* const wanted : {"lost lost", "kept kept", "kept lost", "zero kept", "garbage kept", "kept garbage", "kept zero"})
        EXPECT_TRUE(outcomes.contains(wanted)) << wanted;
}

TEST(SimDisk, MayLoseFilesAndRemovalsWhoseFolderWasNotSynced) {
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Fixture at(seed);
        ASSERT_TRUE(at.file->sync());
        auto other = at.disk.open("/d/g", OpenMode::create_new);
        ASSERT_TRUE(other);
        ASSERT_TRUE((*other)->sync());
        ASSERT_TRUE(at.disk.remove("/d/f"));
        at.disk.crash();
        outcomes.insert(std::string(at.disk.contents("/d/f") ? "f" : "-") + (at.disk.contents("/d/g") ? "g" : "-"));
    }
    EXPECT_EQ(outcomes, (std::set<std::string>{"f-", "fg", "--", "-g"}));
}

TEST(SimDisk, NeverLosesBothSidesOfARename) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Fixture at(seed);
        ASSERT_TRUE(at.file->write_at(0, bytes("old")));
        ASSERT_TRUE(at.file->sync());
        auto fresh = at.disk.open("/d/new", OpenMode::create_new);
        ASSERT_TRUE((*fresh)->write_at(0, bytes("new")));
        ASSERT_TRUE((*fresh)->sync());
        ASSERT_TRUE(at.disk.rename("/d/new", "/d/f"));
        at.disk.crash();
        const auto content = at.disk.contents("/d/f");
        ASSERT_TRUE(content);
        EXPECT_TRUE(*content == bytes("old") || *content == bytes("new"));
    }
}

TEST(SimDisk, ReportsSuccessAfterAFailedSyncWithoutHavingWritten) {
    bool lost = false;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Fixture at(seed);
        ASSERT_TRUE(at.file->write_at(0, bytes("data")));
        at.disk.fail_at(1, Errc::io);
        EXPECT_EQ(at.file->sync().error().code, Errc::io);
        EXPECT_TRUE(at.file->sync());
        Bytes cached(4);
        EXPECT_EQ(*at.file->read_at(0, cached), 4U);
        EXPECT_EQ(cached, bytes("data"));
        at.disk.crash();
        lost = lost || *at.disk.contents("/d/f") != bytes("data");
    }
    EXPECT_TRUE(lost);
}

TEST(SimDisk, KeepsThePageCacheWhenOnlyTheProcessDies) {
    Fixture at(1);
    ASSERT_TRUE(at.file->write_at(0, bytes("cached")));
    const auto lock = at.disk.lock("/d/lock");
    ASSERT_TRUE(lock);
    at.disk.kill_process();
    EXPECT_EQ(*at.disk.contents("/d/f"), bytes("cached"));
    EXPECT_TRUE(at.disk.lock("/d/lock"));
    EXPECT_FALSE(at.file->sync());
}

TEST(SimDisk, IsFullAtItsLimitAndCountsReservations) {
    Fixture at(1);
    at.disk.set_bytes_max(1000);
    ASSERT_TRUE(at.file->reserve(600));
    auto other = at.disk.open("/d/g", OpenMode::create_new);
    EXPECT_EQ((*other)->write_at(0, Bytes(500, 'x')).error().code, Errc::disk_full);
    EXPECT_TRUE((*other)->write_at(0, Bytes(400, 'x')));
    EXPECT_TRUE(at.file->write_at(0, Bytes(600, 'x')));
    EXPECT_EQ(at.file->write_at(600, Bytes(1, 'x')).error().code, Errc::disk_full);
    EXPECT_EQ(at.disk.bytes_used(), 1000U);
    ASSERT_TRUE(at.disk.remove("/d/g"));
    EXPECT_TRUE(at.file->write_at(600, Bytes(400, 'x')));
}

TEST(SimDisk, GoesDarkAtTheOperationItWasTold) {
    Fixture at(3);
    at.disk.crash_at(2);
    EXPECT_TRUE(at.file->write_at(0, bytes("a")));
    EXPECT_FALSE(at.file->write_at(1, bytes("b")));
    EXPECT_TRUE(at.disk.power_is_off());
    EXPECT_FALSE(at.file->size());
    EXPECT_FALSE(at.disk.list("/d"));
    at.disk.crash();
    EXPECT_TRUE(at.disk.list("/d"));
}

TEST(SimDisk, DoesTheSameForTheSameSeed) {
    const auto life = [](std::uint64_t seed) {
        Fixture at(seed);
        at.disk.set_faults({.write = 200'000, .sync = 200'000});
        for (std::uint64_t i = 0; i < 50; ++i) {
            if (at.file->write_at(i * 100, Bytes(300, static_cast<base::Byte>(i)))) (void)at.file->sync();  // any outcome will do
        }
        at.disk.crash();
        return *at.disk.contents("/d/f");
    };
    EXPECT_EQ(life(7), life(7));
    EXPECT_NE(life(7), life(8));
}

TEST(SimClock, JumpsOnlyOnTheWall) {
    SimClock clock;
    const auto before = clock.now();
    clock.set_wall(base::from_ms(5), false);
    EXPECT_EQ(clock.now(), before);
    EXPECT_EQ(base::to_ms(clock.wall().time), 5);
    clock.advance(std::chrono::milliseconds(10));
    EXPECT_EQ(base::to_ms(clock.wall().time), 15);
    clock.reboot(std::chrono::milliseconds(100));
    EXPECT_EQ(base::to_ms(clock.wall().time), 115);
}

}  // namespace
}  // namespace sluice::sim

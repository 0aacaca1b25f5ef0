// The files of master keys on a disk that fails.
#include <gtest/gtest.h>

#include "manage/identity/key_files.hpp"
#include "sim/disk.hpp"

namespace sluice::identity {
namespace {

using base::Errc;

std::string derived(const MasterKey& key) {
    const Secret secret = key.derive("test");
    return std::string(base::as_text(secret.bytes()));
}

std::string derived(const KeyRing& keys, KeyNumber number) { return keys.find(number) == nullptr ? "" : derived(*keys.find(number)); }

struct Place {
    explicit Place(std::uint64_t seed = 1) : disk(seed), entropy(seed), keys(disk, "/data") {}
    base::Result<KeyRing> open() { return keys.open_or_create(entropy); }
    sim::SimDisk disk;
    sim::SimEntropy entropy;
    KeyFiles keys;
};

TEST(KeyFiles, TheFirstIsMadeOnceAndReadBack) {
    Place place;
    EXPECT_EQ(place.keys.load().error().code, Errc::not_found);
    const auto made = place.open();
    ASSERT_TRUE(made);
    EXPECT_EQ(made->newest(), 1U);
    place.disk.crash();
    const auto read = place.open();
    ASSERT_TRUE(read);
    EXPECT_EQ(derived(*made, 1), derived(*read, 1));
    EXPECT_EQ(place.disk.contents("/data/keys/master.key")->size(), kKeyBytes);
}

TEST(KeyFiles, NamesAreThoseOfNumbersAndNothingElse) {
    for (const KeyNumber number : {KeyNumber{1}, KeyNumber{2}, KeyNumber{10}, kKeyNumberMax}) {
        const std::string file = key_file(number);
        EXPECT_EQ(key_number(file.substr(file.find('/') + 1)), number);
    }
    for (const std::string_view name :
         {"", "master", "master-.key", "master-0.key", "master-1.key", "master-02.key", "master-65536.key", "master--2.key",
          "master-2.key.new", "amaster-2.key", "master-2", "new", "gone", "lock", "uplink.token"})
        EXPECT_EQ(key_number(name), std::nullopt) << name;
}

TEST(KeyFiles, EachNewKeyHasTheNextNumberAndTheOldOnesStay) {
    Place place;
    EXPECT_EQ(place.keys.add(place.entropy).error().code, Errc::not_found);
    const auto first = place.open();
    ASSERT_TRUE(first);
    EXPECT_EQ(place.keys.add(place.entropy).value(), 2U);
    EXPECT_EQ(place.keys.add(place.entropy).value(), 3U);
    EXPECT_EQ(place.keys.add(place.entropy, 7).value(), 8U) << "numbers that something names are not used again";
    place.disk.crash();
    const auto all = place.open();
    ASSERT_TRUE(all);
    EXPECT_EQ(all->numbers(), (std::vector<KeyNumber>{1, 2, 3, 8}));
    EXPECT_EQ(all->newest(), 8U);
    EXPECT_EQ(derived(*all, 1), derived(*first, 1));
    EXPECT_NE(derived(*all, 2), derived(*all, 3));
}

TEST(KeyFiles, ThereIsNoKeyBehindTheLastNumber) {
    Place place;
    ASSERT_TRUE(place.open());
    EXPECT_EQ(place.keys.add(place.entropy, kKeyNumberMax - 1).value(), kKeyNumberMax);
    EXPECT_EQ(place.keys.add(place.entropy).error().code, Errc::limit);
}

TEST(KeyFiles, TwoProcessesDoNotMakeTheSameNumber) {
    Place place;
    ASSERT_TRUE(place.open());
    const auto other = place.disk.lock("/data/keys/lock");
    ASSERT_TRUE(other);
    EXPECT_EQ(place.keys.add(place.entropy).error().code, Errc::in_use);
}

TEST(KeyFiles, OneThatOthersCanReadIsRefusedByItsNumber) {
    Place place;
    ASSERT_TRUE(place.open());
    ASSERT_TRUE(place.keys.add(place.entropy));
    for (const unsigned mode : {0640U, 0604U, 0620U, 0601U}) {
        place.disk.set_permissions("/data/keys/master-2.key", mode);
        EXPECT_EQ(place.open().error().code, Errc::permission) << mode;
        EXPECT_EQ(place.keys.culprit(), 2U);
    }
}

TEST(KeyFiles, OneOfAnotherSizeIsCorruptAndNeverReplaced) {
    Place place;
    ASSERT_TRUE(place.open());
    for (const std::size_t size : {0U, 31U, 33U}) {
        place.disk.overwrite("/data/keys/master.key", base::Bytes(size, 7));
        EXPECT_EQ(place.open().error().code, Errc::corrupt) << size;
        EXPECT_EQ(place.keys.culprit(), 1U);
        EXPECT_EQ(place.disk.contents("/data/keys/master.key")->size(), size);
    }
}

TEST(KeyFiles, TheFirstOnceReturnedSurvivesACrashAndIsNeverMadeTwice) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        Place place(seed);
        place.disk.crash_at(1 + seed % 20);
        const auto first = place.open();
        place.disk.crash();
        const auto second = place.open();
        ASSERT_TRUE(second) << "seed " << seed << ": " << base::describe(second.error());
        EXPECT_TRUE(!first || derived(*first, 1) == derived(*second, 1)) << "seed " << seed;
    }
}

TEST(KeyFiles, EveryFailingCallIsReportedAndTheNextStartWorks) {
    Place counting;
    ASSERT_TRUE(counting.open());
    for (std::uint64_t operation = 1; operation <= counting.disk.counts().operations; ++operation) {
        Place place(operation);
        place.disk.fail_at(operation, Errc::io);
        const auto first = place.open();
        const auto second = place.open();
        ASSERT_TRUE(second) << operation;
        EXPECT_TRUE(!first || derived(*first, 1) == derived(*second, 1)) << operation;
    }
}

TEST(KeyFiles, APowerCutWhileOneIsMadeLeavesTheOldOnesAndAnOpenedOneStays) {
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        Place place(seed);
        const auto before = place.open();
        ASSERT_TRUE(before);
        place.disk.crash_at(1 + seed % 20);
        const auto added = place.keys.add(place.entropy);
        place.disk.crash();
        const auto after = place.open();
        ASSERT_TRUE(after) << "seed " << seed;
        EXPECT_EQ(derived(*after, 1), derived(*before, 1)) << "seed " << seed;
        EXPECT_TRUE(!added || after->newest() == 2) << "seed " << seed;
        // Who opened it may seal with it: it never goes again.
        place.disk.crash();
        const auto again = place.open();
        ASSERT_TRUE(again) << "seed " << seed;
        EXPECT_EQ(derived(*again, after->newest()), derived(*after, after->newest())) << "seed " << seed;
    }
}

/// Who made the key died before it had synced the folder: who opens it does.
TEST(KeyFiles, OneThatWasNotYetSyncedIsDurableOnceItWasOpened) {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        Place place(seed);
        ASSERT_TRUE(place.open());
        place.disk.kill_at(10 + seed % 6);
        (void)place.keys.add(place.entropy);  // done or not
        place.disk.kill_process();
        const auto opened = place.open();
        ASSERT_TRUE(opened) << "seed " << seed;
        place.disk.crash();
        const auto after = place.open();
        ASSERT_TRUE(after) << "seed " << seed;
        EXPECT_EQ(after->numbers(), opened->numbers()) << "seed " << seed;
    }
}

TEST(KeyFiles, ARemovedOneIsGoneAndAPowerCutMeanwhileCostsNoOther) {
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        Place place(seed);
        ASSERT_TRUE(place.open());
        ASSERT_TRUE(place.keys.add(place.entropy));
        const auto before = place.open();
        ASSERT_TRUE(before);
        const base::Bytes secret = *place.disk.contents("/data/keys/master.key");
        place.disk.crash_at(1 + seed % 16);
        const auto removed = place.keys.remove(1);
        place.disk.crash();
        const auto after = place.open();
        ASSERT_TRUE(after) << "seed " << seed;
        EXPECT_EQ(derived(*after, 2), derived(*before, 2)) << "seed " << seed;
        EXPECT_TRUE(!removed || after->find(1) == nullptr) << "seed " << seed;
        if (after->find(1) != nullptr) {
            EXPECT_EQ(derived(*after, 1), derived(*before, 1)) << "never another under its number; seed " << seed;
            continue;
        }
        for (const auto& path : place.disk.paths()) EXPECT_NE(*place.disk.contents(path), secret) << path << ", seed " << seed;
    }
}

}  // namespace
}  // namespace sluice::identity

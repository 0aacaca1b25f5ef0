// The master key file on a disk that fails.
#include <gtest/gtest.h>

#include "manage/identity/master_key.hpp"
#include "sim/disk.hpp"

namespace sluice::identity {
namespace {

using base::Errc;

std::string derived(const MasterKey& key) {
    const Secret secret = key.derive("test");
    return std::string(base::as_text(secret.bytes()));
}

TEST(MasterKeyFile, IsMadeOnceAndReadBack) {
    sim::SimDisk disk(1);
    sim::SimEntropy entropy(1);
    EXPECT_EQ(MasterKey::load(disk, "/data").error().code, Errc::not_found);
    const auto made = MasterKey::load_or_create(disk, entropy, "/data");
    ASSERT_TRUE(made);
    disk.crash();
    const auto read = MasterKey::load_or_create(disk, entropy, "/data");
    ASSERT_TRUE(read);
    EXPECT_EQ(derived(*made), derived(*read));
}

TEST(MasterKeyFile, ThatOthersCanReadIsRefused) {
    sim::SimDisk disk(1);
    sim::SimEntropy entropy(1);
    ASSERT_TRUE(MasterKey::load_or_create(disk, entropy, "/data"));
    for (const unsigned mode : {0640U, 0604U, 0620U, 0601U}) {
        disk.set_permissions("/data/keys/master.key", mode);
        EXPECT_EQ(MasterKey::load_or_create(disk, entropy, "/data").error().code, Errc::permission) << mode;
    }
}

TEST(MasterKeyFile, OfAnotherSizeIsCorruptAndNeverReplaced) {
    sim::SimDisk disk(1);
    sim::SimEntropy entropy(1);
    ASSERT_TRUE(MasterKey::load_or_create(disk, entropy, "/data"));
    for (const std::size_t size : {0U, 31U, 33U}) {
        disk.overwrite("/data/keys/master.key", base::Bytes(size, 7));
        EXPECT_EQ(MasterKey::load_or_create(disk, entropy, "/data").error().code, Errc::corrupt) << size;
        EXPECT_EQ(disk.contents("/data/keys/master.key")->size(), size);
    }
}

TEST(MasterKeyFile, OnceReturnedSurvivesACrashAndIsNeverMadeTwice) {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        sim::SimDisk disk(seed);
        sim::SimEntropy entropy(seed);
        disk.crash_at(1 + seed % 12);
        const auto first = MasterKey::load_or_create(disk, entropy, "/data");
        disk.crash();
        const auto second = MasterKey::load_or_create(disk, entropy, "/data");
        ASSERT_TRUE(second) << "seed " << seed << ": " << base::describe(second.error());
        EXPECT_TRUE(!first || derived(*first) == derived(*second)) << "seed " << seed;
    }
}

TEST(MasterKeyFile, EveryFailingCallIsReportedAndTheNextStartWorks) {
    for (std::uint64_t operation = 1; operation < 12; ++operation) {
        sim::SimDisk disk(operation);
        sim::SimEntropy entropy(operation);
        disk.fail_at(operation, Errc::io);
        const auto first = MasterKey::load_or_create(disk, entropy, "/data");
        const auto second = MasterKey::load_or_create(disk, entropy, "/data");
        ASSERT_TRUE(second) << operation;
        EXPECT_TRUE(!first || derived(*first) == derived(*second)) << operation;
    }
}

}  // namespace
}  // namespace sluice::identity

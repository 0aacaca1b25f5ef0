#include "cli/local/tiers.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "env/posix/clock.hpp"

namespace sluice::local {
namespace {

TEST(TempFolder, is_gone_with_its_object_unless_kept) {
    std::string gone, kept;
    {
        auto folder = TempFolder::make("sluice-test");
        ASSERT_TRUE(folder);
        gone = folder->path();
        std::ofstream(gone + "/file") << "x";
        auto other = TempFolder::make("sluice-test");
        ASSERT_TRUE(other);
        other->keep();
        kept = other->path();
    }
    EXPECT_FALSE(std::filesystem::exists(gone));
    EXPECT_TRUE(std::filesystem::exists(kept));
    std::filesystem::remove_all(kept);
}

TEST(FreePort, a_taken_port_is_not_free) {
    const posix::PosixClock clock;
    posix::EventLoop loop(clock, std::chrono::microseconds(0));
    const auto first = free_port(loop);
    ASSERT_NE(first, 0);
    EXPECT_EQ(free_port(loop, first), first) << "free again, so it may be had";
}

}  // namespace
}  // namespace sluice::local

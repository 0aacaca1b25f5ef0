#include "cli/local/tiers.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "env/posix/clock.hpp"
#include "env/posix/tcp.hpp"

namespace sluice::local {
namespace {

class Nobody final : public posix::TcpListener::Sink {
public:
    void on_accept(posix::DetachedConnection&&) override {}
};

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
    Nobody nobody;
    const auto taken = posix::TcpListener::open(loop, nobody, "127.0.0.1", 0);
    ASSERT_TRUE(taken);
    const auto other = free_port(loop, (*taken)->port());
    EXPECT_NE(other, 0);
    EXPECT_NE(other, (*taken)->port());
    EXPECT_EQ(free_port(loop, other), other) << "free, so it is preferred";
}

}  // namespace
}  // namespace sluice::local

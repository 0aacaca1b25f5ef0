#include "env/posix/pid_file.hpp"

#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice::posix {
namespace {

TEST(PidFile, tells_the_process_that_holds_it_and_refuses_a_second) {
    const std::string path = testing::TempDir() + "/sluice-pid-" + std::to_string(::getpid());
    {
        auto held = PidFile::take(path);
        ASSERT_TRUE(held.has_value());
        ASSERT_TRUE(held->announce());
        EXPECT_EQ(PidFile::holder(path).value(), ::getpid());
        const auto second = PidFile::take(path);
        ASSERT_FALSE(second.has_value());
        EXPECT_EQ(second.error().code, base::Errc::in_use);
        EXPECT_EQ(PidFile::holder(path).value(), ::getpid()) << "a refused attempt must leave the file alone";
    }
    EXPECT_EQ(PidFile::holder(path).error().code, base::Errc::not_found);
}

TEST(PidFile, a_file_that_a_killed_process_left_behind_belongs_to_nobody) {
    const std::string path = testing::TempDir() + "/sluice-stale-" + std::to_string(::getpid());
    std::ofstream(path) << "1234\n";
    EXPECT_EQ(PidFile::holder(path).error().code, base::Errc::not_found);
    EXPECT_TRUE(PidFile::take(path).has_value());
}

}  // namespace
}  // namespace sluice::posix

#include "env/posix/process_memory.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace sluice::posix {
namespace {

TEST(ProcessMemory, what_is_used_is_seen) {
    constexpr std::size_t kMore = 64 * 1024 * 1024;
    const auto before = process_memory();
    EXPECT_GT(before.resident, 1024U * 1024);
    EXPECT_GE(before.peak, before.resident);
    const std::vector<char> more(kMore, 'x');
    const auto after = process_memory();
    EXPECT_GE(after.resident, before.resident + kMore / 2) << more.back();
    EXPECT_GE(after.peak, after.resident);
}

}  // namespace
}  // namespace sluice::posix

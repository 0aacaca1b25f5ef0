#include "cli/load/resources.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace sluice::load {
namespace {

TEST(Resources, a_process_is_read_from_proc) {
    // Some work, so that there is something to see: 10 ms steps.
    volatile std::uint64_t sum = 0;
    rusage before{};
    do {
        for (int i = 0; i < 1'000'000; ++i) sum = sum + 1;
        ::getrusage(RUSAGE_SELF, &before);
    } while (before.ru_utime.tv_sec == 0 && before.ru_utime.tv_usec < 50'000);
    const auto use = process_use(::getpid());
    ASSERT_TRUE(use);
    EXPECT_GE(use->cpu, std::chrono::milliseconds(30));
    EXPECT_GT(use->memory, 1U << 20);
    EXPECT_GE(use->memory_peak, use->memory);
    EXPECT_GE(use->threads, 1U);
}

TEST(Resources, several_processes_count_together) {
    const pid_t twice[] = {::getpid(), ::getpid(), 0x7fffffff};
    const auto one = process_use(::getpid());
    ASSERT_TRUE(one);
    const auto sum = process_use(twice);
    EXPECT_EQ(sum.threads, 2 * one->threads);
    EXPECT_GE(sum.cpu, 2 * one->cpu);
    EXPECT_GE(sum.memory_peak, 2 * one->memory_peak);
}

TEST(Resources, a_process_that_is_not_there_is_an_error) { EXPECT_FALSE(process_use(0x7fffffff)); }

TEST(Resources, more_connections_than_the_system_allows_is_an_error_before_the_first_of_them) {
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(allow_connections(1));
    const auto refused = allow_connections(static_cast<std::uint32_t>(before.rlim_max));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, base::Errc::limit);
    EXPECT_EQ(open_files_max(), before.rlim_max);
}

}  // namespace
}  // namespace sluice::load

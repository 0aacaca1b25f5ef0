#include "env/posix/child_process.hpp"

#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace sluice::posix {
namespace {

using std::chrono::milliseconds;

int wait_for(ChildProcess& child) {
    for (;;) {
        if (const auto code = child.exit_code()) return *code;
    }
}

TEST(ChildProcess, its_exit_code_and_its_output_come_back) {
    const std::string log = ::testing::TempDir() + "/child_process_test.log";
    std::remove(log.c_str());
    auto child = ChildProcess::start({.program = "sh", .arguments = {"-c", "echo out; echo err >&2; exit 3"}, .log_file = log});
    ASSERT_TRUE(child);
    EXPECT_EQ(wait_for(*child), 3);
    std::ifstream file(log);
    std::string first, second;
    std::getline(file, first);
    std::getline(file, second);
    EXPECT_EQ(first + second, "outerr");
}

TEST(ChildProcess, a_program_that_is_not_there_is_an_error_not_a_child) {
    const auto child = ChildProcess::start({.program = "/nonexistent/program", .arguments = {}, .log_file = {}});
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().code, base::Errc::not_found);
}

TEST(ChildProcess, stop_asks_first_and_reports_how_it_ended) {
    auto child = ChildProcess::start({.program = "sleep", .arguments = {"1000"}, .log_file = {}});
    ASSERT_TRUE(child);
    EXPECT_FALSE(child->exit_code());
    EXPECT_EQ(child->stop(milliseconds(60'000)), 128 + SIGTERM);
    EXPECT_EQ(child->exit_code(), 128 + SIGTERM);
}

TEST(ChildProcess, who_does_not_listen_is_ended) {
    auto child = ChildProcess::start({.program = "sh", .arguments = {"-c", "trap '' TERM; while :; do :; done"}, .log_file = {}});
    ASSERT_TRUE(child);
    // It may not have come to its trap yet; then SIGTERM ends it, which is fine, too.
    const int code = child->stop(milliseconds(50));
    EXPECT_TRUE(code == 128 + SIGKILL || code == 128 + SIGTERM) << code;
}

TEST(ChildProcess, signals_blocked_by_us_are_not_blocked_in_it) {
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    auto child = ChildProcess::start({.program = "sleep", .arguments = {"1000"}, .log_file = {}});
    ASSERT_TRUE(child);
    EXPECT_EQ(child->stop(milliseconds(60'000)), 128 + SIGTERM);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace sluice::posix

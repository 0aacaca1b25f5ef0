// What only real file systems do; the contract that all share is tests/contract.
#include "env/posix/file_system.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sluice::posix {
namespace {

constexpr int kKept = 0;
constexpr int kBroken = 1;
constexpr int kNoMounts = 2;  // not allowed to mount here

/// In a process of its own, whose mounts nobody else sees.
int on_a_file_system_that_becomes_read_only(const std::string& folder) {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return kNoMounts;
    if (::mount("none", folder.c_str(), "tmpfs", 0, nullptr) != 0) return kNoMounts;
    PosixFileSystem files;
    if (!files.open(folder + "/file", env::OpenMode::create_new)) return kNoMounts;
    if (!files.sync_directory(folder)) return kBroken;
    if (::mount(nullptr, folder.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return kNoMounts;
    const auto synced = files.sync_directory(folder);
    return !synced && synced.error().os_errno == EROFS ? kKept : kBroken;
}

TEST(PosixFileSystem, a_folder_is_not_synced_on_a_file_system_that_has_become_read_only) {
    std::string folder = ::testing::TempDir() + "sluice-read-only-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(on_a_file_system_that_becomes_read_only(folder));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ::rmdir(folder.c_str());
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == kNoMounts) GTEST_SKIP() << "needs to be allowed to mount";
    EXPECT_EQ(WEXITSTATUS(status), kKept);
}

TEST(PosixFileSystem, a_folder_that_this_user_may_not_write_to_is_synced_all_the_same) {
    std::string folder = ::testing::TempDir() + "sluice-closed-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    ASSERT_EQ(::chmod(folder.c_str(), 0500), 0);
    EXPECT_TRUE(PosixFileSystem().sync_directory(folder));
    ::rmdir(folder.c_str());
}

}  // namespace
}  // namespace sluice::posix

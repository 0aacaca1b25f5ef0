// Files of the machine.
#pragma once

#include "env/file_system.hpp"

namespace sluice::posix {

/// Plain system calls (openat, pread, pwrite, fdatasync, fallocate, flock), retried on EINTR. Has no state. Any thread.
class PosixFileSystem final : public env::FileSystem {
public:
    base::Result<std::unique_ptr<env::File>> open(const std::string& path, env::OpenMode mode) override;
    base::Status rename(const std::string& from, const std::string& to) override;
    base::Status remove(const std::string& path) override;
    base::Status make_directory(const std::string& path) override;
    base::Status sync_directory(const std::string& path) override;
    base::Result<std::vector<std::string>> list(const std::string& path) override;
    base::Result<std::unique_ptr<env::FileLock>> lock(const std::string& path) override;
    base::Result<unsigned> permissions(const std::string& path) override;
    base::Result<env::FileStamp> stamp(const std::string& path) override;
};

}  // namespace sluice::posix

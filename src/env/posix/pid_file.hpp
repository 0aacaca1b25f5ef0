// A file that says which process runs on a data folder, held by a lock: a stale one of a process that was killed is recognised.
#pragma once

#include <string>

#include <sys/types.h>

#include "base/error.hpp"

namespace sluice::posix {

class PidFile {
public:
    /// Holds the lock until destruction; changes nothing in a file that is there. Errors: in_use (another process holds it), permission,
    /// disk_full, io.
    static base::Result<PidFile> take(const std::string& path);
    /// Writes our process id, for holder(): when it is sure that we stay. Errors: disk_full, io.
    base::Status announce();
    /// The process that holds the lock. Errors: not_found (no file, or nobody holds it), permission, io.
    static base::Result<pid_t> holder(const std::string& path);

    PidFile(PidFile&& other) noexcept;
    PidFile& operator=(PidFile&& other) noexcept;
    ~PidFile();

private:
    explicit PidFile(int fd) : fd_(fd) {}
    int fd_ = -1;
};

}  // namespace sluice::posix

#include "env/posix/pid_file.hpp"

#include <cerrno>
#include <charconv>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace sluice::posix {

base::Result<PidFile> PidFile::take(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return base::from_errno(errno);
    PidFile out(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) return base::Error{base::Errc::in_use};
    return out;
}

base::Status PidFile::announce() {
    const std::string text = std::to_string(::getpid()) + "\n";
    if (::ftruncate(fd_, 0) != 0 || ::pwrite(fd_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
        return base::from_errno(errno);
    }
    return {};
}

base::Result<pid_t> PidFile::holder(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return base::from_errno(errno);
    const PidFile closes_it(fd);
    if (::flock(fd, LOCK_SH | LOCK_NB) == 0) return base::Error{base::Errc::not_found};
    char text[32];
    const auto size = ::pread(fd, text, sizeof text, 0);
    if (size <= 0) return base::Error{base::Errc::not_found};
    pid_t out = 0;
    const auto parsed = std::from_chars(text, text + size, out);
    if (parsed.ec != std::errc() || out <= 1) return base::Error{base::Errc::not_found};
    return out;
}

PidFile::PidFile(PidFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

PidFile& PidFile::operator=(PidFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

PidFile::~PidFile() {
    // The file stays: a process that had opened it before an unlink could lock what nobody else sees any more.
    if (fd_ >= 0) ::close(fd_);
}

}  // namespace sluice::posix

#include "env/posix/file_system.hpp"

#include <algorithm>
#include <cerrno>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice::posix {
namespace {

using base::from_errno;
using base::Result;
using base::Status;

template <class Call>
auto retry_interrupted(Call call) {
    decltype(call()) result;
    do result = call();
    while (result < 0 && errno == EINTR);
    return result;
}

Status status_of(int result, base::Where where = base::Where::here()) {
    if (result < 0) return from_errno(errno, where);
    return {};
}

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

/// The file system takes nothing any more; every other error may have other reasons.
bool is_dead(int error) { return error == EROFS || error == EIO || error == ENODEV || error == ENXIO; }

/// Asked after a sync that succeeded. On a file system that an error has just made read-only ext4 reports success and syncs nothing; what
/// it refuses then is to open a file for writing. So the same file is opened again, whatever its name is by now.
Status still_writable(int fd) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    const Descriptor again(retry_interrupted([&] { return ::open(path.c_str(), O_WRONLY | O_CLOEXEC); }));
    // Without /proc, or without a free descriptor, nobody knows; that is no failure of the disk.
    if (again.get() < 0 && is_dead(errno)) return from_errno(errno);
    return {};
}

class PosixFile final : public env::File {
public:
    explicit PosixFile(int fd) : fd_(fd) {}

    Status write_at(std::uint64_t offset, base::ByteView bytes) override {
        while (!bytes.empty()) {
            const ssize_t wrote =
                retry_interrupted([&] { return ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
            if (wrote < 0) return from_errno(errno);
            if (wrote == 0) return from_errno(EIO);
            bytes = bytes.subspan(static_cast<std::size_t>(wrote));
            offset += static_cast<std::uint64_t>(wrote);
        }
        return {};
    }

    Result<std::size_t> read_at(std::uint64_t offset, std::span<base::Byte> out) override {
        std::size_t done = 0;
        while (done < out.size()) {
            const ssize_t got = retry_interrupted(
                [&] { return ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done)); });
            if (got < 0) return from_errno(errno);
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        return done;
    }

    // EINTR leaves it open whether the pages were written, like any other failure of fdatasync: not retried.
    Status sync() override {
        if (auto synced = status_of(::fdatasync(fd_.get())); !synced) return synced;
        return still_writable(fd_.get());
    }

    Status reserve(std::uint64_t size) override {
        if (size == 0) return {};
        const int result = retry_interrupted([&] { return ::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size)); });
        if (result < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) return {};
        return status_of(result);
    }

    Status truncate(std::uint64_t size) override {
        return status_of(retry_interrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }));
    }

    [[nodiscard]] Result<std::uint64_t> size() const override {
        struct stat state {};
        if (::fstat(fd_.get(), &state) < 0) return from_errno(errno);
        return static_cast<std::uint64_t>(state.st_size);
    }

private:
    Descriptor fd_;
};

class PosixLock final : public env::FileLock {
public:
    explicit PosixLock(int fd) : fd_(fd) {}

private:
    Descriptor fd_;
};

std::string parent_of(const std::string& path) {
    const auto slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

}  // namespace

Result<std::unique_ptr<env::File>> PosixFileSystem::open(const std::string& path, env::OpenMode mode) {
    int flags = O_CLOEXEC;
    switch (mode) {
        case env::OpenMode::read:
            flags |= O_RDONLY;
            break;
        case env::OpenMode::read_write:
            flags |= O_RDWR;
            break;
        case env::OpenMode::create_new:
            flags |= O_RDWR | O_CREAT | O_EXCL;
            break;
    }
    const int fd = retry_interrupted([&] { return ::open(path.c_str(), flags, kFileMode); });
    if (fd < 0) return from_errno(errno);
    std::unique_ptr<env::File> file = std::make_unique<PosixFile>(fd);
    struct stat state {};
    if (::fstat(fd, &state) < 0) return from_errno(errno);
    if (S_ISDIR(state.st_mode)) return from_errno(EISDIR);
    return file;
}

Status PosixFileSystem::rename(const std::string& from, const std::string& to) { return status_of(::rename(from.c_str(), to.c_str())); }

Status PosixFileSystem::remove(const std::string& path) { return status_of(::unlink(path.c_str())); }

Status PosixFileSystem::make_directory(const std::string& path) {
    // Each prefix that ends before a '/', then the whole path.
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        const std::string prefix = path.substr(0, end);
        if (::mkdir(prefix.c_str(), kDirectoryMode) == 0) {
            if (auto synced = sync_directory(parent_of(prefix)); !synced) return synced;
        } else {
            const int why = errno;
            struct stat state {};
            const bool there = ::stat(prefix.c_str(), &state) == 0;
            if (!there) return from_errno(why);
            if (!S_ISDIR(state.st_mode)) return from_errno(ENOTDIR);
        }
        if (end == std::string::npos) return {};
    }
}

Status PosixFileSystem::sync_directory(const std::string& path) {
    const Descriptor fd(retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
    if (fd.get() < 0) return from_errno(errno);
    if (auto synced = status_of(::fsync(fd.get())); !synced) return synced;
    // As after the sync of a file; but a folder cannot be opened for writing, so it is asked whether it could be written to.
    if (::faccessat(fd.get(), ".", W_OK, 0) < 0 && is_dead(errno)) return from_errno(errno);
    return {};
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& path) {
    DIR* const directory = ::opendir(path.c_str());
    if (directory == nullptr) return from_errno(errno);
    std::vector<std::string> names;
    errno = 0;
    for (const dirent* entry = ::readdir(directory); entry != nullptr; entry = ::readdir(directory)) {
        const std::string name = entry->d_name;
        if (name != "." && name != "..") names.push_back(name);
    }
    const int why = errno;
    ::closedir(directory);
    if (why != 0) return from_errno(why);
    std::sort(names.begin(), names.end());
    return names;
}

Result<std::unique_ptr<env::FileLock>> PosixFileSystem::lock(const std::string& path) {
    const int fd = retry_interrupted([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode); });
    if (fd < 0) return from_errno(errno);
    auto held = std::make_unique<PosixLock>(fd);
    if (retry_interrupted([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) < 0) {
        if (errno == EWOULDBLOCK) return base::Error{base::Errc::in_use, errno};
        return from_errno(errno);
    }
    return std::unique_ptr<env::FileLock>(std::move(held));
}

Result<unsigned> PosixFileSystem::permissions(const std::string& path) {
    struct stat state {};
    if (::stat(path.c_str(), &state) < 0) return from_errno(errno);
    return static_cast<unsigned>(state.st_mode & 07777U);
}

Result<env::FileStamp> PosixFileSystem::stamp(const std::string& path) {
    struct stat state {};
    if (::stat(path.c_str(), &state) < 0) return from_errno(errno);
    constexpr std::int64_t kSecond = 1'000'000'000;
    return env::FileStamp{.file = static_cast<std::uint64_t>(state.st_dev) << 48U ^ static_cast<std::uint64_t>(state.st_ino),
                          .size = static_cast<std::uint64_t>(state.st_size),
                          .written = std::int64_t{state.st_mtim.tv_sec} * kSecond + state.st_mtim.tv_nsec};
}

}  // namespace sluice::posix

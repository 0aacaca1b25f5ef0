// Files, as an interface. The simulated disk takes these contracts at their word: a crash keeps what was synced and tears the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace sluice::env {

/// An open file. One thread at a time. Closed by its destructor, which syncs nothing.
class File {
public:
    virtual ~File() = default;

    /// Writes all bytes at an offset, growing the file as needed; holes read as zero. Not durable before sync().
    /// Errors: disk_full, io. After an error any prefix of the bytes may have been written.
    virtual base::Status write_at(std::uint64_t offset, base::ByteView bytes) = 0;

    /// Reads up to out.size() bytes; fewer only at the end of the file. Errors: io.
    virtual base::Result<std::size_t> read_at(std::uint64_t offset, std::span<base::Byte> out) = 0;

    /// Makes written bytes and the file's size durable (fdatasync). Errors: io, disk_full. After a failure the state of the unsynced bytes
    /// is unknown and the call must not be repeated on this file (the kernel may report success without having written).
    virtual base::Status sync() = 0;

    /// Reserves disk space up to a size without changing what is read, so that later syncs need no metadata. Errors: disk_full, io.
    /// Where the file system cannot reserve, this does nothing.
    virtual base::Status reserve(std::uint64_t size) = 0;

    /// Cuts or extends to a size. Not durable before sync(). Errors: io.
    virtual base::Status truncate(std::uint64_t size) = 0;

    [[nodiscard]] virtual base::Result<std::uint64_t> size() const = 0;
};

enum class OpenMode : std::uint8_t {
    read,        ///< must exist
    read_write,  ///< must exist
    create_new,  ///< must not exist; read and write; mode 0600; durable only after sync_directory() of its folder
};

/// Becomes another when a file is written, or a file is put in its place.
struct FileStamp {
    std::uint64_t file = 0;  ///< which one: device and inode
    std::uint64_t size = 0;
    std::int64_t written = 0;  ///< when, by the file system
    friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// Held until destroyed; also gone when the process dies.
class FileLock {
public:
    virtual ~FileLock() = default;
};

/// Paths are absolute or relative to the process; separators are '/'. One thread at a time per path.
class FileSystem {
public:
    virtual ~FileSystem() = default;

    /// Errors: not_found, exists, permission, disk_full, io.
    virtual base::Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;

    /// Atomically puts `from` in the place of `to`. Durable only after sync_directory(). Errors: not_found, permission, io.
    virtual base::Status rename(const std::string& from, const std::string& to) = 0;

    /// Removes a file. Durable only after sync_directory(). Errors: not_found, permission, io.
    virtual base::Status remove(const std::string& path) = 0;

    /// Makes a folder and its missing parents, mode 0700, durable when it returns. Fine if it exists. Errors: permission, disk_full, io.
    virtual base::Status make_directory(const std::string& path) = 0;

    /// Makes creations, renames and removals in this folder durable. Errors: not_found, io.
    virtual base::Status sync_directory(const std::string& path) = 0;

    /// Names (not paths) of the entries of a folder, sorted. Errors: not_found, permission, io.
    virtual base::Result<std::vector<std::string>> list(const std::string& path) = 0;

    /// Makes the file if it is missing and takes it for this process alone. Errors: in_use (someone has it), permission, disk_full, io.
    virtual base::Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;

    /// The permission bits of a file or folder (0600). Errors: not_found, permission, io.
    virtual base::Result<unsigned> permissions(const std::string& path) = 0;

    /// To see whether a file has changed without reading it. Writes of the same length within one tick of the file system's clock (some
    /// milliseconds) can look the same. Errors: not_found, permission, io.
    virtual base::Result<FileStamp> stamp(const std::string& path) = 0;
};

}  // namespace sluice::env

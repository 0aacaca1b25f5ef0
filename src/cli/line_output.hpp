// Lines of text to standard output, or to a file that appears whole or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "env/file_system.hpp"

namespace sluice::cli {

class LineOutput {
public:
    virtual ~LineOutput() = default;
    /// One line; its end is added. Errors: io, disk_full: give up.
    virtual base::Status line(std::string_view text) = 0;
};

class StandardLines final : public LineOutput {
public:
    base::Status line(std::string_view text) override;
    /// Errors: io (a full disk, a reader that has gone).
    [[nodiscard]] static base::Status finish();
};

/// Writes beside the file and takes its place in the end; without finish() nothing is left.
class FileLines final : public LineOutput {
public:
    /// Mode 0600. Errors: not_found (no such folder), permission, disk_full, io.
    static base::Result<std::unique_ptr<FileLines>> create(env::FileSystem& files, const std::string& path);
    ~FileLines() override;
    FileLines(const FileLines&) = delete;
    FileLines& operator=(const FileLines&) = delete;

    base::Status line(std::string_view text) override;
    /// On the disk, under its name. Errors: disk_full, permission, io.
    base::Status finish();

private:
    FileLines(env::FileSystem& files, std::string path, std::string part, std::unique_ptr<env::File> file);
    base::Status flush();

    env::FileSystem& files_;
    std::string path_;
    std::string part_;
    std::unique_ptr<env::File> file_;
    base::Bytes buffer_;
    std::uint64_t written_ = 0;
    bool finished_ = false;
};

}  // namespace sluice::cli

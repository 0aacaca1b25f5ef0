#include "cli/line_output.hpp"

#include <cerrno>
#include <cstdio>

#include <unistd.h>

namespace sluice::cli {
namespace {

constexpr std::size_t kBufferBytes = 64 << 10;

base::Status of_stdout(bool good) {
    if (good) return {};
    return base::Error{errno == ENOSPC ? base::Errc::disk_full : base::Errc::io, errno};
}

std::string folder_of(const std::string& path) {
    const auto slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

base::Status StandardLines::line(std::string_view text) {
    return of_stdout(std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fputc('\n', stdout) != EOF);
}

base::Status StandardLines::finish() { return of_stdout(std::fflush(stdout) == 0 && std::ferror(stdout) == 0); }

FileLines::FileLines(env::FileSystem& files, std::string path, std::string part, std::unique_ptr<env::File> file)
    : files_(files), path_(std::move(path)), part_(std::move(part)), file_(std::move(file)) {}

base::Result<std::unique_ptr<FileLines>> FileLines::create(env::FileSystem& files, const std::string& path) {
    std::string part = path + ".part-" + std::to_string(::getpid());
    auto file = files.open(part, env::OpenMode::create_new);
    if (!file) return file.error();
    return std::unique_ptr<FileLines>(new FileLines(files, path, std::move(part), std::move(*file)));
}

FileLines::~FileLines() {
    if (!finished_) (void)files_.remove(part_);  // it says by its name that it is nothing whole
}

base::Status FileLines::line(std::string_view text) {
    base::append(buffer_, text);
    buffer_.push_back('\n');
    if (buffer_.size() < kBufferBytes) return {};
    return flush();
}

base::Status FileLines::flush() {
    if (auto wrote = file_->write_at(written_, buffer_); !wrote) return wrote;
    written_ += buffer_.size();
    buffer_.clear();
    return {};
}

base::Status FileLines::finish() {
    if (auto flushed = flush(); !flushed) return flushed;
    if (auto synced = file_->sync(); !synced) return synced;
    if (auto renamed = files_.rename(part_, path_); !renamed) return renamed;
    finished_ = true;
    return files_.sync_directory(folder_of(path_));
}

}  // namespace sluice::cli

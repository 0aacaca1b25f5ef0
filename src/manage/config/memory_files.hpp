// A FileSystem for tests: files by path, read only.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "env/file_system.hpp"

namespace sluice::config {

class MemoryFiles final : public env::FileSystem {
public:
    std::map<std::string, std::string> contents;
    std::map<std::string, base::Errc> errors;  ///< of open()

    base::Result<std::unique_ptr<env::File>> open(const std::string& path, env::OpenMode how) override {
        if (const auto error = errors.find(path); error != errors.end()) return base::Error{error->second};
        if (how != env::OpenMode::read) return base::Error{base::Errc::permission};
        const auto found = contents.find(path);
        if (found == contents.end()) return base::Error{base::Errc::not_found};
        return std::unique_ptr<env::File>(std::make_unique<Reader>(found->second));
    }
    base::Status rename(const std::string&, const std::string&) override { return base::Error{base::Errc::permission}; }
    base::Status remove(const std::string&) override { return base::Error{base::Errc::permission}; }
    base::Status make_directory(const std::string&) override { return base::Error{base::Errc::permission}; }
    base::Status sync_directory(const std::string&) override { return base::Error{base::Errc::permission}; }
    base::Result<std::vector<std::string>> list(const std::string& path) override {
        std::vector<std::string> names;
        const std::string folder = path.ends_with('/') ? path : path + '/';
        for (const auto& [name, text] : contents) {
            if (name.starts_with(folder)) names.push_back(name.substr(folder.size()));
        }
        if (names.empty()) return base::Error{base::Errc::not_found};
        return names;
    }

    base::Result<std::unique_ptr<env::FileLock>> lock(const std::string&) override { return base::Error{base::Errc::permission}; }
    base::Result<unsigned> permissions(const std::string& path) override {
        if (!contents.contains(path)) return base::Error{base::Errc::not_found};
        return mode;
    }
    base::Result<env::FileStamp> stamp(const std::string& path) override {
        const auto found = contents.find(path);
        if (found == contents.end()) return base::Error{base::Errc::not_found};
        const auto hash = std::hash<std::string>{}(found->second);
        return env::FileStamp{.file = 1, .size = found->second.size(), .written = static_cast<std::int64_t>(hash)};
    }
    unsigned mode = 0600;  ///< of all files

private:
    class Reader final : public env::File {
    public:
        explicit Reader(const std::string& text) : text_(text) {}
        base::Status write_at(std::uint64_t, base::ByteView) override { return base::Error{base::Errc::permission}; }
        base::Result<std::size_t> read_at(std::uint64_t offset, std::span<base::Byte> out) override {
            if (offset >= text_.size()) return std::size_t{0};
            const std::size_t count = std::min<std::size_t>(out.size(), text_.size() - offset);
            std::copy_n(text_.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
            return count;
        }
        base::Status sync() override { return {}; }
        base::Status reserve(std::uint64_t) override { return {}; }
        base::Status truncate(std::uint64_t) override { return base::Error{base::Errc::permission}; }
        [[nodiscard]] base::Result<std::uint64_t> size() const override { return std::uint64_t{text_.size()}; }

    private:
        const std::string& text_;
    };
};

}  // namespace sluice::config

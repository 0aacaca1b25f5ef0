#include "sim/system_defect_files.hpp"

#include <algorithm>

namespace sluice::sim {

namespace {

class DefectFile final : public env::File {
public:
    DefectFile(std::unique_ptr<env::File> inner, Defect defect, bool manifest)
        : inner_(std::move(inner)), defect_(defect), manifest_(manifest) {}

    base::Status write_at(std::uint64_t offset, base::ByteView bytes) override {
        const auto written = inner_->write_at(offset, bytes);
        if (defect_ == Defect::short_write_ignored && !written && written.error().code == base::Errc::io) return {};
        return written;
    }
    base::Result<std::size_t> read_at(std::uint64_t offset, std::span<base::Byte> out) override { return inner_->read_at(offset, out); }
    base::Status sync() override {
        if (defect_ == Defect::sync_forgotten && !manifest_) return {};
        if (defect_ == Defect::manifest_sync_forgotten && manifest_) return {};
        const auto synced = inner_->sync();
        if (defect_ == Defect::sync_retried && !synced) return inner_->sync();
        return synced;
    }
    base::Status reserve(std::uint64_t size) override { return inner_->reserve(size); }
    base::Status truncate(std::uint64_t size) override { return inner_->truncate(size); }
    [[nodiscard]] base::Result<std::uint64_t> size() const override { return inner_->size(); }

private:
    std::unique_ptr<env::File> inner_;
    Defect defect_;
    bool manifest_;
};

class CredulousCipher final : public spool::Cipher {
public:
    void seal(std::uint64_t nonce, base::ByteView associated, base::ByteView plain, base::Byte* sealed) override {
        (void)nonce, (void)associated;
        std::copy(plain.begin(), plain.end(), sealed);
        std::fill_n(sealed + plain.size(), spool::kTagBytes, base::Byte{0});
    }
    [[nodiscard]] bool open(std::uint64_t nonce, base::ByteView associated, base::ByteView sealed, base::Byte* plain) override {
        (void)nonce, (void)associated;
        std::copy_n(sealed.begin(), sealed.size() - spool::kTagBytes, plain);
        return true;
    }
};

}  // namespace

base::Result<std::unique_ptr<env::File>> DefectFiles::open(const std::string& path, env::OpenMode mode) {
    auto file = inner_.open(path, mode);
    if (!file) return file;
    const bool manifest = path.find("/manifest.") != std::string::npos;
    return std::unique_ptr<env::File>(std::make_unique<DefectFile>(std::move(*file), defect_, manifest));
}

base::Status DefectFiles::sync_directory(const std::string& path) {
    if (defect_ == Defect::directory_sync_forgotten) return {};
    return inner_.sync_directory(path);
}

std::unique_ptr<spool::Cipher> CredulousSealer::cipher(spool::KeyNumber key, base::ByteView context) {
    (void)key, (void)context;
    return std::make_unique<CredulousCipher>();
}

void StubbornEntropy::fill(std::span<base::Byte> out) {
    inner_.fill(out);
    if (out.size() == sizeof(std::uint64_t)) std::fill(out.begin(), out.end(), base::Byte{1});
}

}  // namespace sluice::sim

#include "flow/spool/segment_writer.hpp"

#include <algorithm>

namespace sluice::spool {

using base::Result;
using base::Status;

SegmentWriter::SegmentWriter(std::unique_ptr<env::File> file, std::unique_ptr<Cipher> cipher, KeyNumber key,
                             const SegmentHeaderBytes& header, std::uint64_t reserved_bytes)
    : file_(std::move(file)), cipher_(std::move(cipher)), key_(key), header_(header), reserved_bytes_(reserved_bytes) {}

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::create(env::FileSystem& files, Sealer& sealer, const std::string& path,
                                                             const SegmentHeader& header, std::uint64_t reserved_bytes) {
    auto file = files.open(path, env::OpenMode::create_new);
    if (!file) return file.error();
    if (auto reserved = (*file)->reserve(reserved_bytes); !reserved) {
        file->reset();
        (void)files.remove(path);  // an empty file that stays behind is removed at the next start
        return reserved.error();
    }
    const SegmentHeaderBytes bytes = encode(header);
    return std::unique_ptr<SegmentWriter>(
        new SegmentWriter(std::move(*file), sealer.cipher(header.key.number, bytes), header.key.number, bytes, reserved_bytes));
}

Status SegmentWriter::write(std::span<const BlockBuilder> blocks, std::uint64_t running_ms, base::Bytes& scratch) {
    scratch.clear();
    if (written_ == 0) base::append(scratch, header_);
    for (const BlockBuilder& block : blocks) block.seal_to(scratch, written_ + scratch.size(), running_ms, *cipher_);
    if (auto wrote = file_->write_at(written_, scratch); !wrote) return wrote;
    written_ += scratch.size();
    bytes_ = written_;
    return {};
}

Status SegmentWriter::sync() {
    if (auto synced = file_->sync(); !synced) return synced;
    durable_bytes_ = written_;
    return {};
}

bool SegmentWriter::finish() { return file_->truncate(written_).has_value(); }

bool SegmentWriter::give_up() { return file_->truncate(durable_bytes_).has_value(); }

}  // namespace sluice::spool

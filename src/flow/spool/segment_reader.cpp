#include "flow/spool/segment_reader.hpp"

#include <algorithm>

namespace sluice::spool {

using base::ByteView;
using base::Errc;
using base::Error;
using base::Result;
using base::Status;

Result<std::unique_ptr<SegmentReader>> SegmentReader::open(env::FileSystem& files, Sealer& sealer, const std::string& path) {
    auto file = files.open(path, env::OpenMode::read);
    if (!file) return file.error();
    SegmentHeaderBytes bytes{};
    const auto got = (*file)->read_at(0, bytes);
    if (!got) return got.error();
    std::unique_ptr<SegmentReader> reader(new SegmentReader(std::move(*file)));
    const auto header = decode_segment_header(ByteView(bytes).first(*got));
    if (!header && header.error().code != Errc::corrupt) return header.error();
    if (!header) return reader;
    reader->header_ = *header;
    if (sealer.has(header->key)) reader->cipher_ = sealer.cipher(header->key.number, bytes);
    return reader;
}

Result<ByteView> SegmentReader::view(std::uint64_t offset, std::size_t bytes, std::uint64_t limit) {
    const std::uint64_t window_end = window_at_ + window_.size();
    if (offset < window_at_ || offset + bytes > window_end) {
        const std::uint64_t ahead = std::max<std::uint64_t>(bytes, kWindowBytes);
        window_.resize(std::min<std::uint64_t>(ahead, limit - offset));
        window_at_ = offset;
        const auto got = file_->read_at(offset, window_);
        if (!got) {
            window_.clear();
            return got.error();
        }
        window_.resize(*got);
    }
    const std::size_t start = offset - window_at_;
    return ByteView(window_).subspan(start, std::min(bytes, window_.size() - start));
}

Result<SegmentReader::Look> SegmentReader::look(std::uint64_t offset, std::uint64_t limit) {
    Look look;
    look.offset = offset;
    if (offset >= limit) return look;
    const auto bytes = view(offset, std::min<std::uint64_t>(kBlockHeaderBytes, limit - offset), limit);
    if (!bytes) return bytes.error();
    const auto header = decode_block_header(*bytes);
    if (!header) {
        look.found = Found::no_header;
        return look;
    }
    look.header = *header;
    look.found = offset + header->size_on_disk() <= limit ? Found::block : Found::cut;
    return look;
}

Status SegmentReader::load(const Look& block, Unpacker& unpacker, DecodedBlock& out) {
    if (!cipher_) return Error{Errc::corrupt};
    const std::uint64_t end = block.offset + block.header.size_on_disk();
    const auto bytes = view(block.offset, block.header.size_on_disk(), std::max(end, window_at_ + window_.size()));
    if (!bytes) return bytes.error();
    return decode_block(*bytes, block.offset, *cipher_, unpacker, out);
}

SegmentReader::Look SegmentReader::search(std::uint64_t offset, std::uint64_t limit) {
    constexpr base::Byte kMagicFirst = 'S';
    while (offset < limit) {
        const auto bytes = view(offset, std::min<std::uint64_t>(kPageBytes + kBlockHeaderBytes, limit - offset), limit);
        if (!bytes) {
            offset = (offset / kPageBytes + 1) * kPageBytes;
            continue;
        }
        if (bytes->empty()) break;
        const std::size_t steps = std::min<std::size_t>(bytes->size(), kPageBytes);
        for (std::size_t i = 0; i < steps; ++i) {
            if ((*bytes)[i] != kMagicFirst) continue;
            const auto header = decode_block_header(bytes->subspan(i));
            if (!header) continue;
            Look look;
            look.offset = offset + i;
            look.header = *header;
            look.found = look.offset + header->size_on_disk() <= limit ? Found::block : Found::cut;
            return look;
        }
        offset += steps;
    }
    Look nothing;
    nothing.offset = limit;
    return nothing;
}

Result<std::optional<BlockHeader>> SegmentReader::guess(std::uint64_t offset, std::uint64_t limit) {
    const auto bytes = view(offset, std::min<std::uint64_t>(kBlockHeaderBytes, limit - offset), limit);
    if (!bytes) return bytes.error();
    return guess_block_header(*bytes);
}

Result<bool> SegmentReader::is_zero(std::uint64_t from, std::uint64_t limit) {
    while (from < limit) {
        const auto bytes = view(from, std::min<std::uint64_t>(kPageBytes, limit - from), limit);
        if (!bytes) return bytes.error();
        if (bytes->empty()) return true;
        if (!std::all_of(bytes->begin(), bytes->end(), [](base::Byte byte) { return byte == 0; })) return false;
        from += bytes->size();
    }
    return true;
}

}  // namespace sluice::spool

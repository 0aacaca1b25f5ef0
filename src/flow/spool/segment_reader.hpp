// Reads the blocks of one segment in order, and finds the next good one after damage.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "env/file_system.hpp"
#include "flow/spool/block.hpp"
#include "flow/spool/ports.hpp"

namespace sluice::spool {

/// What lies at an offset.
enum class Found : std::uint8_t {
    block,      ///< a block header, and the file is long enough for the block
    end,        ///< the limit
    cut,        ///< a block header, but the block goes past the limit
    no_header,  ///< anything else
};

/// Read-ahead is one window; bytes in front of the limit never change once durable, so a growing segment can be read. One thread.
class SegmentReader {
public:
    /// Opens the file and reads its header. With a damaged header the blocks cannot be opened any more, but their headers can be read:
    /// header() is none then. Nor can they if its key is not there: lacks_key(). Errors: not_found, version, permission, io.
    static base::Result<std::unique_ptr<SegmentReader>> open(env::FileSystem& files, Sealer& sealer, const std::string& path);

    [[nodiscard]] const std::optional<SegmentHeader>& header() const { return header_; }
    /// A good header that names a key which the sealer does not have.
    [[nodiscard]] bool lacks_key() const { return header_ && !cipher_; }
    [[nodiscard]] base::Result<std::uint64_t> file_size() const { return file_->size(); }

    struct Look {
        Found found = Found::end;
        BlockHeader header{};  ///< with block and cut
        std::uint64_t offset = 0;
    };
    /// Errors: io.
    base::Result<Look> look(std::uint64_t offset, std::uint64_t limit);
    /// Reads, opens and decodes a block that look() found. Errors: corrupt (also without the key), io.
    base::Status load(const Look& block, Unpacker& unpacker, DecodedBlock& out);
    /// The first block header at or behind an offset, by its magic and CRC; Found::end if there is none. Steps over pages that cannot be
    /// read.
    Look search(std::uint64_t offset, std::uint64_t limit);
    /// What guess_block_header says about the bytes at an offset. Errors: io.
    base::Result<std::optional<BlockHeader>> guess(std::uint64_t offset, std::uint64_t limit);
    /// Are all bytes from … limit zero (a write that never reached the medium)? Errors: io.
    base::Result<bool> is_zero(std::uint64_t from, std::uint64_t limit);

private:
    explicit SegmentReader(std::unique_ptr<env::File> file) : file_(std::move(file)) {}
    /// `bytes` bytes at an offset, fewer at the end of the file. Valid until the next call. Reads ahead up to the limit.
    base::Result<base::ByteView> view(std::uint64_t offset, std::size_t bytes, std::uint64_t limit);

    static constexpr std::size_t kWindowBytes = 64 << 10;
    static constexpr std::size_t kPageBytes = 4096;

    std::unique_ptr<env::File> file_;
    std::unique_ptr<Cipher> cipher_;
    std::optional<SegmentHeader> header_;
    base::Bytes window_;
    std::uint64_t window_at_ = 0;
};

}  // namespace sluice::spool

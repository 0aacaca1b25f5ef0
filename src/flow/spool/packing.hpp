// Compression of the records of a block: one zstd frame (RFC 8878), as docs/formats/spool.md says.
#pragma once

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "codec/zstd/zstd.hpp"

namespace sluice::spool {

/// One thread.
class Packer {
public:
    /// Writes `plain` as a frame, with zeros behind it up to `bytes_min`. False: that is not smaller, or too little to try; `out` means
    /// nothing then.
    [[nodiscard]] bool pack(base::ByteView plain, std::size_t bytes_min, base::Bytes& out);

private:
    zstd::Compressor zstd_;
};

/// One thread.
class Unpacker {
public:
    /// A buffer of the size asked for, for what is to be unpacked next.
    [[nodiscard]] base::Bytes& buffer(std::size_t bytes);
    /// Errors: corrupt (not one frame and zeros, or not what the frame says, or more than `bytes_max`).
    [[nodiscard]] base::Status unpack(base::ByteView packed, std::size_t bytes_max, base::Bytes& plain);

private:
    zstd::Decompressor zstd_;
    base::Bytes buffer_;
};

}  // namespace sluice::spool

// Compression of the records of a block: one zstd frame (RFC 8878), as docs/formats/spool.md says.
#pragma once

#include <memory>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace sluice::spool {

/// One thread.
class Packer {
public:
    Packer();
    ~Packer();
    Packer(const Packer&) = delete;
    Packer& operator=(const Packer&) = delete;

    /// Writes `plain` as a frame, with zeros behind it up to `bytes_min`. False: that is not smaller, or too little to try; `out` means
    /// nothing then.
    [[nodiscard]] bool pack(base::ByteView plain, std::size_t bytes_min, base::Bytes& out);

private:
    struct Context;
    std::unique_ptr<Context> context_;  ///< some 300 KiB, made when it is first needed
};

/// One thread.
class Unpacker {
public:
    Unpacker();
    ~Unpacker();
    Unpacker(const Unpacker&) = delete;
    Unpacker& operator=(const Unpacker&) = delete;

    /// A buffer of the size asked for, for what is to be unpacked next.
    [[nodiscard]] base::Bytes& buffer(std::size_t bytes);
    /// Errors: corrupt (not one frame and zeros, or not what the frame says, or more than `bytes_max`).
    [[nodiscard]] base::Status unpack(base::ByteView packed, std::size_t bytes_max, base::Bytes& plain);

private:
    struct Context;
    std::unique_ptr<Context> context_;  ///< some 100 KiB, made when it is first needed
    base::Bytes buffer_;
};

}  // namespace sluice::spool

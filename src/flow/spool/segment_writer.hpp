// Writes one segment file from its beginning. Never opens an existing one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/error.hpp"
#include "env/file_system.hpp"
#include "flow/spool/block.hpp"
#include "flow/spool/ports.hpp"

namespace sluice::spool {

/// Life: create, (write, sync)…, finish. After an error of write or sync only give_up() is allowed: what is on disk past the last sync is
/// unknown. One thread.
class SegmentWriter {
public:
    /// Makes the file and reserves its space. The sealer has the header's key. Errors: disk_full, permission, io, exists: the file is
    /// removed again as far as possible.
    static base::Result<std::unique_ptr<SegmentWriter>> create(env::FileSystem& files, Sealer& sealer, const std::string& path,
                                                               const SegmentHeader& header, std::uint64_t reserved_bytes);

    /// Appends sealed blocks with one write. `scratch` is a buffer to use. Errors: disk_full, io.
    base::Status write(std::span<const BlockBuilder> blocks, std::uint64_t running_ms, base::Bytes& scratch);
    /// Errors: disk_full, io. Never to be repeated after a failure.
    base::Status sync();

    /// Bytes of the file with what the next write would add.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    /// Up to here everything is on the medium.
    [[nodiscard]] std::uint64_t durable_bytes() const { return durable_bytes_; }
    [[nodiscard]] std::uint64_t reserved_bytes() const { return reserved_bytes_; }
    /// What it seals with.
    [[nodiscard]] KeyNumber key() const { return key_; }

    /// Gives back the reserved space that was not used. False: it could not (the space stays taken).
    bool finish();
    /// After an error: cuts what is not durable and gives back the rest of the space. False: it could not; what lies behind is void by the
    /// format's rules anyway, and the space stays taken.
    bool give_up();

private:
    SegmentWriter(std::unique_ptr<env::File> file, std::unique_ptr<Cipher> cipher, KeyNumber key, const SegmentHeaderBytes& header,
                  std::uint64_t reserved_bytes);

    std::unique_ptr<env::File> file_;
    std::unique_ptr<Cipher> cipher_;
    KeyNumber key_;
    SegmentHeaderBytes header_;
    std::uint64_t reserved_bytes_;
    std::uint64_t bytes_ = kSegmentHeaderBytes;  ///< the header goes out with the first block
    std::uint64_t written_ = 0;
    std::uint64_t durable_bytes_ = 0;
};

}  // namespace sluice::spool

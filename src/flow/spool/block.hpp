// Bytes of segments and blocks, as in docs/formats/spool.md: pure encoding and decoding.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "flow/spool/packing.hpp"
#include "flow/spool/ports.hpp"

namespace sluice::spool {

inline constexpr std::size_t kSegmentHeaderBytes = 80;
inline constexpr std::size_t kBlockHeaderBytes = 32;
inline constexpr std::size_t kBlockOverheadBytes = kBlockHeaderBytes + kTagBytes;
inline constexpr std::uint16_t kSegmentVersion = 3;
inline constexpr std::uint16_t kSegmentVersionUnnumbered = 1;  ///< names no key: there was one, number 1
/// Records of a block: one event of the greatest size with its lengths, rounded up. A header that claims more is not a header.
inline constexpr std::size_t kBlockBodyBytesMax = (1U << 20) + 4096;
/// Each event takes as many in its block, packed or not: a reference, a time, a length and `{}`. So a torn write says how many there were
/// at most.
inline constexpr std::size_t kRecordBytesMin = 5;
inline constexpr std::size_t kRulesPerBlockMax = 255;

using Salt = std::array<base::Byte, 16>;

struct SegmentHeader {
    std::uint8_t slot = 0;
    std::uint64_t epoch = 0;
    std::uint64_t first = 0;  ///< sequence number of its first event
    std::uint64_t number = 0;
    std::uint64_t running_ms = 0;
    Salt salt{};
    KeyName key{};
    friend bool operator==(const SegmentHeader&, const SegmentHeader&) = default;
};

using SegmentHeaderBytes = std::array<base::Byte, kSegmentHeaderBytes>;
[[nodiscard]] SegmentHeaderBytes encode(const SegmentHeader& header);
/// Of earlier versions, too. Errors: corrupt (too short, wrong magic or CRC, a value out of range), version.
[[nodiscard]] base::Result<SegmentHeader> decode_segment_header(base::ByteView bytes);

struct BlockHeader {
    std::uint64_t first = 0;
    std::uint64_t running_ms = 0;
    std::uint32_t events = 0;
    std::uint32_t bytes = 0;  ///< of the records, without the tag
    bool packed = false;      ///< they are a zstd frame
    /// One past the last event.
    [[nodiscard]] std::uint64_t end() const { return first + events; }
    [[nodiscard]] std::uint64_t size_on_disk() const { return kBlockOverheadBytes + std::uint64_t{bytes}; }
    friend bool operator==(const BlockHeader&, const BlockHeader&) = default;
};

using BlockHeaderBytes = std::array<base::Byte, kBlockHeaderBytes>;
[[nodiscard]] BlockHeaderBytes encode(const BlockHeader& header);
/// None: not a block header (too short, wrong magic or CRC, values out of range).
[[nodiscard]] std::optional<BlockHeader> decode_block_header(base::ByteView bytes);

/// The header that these bytes were before one of their bits flipped. Good enough to say how many events a damaged block had, no more.
[[nodiscard]] std::optional<BlockHeader> guess_block_header(base::ByteView bytes);

/// Collects the records of one block in plain bytes.
class BlockBuilder {
public:
    /// Empties it; the first event appended gets this sequence number.
    void start(std::uint64_t first);
    void append(std::string_view rule, std::int64_t made_ms, base::ByteView json);

    [[nodiscard]] std::uint64_t first() const { return first_; }
    [[nodiscard]] std::uint64_t end() const { return first_ + events_; }
    [[nodiscard]] std::uint32_t events() const { return events_; }
    [[nodiscard]] base::ByteView plain() const { return plain_; }
    [[nodiscard]] std::size_t size_on_disk() const { return kBlockOverheadBytes + body().size(); }
    /// What it counts for while it waits: other than the size on disk, only appending changes it.
    [[nodiscard]] std::size_t size_in_memory() const { return kBlockOverheadBytes + plain_.size(); }
    /// Rule ids and JSON as they came, without what the format adds.
    [[nodiscard]] std::uint64_t accepted_bytes() const { return accepted_bytes_; }

    /// Makes it smaller on disk if that can be done, until the next event is appended. Repeated, it does nothing.
    void pack(Packer& packer);
    /// Gives the memory back that packing took.
    void unpack();

    /// Appends the block as it lies on disk at this offset of its segment.
    void seal_to(base::Bytes& out, std::uint64_t offset, std::uint64_t running_ms, Cipher& cipher) const;

private:
    struct Rule {
        std::uint64_t hash;
        std::uint32_t at;  ///< in plain_
        std::uint32_t bytes;
    };
    [[nodiscard]] base::ByteView body() const { return state_ == State::packed ? packed_ : plain_; }
    [[nodiscard]] std::size_t find_rule(std::string_view rule, std::uint64_t hash) const;

    enum class State : std::uint8_t {
        open,      ///< packing was not tried
        packed,    ///< `packed_` is what goes to disk
        unpacked,  ///< packing does not make it smaller
    };

    base::Bytes plain_;
    base::Bytes packed_;
    State state_ = State::open;
    std::vector<Rule> rules_;
    std::uint64_t first_ = 1;
    std::uint64_t accepted_bytes_ = 0;
    std::int64_t last_made_ms_ = 0;
    std::uint32_t events_ = 0;
};

/// The records of a block, checked as a whole. Views point into `plain`.
struct DecodedBlock {
    struct Record {
        std::string_view rule;
        std::int64_t made_ms;
        base::ByteView json;
    };
    BlockHeader header;
    base::Bytes plain;
    std::vector<Record> records;
};

/// Opens and decodes a block: `bytes` are its header.size_on_disk() bytes, `offset` its place in the segment.
/// Errors: corrupt (not authentic, or authentic and still not well formed).
[[nodiscard]] base::Status decode_block(base::ByteView bytes, std::uint64_t offset, Cipher& cipher, Unpacker& unpacker, DecodedBlock& out);

/// The inner part of decode_block: out.plain and out.header are set; fills out.records. Errors: corrupt.
[[nodiscard]] base::Status decode_records(DecodedBlock& out);

/// LEB128, as in the records.
void append_varint(base::Bytes& out, std::uint64_t value);
/// Takes a varint off the front. None: cut, or longer than 10 bytes.
[[nodiscard]] std::optional<std::uint64_t> take_varint(base::ByteView& from);

[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
[[nodiscard]] constexpr std::int64_t unzigzag(std::uint64_t value) { return static_cast<std::int64_t>((value >> 1) ^ (~(value & 1U) + 1)); }

}  // namespace sluice::spool

#include "flow/spool/block.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "flow/spool/crc32c.hpp"

namespace sluice::spool {
namespace {

using base::Byte;
using base::Bytes;
using base::ByteView;
using base::Errc;
using base::Error;
using base::load_le;
using base::store_le;

constexpr std::uint32_t kSegmentMagic = 0x47534c53;  // "SLSG"
constexpr std::uint32_t kBlockMagic = 0x4b424c53;    // "SLBK"
constexpr std::size_t kVarintBytesMax = 10;
constexpr std::uint32_t kPackedFlag = 1U << 31;  ///< of the number of sealed bytes
static_assert(kBlockBodyBytesMax < kPackedFlag);
/// Sequence numbers stay below this, so that sums cannot overflow; at a million events a second it lasts 292,000 years.
constexpr std::uint64_t kSequenceMax = std::uint64_t{1} << 63;

std::int64_t add_wrapping(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t subtract_wrapping(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

}  // namespace

SegmentHeaderBytes encode(const SegmentHeader& header) {
    SegmentHeaderBytes bytes{};
    Byte* const at = bytes.data();
    store_le(at, kSegmentMagic);
    store_le(at + 8, kSegmentVersion);
    at[10] = header.slot;
    store_le(at + 12, header.key.number);
    store_le(at + 16, header.epoch);
    store_le(at + 24, header.first);
    store_le(at + 32, header.number);
    store_le(at + 40, header.running_ms);
    std::copy(header.salt.begin(), header.salt.end(), at + 48);
    std::copy(header.key.check.begin(), header.key.check.end(), at + 64);
    store_le(at + 4, crc32c(ByteView(bytes).subspan(8)));
    return bytes;
}

base::Result<SegmentHeader> decode_segment_header(ByteView bytes) {
    if (bytes.size() < kSegmentHeaderBytes) return Error{Errc::corrupt};
    bytes = bytes.first(kSegmentHeaderBytes);
    const Byte* const at = bytes.data();
    if (load_le<std::uint32_t>(at) != kSegmentMagic) return Error{Errc::corrupt};
    if (load_le<std::uint32_t>(at + 4) != crc32c(bytes.subspan(8))) return Error{Errc::corrupt};
    const auto version = load_le<std::uint16_t>(at + 8);
    if (version < kSegmentVersionUnnumbered || version > kSegmentVersion) return Error{Errc::version};
    SegmentHeader header;
    header.slot = at[10];
    header.epoch = load_le<std::uint64_t>(at + 16);
    header.first = load_le<std::uint64_t>(at + 24);
    header.number = load_le<std::uint64_t>(at + 32);
    header.running_ms = load_le<std::uint64_t>(at + 40);
    std::copy_n(at + 48, header.salt.size(), header.salt.begin());
    header.key.number = version == kSegmentVersionUnnumbered ? KeyNumber{1} : load_le<KeyNumber>(at + 12);
    std::copy_n(at + 64, header.key.check.size(), header.key.check.begin());
    if (header.key.number == 0) return Error{Errc::corrupt};
    if (header.first == 0 || header.first >= kSequenceMax) return Error{Errc::corrupt};
    return header;
}

BlockHeaderBytes encode(const BlockHeader& header) {
    BlockHeaderBytes bytes{};
    Byte* const at = bytes.data();
    store_le(at, kBlockMagic);
    store_le(at + 8, header.first);
    store_le(at + 16, header.running_ms);
    store_le(at + 24, header.events);
    store_le(at + 28, header.bytes | (header.packed ? kPackedFlag : 0U));
    store_le(at + 4, crc32c(ByteView(bytes).subspan(8)));
    return bytes;
}

std::optional<BlockHeader> decode_block_header(ByteView bytes) {
    if (bytes.size() < kBlockHeaderBytes) return std::nullopt;
    bytes = bytes.first(kBlockHeaderBytes);
    const Byte* const at = bytes.data();
    if (load_le<std::uint32_t>(at) != kBlockMagic) return std::nullopt;
    if (load_le<std::uint32_t>(at + 4) != crc32c(bytes.subspan(8))) return std::nullopt;
    BlockHeader header;
    header.first = load_le<std::uint64_t>(at + 8);
    header.running_ms = load_le<std::uint64_t>(at + 16);
    header.events = load_le<std::uint32_t>(at + 24);
    const auto bytes_and_flag = load_le<std::uint32_t>(at + 28);
    header.bytes = bytes_and_flag & ~kPackedFlag;
    header.packed = (bytes_and_flag & kPackedFlag) != 0;
    // Each record takes three bytes or more; five where the writer fills up.
    const std::uint64_t record_bytes = header.packed ? kRecordBytesMin : 3;
    const bool sane = header.first != 0 && header.first < kSequenceMax && header.events != 0 && header.bytes <= kBlockBodyBytesMax &&
                      std::uint64_t{header.events} * record_bytes <= header.bytes;
    if (!sane) return std::nullopt;
    return header;
}

std::optional<BlockHeader> guess_block_header(ByteView bytes) {
    if (bytes.size() < kBlockHeaderBytes) return std::nullopt;
    BlockHeaderBytes flipped{};
    std::copy_n(bytes.begin(), flipped.size(), flipped.begin());
    for (std::size_t bit = 0; bit < flipped.size() * 8; ++bit) {
        const auto mask = static_cast<Byte>(1U << (bit % 8));
        flipped[bit / 8] = static_cast<Byte>(flipped[bit / 8] ^ mask);
        if (const auto header = decode_block_header(flipped)) return header;
        flipped[bit / 8] = static_cast<Byte>(flipped[bit / 8] ^ mask);
    }
    return std::nullopt;
}

void append_varint(Bytes& out, std::uint64_t value) {
    while (value >= 0x80) {
        out.push_back(static_cast<Byte>(value | 0x80U));
        value >>= 7;
    }
    out.push_back(static_cast<Byte>(value));
}

std::optional<std::uint64_t> take_varint(ByteView& from) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < std::min(from.size(), kVarintBytesMax); ++i) {
        const std::uint64_t bits = from[i] & 0x7fU;
        if (i == kVarintBytesMax - 1 && bits > 1) return std::nullopt;
        value |= bits << (7 * i);
        if ((from[i] & 0x80U) == 0) {
            from = from.subspan(i + 1);
            return value;
        }
    }
    return std::nullopt;
}

void BlockBuilder::start(std::uint64_t first) {
    plain_.clear();
    state_ = State::open;
    rules_.clear();
    first_ = first;
    accepted_bytes_ = 0;
    last_made_ms_ = 0;
    events_ = 0;
}

std::size_t BlockBuilder::find_rule(std::string_view rule, std::uint64_t hash) const {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        if (rules_[i].hash != hash) continue;
        if (base::as_text(ByteView(plain_).subspan(rules_[i].at, rules_[i].bytes)) == rule) return i;
    }
    return rules_.size();
}

void BlockBuilder::append(std::string_view rule, std::int64_t made_ms, ByteView json) {
    state_ = State::open;
    const std::uint64_t hash = base::hash64(rule);
    const std::size_t known = find_rule(rule, hash);
    if (known < rules_.size()) {
        append_varint(plain_, known + 1);
    } else {
        append_varint(plain_, 0);
        append_varint(plain_, rule.size());
        if (rules_.size() < kRulesPerBlockMax)
            rules_.push_back({hash, static_cast<std::uint32_t>(plain_.size()), static_cast<std::uint32_t>(rule.size())});
        base::append(plain_, rule);
    }
    append_varint(plain_, zigzag(subtract_wrapping(made_ms, last_made_ms_)));
    append_varint(plain_, json.size());
    base::append(plain_, json);
    last_made_ms_ = made_ms;
    accepted_bytes_ += rule.size() + json.size();
    ++events_;
}

void BlockBuilder::pack(Packer& packer) {
    if (state_ != State::open) return;
    state_ = packer.pack(plain_, events_ * kRecordBytesMin, packed_) ? State::packed : State::unpacked;
}

void BlockBuilder::unpack() {
    state_ = State::open;
    packed_ = {};
}

void BlockBuilder::seal_to(Bytes& out, std::uint64_t offset, std::uint64_t running_ms, Cipher& cipher) const {
    base::check(events_ != 0 && plain_.size() <= kBlockBodyBytesMax, "spool: a block without events or too large");
    const BlockHeader header{first_, running_ms, events_, static_cast<std::uint32_t>(body().size()), state_ == State::packed};
    const BlockHeaderBytes head = encode(header);
    const std::size_t at = out.size();
    out.resize(at + header.size_on_disk());
    std::copy(head.begin(), head.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
    cipher.seal(offset, head, body(), out.data() + at + kBlockHeaderBytes);
}

base::Status decode_records(DecodedBlock& out) {
    ByteView left = out.plain;
    std::vector<std::string_view> rules;
    std::int64_t made_ms = 0;
    const auto take_bytes = [&](std::optional<std::uint64_t> count) -> std::optional<ByteView> {
        if (!count || *count > left.size()) return std::nullopt;
        const ByteView taken = left.first(*count);
        left = left.subspan(*count);
        return taken;
    };
    out.records.clear();
    for (std::uint32_t i = 0; i < out.header.events; ++i) {
        const auto reference = take_varint(left);
        if (!reference || *reference > rules.size()) return Error{Errc::corrupt};
        std::string_view rule;
        if (*reference == 0) {
            const auto text = take_bytes(take_varint(left));
            if (!text) return Error{Errc::corrupt};
            rule = base::as_text(*text);
            if (rules.size() < kRulesPerBlockMax) rules.push_back(rule);
        } else {
            rule = rules[*reference - 1];
        }
        const auto time = take_varint(left);
        if (!time) return Error{Errc::corrupt};
        made_ms = add_wrapping(made_ms, unzigzag(*time));
        const auto json = take_bytes(take_varint(left));
        if (!json) return Error{Errc::corrupt};
        out.records.push_back({rule, made_ms, *json});
    }
    if (!left.empty()) return Error{Errc::corrupt};
    return {};
}

base::Status decode_block(ByteView bytes, std::uint64_t offset, Cipher& cipher, Unpacker& unpacker, DecodedBlock& out) {
    const auto header = decode_block_header(bytes);
    if (!header || bytes.size() != header->size_on_disk()) return Error{Errc::corrupt};
    out.header = *header;
    out.records.clear();
    Bytes& opened = header->packed ? unpacker.buffer(header->bytes) : out.plain;
    opened.resize(header->bytes);
    if (!cipher.open(offset, bytes.first(kBlockHeaderBytes), bytes.subspan(kBlockHeaderBytes), opened.data())) return Error{Errc::corrupt};
    if (header->packed) {
        if (auto done = unpacker.unpack(opened, kBlockBodyBytesMax, out.plain); !done) return done;
    }
    return decode_records(out);
}

}  // namespace sluice::spool

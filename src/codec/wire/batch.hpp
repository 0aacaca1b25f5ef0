// Batches of events from a gateway to its cloud, bytes <-> values. The format and its limits: docs/formats/wire.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "codec/zstd/zstd.hpp"
#include "data/reading.hpp"

namespace sluice::wire {

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kEnvelopeBytes = 8;
inline constexpr std::size_t kBodyHeaderBytes = 21;
inline constexpr std::size_t kEventHeaderBytes = 14;
inline constexpr std::size_t kGapHeaderBytes = 10;
inline constexpr std::size_t kClassNameBytesMax = 64;
inline constexpr std::size_t kRuleBytesMax = 255;
inline constexpr std::size_t kReasonBytesMax = 32;
inline constexpr std::size_t kJsonBytesMax = 1024 * 1024;
inline constexpr std::size_t kItemsMax = 16'384;
/// A receiver never needs more memory than this for one batch, whatever its sender claims.
inline constexpr std::size_t kBodyBytesMax = 2 * 1024 * 1024;
/// Sequence numbers and epochs stay exact in every JSON reader.
inline constexpr std::uint64_t kNumberEnd = std::uint64_t{1} << 53;
/// Bodies smaller than this are sent plain: a zstd frame would save next to nothing.
inline constexpr std::size_t kCompressFromBytes = 512;
inline constexpr std::size_t kMessageBytesMax = kEnvelopeBytes + kBodyBytesMax;
static_assert(kBodyHeaderBytes + kClassNameBytesMax + kEventHeaderBytes + kRuleBytesMax + kJsonBytesMax <= kBodyBytesMax,
              "the largest event fits a batch of its own");
/// What an encoder may fill a batch with so that it never overflows: this much of rule ids and JSON (or one event of any size), in this
/// many items.
inline constexpr std::size_t kFillBytesMax = kBodyBytesMax / 2;
static_assert(kBodyHeaderBytes + kClassNameBytesMax + kFillBytesMax + kItemsMax * (kGapHeaderBytes + kReasonBytesMax) <= kBodyBytesMax);

/// One item of a batch. Views borrow from the batch's body.
struct Item {
    enum class Kind : std::uint8_t { event = 0, gap = 1 };
    Kind kind;
    data::Sequence first;    ///< of an event: its own number
    std::uint64_t count;     ///< sequence numbers it takes: 1 for an event
    std::int64_t ts_ms;      ///< events only
    std::string_view label;  ///< the rule's id of an event, the reason of a gap
    base::ByteView json;     ///< events only
    friend bool operator==(const Item& a, const Item& b);
};

/// A checked batch: walking it cannot fail. Borrows from the body it was decoded into, and is valid as long as that is neither moved in
/// memory nor changed.
class Batch {
public:
    [[nodiscard]] data::Epoch epoch() const { return epoch_; }
    [[nodiscard]] std::string_view class_name() const { return class_name_; }
    [[nodiscard]] data::Sequence first() const { return first_; }
    [[nodiscard]] data::Sequence end() const { return end_; }  ///< one past the last sequence number taken
    [[nodiscard]] std::size_t items() const { return items_; }
    [[nodiscard]] std::size_t events() const { return events_; }

    /// `for (auto walk = batch.walk(); walk.next(item);)`
    class Walk {
    public:
        [[nodiscard]] bool next(Item& item);

    private:
        friend class Batch;
        const base::Byte* at_ = nullptr;
        const base::Byte* end_ = nullptr;
        std::uint64_t sequence_ = 0;
    };
    [[nodiscard]] Walk walk() const;

private:
    friend base::Result<Batch> parse_body(base::ByteView body);
    data::Epoch epoch_;
    data::Sequence first_;
    data::Sequence end_;
    std::string_view class_name_;
    std::size_t items_ = 0;
    std::size_t events_ = 0;
    base::ByteView item_bytes_;
};

/// Checks a plain body. Errors: malformed, too_large (an item passes its limit).
base::Result<Batch> parse_body(base::ByteView body);

/// Decodes messages. One thread; holds a decompression context, so keep one and reuse it.
class Decoder {
public:
    /// Puts the body, with data::kReadablePadding zeros behind it, into `body` (replacing what it held) and returns a batch that borrows
    /// from it. Errors: malformed, version, too_large (declared size or an item over its limit; nothing was decompressed for the former).
    base::Result<Batch> decode(base::ByteView message, base::Bytes& body);

private:
    zstd::Decompressor zstd_;
};

/// Encodes one batch at a time: begin, then events and gaps in order of their sequence, then finish. One thread; reuses its buffers and
/// compression context. Programmer errors (an empty batch, names over their limits) are checks.
class Encoder {
public:
    void begin(std::string_view class_name, data::Sequence first);
    /// False where the batch is full (bytes or items): nothing was added, finish it. An empty batch takes any event that keeps the limits.
    [[nodiscard]] bool add_event(std::string_view rule, std::int64_t ts_ms, base::ByteView json);
    [[nodiscard]] bool add_gap(std::uint64_t count, std::string_view reason);

    [[nodiscard]] std::size_t items() const { return items_; }
    [[nodiscard]] std::size_t body_bytes() const { return body_.size(); }
    [[nodiscard]] data::Sequence end() const { return end_; }  ///< the sequence number the next item gets

    /// Appends the message. The batch is over; begin the next.
    void finish(data::Epoch epoch, base::Bytes& out);

private:
    zstd::Compressor zstd_;
    base::Bytes body_;
    std::size_t items_ = 0;
    data::Sequence end_;
};

}  // namespace sluice::wire

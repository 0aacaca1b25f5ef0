#include "gateway/turn_journal.hpp"

#include <algorithm>

#include "flow/spool/block.hpp"
#include "flow/spool/spool.hpp"

namespace sluice::gateway {
namespace {

using base::Errc;
using base::Error;
using spool::append_varint;
using spool::take_varint;
using spool::unzigzag;
using spool::zigzag;

enum class Coding : base::Byte { plain = 0, zstd = 1 };
/// kind, coding, shard u16, shards u16, time i64, wall clock i64.
constexpr std::size_t kHeadBytes = 22;
constexpr std::size_t kCodingAt = 1;
enum class Entry : base::Byte { reading = 1, time = 2 };
/// Below this packing gains next to nothing.
constexpr std::size_t kPackFrom = 256;
constexpr std::size_t kPlainBytesMax = 2 * 1024 * 1024;
static_assert(TurnJournal::kRecordBytes + TurnJournal::kPayloadBytesMax + 2 * 65'535 + 128 < spool::kRecordBytesMax);

/// Of what is packed in a frame; nothing: it is none that a record may have.
std::optional<std::size_t> plain_bytes(base::ByteView packed) {
    const auto frame = zstd::frame_info(packed);
    if (!frame || frame->bytes != packed.size() || frame->plain_bytes > kPlainBytesMax) return std::nullopt;
    return frame->plain_bytes;
}

std::int64_t count(base::Monotonic at) { return at.time_since_epoch().count(); }
std::int64_t count(base::WallTime at) { return at.time_since_epoch().count(); }

/// Length plus one, bytes; 0: as in the entry before.
void append_text(base::Bytes& out, std::string_view text, base::Bytes& last) {
    if (text == base::as_text(last)) return append_varint(out, 0);
    append_varint(out, text.size() + 1);
    base::append(out, text);
    last.assign(text.begin(), text.end());
}

/// Difference that wraps instead of overflowing: times that are damaged may be anything.
std::int64_t difference(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t sum(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

class Reader {
public:
    Reader(base::ByteView bytes, JournalMoment begin) : bytes_(bytes), last_(begin) {}
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    [[nodiscard]] bool ok() const { return ok_; }

    std::uint64_t number() {
        const auto value = take_varint(bytes_);
        ok_ = ok_ && value;
        return value.value_or(0);
    }
    base::ByteView take(std::uint64_t size) {
        if (!ok_ || size > bytes_.size()) {
            ok_ = false;
            return {};
        }
        const base::ByteView out = bytes_.first(size);
        bytes_ = bytes_.subspan(size);
        return out;
    }
    base::Byte byte() {
        const base::ByteView one = take(1);
        return one.empty() ? base::Byte{0} : one[0];
    }
    std::string_view text(std::string_view& last) {
        const std::uint64_t size = number();
        if (size != 0) last = base::as_text(take(size - 1));
        return last;
    }
    JournalMoment moment() {
        const std::int64_t passed = unzigzag(number());
        const std::int64_t wall_passed = sum(passed, unzigzag(number()));
        last_.at = base::Monotonic(std::chrono::nanoseconds(sum(count(last_.at), passed)));
        last_.wall = base::WallTime(std::chrono::nanoseconds(sum(count(last_.wall), wall_passed)));
        ok_ = ok_ && is_time(count(last_.at)) && is_time(count(last_.wall));
        return last_;
    }

private:
    /// 146 years, safe to compute with.
    static bool is_time(std::int64_t ns) { return ns > -(std::int64_t{1} << 62) && ns < (std::int64_t{1} << 62); }

    base::ByteView bytes_;
    JournalMoment last_;
    bool ok_ = true;
};

}  // namespace

base::Bytes& TurnJournal::record(JournalMoment at) {
    if (records_.empty() || records_.back().size() >= kRecordBytes) {
        base::Bytes& fresh = records_.emplace_back();
        fresh.push_back(static_cast<base::Byte>(JournalKind::turn));
        fresh.push_back(static_cast<base::Byte>(Coding::plain));
        base::append_le(fresh, static_cast<std::uint16_t>(origin_.shard));
        base::append_le(fresh, static_cast<std::uint16_t>(origin_.shards));
        base::append_le(fresh, static_cast<std::uint64_t>(count(at.at)));
        base::append_le(fresh, static_cast<std::uint64_t>(count(at.wall)));
        bytes_ += fresh.size();
        last_ = at;
        last_topic_.clear();
        last_client_.clear();
    }
    return records_.back();
}

void TurnJournal::add(const data::Reading& reading) {
    const JournalMoment at{reading.at + shift_, reading.arrived};
    base::Bytes& out = record(at);
    const std::size_t before = out.size();
    out.push_back(static_cast<base::Byte>(Entry::reading));
    const std::int64_t passed = difference(count(at.at), count(last_.at));
    append_varint(out, zigzag(passed));
    append_varint(out, zigzag(difference(difference(count(at.wall), count(last_.wall)), passed)));
    append_text(out, reading.topic, last_topic_);
    append_text(out, reading.client, last_client_);
    const base::ByteView payload = reading.payload.size() <= kPayloadBytesMax ? reading.payload : base::ByteView();
    append_varint(out, payload.size());
    base::append(out, payload);
    last_ = at;
    bytes_ += out.size() - before;
}

void TurnJournal::add_time(base::Monotonic time, base::WallTime wall) {
    const JournalMoment at{time + shift_, wall};
    base::Bytes& out = record(at);
    const std::size_t before = out.size();
    out.push_back(static_cast<base::Byte>(Entry::time));
    const std::int64_t passed = difference(count(at.at), count(last_.at));
    append_varint(out, zigzag(passed));
    append_varint(out, zigzag(difference(difference(count(at.wall), count(last_.wall)), passed)));
    last_ = at;
    bytes_ += out.size() - before;
}

std::vector<base::Bytes> TurnJournal::take() {
    bytes_ = 0;
    return std::exchange(records_, {});
}

base::Status read_turn(base::ByteView record, TurnVisitor& visitor) {
    if (record.size() < kHeadBytes || record[0] != static_cast<base::Byte>(JournalKind::turn)) return Error{Errc::corrupt};
    if (record[kCodingAt] > static_cast<base::Byte>(Coding::zstd)) return Error{Errc::version};
    const rules::Origin origin{.shard = base::load_le<std::uint16_t>(record.data() + 2),
                               .shards = base::load_le<std::uint16_t>(record.data() + 4)};
    if (origin.shard >= origin.shards) return Error{Errc::corrupt};
    JournalMoment begin;
    begin.at = base::Monotonic(std::chrono::nanoseconds(static_cast<std::int64_t>(base::load_le<std::uint64_t>(record.data() + 6))));
    begin.wall = base::WallTime(std::chrono::nanoseconds(static_cast<std::int64_t>(base::load_le<std::uint64_t>(record.data() + 14))));
    base::ByteView body = record.subspan(kHeadBytes);
    base::Bytes plain;
    if (record[kCodingAt] == static_cast<base::Byte>(Coding::zstd)) {
        const auto size = plain_bytes(body);
        if (!size) return Error{Errc::corrupt};
        plain.resize(*size + data::kReadablePadding);
        zstd::Decompressor zstd;
        if (auto done = zstd.decompress(body, std::span(plain).first(*size)); !done) return done;
        body = base::ByteView(plain).first(*size);
    } else {
        plain.reserve(body.size() + data::kReadablePadding);
        base::append(plain, body);
        plain.resize(body.size() + data::kReadablePadding);
        body = base::ByteView(plain).first(body.size());
    }
    Reader reader(body, begin);
    std::string_view topic;
    std::string_view client;
    while (!reader.empty()) {
        const auto kind = reader.byte();
        const JournalMoment at = reader.moment();
        if (kind == static_cast<base::Byte>(Entry::time)) {
            if (!reader.ok()) return Error{Errc::corrupt};
            visitor.on_time(at, origin);
            continue;
        }
        if (kind != static_cast<base::Byte>(Entry::reading)) return Error{Errc::corrupt};
        data::Reading reading;
        reading.topic = reader.text(topic);
        reading.client = reader.text(client);
        reading.payload = reader.take(reader.number());
        reading.at = at.at;
        reading.arrived = at.wall;
        if (!reader.ok() || reading.topic.empty()) return Error{Errc::corrupt};
        visitor.on_reading(reading, origin);
    }
    return {};
}

base::ByteView RecordPacker::pack(base::ByteView record) {
    const bool turn = record[0] == static_cast<base::Byte>(JournalKind::turn);
    const std::size_t head = turn ? kHeadBytes : 1;
    if (record.size() < kPackFrom) return record;
    const base::ByteView body = record.subspan(head);
    packed_.resize(record.size() - 1);  // where zstd needs more, plain is smaller
    std::copy_n(record.begin(), head, packed_.begin());
    if (turn)
        packed_[kCodingAt] = static_cast<base::Byte>(Coding::zstd);
    else
        packed_[0] = static_cast<base::Byte>(JournalKind::packed_events);
    const auto bytes = zstd_.compress(body, std::span(packed_).subspan(head));
    if (!bytes) return record;
    return base::ByteView(packed_).first(head + *bytes);
}

std::optional<base::Bytes> read_events(base::ByteView record) {
    const base::ByteView body = record.subspan(1);
    if (record[0] == static_cast<base::Byte>(JournalKind::events)) return base::Bytes(body.begin(), body.end());
    const auto size = plain_bytes(body);
    if (!size) return std::nullopt;
    base::Bytes out(*size);
    zstd::Decompressor zstd;
    if (!zstd.decompress(body, out)) return std::nullopt;
    return out;
}

}  // namespace sluice::gateway

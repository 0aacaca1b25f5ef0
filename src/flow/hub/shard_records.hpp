// The records inside a ShardMessage. Never outside one process, so without versions; little-endian.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "flow/hub/message.hpp"
#include "flow/hub/retained.hpp"

namespace sluice::hub {

enum class RecordKind : std::uint8_t {
    publication,  ///< a Passing, for this shard's own subscribers (kDeliver), for its retained store (kRetain), or for one member of a
                  ///< group
    interest,     ///< a filter; a: 1 the sender's sessions want it, 0 no longer; kKeeps
    members,      ///< a group and its filter; a: the sender's number of members; kKeeps
    fence,        ///< a: number; the answer is `passed` with the same number, after everything that this shard sent before
    passed,
    keep,  ///< what this shard sent so far must be durable there; a: number, answered by way of the Journal
};

/// One record; views are valid as long as the message.
struct Record {
    RecordKind kind = RecordKind::publication;
    std::uint8_t flags = 0;
    std::uint64_t a = 0;
    RetainStamp stamp{};
    std::string_view group{};   ///< publication to a group, members
    std::string_view filter{};  ///< the same; interest
    Passing passing{};          ///< publication

    static constexpr std::uint8_t kDeliver = 1;
    static constexpr std::uint8_t kRetain = 2;
    static constexpr std::uint8_t kKeeps = 4;  ///< what is published with QoS 1 or 2 for it must be durable at the sender of this
};

inline void append_record(base::Bytes& out, const Record& record) {
    const Passing& passing = record.passing;
    out.push_back(static_cast<base::Byte>(record.kind));
    out.push_back(record.flags);
    out.push_back(passing.qos);
    out.push_back(passing.retain ? 1 : 0);
    base::append_le<std::uint64_t>(out, record.a);
    base::append_le<std::uint64_t>(out, record.stamp.time);
    base::append_le<std::uint32_t>(out, record.stamp.shard);
    base::append_le<std::uint64_t>(out, static_cast<std::uint64_t>(passing.expires.time_since_epoch().count()));
    const std::array<base::ByteView, 5> parts{base::as_bytes(record.group), base::as_bytes(record.filter), base::as_bytes(passing.topic),
                                              passing.properties, passing.payload};
    for (const auto part : parts) base::append_le<std::uint32_t>(out, static_cast<std::uint32_t>(part.size()));
    for (const auto part : parts) base::append(out, part);
}

/// Reads the record at `at` and moves `at` behind it. The bytes come from append_record(): anything else is a defect.
inline Record read_record(base::ByteView in, std::size_t& at) {
    constexpr std::size_t kHead = 4 + 8 + 8 + 4 + 8 + 5 * 4;
    base::check(in.size() - at >= kHead, "hub: shard record cut short");
    const base::Byte* head = in.data() + at;
    Record record{.kind = static_cast<RecordKind>(head[0]), .flags = head[1]};
    record.passing.qos = head[2];
    record.passing.retain = head[3] != 0;
    record.a = base::load_le<std::uint64_t>(head + 4);
    record.stamp = {base::load_le<std::uint64_t>(head + 12), base::load_le<std::uint32_t>(head + 20)};
    record.passing.expires = base::Monotonic(std::chrono::nanoseconds(static_cast<std::int64_t>(base::load_le<std::uint64_t>(head + 24))));
    std::array<base::ByteView, 5> parts;
    std::size_t offset = at + kHead;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto size = base::load_le<std::uint32_t>(head + 32 + 4 * i);
        base::check(in.size() - offset >= size, "hub: shard record cut short");
        parts[i] = in.subspan(offset, size);
        offset += size;
    }
    record.group = base::as_text(parts[0]);
    record.filter = base::as_text(parts[1]);
    record.passing.topic = base::as_text(parts[2]);
    record.passing.properties = parts[3];
    record.passing.payload = parts[4];
    at = offset;
    return record;
}

}  // namespace sluice::hub

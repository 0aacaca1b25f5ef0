// Readings on their way to another shard: appended to one buffer, read back as views.
#pragma once

#include <cstring>

#include "base/bytes.hpp"
#include "data/reading.hpp"
#include "flow/rules/engine.hpp"

namespace sluice::gateway {

/// In memory only, within one process: not a format.
struct ReadingHeader {
    rules::PartitionMask partitions;
    std::int64_t arrived_ns;
    std::int64_t at_ns;
    std::uint32_t topic_bytes;
    std::uint32_t client_bytes;
    std::uint32_t payload_bytes;
    std::uint32_t depth;     ///< how many rules in a chain led here
    std::uint32_t recorded;  ///< 1: what state it moves outlives the process
};

inline void append_reading(base::Bytes& to, const data::Reading& reading, rules::PartitionMask partitions, std::uint32_t depth,
                           bool recorded) {
    ReadingHeader header{};
    header.partitions = partitions;
    header.arrived_ns = reading.arrived.time_since_epoch().count();
    header.at_ns = reading.at.time_since_epoch().count();
    header.topic_bytes = static_cast<std::uint32_t>(reading.topic.size());
    header.client_bytes = static_cast<std::uint32_t>(reading.client.size());
    header.payload_bytes = static_cast<std::uint32_t>(reading.payload.size());
    header.depth = depth;
    header.recorded = recorded ? 1 : 0;
    base::append(to, base::ByteView(reinterpret_cast<const base::Byte*>(&header), sizeof header));
    base::append(to, reading.topic);
    base::append(to, reading.client);
    base::append(to, reading.payload);
}

/// Calls visit(reading, header) for each. `batch` must end in data::kReadablePadding spare bytes (see pad_readings).
template <class Visit>
void for_each_reading(base::ByteView batch, Visit&& visit) {
    std::size_t at = 0;
    while (at + sizeof(ReadingHeader) <= batch.size() - data::kReadablePadding) {
        ReadingHeader header;
        std::memcpy(&header, batch.data() + at, sizeof header);
        at += sizeof header;
        data::Reading reading;
        reading.topic = base::as_text(batch.subspan(at, header.topic_bytes));
        at += header.topic_bytes;
        reading.client = base::as_text(batch.subspan(at, header.client_bytes));
        at += header.client_bytes;
        reading.payload = batch.subspan(at, header.payload_bytes);
        at += header.payload_bytes;
        reading.arrived = base::WallTime(std::chrono::nanoseconds(header.arrived_ns));
        reading.at = base::Monotonic(std::chrono::nanoseconds(header.at_ns));
        visit(reading, header);
    }
}

inline void pad_readings(base::Bytes& batch) { batch.resize(batch.size() + data::kReadablePadding); }

}  // namespace sluice::gateway

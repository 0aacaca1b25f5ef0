// Events on their way from a shard to the spool: appended to one buffer, read back as views. In memory only: not a format.
#pragma once

#include <cstring>
#include <string_view>

#include "base/bytes.hpp"
#include "data/reading.hpp"

namespace sluice::gateway {

struct EventHeader {
    std::int64_t made_ns;
    std::uint32_t rule_bytes;
    std::uint32_t json_bytes;
    std::uint8_t event_class;
};

inline void append_event(base::Bytes& to, const data::Event& event) {
    EventHeader header{};
    header.made_ns = event.made.time_since_epoch().count();
    header.rule_bytes = static_cast<std::uint32_t>(event.rule.size());
    header.json_bytes = static_cast<std::uint32_t>(event.json.size());
    header.event_class = event.event_class.value();
    base::append(to, base::ByteView(reinterpret_cast<const base::Byte*>(&header), sizeof header));
    base::append(to, event.rule);
    base::append(to, event.json);
}

template <class Visit>
void for_each_event(base::ByteView batch, Visit&& visit) {
    std::size_t at = 0;
    while (at + sizeof(EventHeader) <= batch.size()) {
        EventHeader header;
        std::memcpy(&header, batch.data() + at, sizeof header);
        at += sizeof header;
        data::Event event;
        event.event_class = data::ClassIndex(header.event_class);
        event.made = base::WallTime(std::chrono::nanoseconds(header.made_ns));
        event.rule = base::as_text(batch.subspan(at, header.rule_bytes));
        at += header.rule_bytes;
        event.json = batch.subspan(at, header.json_bytes);
        at += header.json_bytes;
        visit(event);
    }
}

}  // namespace sluice::gateway

#include "cloud/applier.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace sluice::cloud {

namespace {

constexpr std::string_view kUnexplained = "unexplained";

}  // namespace

ApplyCounts& ApplyCounts::operator+=(const ApplyCounts& other) {
    batches += other.batches;
    stored += other.stored;
    duplicates += other.duplicates;
    gone += other.gone;
    unexplained += other.unexplained;
    invalid_json += other.invalid_json;
    return *this;
}

Applier::Applier() : scanner_({.bytes_max = wire::kJsonBytesMax, .depth_max = json::ScanLimits::kDepthMax}) {}

base::Status Applier::apply(EventStore& store, std::string_view gateway, const wire::Batch& batch, ApplyCounts& counts) {
    ++counts.batches;
    const auto stream = store.stream({.gateway = gateway, .epoch = batch.epoch(), .class_name = batch.class_name()});
    if (!stream) return stream.error();
    // The first batch of an epoch may begin anywhere: a cloud can be newer than its gateways.
    auto next = stream->next.value() == 0 ? batch.first().value() : stream->next.value();
    if (batch.first().value() > next) {
        const data::Sequence last(batch.first().value() - 1);
        if (auto noted = store.note_gap(stream->id, data::Sequence(next), last, kUnexplained); !noted) return noted;
        counts.unexplained += batch.first().value() - next;
        next = batch.first().value();
    }
    wire::Item item{};
    for (auto walk = batch.walk(); walk.next(item);) {
        const auto end = item.first.value() + item.count;
        if (end <= next) {
            counts.duplicates += item.kind == wire::Item::Kind::event ? 1 : 0;
            continue;
        }
        if (item.kind == wire::Item::Kind::event) {
            if (auto stored = apply_event(store, stream->id, item, counts); !stored) return stored;
        } else {
            if (auto noted = store.note_gap(stream->id, data::Sequence(next), data::Sequence(end - 1), item.label); !noted) return noted;
            counts.gone += end - next;
        }
        next = end;
    }
    if (data::Sequence(next) == stream->next) return {};  // nothing new: nothing to write
    return store.advance(stream->id, data::Sequence(next));
}

base::Status Applier::apply_event(EventStore& store, StreamId stream, const wire::Item& item, ApplyCounts& counts) {
    EventRow row{.stream = stream, .sequence = item.first, .rule = item.label, .ts_ms = item.ts_ms, .json = base::as_text(item.json)};
    if (!is_json_object(item.json)) {
        ++counts.invalid_json;
        wrap_invalid(item.json, wrapped_);
        row.json = wrapped_;
    }
    ++counts.stored;
    return store.insert(row);
}

bool Applier::is_json_object(base::ByteView bytes) {
    const auto top = scanner_.scan(bytes, no_fields_, {});
    return top && *top == json::Top::object;
}

void wrap_invalid(base::ByteView bytes, std::string& out) {
    out.assign(R"({"_invalid":")");
    for (std::size_t at = 0; at < bytes.size();) {
        const auto byte = bytes[at];
        if (byte < 0x80) {
            if (byte == '"' || byte == '\\') {
                out.push_back('\\');
                out.push_back(static_cast<char>(byte));
            } else if (byte < 0x20) {
                fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
            } else {
                out.push_back(static_cast<char>(byte));
            }
            ++at;
            continue;
        }
        const std::size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        const auto text = base::as_text(bytes.subspan(at, std::min(length, bytes.size() - at)));
        if (text.size() == length && json::is_utf8(text)) {
            out.append(text);
            at += length;
        } else {
            out.append("\xef\xbf\xbd");  // U+FFFD
            ++at;
        }
    }
    out.append("\"}");
}

}  // namespace sluice::cloud

// docs/formats/wire.md is the format; offsets below are its tables.
#include "codec/wire/batch.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "data/topic.hpp"

namespace sluice::wire {

using base::Byte;
using base::ByteView;
using base::Errc;
using base::Error;

namespace {

bool is_class_char(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; }
bool is_reason_char(char c) { return (c >= 'a' && c <= 'z') || c == '_'; }

/// Printable ASCII without a closer look (what rule ids are), else UTF-8 without control characters.
bool is_label(std::string_view text) {
    bool ascii = true;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) return false;
        ascii = ascii && byte < 0x80;
    }
    return ascii || data::is_mqtt_utf8(text);
}

std::string_view text_at(const Byte* at, std::size_t size) { return base::as_text(ByteView(at, size)); }

/// Reads the item at `at`, which must lie before `end`. Returns its size in bytes; 0 where it does not fit or passes a limit.
std::size_t load_item(const Byte* at, const Byte* end, Item& item) {
    const auto left = static_cast<std::size_t>(end - at);
    if (left < 2) return 0;
    const std::size_t label = at[1];
    if (label == 0) return 0;
    if (at[0] == static_cast<Byte>(Item::Kind::event)) {
        if (left < kEventHeaderBytes) return 0;
        const std::size_t json = base::load_le<std::uint32_t>(at + 2);
        if (json < 2 || json > kJsonBytesMax || left < kEventHeaderBytes + label + json) return 0;
        item.kind = Item::Kind::event;
        item.count = 1;
        item.ts_ms = static_cast<std::int64_t>(base::load_le<std::uint64_t>(at + 6));
        item.label = text_at(at + kEventHeaderBytes, label);
        item.json = ByteView(at + kEventHeaderBytes + label, json);
        return kEventHeaderBytes + label + json;
    }
    if (at[0] != static_cast<Byte>(Item::Kind::gap) || label > kReasonBytesMax || left < kGapHeaderBytes + label) return 0;
    item.kind = Item::Kind::gap;
    item.count = base::load_le<std::uint64_t>(at + 2);
    item.ts_ms = 0;
    item.label = text_at(at + kGapHeaderBytes, label);
    item.json = {};
    return kGapHeaderBytes + label;
}

bool is_valid(const Item& item) {
    if (item.kind == Item::Kind::event) return is_label(item.label);
    return item.count != 0 && item.count < kNumberEnd && std::all_of(item.label.begin(), item.label.end(), is_reason_char);
}

}  // namespace

bool operator==(const Item& a, const Item& b) {
    return a.kind == b.kind && a.first == b.first && a.count == b.count && a.ts_ms == b.ts_ms && a.label == b.label &&
           base::as_text(a.json) == base::as_text(b.json);
}

base::Result<Batch> parse_body(ByteView body) {
    if (body.size() > kBodyBytesMax) return Error{Errc::too_large};
    if (body.size() < kBodyHeaderBytes) return Error{Errc::malformed};
    const Byte* at = body.data();
    const Byte* const end = at + body.size();
    const auto epoch = base::load_le<std::uint64_t>(at);
    const auto first = base::load_le<std::uint64_t>(at + 8);
    const auto items = base::load_le<std::uint32_t>(at + 16);
    const std::size_t name = at[20];
    at += kBodyHeaderBytes;
    if (epoch >= kNumberEnd || first == 0 || first >= kNumberEnd || items == 0) return Error{Errc::malformed};
    if (items > kItemsMax) return Error{Errc::too_large};
    if (name == 0 || name > kClassNameBytesMax || name > static_cast<std::size_t>(end - at)) return Error{Errc::malformed};

    Batch batch;
    batch.epoch_ = data::Epoch(epoch);
    batch.first_ = data::Sequence(first);
    batch.class_name_ = text_at(at, name);
    if (!std::all_of(batch.class_name_.begin(), batch.class_name_.end(), is_class_char)) return Error{Errc::malformed};
    at += name;
    batch.items_ = items;
    batch.item_bytes_ = ByteView(at, end);

    std::uint64_t sequence = first;
    Item item{};
    for (std::uint32_t i = 0; i < items; ++i) {
        const auto size = load_item(at, end, item);
        if (size == 0 || !is_valid(item) || item.count >= kNumberEnd - sequence) return Error{Errc::malformed};
        batch.events_ += item.kind == Item::Kind::event ? 1 : 0;
        sequence += item.count;
        at += size;
    }
    if (at != end) return Error{Errc::malformed};
    batch.end_ = data::Sequence(sequence);
    return batch;
}

Batch::Walk Batch::walk() const {
    Walk walk;
    walk.at_ = item_bytes_.data();
    walk.end_ = item_bytes_.data() + item_bytes_.size();
    walk.sequence_ = first_.value();
    return walk;
}

bool Batch::Walk::next(Item& item) {
    if (at_ == end_) return false;
    const auto size = load_item(at_, end_, item);
    base::check(size != 0, "wire: a checked batch has changed under its walk");
    item.first = data::Sequence(sequence_);
    sequence_ += item.count;
    at_ += size;
    return true;
}

}  // namespace sluice::wire

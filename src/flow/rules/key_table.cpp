#include "flow/rules/key_table.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace sluice::rules {
namespace {

using json::Kind;
using json::Value;

/// The first byte of an encoded key, or of a component of one. A text of its own begins with none of these, or gets kText.
enum Tag : unsigned char { kNull = 1, kInteger, kNumber, kFalse, kTrue, kText, kRaw, kSeveral };
constexpr unsigned char kPlainTextFrom = 0x20;

/// Rows are allocated in blocks of about this size: large enough to be rare.
constexpr std::size_t kChunkBytes = std::size_t{16} * 1024;
constexpr std::size_t kSlotsMin = 16;

void append_component(base::Bytes& to, const Value& value) {
    const auto with_size = [&to](Tag tag, std::string_view text) {
        to.push_back(tag);
        base::append_le(to, static_cast<std::uint32_t>(text.size()));
        base::append(to, text);
    };
    const auto with_word = [&to](Tag tag, std::uint64_t word) {
        to.push_back(tag);
        base::append_le(to, word);
    };
    switch (value.kind()) {
        case Kind::missing:
        case Kind::null:
            return to.push_back(kNull);
        case Kind::boolean:
            return to.push_back(value.is_true() ? kTrue : kFalse);
        case Kind::integer:
            return with_word(kInteger, static_cast<std::uint64_t>(value.as_integer()));
        case Kind::number: {
            const double number = value.as_number();
            constexpr double kTwo63 = 9223372036854775808.0;
            if (number == std::floor(number) && number >= -kTwo63 && number < kTwo63)
                return with_word(kInteger, static_cast<std::uint64_t>(static_cast<std::int64_t>(number)));
            return with_word(kNumber, std::bit_cast<std::uint64_t>(number));
        }
        case Kind::text:
            return with_size(kText, value.as_view());
        case Kind::raw:
            return with_size(kRaw, value.as_view());
    }
}

bool take_component(std::string_view& key, Value& value) {
    if (key.empty()) return false;
    const auto tag = static_cast<unsigned char>(key.front());
    key.remove_prefix(1);
    const auto word = [&key](std::size_t size, std::uint64_t& to) {
        if (key.size() < size) return false;
        to = 0;
        std::memcpy(&to, key.data(), size);
        key.remove_prefix(size);
        return true;
    };
    std::uint64_t number = 0;
    switch (tag) {
        case kNull:
            value = Value::null();
            return true;
        case kFalse:
        case kTrue:
            value = Value::boolean(tag == kTrue);
            return true;
        case kInteger:
            if (!word(8, number)) return false;
            value = Value::integer(static_cast<std::int64_t>(number));
            return true;
        case kNumber:
            if (!word(8, number)) return false;
            value = Value::number(std::bit_cast<double>(number));
            return true;
        case kText:
        case kRaw: {
            if (!word(4, number) || key.size() < number) return false;
            const std::string_view text = key.substr(0, number);
            value = tag == kText ? Value::text(text) : Value::raw(text);
            key.remove_prefix(number);
            return true;
        }
        default:
            return false;
    }
}

}  // namespace

std::string_view encode_key(std::span<const Value> components, base::Bytes& scratch) {
    if (components.empty()) return {};
    if (components.size() == 1 && components[0].is_text()) {
        const std::string_view text = components[0].as_view();
        if (!text.empty() && static_cast<unsigned char>(text.front()) >= kPlainTextFrom) return text;
    }
    scratch.clear();
    if (components.size() > 1) scratch.push_back(kSeveral);
    for (const Value& value : components) append_component(scratch, value);
    return base::as_text(scratch);
}

bool decode_key(std::string_view key, std::span<Value> components) {
    if (components.empty()) return key.empty();
    if (key.empty()) return false;
    const auto tag = static_cast<unsigned char>(key.front());
    if (tag >= kPlainTextFrom) {
        components[0] = Value::text(key);
        return components.size() == 1;
    }
    if ((tag == kSeveral) != (components.size() > 1)) return false;
    if (tag == kSeveral) key.remove_prefix(1);
    for (Value& component : components) {
        if (!take_component(key, component)) return false;
    }
    return key.empty();
}

KeyTable::KeyTable(std::size_t state_bytes, std::size_t keys_max, std::uint64_t seed, StateBudget& budget, bool forgets, std::size_t also)
    : stride_(state_bytes + sizeof(Head)),
      keys_max_(std::min<std::size_t>(keys_max, UINT32_MAX / 2)),
      seed_(seed),
      budget_(budget),
      also_(also),
      forgets_(forgets),
      slots_(kSlotsMin) {
    rows_per_chunk_ = static_cast<std::uint32_t>(std::bit_floor(std::max<std::size_t>(1, kChunkBytes / stride_)));
    shift_ = static_cast<unsigned>(std::countr_zero(rows_per_chunk_));
}

KeyTable::LongKey KeyTable::long_key(std::uint32_t series) const {
    static_assert(sizeof(LongKey) <= Head::kInlineBytes);
    LongKey key;
    std::memcpy(&key, reinterpret_cast<const Head*>(head(series))->inline_bytes, sizeof key);
    return key;
}

std::string_view KeyTable::key(std::uint32_t series) const {
    static_assert(kSlotBytes == 2 * sizeof(Slot));  // at most half of the slots are used
    const auto* head_of = reinterpret_cast<const Head*>(head(series));
    if (head_of->size <= Head::kInlineBytes) return {head_of->inline_bytes, head_of->size};
    return {long_key(series).at, head_of->size};
}

bool KeyTable::has_key(std::uint32_t series) const { return reinterpret_cast<const Head*>(head(series))->size != kNoKey; }

std::optional<std::uint32_t> KeyTable::find(std::string_view wanted, std::uint64_t hashed) const {
    const auto tag = static_cast<std::uint32_t>(hashed);
    for (std::size_t at = (hashed >> 32) & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
        const Slot& slot = slots_[at];
        if (slot.series == 0) return std::nullopt;
        if (slot.tag == tag && key(slot.series - 1) == wanted) return slot.series - 1;
    }
}

std::optional<std::uint32_t> KeyTable::add(std::string_view wanted) {
    const std::uint64_t hashed = hash(wanted);
    if (const auto known = find(wanted, hashed)) return known;
    if (wanted.size() > kKeyBytesMax) return std::nullopt;
    if (size_ >= keys_max_ && (budget_.room == nullptr || !budget_.room->forget_oldest())) return std::nullopt;
    const bool is_long = wanted.size() > Head::kInlineBytes;
    if (!budget_.take(stride_ + (is_long ? wanted.size() : 0) + kSlotBytes + also_)) return std::nullopt;
    if ((size_ + 1) * 2 > slots_.size()) grow();
    std::uint32_t series = 0;
    if (!free_rows_.empty()) {
        series = free_rows_.back();
        free_rows_.pop_back();
    } else {
        series = static_cast<std::uint32_t>(rows_++);
        if (series >= rows_per_chunk_ ? (series & (rows_per_chunk_ - 1)) == 0 : series == std::bit_floor(series))
            chunks_.push_back(std::make_unique<std::byte[]>(stride_ * std::clamp(std::bit_floor(series), 1U, rows_per_chunk_)));
    }
    put_key(series, wanted);
    if (forgets_) link_newest(series);
    ++size_;
    std::size_t at = (hashed >> 32) & (slots_.size() - 1);
    while (slots_[at].series != 0) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {.tag = static_cast<std::uint32_t>(hashed), .series = series + 1};
    return series;
}

void KeyTable::put_key(std::uint32_t series, std::string_view key) {
    auto* head_of = reinterpret_cast<Head*>(head(series));
    head_of->size = static_cast<std::uint32_t>(key.size());
    if (key.size() <= Head::kInlineBytes) {
        if (!key.empty()) std::memcpy(head_of->inline_bytes, key.data(), key.size());
        return;
    }
    LongKey where;
    if (!free_long_keys_.empty()) {
        where.index = free_long_keys_.back();
        free_long_keys_.pop_back();
    } else {
        where.index = static_cast<std::uint32_t>(long_keys_.size());
        long_keys_.emplace_back();
    }
    long_keys_[where.index] = std::make_unique<char[]>(key.size());
    std::memcpy(long_keys_[where.index].get(), key.data(), key.size());
    where.at = long_keys_[where.index].get();
    std::memcpy(head_of->inline_bytes, &where, sizeof where);
}

void KeyTable::grow() {
    std::vector<Slot> larger(slots_.size() * 2);
    for (const Slot& slot : slots_) {
        if (slot.series == 0) continue;
        const std::uint64_t hashed = hash(key(slot.series - 1));
        std::size_t at = (hashed >> 32) & (larger.size() - 1);
        while (larger[at].series != 0) at = (at + 1) & (larger.size() - 1);
        larger[at] = slot;
    }
    slots_.swap(larger);
}

void KeyTable::link_newest(std::uint32_t series) {
    KeyOrder& its = order(series);
    its.newer = 0;
    its.older = newest_;
    (newest_ == 0 ? oldest_ : order(newest_ - 1).newer) = series + 1;
    newest_ = series + 1;
}

void KeyTable::unlink(std::uint32_t series) {
    const KeyOrder& its = order(series);
    (its.newer == 0 ? newest_ : order(its.newer - 1).older) = its.older;
    (its.older == 0 ? oldest_ : order(its.older - 1).newer) = its.newer;
}

void KeyTable::see(std::uint32_t series, std::int64_t turn) {
    order(series).seen = turn;
    if (newest_ == series + 1) return;
    unlink(series);
    link_newest(series);
}

std::optional<std::uint32_t> KeyTable::oldest() const {
    if (oldest_ == 0) return std::nullopt;
    return oldest_ - 1;
}

/// Without a mark in its place: marks would add up. What follows moves up, as far as it may.
void KeyTable::free_slot(std::uint32_t series) {
    const std::size_t mask = slots_.size() - 1;
    std::size_t hole = (hash(key(series)) >> 32) & mask;
    while (slots_[hole].series != series + 1) hole = (hole + 1) & mask;
    for (std::size_t at = (hole + 1) & mask; slots_[at].series != 0; at = (at + 1) & mask) {
        const std::size_t home = (hash(key(slots_[at].series - 1)) >> 32) & mask;
        if (((at - home) & mask) < ((at - hole) & mask)) continue;  // it would come before its home
        slots_[hole] = slots_[at];
        hole = at;
    }
    slots_[hole] = {};
}

void KeyTable::forget(std::uint32_t series) {
    free_slot(series);
    unlink(series);
    auto* head_of = reinterpret_cast<Head*>(head(series));
    std::size_t freed = stride_ + kSlotBytes + also_;
    if (head_of->size > Head::kInlineBytes) {
        freed += head_of->size;
        const std::uint32_t index = long_key(series).index;
        long_keys_[index].reset();
        free_long_keys_.push_back(index);
    }
    head_of->size = kNoKey;
    std::memset(row(series), 0, stride_ - sizeof(Head));
    free_rows_.push_back(series);
    --size_;
    budget_.give(freed);
}

void KeyTable::sort_by_seen() {
    std::vector<std::uint32_t> all;
    for (std::uint32_t series = 0; series < rows_; ++series) {
        if (has_key(series)) all.push_back(series);
    }
    std::stable_sort(all.begin(), all.end(), [this](std::uint32_t a, std::uint32_t b) { return order(a).seen < order(b).seen; });
    newest_ = oldest_ = 0;
    for (const std::uint32_t series : all) link_newest(series);
}

}  // namespace sluice::rules

#include "codec/mqtt/properties.hpp"

#include <array>

#include "base/check.hpp"
#include "codec/mqtt/byte_reader.hpp"

namespace sluice::mqtt {
namespace {

static_assert(kPropertyIdEnd <= 64, "Properties keeps a bit for each identifier");

/// Row of a property in kProperties by its identifier; kProperties.size() where there is none.
constexpr std::array<std::uint8_t, kPropertyIdEnd> kRowOf = [] {
    std::array<std::uint8_t, kPropertyIdEnd> rows{};
    rows.fill(static_cast<std::uint8_t>(kProperties.size()));
    for (std::size_t i = 0; i < kProperties.size(); ++i) rows[static_cast<std::size_t>(kProperties[i].id)] = static_cast<std::uint8_t>(i);
    return rows;
}();

const PropertyInfo* row_of(std::uint8_t id) {
    if (id >= kPropertyIdEnd || kRowOf[id] == kProperties.size()) return nullptr;
    return &kProperties[kRowOf[id]];
}

/// Reads the value behind an identifier. `checked`: the bytes passed once already, text is not looked at again.
bool read_value(ByteReader& in, PropertyType type, bool checked, PropertyItem& out) {
    const auto text = [&](std::string_view& to) { return checked ? in.binary(to) : in.text(to); };
    switch (type) {
        case PropertyType::byte: {
            std::uint8_t value = 0;
            if (!in.byte(value)) return false;
            out.number = value;
            return true;
        }
        case PropertyType::two_bytes: {
            std::uint16_t value = 0;
            if (!in.two_bytes(value)) return false;
            out.number = value;
            return true;
        }
        case PropertyType::four_bytes:
            return in.four_bytes(out.number);
        case PropertyType::variable_integer:
            return in.variable_integer(out.number);
        case PropertyType::text:
            return text(out.text);
        case PropertyType::binary:
            return in.binary(out.text);
        case PropertyType::text_pair:
            return text(out.name) && text(out.text);
    }
    return false;
}

bool is_numeric(PropertyType type) {
    return type == PropertyType::byte || type == PropertyType::two_bytes || type == PropertyType::four_bytes ||
           type == PropertyType::variable_integer;
}

Verdict check_value(const PropertyInfo& row, const PropertyItem& item, ReasonCode otherwise) {
    if (is_numeric(row.type) && (item.number < row.least || item.number > row.most))
        return row.id == Property::topic_alias ? Verdict(ReasonCode::topic_alias_invalid, "topic alias 0")
                                               : Verdict(otherwise, "a property's value is out of range");
    // MQTT-3.3.2-14; it is a topic name, so not empty either (MQTT-4.7.3-1).
    if (row.id == Property::response_topic && !data::is_topic_name(item.text))
        return {ReasonCode::protocol_error, "the response topic is not a topic name"};
    return {};
}

std::uint64_t bit_of(Property id) { return std::uint64_t{1} << static_cast<unsigned>(id); }

}  // namespace

Verdict Properties::decode(base::ByteView bytes, PacketType type, Properties& out) {
    out = {};
    std::uint64_t present = 0;
    // §2.2.2.2 calls a known property in the wrong packet malformed; mosquitto, and so we, only in these two: docs/decisions/0014.
    const bool strict = type == PacketType::subscribe || type == PacketType::unsubscribe;
    const auto misused = strict ? ReasonCode::malformed_packet : ReasonCode::protocol_error;
    ByteReader in(bytes);
    while (in.left() != 0) {
        std::uint8_t id = 0;  // a variable byte integer, but none of the known ones needs two bytes
        if (!in.byte(id)) return ReasonCode::malformed_packet;
        const auto* row = row_of(id);
        if (!row) return {ReasonCode::malformed_packet, "an unknown property"};
        PropertyItem item{.id = row->id};
        if (!read_value(in, row->type, false, item)) return {ReasonCode::malformed_packet, "a property that cannot be read"};
        if ((row->packets & bit(type)) == 0) return {misused, "a property that this packet cannot have"};
        if ((present & bit_of(row->id)) != 0 && (row->repeatable & bit(type)) == 0)
            return {ReasonCode::protocol_error, "a property that is there twice"};
        if (const auto verdict = check_value(*row, item, misused); !verdict) return verdict;
        present |= bit_of(row->id);
    }
    out.raw_ = bytes;
    out.present_ = present;
    return {};
}

std::size_t Properties::next(std::size_t at, PropertyItem& item) const {
    ByteReader in(raw_.subspan(at));
    std::uint8_t id = 0;
    const bool has_id = in.byte(id);
    const auto* row = row_of(id);
    base::check(has_id && row, "mqtt: properties that were not checked");
    item = {.id = row->id};
    base::check(read_value(in, row->type, true, item), "mqtt: properties that were not checked");
    return raw_.size() - in.left();
}

std::optional<std::uint32_t> Properties::number(Property id) const {
    if (!has(id)) return std::nullopt;
    PropertyItem item{};
    for (std::size_t at = 0; at < raw_.size();) {
        at = next(at, item);
        if (item.id == id) return item.number;
    }
    return std::nullopt;
}

std::optional<std::string_view> Properties::text(Property id) const {
    if (!has(id)) return std::nullopt;
    PropertyItem item{};
    for (std::size_t at = 0; at < raw_.size();) {
        at = next(at, item);
        if (item.id == id) return item.text;
    }
    return std::nullopt;
}

void PropertyWriter::begin(Property id) {
    buffer_.push_back(static_cast<base::Byte>(id));
    present_ |= bit_of(id);
}

PropertyWriter& PropertyWriter::number(Property id, std::uint32_t value) {
    const auto* row = row_of(static_cast<std::uint8_t>(id));
    base::check(row && is_numeric(row->type) && value >= row->least && value <= row->most, "mqtt: not a value of this property");
    begin(id);
    switch (row->type) {
        case PropertyType::byte:
            buffer_.push_back(static_cast<base::Byte>(value));
            break;
        case PropertyType::two_bytes:
            base::check(value <= 0xFFFF, "mqtt: a two-byte property");
            buffer_.push_back(static_cast<base::Byte>(value >> 8));
            buffer_.push_back(static_cast<base::Byte>(value));
            break;
        case PropertyType::four_bytes:
            for (const unsigned shift : {24U, 16U, 8U, 0U}) buffer_.push_back(static_cast<base::Byte>(value >> shift));
            break;
        default:
            for (; value >= 0x80; value >>= 7) buffer_.push_back(static_cast<base::Byte>(value | 0x80U));
            buffer_.push_back(static_cast<base::Byte>(value));
    }
    return *this;
}

namespace {
void append_text(base::Bytes& out, std::string_view text) {
    base::check(text.size() <= 0xFFFF, "mqtt: text longer than 65,535 bytes");
    out.push_back(static_cast<base::Byte>(text.size() >> 8));
    out.push_back(static_cast<base::Byte>(text.size()));
    base::append(out, text);
}
}  // namespace

PropertyWriter& PropertyWriter::text(Property id, std::string_view value) {
    const auto* row = row_of(static_cast<std::uint8_t>(id));
    base::check(row && (row->type == PropertyType::text || row->type == PropertyType::binary), "mqtt: not a text property");
    begin(id);
    append_text(buffer_, value);
    return *this;
}

PropertyWriter& PropertyWriter::user(std::string_view name, std::string_view value) {
    begin(Property::user_property);
    append_text(buffer_, name);
    append_text(buffer_, value);
    return *this;
}

PropertyWriter& PropertyWriter::copy(const Properties& other) {
    base::append(buffer_, other.raw_);
    present_ |= other.present_;
    return *this;
}

PropertyWriter& PropertyWriter::item(const PropertyItem& item) {
    const auto* row = row_of(static_cast<std::uint8_t>(item.id));
    base::check(row, "mqtt: an unknown property");
    if (row->type == PropertyType::text_pair) return user(item.name, item.text);
    return is_numeric(row->type) ? number(item.id, item.number) : text(item.id, item.text);
}

Properties PropertyWriter::done() const {
    Properties result;
    result.raw_ = base::ByteView(buffer_).subspan(begin_);
    result.present_ = present_;
    return result;
}

}  // namespace sluice::mqtt

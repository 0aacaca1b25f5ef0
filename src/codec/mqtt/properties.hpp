// The properties of an MQTT 5.0 packet, as a view of their bytes: checked once when decoded, looked up by scanning (they are few and
// short).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "codec/mqtt/packet.hpp"

namespace sluice::mqtt {

/// One property. For user properties `name` and `text` are the pair; for binary ones `text` holds the bytes.
struct PropertyItem {
    Property id;
    std::uint32_t number = 0;
    std::string_view name{};
    std::string_view text{};
};

/// Views the properties of a packet; valid as long as the bytes that were decoded. Always checked: every instance comes from decode() or
/// from a PropertyWriter.
class Properties {
public:
    Properties() = default;

    /// Checks the bytes (without their length) as properties of a packet of this type: known, allowed there, not repeated, values in range,
    /// text valid. Errors: malformed_packet (cut short, unknown, bad text), protocol_error (not allowed here, repeated, out of range; in
    /// SUBSCRIBE and UNSUBSCRIBE only repeated, else malformed too), topic_alias_invalid.
    static Verdict decode(base::ByteView bytes, PacketType type, Properties& out);

    [[nodiscard]] bool empty() const { return raw_.empty(); }
    [[nodiscard]] bool has(Property id) const { return ((present_ >> static_cast<unsigned>(id)) & 1U) != 0; }
    /// The first value of a numeric property.
    [[nodiscard]] std::optional<std::uint32_t> number(Property id) const;
    [[nodiscard]] std::uint32_t number_or(Property id, std::uint32_t otherwise) const {
        return has(id) ? number(id).value_or(otherwise) : otherwise;
    }
    /// The first value of a text or binary property; nothing if absent (a present one may be empty).
    [[nodiscard]] std::optional<std::string_view> text(Property id) const;

    /// The encoded properties without their length: can be forwarded as they are.
    [[nodiscard]] base::ByteView raw() const { return raw_; }

    /// Calls visit(const PropertyItem&) for each, in their order.
    template <class Visit>
    void for_each(Visit&& visit) const {
        PropertyItem item{};
        for (std::size_t at = 0; at < raw_.size();) {
            at = next(at, item);
            visit(static_cast<const PropertyItem&>(item));
        }
    }

private:
    friend class PropertyWriter;
    std::size_t next(std::size_t at, PropertyItem& item) const;

    base::ByteView raw_;
    std::uint64_t present_ = 0;  // bit = property identifier
};

/// Builds properties at the end of a caller's buffer. `PropertyWriter w(scratch); w.number(Property::topic_alias, 3); packet.properties =
/// w.done();` The result views the buffer: it is valid until the buffer changes.
class PropertyWriter {
public:
    explicit PropertyWriter(base::Bytes& buffer) : buffer_(buffer), begin_(buffer.size()) {}

    /// For byte, two-byte, four-byte and variable-integer properties; the value must be in the property's range.
    PropertyWriter& number(Property id, std::uint32_t value);
    /// For text and binary properties; at most 65,535 bytes, text must be valid MQTT UTF-8.
    PropertyWriter& text(Property id, std::string_view value);
    PropertyWriter& user(std::string_view name, std::string_view value);
    /// Appends properties that exist already, for example when forwarding.
    PropertyWriter& copy(const Properties& other);
    /// Appends one property as visited by Properties::for_each.
    PropertyWriter& item(const PropertyItem& item);
    [[nodiscard]] Properties done() const;

private:
    void begin(Property id);
    base::Bytes& buffer_;
    std::size_t begin_;
    std::uint64_t present_ = 0;
};

}  // namespace sluice::mqtt

#include "codec/mqtt/encode.hpp"

#include <cstring>

#include "base/check.hpp"

namespace sluice::mqtt {
namespace {

std::size_t variable_size(std::size_t value) { return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4; }

/// Writes a packet of a size known beforehand into the end of a buffer: grown once, then plain stores.
class Writer {
public:
    /// `body`: bytes after the fixed header. `room`: how many of them will be written here (less than `body` for a header whose payload
    /// follows).
    Writer(base::Bytes& out, unsigned first, std::size_t body, std::size_t room) : out_(out) {
        base::check(body <= kVariableIntegerMax, "mqtt: a packet greater than the format can express");
        const std::size_t begin = out.size();
        out.resize(begin + 1 + variable_size(body) + room);
        at_ = out.data() + begin;
        byte(first);
        variable(body);
    }
    Writer(base::Bytes& out, unsigned first, std::size_t body) : Writer(out, first, body, body) {}
    ~Writer() { base::check(at_ == out_.data() + out_.size(), "mqtt: a packet's size was not what was written"); }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    void byte(unsigned value) { *at_++ = static_cast<base::Byte>(value); }
    void two_bytes(std::size_t value) {
        byte(static_cast<unsigned>(value >> 8) & 0xFFU);
        byte(static_cast<unsigned>(value) & 0xFFU);
    }
    void variable(std::size_t value) {
        for (; value >= 0x80; value >>= 7) byte(static_cast<unsigned>(value & 0x7FU) | 0x80U);
        byte(static_cast<unsigned>(value));
    }
    void raw(const void* bytes, std::size_t size) {
        if (size != 0) std::memcpy(at_, bytes, size);
        at_ += size;
    }
    void raw(base::ByteView bytes) { raw(bytes.data(), bytes.size()); }
    void text(std::string_view text) {
        base::check(text.size() <= 0xFFFF, "mqtt: text longer than 65,535 bytes");
        two_bytes(text.size());
        raw(text.data(), text.size());
    }
    void properties(const Properties& properties, Version version) {
        if (version != Version::v5) return;
        variable(properties.raw().size());
        raw(properties.raw());
    }
    [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(at_ - out_.data()); }

private:
    base::Bytes& out_;
    base::Byte* at_;
};

unsigned first_byte(PacketType type, unsigned flags = 0) { return static_cast<unsigned>(type) << 4 | flags; }

std::size_t properties_size(const Properties& properties, Version version) {
    return version == Version::v5 ? variable_size(properties.raw().size()) + properties.raw().size() : 0;
}

std::size_t publish_variable_header(const Publish& packet, Version version) {
    return 2 + packet.topic.size() + (packet.qos == Qos::at_most_once ? 0 : 2) + properties_size(packet.properties, version);
}

std::size_t write_publish(base::Bytes& out, const Publish& packet, Version version, bool with_payload) {
    const std::size_t header = publish_variable_header(packet, version);
    const std::size_t body = header + packet.payload.size();
    const bool acked = packet.qos != Qos::at_most_once;
    base::check(acked == (packet.packet_id != 0), "mqtt: a packet id goes with QoS 1 and 2, and only with them");
    const unsigned flags = (packet.dup ? 8U : 0U) | static_cast<unsigned>(packet.qos) << 1 | (packet.retain ? 1U : 0U);
    Writer to(out, first_byte(PacketType::publish, flags), body, with_payload ? body : header);
    to.text(packet.topic);
    const std::size_t id_at = acked ? to.offset() : 0;
    if (acked) to.two_bytes(packet.packet_id);
    to.properties(packet.properties, version);
    if (with_payload) to.raw(packet.payload);
    return id_at;
}

/// "[reason [length properties]]" in its shortest form.
std::size_t reason_size(ReasonCode reason, const Properties& properties) {
    if (!properties.empty()) return 1 + properties_size(properties, Version::v5);
    return reason == ReasonCode::success ? 0 : 1;
}
void write_reason(Writer& to, ReasonCode reason, const Properties& properties) {
    if (reason_size(reason, properties) == 0) return;
    to.byte(static_cast<unsigned>(reason));
    if (!properties.empty()) to.properties(properties, Version::v5);
}

}  // namespace

void encode_connect(base::Bytes& out, const Connect& packet) {
    const std::string_view protocol = packet.version == Version::v31 ? "MQIsdp" : "MQTT";
    std::size_t body = 2 + protocol.size() + 4 + properties_size(packet.properties, packet.version) + 2 + packet.client_id.size();
    unsigned flags = packet.clean_start ? 2U : 0U;
    if (packet.will) {
        flags |= 4U | static_cast<unsigned>(packet.will->qos) << 3 | (packet.will->retain ? 0x20U : 0U);
        body += properties_size(packet.will->properties, packet.version) + 2 + packet.will->topic.size() + 2 + packet.will->payload.size();
    }
    if (packet.user) flags |= 0x80U, body += 2 + packet.user->size();
    if (packet.password) flags |= 0x40U, body += 2 + packet.password->size();
    Writer to(out, first_byte(PacketType::connect), body);
    to.text(protocol);
    to.byte(packet.bridge ? kBridgeLevel : static_cast<unsigned>(packet.version));
    to.byte(flags);
    to.two_bytes(packet.keep_alive.count());
    to.properties(packet.properties, packet.version);
    to.text(packet.client_id);
    if (packet.will) {
        to.properties(packet.will->properties, packet.version);
        to.text(packet.will->topic);
        to.text(base::as_text(packet.will->payload));
    }
    if (packet.user) to.text(*packet.user);
    if (packet.password) to.text(base::as_text(*packet.password));
}

void encode_connack(base::Bytes& out, const Connack& packet, Version version) {
    Writer to(out, first_byte(PacketType::connack), 2 + properties_size(packet.properties, version));
    to.byte(packet.session_present && version != Version::v31 ? 1 : 0);
    to.byte(version == Version::v5 ? static_cast<unsigned>(packet.reason) : static_cast<unsigned>(to_return_code(packet.reason)));
    to.properties(packet.properties, version);
}

std::size_t encode_publish_header(base::Bytes& out, const Publish& packet, Version version) {
    return write_publish(out, packet, version, false);
}

std::size_t encode_publish(base::Bytes& out, const Publish& packet, Version version) { return write_publish(out, packet, version, true); }

std::size_t publish_size(const Publish& packet, Version version) {
    const std::size_t body = publish_variable_header(packet, version) + packet.payload.size();
    return 1 + variable_size(body) + body;
}

void encode_ack(base::Bytes& out, PacketType type, const Ack& packet, Version version) {
    const bool full = version == Version::v5;
    const std::size_t body = 2 + (full ? reason_size(packet.reason, packet.properties) : 0);
    Writer to(out, first_byte(type, type == PacketType::pubrel ? 2 : 0), body);
    to.two_bytes(packet.packet_id);
    if (full) write_reason(to, packet.reason, packet.properties);
}

void encode_subscribe(base::Bytes& out, PacketId id, std::span<const Subscription> filters, Version version, const Properties& properties) {
    base::check(id != 0 && !filters.empty(), "mqtt: a SUBSCRIBE without id or filter");
    std::size_t body = 2 + properties_size(properties, version);
    for (const auto& each : filters) body += 2 + each.filter.size() + 1;
    Writer to(out, first_byte(PacketType::subscribe, 2), body);
    to.two_bytes(id);
    to.properties(properties, version);
    for (const auto& each : filters) {
        to.text(each.filter);
        unsigned options = static_cast<unsigned>(each.qos);
        if (version == Version::v5)
            options |= (each.no_local ? 4U : 0U) | (each.retain_as_published ? 8U : 0U) | static_cast<unsigned>(each.retain_handling) << 4;
        to.byte(options);
    }
}

void encode_unsubscribe(base::Bytes& out, PacketId id, std::span<const std::string_view> filters, Version version,
                        const Properties& properties) {
    base::check(id != 0 && !filters.empty(), "mqtt: an UNSUBSCRIBE without id or filter");
    std::size_t body = 2 + properties_size(properties, version);
    for (const auto& each : filters) body += 2 + each.size();
    Writer to(out, first_byte(PacketType::unsubscribe, 2), body);
    to.two_bytes(id);
    to.properties(properties, version);
    for (const auto& each : filters) to.text(each);
}

std::size_t suback_size(std::size_t codes, Version version) {
    const std::size_t body = 2 + properties_size({}, version) + codes;
    return 1 + variable_size(body) + body;
}

void encode_suback(base::Bytes& out, const Suback& packet, Version version) {
    Writer to(out, first_byte(PacketType::suback), 2 + properties_size(packet.properties, version) + packet.codes.size());
    to.two_bytes(packet.packet_id);
    to.properties(packet.properties, version);
    for (const auto code : packet.codes) to.byte(version != Version::v5 && code >= 0x80 ? 0x80U : code);
}

void encode_unsuback(base::Bytes& out, const Suback& packet, Version version) {
    const auto codes = version == Version::v5 ? packet.codes : base::ByteView{};
    Writer to(out, first_byte(PacketType::unsuback), 2 + properties_size(packet.properties, version) + codes.size());
    to.two_bytes(packet.packet_id);
    to.properties(packet.properties, version);
    to.raw(codes);
}

void encode_disconnect(base::Bytes& out, const Disconnect& packet, Version version) {
    const bool full = version == Version::v5;
    Writer to(out, first_byte(PacketType::disconnect), full ? reason_size(packet.reason, packet.properties) : 0);
    if (full) write_reason(to, packet.reason, packet.properties);
}

void encode_auth(base::Bytes& out, const Auth& packet) {
    Writer to(out, first_byte(PacketType::auth), reason_size(packet.reason, packet.properties));
    write_reason(to, packet.reason, packet.properties);
}

}  // namespace sluice::mqtt

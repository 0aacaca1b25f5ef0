#include "cli/load/packets.hpp"

namespace sluice::load {
namespace {

using base::Byte;
using base::Bytes;

void append_u16(Bytes& to, std::size_t value) {
    to.push_back(static_cast<Byte>(value >> 8));
    to.push_back(static_cast<Byte>(value));
}

void append_text(Bytes& to, std::string_view text) {
    append_u16(to, text.size());
    base::append(to, text);
}

/// Remaining length (2.2.3): seven bits a byte, the lowest first.
void append_length(Bytes& to, std::size_t length) {
    do {
        const auto low = static_cast<Byte>(length & 0x7fU);
        length >>= 7;
        to.push_back(length == 0 ? low : static_cast<Byte>(low | 0x80U));
    } while (length != 0);
}

}  // namespace

void append_connect(Bytes& to, std::string_view client_id, std::uint16_t keep_alive, std::optional<std::string_view> user,
                    std::optional<std::string_view> password) {
    constexpr Byte kConnect = 0x10;
    constexpr Byte kLevel311 = 4;
    constexpr unsigned kCleanSession = 0x02;
    constexpr unsigned kHasUser = 0x80;
    constexpr unsigned kHasPassword = 0x40;
    to.push_back(kConnect);
    append_length(to, 10 + 2 + client_id.size() + (user ? 2 + user->size() : 0) + (password ? 2 + password->size() : 0));
    append_text(to, "MQTT");
    to.push_back(kLevel311);
    to.push_back(static_cast<Byte>(kCleanSession | (user ? kHasUser : 0U) | (password ? kHasPassword : 0U)));
    append_u16(to, keep_alive);
    append_text(to, client_id);
    if (user) append_text(to, *user);
    if (password) append_text(to, *password);
}

void append_subscribe(Bytes& to, std::uint16_t packet_id, std::string_view filter, std::uint8_t qos) {
    to.push_back(0x82);
    append_length(to, 2 + 2 + filter.size() + 1);
    append_u16(to, packet_id);
    append_text(to, filter);
    to.push_back(qos);
}

void append_puback(Bytes& to, std::uint16_t packet_id) {
    to.push_back(0x40);
    to.push_back(2);
    append_u16(to, packet_id);
}

void append_pingreq(Bytes& to) {
    to.push_back(0xc0);
    to.push_back(0);
}

void append_disconnect(Bytes& to) {
    to.push_back(0xe0);
    to.push_back(0);
}

void append_publish(Bytes& to, const Publication& publication) {
    const std::size_t length = 2 + publication.topic.size() + (publication.qos != 0 ? 2U : 0U) + publication.payload.size();
    Byte head[6];
    head[0] = static_cast<Byte>(0x30U | static_cast<unsigned>(publication.qos << 1) | (publication.duplicate ? 8U : 0U));
    std::size_t used = 1;
    for (std::size_t left = length;;) {
        const auto low = static_cast<Byte>(left & 0x7fU);
        left >>= 7;
        head[used++] = left == 0 ? low : static_cast<Byte>(low | 0x80U);
        if (left == 0) break;
    }
    head[used++] = static_cast<Byte>(publication.topic.size() >> 8);
    head[used++] = static_cast<Byte>(publication.topic.size());
    to.insert(to.end(), head, head + used);
    base::append(to, publication.topic);
    if (publication.qos != 0) append_u16(to, publication.packet_id);
    base::append(to, publication.payload);
}

std::optional<Incoming> next_packet(base::ByteView bytes) {
    if (bytes.size() < 2) return std::nullopt;
    Incoming packet{
        .type = static_cast<std::uint8_t>(bytes[0] >> 4), .flags = static_cast<std::uint8_t>(bytes[0] & 15U), .body = {}, .size = 0};
    std::size_t length = 0;
    std::size_t at = 1;
    for (unsigned shift = 0;; shift += 7) {
        if (shift > 21) return packet;  // a fifth length byte: not MQTT
        if (at == bytes.size()) return std::nullopt;
        const Byte byte = bytes[at++];
        length |= static_cast<std::size_t>(byte & 0x7fU) << shift;
        if ((byte & 0x80U) == 0) break;
    }
    if (bytes.size() - at < length) return std::nullopt;
    packet.body = bytes.subspan(at, length);
    packet.size = at + length;
    return packet;
}

std::uint16_t packet_id_of(const Incoming& packet) {
    if (packet.body.size() < 2) return 0;
    return static_cast<std::uint16_t>(packet.body[0] << 8 | packet.body[1]);
}

std::optional<Publication> read_publish(const Incoming& packet) {
    if (packet.body.size() < 2) return std::nullopt;
    const std::size_t topic_size = static_cast<std::size_t>(packet.body[0]) << 8 | packet.body[1];
    const auto qos = static_cast<std::uint8_t>(packet.flags >> 1 & 3U);
    const std::size_t header = 2 + topic_size + (qos != 0 ? 2U : 0U);
    if (packet.body.size() < header || qos > 1) return std::nullopt;
    Publication publication;
    publication.topic = base::as_text(packet.body.subspan(2, topic_size));
    publication.qos = qos;
    if (qos != 0) publication.packet_id = static_cast<std::uint16_t>(packet.body[header - 2] << 8 | packet.body[header - 1]);
    publication.payload = base::as_text(packet.body.subspan(header));
    publication.duplicate = (packet.flags & 8U) != 0;
    return publication;
}

}  // namespace sluice::load

// Packets to bytes, appended to the caller's buffer (no view in a packet may be of that same buffer). Inputs are ours, so they must be
// valid: topics checked, text at most 65,535 bytes, properties allowed in the packet (they are not written over 3.1.1). A packet greater
// than kPacketBytesMax is a defect of the caller (check()).
#pragma once

#include <array>
#include <span>

#include "base/bytes.hpp"
#include "codec/mqtt/packets.hpp"

namespace sluice::mqtt {

void encode_connect(base::Bytes& out, const Connect& packet);
void encode_connack(base::Bytes& out, const Connack& packet, Version version);

/// Everything of a PUBLISH but its payload, of which `packet.payload` gives the size. Returns the offset in `out` of the packet id (0 when
/// QoS 0): who sends the same message to many patches it there.
std::size_t encode_publish_header(base::Bytes& out, const Publish& packet, Version version);
/// The same with the payload.
std::size_t encode_publish(base::Bytes& out, const Publish& packet, Version version);
/// Bytes that encode_publish() would append.
[[nodiscard]] std::size_t publish_size(const Publish& packet, Version version);
inline void patch_packet_id(base::Byte* at, PacketId id) {
    at[0] = static_cast<base::Byte>(id >> 8);
    at[1] = static_cast<base::Byte>(id);
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP with reason success: the same four bytes in every version.
[[nodiscard]] constexpr std::array<base::Byte, 4> short_ack(PacketType type, PacketId id) {
    const unsigned flags = type == PacketType::pubrel ? 2U : 0U;
    return {static_cast<base::Byte>(static_cast<unsigned>(type) << 4 | flags), 2, static_cast<base::Byte>(id >> 8),
            static_cast<base::Byte>(id)};
}
/// Over 3.1.1 the reason and properties are not written.
void encode_ack(base::Bytes& out, PacketType type, const Ack& packet, Version version);

void encode_subscribe(base::Bytes& out, PacketId id, std::span<const Subscription> filters, Version version,
                      const Properties& properties = {});
void encode_unsubscribe(base::Bytes& out, PacketId id, std::span<const std::string_view> filters, Version version,
                        const Properties& properties = {});
/// Bytes of a SUBACK with that many codes and no properties; an UNSUBACK is never larger.
[[nodiscard]] std::size_t suback_size(std::size_t codes, Version version);
/// Over 3.1.1 every error becomes 0x80.
void encode_suback(base::Bytes& out, const Suback& packet, Version version);
/// Over 3.1.1 no codes are written.
void encode_unsuback(base::Bytes& out, const Suback& packet, Version version);
void encode_disconnect(base::Bytes& out, const Disconnect& packet, Version version);
/// 5.0 only.
void encode_auth(base::Bytes& out, const Auth& packet);

inline constexpr std::array<base::Byte, 2> kPingreq{0xC0, 0};
inline constexpr std::array<base::Byte, 2> kPingresp{0xD0, 0};

}  // namespace sluice::mqtt

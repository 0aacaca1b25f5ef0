// The few MQTT 3.1.1 packets that a load generator needs, encoded by hand. On purpose not codec/mqtt: the generator judges the gateway, so
// a misreading in our codec must not stand on both sides; packets_test compares the two. Numbers are sections of MQTT 3.1.1.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice::load {

enum class PacketType : std::uint8_t { connack = 2, publish = 3, puback = 4, suback = 9, pingresp = 13 };

inline constexpr std::size_t kTopicBytesMax = 256;

/// CONNECT with a clean session (3.1); keep-alive in seconds. A password needs a user name.
void append_connect(base::Bytes& to, std::string_view client_id, std::uint16_t keep_alive, std::optional<std::string_view> user = {},
                    std::optional<std::string_view> password = {});
/// SUBSCRIBE to one filter (3.8).
void append_subscribe(base::Bytes& to, std::uint16_t packet_id, std::string_view filter, std::uint8_t qos);
void append_puback(base::Bytes& to, std::uint16_t packet_id);
void append_pingreq(base::Bytes& to);
void append_disconnect(base::Bytes& to);

/// PUBLISH (3.3); `packet_id` is written for QoS 1 only. The payload is shorter than 2^21 - 300 bytes.
struct Publication {
    std::string_view topic;
    std::string_view payload;
    std::uint8_t qos = 0;
    std::uint16_t packet_id = 0;
    bool duplicate = false;
};
void append_publish(base::Bytes& to, const Publication& publication);

/// One packet at the beginning of the bytes; nothing while it is incomplete. `size` 0: not MQTT.
struct Incoming {
    std::uint8_t type;   ///< 0 … 15, see PacketType
    std::uint8_t flags;  ///< low four bits of the first byte
    base::ByteView body;
    std::size_t size;  ///< of the whole packet
};
[[nodiscard]] std::optional<Incoming> next_packet(base::ByteView bytes);

/// Packet id of a PUBACK or SUBACK; 0 when the body is too short.
[[nodiscard]] std::uint16_t packet_id_of(const Incoming& packet);

/// The parts of an incoming PUBLISH; nothing when it is malformed. Views into the packet.
[[nodiscard]] std::optional<Publication> read_publish(const Incoming& packet);

}  // namespace sluice::load

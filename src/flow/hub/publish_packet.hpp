// PUBLISH packets towards subscribers. The codec's encoder takes decoded properties; here they are bytes that are passed on untouched, and
// one message is written for many, so this writes from what the hub keeps.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "codec/mqtt/packet.hpp"
#include "flow/hub/message.hpp"

namespace sluice::hub {

struct PublishPacket {
    const Passing& message;
    bool v5 = false;
    std::uint8_t qos = 0;
    bool retain = false;
    bool dup = false;
    mqtt::PacketId packet_id = 0;                  ///< with QoS 1 and 2
    std::span<const std::uint32_t> identifiers{};  ///< subscription identifiers, version 5 only
    std::uint16_t alias = 0;                       ///< topic alias, version 5 only; 0: none
    bool alias_known = false;                      ///< the client has it: the topic is left out
    base::Monotonic now{};                         ///< the message's remaining life is told, in whole seconds rounded up
};

namespace detail {
[[nodiscard]] constexpr std::uint32_t integer_size(std::uint32_t value) {
    return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}
inline base::Byte* put_integer(base::Byte* to, std::uint32_t value) {
    for (; value >= 128; value >>= 7) *to++ = static_cast<base::Byte>(value | 0x80U);
    *to++ = static_cast<base::Byte>(value);
    return to;
}
inline base::Byte* put_u16(base::Byte* to, std::size_t value) {
    *to++ = static_cast<base::Byte>(value >> 8);
    *to++ = static_cast<base::Byte>(value);
    return to;
}
}  // namespace detail

class PublishWriter {
public:
    explicit PublishWriter(const PublishPacket& packet) : packet_(packet) {
        const Passing& message = packet.message;
        std::size_t size = 2 + topic().size() + (packet.qos != 0 ? 2 : 0) + message.payload.size();
        if (packet.v5) {
            std::size_t properties = message.properties.size() + (message.expires != kNever ? 5 : 0) + (packet.alias != 0 ? 3 : 0);
            for (const auto identifier : packet.identifiers) properties += 1 + detail::integer_size(identifier);
            properties_ = static_cast<std::uint32_t>(properties);
            size += detail::integer_size(properties_) + properties;
        }
        remaining_ = static_cast<std::uint32_t>(size);
    }

    /// Of the whole packet.
    [[nodiscard]] std::size_t size() const { return 1 + detail::integer_size(remaining_) + remaining_; }

    void append(base::Bytes& out) const {
        const Passing& message = packet_.message;
        std::array<base::Byte, 16> head;  // at most 1 + 4 + 2, or 2 + 4 + 5 + 3
        base::Byte* at = head.data();
        *at++ =
            static_cast<base::Byte>(0x30U | (packet_.dup ? 8U : 0U) | static_cast<unsigned>(packet_.qos) << 1 | (packet_.retain ? 1U : 0U));
        at = detail::put_integer(at, remaining_);
        at = detail::put_u16(at, topic().size());
        out.insert(out.end(), head.data(), at);
        base::append(out, topic());
        at = head.data();
        if (packet_.qos != 0) at = detail::put_u16(at, packet_.packet_id);
        if (packet_.v5) {
            at = detail::put_integer(at, properties_);
            if (message.expires != kNever) at = put_expiry(at);
            if (packet_.alias != 0) {
                *at++ = static_cast<base::Byte>(mqtt::Property::topic_alias);
                at = detail::put_u16(at, packet_.alias);
            }
        }
        out.insert(out.end(), head.data(), at);
        if (packet_.v5) {
            for (const auto identifier : packet_.identifiers) {
                at = head.data();
                *at++ = static_cast<base::Byte>(mqtt::Property::subscription_identifier);
                at = detail::put_integer(at, identifier);
                out.insert(out.end(), head.data(), at);
            }
            base::append(out, message.properties);
        }
        base::append(out, message.payload);
    }

private:
    [[nodiscard]] std::string_view topic() const { return packet_.alias_known ? std::string_view() : packet_.message.topic; }
    base::Byte* put_expiry(base::Byte* at) const {
        const auto left = std::chrono::ceil<std::chrono::seconds>(packet_.message.expires - packet_.now).count();
        const auto seconds = static_cast<std::uint32_t>(left < 0 ? 0 : left);
        *at++ = static_cast<base::Byte>(mqtt::Property::message_expiry_interval);
        at = detail::put_u16(at, seconds >> 16);
        return detail::put_u16(at, seconds & 0xFFFFU);
    }

    const PublishPacket& packet_;
    std::uint32_t remaining_ = 0;
    std::uint32_t properties_ = 0;
};

}  // namespace sluice::hub

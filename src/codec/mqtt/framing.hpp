// Where the next packet of a byte stream ends (MQTT 5.0 §2.1). Inline: every packet passes here.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.hpp"
#include "codec/mqtt/packet.hpp"

namespace sluice::mqtt {

enum class FrameStatus : std::uint8_t {
    complete,
    incomplete,  ///< show the same bytes again with more behind them
    malformed,   ///< reserved type or flags, QoS 3, a fifth length byte: refuse with malformed_packet
    too_large,   ///< longer than the caller's limit (said before the whole packet is there): refuse with packet_too_large
};

struct Framed {
    FrameStatus status;
    base::Byte first = 0;        ///< type and flags; known unless there were no bytes at all
    base::Byte body_offset = 0;  ///< 2 to 5 when complete
    bool overlong = false;       ///< the length took more bytes than needed: forbidden in 5.0 (§1.5.5), tolerated in 3.1.1
    std::uint32_t total = 0;     ///< bytes of the whole packet when complete

    [[nodiscard]] PacketType type() const { return static_cast<PacketType>(first >> 4); }
    /// The bytes after the fixed header; `in` is what was framed.
    [[nodiscard]] base::ByteView body(base::ByteView in) const { return in.subspan(body_offset, total - body_offset); }
};

/// Greatest packet that the format can express.
inline constexpr std::uint32_t kPacketBytesMax = kVariableIntegerMax + 5;

namespace detail {
/// Which first bytes are allowed: the flags are fixed except for PUBLISH, where QoS 3 is not allowed and DUP needs QoS 1 or 2 (§2.1.3,
/// §3.3.1), and CONNECT, whose flags mean nothing in 3.1: has_legal_flags() judges them when the version is known.
inline constexpr std::array<bool, 256> kFirstByteAllowed = [] {
    std::array<bool, 256> allowed{};
    for (unsigned first = 0; first < 256; ++first) {
        const auto type = static_cast<PacketType>(first >> 4);
        const unsigned flags = first & 0x0FU;
        const unsigned qos = (flags >> 1) & 3U;
        const bool dup = (flags & 8U) != 0;
        if (type == PacketType::will)
            allowed[first] = false;
        else if (type == PacketType::publish)
            allowed[first] = qos != 3 && !(dup && qos == 0);
        else if (type == PacketType::connect)
            allowed[first] = true;
        else if (type == PacketType::pubrel || type == PacketType::subscribe || type == PacketType::unsubscribe)
            allowed[first] = flags == 2;
        else
            allowed[first] = flags == 0;
    }
    return allowed;
}();
}  // namespace detail

/// Is this first byte one with which a packet may begin? If not, frame() says malformed whatever follows.
[[nodiscard]] constexpr bool is_first_byte(base::Byte first) { return detail::kFirstByteAllowed[first]; }

/// Looks at the first packet in `in`. `total_max`: the greatest packet the caller takes.
[[nodiscard]] inline Framed frame(base::ByteView in, std::uint32_t total_max = kPacketBytesMax) {
    if (in.empty()) return {.status = FrameStatus::incomplete};
    const base::Byte first = in[0];
    if (!detail::kFirstByteAllowed[first]) [[unlikely]]
        return {.status = FrameStatus::malformed, .first = first};
    std::uint32_t length = 0;
    for (std::uint32_t i = 1; i <= 4; ++i) {
        if (i >= in.size()) [[unlikely]]
            return {.status = FrameStatus::incomplete, .first = first};
        const base::Byte piece = in[i];
        length |= (piece & 0x7FU) << (7 * (i - 1));
        if ((piece & 0x80U) == 0) {
            const std::uint32_t total = i + 1 + length;
            const bool overlong = piece == 0 && i > 1;
            const auto status = total > total_max    ? FrameStatus::too_large
                                : total <= in.size() ? FrameStatus::complete
                                                     : FrameStatus::incomplete;
            return {.status = status, .first = first, .body_offset = static_cast<base::Byte>(i + 1), .overlong = overlong, .total = total};
        }
    }
    return {.status = FrameStatus::malformed, .first = first};
}

}  // namespace sluice::mqtt

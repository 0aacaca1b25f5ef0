// Headers of WebSocket frames (RFC 6455 §5.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"

namespace sluice::websocket {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// RFC 6455 §7.4.1; those that are sent here.
enum class CloseCode : std::uint16_t { normal = 1000, protocol_error = 1002, unsupported_data = 1003, invalid_text = 1007, too_big = 1009 };

inline constexpr std::size_t kFrameHeaderBytesMax = 14;
inline constexpr std::size_t kControlBytesMax = 125;  // §5.5
/// Payload goes up as it comes and is bounded by MQTT's own limits; a longer frame than any MQTT packet could need is an error or an
/// attack.
inline constexpr std::uint64_t kFrameBytesMax = std::uint64_t{256} * 1024 * 1024 + 5;

/// Whose frames: a client masks what it sends, a server must not (§5.1).
enum class Side : std::uint8_t { client, server };

struct FrameHeader {
    bool last = true;  ///< FIN
    Opcode opcode = Opcode::binary;
    std::array<base::Byte, 4> mask{};  ///< of a server's: zeroes
    std::uint64_t length = 0;
    [[nodiscard]] bool is_control() const { return (static_cast<std::uint8_t>(opcode) & 8U) != 0; }
};

enum class HeaderStatus : std::uint8_t { complete, incomplete, protocol_error, too_big };

struct ParsedHeader {
    HeaderStatus status;
    std::size_t size = 0;  ///< when complete
    FrameHeader header{};
};

/// The header of a frame of this side at the beginning of `in`: without extensions, its length written as short as can be.
[[nodiscard]] ParsedHeader parse_header(base::ByteView in, Side sender);

/// Appends the header of a final frame; `mask` is what a client's has.
void append_header(base::Bytes& to, Opcode opcode, std::uint64_t length, const std::array<base::Byte, 4>* mask = nullptr);

/// Masks or unmasks; `at`: how many bytes of the payload came before.
void unmask(base::Byte* bytes, std::size_t count, const std::array<base::Byte, 4>& mask, std::uint64_t at);

}  // namespace sluice::websocket

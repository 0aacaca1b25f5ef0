// What a client sends, for tests.
#pragma once

#include <string>

namespace sluice::websocket {

/// A masked frame. `first`: FIN, RSV and opcode as they stand in the first byte.
inline std::string client_frame(unsigned char first, const std::string& payload) {
    const std::string mask("\x37\xfa\x21\x3d", 4);
    std::string out(1, static_cast<char>(first));
    if (payload.size() < 126) {
        out += static_cast<char>(0x80U | payload.size());
    } else if (payload.size() <= 0xFFFF) {
        out += static_cast<char>(0x80U | 126U);
        out += static_cast<char>(payload.size() >> 8);
        out += static_cast<char>(payload.size() & 0xFFU);
    } else {
        out += static_cast<char>(0x80U | 127U);
        for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift & 0xFFU);
    }
    out += mask;
    for (std::size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
    return out;
}

inline const std::string kRequest =
    "GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, mqtt\r\n\r\n";

}  // namespace sluice::websocket

// Where the other end of a connection is.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace sluice::posix {

/// Text is made only when asked for.
struct PeerAddress {
    std::array<std::uint8_t, 16> ip{};
    std::uint16_t port = 0;
    bool v6 = false;
    bool unix_socket = false;  ///< no address at all: on this machine
    /// Told by a proxy that is not on this machine, or not told: whatever `ip` says, nothing may be concluded from it.
    bool hearsay = false;
    [[nodiscard]] bool loopback() const;     ///< surely on this machine
    [[nodiscard]] std::string text() const;  ///< "127.0.0.1:40112", "[::1]:40112", "unix socket"
};

}  // namespace sluice::posix

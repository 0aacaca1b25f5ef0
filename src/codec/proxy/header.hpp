// PROXY protocol version 2: what a proxy says before the bytes of the client it speaks for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice::proxy {

enum class Family : std::uint8_t {
    unspecified,  ///< the proxy does not say who it is
    v4,
    v6,
    unix_socket,  ///< a client on the proxy's own machine
};

struct Header {
    bool local = false;  ///< LOCAL: the proxy speaks for itself (a health check); the addresses mean nothing
    Family family = Family::unspecified;
    std::array<base::Byte, 16> ip{};  ///< of the client; the first 4 for v4
    std::uint16_t port = 0;
};

enum class ParseStatus : std::uint8_t { complete, incomplete, malformed };

struct Parsed {
    ParseStatus status;
    std::size_t size = 0;        ///< of the header, when complete: the client's bytes begin behind it
    std::string_view problem{};  ///< when malformed
    Header header{};
};

/// Longer headers are refused: addresses take at most 216 bytes, and the extra fields that proxies send (TLS, AWS, Azure) well under 1 KiB.
inline constexpr std::size_t kHeaderBytesMax = 4096;

/// The first bytes of a connection. Decides as soon as it can: `incomplete` only while what is there could still become a header.
[[nodiscard]] Parsed parse(base::ByteView in);

}  // namespace sluice::proxy

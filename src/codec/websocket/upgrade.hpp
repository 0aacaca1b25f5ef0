// The HTTP/1.1 request with which a WebSocket begins, and the answer to it: both sides (RFC 6455 §4.1 and §4.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace sluice::websocket {

/// A request with a longer head is refused (431), an answer given up. Browsers with many cookies send up to a few KiB.
inline constexpr std::size_t kHeadBytesMax = 8192;

/// Which pages may connect, when the client is a browser (it then says the page's origin, and cannot lie about it).
struct OriginPolicy {
    /// `https://dash.example.com`, with a port if it is not the scheme's; `null` for pages from files; `*` for all. Empty: the rule of
    /// origin_allowed().
    std::vector<std::string> origins{};
    /// The server proves its name with a certificate, so a page cannot reach it under a name of its own.
    bool name_is_proved = false;
};

/// Without a list: pages of the same host (whatever their port), if that host is an address or `localhost`, or its name is proved. A name
/// alone is no proof: the page's owner can let their own name point here (DNS rebinding), and Origin and Host agree.
[[nodiscard]] bool origin_allowed(std::string_view origin, std::string_view host, const OriginPolicy& policy);

enum class UpgradeStatus : std::uint8_t {
    incomplete,  ///< show the same bytes again with more behind them
    accepted,
    refused,
};

struct Upgrade {
    UpgradeStatus status;
    std::size_t size = 0;        ///< of the request's head when accepted: frames begin behind it
    std::string answer{};        ///< to be sent; after a refusal the connection is closed
    std::string_view problem{};  ///< of a refusal, for the log
};

/// Judges what a connection begins with. Accepts the subprotocols `mqtt` and `mqttv3.1`, on any path.
[[nodiscard]] Upgrade upgrade(base::ByteView in, const OriginPolicy& policy);

/// Sec-WebSocket-Accept for a Sec-WebSocket-Key (§4.2.2).
[[nodiscard]] std::string accept_key(std::string_view key);

inline constexpr std::size_t kNonceBytes = 16;
/// Sec-WebSocket-Key from random bytes.
[[nodiscard]] std::string request_key(std::span<const base::Byte, kNonceBytes> nonce);

/// A client's request for the subprotocol `mqtt`. The arguments hold no white space or control characters.
[[nodiscard]] std::string request(std::string_view authority, std::string_view path, std::string_view key);

struct Answer {
    UpgradeStatus status;
    std::size_t size = 0;   ///< of the answer's head when accepted: frames begin behind it
    std::string problem{};  ///< of a refusal: printable
};

/// Judges what a server answers to a request with this key.
[[nodiscard]] Answer judge_answer(base::ByteView in, std::string_view key);

}  // namespace sluice::websocket

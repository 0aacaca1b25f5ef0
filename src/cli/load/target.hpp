// Where an MQTT server is, as an address names it, and the way to it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "env/posix/tcp.hpp"
#include "env/posix/tls_client.hpp"

namespace sluice::load {

struct Target {
    enum class Scheme : std::uint8_t { mqtt, mqtts, ws, wss, unix_socket };
    std::string host;  ///< of a Unix socket: its path
    std::uint16_t port = 1883;
    Scheme scheme = Scheme::mqtt;
    std::string path{};  ///< of a WebSocket
    [[nodiscard]] bool is_tls() const { return scheme == Scheme::mqtts || scheme == Scheme::wss; }
    [[nodiscard]] bool is_web() const { return scheme == Scheme::ws || scheme == Scheme::wss; }
    /// As one can give it again.
    [[nodiscard]] std::string text() const;
    friend bool operator==(const Target&, const Target&) = default;
};

/// What parse_target() takes, for messages and help.
inline constexpr std::string_view kTargetForms =
    "mqtt://HOST:PORT, mqtts://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH or unix:///PATH, a port being 1 to 65535";

/// `mqtt://HOST`, `mqtt://HOST:PORT`, `mqtt://[IPV6]:PORT`; the scheme may be left out. `tcp://` is mqtt, `tls://` is mqtts, as listeners
/// are called. Ports if none is given: 1883, 8883, 80, 443; path: /mqtt. Errors: invalid; unsupported (another scheme).
[[nodiscard]] base::Result<Target> parse_target(std::string_view url);

/// A target and all that it takes to get through to it. Copies share the TLS session.
struct Endpoint {
    Target target{.host = "127.0.0.1"};
    std::shared_ptr<posix::TlsClient> tls{};  ///< for mqtts and wss
    std::optional<std::string> user{};
    std::optional<std::string> password{};

    /// Starts a connection; see TcpConnections::connect. Errors: as there; limit (no memory for its TLS).
    [[nodiscard]] base::Result<posix::TcpId> connect(posix::TcpConnections& connections) const;
};

/// "nothing listens at mqtt://127.0.0.1:1883: is the gateway running?": for people, from the failure of a connection. `layer`: what its TLS
/// or WebSocket said, if anything.
[[nodiscard]] std::string explain_failure(const base::Error& failure, const Target& target, std::string_view layer = {});

}  // namespace sluice::load

// Addresses to listen on and to connect to, shared by gateway and cloud.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manage/config/located_text.hpp"

namespace sluice::config {

enum class Scheme : std::uint8_t { tcp, tls, ws, wss, unix_socket };
[[nodiscard]] std::string_view name(Scheme scheme);

/// What of a client's certificate is its name.
enum class CertificateName : std::uint8_t { cn, san };

/// One entry of `listen.mqtt[].sni`: a certificate for clients that ask for a name.
struct NamedCertificate {
    std::string name;  ///< lower case; `*.` stands for one label
    Path cert;
    Path key;
    friend bool operator==(const NamedCertificate&, const NamedCertificate&) = default;
};

/// One entry of `listen.mqtt`.
struct MqttListener {
    Scheme scheme = Scheme::tcp;
    std::string host;        ///< an IP address or `localhost`; without brackets for IPv6; empty for unix sockets
    std::uint16_t port = 0;  ///< 0: any free port (the daemon logs which)
    std::string socket;      ///< path of a unix socket, resolved
    std::string url;         ///< as written
    Path cert;               ///< PEM chain; tls and wss only
    Path key;
    Path ca;  ///< of clients
    bool require_client_cert = false;
    Path crl;  ///< revoked ones of `ca`
    std::vector<NamedCertificate> sni;
    CertificateName identity = CertificateName::cn;
    bool proxy_protocol = false;       ///< each connection begins with a PROXY header, version 2
    std::vector<std::string> origins;  ///< ws and wss: pages that may connect; empty: those of the same host
    unsigned mode = 0660;              ///< of a Unix socket
    Place at;                          ///< of the url: report "port in use" there
    [[nodiscard]] bool is_tls() const { return scheme == Scheme::tls || scheme == Scheme::wss; }
    [[nodiscard]] bool is_web() const { return scheme == Scheme::ws || scheme == Scheme::wss; }
    [[nodiscard]] bool is_local() const;     ///< loopback address or unix socket, and no proxy that speaks for others
    [[nodiscard]] std::string text() const;  ///< `tcp://127.0.0.1:1883`
    friend bool operator==(const MqttListener&, const MqttListener&) = default;
};

/// `listen.http`: `HOST:PORT`, plain HTTP.
struct HttpListener {
    std::string host;
    std::uint16_t port = 0;
    Place at;
    [[nodiscard]] bool is_local() const;
    friend bool operator==(const HttpListener&, const HttpListener&) = default;
};

struct Listen {
    std::vector<MqttListener> mqtt;
    std::optional<HttpListener> http;
    friend bool operator==(const Listen&, const Listen&) = default;
};

enum class LogLevel : std::uint8_t { debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };
struct Log {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
    friend bool operator==(const Log&, const Log&) = default;
};

/// Is this the name or address of the machine itself: `localhost`, 127.0.0.0/8, ::1?
[[nodiscard]] bool is_loopback(std::string_view host);

struct HostPort {
    std::string host;        ///< without brackets
    std::uint16_t port = 0;  ///< 0: not given
    bool has_port = false;
    friend bool operator==(const HostPort&, const HostPort&) = default;
};

/// A URL's parts. Not for general use: scheme, host and port only.
struct Url {
    std::string scheme;      ///< lower case
    std::string host;        ///< without brackets
    std::uint16_t port = 0;  ///< 0: not given
    bool has_port = false;
    std::string path;              ///< from the first `/` behind the authority (or all of it behind `scheme://` for unix)
    std::vector<HostPort> others;  ///< of kafka:// and kafkas://, which name several brokers: `kafka://a:9092,b:9092`
    friend bool operator==(const Url&, const Url&) = default;
};

/// nullopt where it is not `scheme://host[:port][/path]` with a port of 0 to 65,535; user names in URLs are refused.
[[nodiscard]] std::optional<Url> parse_url(std::string_view text);

/// Of a kafka:// or kafkas:// URL with several brokers the first that is not HOST[:PORT]; else empty.
[[nodiscard]] std::string_view bad_broker(std::string_view text);

/// It ends in a number behind a colon that is too large for a port: to say so when the two above and below refuse it.
[[nodiscard]] bool has_impossible_port(std::string_view text);

/// `HOST:PORT`, `[IPv6]:PORT`.
[[nodiscard]] std::optional<HttpListener> parse_host_port(std::string_view text);

}  // namespace sluice::config

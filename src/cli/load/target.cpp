#include "cli/load/target.hpp"

#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.hpp"
#include "cli/load/websocket_layer.hpp"

namespace sluice::load {
namespace {

using Scheme = Target::Scheme;

struct SchemeRow {
    std::string_view name;
    Scheme scheme;
    std::uint16_t port;
};
/// The first row of each scheme has the name that we show.
constexpr std::array kSchemes{
    SchemeRow{"mqtt", Scheme::mqtt, 1883},     SchemeRow{"tcp", Scheme::mqtt, 1883}, SchemeRow{"mqtts", Scheme::mqtts, 8883},
    SchemeRow{"tls", Scheme::mqtts, 8883},     SchemeRow{"ws", Scheme::ws, 80},      SchemeRow{"wss", Scheme::wss, 443},
    SchemeRow{"unix", Scheme::unix_socket, 0},
};
constexpr std::string_view kPath = "/mqtt";

bool parse_port(std::string_view text, std::uint16_t& port) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
    return read.ec == std::errc{} && read.ptr == text.data() + text.size() && port != 0;
}

/// No white space, no control characters: it becomes part of an HTTP request.
bool is_path(std::string_view text) {
    for (const char each : text) {
        if (each <= ' ' || each == 0x7F) return false;
    }
    return true;
}

}  // namespace

std::string Target::text() const {
    if (scheme == Scheme::unix_socket) return "unix://" + host;
    std::string_view name;
    for (const auto& row : kSchemes) {
        if (row.scheme == scheme && name.empty()) name = row.name;
    }
    const bool v6 = host.find(':') != std::string::npos;
    return fmt::format("{}://{}{}{}:{}{}", name, v6 ? "[" : "", host, v6 ? "]" : "", port, path);
}

base::Result<Target> parse_target(std::string_view url) {
    Target target{.host = {}};
    if (const auto scheme = url.find("://"); scheme != std::string_view::npos) {
        const SchemeRow* found = nullptr;
        for (const auto& row : kSchemes) {
            if (row.name == url.substr(0, scheme)) found = &row;
        }
        if (found == nullptr) return base::Error{base::Errc::unsupported};
        target.scheme = found->scheme;
        target.port = found->port;
        url.remove_prefix(scheme + 3);
    }
    if (target.scheme == Scheme::unix_socket) {
        if (url.empty()) return base::Error{base::Errc::invalid};
        target.host = url;
        return target;
    }
    if (const auto slash = url.find('/'); slash != std::string_view::npos) {
        if (slash + 1 != url.size()) target.path = url.substr(slash);
        url = url.substr(0, slash);
    }
    if (target.is_web() && target.path.empty()) target.path = kPath;
    if (target.is_web() ? !is_path(target.path) : !target.path.empty()) return base::Error{base::Errc::invalid};
    std::string_view port;
    if (!url.empty() && url.front() == '[') {
        const auto close = url.find(']');
        if (close == std::string_view::npos) return base::Error{base::Errc::invalid};
        target.host = url.substr(1, close - 1);
        port = url.substr(close + 1);
    } else {
        const auto colon = url.find(':');
        target.host = url.substr(0, colon);
        port = colon == std::string_view::npos ? std::string_view{} : url.substr(colon);
    }
    if (target.host.empty() || !is_path(target.host) || target.host.find_first_of("@?#") != std::string::npos) {
        return base::Error{base::Errc::invalid};
    }
    if (!port.empty() && (port.front() != ':' || !parse_port(port.substr(1), target.port))) return base::Error{base::Errc::invalid};
    return target;
}

base::Result<posix::TcpId> Endpoint::connect(posix::TcpConnections& connections) const {
    std::vector<std::unique_ptr<posix::StreamLayer>> layers;
    if (target.is_tls()) {
        base::check(tls != nullptr, "endpoint: an address with TLS, but none was made");
        layers.push_back(tls->connect());
        if (layers.back() == nullptr) return base::Error{base::Errc::limit};
    }
    if (target.is_web()) layers.push_back(make_websocket_layer(target.host, target.port, target.path));
    auto stack = layers.empty() ? nullptr : std::make_unique<posix::LayerStack>(std::move(layers));
    if (target.scheme == Scheme::unix_socket) return connections.connect_unix(target.host, std::move(stack));
    return connections.connect(target.host, target.port, std::move(stack));
}

std::string explain_failure(const base::Error& failure, const Target& target, std::string_view layer) {
    const std::string at = target.text();
    if (!layer.empty()) {
        const bool stranger = layer.find("issuer") != std::string_view::npos || layer.find("self-signed") != std::string_view::npos;
        return fmt::format("{}: {}{}", at, layer, stranger ? "; --ca names who signs its certificate" : "");
    }
    switch (failure.code) {
        case base::Errc::refused:
            return fmt::format("nothing listens at {}: is the gateway running, and is that its {}?", at,
                               target.scheme == Scheme::unix_socket ? "socket" : "port");
        case base::Errc::not_found:
            return fmt::format("{}: no such {}", at, target.scheme == Scheme::unix_socket ? "socket" : "host");
        case base::Errc::denied:
            return fmt::format("{} does not let us in: it wants credentials, or its limit of connections is reached", at);
        case base::Errc::closed:
            return fmt::format("{} closed the connection: is that an MQTT port{}, and is its limit of connections high enough?", at,
                               target.is_tls()   ? " with TLS"
                               : target.is_web() ? " for WebSocket"
                                                 : "");
        default:
            return fmt::format("{}: {}", at, base::describe(failure));
    }
}

}  // namespace sluice::load

#include "manage/config/listen.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "manage/config/scalar.hpp"

namespace sluice::config {
namespace {

bool is_host(std::string_view host) {
    return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':';
    });
}

std::optional<HostPort> split_host_port(std::string_view text) {
    HostPort out;
    std::string_view rest;
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return std::nullopt;
        out.host = text.substr(1, end - 1);
        if (out.host.find(':') == std::string::npos) return std::nullopt;
        rest = text.substr(end + 1);
    } else {
        const std::size_t colon = std::min(text.find(':'), text.size());
        out.host = text.substr(0, colon);
        rest = text.substr(colon);
        if (rest.size() > 1 && rest.find(':', 1) != std::string_view::npos) return std::nullopt;  // IPv6 needs brackets
    }
    if (!is_host(out.host)) return std::nullopt;
    if (rest.empty()) return out;
    const auto port = rest.size() <= 6 && rest.front() == ':' ? parse_integer(rest.substr(1)) : std::nullopt;
    if (!port || *port > 65'535) return std::nullopt;
    out.port = static_cast<std::uint16_t>(*port);
    out.has_port = true;
    return out;
}

}  // namespace

std::string_view name(Scheme scheme) {
    switch (scheme) {
        case Scheme::tcp:
            return "tcp";
        case Scheme::tls:
            return "tls";
        case Scheme::ws:
            return "ws";
        case Scheme::wss:
            return "wss";
        case Scheme::unix_socket:
            return "unix";
    }
    return "tcp";
}

bool MqttListener::is_local() const { return !proxy_protocol && (scheme == Scheme::unix_socket || is_loopback(host)); }

std::string MqttListener::text() const {
    if (scheme == Scheme::unix_socket) return fmt::format("unix://{}", socket);
    if (host.find(':') != std::string::npos) return fmt::format("{}://[{}]:{}", name(scheme), host, port);
    return fmt::format("{}://{}:{}", name(scheme), host, port);
}

bool HttpListener::is_local() const { return is_loopback(host); }

bool is_loopback(std::string_view host) {
    if (host == "localhost" || host == "::1") return true;
    // 127.0.0.0/8, all four numbers written: short forms such as `127.1` are not taken for an address.
    unsigned parts = 0;
    for (std::string_view rest = host;;) {
        const std::size_t end = std::min(rest.find('.'), rest.size());
        const auto number = parse_integer(rest.substr(0, end));
        if (!number || *number > 255 || (parts == 0 && *number != 127)) return false;
        ++parts;
        if (end == rest.size()) return parts == 4;
        rest.remove_prefix(end + 1);
    }
}

std::optional<Url> parse_url(std::string_view text) {
    const std::size_t colon = text.find("://");
    if (colon == std::string_view::npos || colon == 0) return std::nullopt;
    Url url;
    for (const char c : text.substr(0, colon)) {
        const bool upper = c >= 'A' && c <= 'Z';
        if (!upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) return std::nullopt;
        url.scheme += upper ? static_cast<char>(c - 'A' + 'a') : c;
    }
    text.remove_prefix(colon + 3);
    if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == '@'; }))
        return std::nullopt;
    if (url.scheme == "unix" || url.scheme == "file") {
        if (text.empty()) return std::nullopt;
        url.path = text;
        return url;
    }
    const std::size_t slash = std::min(text.find('/'), text.size());
    std::string_view hosts = text.substr(0, slash);
    if (url.scheme == "kafka" || url.scheme == "kafkas") {
        for (std::size_t comma = 0; (comma = hosts.rfind(',')) != std::string_view::npos; hosts = hosts.substr(0, comma)) {
            auto other = split_host_port(hosts.substr(comma + 1));
            if (!other) return std::nullopt;
            url.others.insert(url.others.begin(), std::move(*other));
        }
    }
    auto authority = split_host_port(hosts);
    if (!authority) return std::nullopt;
    url.host = std::move(authority->host);
    url.port = authority->port;
    url.has_port = authority->has_port;
    url.path = text.substr(slash);
    return url;
}

std::string_view bad_broker(std::string_view text) {
    if (!text.starts_with("kafka://") && !text.starts_with("kafkas://")) return {};
    text.remove_prefix(text.find("://") + 3);
    text = text.substr(0, text.find('/'));
    if (text.find(',') == std::string_view::npos) return {};
    for (;;) {
        const std::size_t comma = std::min(text.find(','), text.size());
        const std::string_view one = text.substr(0, comma);
        if (!split_host_port(one)) return one.empty() ? std::string_view(",") : one;
        if (comma == text.size()) return {};
        text.remove_prefix(comma + 1);
    }
}

bool has_impossible_port(std::string_view text) {
    if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) text.remove_prefix(scheme + 3);
    text = text.substr(0, text.find('/'));
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == text.size()) return false;
    std::string_view digits = text.substr(colon + 1);
    if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    return digits.size() > 5 || (digits.size() == 5 && digits > "65535");
}

std::optional<HttpListener> parse_host_port(std::string_view text) {
    auto split = split_host_port(text);
    if (!split || !split->has_port) return std::nullopt;
    return HttpListener{std::move(split->host), split->port, {}};
}

}  // namespace sluice::config

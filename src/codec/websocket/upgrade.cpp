#include "codec/websocket/upgrade.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <openssl/evp.h>
#include <openssl/sha.h>

namespace sluice::websocket {
namespace {

constexpr std::array<std::string_view, 2> kProtocols{"mqtt", "mqttv3.1"};
constexpr std::size_t kKeyLength = 24;  // 16 bytes in Base64

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

/// RFC 9110 §5.6.2.
bool is_token(std::string_view text) {
    static constexpr std::string_view kAlso = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || kAlso.find(c) != std::string_view::npos;
    });
}

/// Elements of a comma-separated list until `wants` says yes.
template <class Wants>
bool any_element(std::string_view list, Wants wants) {
    while (true) {
        const std::size_t comma = std::min(list.find(','), list.size());
        if (wants(trimmed(list.substr(0, comma)))) return true;
        if (comma == list.size()) return false;
        list.remove_prefix(comma + 1);
    }
}

/// What of the head matters here. Lists may come in several lines, the others only once.
struct Head {
    std::optional<std::string_view> host, key, version, origin, accept;
    bool upgrades = false;    // Upgrade: websocket
    bool connection = false;  // Connection: upgrade
    bool has_body = false;
    bool names_protocols = false;
    std::string_view protocol{};  // the first of ours that the peer names
    std::string_view problem{};
};

void take_once(std::optional<std::string_view>& into, std::string_view value, Head& head) {
    if (into) head.problem = "a header field that may come only once came twice";
    into = value;
}

void take_field(std::string_view name, std::string_view value, Head& head) {
    if (same(name, "host")) return take_once(head.host, value, head);
    if (same(name, "origin")) return take_once(head.origin, value, head);
    if (same(name, "sec-websocket-key")) return take_once(head.key, value, head);
    if (same(name, "sec-websocket-accept")) return take_once(head.accept, value, head);
    if (same(name, "sec-websocket-version")) return take_once(head.version, value, head);
    if (same(name, "upgrade")) {
        head.upgrades = head.upgrades || any_element(value, [](std::string_view each) { return same(each, "websocket"); });
    } else if (same(name, "connection")) {
        head.connection = head.connection || any_element(value, [](std::string_view each) { return same(each, "upgrade"); });
    } else if (same(name, "sec-websocket-protocol") && head.protocol.empty()) {
        head.names_protocols = true;
        any_element(value, [&head](std::string_view each) {
            const auto found = std::find(kProtocols.begin(), kProtocols.end(), each);
            if (found == kProtocols.end()) return false;
            head.protocol = *found;
            return true;
        });
    } else if (same(name, "transfer-encoding") || (same(name, "content-length") && value != "0")) {
        head.has_body = true;
    }
}

/// `head`: all lines behind the first, each with its line end.
Head read_fields(std::string_view lines) {
    Head head;
    while (!lines.empty() && head.problem.empty()) {
        const std::size_t end = lines.find("\r\n");
        const std::string_view line = lines.substr(0, end);
        lines.remove_prefix(end + 2);
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
            head.problem = "a header line is not `name: value`";  // also one that continues the last, which RFC 9112 §5.2 forbids
            break;
        }
        take_field(line.substr(0, colon), trimmed(line.substr(colon + 1)), head);
    }
    return head;
}

Upgrade refuse(std::string_view status, std::string_view problem, std::string_view more = {}) {
    Upgrade out{.status = UpgradeStatus::refused, .problem = problem};
    out.answer = "HTTP/1.1 ";
    out.answer += status;
    out.answer += "\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " + std::to_string(problem.size() + 1) + "\r\n";
    out.answer += more;
    out.answer += "\r\n";
    out.answer += problem;
    out.answer += '\n';
    return out;
}

constexpr std::string_view kBad = "400 Bad Request";

bool is_base64_key(std::string_view key) {
    return key.size() == kKeyLength && key.ends_with("==") && std::all_of(key.begin(), key.end() - 2, [](char c) {
               return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '+' || c == '/';
           });
}

/// Of `host:port` or `[v6]:port`.
std::string_view host_of(std::string_view authority) {
    if (authority.starts_with('[')) return authority.substr(0, std::min(authority.find(']'), authority.size() - 1) + 1);
    return authority.substr(0, std::min(authority.find(':'), authority.size()));
}

/// What no page can have as its own name in the DNS.
bool is_address(std::string_view host) {
    if (same(host, "localhost")) return true;
    if (host.starts_with('[')) return host.ends_with(']');
    // A name's last label is never all digits (RFC 3696 §2), and browsers take every host that ends so for an address.
    const std::size_t dot = host.find_last_of('.');
    return !host.empty() && dot != std::string_view::npos && dot + 1 < host.size() &&
           std::all_of(host.begin(), host.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

}  // namespace

bool origin_allowed(std::string_view origin, std::string_view host, const OriginPolicy& policy) {
    if (!policy.origins.empty()) {
        return std::any_of(policy.origins.begin(), policy.origins.end(),
                           [origin](const std::string& each) { return each == "*" || same(each, origin); });
    }
    const std::size_t scheme = origin.find("://");
    if (scheme == std::string_view::npos) return false;
    const std::string_view page = host_of(origin.substr(scheme + 3));
    return !page.empty() && same(page, host_of(host)) && (policy.name_is_proved || is_address(page));
}

std::string accept_key(std::string_view key) {
    std::string text(key);
    text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 §1.3
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
    std::array<unsigned char, 32> out{};
    const int size = EVP_EncodeBlock(out.data(), digest.data(), SHA_DIGEST_LENGTH);
    return {reinterpret_cast<const char*>(out.data()), static_cast<std::size_t>(size)};
}

Upgrade upgrade(base::ByteView in, const OriginPolicy& policy) {
    const std::string_view text = base::as_text(in);
    // A client of another protocol shows itself by its first byte; it is not worth waiting for the rest.
    if (!text.empty() && !(text[0] >= 'A' && text[0] <= 'Z')) return refuse(kBad, "not an HTTP request");
    const std::size_t end = text.substr(0, kHeadBytesMax).find("\r\n\r\n");
    if (end == std::string_view::npos) {
        if (text.size() >= kHeadBytesMax) return refuse("431 Request Header Fields Too Large", "the request is longer than 8192 bytes");
        return {.status = UpgradeStatus::incomplete};
    }
    const std::size_t line_end = text.find("\r\n");
    const std::string_view line = text.substr(0, line_end);
    const std::size_t target = line.find(' ');
    const std::size_t version = target == std::string_view::npos ? target : line.find(' ', target + 1);
    if (version == std::string_view::npos || version == target + 1 || line.substr(version + 1) != "HTTP/1.1") {
        return refuse(kBad, "not a request of HTTP/1.1");
    }
    const std::size_t fields = line_end + 2;
    const Head head = read_fields(fields >= end + 2 ? std::string_view() : text.substr(fields, end + 2 - fields));
    if (!head.problem.empty()) return refuse(kBad, head.problem);
    if (line.substr(0, target) != "GET" || head.has_body)
        return refuse(kBad, "this port speaks MQTT over WebSocket: expected GET without a body");
    if (!head.host || head.host->empty()) return refuse(kBad, "the header field Host is missing");
    if (!head.upgrades || !head.connection) {
        return refuse("426 Upgrade Required", "this port speaks MQTT over WebSocket, subprotocol mqtt",
                      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    }
    if (head.version != "13") return refuse("426 Upgrade Required", "the WebSocket version must be 13", "Sec-WebSocket-Version: 13\r\n");
    if (!head.key || !is_base64_key(*head.key)) return refuse(kBad, "Sec-WebSocket-Key must be 16 bytes in Base64");
    if (head.origin && !origin_allowed(*head.origin, *head.host, policy)) {
        return refuse("403 Forbidden", "pages of this origin may not connect: see `origins` of the listener");
    }
    if (head.protocol.empty()) return refuse(kBad, "the subprotocol mqtt must be offered");
    Upgrade out{.status = UpgradeStatus::accepted, .size = end + 4};
    out.answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";
    out.answer += accept_key(*head.key);
    out.answer += "\r\nSec-WebSocket-Protocol: ";
    out.answer += head.protocol;
    out.answer += "\r\n\r\n";
    return out;
}

std::string request_key(std::span<const base::Byte, kNonceBytes> nonce) {
    std::array<unsigned char, 32> out{};
    const int size = EVP_EncodeBlock(out.data(), nonce.data(), static_cast<int>(nonce.size()));
    return {reinterpret_cast<const char*>(out.data()), static_cast<std::size_t>(size)};
}

std::string request(std::string_view authority, std::string_view path, std::string_view key) {
    std::string out = "GET ";
    out += path;
    out += " HTTP/1.1\r\nHost: ";
    out += authority;
    out +=
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: ";
    out += key;
    out += "\r\n\r\n";
    return out;
}

Answer judge_answer(base::ByteView in, std::string_view key) {
    const auto refuse_because = [](std::string problem) { return Answer{.status = UpgradeStatus::refused, .problem = std::move(problem)}; };
    static constexpr std::string_view kVersion = "HTTP/1.1 ";
    static constexpr std::size_t kStatusDigits = 3;
    const std::string_view text = base::as_text(in);
    if (text.substr(0, kVersion.size()) != kVersion.substr(0, text.size())) return refuse_because("not a WebSocket server: no HTTP/1.1");
    const std::size_t end = text.substr(0, kHeadBytesMax).find("\r\n\r\n");
    if (end == std::string_view::npos) {
        if (text.size() >= kHeadBytesMax) return refuse_because("the answer to the WebSocket request is longer than 8192 bytes");
        return {.status = UpgradeStatus::incomplete};
    }
    const std::string_view status = text.substr(kVersion.size(), kStatusDigits);
    if (!std::all_of(status.begin(), status.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return refuse_because("not a WebSocket server: no HTTP/1.1");
    }
    if (status != "101") return refuse_because("the WebSocket request was answered with HTTP status " + std::string(status));
    const std::size_t fields = text.find("\r\n") + 2;
    const Head head = read_fields(fields >= end + 2 ? std::string_view() : text.substr(fields, end + 2 - fields));
    if (!head.problem.empty()) return refuse_because(std::string(head.problem));
    if (!head.upgrades || !head.connection || head.accept != accept_key(key))
        return refuse_because("not a WebSocket server: a wrong answer");
    if (head.names_protocols && head.protocol != "mqtt") return refuse_because("a WebSocket server for something other than mqtt");
    return {.status = UpgradeStatus::accepted, .size = end + 4};
}

}  // namespace sluice::websocket

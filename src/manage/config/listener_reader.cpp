// Keys of a listener: certificates, names, proxies, origins, permissions.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "manage/config/reader.hpp"

namespace sluice::config {
namespace {

constexpr std::size_t kSocketPathMax = 107;  // sun_path of sockaddr_un has 108 bytes, with the end

/// Reports a key that has no meaning for this kind of listener.
void only_for(bool right, std::string_view name, std::string_view kinds, const View& view, const std::string& key, Problems& problems) {
    const View at = view.at(name);
    if (right || !at.present()) return;
    add_error(problems, at.key_position(), fmt::format("{}.{}", key, name), fmt::format("`{}` belongs to {} listeners only", name, kinds));
}

/// Reports a key that needs `ca`.
void needs_ca(bool there, std::string_view name, const MqttListener& listener, const View& view, const std::string& key,
              Problems& problems) {
    if (!there || !listener.is_tls() || !listener.ca.empty()) return;
    add_error(problems, view.at(name).key_position(), key + ".ca",
              fmt::format("`{}` needs `ca`: the certificates that sign the clients'", name));
}

/// `plant.example.com`, or `*.example.com`.
bool is_server_name(std::string_view name) {
    if (name.starts_with("*.")) name.remove_prefix(2);
    return !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    });
}

void read_sni(const View& view, const std::string& key, std::vector<NamedCertificate>& out, Problems& problems) {
    const std::vector<View> entries = view.items();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const View& entry = entries[i];
        NamedCertificate named;
        named.name = entry.at("name").text();
        std::transform(named.name.begin(), named.name.end(), named.name.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        named.cert = entry.at("cert").path();
        named.key = entry.at("key").path();
        const std::string name_key = fmt::format("{}[{}].name", key, i);
        if (!named.name.empty() && !is_server_name(named.name)) {
            add_error(problems, entry.at("name").position(), name_key,
                      fmt::format("name: expected a host name such as plant.example.com or *.example.com, found `{}`",
                                  shortened(named.name, 60)));
        }
        if (std::any_of(out.begin(), out.end(), [&](const NamedCertificate& other) { return other.name == named.name; })) {
            add_error(problems, entry.at("name").position(), name_key, fmt::format("duplicate name `{}`", named.name));
        }
        out.push_back(std::move(named));
    }
}

/// `https://dash.example.com[:port]`, `null` or `*`: what a browser sends, to the letter.
bool is_origin(std::string_view text) {
    if (text == "*" || text == "null") return true;
    const auto url = parse_url(text);
    return url && !url->host.empty() && url->path.empty();
}

std::optional<unsigned> parse_mode(std::string_view text) {
    unsigned mode = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return whole && text.size() >= 3 && mode <= 0777 ? std::optional(mode) : std::nullopt;
}

}  // namespace

void check_tls_keys(const MqttListener& listener, const View& view, const std::string& key, Problems& problems) {
    for (const std::string_view file : {"cert", "key"}) {
        const View at = view.at(file);
        if (listener.is_tls() && !at.written()) {
            add_error(problems, view.position(), fmt::format("{}.{}", key, file),
                      fmt::format("missing key `{}`: a {}:// listener needs `cert` and `key`", file, name(listener.scheme)));
        }
    }
    for (const std::string_view file : {"cert", "key", "ca", "crl", "require_client_cert"}) {
        only_for(listener.is_tls(), file, "tls:// and wss://", view, key, problems);
    }
    needs_ca(listener.require_client_cert, "require_client_cert", listener, view, key, problems);
    needs_ca(view.at("crl").present(), "crl", listener, view, key, problems);
}

void read_gateway_listener(const View& view, const std::string& key, MqttListener& listener, Problems& problems) {
    listener.identity = view.at("identity").choice_as<CertificateName>();
    listener.proxy_protocol = view.at("proxy_protocol").boolean();
    read_sni(view.at("sni"), key + ".sni", listener.sni, problems);
    for (const std::string_view name : {"sni", "identity"}) only_for(listener.is_tls(), name, "tls:// and wss://", view, key, problems);
    needs_ca(view.at("identity").present(), "identity", listener, view, key, problems);

    only_for(listener.is_web(), "origins", "ws:// and wss://", view, key, problems);
    const std::vector<View> origins = view.at("origins").items();
    for (std::size_t i = 0; i < origins.size(); ++i) {
        const std::string origin = origins[i].text();
        if (origin.empty()) continue;  // reported by the schema
        if (!is_origin(origin)) {
            add_error(problems, origins[i].position(), fmt::format("{}.origins[{}]", key, i),
                      fmt::format("expected an origin such as https://dash.example.com or http://10.0.0.5:3000, `null` or `*`, found `{}`",
                                  shortened(origin, 60)));
        }
        listener.origins.push_back(origin);
    }

    only_for(listener.scheme == Scheme::unix_socket, "mode", "unix://", view, key, problems);
    const std::string mode = view.at("mode").text();
    if (const auto parsed = parse_mode(mode)) {
        listener.mode = *parsed;
    } else {
        add_error(problems, view.at("mode").position(), key + ".mode",
                  fmt::format("mode: expected permissions such as 0660, found `{}`", shortened(mode, 60)));
    }
    if (listener.socket.size() > kSocketPathMax) {
        add_error(problems, listener.at, key + ".url",
                  fmt::format("the path of the socket, {}, has {} bytes: the system takes {}", listener.socket, listener.socket.size(),
                              kSocketPathMax));
    }
}

}  // namespace sluice::config

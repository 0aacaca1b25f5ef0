#include "manage/config/reader.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "env/file_system.hpp"
#include "manage/config/load.hpp"
#include "manage/config/scalar.hpp"
#include "manage/config/suggest.hpp"

namespace sluice::config {
namespace {

constexpr std::array<std::string_view, 5> kListenerSchemes{"tcp", "tls", "ws", "wss", "unix"};  // in the order of Scheme

/// An address that a socket can be bound to without asking a name server.
bool is_bindable(std::string_view host) {
    if (host == "localhost") return true;
    if (host.find(':') != std::string_view::npos) {  // IPv6; the system has the last word
        return std::all_of(host.begin(), host.end(), [](char c) {
            return c == ':' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        });
    }
    unsigned parts = 0;
    for (std::string_view rest = host;;) {
        const std::size_t end = std::min(rest.find('.'), rest.size());
        const auto number = parse_integer(rest.substr(0, end));
        if (!number || *number > 255) return false;
        ++parts;
        if (end == rest.size()) return parts == 4;
        rest.remove_prefix(end + 1);
    }
}

/// nullopt: the url is wrong and reported, here or by the schema.
std::optional<MqttListener> read_listener(const View& view, const std::string& key, Tier tier, Problems& problems) {
    const View at = view.at("url");
    const auto url = parse_url(at.text());
    if (!url) return std::nullopt;
    MqttListener listener;
    listener.url = at.text();
    listener.at = at.position();
    const std::string url_key = key + ".url";
    const auto scheme = std::find(kListenerSchemes.begin(), kListenerSchemes.end(), url->scheme);
    if (scheme == kListenerSchemes.end()) {
        add_error(problems, listener.at, url_key,
                  fmt::format("unknown scheme `{}://`{}", url->scheme, suggestion(url->scheme, kListenerSchemes)));
        return std::nullopt;
    }
    listener.scheme = static_cast<Scheme>(scheme - kListenerSchemes.begin());
    listener.host = url->host;
    listener.port = url->port;
    listener.socket = at.resolved(url->path).value;
    listener.cert = view.at("cert").path();
    listener.key = view.at("key").path();
    listener.ca = view.at("ca").path();
    listener.crl = view.at("crl").path();
    listener.require_client_cert = view.at("require_client_cert").boolean();
    if (listener.scheme != Scheme::unix_socket) {
        listener.socket.clear();
        if (!url->has_port) {
            add_error(problems, listener.at, url_key, fmt::format("expected a port, such as {}://{}:1883", url->scheme, url->host));
        }
        if (!is_bindable(url->host)) {
            add_error(problems, listener.at, url_key,
                      fmt::format("expected an IP address or localhost, found `{}`: listeners do not look names up", url->host));
        }
    }
    check_tls_keys(listener, view, key, problems);
    if (tier == Tier::gateway) {
        read_gateway_listener(view, key, listener, problems);
    } else if (listener.scheme != Scheme::tcp && listener.scheme != Scheme::tls) {
        add_not_built(problems, listener.at, url_key, fmt::format("`listen.mqtt`: a {}:// listener", url->scheme));
    }
    return listener;
}

void check_clashes(const Listen& listen, Problems& problems) {
    for (std::size_t i = 0; i < listen.mqtt.size(); ++i) {
        const MqttListener& listener = listen.mqtt[i];
        const bool fixed = listener.port != 0 || listener.scheme == Scheme::unix_socket;
        const auto same_place = [&](const MqttListener& other) {
            return other.host == listener.host && other.port == listener.port && other.socket == listener.socket;
        };
        const auto end = listen.mqtt.begin() + static_cast<std::ptrdiff_t>(i);
        if (const auto first = std::find_if(listen.mqtt.begin(), end, same_place); fixed && first != end) {
            add_error(problems, listener.at, fmt::format("listen.mqtt[{}].url", i),
                      fmt::format("duplicate listener: line {} listens there already", first->at.line));
        }
        if (listen.http && fixed && listen.http->host == listener.host && listen.http->port == listener.port) {
            add_error(problems, listen.http->at, "listen.http",
                      fmt::format("`listen.mqtt` in line {} has this port already", listener.at.line));
        }
    }
}

bool is_there(env::FileSystem& files, const std::string& path, base::Error& why) {
    auto file = files.open(path, env::OpenMode::read);
    if (file) return true;
    why = file.error();
    return files.list(path).has_value();
}

void check_node_files(const Node& node, const SchemaNode& schema, const ViewContext& context, env::FileSystem& files,
                      const std::string& key, Problems& problems) {
    const View view(context, schema, &node, node.at);
    if (schema.kind() == KeyKind::existing && view.present()) {
        const Path path = view.path();
        base::Error why{base::Errc::not_found};
        if (path.empty() || is_there(files, path.value, why)) return;
        const std::string reason = why.code == base::Errc::not_found ? "there is no such file or folder" : base::describe(why);
        add_error(problems, path.at, key, fmt::format("{}: `{}`: {}", last_name(schema.key->path), path.value, reason));
        return;
    }
    for (const Entry& entry : node.entries) {
        const bool map = schema.kind() == KeyKind::map;
        const SchemaNode* child = map ? schema.element.get() : schema.child(entry.key);
        if (child != nullptr) {
            check_node_files(entry.value, *child, context, files, key.empty() ? entry.key : fmt::format("{}.{}", key, entry.key), problems);
        }
    }
    if (schema.element == nullptr) return;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        check_node_files(node.items[i], *schema.element, context, files, fmt::format("{}[{}]", key, i), problems);
    }
}

}  // namespace

void add_error(Problems& problems, Position at, std::string key, std::string message) {
    problems.push_back({Severity::error, at, std::move(key), std::move(message), false});
}

void add_warning(Problems& problems, Position at, std::string key, std::string message) {
    problems.push_back({Severity::warning, at, std::move(key), std::move(message), false});
}

void add_not_built(Problems& problems, Position at, std::string key, std::string_view what) {
    problems.push_back({Severity::note, at, std::move(key), fmt::format("{} is not built yet", what), true});
}

Listen read_listen(const View& listen, Tier tier, Problems& problems) {
    Listen out;
    const std::vector<View> entries = listen.at("mqtt").items();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (auto listener = read_listener(entries[i], fmt::format("listen.mqtt[{}]", i), tier, problems))
            out.mqtt.push_back(std::move(*listener));
    }
    if (const View http = listen.at("http"); http.present()) {
        out.http = parse_host_port(http.text());
        if (out.http) {
            out.http->at = http.position();
            if (!is_bindable(out.http->host)) {
                add_error(problems, out.http->at, "listen.http",
                          fmt::format("expected an IP address or localhost, found `{}`: listeners do not look names up", out.http->host));
            }
        }
    }
    check_clashes(out, problems);
    return out;
}

Log read_log(const View& log) { return {log.at("level").choice_as<LogLevel>(), log.at("format").choice_as<LogFormat>()}; }

std::optional<std::string> read_password(const View& section, const std::string& key, env::FileSystem* files, Problems& problems) {
    const View word = section.at("password");
    const View file = section.at("password_file");
    if (word.present() && file.present())
        add_error(problems, file.key_position(), key + ".password_file",
                  "`password` and `password_file`: only one of them can be the password");
    if (!file.present() || files == nullptr) return word.present() ? std::optional(word.text()) : std::nullopt;
    constexpr std::size_t kPasswordFileBytesMax = 64 * 1024;
    auto text = read_text(*files, file.path().value, kPasswordFileBytesMax);
    if (!text) {
        if (text.error().code != base::Errc::not_found)  // check_files says that it is missing
            add_error(problems, file.position(), key + ".password_file", fmt::format("password_file: {}", base::describe(text.error())));
        return std::nullopt;
    }
    constexpr unsigned kOthers = 0077;
    if (const auto mode = files->permissions(file.path().value); mode && (*mode & kOthers) != 0) {
        add_warning(problems, file.position(), key + ".password_file",
                    "password_file: other users of this machine may read it; `chmod 600` keeps it secret");
    }
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    return std::move(*text);
}

std::string read_token(const View& section, const std::string& key, env::FileSystem* files, Problems& problems) {
    constexpr std::size_t kTokenFileMax = 4096;  // a JWT fits
    const View token = section.at("token");
    const View file = section.at("token_file");
    if (token.present() && file.present()) {
        add_error(problems, file.key_position(), key + ".token_file", "`token` and `token_file`: only one of them can be the token");
    }
    if (!file.present() || files == nullptr) return token.text();
    auto text = read_text(*files, file.path().value, kTokenFileMax);
    if (!text) {
        if (text.error().code != base::Errc::not_found) {  // check_files says that it is missing
            add_error(problems, file.position(), key + ".token_file", fmt::format("token_file: {}", base::describe(text.error())));
        }
        return {};
    }
    constexpr unsigned kOthers = 0077;
    if (const auto mode = files->permissions(file.path().value); mode && (*mode & kOthers) != 0) {
        add_warning(problems, file.position(), key + ".token_file",
                    "token_file: other users of this machine may read it; `chmod 600` keeps it secret");
    }
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r' || text->back() == ' ')) text->pop_back();
    const bool clean = std::all_of(text->begin(), text->end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (text->empty() || !clean) {
        add_error(problems, file.position(), key + ".token_file", "token_file: expected one line of printable ASCII without spaces");
        return {};
    }
    return std::move(*text);
}

void check_files(const Node& document, const SchemaNode& schema, const ViewContext& context, env::FileSystem& files, Problems& problems) {
    check_node_files(document, schema, context, files, {}, problems);
}

}  // namespace sluice::config

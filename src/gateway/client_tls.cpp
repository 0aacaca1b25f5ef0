#include "gateway/client_tls.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "manage/config/load.hpp"

namespace sluice::gateway {
namespace {

struct Identity {
    const std::string& server;
    const config::Path& cert;
    const config::Path& key;
    const config::Path& ca;
    std::vector<std::string> alpn;
};

/// `key`: where these paths stand in the configuration.
std::shared_ptr<posix::TlsClient> make_tls(const Identity& identity, const std::string& key, env::FileSystem& files,
                                           config::Problems& problems) {
    constexpr std::size_t kPemBytesMax = 16 * 1024 * 1024;
    constexpr unsigned kOthers = 0007;
    const std::array<std::pair<std::string_view, const config::Path*>, 3> paths{
        {{"cert", &identity.cert}, {"key", &identity.key}, {"ca", &identity.ca}}};
    const auto add = [&](bool warning, std::size_t which, const std::string& message) {
        const auto& [name, path] = paths[which];
        problems.push_back({warning ? config::Severity::warning : config::Severity::error, path->at, fmt::format("{}.{}", key, name),
                            fmt::format("{}: {}", path->value, message), false});
    };
    std::array<std::string, 3> texts;
    bool complete = true;
    for (std::size_t i = 0; i < paths.size(); ++i) {
        const config::Path& path = *paths[i].second;
        if (path.empty()) continue;
        auto text = config::read_text(files, path.value, kPemBytesMax);
        if (text) {
            texts[i] = std::move(*text);
            continue;
        }
        complete = false;
        add(false, i, text.error().code == base::Errc::not_found ? "there is no such file" : base::describe(text.error()));
    }
    if (const auto mode = files.permissions(identity.key.value); !identity.key.empty() && mode && (*mode & kOthers) != 0)
        add(true, 1, "other users of this machine may use this key; `chmod 600` keeps it secret");
    if (!complete) return nullptr;
    std::vector<posix::TlsProblem> found;
    auto made = posix::TlsClient::make(
        {.server = identity.server, .ca = texts[2], .cert = texts[0], .key = texts[1], .alpn = identity.alpn}, found);
    for (const auto& each : found) {
        const std::size_t which = each.part == posix::TlsPart::cert ? 0 : each.part == posix::TlsPart::key ? 1 : 2;
        add(each.warning, which, each.message);
    }
    return made;
}

}  // namespace

std::shared_ptr<posix::TlsClient> make_bridge_tls(const config::BridgeConfig& bridge, const std::string& key, env::FileSystem& files,
                                                  config::Problems& problems) {
    return make_tls({.server = bridge.host, .cert = bridge.cert, .key = bridge.key, .ca = bridge.ca, .alpn = {"mqtt"}}, key, files,
                    problems);
}

std::shared_ptr<posix::TlsClient> make_uplink_tls(const config::Uplink& uplink, const std::string& key, env::FileSystem& files,
                                                  config::Problems& problems) {
    return make_tls({.server = uplink.host, .cert = uplink.cert, .key = uplink.key, .ca = uplink.ca, .alpn = {uplink.alpn}}, key, files,
                    problems);
}

}  // namespace sluice::gateway

#include "gateway/connection_layers.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "gateway/proxy_layer.hpp"
#include "gateway/websocket_layer.hpp"
#include "manage/config/load.hpp"

namespace sluice::gateway {
namespace {

/// PEM of a chain takes a few KiB, a revocation list of a large plant some hundred.
constexpr std::size_t kPemBytesMax = 16 * 1024 * 1024;
constexpr unsigned kOthers = 0007;

/// Reads the files of one listener and remembers where their paths stand.
class Material {
public:
    Material(const config::MqttListener& listener, std::string key, env::FileSystem& files, config::Problems& problems)
        : listener_(listener), key_(std::move(key)), files_(files), problems_(problems) {}

    posix::TlsOptions read() {
        posix::TlsOptions out;
        out.identities.push_back({"", text(listener_.cert, key_ + ".cert"), secret(listener_.key, key_ + ".key")});
        for (std::size_t i = 0; i < listener_.sni.size(); ++i) {
            const auto& each = listener_.sni[i];
            const std::string at = fmt::format("{}.sni[{}]", key_, i);
            out.identities.push_back({each.name, text(each.cert, at + ".cert"), secret(each.key, at + ".key")});
        }
        out.ca = text(listener_.ca, key_ + ".ca");
        out.crl = text(listener_.crl, key_ + ".crl");
        out.require_client_cert = listener_.require_client_cert;
        out.name_from_san = listener_.identity == config::CertificateName::san;
        if (listener_.is_web()) {
            out.alpn = {"http/1.1"};
        } else {
            out.alpn = {"mqtt", "x-amzn-mqtt-ca"};
        }
        return out;
    }
    [[nodiscard]] bool complete() const { return complete_; }

    void report(const posix::TlsProblem& problem) {
        static constexpr std::array<std::string_view, 4> kNames{"cert", "key", "ca", "crl"};  // in the order of posix::TlsPart
        const std::string_view name = kNames[static_cast<std::size_t>(problem.part)];
        const bool other = problem.identity != 0;
        const std::string key = other ? fmt::format("{}.sni[{}].{}", key_, problem.identity - 1, name) : fmt::format("{}.{}", key_, name);
        add(problem.warning ? config::Severity::warning : config::Severity::error, path_of(problem), key, problem.message);
    }

private:
    const config::Path& path_of(const posix::TlsProblem& problem) const {
        switch (problem.part) {
            case posix::TlsPart::ca:
                return listener_.ca;
            case posix::TlsPart::crl:
                return listener_.crl;
            case posix::TlsPart::cert:
                return problem.identity == 0 ? listener_.cert : listener_.sni[problem.identity - 1].cert;
            case posix::TlsPart::key:
                break;
        }
        return problem.identity == 0 ? listener_.key : listener_.sni[problem.identity - 1].key;
    }

    void add(config::Severity severity, const config::Path& path, const std::string& key, const std::string& message) {
        problems_.push_back({severity, path.at, key, fmt::format("{}: {}", path.value, message), false});
    }

    std::string text(const config::Path& path, const std::string& key) {
        if (path.empty()) return {};
        auto out = config::read_text(files_, path.value, kPemBytesMax);
        if (out) return std::move(*out);
        complete_ = false;
        const bool missing = out.error().code == base::Errc::not_found;
        add(config::Severity::error, path, key, missing ? "there is no such file" : base::describe(out.error()));
        return {};
    }

    std::string secret(const config::Path& path, const std::string& key) {
        if (const auto mode = files_.permissions(path.value); !path.empty() && mode && (*mode & kOthers) != 0) {
            add(config::Severity::warning, path, key, "other users of this machine may use this key; `chmod 600` keeps it secret");
        }
        return text(path, key);
    }

    const config::MqttListener& listener_;
    std::string key_;
    env::FileSystem& files_;
    config::Problems& problems_;
    bool complete_ = true;
};

}  // namespace

std::shared_ptr<const posix::TlsContext> make_tls_context(const config::MqttListener& listener, const std::string& key,
                                                          env::FileSystem& files, config::Problems& problems) {
    Material material(listener, key, files, problems);
    const posix::TlsOptions options = material.read();
    if (!material.complete()) return nullptr;
    std::vector<posix::TlsProblem> found;
    auto made = posix::TlsContext::make(options, found);
    for (const auto& each : found) material.report(each);
    return made;
}

ConnectionLayers::ConnectionLayers(const config::MqttListener& listener, std::shared_ptr<const posix::TlsContext> tls)
    : proxy_(listener.proxy_protocol), has_tls_(tls != nullptr), tls_(std::move(tls)) {
    if (!listener.is_web()) return;
    auto policy = std::make_shared<websocket::OriginPolicy>();
    policy->origins = listener.origins;
    policy->name_is_proved = listener.is_tls();
    origins_ = std::move(policy);
}

bool ConnectionLayers::equip(posix::DetachedConnection& connection) {
    if (!proxy_ && !has_tls_ && origins_ == nullptr) return true;
    std::vector<std::unique_ptr<posix::StreamLayer>> layers;
    if (proxy_) layers.push_back(std::make_unique<ProxyLayer>(connection.peer));
    if (has_tls_) {
        layers.push_back(tls()->accept());
        if (layers.back() == nullptr) return false;
    }
    if (origins_ != nullptr) layers.push_back(std::make_unique<WebSocketLayer>(origins_));
    connection.layers = std::make_unique<posix::LayerStack>(std::move(layers));
    return true;
}

std::shared_ptr<const posix::TlsContext> ConnectionLayers::tls() const {
    const std::lock_guard lock(mutex_);
    return tls_;
}

void ConnectionLayers::replace(std::shared_ptr<const posix::TlsContext> tls) {
    const std::lock_guard lock(mutex_);
    tls_ = std::move(tls);
}

}  // namespace sluice::gateway

// What a listener puts between the sockets that it accepts and the hub: the header of a proxy, TLS, WebSocket.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "codec/websocket/upgrade.hpp"
#include "env/file_system.hpp"
#include "env/posix/tcp.hpp"
#include "env/posix/tls.hpp"
#include "manage/config/listen.hpp"
#include "manage/config/problem.hpp"

namespace sluice::gateway {

/// Reads a listener's certificates and keys and sets TLS up. `key`: of the listener, for problems: `listen.mqtt[0]`. nullptr: at least one
/// problem is an error. Only for tls and wss.
std::shared_ptr<const posix::TlsContext> make_tls_context(const config::MqttListener& listener, const std::string& key,
                                                          env::FileSystem& files, config::Problems& problems);

/// Of one listener.
class ConnectionLayers {
public:
    /// `tls`: of make_tls_context(); nullptr for listeners without.
    ConnectionLayers(const config::MqttListener& listener, std::shared_ptr<const posix::TlsContext> tls);

    /// Gives a new connection its layers; a plain one gets none. False: no memory, close it.
    bool equip(posix::DetachedConnection& connection);
    /// Any thread: new connections use these certificates, those that stand keep what they have.
    void replace(std::shared_ptr<const posix::TlsContext> tls);
    [[nodiscard]] bool has_tls() const { return has_tls_; }
    /// Any thread: what new connections get now.
    [[nodiscard]] std::shared_ptr<const posix::TlsContext> tls() const;

private:
    bool proxy_;
    bool has_tls_;
    std::shared_ptr<const websocket::OriginPolicy> origins_;  // nullptr: no WebSocket
    mutable std::mutex mutex_;                                // a reload meets a new connection, never a message
    std::shared_ptr<const posix::TlsContext> tls_;
};

}  // namespace sluice::gateway

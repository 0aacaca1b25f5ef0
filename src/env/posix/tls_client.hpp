// TLS of connections that we make: what it is set up from, and the layer that each connection gets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "env/posix/tls.hpp"

namespace sluice::posix {

struct TlsClientOptions {
    /// Whom we want to reach: a name or an address, without a port. A name is told to the server (SNI); both must stand in its certificate.
    std::string server;
    std::string ca{};    ///< PEM: who signs the server's certificate, or that certificate itself; empty: whom this system trusts
    std::string cert{};  ///< PEM: ours, then those that lead to the root; empty: none
    std::string key{};   ///< PEM, without a passphrase
    std::vector<std::string> alpn{};  ///< protocols that are offered; a server that knows none of them may refuse
    bool verify = true;               ///< false: whoever answers is believed to be the server
};

/// For all connections to one server. Remembers the latest session, so that a connection after the first costs the server no signature
/// (StreamLayer::resumed() tells). One thread, that of the connections; each layer keeps the client alive.
///
///     auto tls = TlsClient::make({.server = "broker.example", .ca = pem}, problems);
///     connections.connect(address, 8883, std::make_unique<LayerStack>(tls->connect()));   // on_open: may send; on_layer: handshake over
class TlsClient {
public:
    /// nullptr: `problems` has at least one that is no warning (identity is always 0). Warnings may be added in any case.
    static std::shared_ptr<TlsClient> make(const TlsClientOptions& options, std::vector<TlsProblem>& problems);
    virtual ~TlsClient() = default;
    /// The layer of one new connection. nullptr: no memory.
    [[nodiscard]] virtual std::unique_ptr<StreamLayer> connect() = 0;
};

}  // namespace sluice::posix

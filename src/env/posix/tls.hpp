// TLS of a listener (OpenSSL 3): what it is set up from, and the layer that each connection gets. docs/listeners.md, decision 0012.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "env/posix/stream_layer.hpp"

namespace sluice::posix {

/// Certificate and key of a name that clients ask for (SNI).
struct TlsIdentity {
    std::string name;  ///< `plant.example.com` or `*.example.com` (one label); empty: for all others
    std::string cert;  ///< PEM: the certificate, then those that lead to the root
    std::string key;   ///< PEM, without a passphrase
};

enum class TlsPart : std::uint8_t { cert, key, ca, crl };

/// What is wrong with the material of a listener.
struct TlsProblem {
    bool warning = false;
    TlsPart part = TlsPart::cert;
    std::size_t identity = 0;  ///< of cert and key: index into TlsOptions::identities
    std::string message;       ///< one line, no full stop
};

struct TlsOptions {
    std::vector<TlsIdentity> identities;  ///< at least one; the first is for clients that ask for no name, or another one
    std::string ca;                       ///< PEM: who signs clients'; empty: clients are not asked
    std::string crl;                      ///< PEM: revocation lists of these; empty: none
    bool require_client_cert = false;     ///< else a client without one is welcome, too
    bool name_from_san = false;           ///< certificate_name(): first alternative name before the common name
    std::vector<std::string> alpn;  ///< protocols that are spoken; a client that offers only others is refused, one that offers none is not
};

/// Shared, read only, by all connections of a listener and all threads: an SSL_CTX. Replaced as a whole when certificates change;
/// connections keep the one they began with.
class TlsContext {
public:
    /// nullptr: `problems` has at least one that is no warning. Warnings may be added in any case.
    static std::shared_ptr<const TlsContext> make(const TlsOptions& options, std::vector<TlsProblem>& problems);
    virtual ~TlsContext() = default;
    /// The layer of one new connection. nullptr: no memory.
    [[nodiscard]] virtual std::unique_ptr<StreamLayer> accept() const = 0;
    /// Is the first of these (StreamLayer::certificates()) on a revocation list of its signer? Nothing else that may be wrong with it
    /// counts.
    [[nodiscard]] virtual bool revokes(const std::vector<base::Bytes>& certificates) const = 0;
};

}  // namespace sluice::posix

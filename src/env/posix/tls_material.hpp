// What listeners and outgoing connections both make of PEM texts, and the settings that all our TLS has. Internal to this folder.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "env/posix/tls.hpp"

namespace sluice::posix::tls {

struct Free {
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(X509_CRL* crl) const { X509_CRL_free(crl); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
    void operator()(X509_STORE* store) const { X509_STORE_free(store); }
    void operator()(X509_STORE_CTX* check) const { X509_STORE_CTX_free(check); }
    void operator()(STACK_OF(X509) * list) const { sk_X509_free(list); }  // not what is in it
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

/// What was found wrong, part by part.
class Report {
public:
    explicit Report(std::vector<TlsProblem>& problems) : problems_(problems) {}
    void error(TlsPart part, std::size_t identity, std::string message);
    void warn(TlsPart part, std::size_t identity, std::string message) { problems_.push_back({true, part, identity, std::move(message)}); }
    [[nodiscard]] bool failed() const { return failed_; }

private:
    std::vector<TlsProblem>& problems_;
    bool failed_ = false;
};

/// The latest error of OpenSSL in words; forgets it.
[[nodiscard]] std::string last_reason();
/// A context with what is common to both sides: TLS 1.2 with forward secrecy, or 1.3. nullptr: reported.
[[nodiscard]] Owned<SSL_CTX> make_context(const SSL_METHOD* method, std::size_t identity, Report& report);
/// Protocols as on the wire: length, name, length, name.
[[nodiscard]] std::string alpn_list(const std::vector<std::string>& protocols);
/// A certificate with its chain, and its key.
void take_identity(SSL_CTX* context, const std::string& cert, const std::string& key, std::size_t index, Report& report);
/// Certificates of signers (part `ca`), added to the store, too. At least one, or an error is reported.
[[nodiscard]] std::vector<Owned<X509>> read_signers(const std::string& pem, X509_STORE* store, Report& report);
/// Revocation lists (part `crl`) of these signers, added to the store.
void read_revoked(const std::string& pem, const std::vector<Owned<X509>>& signers, X509_STORE* store, Report& report);

}  // namespace sluice::posix::tls

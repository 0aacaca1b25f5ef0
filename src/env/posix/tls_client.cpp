#include "env/posix/tls_client.hpp"

#include <utility>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "env/posix/tls_layer.hpp"
#include "env/posix/tls_material.hpp"

namespace sluice::posix {
namespace {

using tls::Owned;

bool is_address(const std::string& host) {
    in6_addr any{};
    return ::inet_pton(AF_INET, host.c_str(), &any) == 1 || ::inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

class Client final : public TlsClient, public std::enable_shared_from_this<Client> {
public:
    Client(const TlsClientOptions& options, tls::Report& report) : server_(options.server), names_itself_(!is_address(options.server)) {
        ERR_clear_error();
        context_ = tls::make_context(TLS_client_method(), 0, report);
        if (context_ == nullptr) return;
        if (options.verify) {
            verify(options, report);
        } else {
            SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
        }
        if (!options.cert.empty() || !options.key.empty()) tls::take_identity(context_.get(), options.cert, options.key, 0, report);
        const std::string alpn = tls::alpn_list(options.alpn);
        if (!alpn.empty()) {
            SSL_CTX_set_alpn_protos(context_.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                                    static_cast<unsigned>(alpn.size()));
        }
        SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context_.get(), keep_session);
        SSL_CTX_set_ex_data(context_.get(), 0, this);  // 0: the index that is the application's
    }

    [[nodiscard]] std::unique_ptr<StreamLayer> connect() override {
        Owned<SSL> ssl(SSL_new(context_.get()));
        if (ssl == nullptr) return nullptr;
        if (names_itself_) {  // what the macro SSL_set_tlsext_host_name stands for, without its C cast
            SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, server_.data());
        }
        if (session_ != nullptr) SSL_set_session(ssl.get(), session_.get());
        SSL_set_connect_state(ssl.get());
        return make_tls_layer(ssl.release(), shared_from_this(), false);
    }

private:
    void verify(const TlsClientOptions& options, tls::Report& report) {
        SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
        X509_VERIFY_PARAM* param = SSL_CTX_get0_param(context_.get());
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);  // `ca` may name the server's certificate itself
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        const int named = names_itself_ ? X509_VERIFY_PARAM_set1_host(param, server_.data(), server_.size())
                                        : X509_VERIFY_PARAM_set1_ip_asc(param, server_.c_str());
        if (named != 1 || server_.empty()) return report.error(TlsPart::ca, 0, "'" + server_ + "' is no name that a certificate can have");
        if (!options.ca.empty()) {
            (void)tls::read_signers(options.ca, SSL_CTX_get_cert_store(context_.get()), report);  // the store has them
        } else if (SSL_CTX_set_default_verify_paths(context_.get()) != 1) {
            report.error(TlsPart::ca, 0, "the certificates that this system trusts cannot be used: " + tls::last_reason());
        }
    }

    // OpenSSL calls this inside a layer's receive(); the layer holds the client. 1: the session is ours now.
    static int keep_session(SSL* ssl, SSL_SESSION* session) {
        static_cast<Client*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0))->session_.reset(session);
        return 1;
    }

    std::string server_;
    bool names_itself_;
    Owned<SSL_CTX> context_;
    Owned<SSL_SESSION> session_;
};

}  // namespace

std::shared_ptr<TlsClient> TlsClient::make(const TlsClientOptions& options, std::vector<TlsProblem>& problems) {
    tls::Report report(problems);
    auto client = std::make_shared<Client>(options, report);
    if (report.failed()) return nullptr;
    return client;
}

}  // namespace sluice::posix

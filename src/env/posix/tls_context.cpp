// TlsContext: certificates, keys and the settings of a listener.
#include <algorithm>
#include <string_view>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "env/posix/tls.hpp"
#include "env/posix/tls_layer.hpp"
#include "env/posix/tls_material.hpp"

namespace sluice::posix {
namespace {

using tls::Owned;

/// How long a ticket can take up a session: RFC 8446 §4.6.1 allows a week; a client with a revoked certificate must not last so long where
/// nobody reloads.
constexpr long kTicketSeconds = 2 * 60 * 60;

/// Takes a wildcard for one label: `*.example.com` is `a.example.com` but neither `example.com` nor `a.b.example.com` (RFC 6125 §6.4.3).
bool name_matches(std::string_view pattern, std::string_view name) {
    const auto same = [](std::string_view a, std::string_view b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
            const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
            return lower(x) == lower(y);
        });
    };
    if (!pattern.starts_with("*.")) return same(pattern, name);
    const std::size_t dot = name.find('.');
    return dot != std::string_view::npos && dot != 0 && same(pattern.substr(1), name.substr(dot));
}

class Context final : public TlsContext, public std::enable_shared_from_this<Context> {
public:
    Context(const TlsOptions& options, tls::Report& report)
        : require_(options.require_client_cert), name_from_san_(options.name_from_san), alpn_(tls::alpn_list(options.alpn)) {
        ERR_clear_error();
        if (!options.ca.empty()) {
            store_.reset(X509_STORE_new());
            signers_ = tls::read_signers(options.ca, store_.get(), report);
            if (!options.crl.empty() && !report.failed()) tls::read_revoked(options.crl, signers_, store_.get(), report);
        }
        for (std::size_t i = 0; i < options.identities.size(); ++i) {
            identities_.push_back({options.identities[i].name, make(options.identities[i], i, report)});
        }
        if (report.failed()) return;
        // What the macro SSL_CTX_set_tlsext_servername_callback stands for, without its C cast.
        SSL_CTX_callback_ctrl(identities_.front().context.get(), SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                              reinterpret_cast<void (*)()>(choose_identity));
        SSL_CTX_set_tlsext_servername_arg(identities_.front().context.get(), this);
    }

    [[nodiscard]] std::unique_ptr<StreamLayer> accept() const override {
        Owned<SSL> ssl(SSL_new(identities_.front().context.get()));
        if (ssl == nullptr) return nullptr;
        SSL_set_accept_state(ssl.get());
        return make_tls_layer(ssl.release(), shared_from_this(), name_from_san_);
    }

    [[nodiscard]] bool revokes(const std::vector<base::Bytes>& certificates) const override {
        if (store_ == nullptr || certificates.empty()) return false;
        ERR_clear_error();
        std::vector<Owned<X509>> read;
        for (const auto& each : certificates) {
            const unsigned char* at = each.data();
            read.emplace_back(d2i_X509(nullptr, &at, static_cast<long>(each.size())));
            if (read.back() == nullptr) return false;
        }
        const Owned<STACK_OF(X509)> beside(sk_X509_new_null());
        const Owned<X509_STORE_CTX> check(X509_STORE_CTX_new());
        if (beside == nullptr || check == nullptr) return false;
        for (std::size_t i = 1; i < read.size(); ++i) sk_X509_push(beside.get(), read[i].get());
        if (X509_STORE_CTX_init(check.get(), store_.get(), read.front().get(), beside.get()) != 1) return false;
        X509_STORE_CTX_set_verify_cb(check.get(), [](int, X509_STORE_CTX* now) {
            return X509_STORE_CTX_get_error(now) == X509_V_ERR_CERT_REVOKED ? 0 : 1;  // goes on past all else
        });
        const bool revoked = X509_verify_cert(check.get()) != 1 && X509_STORE_CTX_get_error(check.get()) == X509_V_ERR_CERT_REVOKED;
        ERR_clear_error();
        return revoked;
    }

private:
    struct Identity {
        std::string name;
        Owned<SSL_CTX> context;
    };

    Owned<SSL_CTX> make(const TlsIdentity& from, std::size_t index, tls::Report& report) {
        Owned<SSL_CTX> context = tls::make_context(TLS_server_method(), index, report);
        if (context == nullptr) return context;
        // Small clients without AES in hardware put ChaCha20 first, and get it.
        SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
        // Sessions are taken up from tickets, whose key is part of the context: no cache with a lock, and any shard can do it.
        SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
        SSL_CTX_set_timeout(context.get(), kTicketSeconds);
        SSL_CTX_set_num_tickets(context.get(), 1);
        static constexpr unsigned char kSessions[] = "sluice";
        SSL_CTX_set_session_id_context(context.get(), kSessions, sizeof kSessions - 1);
        if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, this);
        if (store_ != nullptr) {
            SSL_CTX_set1_cert_store(context.get(), store_.get());
            SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | (require_ ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
            for (const auto& signer : signers_) SSL_CTX_add_client_CA(context.get(), signer.get());
        }
        tls::take_identity(context.get(), from.cert, from.key, index, report);
        return context;
    }

    // OpenSSL calls these during a handshake; the layer holds the context, so `self` is there.
    static int choose_identity(SSL* ssl, int*, void* self) {
        const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
        const auto& identities = static_cast<const Context*>(self)->identities_;
        const auto found = std::find_if(identities.begin() + 1, identities.end(),
                                        [name](const Identity& identity) { return name_matches(identity.name, name); });
        if (found != identities.end()) SSL_set_SSL_CTX(ssl, found->context.get());
        return SSL_TLSEXT_ERR_OK;
    }

    /// The client's first choice that is spoken. One that offers protocols, and none of these, meant another server (RFC 7301 §3.2).
    static int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned int in_size,
                               void* self) {
        const std::string& ours = static_cast<const Context*>(self)->alpn_;
        const std::string_view offered(reinterpret_cast<const char*>(in), in_size);
        for (std::size_t at = 0; at < offered.size();) {
            const std::size_t size = static_cast<unsigned char>(offered[at]);
            const std::string_view entry = offered.substr(at, size + 1);
            for (std::size_t own = 0; own < ours.size(); own += static_cast<unsigned char>(ours[own]) + 1U) {
                if (std::string_view(ours).substr(own, static_cast<unsigned char>(ours[own]) + 1U) != entry) continue;
                *out = in + at + 1;
                *out_size = static_cast<unsigned char>(size);
                return SSL_TLSEXT_ERR_OK;
            }
            at += size + 1;
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }

    bool require_;
    bool name_from_san_;
    std::string alpn_;  // see tls::alpn_list
    Owned<X509_STORE> store_;
    std::vector<Owned<X509>> signers_;
    std::vector<Identity> identities_;
};

}  // namespace

std::shared_ptr<const TlsContext> TlsContext::make(const TlsOptions& options, std::vector<TlsProblem>& problems) {
    tls::Report report(problems);
    auto context = std::make_shared<Context>(options, report);
    if (report.failed()) return nullptr;
    return context;
}

}  // namespace sluice::posix

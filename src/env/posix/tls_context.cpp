// TlsContext: certificates, keys and the settings of all listeners.
#include <algorithm>
#include <string_view>
#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "env/posix/tls.hpp"
#include "env/posix/tls_layer.hpp"

namespace sluice::posix {
namespace {

/// TLS 1.2: only what has forward secrecy and authenticates what it encrypts (RFC 9325 §4.2). TLS 1.3 has nothing else.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
/// How long a ticket can take up a session: RFC 8446 §4.6.1 allows a week; a client with a revoked certificate must not last so long where
/// nobody reloads.
constexpr long kTicketSeconds = 2 * 60 * 60;

struct Free {
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(X509_CRL* crl) const { X509_CRL_free(crl); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Owned<BIO> reader_of(const std::string& pem) { return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

/// OpenSSL would ask on the terminal for the passphrase of a key.
int no_passphrase(char*, int, int, void*) { return 0; }

std::string last_reason() {
    const char* text = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return text != nullptr ? text : "unknown reason";
}

/// A PEM file ends where no further block begins; anything else is damage.
bool ended_well() {
    const unsigned long code = ERR_peek_last_error();
    const bool end = code == 0 || (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
    if (end) ERR_clear_error();
    return end;
}

std::string time_text(const ASN1_TIME* time) {
    const Owned<BIO> out(BIO_new(BIO_s_mem()));
    char text[64] = {};
    if (out == nullptr || ASN1_TIME_print(out.get(), time) != 1) return "an unreadable date";
    const int size = BIO_read(out.get(), text, sizeof text - 1);
    return {text, static_cast<std::size_t>(std::max(size, 0))};
}

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
    Context(const TlsOptions& options, std::vector<TlsProblem>& problems) : problems_(problems) {
        require_ = options.require_client_cert;
        name_from_san_ = options.name_from_san;
        for (const auto& protocol : options.alpn) {
            alpn_ += static_cast<char>(protocol.size());
            alpn_ += protocol;
        }
        ERR_clear_error();
        if (!options.ca.empty()) read_clients(options);
        for (std::size_t i = 0; i < options.identities.size(); ++i) {
            identities_.push_back({options.identities[i].name, make(options.identities[i], i)});
        }
        if (failed_) return;
        // What the macro SSL_CTX_set_tlsext_servername_callback stands for, without its C cast.
        SSL_CTX_callback_ctrl(identities_.front().context.get(), SSL_CTRL_SET_TLSEXT_SERVERNAME_CB,
                              reinterpret_cast<void (*)()>(choose_identity));
        SSL_CTX_set_tlsext_servername_arg(identities_.front().context.get(), this);
    }

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] std::unique_ptr<StreamLayer> accept() const override {
        return make_tls_layer(identities_.front().context.get(), shared_from_this(), name_from_san_);
    }

private:
    struct Identity {
        std::string name;
        Owned<SSL_CTX> context;
    };

    void error(TlsPart part, std::size_t identity, std::string message) {
        problems_.push_back({false, part, identity, std::move(message)});
        failed_ = true;
        ERR_clear_error();
    }
    void warn(TlsPart part, std::size_t identity, std::string message) { problems_.push_back({true, part, identity, std::move(message)}); }

    void check_dates(const X509* certificate, TlsPart part, std::size_t identity) {
        if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
            warn(part, identity, "the certificate expired at " + time_text(X509_get0_notAfter(certificate)));
        } else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
            warn(part, identity, "the certificate is not valid before " + time_text(X509_get0_notBefore(certificate)));
        }
    }

    /// Who signs clients' certificates, and which of these are revoked.
    void read_clients(const TlsOptions& options) {
        store_.reset(X509_STORE_new());
        const Owned<BIO> in = reader_of(options.ca);
        while (Owned<X509> certificate{PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)}) {
            check_dates(certificate.get(), TlsPart::ca, 0);
            X509_STORE_add_cert(store_.get(), certificate.get());
            signers_.push_back(std::move(certificate));
        }
        if (!ended_well()) return error(TlsPart::ca, 0, "a certificate in it cannot be read: " + last_reason());
        if (signers_.empty()) return error(TlsPart::ca, 0, "no certificate in it: expected PEM (-----BEGIN CERTIFICATE-----)");
        if (!options.crl.empty()) read_revoked(options.crl);
    }

    void read_revoked(const std::string& pem) {
        const Owned<BIO> in = reader_of(pem);
        std::size_t count = 0;
        while (const Owned<X509_CRL> crl{PEM_read_bio_X509_CRL(in.get(), nullptr, no_passphrase, nullptr)}) {
            ++count;
            const auto* next = X509_CRL_get0_nextUpdate(crl.get());
            if (next != nullptr && X509_cmp_current_time(next) < 0) {
                warn(TlsPart::crl, 0, "the list expired at " + time_text(next) + ": all clients of its issuer are refused");
            }
            const auto ours = std::any_of(signers_.begin(), signers_.end(), [&](const auto& signer) {
                return X509_NAME_cmp(X509_get_subject_name(signer.get()), X509_CRL_get_issuer(crl.get())) == 0;
            });
            if (!ours) warn(TlsPart::crl, 0, "a list in it is of nobody in `ca`: it has no effect");
            X509_STORE_add_crl(store_.get(), crl.get());
        }
        if (!ended_well()) return error(TlsPart::crl, 0, "a list in it cannot be read: " + last_reason());
        if (count == 0) return error(TlsPart::crl, 0, "no revocation list in it: expected PEM (-----BEGIN X509 CRL-----)");
        X509_STORE_set_flags(store_.get(), X509_V_FLAG_CRL_CHECK);
    }

    Owned<SSL_CTX> make(const TlsIdentity& from, std::size_t index) {
        Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
        if (context == nullptr) {
            error(TlsPart::cert, index, "TLS cannot be set up: " + last_reason());
            return context;
        }
        SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
        SSL_CTX_set_cipher_list(context.get(), kCiphers);
        // Small clients without AES in hardware put ChaCha20 first, and get it.
        SSL_CTX_set_options(context.get(),
                            SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
        SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
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
        take_certificate(context.get(), from, index);
        return context;
    }

    void take_certificate(SSL_CTX* context, const TlsIdentity& from, std::size_t index) {
        const Owned<BIO> in = reader_of(from.cert);
        const Owned<X509> certificate(PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr));
        if (certificate == nullptr) {
            if (!ended_well()) return error(TlsPart::cert, index, "the certificate cannot be read: " + last_reason());
            return error(TlsPart::cert, index, "no certificate in it: expected PEM (-----BEGIN CERTIFICATE-----)");
        }
        check_dates(certificate.get(), TlsPart::cert, index);
        if (SSL_CTX_use_certificate(context, certificate.get()) != 1) {
            return error(TlsPart::cert, index, "the certificate cannot be used: " + last_reason());
        }
        while (Owned<X509> next{PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)}) {
            if (SSL_CTX_add_extra_chain_cert(context, next.get()) != 1) {
                return error(TlsPart::cert, index, "a certificate of the chain cannot be used: " + last_reason());
            }
            (void)next.release();  // the context has it now
        }
        if (!ended_well()) return error(TlsPart::cert, index, "a certificate of the chain cannot be read: " + last_reason());

        const Owned<BIO> key_in = reader_of(from.key);
        const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(key_in.get(), nullptr, no_passphrase, nullptr));
        if (key == nullptr) return error(TlsPart::key, index, key_problem(from.key));
        if (X509_check_private_key(certificate.get(), key.get()) != 1) {
            return error(TlsPart::key, index, "the key does not belong to the certificate");
        }
        if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
            return error(TlsPart::key, index, "the key cannot be used: " + last_reason());
        }
    }

    static std::string key_problem(const std::string& pem) {
        if (pem.find("ENCRYPTED") != std::string::npos) {
            return "the key has a passphrase: store it without one, readable by this user only";
        }
        if (pem.find("PRIVATE KEY-----") == std::string::npos) return "no key in it: expected PEM (-----BEGIN PRIVATE KEY-----)";
        return "the key cannot be read: " + last_reason();
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

    std::vector<TlsProblem>& problems_;  // used while it is made
    bool failed_ = false;
    bool require_ = false;
    bool name_from_san_ = false;
    std::string alpn_;  // as on the wire: length, name, length, name
    Owned<X509_STORE> store_;
    std::vector<Owned<X509>> signers_;
    std::vector<Identity> identities_;
};

}  // namespace

std::shared_ptr<const TlsContext> TlsContext::make(const TlsOptions& options, std::vector<TlsProblem>& problems) {
    auto context = std::make_shared<Context>(options, problems);
    if (context->failed()) return nullptr;
    return context;
}

}  // namespace sluice::posix

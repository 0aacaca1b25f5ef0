#include "env/posix/tls_material.hpp"

#include <algorithm>

#include <openssl/err.h>

namespace sluice::posix::tls {
namespace {

/// TLS 1.2: only what has forward secrecy and authenticates what it encrypts (RFC 9325 §4.2). TLS 1.3 has nothing else.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

Owned<BIO> reader_of(const std::string& pem) { return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

/// OpenSSL would ask on the terminal for the passphrase of a key.
int no_passphrase(char*, int, int, void*) { return 0; }

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

void check_dates(const X509* certificate, TlsPart part, std::size_t identity, Report& report) {
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) {
        report.warn(part, identity, "the certificate expired at " + time_text(X509_get0_notAfter(certificate)));
    } else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
        report.warn(part, identity, "the certificate is not valid before " + time_text(X509_get0_notBefore(certificate)));
    }
}

std::string key_problem(const std::string& pem) {
    if (pem.find("ENCRYPTED") != std::string::npos) {
        return "the key has a passphrase: store it without one, readable by this user only";
    }
    if (pem.find("PRIVATE KEY-----") == std::string::npos) return "no key in it: expected PEM (-----BEGIN PRIVATE KEY-----)";
    return "the key cannot be read: " + last_reason();
}

}  // namespace

void Report::error(TlsPart part, std::size_t identity, std::string message) {
    problems_.push_back({false, part, identity, std::move(message)});
    failed_ = true;
    ERR_clear_error();
}

std::string last_reason() {
    const char* text = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return text != nullptr ? text : "unknown reason";
}

Owned<SSL_CTX> make_context(const SSL_METHOD* method, std::size_t identity, Report& report) {
    Owned<SSL_CTX> context(SSL_CTX_new(method));
    if (context == nullptr) {
        report.error(TlsPart::cert, identity, "TLS cannot be set up: " + last_reason());
        return context;
    }
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context.get(), kCiphers);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    return context;
}

std::string alpn_list(const std::vector<std::string>& protocols) {
    std::string out;
    for (const auto& protocol : protocols) {
        out += static_cast<char>(protocol.size());
        out += protocol;
    }
    return out;
}

std::vector<Owned<X509>> read_signers(const std::string& pem, X509_STORE* store, Report& report) {
    std::vector<Owned<X509>> out;
    const Owned<BIO> in = reader_of(pem);
    while (Owned<X509> certificate{PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)}) {
        check_dates(certificate.get(), TlsPart::ca, 0, report);
        X509_STORE_add_cert(store, certificate.get());
        out.push_back(std::move(certificate));
    }
    if (!ended_well()) {
        report.error(TlsPart::ca, 0, "a certificate in it cannot be read: " + last_reason());
    } else if (out.empty()) {
        report.error(TlsPart::ca, 0, "no certificate in it: expected PEM (-----BEGIN CERTIFICATE-----)");
    }
    return out;
}

void read_revoked(const std::string& pem, const std::vector<Owned<X509>>& signers, X509_STORE* store, Report& report) {
    const Owned<BIO> in = reader_of(pem);
    std::size_t count = 0;
    while (const Owned<X509_CRL> crl{PEM_read_bio_X509_CRL(in.get(), nullptr, no_passphrase, nullptr)}) {
        ++count;
        const auto* next = X509_CRL_get0_nextUpdate(crl.get());
        if (next != nullptr && X509_cmp_current_time(next) < 0) {
            report.warn(TlsPart::crl, 0, "the list expired at " + time_text(next) + ": all clients of its issuer are refused");
        }
        const auto ours = std::any_of(signers.begin(), signers.end(), [&](const auto& signer) {
            return X509_NAME_cmp(X509_get_subject_name(signer.get()), X509_CRL_get_issuer(crl.get())) == 0;
        });
        if (!ours) report.warn(TlsPart::crl, 0, "a list in it is of nobody in `ca`: it has no effect");
        X509_STORE_add_crl(store, crl.get());
    }
    if (!ended_well()) return report.error(TlsPart::crl, 0, "a list in it cannot be read: " + last_reason());
    if (count == 0) return report.error(TlsPart::crl, 0, "no revocation list in it: expected PEM (-----BEGIN X509 CRL-----)");
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
}

void take_identity(SSL_CTX* context, const std::string& cert, const std::string& key, std::size_t index, Report& report) {
    const Owned<BIO> in = reader_of(cert);
    const Owned<X509> certificate(PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr));
    if (certificate == nullptr) {
        if (!ended_well()) return report.error(TlsPart::cert, index, "the certificate cannot be read: " + last_reason());
        return report.error(TlsPart::cert, index, "no certificate in it: expected PEM (-----BEGIN CERTIFICATE-----)");
    }
    check_dates(certificate.get(), TlsPart::cert, index, report);
    if (SSL_CTX_use_certificate(context, certificate.get()) != 1) {
        return report.error(TlsPart::cert, index, "the certificate cannot be used: " + last_reason());
    }
    while (Owned<X509> next{PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)}) {
        if (SSL_CTX_add_extra_chain_cert(context, next.get()) != 1) {
            return report.error(TlsPart::cert, index, "a certificate of the chain cannot be used: " + last_reason());
        }
        (void)next.release();  // the context has it now
    }
    if (!ended_well()) return report.error(TlsPart::cert, index, "a certificate of the chain cannot be read: " + last_reason());

    const Owned<BIO> key_in = reader_of(key);
    const Owned<EVP_PKEY> read(PEM_read_bio_PrivateKey(key_in.get(), nullptr, no_passphrase, nullptr));
    if (read == nullptr) return report.error(TlsPart::key, index, key_problem(key));
    if (X509_check_private_key(certificate.get(), read.get()) != 1) {
        return report.error(TlsPart::key, index, "the key does not belong to the certificate");
    }
    if (SSL_CTX_use_PrivateKey(context, read.get()) != 1) {
        return report.error(TlsPart::key, index, "the key cannot be used: " + last_reason());
    }
}

}  // namespace sluice::posix::tls

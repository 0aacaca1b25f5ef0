// TestCa: see tls_test_certificates.hpp. Named so that it is part of the test program only.
#include "env/posix/tls_test_certificates.hpp"

#include <memory>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/check.hpp"

namespace sluice::posix {
namespace {

struct Free {
    void operator()(BIO* bio) const { BIO_free(bio); }
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(X509_CRL* crl) const { X509_CRL_free(crl); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

template <class Write>
std::string pem_of(Write write) {
    const std::unique_ptr<BIO, Free> out(BIO_new(BIO_s_mem()));
    base::check(out != nullptr && write(out.get()) == 1, "test: PEM could not be written");
    std::string text(BIO_ctrl_pending(out.get()), '\0');
    BIO_read(out.get(), text.data(), static_cast<int>(text.size()));
    return text;
}

void name(X509* certificate, const std::string& common_name) {
    if (common_name.empty()) return;
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common_name.data()), static_cast<int>(common_name.size()), -1, 0);
}

void extend(X509* certificate, int which, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, which, value.c_str());
    base::check(extension != nullptr, "test: bad extension");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

std::unique_ptr<X509, Free> blank(EVP_PKEY* key, long serial, long from, long until) {
    std::unique_ptr<X509, Free> out(X509_new());
    X509_set_version(out.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(out.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(out.get()), from);
    X509_gmtime_adj(X509_getm_notAfter(out.get()), until);
    X509_set_pubkey(out.get(), key);
    return out;
}

}  // namespace

TestCa::TestCa(const std::string& common_name) : key_(EVP_EC_gen("P-256")), certificate_(blank(key_, 1, -3600, 3600).release()) {
    name(certificate_, common_name);
    X509_set_issuer_name(certificate_, X509_get_subject_name(certificate_));
    extend(certificate_, NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(certificate_, key_, EVP_sha256());
    pem_ = pem_of([this](BIO* out) { return PEM_write_bio_X509(out, certificate_); });
}

TestCa::~TestCa() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
}

TestCertificate TestCa::issue(const Wish& wish) {
    const std::unique_ptr<EVP_PKEY, Free> key(EVP_EC_gen("P-256"));
    const auto made = blank(key.get(), ++serial_, wish.valid_from_seconds, wish.valid_until_seconds);
    name(made.get(), wish.common_name);
    X509_set_issuer_name(made.get(), X509_get_subject_name(certificate_));
    if (!wish.alternative_names.empty()) extend(made.get(), NID_subject_alt_name, wish.alternative_names);
    X509_sign(made.get(), key_, EVP_sha256());
    return {pem_of([&](BIO* out) { return PEM_write_bio_X509(out, made.get()); }),
            pem_of([&](BIO* out) { return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); })};
}

std::string TestCa::revoke(const std::vector<TestCertificate>& certificates, long next_update_seconds) const {
    const std::unique_ptr<X509_CRL, Free> crl(X509_CRL_new());
    X509_CRL_set_version(crl.get(), 1);
    X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(certificate_));
    ASN1_TIME* time = X509_gmtime_adj(nullptr, -7200);
    X509_CRL_set1_lastUpdate(crl.get(), time);
    X509_gmtime_adj(time, next_update_seconds);
    X509_CRL_set1_nextUpdate(crl.get(), time);
    X509_gmtime_adj(time, -60);
    for (const auto& each : certificates) {
        const std::unique_ptr<BIO, Free> in(BIO_new_mem_buf(each.cert.data(), static_cast<int>(each.cert.size())));
        const std::unique_ptr<X509, Free> certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
        X509_REVOKED* entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.get()));
        X509_REVOKED_set_revocationDate(entry, time);
        X509_CRL_add0_revoked(crl.get(), entry);
    }
    ASN1_TIME_free(time);
    X509_CRL_sign(crl.get(), key_, EVP_sha256());
    return pem_of([&](BIO* out) { return PEM_write_bio_X509_CRL(out, crl.get()); });
}

}  // namespace sluice::posix

// Certificates for tests, made when asked for: a CA, what it signs, and what it revokes.
#pragma once

#include <string>
#include <vector>

struct evp_pkey_st;  // EVP_PKEY
struct x509_st;      // X509

namespace sluice::posix {

/// A key pair and its certificate, as PEM.
struct TestCertificate {
    std::string cert;
    std::string key;
};

class TestCa {
public:
    explicit TestCa(const std::string& name);
    ~TestCa();
    TestCa(const TestCa&) = delete;
    TestCa& operator=(const TestCa&) = delete;

    struct Wish {
        std::string common_name{};
        std::string alternative_names{};  ///< as OpenSSL writes them: "DNS:a.example,email:x@y.example"
        long valid_from_seconds = -3600;  ///< from now
        long valid_until_seconds = 3600;
    };
    [[nodiscard]] TestCertificate issue(const Wish& wish);
    [[nodiscard]] std::string cert() const { return pem_; }
    /// A list of revoked certificates.
    [[nodiscard]] std::string revoke(const std::vector<TestCertificate>& certificates, long next_update_seconds = 3600) const;

private:
    evp_pkey_st* key_;
    x509_st* certificate_;
    std::string pem_;
    long serial_ = 1;
};

}  // namespace sluice::posix

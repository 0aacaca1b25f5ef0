#include "env/posix/certificate_name.hpp"

#include <algorithm>
#include <memory>
#include <string_view>

#include <openssl/x509v3.h>

namespace sluice::posix {
namespace {

std::string clean(std::string_view name) {
    const bool fine = std::none_of(name.begin(), name.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
    });
    return fine ? std::string(name) : std::string();
}

std::string common_name(const X509* certificate) {
    const X509_NAME* subject = X509_get_subject_name(certificate);
    int last = -1;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) last = at;
    if (last < 0) return {};
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, last)));
    if (size < 0) return {};
    std::string out = clean({reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)});
    OPENSSL_free(text);
    return out;
}

std::string alternative_name(const X509* certificate) {
    struct Free {
        void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
    };
    const std::unique_ptr<GENERAL_NAMES, Free> names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    if (names == nullptr) return {};
    for (const int wanted : {GEN_DNS, GEN_EMAIL, GEN_URI}) {
        for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
            int kind = 0;
            const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &kind);
            if (kind != wanted) continue;
            const auto* text = static_cast<const ASN1_IA5STRING*>(value);
            return clean({reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<std::size_t>(ASN1_STRING_length(text))});
        }
    }
    return {};
}

}  // namespace

std::string certificate_name(const x509_st* certificate, bool from_san) {
    if (from_san) return alternative_name(certificate);
    std::string name = common_name(certificate);
    return name.empty() ? alternative_name(certificate) : name;
}

}  // namespace sluice::posix

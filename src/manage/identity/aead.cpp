#include "manage/identity/aead.hpp"

#include <algorithm>
#include <climits>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/check.hpp"

namespace sluice::identity {
namespace {

std::array<base::Byte, kNonceBytes> nonce_bytes(std::uint64_t nonce) {
    std::array<base::Byte, kNonceBytes> bytes{};
    base::store_le(bytes.data(), nonce);
    return bytes;
}

int size_of(base::ByteView bytes) {
    base::check(bytes.size() <= INT_MAX, "aead: more bytes at once than EVP takes");
    return static_cast<int>(bytes.size());
}

Digest hmac(base::ByteView key, base::ByteView bytes) {
    Digest digest{};
    unsigned length = 0;
    const unsigned char* const done =
        HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes.data(), bytes.size(), digest.data(), &length);
    base::check(done != nullptr && length == digest.size(), "identity: HMAC failed");
    return digest;
}

}  // namespace

void Aead::Free::operator()(evp_cipher_ctx_st* context) const { EVP_CIPHER_CTX_free(context); }

Aead::Aead(const Secret& key) : encrypt_(EVP_CIPHER_CTX_new()), decrypt_(EVP_CIPHER_CTX_new()) {
    base::check(encrypt_ && decrypt_, "aead: no memory for a cipher");
    base::check(EVP_EncryptInit_ex(encrypt_.get(), EVP_aes_256_gcm(), nullptr, key.bytes().data(), nullptr) == 1, "aead: no AES-256-GCM");
    base::check(EVP_DecryptInit_ex(decrypt_.get(), EVP_aes_256_gcm(), nullptr, key.bytes().data(), nullptr) == 1, "aead: no AES-256-GCM");
}
Aead::~Aead() = default;
Aead::Aead(Aead&&) noexcept = default;
Aead& Aead::operator=(Aead&&) noexcept = default;

void Aead::seal(std::uint64_t nonce, base::ByteView associated, base::ByteView plain, base::Byte* sealed) {
    const auto iv = nonce_bytes(nonce);
    EVP_CIPHER_CTX* const context = encrypt_.get();
    int wrote = 0;
    bool good = EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, iv.data()) == 1;
    if (!associated.empty()) good = good && EVP_EncryptUpdate(context, nullptr, &wrote, associated.data(), size_of(associated)) == 1;
    if (!plain.empty()) good = good && EVP_EncryptUpdate(context, sealed, &wrote, plain.data(), size_of(plain)) == 1;
    base::Byte* const tag = sealed + plain.size();
    good = good && EVP_EncryptFinal_ex(context, tag, &wrote) == 1;
    good = good && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, static_cast<int>(kTagBytes), tag) == 1;
    base::check(good, "aead: sealing failed");
}

bool Aead::open(std::uint64_t nonce, base::ByteView associated, base::ByteView sealed, base::Byte* plain) {
    if (sealed.size() < kTagBytes) return false;
    const auto iv = nonce_bytes(nonce);
    const base::ByteView body = sealed.first(sealed.size() - kTagBytes);
    std::array<base::Byte, kTagBytes> tag{};
    std::copy(sealed.end() - kTagBytes, sealed.end(), tag.begin());
    EVP_CIPHER_CTX* const context = decrypt_.get();
    int wrote = 0;
    bool good = EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, iv.data()) == 1;
    if (!associated.empty()) good = good && EVP_DecryptUpdate(context, nullptr, &wrote, associated.data(), size_of(associated)) == 1;
    if (!body.empty()) good = good && EVP_DecryptUpdate(context, plain, &wrote, body.data(), size_of(body)) == 1;
    good = good && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, static_cast<int>(kTagBytes), tag.data()) == 1;
    base::check(good, "aead: opening failed");
    return EVP_DecryptFinal_ex(context, tag.data(), &wrote) == 1;  // writes nothing for GCM; compares the tags
}

Digest keyed_hash(const Secret& key, base::ByteView bytes) { return hmac(key.bytes(), bytes); }

// RFC 5869: PRK = HMAC(salt, key); OKM = HMAC(PRK, info | 0x01) for one block of output.
Secret derive_key(const Secret& key, base::ByteView salt, base::ByteView info) {
    const std::array<base::Byte, 32> no_salt{};
    const Digest extracted = hmac(salt.empty() ? base::ByteView(no_salt) : salt, key.bytes());
    base::Bytes expand(info.begin(), info.end());
    expand.push_back(1);
    Digest okm = hmac(extracted, expand);
    return Secret(std::span<const base::Byte, kKeyBytes>(okm));
}

}  // namespace sluice::identity

// AES-256-GCM (NIST SP 800-38D) and HMAC-SHA256, on OpenSSL's EVP with contexts that are set up once and used again.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.hpp"
#include "manage/identity/secret.hpp"

struct evp_cipher_ctx_st;

namespace sluice::identity {

inline constexpr std::size_t kTagBytes = 16;
inline constexpr std::size_t kNonceBytes = 12;

/// One key. One thread. Nonces are the caller's: 64-bit numbers (little-endian, four zero bytes behind), never twice for different bytes.
class Aead {
public:
    explicit Aead(const Secret& key);
    ~Aead();
    Aead(Aead&&) noexcept;
    Aead& operator=(Aead&&) noexcept;

    /// Writes plain.size() + kTagBytes bytes to `sealed`. In and out may not overlap. plain.size() < 2^31.
    void seal(std::uint64_t nonce, base::ByteView associated, base::ByteView plain, base::Byte* sealed);

    /// Writes sealed.size() − kTagBytes bytes to `plain`. False: not authentic (or shorter than a tag).
    [[nodiscard]] bool open(std::uint64_t nonce, base::ByteView associated, base::ByteView sealed, base::Byte* plain);

private:
    struct Free {
        void operator()(evp_cipher_ctx_st* context) const;
    };
    std::unique_ptr<evp_cipher_ctx_st, Free> encrypt_;
    std::unique_ptr<evp_cipher_ctx_st, Free> decrypt_;
};

using Digest = std::array<base::Byte, 32>;

/// HMAC-SHA256 (RFC 2104): names that must be looked up but not read (database keys) are stored as this.
[[nodiscard]] Digest keyed_hash(const Secret& key, base::ByteView bytes);

/// HKDF-SHA256 (RFC 5869) to 32 bytes. The context is the salt, the purpose the info.
[[nodiscard]] Secret derive_key(const Secret& key, base::ByteView salt, base::ByteView info);

}  // namespace sluice::identity

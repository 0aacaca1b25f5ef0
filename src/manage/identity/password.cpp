#include "manage/identity/password.hpp"

#include <argon2.h>
#include <openssl/crypto.h>

namespace sluice::identity {
namespace {

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kTagBytes = 32;

/// One thread, whatever the number of lanes: this runs where the shards need the cores. False: no memory.
bool compute(const phc::Cost& cost, base::ByteView salt, base::ByteView password, base::Bytes& tag) {
    argon2_context context{};
    context.out = tag.data();
    context.outlen = static_cast<std::uint32_t>(tag.size());
    // The library's interface is not const, but without ARGON2_FLAG_CLEAR_PASSWORD it only reads both.
    context.pwd = const_cast<std::uint8_t*>(password.data());
    context.pwdlen = static_cast<std::uint32_t>(password.size());
    context.salt = const_cast<std::uint8_t*>(salt.data());
    context.saltlen = static_cast<std::uint32_t>(salt.size());
    context.t_cost = cost.passes;
    context.m_cost = cost.memory_kib;
    context.lanes = cost.lanes;
    context.threads = 1;
    context.version = ARGON2_VERSION_13;
    context.flags = ARGON2_DEFAULT_FLAGS;
    return argon2id_ctx(&context) == ARGON2_OK;
}

}  // namespace

base::Result<phc::Argon2id> hash_password(base::ByteView password, const phc::Cost& cost, env::Entropy& entropy) {
    if (password.size() > kPasswordBytesMax) return base::Error{base::Errc::too_large};
    phc::Argon2id hash{.cost = cost, .salt = base::Bytes(kSaltBytes), .tag = base::Bytes(kTagBytes)};
    entropy.fill(hash.salt);
    if (!compute(cost, hash.salt, password, hash.tag)) return base::Error{base::Errc::unavailable};
    return hash;
}

bool is_password(const phc::Argon2id& hash, base::ByteView password) {
    if (password.size() > kPasswordBytesMax) return false;
    base::Bytes tag(hash.tag.size());
    return compute(hash.cost, hash.salt, password, tag) && CRYPTO_memcmp(tag.data(), hash.tag.data(), tag.size()) == 0;
}

}  // namespace sluice::identity

// Passwords: Argon2id (RFC 9106) by libargon2.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "codec/phc/phc.hpp"
#include "env/entropy.hpp"

namespace sluice::identity {

/// What new hashes cost: OWASP's first choice (Password Storage Cheat Sheet, 2024). Why not more: docs/decisions/0013-who-may-do-what.md.
inline constexpr phc::Cost kPasswordCost{.memory_kib = 19 * 1024, .passes = 2, .lanes = 1};

/// Longer passwords are refused, here and at sign-in: nobody types them, and their bytes have to be kept while they wait.
inline constexpr std::size_t kPasswordBytesMax = 1024;

/// A hash with a fresh salt. Takes tens of milliseconds and the memory that `cost` says: never on a thread that others wait for.
/// Errors: too_large (password), unavailable (no memory).
[[nodiscard]] base::Result<phc::Argon2id> hash_password(base::ByteView password, const phc::Cost& cost, env::Entropy& entropy);

/// Compares in constant time; costs as much as the hash does. False also where there is no memory for it.
[[nodiscard]] bool is_password(const phc::Argon2id& hash, base::ByteView password);

}  // namespace sluice::identity

// Argon2id password hashes in the PHC string format: github.com/P-H-C/phc-string-format, phc-sf-spec.md; Argon2: RFC 9106.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace sluice::phc {

// What verifying one hash may cost a gateway: a quarter of the memory of a device with 256 MB, and about a second of a small core. What
// other systems write by default (64 MiB, 3 passes, 4 lanes) is within.
inline constexpr std::uint32_t kMemoryKibMax = 64 * 1024;
inline constexpr std::uint32_t kPassesMax = 16;
inline constexpr std::uint32_t kLanesMax = 8;
inline constexpr std::uint32_t kWorkKibMax = 512 * 1024;  ///< memory times passes
static_assert(kMemoryKibMax * 4U <= kWorkKibMax, "the common defaults must be within");
inline constexpr std::size_t kSaltBytesMin = 8;  ///< RFC 9106 §3.1
inline constexpr std::size_t kSaltBytesMax = 64;
inline constexpr std::size_t kTagBytesMin = 16;
inline constexpr std::size_t kTagBytesMax = 64;
inline constexpr std::size_t kTextBytesMax = 256;  ///< longer than the longest that is within the bounds

/// What decides the cost of a hash.
struct Cost {
    std::uint32_t memory_kib = 0;
    std::uint32_t passes = 0;
    std::uint32_t lanes = 0;
    friend bool operator==(const Cost&, const Cost&) = default;
};

struct Argon2id {
    Cost cost;
    base::Bytes salt;
    base::Bytes tag;
    friend bool operator==(const Argon2id&, const Argon2id&) = default;
};

/// Errors: malformed (not this format, or not the one way to write it), unsupported (another function or version: Argon2i, bcrypt, v=16),
/// too_large (verifying it would cost more than the bounds above), invalid (a number that Argon2 does not allow, a short salt or tag).
[[nodiscard]] base::Result<Argon2id> parse(std::string_view text);

/// For what is within the bounds; parse() gives it back.
[[nodiscard]] std::string format(const Argon2id& hash);

/// Guessed faster than the least that OWASP recommends (m=7168,t=5 and its equals): works, and deserves a warning.
[[nodiscard]] bool is_weak(const Cost& cost);

}  // namespace sluice::phc

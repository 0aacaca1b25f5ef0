// Sealing of small documents (rule state, changes of rules).
#pragma once

#include <string_view>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "env/entropy.hpp"
#include "manage/identity/key_ring.hpp"

namespace sluice::identity {

/// A document: format byte 2, number of the master key u16, 16 random bytes, sealed bytes, tag. Each is sealed under its own key, derived
/// by HKDF from all that stands before, so that random nonces cannot collide however many are written, and another number opens nothing.
/// Format 1, of older versions, has no number: those were sealed with key 1.
/// `associated` (a name, a row's key) must be the same at open: documents cannot be swapped. One thread.
class DocumentSealer {
public:
    /// `purpose`: one of master_key.hpp.
    DocumentSealer(KeyRing keys, std::string_view purpose, env::Entropy& entropy)
        : keys_(std::move(keys)), purpose_(purpose), entropy_(entropy) {}
    /// Others from now on.
    void use(KeyRing keys) { keys_ = std::move(keys); }
    [[nodiscard]] const KeyRing& keys() const { return keys_; }

    /// With the newest key.
    [[nodiscard]] base::Bytes seal(base::ByteView plain, base::ByteView associated);
    /// Errors: corrupt (changed, cut, another name, another key of this number), wrong_key (there is no key of its number), version
    /// (unknown format byte).
    [[nodiscard]] base::Result<base::Bytes> open(base::ByteView sealed, base::ByteView associated) const;

    /// Bytes that key_of() needs.
    static constexpr std::size_t kHeadBytes = 3;
    /// Which key opens it, by its first bytes. Errors: corrupt (too short), version.
    [[nodiscard]] static base::Result<KeyNumber> key_of(base::ByteView sealed);

private:
    KeyRing keys_;
    std::string_view purpose_;
    env::Entropy& entropy_;
};

}  // namespace sluice::identity

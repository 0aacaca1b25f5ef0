// What the spool needs from elsewhere: a way to seal bytes. src/manage/identity has the keys; src/gateway/spool_sealer.hpp joins the two.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.hpp"

namespace sluice::spool {

/// Bytes that sealing adds: the tag of AES-256-GCM.
inline constexpr std::size_t kTagBytes = 16;

/// Identifies a key without telling anything about it.
using KeyCheck = std::array<base::Byte, 16>;

/// Keys are numbered from 1, later ones higher.
using KeyNumber = std::uint16_t;

/// Which key something was sealed with.
struct KeyName {
    KeyNumber number = 1;
    KeyCheck check{};
    friend bool operator==(const KeyName&, const KeyName&) = default;
};

/// Authenticated encryption under one key. One thread.
class Cipher {
public:
    virtual ~Cipher() = default;

    /// Writes plain.size() + kTagBytes bytes to `sealed`, which does not overlap `plain`. `associated` is authenticated, not encrypted.
    /// The caller never uses a nonce twice for different bytes with ciphers of the same context.
    virtual void seal(std::uint64_t nonce, base::ByteView associated, base::ByteView plain, base::Byte* sealed) = 0;

    /// Writes sealed.size() − kTagBytes bytes to `plain`, which does not overlap `sealed`. False: the bytes, the associated bytes, the
    /// nonce or the key are not those of seal(); `plain` is then meaningless. sealed.size() ≥ kTagBytes.
    [[nodiscard]] virtual bool open(std::uint64_t nonce, base::ByteView associated, base::ByteView sealed, base::Byte* plain) = 0;
};

/// Makes ciphers. There may be several keys: the newest seals, the others open what was sealed before. One thread.
class Sealer {
public:
    virtual ~Sealer() = default;
    /// What new things are sealed with. May become another between two calls of the spool.
    [[nodiscard]] virtual KeyName newest() const = 0;
    /// Is this key there, and the one that is meant?
    [[nodiscard]] virtual bool has(const KeyName& key) const = 0;
    /// The cipher of a key that is there, and of a context: same key and same context give the same cipher; contexts that differ in a bit
    /// give unrelated ones.
    virtual std::unique_ptr<Cipher> cipher(KeyNumber key, base::ByteView context) = 0;
};

}  // namespace sluice::spool

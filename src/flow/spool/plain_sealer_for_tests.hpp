// A sealer without secrets, for tests and fuzzing of what lies inside: bytes stay as they are, the tag is a checksum of everything.
#pragma once

#include <algorithm>

#include "base/hash.hpp"
#include "flow/spool/ports.hpp"

namespace sluice::spool {

/// Not cryptography.
class PlainSealer final : public Sealer {
public:
    /// Has the keys `oldest` … `newest`.
    explicit PlainSealer(KeyNumber newest = 1, KeyNumber oldest = 1) : newest_(newest), oldest_(oldest) {}
    std::unique_ptr<Cipher> cipher(KeyNumber key, base::ByteView context) override {
        return std::make_unique<PlainCipher>(base::hash64(base::as_text(context)) ^ key);
    }
    [[nodiscard]] KeyName newest() const override { return name_of(newest_); }
    [[nodiscard]] bool has(const KeyName& key) const override {
        return key.number >= oldest_ && key.number <= newest_ && key == name_of(key.number);
    }

private:
    [[nodiscard]] static KeyName name_of(KeyNumber number) {
        KeyName name{.number = number};
        name.check.fill(static_cast<base::Byte>(number));
        return name;
    }
    class PlainCipher final : public Cipher {
    public:
        explicit PlainCipher(std::uint64_t key) : key_(key) {}
        void seal(std::uint64_t nonce, base::ByteView associated, base::ByteView plain, base::Byte* sealed) override {
            std::copy(plain.begin(), plain.end(), sealed);
            base::store_le(sealed + plain.size(), tag(nonce, associated, plain));
            base::store_le(sealed + plain.size() + 8, key_);
        }
        bool open(std::uint64_t nonce, base::ByteView associated, base::ByteView sealed, base::Byte* plain) override {
            const base::ByteView body = sealed.first(sealed.size() - kTagBytes);
            std::copy(body.begin(), body.end(), plain);
            const base::Byte* const end = sealed.data() + body.size();
            return base::load_le<std::uint64_t>(end) == tag(nonce, associated, body) && base::load_le<std::uint64_t>(end + 8) == key_;
        }

    private:
        [[nodiscard]] std::uint64_t tag(std::uint64_t nonce, base::ByteView associated, base::ByteView body) const {
            return base::hash64(base::as_text(associated)) * 31 + base::hash64(base::as_text(body)) * 7 + nonce * 13 + key_;
        }
        std::uint64_t key_;
    };

    KeyNumber newest_;
    KeyNumber oldest_;
};

}  // namespace sluice::spool

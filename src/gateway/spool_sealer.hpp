// The spool's ciphers from the master key: joins flow/spool and manage/identity, which do not know each other.
#pragma once

#include <algorithm>

#include "flow/spool/ports.hpp"
#include "manage/identity/aead.hpp"
#include "manage/identity/master_key.hpp"

namespace sluice::gateway {

static_assert(spool::kTagBytes == identity::kTagBytes);

/// One thread.
class SpoolSealer final : public spool::Sealer {
public:
    explicit SpoolSealer(const identity::MasterKey& key) : key_(key) {}

    std::unique_ptr<spool::Cipher> cipher(base::ByteView context) override {
        return std::make_unique<AeadCipher>(key_.derive(identity::kSpoolPurpose, context));
    }

    [[nodiscard]] spool::KeyCheck key_check() const override {
        const identity::Secret secret = key_.derive(identity::kSpoolCheckPurpose);
        spool::KeyCheck out;
        std::copy_n(secret.bytes().begin(), out.size(), out.begin());
        return out;
    }

private:
    class AeadCipher final : public spool::Cipher {
    public:
        explicit AeadCipher(const identity::Secret& key) : aead_(key) {}
        void seal(std::uint64_t nonce, base::ByteView associated, base::ByteView plain, base::Byte* sealed) override {
            aead_.seal(nonce, associated, plain, sealed);
        }
        [[nodiscard]] bool open(std::uint64_t nonce, base::ByteView associated, base::ByteView sealed, base::Byte* plain) override {
            return aead_.open(nonce, associated, sealed, plain);
        }

    private:
        identity::Aead aead_;
    };

    identity::MasterKey key_;
};

}  // namespace sluice::gateway

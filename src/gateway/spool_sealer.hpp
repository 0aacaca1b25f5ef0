// The spool's ciphers from the master keys: joins flow/spool and manage/identity, which do not know each other.
#pragma once

#include <algorithm>
#include <type_traits>
#include <utility>

#include "base/check.hpp"
#include "flow/spool/ports.hpp"
#include "manage/identity/aead.hpp"
#include "manage/identity/key_ring.hpp"

namespace sluice::gateway {

static_assert(spool::kTagBytes == identity::kTagBytes);
static_assert(std::is_same_v<spool::KeyNumber, identity::KeyNumber>);

/// One thread.
class SpoolSealer final : public spool::Sealer {
public:
    explicit SpoolSealer(identity::KeyRing keys) : keys_(std::move(keys)), newest_(name_of(keys_.newest(), keys_.newest_key())) {}
    explicit SpoolSealer(const identity::MasterKey& only) : SpoolSealer(identity::KeyRing(only)) {}

    /// Others from now on.
    void use(identity::KeyRing keys) {
        keys_ = std::move(keys);
        newest_ = name_of(keys_.newest(), keys_.newest_key());
    }

    /// As the headers of segments and manifests have it.
    [[nodiscard]] static spool::KeyName name_of(identity::KeyNumber number, const identity::MasterKey& key) {
        const identity::Secret secret = key.derive(identity::kSpoolCheckPurpose);
        spool::KeyName out{.number = number};
        std::copy_n(secret.bytes().begin(), out.check.size(), out.check.begin());
        return out;
    }

    [[nodiscard]] spool::KeyName newest() const override { return newest_; }

    [[nodiscard]] bool has(const spool::KeyName& key) const override {
        if (key == newest_) return true;
        const identity::MasterKey* const master = keys_.find(key.number);
        return master != nullptr && name_of(key.number, *master) == key;
    }

    std::unique_ptr<spool::Cipher> cipher(spool::KeyNumber key, base::ByteView context) override {
        const identity::MasterKey* const master = keys_.find(key);
        base::check(master != nullptr, "spool sealer: a key that is not there");
        return std::make_unique<AeadCipher>(master->derive(identity::kSpoolPurpose, context));
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

    identity::KeyRing keys_;
    spool::KeyName newest_;
};

}  // namespace sluice::gateway

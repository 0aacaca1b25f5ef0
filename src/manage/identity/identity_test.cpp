#include <algorithm>
#include <cstdio>
#include <string>

#include <gtest/gtest.h>

#include "manage/identity/aead.hpp"
#include "manage/identity/document_sealer.hpp"
#include "manage/identity/master_key.hpp"

namespace sluice::identity {
namespace {

base::Bytes from_hex(std::string_view hex) {
    base::Bytes bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
        bytes.push_back(static_cast<base::Byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    return bytes;
}

std::string hex(base::ByteView bytes) {
    std::string text;
    for (const base::Byte byte : bytes) {
        std::array<char, 3> digits{};
        std::snprintf(digits.data(), digits.size(), "%02x", byte);
        text += digits.data();
    }
    return text;
}

Secret counting_key() {
    Secret key;
    base::Byte next = 0;
    for (base::Byte& byte : key.writable()) byte = next++;
    return key;
}

class CountingEntropy final : public env::Entropy {
public:
    void fill(std::span<base::Byte> out) override {
        for (base::Byte& byte : out) byte = next_++;
    }

private:
    base::Byte next_ = 0;
};

TEST(Aead, AgreesWithTestCase14OfTheGcmSpecification) {
    Aead aead{Secret()};
    const base::Bytes plain(16);
    base::Bytes sealed(32);
    aead.seal(0, {}, plain, sealed.data());
    EXPECT_EQ(hex(sealed), "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

TEST(Aead, OpensWhatItSealedAgainAndAgain) {
    Aead aead(counting_key());
    for (std::uint64_t nonce = 0; nonce < 20; ++nonce) {
        const base::Bytes plain(nonce * 7, 0x5a);
        base::Bytes sealed(plain.size() + kTagBytes);
        aead.seal(nonce, base::as_bytes("header"), plain, sealed.data());
        base::Bytes opened(plain.size());
        ASSERT_TRUE(aead.open(nonce, base::as_bytes("header"), sealed, opened.data()));
        EXPECT_EQ(opened, plain);
    }
}

TEST(Aead, RefusesEveryFlippedBitAnotherNonceAndAnotherHeader) {
    Aead aead(counting_key());
    const base::Bytes plain{1, 2, 3, 4, 5};
    base::Bytes sealed(plain.size() + kTagBytes);
    aead.seal(7, base::as_bytes("header"), plain, sealed.data());
    base::Bytes opened(plain.size());
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
        base::Bytes flipped = sealed;
        flipped[bit / 8] = static_cast<base::Byte>(flipped[bit / 8] ^ (1U << (bit % 8)));
        EXPECT_FALSE(aead.open(7, base::as_bytes("header"), flipped, opened.data())) << bit;
    }
    EXPECT_FALSE(aead.open(8, base::as_bytes("header"), sealed, opened.data()));
    EXPECT_FALSE(aead.open(7, base::as_bytes("Header"), sealed, opened.data()));
    EXPECT_FALSE(aead.open(7, base::as_bytes("header"), base::ByteView(sealed).first(15), opened.data()));
    EXPECT_TRUE(aead.open(7, base::as_bytes("header"), sealed, opened.data()));
}

// Expected values computed with Python's hmac and hashlib, from the definition in RFC 5869.
TEST(MasterKey, DerivesKeysAsHkdfDefinesThem) {
    const MasterKey master(counting_key());
    EXPECT_EQ(hex(master.derive("spool v1").bytes()), "a1e564335f5448ce58d321a1cd0c2a7c2d4231fabacebb7f87074d3c70829b44");
    EXPECT_EQ(hex(master.derive("documents v1", from_hex("000102030405060708090a0b0c")).bytes()),
              "5099a69215f6dcd7058f4ce19b9aed6efd5f9256db34dad3414c58a3d9b25b69");
}

TEST(KeyedHash, IsHmacSha256) {
    EXPECT_EQ(hex(keyed_hash(counting_key(), base::as_bytes("sensors/7/vibration"))),
              "2059eba2008e024a471616fe5e68112f6397d3219e789e1cbdf0063a1fdc2cf0");
}

KeyRing ring_of(std::initializer_list<KeyNumber> numbers) {
    KeyRing keys{MasterKey(counting_key())};
    for (const KeyNumber number : numbers) {
        Secret secret;
        secret.writable()[0] = static_cast<base::Byte>(number);
        keys.add(number, MasterKey(secret));
    }
    return keys;
}

TEST(KeyRing, TheGreatestNumberIsTheNewest) {
    KeyRing keys = ring_of({3, 2});
    EXPECT_EQ(keys.newest(), 3U);
    EXPECT_EQ(keys.numbers(), (std::vector<KeyNumber>{1, 2, 3}));
    keys.remove(1);
    EXPECT_EQ(keys.find(1), nullptr);
    EXPECT_EQ(keys.numbers(), (std::vector<KeyNumber>{2, 3}));
}

TEST(DocumentSealer, OpensItsOwnUnderTheSameNameOnly) {
    CountingEntropy entropy;
    DocumentSealer sealer(ring_of({}), kRuleStatePurpose, entropy);
    const base::Bytes sealed = sealer.seal(base::as_bytes("{\"a\":1}"), base::as_bytes("rule-7"));
    EXPECT_NE(sealed, sealer.seal(base::as_bytes("{\"a\":1}"), base::as_bytes("rule-7")));
    const auto opened = sealer.open(sealed, base::as_bytes("rule-7"));
    ASSERT_TRUE(opened);
    EXPECT_EQ(base::as_text(*opened), "{\"a\":1}");
    EXPECT_EQ(sealer.open(sealed, base::as_bytes("rule-8")).error().code, base::Errc::corrupt);
    EXPECT_EQ(DocumentSealer(KeyRing(MasterKey(Secret())), kRuleStatePurpose, entropy).open(sealed, base::as_bytes("rule-7")).error().code,
              base::Errc::corrupt);
    EXPECT_EQ(DocumentSealer(ring_of({}), kRuleChangesPurpose, entropy).open(sealed, base::as_bytes("rule-7")).error().code,
              base::Errc::corrupt);
}

TEST(DocumentSealer, RefusesEveryFlippedBitAndEveryCut) {
    CountingEntropy entropy;
    DocumentSealer sealer(ring_of({2, 3}), kRuleStatePurpose, entropy);
    const base::Bytes sealed = sealer.seal(base::as_bytes("state"), {});
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
        base::Bytes flipped = sealed;
        flipped[bit / 8] = static_cast<base::Byte>(flipped[bit / 8] ^ (1U << (bit % 8)));
        EXPECT_FALSE(sealer.open(flipped, {})) << bit;
    }
    for (std::size_t size = 0; size < sealed.size(); ++size) EXPECT_FALSE(sealer.open(base::ByteView(sealed).first(size), {})) << size;
}

TEST(DocumentSealer, SealsWithTheNewestAndOpensWithTheOneThatIsNamed) {
    CountingEntropy entropy;
    DocumentSealer sealer(ring_of({}), kRuleStatePurpose, entropy);
    const base::Bytes first = sealer.seal(base::as_bytes("old"), {});
    EXPECT_EQ(DocumentSealer::key_of(first).value(), 1U);
    KeyRing keys = ring_of({2});
    sealer.use(keys);
    const base::Bytes second = sealer.seal(base::as_bytes("new"), {});
    EXPECT_EQ(DocumentSealer::key_of(second).value(), 2U);
    EXPECT_EQ(base::as_text(sealer.open(first, {}).value()), "old");
    EXPECT_EQ(base::as_text(sealer.open(second, {}).value()), "new");
    keys.remove(1);
    sealer.use(keys);
    EXPECT_EQ(sealer.open(first, {}).error().code, base::Errc::wrong_key);
    EXPECT_EQ(base::as_text(sealer.open(second, {}).value()), "new");
}

/// As they were written before keys had numbers.
TEST(DocumentSealer, OpensDocumentsOfFormat1WithKey1) {
    CountingEntropy entropy;
    const Secret key = MasterKey(counting_key()).derive(kRuleStatePurpose);
    base::Bytes sealed{1};
    for (base::Byte byte = 0; byte < 16; ++byte) sealed.push_back(static_cast<base::Byte>(0xb0 + byte));
    sealed.resize(1 + 16 + 3 + kTagBytes);
    const Secret own = derive_key(key, base::ByteView(sealed).subspan(1, 16), base::as_bytes("sluice document"));
    Aead(own).seal(0, base::as_bytes("ledger"), base::as_bytes("abc"), sealed.data() + 17);
    EXPECT_EQ(DocumentSealer::key_of(sealed).value(), 1U);
    const DocumentSealer sealer(ring_of({2}), kRuleStatePurpose, entropy);
    EXPECT_EQ(base::as_text(sealer.open(sealed, base::as_bytes("ledger")).value()), "abc");
}

}  // namespace
}  // namespace sluice::identity

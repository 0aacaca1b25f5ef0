#include "codec/phc/phc.hpp"

#include <gtest/gtest.h>

namespace sluice::phc {
namespace {

using base::Errc;

constexpr std::string_view kGood = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw";

Errc error_of(std::string_view text) {
    const auto result = parse(text);
    return result ? Errc::internal : result.error().code;
}

std::string with_cost(std::string_view cost) { return "$argon2id$v=19$" + std::string(cost) + "$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw"; }

TEST(Phc, a_hash_is_read_and_written_as_it_was) {
    const auto hash = parse(kGood);
    ASSERT_TRUE(hash.has_value());
    EXPECT_EQ(hash->cost, (Cost{19456, 2, 1}));
    EXPECT_EQ(base::as_text(hash->salt), "somesaltsalt");
    ASSERT_EQ(hash->tag.size(), 16U);
    EXPECT_EQ(hash->tag[15], 15);
    EXPECT_EQ(format(*hash), kGood);
    EXPECT_EQ(parse(format(*hash)).value(), *hash);
}

TEST(Phc, base64_of_every_length_comes_back) {
    for (std::size_t salt = kSaltBytesMin; salt <= kSaltBytesMax; ++salt) {
        Argon2id hash{.cost = {8, 1, 1}, .salt = base::Bytes(salt), .tag = base::Bytes(kTagBytesMax, 0xFF)};
        for (std::size_t i = 0; i < salt; ++i) hash.salt[i] = static_cast<base::Byte>(i * 37 + salt);
        const auto read = parse(format(hash));
        ASSERT_TRUE(read.has_value()) << format(hash);
        EXPECT_EQ(*read, hash);
    }
}

TEST(Phc, what_would_cost_too_much_is_refused) {
    EXPECT_EQ(error_of(with_cost("m=4194304,t=1,p=1")), Errc::too_large);  // 4 GiB
    EXPECT_EQ(error_of(with_cost("m=65537,t=1,p=1")), Errc::too_large);
    EXPECT_EQ(error_of(with_cost("m=65536,t=8,p=1")), Errc::internal);
    EXPECT_EQ(error_of(with_cost("m=65536,t=9,p=1")), Errc::too_large);
    EXPECT_EQ(error_of(with_cost("m=64,t=17,p=1")), Errc::too_large);
    EXPECT_EQ(error_of(with_cost("m=1024,t=1,p=9")), Errc::too_large);
    EXPECT_EQ(error_of(with_cost("m=999999999,t=999999999,p=1")), Errc::too_large);
}

TEST(Phc, numbers_that_argon2_does_not_allow_are_invalid) {
    EXPECT_EQ(error_of(with_cost("m=7,t=1,p=1")), Errc::invalid);
    EXPECT_EQ(error_of(with_cost("m=31,t=1,p=4")), Errc::invalid);
    EXPECT_EQ(error_of(with_cost("m=64,t=0,p=1")), Errc::invalid);
    EXPECT_EQ(error_of(with_cost("m=64,t=1,p=0")), Errc::invalid);
    EXPECT_EQ(error_of("$argon2id$v=19$m=64,t=1,p=1$c2FsdA$AAECAwQFBgcICQoLDA0ODw"), Errc::invalid);
    EXPECT_EQ(error_of("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzYWx0$AAECAw"), Errc::invalid);
}

TEST(Phc, other_functions_and_versions_are_unsupported) {
    EXPECT_EQ(error_of("$2b$12$abcdefghijklmnopqrstuv"), Errc::unsupported);
    EXPECT_EQ(error_of("$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw"), Errc::unsupported);
    EXPECT_EQ(error_of("$argon2id$v=16$m=64,t=1,p=1$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw"), Errc::unsupported);
    EXPECT_EQ(error_of("$argon2id$m=64,t=1,p=1$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODw"), Errc::unsupported);
}

TEST(Phc, there_is_one_way_to_write_a_hash) {
    EXPECT_EQ(error_of(""), Errc::malformed);
    EXPECT_EQ(error_of("secret"), Errc::malformed);
    EXPECT_EQ(error_of(with_cost("m=064,t=1,p=1")), Errc::malformed);
    EXPECT_EQ(error_of(with_cost("t=1,m=64,p=1")), Errc::malformed);
    EXPECT_EQ(error_of(with_cost("m=64,t=1")), Errc::malformed);
    EXPECT_EQ(error_of(with_cost("m=64,t=1,p=1,x=2")), Errc::malformed);
    EXPECT_EQ(error_of(with_cost("m=-4,t=1,p=1")), Errc::malformed);
    EXPECT_EQ(error_of(std::string(kGood) + "="), Errc::malformed);
    EXPECT_EQ(error_of(std::string(kGood) + "$x"), Errc::malformed);
    EXPECT_EQ(error_of("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzYWx0$AAECAwQFBgcICQoLDA0ODx"), Errc::malformed) << "bits behind the end";
    EXPECT_EQ(error_of(std::string(kGood) + std::string(300, 'A')), Errc::malformed);
}

TEST(Phc, weak_costs_are_known) {
    EXPECT_TRUE(is_weak({8, 1, 1}));
    EXPECT_TRUE(is_weak({19456, 1, 1}));
    EXPECT_FALSE(is_weak({19456, 2, 1}));
    EXPECT_FALSE(is_weak({7168, 5, 1}));
    EXPECT_FALSE(is_weak({65536, 3, 4}));
}

}  // namespace
}  // namespace sluice::phc

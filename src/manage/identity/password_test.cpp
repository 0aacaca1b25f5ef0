#include "manage/identity/password.hpp"

#include <gtest/gtest.h>

namespace sluice::identity {
namespace {

class Counting final : public env::Entropy {
public:
    void fill(std::span<base::Byte> out) override {
        for (auto& byte : out) byte = next_++;
    }

private:
    base::Byte next_ = 0;
};

constexpr phc::Cost kCheap{.memory_kib = 8, .passes = 1, .lanes = 1};

/// Made by Debian's argon2 command: `printf password | argon2 somesalt -id -t 2 -k 256 -p 1 -l 24 -e` (and -p 2).
TEST(Password, hashes_of_the_reference_program_are_verified) {
    for (const char* text : {"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$79CPBBtFLAJe3yMqiKHvf7zwXFiecLBi",
                             "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$5cmjPIOJnS9cibudqE+DN3oCkFOfh2Mv"}) {
        const auto hash = phc::parse(text);
        ASSERT_TRUE(hash.has_value()) << text;
        EXPECT_TRUE(is_password(*hash, base::as_bytes("password"))) << text;
        EXPECT_FALSE(is_password(*hash, base::as_bytes("Password"))) << text;
        EXPECT_FALSE(is_password(*hash, {})) << text;
    }
}

TEST(Password, a_new_hash_verifies_its_password_only_and_has_its_own_salt) {
    Counting entropy;
    const auto one = hash_password(base::as_bytes("secret"), kCheap, entropy);
    const auto two = hash_password(base::as_bytes("secret"), kCheap, entropy);
    ASSERT_TRUE(one.has_value() && two.has_value());
    EXPECT_TRUE(is_password(*one, base::as_bytes("secret")));
    EXPECT_FALSE(is_password(*one, base::as_bytes("secret ")));
    EXPECT_NE(one->salt, two->salt);
    EXPECT_NE(one->tag, two->tag);
    EXPECT_EQ(phc::parse(phc::format(*one)).value(), *one);
}

TEST(Password, what_new_hashes_cost_is_within_the_bounds_and_not_weak) {
    Counting entropy;
    const auto hash = hash_password(base::as_bytes("x"), kPasswordCost, entropy);
    ASSERT_TRUE(hash.has_value());
    EXPECT_TRUE(phc::parse(phc::format(*hash)).has_value());
    EXPECT_FALSE(phc::is_weak(kPasswordCost));
}

TEST(Password, passwords_of_every_allowed_length_work_and_longer_ones_are_refused) {
    Counting entropy;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kPasswordBytesMax}) {
        const base::Bytes password(size, 0xFF);
        const auto hash = hash_password(password, kCheap, entropy);
        ASSERT_TRUE(hash.has_value());
        EXPECT_TRUE(is_password(*hash, password));
    }
    const base::Bytes longer(kPasswordBytesMax + 1, 1);
    EXPECT_EQ(hash_password(longer, kCheap, entropy).error().code, base::Errc::too_large);
}

}  // namespace
}  // namespace sluice::identity

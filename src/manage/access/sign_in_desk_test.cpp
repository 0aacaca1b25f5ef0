#include "manage/access/sign_in_desk.hpp"

#include <random>

#include <gtest/gtest.h>

namespace sluice::access {
namespace {

using namespace std::chrono_literals;

CredentialDigest digest_of(std::uint64_t number) {
    CredentialDigest digest{};
    base::store_le(digest.data(), number * 0x9E3779B97F4A7C15U + 1);
    base::store_le(digest.data() + 8, number);
    return digest;
}

class Desk : public testing::Test {
protected:
    SignIn sign_in(std::string user, std::uint64_t password, SourceAddress from = 1) const {
        return {.connection = password, .address = from, .user = std::move(user), .digest = digest_of(password), .came = now};
    }
    std::optional<SignInAnswer> take(std::string user, std::uint64_t password, SourceAddress from = 1) {
        SignIn one = sign_in(std::move(user), password, from);
        return desk.take(one, now);
    }
    /// Hashes all that wait; right are even passwords. Returns how many hashes that took.
    int work() {
        int hashes = 0;
        std::vector<SignInDesk::Answered> answered;
        while (auto one = desk.next(now, answered)) {
            ++hashes;
            answers[static_cast<std::size_t>(desk.done(*one, one->connection % 2 == 0, now))]++;
        }
        for (const auto& one : answered) answers[static_cast<std::size_t>(one.answer)]++;
        return hashes;
    }
    int answered(SignInAnswer answer) { return std::exchange(answers[static_cast<std::size_t>(answer)], 0); }

    base::Monotonic now{1000s};
    DeskLimits limits;
    SignInDesk desk{limits, 7};
    std::array<int, 4> answers{};
};

TEST_F(Desk, what_was_right_once_needs_no_second_hash) {
    EXPECT_EQ(take("ana", 2), std::nullopt);
    EXPECT_EQ(work(), 1);
    EXPECT_EQ(take("ana", 2), SignInAnswer::welcome);
    EXPECT_EQ(take("ana", 4), std::nullopt) << "another password, or another stored hash";
    EXPECT_EQ(desk.counters().remembered, 1U);
    EXPECT_EQ(desk.counters().verified, 1U);
}

TEST_F(Desk, what_was_wrong_is_not_remembered) {
    EXPECT_EQ(take("ana", 1), std::nullopt);
    EXPECT_EQ(work(), 1);
    EXPECT_EQ(answered(SignInAnswer::wrong), 1);
    EXPECT_EQ(take("ana", 1), std::nullopt);
    EXPECT_EQ(work(), 1);
}

TEST_F(Desk, many_with_the_same_credentials_wait_for_one_hash) {
    for (int i = 0; i < 200; ++i) EXPECT_EQ(take("sensors", 2), std::nullopt);
    EXPECT_EQ(work(), 1);
    EXPECT_EQ(answered(SignInAnswer::welcome), 200);
}

TEST_F(Desk, guesses_sent_at_once_are_worth_no_more_than_one_after_the_other) {
    for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(take("ana", 2 * i + 1), std::nullopt);
    EXPECT_EQ(work(), 5) << "the sixth finds the pause";
    EXPECT_EQ(answered(SignInAnswer::pause), 95);
    EXPECT_EQ(take("ana", 2), SignInAnswer::pause) << "the right one is not looked at either, or it could be found";
    now += 1s;
    EXPECT_EQ(take("ana", 2), std::nullopt);
}

TEST_F(Desk, a_pause_holds_for_remembered_credentials_too) {
    EXPECT_EQ(take("ana", 2), std::nullopt);
    work();
    for (std::uint64_t i = 0; i < 5; ++i) EXPECT_EQ(take("ana", 2 * i + 1), std::nullopt);
    work();
    EXPECT_EQ(take("ana", 2), SignInAnswer::pause);
    EXPECT_EQ(take("ana", 2, 9), SignInAnswer::welcome) << "from another address";
}

TEST_F(Desk, one_address_cannot_fill_the_queue) {
    for (std::uint64_t i = 0; i < limits.waiting_of_address_max; ++i) EXPECT_EQ(take("u" + std::to_string(i), 2 * i), std::nullopt);
    EXPECT_EQ(take("ana", 9'000), SignInAnswer::busy);
    EXPECT_EQ(take("ana", 9'000, 2), std::nullopt);
    EXPECT_EQ(desk.counters().busy, 1U);
}

TEST_F(Desk, the_queue_is_bounded_and_empties_again) {
    for (std::uint64_t i = 0; i < limits.waiting_max; ++i) EXPECT_EQ(take("u" + std::to_string(i), 2 * i, i), std::nullopt);
    EXPECT_EQ(desk.counters().waiting, limits.waiting_max);
    EXPECT_EQ(take("ana", 9'000, 9'999'999), SignInAnswer::busy);
    EXPECT_EQ(work(), static_cast<int>(limits.waiting_max));
    EXPECT_EQ(desk.counters().waiting, 0U);
    EXPECT_EQ(take("ana", 9'000, 9'999'999), std::nullopt);
}

TEST_F(Desk, who_waited_too_long_is_told_so_and_costs_no_hash) {
    EXPECT_EQ(take("ana", 2), std::nullopt);
    now += limits.wait_max + 1ms;
    EXPECT_EQ(take("bob", 4), std::nullopt);
    EXPECT_EQ(work(), 1);
    EXPECT_EQ(answered(SignInAnswer::busy), 1);
    EXPECT_EQ(answered(SignInAnswer::welcome), 1);
}

TEST_F(Desk, every_sign_in_is_answered_exactly_once_whatever_happens) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    int asked = 0;
    int at_once = 0;
    for (int i = 0; i < 20'000; ++i) {
        now += std::chrono::milliseconds(random() % 30);
        ++asked;
        if (take("u" + std::to_string(random() % 30), random() % 40, random() % 10)) ++at_once;
        if (random() % 50 == 0) work();
    }
    work();
    int later = 0;
    for (const int count : answers) later += count;
    EXPECT_EQ(at_once + later, asked);
    const auto& counters = desk.counters();
    EXPECT_EQ(counters.verified + counters.remembered + counters.wrong + counters.paused + counters.busy,
              static_cast<std::uint64_t>(asked));
}

TEST(RememberedCredentials, the_oldest_goes_first) {
    RememberedCredentials known(100);
    for (std::uint64_t i = 0; i < 150; ++i) known.insert(digest_of(i));
    EXPECT_EQ(known.size(), 100U);
    for (std::uint64_t i = 0; i < 150; ++i) EXPECT_EQ(known.contains(digest_of(i)), i >= 50) << i;
}

TEST(RememberedCredentials, all_of_a_digest_counts) {
    RememberedCredentials known(10);
    known.insert(digest_of(1));
    for (std::size_t bit = 0; bit < 256; ++bit) {
        auto other = digest_of(1);
        other[bit / 8] = static_cast<base::Byte>(other[bit / 8] ^ (1U << (bit % 8)));
        EXPECT_FALSE(known.contains(other)) << bit;
    }
    EXPECT_TRUE(known.contains(digest_of(1)));
}

}  // namespace
}  // namespace sluice::access

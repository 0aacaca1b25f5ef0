#include "gateway/address_turns.hpp"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

using namespace std::chrono_literals;
constexpr base::Monotonic kNow{1h};

TEST(AddressTurns, each_has_its_share_of_what_is_left_and_the_last_all_of_it) {
    AddressTurns turns;
    turns.begin({"a", "b", "c"}, kNow + 9s);
    EXPECT_EQ(turns.next(kNow), "a");
    EXPECT_EQ(turns.due(), kNow + 3s);
    EXPECT_EQ(turns.next(kNow + 1s), "b") << "it was refused before its time was over";
    EXPECT_EQ(turns.due(), kNow + 5s);
    EXPECT_EQ(turns.next(kNow + 5s), "c");
    EXPECT_FALSE(turns.due());
    EXPECT_FALSE(turns.next(kNow + 6s));
}

TEST(AddressTurns, one_address_has_all_the_time) {
    AddressTurns turns;
    turns.begin({"a"}, kNow + 9s);
    EXPECT_EQ(turns.next(kNow), "a");
    EXPECT_FALSE(turns.due());
}

TEST(AddressTurns, nothing_is_due_when_it_has_ended) {
    AddressTurns turns;
    turns.begin({"a", "b"}, kNow + 9s);
    static_cast<void>(turns.next(kNow));
    turns.end();
    EXPECT_FALSE(turns.due());
    EXPECT_FALSE(turns.next(kNow));
}

}  // namespace
}  // namespace sluice::gateway

#include "gateway/key_desk.hpp"

#include <gtest/gtest.h>

namespace sluice::gateway {
namespace {

identity::KeyRing ring(std::initializer_list<identity::KeyNumber> more) {
    identity::KeyRing keys{identity::MasterKey(identity::Secret())};
    for (const auto number : more) keys.add(number, identity::MasterKey(identity::Secret()));
    return keys;
}

constexpr std::array kAll{KeyHolder::spool, KeyHolder::journal, KeyHolder::state, KeyHolder::rules, KeyHolder::sessions};

TEST(KeyDesk, no_key_is_idle_before_each_holder_seals_with_the_newest) {
    KeyDesk desk(ring({2}));
    for (const KeyHolder last : kAll) {
        for (const KeyHolder each : kAll) desk.report(each, 2, {});
        desk.report(last, 1, {});
        EXPECT_TRUE(desk.idle().empty()) << name(last);
        desk.report(last, 2, {});
        EXPECT_EQ(desk.idle(), std::vector<identity::KeyNumber>{1}) << name(last);
    }
    // Somebody who has not said anything yet may seal with any.
    KeyDesk fresh(ring({2}));
    for (const KeyHolder each : kAll)
        if (each != KeyHolder::rules) fresh.report(each, 2, {});
    EXPECT_TRUE(fresh.idle().empty());
}

TEST(KeyDesk, a_key_that_somebody_needs_stays_and_those_around_it_go) {
    KeyDesk desk(ring({2, 3}));
    for (const KeyHolder each : kAll) desk.report(each, 3, {{3, 1, 10}});
    desk.report(KeyHolder::spool, 3, {{2, 4, 100}, {3, 1, 10}});
    EXPECT_EQ(desk.idle(), std::vector<identity::KeyNumber>{1});
    EXPECT_EQ(desk.view().older_bytes(), 100U);
    EXPECT_EQ(desk.view().older_items(KeyHolder::spool), 4U);
    EXPECT_EQ(desk.view().older_items(KeyHolder::sessions), 0U);
    desk.report(KeyHolder::spool, 3, {{3, 1, 10}});
    EXPECT_EQ(desk.idle(), (std::vector<identity::KeyNumber>{1, 2}));
}

TEST(KeyDesk, with_a_newer_key_nothing_is_idle_until_all_have_taken_it) {
    KeyDesk desk(ring({2}));
    for (const KeyHolder each : kAll) desk.report(each, 2, {});
    const auto before = desk.edition();
    desk.publish(ring({2, 3}));
    EXPECT_NE(desk.edition(), before);
    EXPECT_TRUE(desk.idle().empty());
    EXPECT_EQ(desk.view().keys, (std::vector<identity::KeyNumber>{1, 2, 3}));
}

}  // namespace
}  // namespace sluice::gateway

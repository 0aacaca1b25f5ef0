#include "flow/rules/key_table.hpp"

#include <cmath>
#include <cstring>
#include <limits>
#include <list>
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace sluice::rules {
namespace {

using json::Value;

std::string encoded(const std::vector<Value>& components) {
    base::Bytes scratch;
    return std::string(encode_key(components, scratch));
}

StateBudget ample() { return {.bytes = 0, .bytes_max = std::size_t{1} << 30}; }

TEST(Key, a_text_stands_for_itself_so_that_a_device_and_its_client_id_meet_on_one_shard) {
    EXPECT_EQ(encoded({Value::text("sensor-1")}), "sensor-1");
    EXPECT_NE(encoded({Value::text("\x01")}), "\x01") << "it could be taken for a tag";
}

TEST(Key, different_values_have_different_keys) {
    const std::vector<std::vector<Value>> lists{
        {},
        {Value::null()},
        {Value::boolean(false)},
        {Value::boolean(true)},
        {Value::integer(1)},
        {Value::number(1.5)},
        {Value::text("")},
        {Value::text("1")},
        {Value::text("\x01")},
        {Value::raw("[1]")},
        {Value::text("a"), Value::text("bc")},
        {Value::text("ab"), Value::text("c")},
        {Value::text("a"), Value::null()},
        {Value::null(), Value::text("a")},
        {Value::number(std::numeric_limits<double>::infinity())},
    };
    for (std::size_t i = 1; i < lists.size(); ++i) {
        for (std::size_t k = 1; k < i; ++k) EXPECT_NE(encoded(lists[i]), encoded(lists[k])) << i << " and " << k;
        std::vector<Value> back(lists[i].size());
        const std::string key = encoded(lists[i]);
        ASSERT_TRUE(decode_key(key, back)) << i;
        EXPECT_EQ(encoded(back), key) << i;
        std::vector<Value> more(back.size() + 1);
        EXPECT_FALSE(decode_key(key, more)) << i;
    }
    EXPECT_EQ(encoded({Value::integer(1)}), encoded({Value::number(1.0)})) << "equal numbers are one key";
    EXPECT_EQ(encoded({Value::integer(0)}), encoded({Value::number(-0.0)}));
    EXPECT_EQ(encoded({Value{}}), encoded({Value::null()}));
}

TEST(Key, cut_keys_are_refused) {
    const std::string key = encoded({Value::text("abc"), Value::integer(5), Value::number(2.5), Value::raw("{}")});
    std::vector<Value> back(4);
    ASSERT_TRUE(decode_key(key, back));
    for (std::size_t size = 0; size < key.size(); ++size) EXPECT_FALSE(decode_key(key.substr(0, size), back)) << size;
}

TEST(KeyTable, keys_keep_their_series_and_their_rows_while_the_table_grows) {
    StateBudget budget = ample();
    KeyTable table(16, 100'000, 42, budget);
    const auto key_of = [](int i) { return "device-" + std::to_string(i) + (i % 7 == 0 ? std::string(60, 'x') : ""); };
    for (int i = 0; i < 5000; ++i) {
        const auto series = table.add(key_of(i));
        ASSERT_EQ(series, static_cast<std::uint32_t>(i));
        EXPECT_EQ(static_cast<int>(table.row(*series)[8]), 0) << "rows begin zeroed";
        table.row(*series)[8] = static_cast<std::byte>(i);
    }
    for (int i = 0; i < 5000; ++i) {
        const auto series = table.find(key_of(i));
        ASSERT_EQ(series, static_cast<std::uint32_t>(i));
        EXPECT_EQ(table.key(*series), key_of(i));
        EXPECT_EQ(table.row(*series)[8], static_cast<std::byte>(i));
    }
    EXPECT_EQ(table.find("device-5000"), std::nullopt);
}

TEST(KeyTable, a_full_table_takes_no_more_keys_but_knows_those_it_has) {
    StateBudget budget = ample();
    KeyTable table(8, 2, 42, budget);
    EXPECT_TRUE(table.add("a"));
    EXPECT_TRUE(table.add("b"));
    EXPECT_FALSE(table.add("c"));
    EXPECT_TRUE(table.add("a"));
}

TEST(KeyTable, memory_and_key_length_are_bounded) {
    StateBudget budget{.bytes = 0, .bytes_max = 300};
    KeyTable table(64, 1000, 42, budget);
    int taken = 0;
    for (int i = 0; i < 100; ++i) taken += table.add(std::to_string(i)) ? 1 : 0;
    EXPECT_EQ(taken, 2);
    StateBudget large = ample();
    KeyTable other(8, 1000, 42, large);
    const std::string longest(KeyTable::kKeyBytesMax, 'k');
    EXPECT_TRUE(other.add(longest));
    EXPECT_FALSE(other.add(longest + "k"));
}

/// Keys short and long come and go in a table of few slots, where they stand in each other's way.
TEST(KeyTable, what_is_forgotten_is_gone_and_everything_else_is_found) {
    std::mt19937 random(1);
    for (const std::size_t keys_max : {1U, 2U, 5U, 64U, 300U}) {
        StateBudget budget = ample();
        KeyTable table(64, keys_max, 7, budget, true);
        std::map<std::string, std::uint32_t> known;
        std::list<std::string> seen;  // latest first
        for (int step = 0; step < 20'000; ++step) {
            const auto number = static_cast<std::uint32_t>(random() % 400);
            const std::string key = std::to_string(number) + std::string(number % 3 == 0 ? 50 : 0, 'x');
            if (!known.contains(key) && known.size() == keys_max) {
                ASSERT_EQ(table.add(key), std::nullopt) << "nobody makes room";
                ASSERT_EQ(table.key(table.oldest().value()), seen.back());
                table.forget(*table.oldest());
                known.erase(seen.back());
                seen.pop_back();
            }
            const auto series = table.add(key);
            ASSERT_TRUE(series.has_value());
            if (const auto [at, fresh] = known.emplace(key, *series); fresh) {
                for (std::size_t i = sizeof(KeyOrder); i < 64; ++i) ASSERT_EQ(table.row(*series)[i], std::byte{0});
                std::memset(table.row(*series) + sizeof(KeyOrder), 0xAA, 64 - sizeof(KeyOrder));
            } else {
                ASSERT_EQ(at->second, *series);
            }
            table.see(*series, step);
            std::erase(seen, key);
            seen.push_front(key);
            ASSERT_EQ(table.size(), known.size());
            ASSERT_LE(table.rows(), keys_max);
        }
        for (const auto& [key, series] : known) {
            EXPECT_EQ(table.find(key), series);
            EXPECT_EQ(table.key(series), key);
        }
        for (std::uint32_t number = 0; number < 400; ++number) {
            const std::string key = std::to_string(number);
            EXPECT_EQ(table.find(key).has_value(), known.contains(key));
        }
        while (table.oldest()) table.forget(*table.oldest());
        EXPECT_EQ(budget.bytes, 0U);
    }
}

}  // namespace
}  // namespace sluice::rules

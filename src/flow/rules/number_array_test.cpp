#include "flow/rules/number_array.hpp"

#include <cmath>
#include <random>
#include <string>

#include <gtest/gtest.h>

namespace sluice::rules {
namespace {

std::vector<double> numbers(std::string_view raw) {
    NumberArray array;
    const auto found = array.read(raw);
    if (!found) return {-999};
    return {found->begin(), found->end()};
}

TEST(NumberArray, takes_all_forms_of_a_number) {
    EXPECT_EQ(numbers("[1, -2.5 ,3e2,\n0,-0.125E-1,12345678901234567890, 0.1]"),
              (std::vector<double>{1, -2.5, 300, 0, -0.0125, 12345678901234567890.0, 0.1}));
    EXPECT_EQ(numbers("[]"), std::vector<double>{});
    EXPECT_EQ(numbers("[ ]"), std::vector<double>{});
    EXPECT_EQ(numbers("[1e-400,4]"), (std::vector<double>{0, 4}));
    EXPECT_TRUE(std::signbit(numbers("[-0]")[0]));
}

TEST(NumberArray, has_nothing_where_an_element_is_no_number) {
    for (const char* raw : {"[1,null]", "[\"1\"]", "[1,[2]]", "[true]", "{\"a\":1}", "[{}]", "[1,1e999]", "[-1e999]", "\"[1]\""})
        EXPECT_EQ(numbers(raw), std::vector<double>{-999}) << raw;
}

TEST(NumberArray, knows_whether_all_are_whole) {
    NumberArray array;
    for (const char* raw : {"[]", "[0]", "[1,-2]", "[9007199254740993,12345678901234567890]"}) {
        ASSERT_TRUE(array.read(raw));
        EXPECT_TRUE(array.all_whole()) << raw;
    }
    for (const char* raw : {"[1.0,2]", "[1,2e3]", "[1,2E0]", "[0.5]", "[9007199254740993.0]", "[1e-400,4]"}) {
        ASSERT_TRUE(array.read(raw));
        EXPECT_FALSE(array.all_whole()) << raw;
    }
}

TEST(NumberArray, reads_as_the_standard_library_does) {
    std::mt19937_64 random(7);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same numbers each time
    for (int i = 0; i < 20'000; ++i) {
        const double scale = std::pow(10.0, static_cast<double>(random() % 24) - 12);
        const double wanted = (static_cast<double>(random() % 2'000'000'007) - 1e9) * scale;
        const std::string text = std::to_string(i % 3 == 0 ? std::floor(wanted) : wanted);
        ASSERT_EQ(numbers("[" + text + "]"), std::vector<double>{std::stod(text)}) << text;
    }
}

}  // namespace
}  // namespace sluice::rules

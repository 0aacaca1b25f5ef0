// Random rules and readings, the same at each run; SLUICE_SEED starts elsewhere, SLUICE_CASES runs more of them.
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>

#include "comparison.hpp"

namespace sluice::rules::plain {
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(PlainRules, the_engine_puts_out_what_a_plain_interpreter_does) {
    const std::uint64_t seed = number_from("SLUICE_SEED", 1);
    const std::uint64_t cases = number_from("SLUICE_CASES", 400);
    std::size_t compared = 0;
    std::size_t rows = 0;
    for (std::uint64_t i = seed; i < seed + cases; ++i) {
        std::mt19937_64 random(i);
        std::vector<std::uint8_t> bytes(2000);
        for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
        const Finding finding = compare(make_case(bytes));
        ASSERT_TRUE(finding.difference.empty()) << "SLUICE_SEED=" << i << "\n" << finding.difference;
        compared += finding.compared ? 1 : 0;
        rows += finding.rows;
    }
    EXPECT_EQ(compared, cases);  // what is made at random compiles
    EXPECT_GT(rows, 10 * cases);
}

}  // namespace
}  // namespace sluice::rules::plain

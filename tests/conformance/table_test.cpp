// The table in docs/conformance.md, made from the statements and from the names of the tests: every statement that binds the server has
// one.
#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "statements.hpp"

namespace sluice::conformance {
namespace {

/// By number: the sentences of its tests.
using Tests = std::map<std::string, std::set<std::string>, std::less<>>;

/// "MQTT_3_1_2_24_MQTT_3_1_2_25_what_is_true": both numbers, "what is true".
void note(Tests& tests, const std::string& name, std::string_view where) {
    static const std::regex kNumber("MQTT_(\\d+)_(\\d+)_(\\d+)_(\\d+)_");
    std::vector<std::string> numbers;
    std::string sentence = name;
    for (std::smatch match; std::regex_search(sentence, match, kNumber, std::regex_constants::match_continuous);) {
        numbers.push_back(fmt::format("{}.{}.{}-{}", match.str(1), match.str(2), match.str(3), match.str(4)));
        sentence = match.suffix();
    }
    for (char& c : sentence)
        if (c == '_') c = ' ';
    for (const auto& number : numbers) tests[number].insert(fmt::format("{}{}", sentence, where));
}

Tests tests_of(std::string_view suite) {
    Tests tests;
    const auto& all = *testing::UnitTest::GetInstance();
    for (int i = 0; i < all.total_test_suite_count(); ++i) {
        const auto& one = *all.GetTestSuite(i);
        if (one.name() != suite) continue;
        for (int j = 0; j < one.total_test_count(); ++j) note(tests, one.GetTestInfo(j)->name(), "");
    }
    std::ifstream system(SLUICE_SOURCE_DIR "/tests/system/conformance_test.py");
    const std::regex definition(fmt::format("    def test_{}_(MQTT_\\w+)\\(.*", suite));
    std::smatch match;
    for (std::string line; std::getline(system, line);)
        if (std::regex_match(line, match, definition)) note(tests, match.str(1), " (over TCP)");
    return tests;
}

std::string tests_column(const Statement& row, const Tests& tests) {
    if (row.whom == Whom::client) return "clients only";
    const auto found = tests.find(row.number);
    if (found == tests.end()) return "not applicable";
    std::string text;
    for (const auto& sentence : found->second) text += (text.empty() ? "" : "; ") + sentence;
    return text;
}

std::string section(std::string_view title, std::span<const Statement> statements, const Tests& tests) {
    std::string page = fmt::format("\n## {}\n\n| statement | asks, in our words | tests |\n|---|---|---|\n", title);
    for (const Statement& row : statements) page += fmt::format("| {} | {} | {} |\n", row.number, row.words, tests_column(row, tests));
    return page;
}

std::string page() {
    return "# Conformance\n\n"
           "Each numbered requirement `[MQTT-…]` of both OASIS standards, what it asks in our own short words, and the tests that hold the "
           "hub to it. "
           "They\nare in `tests/conformance` (packets written byte by byte, against the hub without sockets) and, where sockets matter, "
           "in\n"
           "`tests/system/conformance_test.py`. How choices were made that the standards leave open: "
           "`decisions/0014-answers-as-mosquitto-gives.md`.\n\n"
           "*Generated from the tests: `SLUICE_UPDATE=1 conformance_test --gtest_filter='Conformance.*'`.*\n" +
           section("MQTT 5.0", statements_5(), tests_of("Mqtt5")) + section("MQTT 3.1.1", statements_311(), tests_of("Mqtt311"));
}

void expect_covered(std::span<const Statement> statements, const Tests& tests) {
    std::set<std::string, std::less<>> known;
    for (const Statement& row : statements) {
        EXPECT_TRUE(known.emplace(row.number).second) << row.number << " is there twice";
        const bool tested = tests.contains(row.number);
        EXPECT_TRUE(tested || row.whom != Whom::server) << "no test for " << row.number << ": " << row.words;
        EXPECT_FALSE(tested && row.whom == Whom::client) << row.number << " binds clients";
    }
    for (const auto& [number, sentences] : tests)
        EXPECT_TRUE(known.contains(number)) << number << " is no statement: " << *sentences.begin();
}

TEST(Conformance, every_statement_that_binds_a_server_has_a_test) {
    expect_covered(statements_5(), tests_of("Mqtt5"));
    expect_covered(statements_311(), tests_of("Mqtt311"));
}

TEST(Conformance, the_table_in_docs_is_up_to_date) {
    const std::string path = SLUICE_SOURCE_DIR "/docs/conformance.md";
    if (std::getenv("SLUICE_UPDATE") != nullptr) std::ofstream(path) << page();
    std::ifstream file(path);
    std::stringstream written;
    written << file.rdbuf();
    EXPECT_EQ(written.str(), page()) << "write it anew with SLUICE_UPDATE=1";
}

}  // namespace
}  // namespace sluice::conformance

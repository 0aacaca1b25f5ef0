// What holds for every function of the table, whatever it computes. Its values are tested in tests/rules.
#include "flow/rules/functions.hpp"

#include <array>
#include <random>

#include <gtest/gtest.h>

#include "codec/json/scanner.hpp"
#include "flow/rules/rehearsal.hpp"

namespace sluice::rules {
namespace {

class Lines final : public RowSink {
public:
    void row(std::size_t, std::string_view json) override { lines.emplace_back(json); }
    std::vector<std::string> lines;
};

struct Outcome {
    std::vector<std::string> lines;
    std::uint64_t bad_values = 0;
};

Outcome run(const std::string& sql, const std::vector<std::string>& payloads, const Limits& limits = {}) {
    const RuleSpec spec{.id = "r", .sql = sql, .columns_wanted = {}};
    const Compiled compiled = compile({&spec, 1}, limits);
    EXPECT_NE(compiled.plan, nullptr) << sql << "\n" << (compiled.problems[0].empty() ? "" : compiled.problems[0][0].message);
    if (compiled.plan == nullptr) return {};
    Lines sink;
    Rehearsal rehearsal(compiled.plan, {}, sink);
    for (const std::string& payload : payloads) rehearsal.reading("t", payload);
    return {.lines = sink.lines, .bad_values = rehearsal.counters()[0].bad_value};
}

/// A call with `count` arguments: fields x0, x1, … where any value may come, and something good where it must be written out.
std::string call(const FunctionInfo& function, std::size_t count) {
    std::string sql = "SELECT " + std::string(function.name) + "(";
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0) sql += ", ";
        switch (function.arguments.letter(i)) {
            case 'i':
                sql += "1";
                break;
            case 'r':
                sql += "'(a|b)*'";
                break;
            case 'u':
                sql += "'day'";
                break;
            case 'f':
                sql += "'yyyy-MM-dd'";
                break;
            case 'z':
                sql += "'+02:00'";
                break;
            case 'p':
                sql += "'$.a[0]'";
                break;
            case 'g':
                sql += "'balls=9 ball=7.94 pitch=39.04'";
                break;
            default:
                sql += "x" + std::to_string(i);
        }
    }
    return sql + ") AS y FROM 't'";
}

/// The numbers of arguments that a function can be called with, up to a few.
std::vector<std::size_t> counts(const FunctionInfo& function) {
    std::vector<std::size_t> result;
    for (std::size_t i = function.arguments.least(); i <= std::min(function.arguments.most(), function.arguments.least() + 3); ++i) {
        if (function.id != Function::object || i % 2 == 0) result.push_back(i);
    }
    return result;
}

TEST(EveryFunction, gives_json_for_whatever_values_come) {
    constexpr std::array<std::string_view, 22> kValues{"null",
                                                       "true",
                                                       "false",
                                                       "0",
                                                       "-1",
                                                       "3",
                                                       "1.5",
                                                       "1e308",
                                                       "-9223372036854775808",
                                                       "9007199254740993",
                                                       "\"\"",
                                                       "\"a\"",
                                                       "\"é€😀\"",
                                                       "\"\\u0000\\n\\\"\"",
                                                       "\"2024-02-29T12:00:00Z\"",
                                                       "\"[1,{\\\"a\\\":2}]\"",
                                                       "[]",
                                                       "[1,2.5,-3]",
                                                       "[\"b\",\"\\u0061\",null,[[]]]",
                                                       "{}",
                                                       "{\"a\":[7],\"\\u0061\":\"x\"}",
                                                       "1709208000500"};
    std::mt19937_64 random(11);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same values each time
    json::Scanner scanner;
    const json::FieldSet no_fields;
    for (const FunctionInfo* function : kFunctions) {
        if (function->kind != FunctionKind::scalar) continue;
        for (const std::size_t count : counts(*function)) {
            std::vector<std::string> payloads;
            for (int i = 0; i < 100; ++i) {
                std::string payload = "{\"x\":1";
                for (std::size_t k = 0; k < count; ++k)
                    payload += ",\"x" + std::to_string(k) + "\":" + std::string(kValues[random() % kValues.size()]);
                payloads.push_back(payload + "}");
            }
            const Outcome outcome = run(call(*function, count), payloads);
            ASSERT_EQ(outcome.lines.size(), payloads.size()) << function->name;
            for (std::size_t i = 0; i < payloads.size(); ++i) {
                base::Bytes padded(outcome.lines[i].begin(), outcome.lines[i].end());
                padded.resize(padded.size() + data::kReadablePadding);
                EXPECT_TRUE(scanner.scan(base::ByteView(padded).first(outcome.lines[i].size()), no_fields, {}))
                    << call(*function, count) << "\n"
                    << payloads[i] << "\n"
                    << outcome.lines[i];
            }
        }
    }
}

TEST(EveryFunction, counts_no_bad_value_for_null) {
    for (const FunctionInfo* function : kFunctions) {
        if (function->kind != FunctionKind::scalar || function->id == Function::object) continue;  // NULL is no key
        for (const std::size_t count : counts(*function)) EXPECT_EQ(run(call(*function, count), {"{}"}).bad_values, 0U) << function->name;
    }
}

TEST(EveryFunction, counts_a_value_of_the_wrong_type_once) {
    const Outcome outcome = run("SELECT upper(a) AS a, array_max(b) AS b, date_trunc('day', c) AS c, TRY_CAST(d AS double) AS d FROM 't'",
                                {R"({"a":1,"b":{},"c":"x","d":"x"})", R"({"a":"x","b":[1,null],"c":true,"d":{}})"});
    EXPECT_EQ(outcome.lines,
              (std::vector<std::string>{R"({"a":null,"b":null,"c":null,"d":null})", R"({"a":"X","b":null,"c":null,"d":null})"}));
    EXPECT_EQ(outcome.bad_values, 5U);
}

class Nowhere final : public Output {
public:
    void emit(const OutputRow&) override {}
    void forward(data::ShardIndex, PartitionMask, const data::Reading&) override {}
};

// Whatever walks over an array later believes that it was found valid: bytes from a disk were not.
TEST(SavedState, holds_no_array_that_is_no_json) {
    const RuleSpec spec{.id = "r", .sql = "SELECT lag(v) OVER (PARTITION BY k) AS w FROM 't'", .columns_wanted = {}};
    const auto plan = compile({&spec, 1}).plan;
    const std::string_view payload = R"({"k":1,"v":[1,"a"]})";
    base::Bytes padded(payload.begin(), payload.end());
    padded.resize(padded.size() + data::kReadablePadding);
    Engine engine(plan, {});
    Nowhere nowhere;
    engine.process({.topic = "t", .payload = base::ByteView(padded).first(payload.size()), .client = {}, .arrived = {}, .at = {}},
                   kAllPartitions, nowhere);
    base::Bytes saved;
    SaveCursor cursor;
    EXPECT_FALSE(engine.save_some(cursor, 1 << 20, {}, {}, saved));
    EXPECT_TRUE(Engine(plan, {}).restore(saved, {}, {}));
    const std::size_t at = base::as_text(saved).find("\"a\"]");
    ASSERT_NE(at, std::string_view::npos);
    saved[at + 2] = 'a';  // the text has no end now
    EXPECT_FALSE(Engine(plan, {}).restore(saved, {}, {}));
}

TEST(Unnest, counts_what_it_cannot_make_rows_of) {
    const Outcome outcome = run("SELECT unnest(v) AS v FROM 't'",
                                {R"({"v":7})", R"({"v":[1,2,3,4]})", R"({"v":[1,2,3]})", R"({"v":null})", "{}"}, {.unnest_rows_max = 3});
    EXPECT_EQ(outcome.lines.size(), 3U);
    EXPECT_EQ(outcome.bad_values, 2U);
}

TEST(Patterns, replace_very_many_matches_in_a_long_text_by_nothing_at_all) {
    const std::string text(100'000, 'a');
    const Outcome outcome =
        run("SELECT length(regexp_replace(s, '(a.*b)?', 'x')) AS n FROM 't'", {R"({"s":")" + text + R"("})", R"({"s":"aab"})"});
    EXPECT_EQ(outcome.lines, (std::vector<std::string>{R"({"n":null})", R"({"n":2})"}));
    EXPECT_EQ(outcome.bad_values, 1U);
}

}  // namespace
}  // namespace sluice::rules

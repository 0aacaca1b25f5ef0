// One GoogleTest for each case of the *.test files. Every case runs three ways: on one shard, on three, and with a restart after each
// reading.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "flow/rules/functions.hpp"
#include "flow/rules/rehearsal.hpp"
#include "test_file.hpp"

namespace sluice::rules {
namespace {

class Lines final : public RowSink {
public:
    void row(std::size_t, std::string_view json) override { lines.emplace_back(json); }
    std::vector<std::string> lines;
};

std::vector<std::string> run(const std::shared_ptr<const Plan>& plan, const std::vector<InputRow>& rows,
                             const Rehearsal::Options& options) {
    Lines sink;
    Rehearsal rehearsal(plan, options, sink);
    for (const InputRow& row : rows) rehearsal.reading(row.topic, row.payload);
    rehearsal.finish();
    return sink.lines;
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
}

class RuleFile : public testing::Test {
public:
    explicit RuleFile(Case one) : case_(std::move(one)) {}

    void TestBody() override {
        SCOPED_TRACE(case_.file + ":" + std::to_string(case_.line));
        const RuleSpec spec{.id = "rule", .sql = case_.rule, .columns_wanted = {}};
        std::string table_problem;
        const Catalog catalog = catalog_of(case_, table_problem);
        ASSERT_EQ(table_problem, "");
        const Compiled compiled = compile({&spec, 1}, {}, catalog);
        std::vector<std::string> problems;
        for (const SqlError& problem : compiled.problems[0]) {
            const char* severity = problem.severity == Severity::error     ? "error"
                                   : problem.severity == Severity::warning ? "warning"
                                                                           : "not built";
            problems.push_back(std::to_string(problem.line) + ":" + std::to_string(problem.column) + ": " + severity + ": " +
                               problem.message);
        }
        if (case_.fails) {
            EXPECT_EQ(joined(problems), joined(case_.errors));
        }
        if (compiled.plan == nullptr) {
            EXPECT_TRUE(case_.fails) << joined(problems);
            return;
        }
        std::string problem;
        const auto rows = rows_of(case_.input, case_.topic, problem);
        ASSERT_EQ(problem, "");
        EXPECT_EQ(joined(run(compiled.plan, rows, {})), joined(case_.expected));
        // Which shard emits first is open.
        auto expected = case_.expected;
        std::sort(expected.begin(), expected.end());
        auto sharded = run(compiled.plan, rows, {.shards = 3});
        std::sort(sharded.begin(), sharded.end());
        EXPECT_EQ(joined(sharded), joined(expected)) << "on three shards";
        if (!case_.restarts) return;
        auto restarted = run(compiled.plan, rows, {.shards = 2, .restart_after_each_row = true});
        std::sort(restarted.begin(), restarted.end());
        EXPECT_EQ(joined(restarted), joined(expected)) << "with a restart after each reading";
    }

private:
    Case case_;
};

std::string identifier(std::string_view sentence) {
    std::string name;
    for (const char c : sentence) name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    return name;
}

bool register_cases() {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(SLUICE_SOURCE_DIR "/tests/rules")) {
        if (entry.path().extension() == ".test") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
        std::string problem;
        for (Case& one : read_cases(file.string(), problem)) {
            testing::RegisterTest(identifier(file.stem().string()).c_str(), identifier(one.name).c_str(), nullptr, nullptr,
                                  one.file.c_str(), one.line, [one]() -> RuleFile* { return new RuleFile(one); });
        }
        if (problem.empty()) continue;
        testing::RegisterTest("files", identifier(file.stem().string()).c_str(), nullptr, nullptr, __FILE__, __LINE__,
                              [problem]() -> testing::Test* {
                                  class Broken : public testing::Test {
                                  public:
                                      explicit Broken(std::string why) : why_(std::move(why)) {}
                                      void TestBody() override { FAIL() << why_; }

                                  private:
                                      std::string why_;
                                  };
                                  return new Broken(problem);
                              });
    }
    return true;
}

const bool kRegistered = register_cases();

TEST(Documentation, the_functions_of_sql_md_are_those_of_the_table) {
    ASSERT_TRUE(kRegistered);
    std::ifstream in(SLUICE_SOURCE_DIR "/docs/sql.md");
    std::stringstream page;
    page << in.rdbuf();
    const std::string text = page.str();
    const std::string begin = "<!-- functions: begin -->\n\n";
    const std::size_t start = text.find(begin);
    const std::size_t stop = text.find("<!-- functions: end -->");
    ASSERT_NE(start, std::string::npos);
    ASSERT_NE(stop, std::string::npos);
    if (std::getenv("SLUICE_UPDATE") != nullptr) {
        std::ofstream out(SLUICE_SOURCE_DIR "/docs/sql.md");
        out << text.substr(0, start + begin.size()) << functions_reference() << text.substr(stop);
        return;
    }
    EXPECT_EQ(text.substr(start + begin.size(), stop - start - begin.size()), functions_reference())
        << "run this test with SLUICE_UPDATE=1";
}

TEST(Functions, the_table_stands_in_the_order_of_its_codes) {
    for (std::size_t i = 0; i < kFunctions.size(); ++i) EXPECT_EQ(static_cast<std::size_t>(kFunctions[i]->id), i) << kFunctions[i]->name;
}

TEST(Functions, have_names_of_their_own) {
    auto names = std::vector<std::string_view>(function_names().begin(), function_names().end());
    std::sort(names.begin(), names.end());
    EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
    for (const std::string_view name : names) EXPECT_NE(find_function(name), nullptr) << name;
}

TEST(Functions, are_evaluated_where_an_expression_can_call_them) {
    for (const FunctionInfo* function : kFunctions) {
        const bool evaluated =
            function->kind == FunctionKind::scalar || function->kind == FunctionKind::context || function->kind == FunctionKind::window;
        EXPECT_EQ(function->call != nullptr, evaluated) << function->name;
    }
}

TEST(Functions, every_example_gives_what_the_table_says) {
    for (const FunctionInfo* function : kFunctions) {
        if (function->kind == FunctionKind::external) continue;
        const bool grouped = function->kind == FunctionKind::aggregate || function->kind == FunctionKind::window;
        const RuleSpec spec{
            .id = "r",
            .sql = "SELECT " + std::string(function->example) + " AS x FROM 'a/b/c'" + (grouped ? " GROUP BY TUMBLINGWINDOW(ss, 1)" : ""),
            .columns_wanted = {}};
        const Compiled compiled = compile({&spec, 1});
        ASSERT_NE(compiled.plan, nullptr) << spec.sql << "\n" << compiled.problems[0][0].message;
        const auto rows = run(compiled.plan, {{.topic = "a/b/c", .payload = "{}"}}, {});
        if (!function->gives.empty()) {
            EXPECT_EQ(joined(rows), "{\"x\":" + std::string(function->gives) + "}\n") << spec.sql;
        }
        // A waveform is too long to be written out.
        const bool of_waveform = function->example.find("(wave,") != std::string_view::npos;
        EXPECT_FALSE(function->kind == FunctionKind::scalar && function->gives.empty() && !of_waveform)
            << function->name << " needs an example with its value";
    }
}

}  // namespace
}  // namespace sluice::rules

#include "flow/rules/lookups.hpp"

#include <utility>

#include <gtest/gtest.h>

#include "flow/rules/engine.hpp"
#include "flow/rules/file_table.hpp"
#include "flow/rules/key_table.hpp"

namespace sluice::rules {
namespace {

/// One row, and how often it was asked for.
class OneRow final : public ReferenceTable {
public:
    explicit OneRow(std::int64_t limit) : row_{Value::text("a"), Value::integer(limit)} {}
    [[nodiscard]] std::span<const std::string> columns() const override { return columns_; }
    [[nodiscard]] std::span<const std::uint32_t> key() const override { return key_; }
    [[nodiscard]] const Value* find(std::string_view key) const override {
        ++asked;
        return key == "a" ? row_ : nullptr;
    }
    [[nodiscard]] std::size_t rows() const override { return 1; }
    mutable int asked = 0;

private:
    std::vector<std::string> columns_{"id", "limit"};
    std::vector<std::uint32_t> key_{0};
    Value row_[2];
};

class Rows final : public Output {
public:
    void emit(const OutputRow& row) override { rows.emplace_back(base::as_text(row.json)); }
    void forward(data::ShardIndex, PartitionMask, const data::Reading&) override {}
    std::vector<std::string> take(Engine& engine, std::string_view payload) {
        base::Bytes padded(payload.begin(), payload.end());
        padded.resize(payload.size() + data::kReadablePadding);
        engine.process({.topic = "t", .payload = base::ByteView(padded).first(payload.size()), .client = {}, .arrived = {}, .at = {}},
                       kAllPartitions, *this);
        return std::exchange(rows, {});
    }
    std::vector<std::string> rows;
};

using Lines = std::vector<std::string>;

TEST(Lookups, look_once_a_reading_for_all_rules_and_not_at_all_where_nobody_needs_it) {
    const auto table = std::make_shared<OneRow>(3);
    const std::string join = " FROM 't' AS s JOIN machines AS m ON m.id = s.d ";
    const RuleSpec specs[] = {{"a", "SELECT m.limit" + join + "WHERE m.limit > 1 AND m.limit < s.v", {}},
                              {"b", "SELECT m.limit + 1 AS x" + join, {}},
                              {"c", "SELECT v FROM 'u' JOIN machines AS m ON m.id = d", {}}};
    const Compiled compiled = compile(specs, {}, {.tables = {{"machines", table}}, .machine_classes = {}});
    ASSERT_NE(compiled.plan, nullptr);
    Engine engine(compiled.plan, {});
    Rows out;
    EXPECT_EQ(out.take(engine, R"({"d":"a","v":4})"), (Lines{R"({"limit":3})", R"({"x":4})"}));
    EXPECT_EQ(table->asked, 1);
    EXPECT_EQ(out.take(engine, R"({"d":"b","v":4})"), Lines{});
    EXPECT_EQ(table->asked, 2);
    EXPECT_EQ(out.take(engine, R"({"v":4})"), Lines{});
    EXPECT_EQ(table->asked, 2) << "NULL is no key";
}

TEST(Lookups, new_content_counts_from_the_next_reading_on) {
    const RuleSpec spec{"a", "SELECT m.limit FROM 't' LEFT JOIN machines AS m ON m.id = d", {}};
    const Compiled compiled = compile({&spec, 1}, {}, {.tables = {{"machines", std::make_shared<OneRow>(3)}}, .machine_classes = {}});
    ASSERT_NE(compiled.plan, nullptr);
    Engine engine(compiled.plan, {});
    Rows out;
    EXPECT_EQ(out.take(engine, R"({"d":"a"})"), Lines{R"({"limit":3})"});
    const NamedTable changed[] = {{"other", std::make_shared<OneRow>(5)}, {"machines", std::make_shared<OneRow>(4)}};
    engine.use_tables(changed);
    EXPECT_EQ(out.take(engine, R"({"d":"a"})"), Lines{R"({"limit":4})"});
    TableProblem problem;
    // Columns in another order, and one gone.
    const std::vector<std::string> key{"id"};
    const NamedTable moved[] = {{"machines", FileTable::read("x,limit,id\n1,6,a\n", TableForm::csv, key, {}, problem)}};
    engine.use_tables(moved);
    EXPECT_EQ(out.take(engine, R"({"d":"a"})"), Lines{R"({"limit":6})"});
    const NamedTable gone[] = {{"machines", FileTable::read("id,y\na,1\n", TableForm::csv, key, {}, problem)}};
    engine.use_tables(gone);
    EXPECT_EQ(out.take(engine, R"({"d":"a"})"), Lines{R"({"limit":null})"});
}

TEST(Lookups, keys_out_of_a_table_keep_a_rule_on_one_shard) {
    const RuleSpec spec{"a", "SELECT sum(v) AS s FROM 't' JOIN machines AS m ON m.id = d GROUP BY m.limit, COUNTWINDOW(2)", {}};
    const Compiled compiled = compile({&spec, 1}, {}, {.tables = {{"machines", std::make_shared<OneRow>(3)}}, .machine_classes = {}});
    ASSERT_NE(compiled.plan, nullptr);
    ASSERT_TRUE(compiled.plan->data().rules[0].partition);
    EXPECT_EQ(compiled.plan->data().partitions[*compiled.plan->data().rules[0].partition].whole, "a");
}

}  // namespace
}  // namespace sluice::rules

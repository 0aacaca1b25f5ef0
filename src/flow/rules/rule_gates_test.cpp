// Rules together must do what each does alone, whatever the gates know of their conditions.
#include "flow/rules/rule_gates.hpp"

#include <random>

#include <gtest/gtest.h>

#include "flow/rules/engine.hpp"

namespace sluice::rules {
namespace {

std::shared_ptr<const Plan> plan_of(const std::vector<std::string>& sql) {
    std::vector<RuleSpec> specs;
    specs.reserve(sql.size());
    for (const std::string& text : sql) specs.push_back({.id = "r" + std::to_string(specs.size()), .sql = text, .columns_wanted = {}});
    const Compiled compiled = compile(specs);
    EXPECT_NE(compiled.plan, nullptr);
    return compiled.plan;
}

class Rows final : public Output {
public:
    explicit Rows(std::size_t rules) : rows(rules) {}
    void emit(const OutputRow& row) override { rows[row.rule] += std::string(base::as_text(row.json)) + "\n"; }
    void forward(data::ShardIndex, PartitionMask, const data::Reading&) override {}
    std::vector<std::string> rows;
};

void give(Engine& engine, Output& out, const std::string& payload) {
    std::string padded = payload + std::string(data::kReadablePadding, '\0');
    engine.process({.topic = "t", .payload = base::as_bytes(padded).first(payload.size()), .client = "c", .arrived = {}, .at = {}},
                   kAllPartitions, out);
}

TEST(RuleGates, rules_together_do_what_each_does_alone) {
    const std::vector<std::string> constants{"-1",    "0",   "0.5", "1",    "1.0", "2", "3", "9007199254740993",
                                             "1e300", "'a'", "'b'", "true", "NULL"};
    const std::vector<std::string> operators{">", ">=", "<", "<=", "=", "<>"};
    const std::vector<std::string> subjects{"v", "v + 1", "zscore(v, 3) OVER (PARTITION BY d)", "d"};
    std::mt19937 random(7);
    const auto pick = [&](const std::vector<std::string>& from) { return from[random() % from.size()]; };
    std::vector<std::string> sql;
    for (int i = 0; i < 400; ++i) {
        std::string condition = random() % 4 == 0 ? pick(constants) + " " + pick(operators) + " " + pick(subjects)
                                                  : pick(subjects) + " " + pick(operators) + " " + pick(constants);
        if (random() % 3 == 0) condition += " AND w / " + pick({"1", "0"}) + " > 1";
        if (random() % 9 == 0) condition += " OR w = 7";
        sql.push_back((random() % 5 == 0 ? "SELECT d, count(*) AS n FROM 't' WHERE " + condition + " GROUP BY d, COUNTWINDOW(3)"
                                         : "SELECT * FROM 't' WHERE " + condition));
    }
    const std::vector<std::string> values{"-1",    "0",     "0.5",   "1",     "2",    "2.5",  "9007199254740993",
                                          "1e308", "1e400", "\"a\"", "\"b\"", "true", "null", "[1]"};
    std::vector<std::string> payloads{"no json", "[1,2]", "5"};
    for (int i = 0; i < 300; ++i)
        payloads.push_back("{\"d\":" + pick({"\"a\"", "\"b\"", "1"}) + ",\"v\":" + pick(values) + ",\"w\":" + pick(values) + "}");

    Engine together(plan_of(sql), {});
    Rows all(sql.size());
    for (const std::string& payload : payloads) give(together, all, payload);
    for (std::size_t i = 0; i < sql.size(); ++i) {
        SCOPED_TRACE(sql[i]);
        Engine alone(plan_of({sql[i]}), {});
        Rows one(1);
        for (const std::string& payload : payloads) give(alone, one, payload);
        EXPECT_EQ(all.rows[i], one.rows[0]);
        const RuleCounters& a = together.counters()[i];
        const RuleCounters& b = alone.counters()[0];
        EXPECT_EQ(a.evaluated, b.evaluated);
        EXPECT_EQ(a.rows, b.rows);
        EXPECT_EQ(a.bad_value, b.bad_value);
        EXPECT_EQ(a.malformed, b.malformed);
    }
}

TEST(RuleGates, a_condition_with_a_constant_needs_no_rule_to_be_asked) {
    std::vector<std::string> sql;
    sql.reserve(11);
    for (int i = 0; i < 10; ++i) sql.push_back("SELECT v FROM 't' WHERE v > " + std::to_string(i));
    sql.emplace_back("SELECT v FROM 't' WHERE v <> 3");
    const auto plan = plan_of(sql);
    std::vector<std::uint32_t> rules;
    for (std::uint32_t i = 0; i < sql.size(); ++i) rules.push_back(i);
    RuleGates gates(plan->data(), rules);
    EXPECT_EQ(std::vector<std::uint32_t>(gates.others().begin(), gates.others().end()), std::vector<std::uint32_t>{10});
    std::vector<Value> slots(plan->data().fields.size(), Value::number(2.5));
    TextArena arena;
    Scope scope;
    scope.program = &plan->data().program;
    scope.slots = slots.data();
    scope.arena = &arena;
    std::vector<std::uint32_t> asked;
    gates.choose(scope, asked);
    EXPECT_EQ(asked, (std::vector<std::uint32_t>{0, 1, 2}));
}

}  // namespace
}  // namespace sluice::rules

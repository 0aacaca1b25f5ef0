// A paused rule keeps its state, and nothing else of it is there.
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "flow/rules/engine.hpp"

namespace sluice::rules {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Rows = std::vector<std::string>;

/// One rule set in engines one after the other, as a gateway goes over from one to the next.
class Gateway final : public Output {
public:
    void run(const std::vector<RuleSpec>& specs) {
        Compiled compiled = compile(specs);
        ASSERT_NE(compiled.plan, nullptr);
        base::Bytes saved;
        if (engine != nullptr) saved = save();
        engine = std::make_unique<Engine>(compiled.plan, Engine::Options{});
        if (!saved.empty()) {
            ASSERT_TRUE(engine->restore(saved, now, wall).has_value());
        }
    }
    [[nodiscard]] base::Bytes save() const {
        base::Bytes out;
        SaveCursor cursor;
        while (engine->save_some(cursor, SIZE_MAX, now, wall, out)) {
        }
        return out;
    }
    void give(std::string_view topic, const std::string& payload) {
        base::Bytes bytes(payload.begin(), payload.end());
        bytes.resize(payload.size() + data::kReadablePadding);
        engine->process({.topic = topic, .payload = base::ByteView(bytes).first(payload.size()), .client = "c", .arrived = wall, .at = now},
                        kAllPartitions, *this);
    }
    void pass(milliseconds time) {
        now += time;
        wall += time;
        engine->on_time(now, wall, *this);
    }
    Rows take() { return std::exchange(rows, {}); }
    void emit(const OutputRow& row) override { rows.push_back(std::to_string(row.rule) + " " + std::string(base::as_text(row.json))); }
    void forward(data::ShardIndex, PartitionMask, const data::Reading&) override {}

    std::unique_ptr<Engine> engine;
    base::Monotonic now{seconds(1000)};
    base::WallTime wall = base::from_ms(1'700'000'000'000);
    Rows rows;
};

RuleSpec spec(const std::string& id, const std::string& sql, bool paused = false) {
    return {.id = id, .sql = sql, .columns_wanted = {}, .paused = paused};
}

TEST(PausedRules, state_of_every_kind_stays_as_it_is_to_the_byte) {
    const std::vector<std::string> all{
        "SELECT lag(v) OVER (PARTITION BY d) AS x FROM 't/+'",
        "SELECT zscore(v, 5) OVER (PARTITION BY d) AS x FROM 't/+'",
        "SELECT adaptive(v, 2, 4, 3) OVER (PARTITION BY d) AS x FROM 't/+'",
        "SELECT avg(v) OVER (PARTITION BY d ROWS 3 PRECEDING) AS x FROM 't/+'",
        "SELECT d, median(v) AS x FROM 't/+' GROUP BY d, COUNTWINDOW(10)",
        "SELECT d, max(s) AS x FROM 't/+' GROUP BY d, COUNTWINDOW(10, 2)",
        "SELECT d, collect(v) AS x FROM 't/+' GROUP BY d, TUMBLINGWINDOW(ss, 10)",
        "SELECT d, sum(v) AS x FROM 't/+' GROUP BY d, HOPPINGWINDOW(ss, 10, 2)",
        "SELECT d, sum(v) AS x FROM 't/+' GROUP BY d, SLIDINGWINDOW(ss, 10)",
        "SELECT d, count(*) AS x FROM 't/+' GROUP BY d, SESSIONWINDOW(ss, 60, 5)",
        "SELECT d, sum(v) AS x FROM 't/+' GROUP BY d, TUMBLINGWINDOW(ss, 10) WITH (timestamp = ts, lateness = '5s')",
    };
    for (const std::string& sql : all) {
        Gateway gateway;
        gateway.run({spec("a", sql)});
        if (gateway.engine == nullptr) continue;
        const auto feed = [&gateway](int from) {
            for (int i = from; i < from + 7; ++i) {
                gateway.give("t/" + std::to_string(i % 2), R"({"d":"d)" + std::to_string(i % 3) + R"(","v":)" + std::to_string(i * i % 11) +
                                                               R"(,"s":"s)" + std::to_string(i) + R"(","ts":)" +
                                                               std::to_string(1'700'000'000'000 + i * 700) + "}");
            }
        };
        feed(0);
        (void)gateway.take();
        gateway.run({spec("a", sql, true)});
        const base::Bytes before = gateway.save();
        feed(100);
        EXPECT_EQ(gateway.save(), before) << sql;
        gateway.run({spec("a", sql, true)});
        EXPECT_EQ(gateway.save(), before) << sql << ": another change meanwhile";
        EXPECT_EQ(gateway.take(), Rows{}) << sql;
        EXPECT_EQ(gateway.engine->totals().matched, 0U) << sql;
        EXPECT_EQ(gateway.engine->counters()[0].evaluated, 0U) << sql;
        EXPECT_EQ(gateway.engine->next_deadline(), std::nullopt) << sql;
        // As if there had been no pause.
        Gateway other;
        other.run({spec("a", sql)});
        std::swap(gateway, other);
        feed(0);
        (void)gateway.take();
        feed(7);
        const Rows wanted = gateway.take();
        std::swap(gateway, other);
        gateway.run({spec("a", sql)});
        feed(7);
        EXPECT_EQ(gateway.take(), wanted) << sql;
    }
}

TEST(PausedRules, other_rules_go_on_also_with_state_that_is_shared) {
    const std::string shared = "SELECT d, lag(v) OVER (PARTITION BY d) AS x FROM 't'";
    const std::string own = "SELECT d, lag(w) OVER (PARTITION BY d) AS y FROM 't'";
    Gateway gateway;
    gateway.run({spec("a", shared), spec("b", shared), spec("c", own)});
    gateway.give("t", R"({"d":1,"v":1,"w":1})");
    (void)gateway.take();
    gateway.run({spec("a", shared), spec("b", shared, true), spec("c", own, true)});
    gateway.give("t", R"({"d":1,"v":2,"w":2})");
    EXPECT_EQ(gateway.take(), (Rows{R"(0 {"d":1,"x":1})"}));
    gateway.run({spec("a", shared), spec("b", shared), spec("c", own)});
    gateway.give("t", R"({"d":1,"v":3,"w":3})");
    EXPECT_EQ(gateway.take(), (Rows{R"(0 {"d":1,"x":2})", R"(1 {"d":1,"x":2})", R"(2 {"d":1,"y":1})"}));
}

TEST(PausedRules, a_window_that_ended_meanwhile_goes_out_with_what_it_had) {
    const std::string sql = "SELECT sum(v) AS s FROM 't' GROUP BY TUMBLINGWINDOW(ss, 10)";
    Gateway gateway;
    gateway.run({spec("a", sql)});
    gateway.give("t", R"({"v":1})");
    gateway.run({spec("a", sql, true)});
    gateway.give("t", R"({"v":10})");
    gateway.pass(seconds(25));
    gateway.run({spec("a", sql, true)});
    gateway.pass(seconds(25));
    EXPECT_EQ(gateway.take(), Rows{});
    gateway.run({spec("a", sql)});
    gateway.give("t", R"({"v":100})");
    gateway.pass(milliseconds(0));
    EXPECT_EQ(gateway.take(), Rows{R"(0 {"s":1})"});
    gateway.pass(seconds(10));
    EXPECT_EQ(gateway.take(), Rows{R"(0 {"s":100})"});
}

TEST(PausedRules, gates_leave_them_out) {
    std::vector<RuleSpec> specs;
    for (int i = 0; i < 20; ++i)
        specs.push_back(spec("r" + std::to_string(i), "SELECT v FROM 't' WHERE v > " + std::to_string(i), i % 2 == 1));
    Gateway gateway;
    gateway.run(specs);
    gateway.give("t", R"({"v":4.5})");
    EXPECT_EQ(gateway.take(), (Rows{R"(0 {"v":4.5})", R"(2 {"v":4.5})", R"(4 {"v":4.5})"}));
    for (std::size_t i = 0; i < specs.size(); ++i) EXPECT_EQ(gateway.engine->counters()[i].evaluated, i % 2 == 1 ? 0U : 1U);
    EXPECT_EQ(gateway.engine->counters()[18].gated, 1U);
    EXPECT_EQ(gateway.engine->counters()[0].gated, 0U);
}

}  // namespace
}  // namespace sluice::rules

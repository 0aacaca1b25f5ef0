// State is bounded rule by rule: who reaches a bound turns new keys away, and others do not notice.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "flow/rules/engine.hpp"
#include "flow/rules/explain.hpp"

namespace sluice::rules {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Bench final : public Output {
public:
    Bench(const std::vector<RuleSpec>& specs, const Engine::Options& options) {
        Compiled compiled = compile(specs);
        plan = compiled.plan;
        EXPECT_NE(plan, nullptr);
        engine = std::make_unique<Engine>(plan, options);
    }
    void give(const std::string& payload, std::string_view topic = "t") {
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
    void emit(const OutputRow&) override { ++rows; }
    void forward(data::ShardIndex, PartitionMask, const data::Reading&) override {}

    std::shared_ptr<const Plan> plan;
    std::unique_ptr<Engine> engine;
    base::Monotonic now{seconds(1000)};
    base::WallTime wall = base::from_ms(1'700'000'000'000);
    std::size_t rows = 0;
};

RuleSpec spec(const std::string& id, const std::string& sql, std::size_t bytes_max = 0) {
    return {.id = id, .sql = sql, .columns_wanted = {}, .state_bytes_max = bytes_max};
}

std::string reading(int device, int value = 0) {
    return R"({"d":"device-)" + std::to_string(device) + R"(","v":)" + std::to_string(value) + "}";
}

TEST(StateBound, a_rule_at_its_own_bound_turns_new_keys_away_and_nobody_else_notices) {
    const std::string sql = "SELECT d, lag(v) OVER (PARTITION BY d) AS before FROM 't'";
    constexpr std::size_t kBound = 64 * 1024;
    Bench bench(
        {spec("bounded", sql, kBound), spec("free", sql), spec("windows", "SELECT d, sum(v) AS s FROM 't' GROUP BY d, COUNTWINDOW(5)")},
        {});
    for (int i = 0; i < 5000; ++i) bench.give(reading(i));
    const auto counters = bench.engine->counters();
    const RuleState bounded = bench.engine->state_of(0);
    EXPECT_LE(bounded.bytes, kBound);
    EXPECT_GT(bounded.bytes, kBound - 200);
    EXPECT_EQ(bounded.bytes_max, kBound);
    EXPECT_EQ(bounded.rules, 1U) << "it shares its tables with nobody";
    EXPECT_EQ(counters[0].evaluated, bounded.keys);
    EXPECT_EQ(counters[0].state_full, 5000 - bounded.keys);
    EXPECT_EQ(counters[1].evaluated, 5000U);
    EXPECT_EQ(counters[1].state_full + counters[2].state_full, 0U);
    EXPECT_EQ(bench.engine->state_of(1).keys, 5000U);
    EXPECT_EQ(bench.engine->state_of(1).rules, 2U);
    bench.give(reading(0, 7));
    EXPECT_EQ(bench.engine->counters()[0].evaluated, bounded.keys + 1) << "known keys go on";
}

TEST(StateBound, a_reading_that_a_gate_would_decide_is_not_evaluated_where_its_key_has_no_room) {
    std::vector<RuleSpec> specs;
    for (int i = 0; i < 20; ++i)
        specs.push_back(spec("r" + std::to_string(i), "SELECT lag(v) OVER (PARTITION BY d) AS x FROM 't' WHERE v > " + std::to_string(i)));
    Bench bench(specs, {.keys_max = 3});
    for (int i = 0; i < 10; ++i) bench.give(reading(i, -1));
    for (const RuleCounters& count : bench.engine->counters()) {
        EXPECT_EQ(count.evaluated, 3U);
        EXPECT_EQ(count.state_full, 7U);
    }
}

TEST(StateBound, rules_with_keys_in_common_put_their_bounds_together) {
    Bench bench(
        {spec("a", "SELECT lag(v) OVER (PARTITION BY d) AS x FROM 't'"), spec("b", "SELECT lag(v, 2) OVER (PARTITION BY d) AS x FROM 't'"),
         spec("c", "SELECT lag(v) OVER (PARTITION BY d, v) AS x FROM 't'"), spec("none", "SELECT v FROM 't'"),
         spec("whole", "SELECT lag(v) AS x FROM 't'")},
        {.shards = 1, .rule_state_bytes_max = 10'000});
    EXPECT_EQ(bench.engine->state_of(0).bytes_max, 20'000U);
    EXPECT_EQ(bench.engine->state_of(1).bytes_max, 20'000U);
    EXPECT_EQ(bench.engine->state_of(2).bytes_max, 10'000U);
    EXPECT_EQ(bench.engine->state_of(3).rules, 0U);
    const auto explained = explain(*bench.plan);
    EXPECT_EQ(explained[0].bounded_with, std::vector<std::string>{"b"});
    EXPECT_TRUE(explained[2].bounded_with.empty());
}

TEST(StateBound, shards_have_equal_parts_of_a_bound_and_the_owner_of_a_whole_stream_all_of_it) {
    std::size_t keyed = 0;
    std::size_t whole = 0;
    for (unsigned shard = 0; shard < 4; ++shard) {
        Bench bench({spec("keyed", "SELECT lag(v) OVER (PARTITION BY d) AS x FROM 't'", 100'000),
                     spec("whole", "SELECT lag(v) AS x FROM 't'", 100'000)},
                    {.shard = shard, .shards = 4});
        EXPECT_EQ(bench.engine->state_of(0).bytes_max, 25'000U);
        keyed += bench.engine->state_of(0).bytes_max;
        whole += bench.engine->state_of(1).bytes_max;
    }
    EXPECT_EQ(keyed, 100'000U);
    EXPECT_EQ(whole, 100'000U);
}

TEST(StateBound, what_rules_hold_adds_up_to_what_the_engine_holds_whatever_comes_and_goes) {
    const std::vector<std::string> all{
        "SELECT lag(s) OVER (PARTITION BY d) AS x FROM 't'",
        "SELECT changed(s) OVER (PARTITION BY d) AS x FROM 't'",
        "SELECT max(s) OVER (PARTITION BY d ROWS 5 PRECEDING) AS x FROM 't'",
        "SELECT d, collect(s) AS x FROM 't' GROUP BY d, COUNTWINDOW(7)",
        "SELECT d, max(s) AS x, median(v) AS m FROM 't' GROUP BY d, COUNTWINDOW(10, 3)",
        "SELECT d, collect(s) AS x FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 3)",
        "SELECT d, min(s) AS x, percentile(v, 0.9) AS p FROM 't' GROUP BY d, HOPPINGWINDOW(ss, 4, 1)",
        "SELECT d, max(s) AS x FROM 't' GROUP BY d, SLIDINGWINDOW(ss, 2)",
        "SELECT d, collect(s) AS x FROM 't' GROUP BY d, SESSIONWINDOW(ss, 20, 2)",
        "SELECT d, max(s) AS x FROM 't' GROUP BY d, SESSIONWINDOW(ss, 20, 2) WITH (timestamp = ts, lateness = '3s')",
        "SELECT d, collect(s) AS x FROM 't' GROUP BY d, HOPPINGWINDOW(ss, 4, 2) WITH (timestamp = ts, lateness = '1s')",
        "SELECT d, max(s) AS x FROM 't' GROUP BY d, SLIDINGWINDOW(ss, 2) WITH (timestamp = ts, lateness = '1s')",
    };
    for (const std::size_t bound : {std::size_t{1} << 20, std::size_t{6'000}}) {
        std::vector<RuleSpec> specs;
        for (const std::string& sql : all) specs.push_back(spec("r" + std::to_string(specs.size()), sql, bound));
        Bench bench(specs, {});
        const auto check = [&](int step) {
            std::size_t sum = 0;
            for (std::size_t i = 0; i < specs.size(); ++i) {
                const RuleState state = bench.engine->state_of(i);
                EXPECT_LE(state.bytes, bound) << all[i] << " step " << step;
                sum += state.bytes;
            }
            ASSERT_EQ(sum, bench.engine->totals().state_bytes) << step;
        };
        std::uint32_t random = 1;
        for (int step = 0; step < 3000; ++step) {
            random = random * 1664525 + 1013904223;
            const std::string text(random >> 8 & 63, 'x');
            const auto ts = base::to_ms(bench.wall) - static_cast<std::int64_t>(random >> 16 & 4095);
            bench.give(R"({"d":)" + std::to_string(random >> 28) + R"(,"s":")" + text + R"(","v":)" + std::to_string(random >> 20) +
                       R"(,"ts":)" + std::to_string(ts) + "}");
            bench.pass(milliseconds(step % 100 == 0 ? 5000 : 20));
            if (step % 50 == 0) check(step);
        }
        // And over a save and a restore.
        base::Bytes saved;
        SaveCursor cursor;
        while (bench.engine->save_some(cursor, SIZE_MAX, bench.now, bench.wall, saved)) {
        }
        bench.engine = std::make_unique<Engine>(bench.plan, Engine::Options{});
        (void)bench.engine->restore(saved, bench.now, bench.wall);
        check(-1);
    }
}

}  // namespace
}  // namespace sluice::rules

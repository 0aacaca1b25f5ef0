#include "flow/rules/engine.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "flow/rules/text_arena.hpp"

namespace sluice::rules {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::shared_ptr<const Plan> plan_of(const std::vector<RuleSpec>& specs) {
    Compiled compiled = compile(specs);
    for (const auto& problems : compiled.problems) {
        for (const SqlError& problem : problems) EXPECT_EQ(problem.severity, Severity::warning) << problem.message;
    }
    return compiled.plan;
}

class Bench final : public Output {
public:
    struct Forward {
        unsigned shard;
        PartitionMask partitions;
    };

    explicit Bench(Engine& engine) : engine_(engine) {}

    void give(std::string_view topic, std::string_view payload, PartitionMask partitions = kAllPartitions) {
        payload_.assign(payload.begin(), payload.end());
        payload_.resize(payload.size() + data::kReadablePadding);
        engine_.process(
            {.topic = topic, .payload = base::ByteView(payload_).first(payload.size()), .client = "c", .arrived = wall, .at = now},
            partitions, *this);
    }
    void tick() { engine_.on_time(now, wall, *this); }
    std::vector<std::string> take() { return std::exchange(rows, {}); }

    void emit(const OutputRow& row) override {
        rows.push_back(std::to_string(row.rule) + " " + std::string(base::as_text(row.json)));
        made.push_back(base::to_ms(row.made));
        columns.assign(row.columns.begin(), row.columns.end());
        had_reading = row.reading != nullptr;
    }
    void forward(data::ShardIndex owner, PartitionMask partitions, const data::Reading&) override {
        forwards.push_back({owner.value(), partitions});
    }

    base::Monotonic now{seconds(1000)};
    base::WallTime wall = base::from_ms(1'700'000'000'000);
    std::vector<std::string> rows;
    std::vector<std::int64_t> made;
    std::vector<json::Value> columns;
    bool had_reading = false;
    std::vector<Forward> forwards;

private:
    Engine& engine_;
    base::Bytes payload_;
};

using Rows = std::vector<std::string>;

TEST(Engine, rules_of_one_topic_are_evaluated_together_and_others_are_left_alone) {
    Engine engine(
        plan_of({{"a", "SELECT v FROM 't/+'", {}}, {"b", "SELECT v AS w FROM 't/x' WHERE v > 1", {}}, {"c", "SELECT v FROM 'u'", {}}}), {});
    Bench bench(engine);
    bench.give("t/x", R"({"v":2})");
    bench.give("t/y", R"({"v":3})");
    bench.give("nobody", R"({"v":4})");
    EXPECT_EQ(bench.take(), (Rows{R"(0 {"v":2})", R"(1 {"w":2})", R"(0 {"v":3})"}));
    EXPECT_EQ(engine.totals().readings, 3u);
    EXPECT_EQ(engine.totals().matched, 2u);
    EXPECT_EQ(engine.counters()[0].rows, 2u);
    EXPECT_EQ(engine.counters()[1].evaluated, 1u);
    EXPECT_EQ(engine.counters()[2].evaluated, 0u);
}

TEST(Engine, a_malformed_payload_is_counted_once_and_for_each_rule_that_reads_it) {
    Engine engine(plan_of({{"a", "SELECT v FROM 't'", {}}, {"b", "SELECT * FROM 't'", {}}, {"c", "SELECT topic() AS t FROM 't'", {}}}), {});
    Bench bench(engine);
    bench.give("t", "{\"v\":NaN}");
    EXPECT_EQ(bench.take(), (Rows{R"(2 {"t":"t"})"}));
    EXPECT_EQ(engine.totals().malformed, 1u);
    EXPECT_EQ(engine.counters()[0].malformed, 1u);
    EXPECT_EQ(engine.counters()[1].malformed, 1u);
    EXPECT_EQ(engine.counters()[2].malformed, 0u);
}

TEST(Engine, bad_values_are_counted) {
    Engine engine(plan_of({{"z", "SELECT zscore(v, 2) AS z, 1 / d AS q FROM 't'", {}}}), {});
    Bench bench(engine);
    for (const char* payload : {R"({"v":1,"d":1})", R"({"v":null,"d":1})", R"({"d":1})", R"({"v":"x","d":0})", R"({"v":2,"d":"x"})"})
        bench.give("t", payload);
    EXPECT_EQ(engine.counters()[0].bad_value, 5u) << "null, missing and text for zscore; a division by zero; text in arithmetic";
    EXPECT_EQ(engine.counters()[0].rows, 5u);
}

TEST(Engine, a_number_beyond_the_range_is_a_bad_value_of_the_rules_that_read_it) {
    Engine engine(plan_of({{"x", "SELECT x FROM 't'", {}},
                           {"v", "SELECT v FROM 't'", {}},
                           {"or", "SELECT COALESCE(n, 0) AS n FROM 't' WHERE x > 3 OR v = 1", {}},
                           {"in", "SELECT w[1] AS w, array_max(w) AS m FROM 't'", {}}}),
                  {});
    Bench bench(engine);
    bench.give("t", R"({"x":1e400,"v":1,"w":[1,-1e400]})");
    EXPECT_EQ(bench.take(), (Rows{R"(0 {"x":null})", R"(1 {"v":1})", R"(2 {"n":0})", R"(3 {"w":null,"m":null})"}));
    EXPECT_EQ(engine.totals().malformed, 0u);
    EXPECT_EQ(engine.counters()[0].bad_value, 1u);
    EXPECT_EQ(engine.counters()[1].bad_value, 0u);
    EXPECT_EQ(engine.counters()[2].bad_value, 1u);
    EXPECT_EQ(engine.counters()[3].bad_value, 2u);
}

TEST(Engine, the_same_call_in_two_rules_is_one_state) {
    const RuleSpec one{"a", "SELECT zscore(v, 100) OVER (PARTITION BY d) AS z FROM 't'", {}};
    const RuleSpec two{"b", "SELECT d FROM 't' WHERE abs(zscore(v, 100) OVER (PARTITION BY d)) > 3", {}};
    Engine alone(plan_of({one}), {});
    Engine both(plan_of({one, two}), {});
    for (Engine* engine : {&alone, &both}) Bench(*engine).give("t", R"({"d":"x","v":1})");
    EXPECT_EQ(alone.totals().state_bytes, both.totals().state_bytes);
}

TEST(Engine, the_numbers_behind_adaptive_are_of_one_state_and_bad_values_count_once) {
    const std::string call = "(v, 2, 8, 5, 20) OVER (PARTITION BY d)";
    Engine alone(plan_of({{"a", "SELECT adaptive" + call + " AS s FROM 't'", {}}}), {});
    Engine all(
        plan_of({{"a", "SELECT adaptive_limit" + call + " AS l, adaptive" + call + " AS s, adaptive_alarm" + call + " AS a FROM 't'", {}}}),
        {});
    for (Engine* engine : {&alone, &all}) {
        Bench bench(*engine);
        bench.give("t", R"({"d":"x","v":1})");
        bench.give("t", R"({"d":"x","v":"?"})");
    }
    EXPECT_EQ(alone.totals().state_bytes, all.totals().state_bytes);
    EXPECT_EQ(all.counters()[0].bad_value, 1u);
    Engine other(
        plan_of({{"a", "SELECT adaptive" + call + " AS s, adaptive_alarm(v, 2, 8, 4, 20) OVER (PARTITION BY d) AS a FROM 't'", {}}}), {});
    Bench(other).give("t", R"({"d":"x","v":1})");
    EXPECT_GT(other.totals().state_bytes, alone.totals().state_bytes) << "another limit is another detector";
}

TEST(Engine, a_rule_with_too_many_keys_leaves_the_new_ones_out_and_counts_them) {
    Engine engine(plan_of({{"a", "SELECT d, lag(v) OVER (PARTITION BY d) AS l FROM 't'", {}}, {"b", "SELECT d FROM 't'", {}}}),
                  {.keys_max = 2});
    Bench bench(engine);
    for (const char* device : {"x", "y", "z", "x"}) bench.give("t", std::string(R"({"v":1,"d":")") + device + "\"}");
    EXPECT_EQ(engine.counters()[0].state_full, 1u);
    EXPECT_EQ(engine.counters()[0].rows, 3u);
    EXPECT_EQ(engine.counters()[1].rows, 4u) << "others are not touched";
    EXPECT_EQ(engine.totals().keys, 2u);
}

TEST(Engine, state_stays_within_its_bytes) {
    Engine engine(plan_of({{"a", "SELECT zscore(v, 1000) OVER (PARTITION BY d) AS z FROM 't'", {}}}), {.state_bytes_max = 100'000});
    Bench bench(engine);
    for (int i = 0; i < 100; ++i) bench.give("t", R"({"v":1,"d":)" + std::to_string(i) + "}");
    EXPECT_LE(engine.totals().state_bytes, 100'000u);
    EXPECT_EQ(engine.totals().keys, 12u) << "8 kB each";
    EXPECT_EQ(engine.counters()[0].state_full, 88u);
}

TEST(Engine, a_reading_is_forwarded_to_the_shard_that_owns_its_key_and_evaluated_there_only) {
    const auto plan = plan_of({{"a", "SELECT d, lag(v) OVER (PARTITION BY d) AS l FROM 't'", {}}, {"b", "SELECT v FROM 't'", {}}});
    const std::string device = "sensor-1";
    const unsigned owner = base::shard_of(base::hash64(device), 4);
    const unsigned first = (owner + 1) % 4;
    Engine here(plan, {.shard = first, .shards = 4});
    Engine there(plan, {.shard = owner, .shards = 4});
    Engine elsewhere(plan, {.shard = (owner + 2) % 4, .shards = 4});
    Bench one(here);
    Bench two(there);
    Bench three(elsewhere);
    const std::string payload = R"({"d":"sensor-1","v":1})";
    one.give("t", payload);
    EXPECT_EQ(one.take(), (Rows{R"(1 {"v":1})"})) << "the stateless rule runs where the reading is";
    ASSERT_EQ(one.forwards.size(), 1u);
    EXPECT_EQ(one.forwards[0].shard, owner);
    two.give("t", payload, one.forwards[0].partitions);
    EXPECT_EQ(two.take(), (Rows{R"(0 {"d":"sensor-1","l":null})"}));
    three.give("t", payload, one.forwards[0].partitions);
    EXPECT_TRUE(three.take().empty());
    EXPECT_TRUE(three.forwards.empty()) << "what was forwarded is not forwarded again";
}

/// A timestamp far ahead closes everything that is open. Its reading must not hold up the readings of others.
TEST(Engine, a_jump_of_event_time_lets_rows_out_slice_by_slice_and_changes_none) {
    for (const char* window :
         {"HOPPINGWINDOW(ss, 100, 1)", "TUMBLINGWINDOW(ss, 100)", "SESSIONWINDOW(ss, 100, 50)", "SLIDINGWINDOW(ss, 100)"}) {
        const auto plan = plan_of({{"w",
                                    std::string("SELECT d, count(*) AS n, window_end() AS we FROM 't' GROUP BY d, ") + window +
                                        " WITH (timestamp = at, lateness = '20s')",
                                    {}}});
        constexpr int kKeys = 1000;
        const auto fill = [&](Bench& bench) {
            for (int d = 0; d < kKeys; ++d)
                bench.give("t", "{\"d\":" + std::to_string(d) + ",\"at\":" + std::to_string(1000 + d % 7) + "}");
            EXPECT_TRUE(bench.take().empty()) << window;
            bench.give("t", R"({"d":0,"at":9000000})");
        };
        const auto drain = [](Engine& engine, Bench& bench) {
            for (auto due = engine.next_deadline(); due && *due <= bench.now; due = engine.next_deadline()) {
                const std::size_t before = bench.rows.size();
                bench.tick();
                EXPECT_LE(bench.rows.size() - before, 512U);
            }
        };
        // At once, and with readings in between: of a new time, and at the very edge of what is not late.
        Rows expected;
        for (const bool busy : {false, true}) {
            Engine engine(plan, {});
            Bench bench(engine);
            fill(bench);
            EXPECT_GE(bench.rows.size(), 100U) << window;
            EXPECT_LE(bench.rows.size(), 257U) << window;
            if (busy) bench.give("t", R"({"d":1,"at":8980000})");
            if (busy) bench.give("t", R"({"d":2,"at":9000001})");
            drain(engine, bench);
            if (!busy) bench.give("t", R"({"d":1,"at":8980000})");
            if (!busy) bench.give("t", R"({"d":2,"at":9000001})");
            engine.finish(bench);
            Rows rows = bench.take();
            std::sort(rows.begin(), rows.end());
            if (!busy) expected = rows;
            EXPECT_EQ(rows, expected) << window;
            EXPECT_EQ(engine.counters()[0].late, 0U);
            EXPECT_GE(rows.size(), static_cast<std::size_t>(kKeys) + 3);
        }
    }
}

TEST(Engine, an_arrival_time_window_closes_by_the_monotonic_clock_alone) {
    Engine engine(plan_of({{"w", "SELECT count(*) AS n, window_start() AS ws FROM 't' GROUP BY TUMBLINGWINDOW(ss, 10)", {}}}), {});
    Bench bench(engine);
    bench.wall = base::from_ms(1'700'000'004'000);
    bench.give("t", R"({"v":1})");
    ASSERT_TRUE(engine.next_deadline());
    EXPECT_EQ(*engine.next_deadline(), bench.now + seconds(6)) << "aligned to the epoch by the wall clock when it opened";
    bench.wall += std::chrono::hours(24 * 365);  // jumps forward
    bench.give("t", R"({"v":2})");
    bench.tick();
    EXPECT_TRUE(bench.take().empty());
    bench.wall -= std::chrono::hours(24 * 3650);  // and far back
    bench.now += milliseconds(5999);
    bench.give("t", R"({"v":3})");
    bench.tick();
    EXPECT_TRUE(bench.take().empty());
    bench.now += milliseconds(1);
    bench.tick();
    EXPECT_EQ(bench.take(), (Rows{R"(0 {"n":3,"ws":1700000000000})"}));
    EXPECT_EQ(bench.made, (std::vector<std::int64_t>{1'700'000'010'000}));
    EXPECT_FALSE(bench.had_reading);
    EXPECT_EQ(engine.next_deadline(), std::nullopt);
}

TEST(Engine, a_window_of_many_keys_goes_out_in_slices_and_no_key_is_lost_or_mixed) {
    Engine engine(plan_of({{"w", "SELECT d, sum(v) AS s FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 10)", {}}}), {});
    Bench bench(engine);
    constexpr int kKeys = 1000;
    const auto payload = [](int key, int value) { return R"({"d":)" + std::to_string(key) + R"(,"v":)" + std::to_string(value) + "}"; };
    for (int i = 0; i < kKeys; ++i) bench.give("t", payload(i, 1));
    bench.now += seconds(10);
    bench.wall += seconds(10);
    bench.tick();
    const std::size_t first = bench.rows.size();
    EXPECT_GT(first, 0u);
    EXPECT_LT(first, static_cast<std::size_t>(kKeys));
    // Readings of the next window arrive for all keys before the rest is out.
    for (int i = kKeys - 1; i >= 0; --i) bench.give("t", payload(i, 2));
    for (auto due = engine.next_deadline(); due && *due <= bench.now; due = engine.next_deadline()) bench.tick();
    EXPECT_EQ(bench.rows.size(), static_cast<std::size_t>(kKeys));
    for (const std::string& row : bench.take()) EXPECT_NE(row.find("\"s\":1}"), std::string::npos) << row;
    bench.now += seconds(10);
    for (auto due = engine.next_deadline(); due && *due <= bench.now; due = engine.next_deadline()) bench.tick();
    EXPECT_EQ(bench.rows.size(), static_cast<std::size_t>(kKeys));
    for (const std::string& row : bench.take()) EXPECT_NE(row.find("\"s\":2}"), std::string::npos) << row;
}

TEST(Engine, saved_state_follows_its_keys_to_another_number_of_shards) {
    const auto plan = plan_of({{"z", "SELECT d, zscore(v, 20) OVER (PARTITION BY d) AS z FROM 't'", {}},
                               {"w", "SELECT d, sum(v) AS s, count(*) AS n FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 10)", {}}});
    std::mt19937 random(11);
    std::vector<std::string> payloads(400);
    for (std::string& payload : payloads)
        payload = R"({"d":"dev)" + std::to_string(random() % 7) + R"(","v":)" + std::to_string(random() % 100) + "}";
    const auto run = [&](const std::vector<unsigned>& shard_counts) {
        Rows rows;
        std::vector<std::unique_ptr<Engine>> engines;
        std::vector<base::Bytes> saved;
        base::Monotonic now(seconds(5));
        std::size_t at = 0;
        for (const unsigned shards : shard_counts) {
            engines.clear();
            for (unsigned i = 0; i < shards; ++i) {
                engines.push_back(std::make_unique<Engine>(plan, Engine::Options{.shard = i, .shards = shards}));
                for (const base::Bytes& state : saved) EXPECT_TRUE(engines.back()->restore(state, now, base::from_ms(1'700'000'001'000)));
            }
            for (const std::size_t stop = at + payloads.size() / shard_counts.size(); at < stop; ++at) {
                Bench bench(*engines[0]);
                bench.now = now;
                bench.give("t", payloads[at]);
                for (const auto& forward : bench.forwards) {
                    Bench other(*engines[forward.shard]);
                    other.now = now;
                    other.give("t", payloads[at], forward.partitions);
                    for (std::string& row : other.rows) bench.rows.push_back(std::move(row));
                }
                for (std::string& row : bench.rows) rows.push_back(std::move(row));
            }
            saved.clear();
            for (const auto& engine : engines) {
                saved.emplace_back();
                SaveCursor cursor;
                while (engine->save_some(cursor, 64, now, base::WallTime{}, saved.back())) {
                }
            }
        }
        Rows last;
        for (const auto& engine : engines) {
            Bench bench(*engine);
            engine->finish(bench);
            for (std::string& row : bench.rows) last.push_back(std::move(row));
        }
        std::sort(last.begin(), last.end());
        for (std::string& row : last) rows.push_back(std::move(row));
        return rows;
    };
    const Rows expected = run({1});
    EXPECT_EQ(expected.size(), 407u);
    // Digits behind the ninth may differ: a window's sums are computed anew after a restart.
    const auto rounded = [](Rows rows) {
        for (std::string& row : rows) {
            const std::size_t z = row.find("\"z\":");
            if (z != std::string::npos && row.size() > z + 12) row.resize(z + 12);
        }
        return rows;
    };
    EXPECT_EQ(rounded(run({1, 4, 2, 3})), rounded(expected));
}

TEST(Engine, state_of_sql_that_changed_is_passed_over) {
    const RuleSpec old_rule{"a", "SELECT lag(v) OVER (PARTITION BY d) AS l FROM 't' WHERE v > 0", {}};
    Engine before(plan_of({old_rule}), {});
    Bench(before).give("t", R"({"d":1,"v":5})");
    base::Bytes saved;
    SaveCursor cursor;
    EXPECT_FALSE(before.save_some(cursor, 1 << 20, {}, {}, saved));
    const auto lag_after = [&](const std::string& sql) {
        Engine engine(plan_of({{"a", sql, {}}}), {});
        EXPECT_TRUE(engine.restore(saved, {}, {}));
        Bench bench(engine);
        bench.give("t", R"({"d":1,"v":7})");
        return bench.take().at(0);
    };
    EXPECT_EQ(lag_after("SELECT lag(v) OVER (PARTITION BY d) AS l FROM 't' WHERE v > 1"), R"(0 {"l":5})")
        << "the threshold is not the state's";
    EXPECT_EQ(lag_after("SELECT lag(v + 1) OVER (PARTITION BY d) AS l FROM 't'"), R"(0 {"l":null})");
    EXPECT_EQ(lag_after("SELECT lag(v) OVER (PARTITION BY d, 1) AS l FROM 't'"), R"(0 {"l":null})");
    EXPECT_EQ(lag_after("SELECT lag(v) OVER (PARTITION BY d) AS l FROM 't', 'u'"), R"(0 {"l":null})");
}

TEST(Engine, damaged_state_is_corrupt_at_every_cut) {
    const auto plan =
        plan_of({{"a", "SELECT lag(s) OVER (PARTITION BY d) AS l, zscore(v, 3) OVER (PARTITION BY d) AS z FROM 't'", {}},
                 {"w", "SELECT collect(s) AS c, sum(v) AS x FROM 't' GROUP BY d, COUNTWINDOW(9)", {}},
                 {"h", "SELECT max(s) AS m, first(v) AS f FROM 't' GROUP BY d, HOPPINGWINDOW(ss, 10, 5)", {}},
                 {"s", "SELECT last(s) AS l FROM 't' GROUP BY d, SLIDINGWINDOW(ss, 10)", {}},
                 {"g", "SELECT min(s) AS l FROM 't' GROUP BY d, SESSIONWINDOW(ss, 10, 5)", {}},
                 {"e", "SELECT first(s) AS l FROM 't' GROUP BY d, SLIDINGWINDOW(ss, 10) WITH (timestamp = v, lateness = '5s')", {}}});
    Engine engine(plan, {});
    Bench bench(engine);
    for (int i = 0; i < 8; ++i) bench.give("t", R"({"d":"x","v":1.5,"s":"text"})");
    base::Bytes saved;
    SaveCursor cursor;
    EXPECT_FALSE(engine.save_some(cursor, 1 << 20, bench.now, bench.wall, saved));
    const auto restore = [&](base::ByteView state) { return Engine(plan, {}).restore(state, bench.now, bench.wall); };
    EXPECT_TRUE(restore(saved));
    std::size_t whole = 14;  // up to the end of a record it is a state, if not all of it
    for (std::size_t size = 0; size < saved.size(); ++size) {
        if (size == whole) {
            whole += 5 + base::load_le<std::uint32_t>(saved.data() + whole + 1);
            EXPECT_TRUE(restore(base::ByteView(saved).first(size))) << size;
            continue;
        }
        const auto restored = restore(base::ByteView(saved).first(size));
        ASSERT_FALSE(restored) << size;
        EXPECT_EQ(restored.error().code, base::Errc::corrupt);
    }
    saved[4] = 9;
    EXPECT_EQ(restore(saved).error().code, base::Errc::version);
}

TEST(Engine, state_saved_in_slices_is_that_of_the_first_whatever_comes_between) {
    const auto plan = plan_of({{"z", "SELECT lag(v) OVER (PARTITION BY d) AS l FROM 't'", {}},
                               {"w", "SELECT d, count(*) AS n FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 10)", {}}});
    Engine engine(plan, {});
    Bench bench(engine);
    const auto give_all = [&](int v) {
        for (int d = 0; d < 100; ++d) bench.give("t", "{\"d\":" + std::to_string(d) + ",\"v\":" + std::to_string(v) + "}");
    };
    give_all(1);
    base::Bytes saved;
    SaveCursor cursor;
    EXPECT_TRUE(engine.save_some(cursor, 500, bench.now, bench.wall, saved));
    bench.now += seconds(10);
    bench.wall += seconds(10);
    give_all(2);  // in a window that the first slice does not know
    while (engine.save_some(cursor, 500, bench.now, bench.wall, saved)) {
    }
    Engine other(plan, {});
    ASSERT_TRUE(other.restore(saved, bench.now, bench.wall));
    Bench after(other);
    after.now = bench.now;
    after.wall = bench.wall;
    after.give("t", R"({"d":99,"v":3})");
    EXPECT_EQ(after.take().at(0), R"(0 {"l":1})");
    other.finish(after);
    EXPECT_NE(std::find(after.rows.begin(), after.rows.end(), R"(1 {"d":99,"n":1})"), after.rows.end());
}

/// What a stateful function makes of another one's result was another expression in each plan: its state was lost with any rule before it.
TEST(Engine, state_of_functions_inside_functions_and_of_windows_over_them_outlives_other_rules) {
    const std::vector<RuleSpec> rules{
        {"nested", "SELECT lag(ewma(v, 0.5) OVER (PARTITION BY d), 2) OVER (PARTITION BY d) AS l FROM 't'", {}},
        {"window", "SELECT sum(v) AS s FROM 't' WHERE lag(v) OVER (PARTITION BY d) > 0 GROUP BY d, COUNTWINDOW(4)", {}}};
    std::vector<RuleSpec> more = rules;
    more.insert(more.begin(),
                {"other", "SELECT zscore(v, 5) OVER (PARTITION BY d) AS z, delta(v) OVER (PARTITION BY d) AS x FROM 't'", {}});
    Engine before(plan_of(rules), {});
    Bench bench(before);
    for (int v = 1; v <= 4; ++v) bench.give("t", "{\"d\":1,\"v\":" + std::to_string(v) + "}");
    base::Bytes saved;
    SaveCursor cursor;
    while (before.save_some(cursor, SIZE_MAX, bench.now, bench.wall, saved)) {
    }
    Engine after(plan_of(more), {});
    ASSERT_TRUE(after.restore(saved, bench.now, bench.wall));
    Bench other(after);
    bench.take();
    bench.give("t", R"({"d":1,"v":5})");
    other.give("t", R"({"d":1,"v":5})");
    EXPECT_EQ(bench.take(), (Rows{R"(0 {"l":2.25})", R"(1 {"s":14})"}));
    const Rows rows = other.take();
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[1], R"(1 {"l":2.25})");
    EXPECT_EQ(rows[2], R"(2 {"s":14})");
}

TEST(Engine, a_reading_of_another_shard_may_be_older_than_the_session) {
    Engine engine(
        plan_of({{"s", "SELECT count(*) AS n, window_start() AS ws, window_end() AS we FROM 't' GROUP BY SESSIONWINDOW(ss, 60, 5)", {}}}),
        {});
    Bench bench(engine);
    bench.wall = base::from_ms(1'700'000'000'000);
    bench.give("t", "{}");
    bench.now -= milliseconds(7);
    bench.give("t", "{}");
    engine.finish(bench);
    EXPECT_EQ(bench.take().at(0), R"(0 {"n":2,"ws":1699999999993,"we":1700000005000})");
}

TEST(Engine, a_wall_clock_that_is_a_little_late_does_not_open_a_window_again) {
    Engine engine(plan_of({{"w", "SELECT count(*) AS n, window_start() AS ws FROM 't' GROUP BY TUMBLINGWINDOW(ss, 10)", {}}}), {});
    Bench bench(engine);
    bench.wall = base::from_ms(1'700'000'001'000);
    bench.give("t", "{}");
    bench.now += seconds(9);
    bench.wall += milliseconds(8'999);  // the window has ended, by the wall clock in a millisecond
    bench.give("t", "{}");
    engine.finish(bench);
    EXPECT_EQ(bench.take(), (Rows{R"(0 {"n":1,"ws":1700000000000})", R"(0 {"n":1,"ws":1700000010000})"}));
}

TEST(TextArena, empty_texts_take_no_memory_for_ever) {
    TextArena arena;
    char* first = arena.allocate(0);
    for (int i = 0; i < 1'000'000; ++i) {
        arena.reset();
        ASSERT_EQ(arena.allocate(0), first);
    }
}

TEST(Engine, columns_that_a_destination_wants_come_with_a_star) {
    Engine engine(plan_of({{"a", "SELECT * FROM 't'", {"device", "missing", "device"}}}), {});
    Bench bench(engine);
    bench.give("t", R"({"device":"x","v":1})");
    ASSERT_EQ(bench.columns.size(), 2u);
    EXPECT_EQ(bench.columns[0].as_view(), "x");
    EXPECT_TRUE(bench.columns[1].is_null());
    EXPECT_EQ(bench.take(), (Rows{R"(0 {"device":"x","v":1})"}));
}

TEST(Engine, many_topics_are_forgotten_and_found_again) {
    Engine engine(plan_of({{"a", "SELECT topic(2) AS d FROM 'sensors/+'", {}}}), {});
    Bench bench(engine);
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 70'000; ++i) bench.give("sensors/" + std::to_string(i), "{}");
    }
    EXPECT_EQ(engine.counters()[0].rows, 140'000u);
}

TEST(Compile, problems_come_with_their_rule_and_good_rules_are_described) {
    const std::vector<RuleSpec> specs{{"good", "SELECT device, avg(v) AS a FROM 't/+' GROUP BY device, COUNTWINDOW(3)", {}},
                                      {"bad", "SELECT nope(v)\nFROM 't'", {}}};
    const Compiled compiled = compile(specs);
    EXPECT_EQ(compiled.plan, nullptr);
    EXPECT_TRUE(compiled.problems[0].empty());
    ASSERT_EQ(compiled.problems[1].size(), 1u);
    EXPECT_EQ(compiled.problems[1][0].offset, 7u);
    EXPECT_EQ(compiled.rules[0].columns, (std::vector<std::string>{"device", "a"}));
    EXPECT_EQ(compiled.rules[0].filters, (std::vector<std::string>{"t/+"}));
    EXPECT_TRUE(compiled.rules[0].windowed);
    EXPECT_TRUE(compiled.rules[0].keyed);
    EXPECT_NE(compile({}).plan, nullptr) << "no rules: a plan that matches nothing";
}

TEST(Compile, what_a_configuration_may_ask_for_is_bounded) {
    const auto fails = [](const std::string& sql) {
        const RuleSpec spec{"r", sql, {}};
        return compile({&spec, 1}).plan == nullptr;
    };
    const std::string deep = std::string(100, '(') + "v" + std::string(100, ')');
    EXPECT_TRUE(fails("SELECT " + deep + " AS x FROM 't'"));
    std::string chain = "v";
    for (int i = 0; i < 20'000; ++i) chain += "+v";
    EXPECT_TRUE(fails("SELECT " + chain + " AS x FROM 't'"));
    std::string wide = "a0";
    for (int i = 1; i < 300; ++i) wide += ",a" + std::to_string(i);
    EXPECT_TRUE(fails("SELECT " + wide + " FROM 't'"));
    EXPECT_TRUE(fails("SELECT v FROM 't' -- " + std::string(70'000, 'x')));
    EXPECT_TRUE(fails("SELECT '\xff' AS x FROM 't'"));
}

}  // namespace
}  // namespace sluice::rules

// Which rules share a window, what that saves, and what it survives. That nothing tells them apart: shared_windows_random_test.cpp.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "flow/rules/explain.hpp"
#include "flow/rules/plan_data.hpp"
#include "flow/rules/rehearsal.hpp"
#include "flow/rules/window_life_test.hpp"

namespace sluice::rules {
namespace {

std::vector<std::vector<std::string>> shares_of(const Plan& plan) {
    std::vector<std::vector<std::string>> ids;
    for (const WindowGroup& group : plan.data().window_groups) {
        ids.emplace_back();
        for (const std::uint32_t rule : group.rules) ids.back().push_back(plan.rules()[rule].id);
    }
    return ids;
}

RuleSpec spec(const std::string& id, const std::string& sql) { return {.id = id, .sql = sql, .columns_wanted = {}}; }
using Ids = std::vector<std::string>;

TEST(SharedWindows, are_those_of_the_same_readings_the_same_keys_and_the_same_lengths) {
    const std::string from = " FROM 't' ";
    std::vector<RuleSpec> specs{
        spec("a", "SELECT d, avg(v) AS a" + from + "WHERE v > 1 GROUP BY d, TUMBLINGWINDOW(ss, 10)"),
        spec("median", "SELECT median(v) AS m" + from + "WHERE v > 1 GROUP BY d, TUMBLINGWINDOW(ss, 10)"),
        spec("same", "SELECT max(v) AS m" + from + "WHERE v > 1 GROUP BY d, TUMBLINGWINDOW(ss, 10) HAVING count(*) > 3"),
        spec("same too", "SELECT d, count(*) AS n" + from + "WHERE v > 1 GROUP BY d, TUMBLINGWINDOW(ms, 10000)"),
        spec("where", "SELECT avg(v) AS a" + from + "WHERE v > 2 GROUP BY d, TUMBLINGWINDOW(ss, 10)"),
        spec("key", "SELECT avg(v) AS a" + from + "WHERE v > 1 GROUP BY g, TUMBLINGWINDOW(ss, 10)"),
        spec("length", "SELECT avg(v) AS a" + from + "WHERE v > 1 GROUP BY d, TUMBLINGWINDOW(ss, 11)"),
        spec("form", "SELECT avg(v) AS a" + from + "WHERE v > 1 GROUP BY d, SLIDINGWINDOW(ss, 10)"),
        spec("topic", "SELECT avg(v) AS a FROM 'u' WHERE v > 1 GROUP BY d, TUMBLINGWINDOW(ss, 10)"),
        spec("functions", "SELECT avg(lag(v) OVER (PARTITION BY d)) AS a" + from + "WHERE v > 1 GROUP BY d, TUMBLINGWINDOW(ss, 10)"),
        spec("bound", "SELECT avg(v) AS a" + from + "WHERE v > 1 GROUP BY d, TUMBLINGWINDOW(ss, 10)"),
        spec("forgets", "SELECT avg(v) AS a" + from + "WHERE v > 1 GROUP BY d, TUMBLINGWINDOW(ss, 10)"),
        spec("paused", "SELECT avg(v) AS a" + from + "WHERE v > 1 GROUP BY d, TUMBLINGWINDOW(ss, 10)"),
        spec("event", "SELECT avg(v) AS a" + from + "GROUP BY d, TUMBLINGWINDOW(ss, 10) WITH (timestamp = ts, lateness = '1s')"),
        spec("event too", "SELECT sum(v) AS a" + from + "GROUP BY d, TUMBLINGWINDOW(ss, 10) WITH (timestamp = ts, lateness = '1s')"),
        spec("later", "SELECT avg(v) AS a" + from + "GROUP BY d, TUMBLINGWINDOW(ss, 10) WITH (timestamp = ts, lateness = '2s')"),
        spec("other time", "SELECT avg(v) AS a" + from + "GROUP BY d, TUMBLINGWINDOW(ss, 10) WITH (timestamp = at, lateness = '1s')"),
    };
    specs[10].state_bytes_max = 100'000;
    specs[11].forget_oldest = true;
    specs[12].paused = true;
    auto shares = shares_of(*plan_of(specs));
    std::ranges::sort(shares);
    EXPECT_EQ(shares, (std::vector<Ids>{{"a", "same", "same too"}, {"event", "event too"}}));
}

TEST(SharedWindows, explain_says_which_rules_share_what) {
    const auto explained = explain(*plan_of({
        spec("a", "SELECT d, avg(v) AS a, count(*) AS n FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 10)"),
        spec("b", "SELECT d, sum(v) AS s, max(v) AS m FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 10)"),
        spec("c", "SELECT d, max(v) AS m FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 20)"),
    }));
    ASSERT_EQ(explained[0].states.size(), 1U);
    EXPECT_EQ(explained[0].states[0].shared_with, Ids{"b"});
    EXPECT_EQ(explained[0].states[0].accumulators, 3U) << "avg and sum are one";
    EXPECT_EQ(explained[1].states[0].shared_with, Ids{"a"});
    EXPECT_EQ(explained[1].states[0].bytes_a_key, explained[0].states[0].bytes_a_key);
    EXPECT_EQ(explained[1].bytes_a_key, 0U) << "it keeps nothing of its own";
    EXPECT_EQ(explained[2].states[0].shared_with, Ids{});
    EXPECT_EQ(explained[2].states[0].accumulators, 1U);
}

std::uint64_t bytes_with(const std::shared_ptr<const Plan>& plan, const base::Bytes* saved = nullptr) {
    Life run(plan, {}, nanoseconds(0));
    const base::Monotonic now(nanoseconds(1'000'000'000));
    const base::WallTime wall = base::from_ms(1'700'000'000'500);
    if (saved != nullptr) {
        EXPECT_TRUE(run.engine().restore(*saved, now, wall));
    }
    for (int i = 0; i < 100; ++i) run.give({R"({"d":)" + std::to_string(i) + R"(,"v":1,"ts":1700000000000})", now, wall});
    return run.engine().totals().state_bytes;
}

/// What is saved is saved for each rule, so it is bounded for each rule.
TEST(SharedWindows, count_for_each_rule_as_what_each_would_keep_alone) {
    for (const std::string window : {"COUNTWINDOW(10)", "COUNTWINDOW(10, 5)", "TUMBLINGWINDOW(ss, 1)", "SESSIONWINDOW(ss, 10, 1)",
                                     "SLIDINGWINDOW(ss, 1)", "TUMBLINGWINDOW(ss, 1) WITH (timestamp = ts)"}) {
        std::vector<RuleSpec> specs(50);
        for (std::size_t i = 0; i < specs.size(); ++i)
            specs[i] = spec("r" + std::to_string(i), fmt::format("SELECT d, avg(v) + {} AS a FROM 't' GROUP BY d, {}", i, window));
        const std::uint64_t one = bytes_with(plan_of({specs[0]}));
        const std::uint64_t two = bytes_with(plan_of({specs[0], specs[1]}));
        EXPECT_GT(two, one) << window;
        EXPECT_EQ(bytes_with(plan_of(specs)) - one, 49 * (two - one)) << window;
    }
}

/// A whole stream's rules have tables of their own: what they may keep together is what each of them could.
TEST(SharedWindows, are_bounded_by_what_bounds_their_rules) {
    for (const std::string window : {"d, TUMBLINGWINDOW(ss, 1) WITH (timestamp = ts)", "d, COUNTWINDOW(9)"}) {
        for (const bool forgets : {false, true}) {
            std::vector<RuleSpec> specs;
            for (const std::string id : {"a", "b", "c"}) {
                specs.push_back(spec(id, "SELECT d, collect(v) AS c FROM 't' GROUP BY " + window));
                specs.back().forget_oldest = forgets;
            }
            Life run(plan_of(specs), {.rule_state_bytes_max = 2000}, nanoseconds(0));
            const base::Monotonic now(nanoseconds(1'000'000'000));
            const base::WallTime wall = base::from_ms(1'700'000'000'500);
            for (int i = 0; i < 500; ++i)
                run.give(
                    {R"({"d":)" + std::to_string(i) + R"(,"v":"text","ts":)" + std::to_string(1'700'000'000'000 + i * 3) + "}", now, wall});
            for (std::size_t rule = 0; rule < 3; ++rule) {
                const RuleState state = run.engine().state_of(rule);
                EXPECT_EQ(state.rules, 3U);
                EXPECT_EQ(state.bytes_max, 6000U);
                EXPECT_LE(state.bytes, state.bytes_max);
                EXPECT_GT(state.bytes, 4000U);
                EXPECT_EQ(run.engine().counters()[rule].state_full > 0, !forgets);
                EXPECT_EQ(run.engine().counters()[rule].keys_forgotten > 0, forgets);
            }
            EXPECT_EQ(run.engine().totals().state_bytes, run.engine().state_of(0).bytes);
        }
    }
}

/// What is new has no part in a window that is open; once both are empty, or have the same, they share it.
TEST(SharedWindows, are_not_shared_with_a_rule_that_came_later_before_a_start_finds_both_equal) {
    const std::string sql = "SELECT d, sum(v) AS s FROM 't' GROUP BY d, COUNTWINDOW(3)";
    const auto one = plan_of({spec("a", sql)});
    const auto two = plan_of({spec("a", sql), spec("b", sql)});
    Life run(one, {}, nanoseconds(0));
    base::Monotonic now(nanoseconds(1'000'000'000));
    const base::WallTime wall = base::from_ms(1'700'000'000'500);
    const Given given{R"({"d":1,"v":1})", now, wall};
    run.give(given);
    const base::Bytes open = run.save(now, wall);
    run.change(two, open, now, wall);
    run.give(given);
    run.give(given);
    EXPECT_EQ(run.rows_of("a").size(), 1U);
    EXPECT_EQ(run.rows_of("b").size(), 0U);
    run.give(given);
    EXPECT_EQ(run.rows_of("a").size(), 0U);
    EXPECT_EQ(run.rows_of("b").size(), 1U);
    run.give(given);
    run.give(given);
    EXPECT_EQ(run.rows_of("a").size(), 1U);
    run.change(two, run.save(now, wall), now, wall);
    run.give(given);
    EXPECT_EQ(run.rows_of("b").size(), 1U);
}

/// A bit anywhere: refused or taken, and rules that share go on.
TEST(SharedWindows, take_no_harm_from_damaged_state) {
    for (const std::string window : {"COUNTWINDOW(4)", "COUNTWINDOW(4, 2)", "HOPPINGWINDOW(ms, 600, 200)", "SESSIONWINDOW(ss, 3, 1)",
                                     "SLIDINGWINDOW(ss, 1)", "TUMBLINGWINDOW(ss, 1) WITH (timestamp = ts)",
                                     "SESSIONWINDOW(ss, 3, 1) WITH (timestamp = ts)", "SLIDINGWINDOW(ss, 1) WITH (timestamp = ts)"}) {
        const std::string from = " FROM 't' GROUP BY d, " + window;
        const auto plan = plan_of({spec("a", "SELECT d, sum(v) AS s, first(s) AS f" + from), spec("b", "SELECT d, collect(s) AS c" + from),
                                   spec("c", "SELECT d, median(v) AS m, sum(v) AS s" + from)});
        base::Monotonic now(nanoseconds(1'000'000'000));
        base::WallTime wall = base::from_ms(1'700'000'000'500);
        const auto feed = [&](Life& run) {
            for (int i = 0; i < 9; ++i) {
                now += std::chrono::milliseconds(70);
                wall += std::chrono::milliseconds(70);
                run.give({R"({"d":)" + std::to_string(i % 2) + R"(,"v":1.5,"s":"x","ts":)" + std::to_string(base::to_ms(wall)) + "}", now,
                          wall});
                run.end_turn(now, wall, true);
            }
        };
        Life first(plan, {}, nanoseconds(0));
        feed(first);
        const base::Bytes saved = first.save(now, wall);
        for (std::size_t bit = 0; bit < saved.size() * 8; bit += 3) {
            base::Bytes damaged = saved;
            damaged[bit / 8] ^= static_cast<base::Byte>(1U << (bit % 8));
            Life next(plan, {}, nanoseconds(0));
            (void)next.engine().restore(damaged, now, wall);  // either is right
            feed(next);
            next.finish();
            EXPECT_LE(next.rows_of("a").size(), 60U) << window;
        }
    }
}

/// Shards decide for themselves who shares; another number of them gives each rule what it had.
TEST(SharedWindows, survive_restarts_with_another_number_of_shards) {
    class Rows final : public RowSink {
    public:
        void row(std::size_t rule, std::string_view text) override { rows[rule].emplace_back(text); }
        std::map<std::size_t, std::vector<std::string>> rows;
    };
    std::vector<RuleSpec> specs;
    for (const std::string window :
         {"d, COUNTWINDOW(3)", "d, COUNTWINDOW(4, 1)", "d, TUMBLINGWINDOW(ss, 2)", "d, SESSIONWINDOW(ss, 9, 1)", "TUMBLINGWINDOW(ss, 3)",
          "d, HOPPINGWINDOW(ss, 2, 1) WITH (timestamp = at)", "d, SLIDINGWINDOW(ss, 2) WITH (timestamp = at)"}) {
        for (const std::string what : {"sum(v) AS s", "count(*) AS n, max(v) AS m", "median(v) AS s, sum(v) AS t"})
            specs.push_back(spec("r" + std::to_string(specs.size()), fmt::format("SELECT {} FROM 't' GROUP BY {}", what, window)));
    }
    const auto rows_with = [&](const std::vector<RuleSpec>& rules, unsigned shards, bool restarts) {
        Rows out;
        Rehearsal rehearsal(plan_of(rules), {.shards = shards, .restart_after_each_row = restarts}, out);
        std::mt19937 random(7);
        for (int i = 0; i < 120; ++i) {
            const int ms = i * 173;
            const std::string at = std::to_string(1'700'000'000'000 + ms - static_cast<int>(random() % 3) * 100);
            rehearsal.reading(
                "t", R"({"d":"k)" + std::to_string(random() % 5) + R"(","v":)" + std::to_string(random() % 9) + R"(,"at":)" + at + "}",
                1'700'000'000'000.0 + ms);
        }
        rehearsal.finish();
        for (auto& [rule, rows] : out.rows) std::ranges::sort(rows);
        return out.rows;
    };
    const auto expected = rows_with(specs, 1, false);
    for (std::size_t i = 0; i < specs.size(); ++i) EXPECT_EQ(rows_with({specs[i]}, 1, false)[0], expected.at(i)) << specs[i].sql;
    for (const unsigned shards : {1U, 2U, 3U, 7U}) EXPECT_EQ(rows_with(specs, shards, true), expected) << shards;
}

}  // namespace
}  // namespace sluice::rules

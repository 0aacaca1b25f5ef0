// Rules that forget: a key that comes again after it was forgotten is a new key, and nothing else is different.
#include <algorithm>
#include <array>
#include <list>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <malloc.h>

#include "flow/rules/engine.hpp"
#include "flow/rules/explain.hpp"

namespace sluice::rules {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

RuleSpec spec(const std::string& sql, bool forget_oldest = true, std::size_t bytes_max = 0) {
    static int number = 0;
    return {.id = "r" + std::to_string(++number),
            .sql = sql,
            .columns_wanted = {},
            .state_bytes_max = bytes_max,
            .forget_oldest = forget_oldest};
}

std::shared_ptr<const Plan> plan_of(const std::vector<RuleSpec>& specs) {
    const Compiled compiled = compile(specs);
    for (const auto& problems : compiled.problems) {
        for (const SqlError& problem : problems) EXPECT_EQ(problem.severity, Severity::warning) << problem.message;
    }
    return compiled.plan;
}

class Bench final : public Output {
public:
    Bench(std::shared_ptr<const Plan> the_plan, const Engine::Options& options) : plan(std::move(the_plan)), engine(plan, options) {}
    void give(const std::string& payload) {
        base::Bytes bytes(payload.begin(), payload.end());
        bytes.resize(payload.size() + data::kReadablePadding);
        (void)engine.process(
            {.topic = "t", .payload = base::ByteView(bytes).first(payload.size()), .client = "c", .arrived = wall, .at = now},
            kAllPartitions, *this);
    }
    void pass(milliseconds time) {
        now += time;
        wall += time;
        for (auto due = engine.next_deadline(); due && *due <= now; due = engine.next_deadline()) engine.on_time(now, wall, *this);
    }
    base::Bytes save() {
        base::Bytes saved;
        SaveCursor cursor;
        while (engine.save_some(cursor, SIZE_MAX, now, wall, saved)) {
        }
        return saved;
    }
    void emit(const OutputRow& row) override { rows.emplace_back(row.rule, base::as_text(row.json)); }
    void forward(data::ShardIndex, PartitionMask, const data::Reading&) override {}

    std::shared_ptr<const Plan> plan;
    Engine engine;
    base::Monotonic now{seconds(1000)};
    base::WallTime wall = base::from_ms(1'700'000'000'000);
    std::vector<std::pair<std::size_t, std::string>> rows;
};

/// Each table has a function that sees each reading, before windows do: those of event time have one of their own, for they run on one
/// shard. Of those marked, each row that does not come is counted.
struct Query {
    const char* sql;
    bool counted = false;
};
constexpr std::array kQueries{
    Query{"SELECT d, n, lag(n) OVER (PARTITION BY d) AS l, lag(s, 3) OVER (PARTITION BY d) AS l3, every(3) OVER (PARTITION BY d) AS e "
          "FROM 't'"},
    Query{"SELECT d, n, zscore(v, 3) OVER (PARTITION BY d) AS z, changed(s) OVER (PARTITION BY d) AS c, stuck(v, 2) OVER (PARTITION BY d) "
          "AS st FROM 't' WHERE v > 3"},
    Query{"SELECT d, max(s) OVER (PARTITION BY d ROWS 4 PRECEDING) AS m, rate(v) OVER (PARTITION BY d) AS r FROM 't'"},
    Query{"SELECT d, collect(n) AS c, min(s) AS m FROM 't' GROUP BY d, COUNTWINDOW(4)"},
    Query{"SELECT d, collect(s) AS c FROM 't' GROUP BY d, COUNTWINDOW(5, 2)"},
    Query{"SELECT d, window_start() AS w, collect(n) AS c, max(s) AS m FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 1)", true},
    Query{"SELECT d, window_start() AS w, collect(n) AS c FROM 't' WHERE v > 2 GROUP BY d, HOPPINGWINDOW(ms, 1500, 500)"},
    Query{"SELECT d, window_start() AS w, collect(n) AS c FROM 't' GROUP BY d, SESSIONWINDOW(ms, 3000, 300)", true},
    Query{"SELECT d, collect(n) AS c FROM 't' GROUP BY d, SLIDINGWINDOW(ms, 900)"},
    Query{"SELECT d, max(lag(n) OVER (PARTITION BY d)) AS b, window_start() AS w, collect(n) AS c FROM 't' GROUP BY d, TUMBLINGWINDOW(ms, "
          "800) WITH (timestamp = ts, lateness = "
          "'500ms')",
          true},
    Query{"SELECT d, max(lag(n) OVER (PARTITION BY d)) AS b, window_start() AS w, collect(n) AS c FROM 't' GROUP BY d, HOPPINGWINDOW(ms, "
          "1200, 400) WITH (timestamp = ts, "
          "lateness = '300ms')"},
    Query{"SELECT d, max(lag(n) OVER (PARTITION BY d)) AS b, window_start() AS w, sum(n) AS c FROM 't' GROUP BY d, SESSIONWINDOW(ms, 4000, "
          "500) WITH (timestamp = ts, lateness = "
          "'400ms')",
          true},
    Query{"SELECT d, max(lag(n) OVER (PARTITION BY d)) AS b, window_end() AS w, collect(n) AS c FROM 't' GROUP BY d, SLIDINGWINDOW(ms, "
          "900) WITH (timestamp = ts, lateness = "
          "'400ms')",
          true},
};

/// Which key should be forgotten, said in the plainest way.
class Model {
public:
    explicit Model(std::size_t keys_max) : keys_max_(keys_max) {}
    /// The key was seen; how often it had been forgotten before.
    int see(int key) {
        if (const auto known = std::find(seen_.begin(), seen_.end(), key); known != seen_.end()) {
            seen_.erase(known);
        } else if (seen_.size() == keys_max_) {
            ++lives_[seen_.back()];
            seen_.pop_back();
            ++forgotten;
        }
        seen_.push_front(key);
        return lives_[key];
    }
    [[nodiscard]] bool is_present(int key, int life) { return lives_[key] == life; }
    std::uint64_t forgotten = 0;

private:
    std::size_t keys_max_;
    std::list<int> seen_;  ///< latest first
    std::map<int, int> lives_;
};

/// An engine that forgets, and one that is told a new name for each life of a key, and whose rows of past lives do not count.
void compare_with_new_names(std::uint32_t seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    const std::size_t keys_max = 1 + below(6);
    const std::uint32_t keys = 1 + below(12);
    std::vector<RuleSpec> forgetful;
    std::vector<RuleSpec> patient;
    std::vector<bool> counted;
    for (const Query& query : kQueries) {
        if (counted.empty() || below(3) != 0) {
            forgetful.push_back(spec(query.sql));
            patient.push_back(spec(query.sql, false));
            counted.push_back(query.counted);
        }
    }
    Bench ours(plan_of(forgetful), {.keys_max = keys_max});
    Bench theirs(plan_of(patient), {});
    Model model(keys_max);
    std::vector<std::uint64_t> missing(counted.size());
    const auto check = [&](int step) {
        std::vector<std::pair<std::size_t, std::string>> expected;
        for (auto& [rule, row] : theirs.rows) {
            const std::size_t mark = row.find('#');
            const std::size_t start = row.rfind('k', mark);
            if (!model.is_present(std::stoi(row.substr(start + 1)), std::stoi(row.substr(mark + 1)))) {
                ++missing[rule];
                continue;
            }
            expected.emplace_back(rule, row.erase(mark, row.find('"', mark) - mark));
        }
        theirs.rows.clear();
        // Keys of a window go out in the order of their first reading, but where some were forgotten.
        std::sort(expected.begin(), expected.end());
        std::sort(ours.rows.begin(), ours.rows.end());
        ASSERT_EQ(ours.rows, expected) << "step " << step;
        ours.rows.clear();
    };
    for (int step = 0, steps = 50 + static_cast<int>(below(300)); step < steps && !testing::Test::HasFatalFailure(); ++step) {
        const int key = static_cast<int>(below(keys));
        const std::string life = std::to_string(model.see(key));
        const auto ts = base::to_ms(ours.wall) - (below(4) == 0 ? below(700) : 0);
        const std::string rest = R"(","n":)" + std::to_string(step) + R"(,"ts":)" + std::to_string(ts) + R"(,"s":"text of some length )" +
                                 std::to_string(below(9)) + R"(","v":)" + std::to_string(below(9)) + "}";
        ours.give(R"({"d":"k)" + std::to_string(key) + rest);
        theirs.give(R"({"d":"k)" + std::to_string(key).append("#").append(life) + rest);
        check(step);
        const milliseconds time(below(9) == 0 ? below(2000) : below(60));
        ours.pass(time);
        theirs.pass(time);
        check(step);
    }
    if (testing::Test::HasFatalFailure()) return;
    ours.engine.finish(ours);
    theirs.engine.finish(theirs);
    check(-1);
    const auto counters = ours.engine.counters();
    for (std::size_t i = 0; i < counters.size(); ++i) {
        EXPECT_EQ(counters[i].keys_forgotten, model.forgotten);
        EXPECT_EQ(counters[i].state_full, 0U);
        if (!counted[i]) continue;
        EXPECT_EQ(counters[i].windows_forgotten, missing[i]) << forgetful[i].sql;
    }
}

TEST(Forgetting, a_key_that_comes_again_is_a_new_key_and_no_other_key_notices) {
    for (std::uint32_t seed = 1; seed <= 500 && !testing::Test::HasFatalFailure(); ++seed) compare_with_new_names(seed);
}

std::vector<RuleSpec> every_query(std::size_t bytes_max = 0) {
    std::vector<RuleSpec> specs;
    specs.reserve(kQueries.size());
    for (const Query& query : kQueries) specs.push_back(spec(query.sql, true, bytes_max));
    return specs;
}

std::string reading(std::uint64_t device, std::uint64_t n, std::int64_t ts, std::size_t key_size = 0) {
    return R"({"d":"device-)" + std::to_string(device) + std::string(key_size, 'x') + R"(","n":)" + std::to_string(n) + R"(,"ts":)" +
           std::to_string(ts) + R"(,"s":"text of some length )" + std::to_string(n % 7) + R"(","v":)" + std::to_string(n % 9) + "}";
}

/// Memory of the process that is in use. With a sanitizer it is always 0.
std::size_t heap() { return ::mallinfo2().uordblks + ::mallinfo2().hblkhd; }

/// A million devices that come once each, beside ten that stay.
TEST(Forgetting, ever_new_keys_take_no_more_than_the_bound_and_those_that_stay_are_not_lost) {
    constexpr std::size_t kBound = std::size_t{256} << 10;
    Bench bench(plan_of({spec("SELECT d, n, lag(n) OVER (PARTITION BY d) AS l, lag(s) OVER (PARTITION BY d) AS s FROM 't'"),
                         spec("SELECT d, count(*) AS c FROM 't' GROUP BY d, SESSIONWINDOW(hh, 2, 1)"),
                         spec("SELECT d, max(s) AS m FROM 't' GROUP BY d, TUMBLINGWINDOW(hh, 1)"),
                         spec("SELECT d, max(s) AS m FROM 't' GROUP BY d, SLIDINGWINDOW(ss, 5) WITH (timestamp = ts, lateness = '20s')"),
                         spec("SELECT d, sum(n) AS m FROM 't' GROUP BY d, SESSIONWINDOW(hh, 2, 1) WITH (timestamp = ts)")}),
                {.rule_state_bytes_max = kBound});
    ASSERT_EQ(bench.engine.state_of(0).rules, 3U);
    std::uint64_t fresh = 1000;
    std::uint64_t lasting = 0;
    std::size_t heap_before = 0;
    for (std::uint64_t n = 0; n < 1'000'000; ++n) {
        const bool stays = n % 20 == 0;
        bench.give(reading(stays ? lasting++ % 10 : fresh++, n, 1'700'000'000'000 + static_cast<std::int64_t>(n) * 10));
        if (stays && lasting > 10) {
            const std::string before = "\"l\":" + std::to_string(n - 200) + ",";
            ASSERT_EQ(bench.rows.at(0).first, 0U);
            ASSERT_NE(bench.rows[0].second.find(before), std::string::npos) << bench.rows[0].second;
        }
        bench.rows.clear();
        if (n % 1000 != 999) continue;
        if (n == 99'999) heap_before = heap();
        for (std::size_t rule = 0; rule < 5; ++rule) {
            const RuleState state = bench.engine.state_of(rule);
            ASSERT_LE(state.bytes, state.bytes_max);
            ASSERT_GE(state.bytes, n > 50'000 ? state.bytes_max - 2000 : 0);
        }
    }
    EXPECT_LE(heap(), heap_before + kBound / 10);
    const auto counters = bench.engine.counters();
    for (std::size_t rule = 0; rule < 5; ++rule) {
        EXPECT_EQ(counters[rule].state_full, 0U) << rule;
        EXPECT_EQ(counters[rule].keys_forgotten, 950'000 + 10 - bench.engine.state_of(rule).keys);
    }
    // Of each of them something was open.
    for (const std::size_t rule : {1U, 2U, 3U, 4U}) EXPECT_EQ(counters[rule].windows_forgotten, counters[rule].keys_forgotten) << rule;
}

TEST(Forgetting, in_whatever_form_the_state_is_what_was_forgotten_is_given_back_to_the_byte) {
    for (const std::size_t bound : {std::size_t{4'000}, std::size_t{30'000}, std::size_t{200'000}}) {
        const auto specs = every_query(bound);
        Bench bench(plan_of(specs), {});
        std::mt19937 random(7);
        for (std::uint64_t n = 0; n < 20'000; ++n) {
            const auto ts = base::to_ms(bench.wall) - static_cast<std::int64_t>(random() % 600);
            bench.give(reading(random() % 5 == 0 ? n : random() % 20, n, ts, random() % 3 == 0 ? random() % 900 : 0));
            bench.pass(milliseconds(n % 500 == 0 ? 4000 : 3));
            bench.rows.clear();
            if (n % 200 != 0) continue;
            std::size_t sum = 0;
            for (std::size_t i = 0; i < specs.size(); ++i) {
                const RuleState state = bench.engine.state_of(i);
                ASSERT_LE(state.bytes, bound) << specs[i].sql;
                sum += state.bytes;
            }
            ASSERT_EQ(sum, bench.engine.totals().state_bytes);
        }
        for (std::size_t i = 0; i < specs.size(); ++i) EXPECT_GT(bench.engine.counters()[i].keys_forgotten, 0U) << specs[i].sql;
        // What is charged is what a fresh engine is charged for the same keys: nothing of those that are gone is left.
        Bench fresh(bench.plan, {});
        fresh.now = bench.now;
        fresh.wall = bench.wall;
        ASSERT_TRUE(fresh.engine.restore(bench.save(), bench.now, bench.wall));
        for (std::size_t i = 0; i < specs.size(); ++i) {
            EXPECT_EQ(fresh.engine.state_of(i).keys, bench.engine.state_of(i).keys) << specs[i].sql;
            EXPECT_LE(fresh.engine.state_of(i).bytes, bench.engine.state_of(i).bytes) << specs[i].sql;
        }
    }
}

TEST(Forgetting, rules_share_state_with_those_that_do_the_same_where_there_is_no_room) {
    const std::string sql = "SELECT d, n, lag(n) OVER (PARTITION BY d) AS l FROM 't'";
    Bench bench(plan_of({spec(sql), spec(sql), spec(sql, false), spec(sql, true, 64 * 1024)}), {.keys_max = 2});
    for (int i = 0; i < 5; ++i) bench.give(reading(static_cast<std::uint64_t>(i), 0, 0));
    const auto counters = bench.engine.counters();
    EXPECT_EQ(counters[0].keys_forgotten, 3U);
    EXPECT_EQ(counters[1].keys_forgotten, 3U);
    EXPECT_EQ(counters[2].keys_forgotten, 0U);
    EXPECT_EQ(counters[2].state_full, 3U);
    EXPECT_EQ(counters[3].keys_forgotten, 3U);
    EXPECT_EQ(bench.engine.state_of(0).rules, 2U);
    EXPECT_EQ(bench.engine.state_of(2).rules, 1U);
    EXPECT_EQ(bench.engine.state_of(3).rules, 1U);
    const auto explained = explain(*bench.plan);
    EXPECT_TRUE(explained[0].forgets);
    EXPECT_FALSE(explained[2].forgets);
    EXPECT_GT(explained[0].bytes_a_key, explained[2].bytes_a_key) << "the order of its keys is in the rows";
}

TEST(Forgetting, where_there_is_less_room_than_before_a_restart_those_that_were_seen_last_stay) {
    const auto plan = plan_of({spec("SELECT d, n, lag(n) OVER (PARTITION BY d) AS l FROM 't'")});
    Bench before(plan, {});
    std::vector<std::uint64_t> order{3, 1, 4, 0, 5, 9, 2, 6, 8, 7};
    for (std::uint64_t key = 0; key < order.size(); ++key) before.give(reading(key, 1, 0));
    for (const std::uint64_t key : order) before.give(reading(key, 2, 0));
    Bench after(plan, {.keys_max = 4});
    after.now = before.now;
    ASSERT_TRUE(after.engine.restore(before.save(), before.now, before.wall));
    EXPECT_EQ(after.engine.state_of(0).keys, 4U);
    EXPECT_EQ(after.engine.counters()[0].keys_forgotten, 6U);
    EXPECT_EQ(after.engine.counters()[0].state_full, 0U);
    for (std::size_t i = 4; i > 0; --i) after.give(reading(order[order.size() - i], 3, 0));
    for (const auto& [rule, row] : after.rows) EXPECT_NE(row.find("\"l\":2"), std::string::npos) << row;
    EXPECT_EQ(after.rows.size(), 4U);
    EXPECT_EQ(after.engine.counters()[0].keys_forgotten, 6U);
    after.give(reading(order[0], 3, 0));
    EXPECT_NE(after.rows.back().second.find("\"l\":null"), std::string::npos);
}

/// While the rows of a window go out in slices, keys come and go.
TEST(Forgetting, a_key_that_goes_while_its_window_is_going_out_is_out_or_counted_and_never_out_twice) {
    constexpr std::uint64_t kKeys = 2000;
    const auto plan = plan_of({spec("SELECT d, collect(n) AS c FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 10)")});
    for (std::uint32_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(seed);
        Bench bench(plan, {.keys_max = kKeys});
        std::vector<std::uint64_t> order(kKeys);
        std::iota(order.begin(), order.end(), 0U);
        for (const std::uint64_t key : order) bench.give(reading(key, key, 0));
        std::shuffle(order.begin(), order.end(), std::mt19937(seed));  // they go out in one order and are forgotten in another
        for (const std::uint64_t key : order) bench.give(reading(key, key, 0));
        bench.now += seconds(10);
        bench.wall += seconds(10);
        std::uint64_t fresh = kKeys;
        while (true) {
            bench.engine.on_time(bench.now, bench.wall, bench);
            if (!bench.engine.draining()) break;
            for (int i = 0; i < 100; ++i, ++fresh) bench.give(reading(fresh, fresh, 0));
        }
        EXPECT_EQ(bench.rows.size() + bench.engine.counters()[0].windows_forgotten, kKeys);
        EXPECT_GT(bench.engine.counters()[0].windows_forgotten, 100U);
        std::sort(bench.rows.begin(), bench.rows.end());
        EXPECT_EQ(std::adjacent_find(bench.rows.begin(), bench.rows.end()), bench.rows.end());
        for (const auto& [rule, row] : bench.rows) {
            const std::string device = std::to_string(std::stoull(row.substr(row.find("device-") + 7)));
            EXPECT_EQ(
                row,
                std::string(R"({"d":"device-)").append(device).append(R"(","c":[)").append(device).append(",").append(device).append("]}"));
        }
    }
}

}  // namespace
}  // namespace sluice::rules

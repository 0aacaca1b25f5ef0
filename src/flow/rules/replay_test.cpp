// An engine that was killed and got a saved state and the readings since, against one that was not.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "flow/rules/engine.hpp"

namespace sluice::rules {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

const std::string kBy = " OVER (PARTITION BY d)";

/// Every stateful function, and every kind of window unless they are left out.
std::shared_ptr<const Plan> everything(bool forget_oldest = false, bool windows = true) {
    std::vector<RuleSpec> specs{
        {"z",
         "SELECT d, n, zscore(v, 5)" + kBy + " AS z, rms(v, 4)" + kBy + " AS r, kurtosis(v, 6)" + kBy + " AS k, crest(v, 4)" + kBy +
             " AS c FROM 't'",
         {}},
        {"l",
         "SELECT d, n, lag(n)" + kBy + " AS l, lag(s, 3)" + kBy + " AS l3, delta(v)" + kBy + " AS de, rate(v)" + kBy +
             " AS ra, changed(v, 0.5)" + kBy + " AS ch, every(4)" + kBy + " AS ev, ewma(v, 0.25)" + kBy + " AS ew FROM 't'",
         {}},
        {"e",
         "SELECT d, n, episode(v > 60, 2, 2)" + kBy + " AS ep, robust_z(v, 7)" + kBy + " AS rz, beyond(v, 7)" + kBy +
             " AS be, stuck(v, 3)" + kBy + " AS st, gap('700ms')" + kBy + " AS ga, gap('2s', ts)" + kBy + " AS gt FROM 't'",
         {}},
        {"a", "SELECT d, n, adaptive(v, 2, 8, 3, 10)" + kBy + " AS ad, adaptive_limit(v, 2, 8, 3, 10)" + kBy + " AS al FROM 't'", {}},
        {"o",
         "SELECT d, n, sum(v) OVER (PARTITION BY d ROWS 3 PRECEDING) AS su, min(s) OVER (PARTITION BY d ROWS 2 PRECEDING) AS mi FROM 't'",
         {}},
        {"whole", "SELECT n, lag(n) AS l, count(*) OVER (ROWS 9 PRECEDING) AS c FROM 't'", {}},
        {"nested", "SELECT d, n, lag(zscore(v, 4)" + kBy + ")" + kBy + " AS lz FROM 't' WHERE v > 20", {}},
        {"two", "SELECT d, n FROM 't' WHERE v > 10 AND every(3)" + kBy, {}},
        {"c",
         "SELECT d, count(*) AS k, sum(v) AS s, min(s) AS m, median(v) AS md, stddev(v) AS sd, first(n) AS f, last(n) AS l FROM 't' "
         "GROUP BY d, COUNTWINDOW(5)",
         {}},
        {"hc", "SELECT d, sum(n) AS s, collect(n) AS c FROM 't' GROUP BY d, COUNTWINDOW(6, 2)", {}},
        {"t", "SELECT d, window_start() AS w, count(*) AS k, sum(n) AS s, collect(s) AS c FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 1)", {}},
        {"th",
         "SELECT d, window_end() AS w, count(*) AS k, max(n) AS s FROM 't' GROUP BY d, HOPPINGWINDOW(ms, 1500, 500) "
         "HAVING count(*) > 1",
         {}},
        {"tw", "SELECT window_end() AS w, count(*) AS k, sum(n) AS s FROM 't' WHERE v < 70 GROUP BY TUMBLINGWINDOW(ms, 700)", {}},
        {"se",
         "SELECT d, window_start() AS w, window_end() AS we, count(*) AS k, sum(n) AS s FROM 't' GROUP BY d, "
         "SESSIONWINDOW(ms, 3000, 400)",
         {}},
        {"sl", "SELECT d, count(*) AS k, sum(n) AS s FROM 't' GROUP BY d, SLIDINGWINDOW(ms, 900)", {}},
        {"et",
         "SELECT d, window_start() AS w, count(*) AS k, sum(n) AS s FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 2) WITH (timestamp = ts, "
         "lateness = '500ms')",
         {}},
        {"eh",
         "SELECT d, window_start() AS w, count(*) AS k, sum(n) AS s FROM 't' GROUP BY d, HOPPINGWINDOW(ms, 1500, 500) WITH "
         "(timestamp = ts, lateness = '300ms')",
         {}},
        {"es",
         "SELECT d, window_start() AS w, count(*) AS k, sum(n) AS s FROM 't' GROUP BY d, SESSIONWINDOW(ms, 5000, 600) WITH "
         "(timestamp = ts, lateness = '200ms')",
         {}},
        {"el",
         "SELECT d, window_end() AS w, count(*) AS k, sum(n) AS s FROM 't' GROUP BY d, SLIDINGWINDOW(ss, 1) WITH (timestamp = ts, "
         "lateness = '400ms')",
         {}},
    };
    if (!windows) std::erase_if(specs, [](const RuleSpec& spec) { return spec.sql.find("GROUP BY") != std::string::npos; });
    for (RuleSpec& spec : specs) spec.forget_oldest = forget_oldest;
    Compiled compiled = compile(specs);
    for (std::size_t i = 0; i < compiled.problems.size(); ++i) {
        for (const SqlError& problem : compiled.problems[i])
            EXPECT_EQ(problem.severity, Severity::warning) << specs[i].id << ": " << problem.message;
    }
    return compiled.plan;
}

struct Given {
    std::string payload;
    base::Monotonic at;
    base::WallTime arrived;
};

/// What a journal holds: a reading, or that all that was due by then was put out.
struct Entry {
    bool time = false;
    Given given;
};

/// Sums that go around a ring begin elsewhere once it was saved: floats may differ in their last digits.
bool alike(const std::string& left, const std::string& right) {
    const char* a = left.c_str();
    const char* b = right.c_str();
    const auto number = [](char c) { return (c >= '0' && c <= '9') || c == '-'; };
    while (*a != 0 && *b != 0) {
        if (number(*a) && number(*b)) {
            char* a_end = nullptr;
            char* b_end = nullptr;
            const double x = std::strtod(a, &a_end);
            const double y = std::strtod(b, &b_end);
            if (std::fabs(x - y) > 1e-9 * std::max(1.0, std::fabs(x)) || (a_end == a) != (b_end == b)) return false;
            a = std::max<const char*>(a_end, a + 1);
            b = std::max<const char*>(b_end, b + 1);
        } else if (*a++ != *b++) {
            return false;
        }
    }
    return *a == *b;
}

testing::AssertionResult same(const std::vector<std::string>& left, const std::vector<std::string>& right) {
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
        const std::string a = i < left.size() ? left[i] : "nothing";
        const std::string b = i < right.size() ? right[i] : "nothing";
        if (!alike(a, b)) return testing::AssertionFailure() << "killed nobody: " << a << "\nafter the kill: " << b;
    }
    return testing::AssertionSuccess();
}

class Rows final : public Output {
public:
    void emit(const OutputRow& row) override {
        rows.push_back(std::to_string(row.rule) + " " + std::string(base::as_text(row.json)) + " " + std::to_string(base::to_ms(row.made)));
    }
    void forward(data::ShardIndex, PartitionMask, const data::Reading&) override { ADD_FAILURE() << "one shard"; }
    std::vector<std::string> rows;
};

template <class Call>
void with_reading(const Given& given, nanoseconds shift, Call call) {
    base::Bytes payload(given.payload.begin(), given.payload.end());
    payload.resize(payload.size() + data::kReadablePadding);
    call(data::Reading{.topic = "t",
                       .payload = base::ByteView(payload).first(given.payload.size()),
                       .client = "c",
                       .arrived = given.arrived,
                       .at = given.at - shift});
}

/// An engine as a shard leads it: turns of readings, then time. `journal`: what it records.
class Life {
public:
    Life(const std::shared_ptr<const Plan>& plan, const Engine::Options& options, std::vector<Entry>& journal, nanoseconds shift)
        : engine(plan, options), journal_(journal), shift_(shift) {}

    void give(const Given& given) {
        with_reading(given, shift_, [&](const data::Reading& reading) { (void)engine.process(reading, kAllPartitions, out_); });
        journal_.push_back({false, given});
    }
    void end_turn(base::Monotonic now, base::WallTime wall) {
        for (auto due = engine.next_deadline(); due && *due <= now - shift_; due = engine.next_deadline())
            engine.on_time(now - shift_, wall, out_);
        if (closed_ == engine.windows_closed() || engine.draining()) return;
        closed_ = engine.windows_closed();
        journal_.push_back({true, {{}, now, wall}});
    }
    void replayed() { closed_ = engine.windows_closed(); }
    void finish() { engine.finish(out_); }
    std::vector<std::string> take() {
        std::sort(out_.rows.begin(), out_.rows.end());
        return std::exchange(out_.rows, {});
    }
    Engine engine;

private:
    std::vector<Entry>& journal_;
    nanoseconds shift_;
    Rows out_;
    std::uint64_t closed_ = 0;
};

struct Saved {
    base::Bytes bytes;
    base::Monotonic at{};
    base::WallTime wall{};
    std::size_t position = 0;
};

void restore_and_replay(Engine& engine, const Saved& saved, const std::vector<Entry>& journal, nanoseconds shift) {
    if (!saved.bytes.empty()) {
        ASSERT_TRUE(engine.restore(saved.bytes, saved.at - shift, saved.wall));
    }
    for (std::size_t i = saved.position; i < journal.size(); ++i) {
        if (journal[i].time)
            engine.replay_time(journal[i].given.at - shift, journal[i].given.arrived);
        else
            with_reading(journal[i].given, shift, [&](const data::Reading& reading) { engine.replay(reading, {}); });
    }
    engine.end_replay();
}

void live_and_die(const std::shared_ptr<const Plan>& plan, std::uint32_t seed, const Engine::Options& options = {}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    base::Monotonic now(nanoseconds(1'000'000'000'000 + below(1'000'000'000)));
    base::WallTime wall = base::from_ms(1'700'000'000'000 + below(100'000)) + nanoseconds(below(1'000'000));
    const unsigned keys = 1 + below(6);
    int n = 0;
    const auto next = [&] {
        const nanoseconds pause(below(10) == 0 ? below(1'500'000'000) : below(90'000'000));
        now += pause;
        wall += pause;
        const auto ts = base::to_ms(wall) - (below(5) == 0 ? below(900) : 0) + (below(40) == 0 ? 1500 : 0);
        std::string payload = R"({"d":)" + std::string(below(9) == 0 ? "null" : "\"k" + std::to_string(below(keys)) + "\"") + R"(,"n":)" +
                              std::to_string(++n) + R"(,"ts":)" + std::to_string(ts) + R"(,"s":"text )" + std::to_string(below(30)) +
                              R"(","v":)" +
                              (below(12) == 0 ? std::string("\"bad\"") : std::to_string(below(6) == 0 ? below(100) : 40 + below(4))) + "}";
        if (below(50) == 0) payload = "{broken";
        return Given{payload, now, wall};
    };
    std::vector<Entry> nobody_reads_it;
    Life always(plan, options, nobody_reads_it, nanoseconds(0));
    std::vector<Entry> journal;
    nanoseconds shift(0);
    auto life = std::make_unique<Life>(plan, options, journal, shift);
    Saved complete;
    Saved partial;
    SaveCursor cursor;
    bool saving = false;
    for (int turn = 0, turns = 20 + static_cast<int>(below(100)); turn < turns; ++turn) {
        for (unsigned i = below(5); i > 0; --i) {
            const Given given = next();
            always.give(given);
            life->give(given);
        }
        always.end_turn(now, wall);
        life->end_turn(now, wall);
        ASSERT_TRUE(same(always.take(), life->take())) << "turn " << turn;
        if (!saving && !life->engine.draining() && below(8) == 0) {
            saving = true;
            cursor = {};
            partial = {.bytes = {}, .at = now, .wall = wall, .position = journal.size()};
        }
        if (saving) {
            saving = life->engine.save_some(cursor, 1 + below(800), now - shift, wall, partial.bytes);
            if (!saving) complete = partial;
        }
        if (life->engine.draining() || below(15) != 0) continue;
        shift = nanoseconds(static_cast<std::int64_t>(below(2'000'000'000)) * 600 - 600'000'000'000);
        life = std::make_unique<Life>(plan, options, journal, shift);
        restore_and_replay(life->engine, complete, journal, shift);
        life->replayed();
        saving = false;
    }
    always.finish();
    life->finish();
    ASSERT_TRUE(same(always.take(), life->take())) << "at the end";
}

/// SLUICE_REPLAY_SEEDS="17 1" repeats seed 17.
std::pair<std::uint32_t, std::uint32_t> seeds_to_try() {
    std::uint32_t from = 1;
    std::uint32_t count = 1000;
    if (const char* seeds = std::getenv("SLUICE_REPLAY_SEEDS"); seeds != nullptr) {
        char* rest = nullptr;
        from = static_cast<std::uint32_t>(std::strtoul(seeds, &rest, 10));
        count = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(std::strtoul(rest, nullptr, 10)));
    }
    return {from, count};
}

TEST(Replay, a_saved_state_and_the_readings_since_make_the_engine_that_was_killed) {
    const auto [from, count] = seeds_to_try();
    const auto plan = everything();
    ASSERT_NE(plan, nullptr);
    for (std::uint32_t seed = from; seed < from + count && !testing::Test::HasFatalFailure(); ++seed) live_and_die(plan, seed);
}

TEST(Replay, the_engine_that_goes_on_has_forgotten_the_same_keys) {
    const auto [from, count] = seeds_to_try();
    const auto plan = everything(true);
    ASSERT_NE(plan, nullptr);
    for (std::uint32_t seed = from; seed < from + count && !testing::Test::HasFatalFailure(); ++seed)
        live_and_die(plan, seed, {.keys_max = 1 + seed % 4});
}

/// By bytes, windows make a difference: decision 0026.
TEST(Replay, the_engine_that_goes_on_has_forgotten_the_same_keys_for_lack_of_bytes) {
    const auto [from, count] = seeds_to_try();
    const auto plan = everything(true, false);
    ASSERT_NE(plan, nullptr);
    for (std::uint32_t seed = from; seed < from + count && !testing::Test::HasFatalFailure(); ++seed)
        live_and_die(plan, seed, {.rule_state_bytes_max = 300 + seed % 7 * 100});
}

/// Several shards die and another number of them goes on: each key is taken by one engine, with all of its readings.
TEST(Replay, readings_of_several_shards_find_their_keys_among_another_number_of_them) {
    const std::vector<RuleSpec> specs{{"l", "SELECT d, n, lag(n)" + kBy + " AS l FROM 't'", {}},
                                      {"c", "SELECT d, collect(n) AS c FROM 't' GROUP BY d, COUNTWINDOW(7)", {}},
                                      {"w", "SELECT n, lag(n) AS l FROM 't'", {}},
                                      {"t", "SELECT d, sum(n) AS s FROM 't' GROUP BY d, TUMBLINGWINDOW(ss, 1) WITH (timestamp = ts)", {}}};
    const Compiled compiled = compile(specs);
    ASSERT_NE(compiled.plan, nullptr);
    struct Forwarded {
        unsigned to;
        PartitionMask partitions;
    };
    class Sharded final : public Output {
    public:
        void emit(const OutputRow& row) override { rows.emplace_back(base::as_text(row.json)); }
        void forward(data::ShardIndex owner, PartitionMask partitions, const data::Reading&) override {
            forwarded.push_back({owner.value(), partitions});
        }
        std::vector<std::string> rows;
        std::vector<Forwarded> forwarded;
    };
    const auto engines_of = [&](unsigned shards) {
        std::vector<std::unique_ptr<Engine>> out;
        for (unsigned i = 0; i < shards; ++i)
            out.push_back(std::make_unique<Engine>(compiled.plan, Engine::Options{.shard = i, .shards = shards}));
        return out;
    };
    std::mt19937 random(3);
    for (const auto& [before, after] : {std::pair{3U, 2U}, std::pair{2U, 5U}, std::pair{1U, 4U}, std::pair{4U, 1U}}) {
        struct Recorded {
            Origin origin;
            Given given;
        };
        std::vector<Recorded> journal;
        auto always = engines_of(1);
        auto dying = engines_of(before);
        auto living = engines_of(after);
        base::Monotonic now(nanoseconds(1'000'000'000));
        int n = 0;
        const auto give = [&](std::vector<std::unique_ptr<Engine>>& engines, const Given& given, bool record) {
            Sharded out;
            with_reading(given, nanoseconds(0), [&](const data::Reading& reading) {
                const auto first = static_cast<unsigned>(random() % engines.size());
                const Origin origin{.shard = first, .shards = static_cast<unsigned>(engines.size())};
                if (engines[first]->process(reading, kAllPartitions, out) && record) journal.push_back({origin, given});
                for (std::size_t i = 0; i < out.forwarded.size(); ++i) {
                    const Forwarded next = out.forwarded[i];
                    const bool took = engines[next.to]->process(reading, next.partitions, out);
                    if (took && record) journal.push_back({{.shard = next.to, .shards = origin.shards}, given});
                }
            });
            std::sort(out.rows.begin(), out.rows.end());
            return out.rows;
        };
        const auto next = [&] {
            now += milliseconds(30);
            ++n;
            return Given{R"({"d":"k)" + std::to_string(random() % 9) + R"(","n":)" + std::to_string(n) + R"(,"ts":)" +
                             std::to_string(1'700'000'000'000 + n * 30) + "}",
                         now, base::from_ms(1'700'000'000'000 + n * 30)};
        };
        for (int i = 0; i < 200; ++i) {
            const Given given = next();
            ASSERT_EQ(give(always, given, false), give(dying, given, true));
        }
        for (const Recorded& each : journal) {
            with_reading(each.given, nanoseconds(0), [&](const data::Reading& reading) {
                for (const auto& engine : living) engine->replay(reading, each.origin);
            });
        }
        for (const auto& engine : living) engine->end_replay();
        for (int i = 0; i < 200; ++i) {
            const Given given = next();
            auto rows = give(living, given, false);
            std::erase_if(rows, [](const std::string& row) { return row.find("\"s\":") != std::string::npos; });
            auto expected = give(always, given, false);
            std::erase_if(expected, [](const std::string& row) { return row.find("\"s\":") != std::string::npos; });
            ASSERT_EQ(expected, rows) << before << " shards, then " << after;
        }
    }
}

/// As version 2 wrote it: milliseconds left, no end of the last pane, keys later than windows.
TEST(Replay, state_of_version_2_is_read) {
    const std::vector<RuleSpec> specs{{"r", "SELECT rate(v)" + kBy + " AS r, lag(v)" + kBy + " AS l FROM 't'", {}}};
    const Compiled compiled = compile(specs);
    Engine old(compiled.plan, {});
    Rows out;
    Given given{R"({"d":1,"v":5})", base::Monotonic(nanoseconds(1'000'000'000)), base::from_ms(1'700'000'000'000)};
    with_reading(given, nanoseconds(0), [&](const data::Reading& reading) { (void)old.process(reading, kAllPartitions, out); });
    base::Bytes saved;
    SaveCursor cursor;
    EXPECT_FALSE(old.save_some(cursor, 1 << 20, given.at, given.arrived, saved));
    // The time of rate(): nine bytes behind the same value that lag() has without it.
    const base::Bytes value{3, 5, 0, 0, 0, 0, 0, 0, 0};
    const auto at = std::search(saved.begin(), saved.end(), value.begin(), value.end()) - saved.begin();
    const auto size_at = static_cast<std::size_t>(at) - 4;
    ASSERT_EQ(base::load_le<std::uint32_t>(saved.data() + size_at), 18u);
    base::store_le(saved.data() + size_at, std::uint32_t{9});
    saved.erase(saved.begin() + at + 9, saved.begin() + at + 18);
    base::store_le(saved.data() + 15, base::load_le<std::uint32_t>(saved.data() + 15) - 9);
    saved[4] = 2;
    Engine fresh(compiled.plan, {});
    ASSERT_TRUE(fresh.restore(saved, given.at, given.arrived));
    given.payload = R"({"d":1,"v":7})";
    given.at += milliseconds(1000);
    out.rows.clear();
    with_reading(given, nanoseconds(0), [&](const data::Reading& reading) { (void)fresh.process(reading, kAllPartitions, out); });
    EXPECT_EQ(out.rows.at(0), "0 {\"r\":null,\"l\":5} 1700000000000");
}

}  // namespace
}  // namespace sluice::rules

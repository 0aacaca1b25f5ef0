// Tumbling and hopping windows of arrival time under clocks as they are: read at different moments, slewed, set.
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "flow/rules/window_life_test.hpp"

namespace sluice::rules {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Row {
    std::int64_t start_ms = 0;
    std::int64_t end_ms = 0;
    std::vector<int> readings;
};

Row row_of(const std::string& text) {
    Row row;
    std::string digits;
    std::vector<std::int64_t> numbers;
    for (const char c : text.substr(0, text.find('}'))) {
        if (c >= '0' && c <= '9')
            digits += c;
        else if (!digits.empty())
            numbers.push_back(std::stoll(std::exchange(digits, {})));
    }
    if (!digits.empty()) numbers.push_back(std::stoll(digits));
    row.start_ms = numbers[0];
    row.end_ms = numbers[1];
    for (std::size_t i = 2; i < numbers.size(); ++i) row.readings.push_back(static_cast<int>(numbers[i]));
    return row;
}

/// A gateway for some minutes: readings every few milliseconds, a wall clock that is not quite the other one, reloads and crashes.
class Clocks {
public:
    explicit Clocks(std::uint64_t seed) : random_(seed) {
        hop_ms_ = std::vector<std::int64_t>{20, 300, 1000, 7000}[below(4)];
        count_ = 1 + static_cast<std::int64_t>(below(4));
        sql_ = "SELECT window_start() AS s, window_end() AS e, collect(v) AS c FROM 't' GROUP BY d, HOPPINGWINDOW(ms, " +
               std::to_string(hop_ms_ * count_) + ", " + std::to_string(hop_ms_) + ")";
    }

    void run() {
        const auto jitter = std::vector<std::uint64_t>{0, 200, 3000, 20'000}[below(4)];                      // microseconds
        const auto slew = static_cast<std::int64_t>(std::vector<int>{0, 200, -200, 5000, -5000}[below(5)]);  // microseconds a second
        auto set_back = below(3) == 0 ? milliseconds(below(static_cast<std::uint64_t>(hop_ms_ * count_))) : milliseconds(0);
        // By more than a window: it is believed, and names come again.
        if (set_back + microseconds(jitter) + milliseconds(1) > milliseconds(hop_ms_ * count_)) set_back = milliseconds(0);
        const auto pause_us = 1 + static_cast<std::uint64_t>(hop_ms_) * 1000 / (1 + below(40));
        const bool reloads = below(2) == 0, crashes = below(2) == 0;
        SCOPED_TRACE(std::to_string(count_) + " hops of " + std::to_string(hop_ms_) + " ms, jitter " + std::to_string(jitter) + " us, " +
                     std::to_string(slew) + " us/s, set back by " + std::to_string(set_back.count()) + " ms" +
                     (reloads ? ", reloads" : "") + (crashes ? ", crashes" : ""));
        Life life(plan_of({{"h", sql_, {}}}), {.shards = 1}, {});
        base::Monotonic now(seconds(1000) + nanoseconds(below(1'000'000'000)));
        const base::Monotonic began = now;
        const std::int64_t wall_began = base::from_ms(1'700'000'000'000).time_since_epoch().count();
        constexpr int kReadings = 1500;
        for (int i = 0; i < kReadings; ++i) {
            now += microseconds(below(2 * pause_us));
            const auto run = (now - began).count();
            base::WallTime wall(nanoseconds(wall_began + run + run / 1'000'000 * slew) + microseconds(below(1 + jitter)));
            if (i > kReadings / 2) wall -= set_back;
            life.end_turn(now, wall, below(2) == 0);
            life.give({R"({"d":1,"v":)" + std::to_string(i) + "}", now, wall});
            arrived_.push_back(base::to_ms(wall));
            if (reloads && below(60) == 0) {
                while (life.engine().draining()) life.end_turn(now, wall, true);
                const base::Bytes saved = life.save(now, wall);
                life.change(plan_of({{"h", sql_, {}}}), saved, now, wall);
            }
            if (below(200) == 0) life.begin_save(now, wall);
            life.go_on_saving(200);
            if (crashes && below(200) == 0) life.die({});
            if (::testing::Test::HasFatalFailure()) return;
        }
        life.finish();
        std::vector<Row> rows;
        for (const std::string& text : life.rows_of("h")) rows.push_back(row_of(text));
        // The clock is looked at when a pane begins: what it has drifted by the end of one is not seen before.
        check(rows, milliseconds(2) + microseconds(jitter) + set_back * 2 + microseconds(std::abs(slew) * (3 * hop_ms_ + 1000) / 1000));
    }

private:
    void check(const std::vector<Row>& rows, nanoseconds tolerance) const {
        const auto tolerated = std::chrono::ceil<milliseconds>(tolerance).count();
        std::set<std::int64_t> names;
        std::map<int, std::set<std::int64_t>> of;
        for (const Row& row : rows) {
            EXPECT_TRUE(names.insert(row.start_ms).second) << row.start_ms << " is there twice";
            EXPECT_EQ(row.start_ms % hop_ms_, 0);
            for (const int reading : row.readings) {
                EXPECT_TRUE(of[reading].insert(row.start_ms).second) << reading << " is twice in " << row.start_ms;
                const std::int64_t at = arrived_[static_cast<std::size_t>(reading)];
                EXPECT_GE(at, row.start_ms - tolerated) << reading;
                EXPECT_LT(at, row.end_ms + tolerated) << reading;
            }
        }
        EXPECT_EQ(of.size(), arrived_.size());
        for (const auto& [reading, windows] : of) {
            EXPECT_EQ(windows.size(), static_cast<std::size_t>(count_)) << reading;
            EXPECT_EQ(*windows.rbegin() - *windows.begin(), (count_ - 1) * hop_ms_) << reading;
        }
    }
    std::uint64_t below(std::uint64_t n) { return random_() % n; }

    std::mt19937_64 random_;
    std::int64_t hop_ms_;
    std::int64_t count_;
    std::string sql_;
    std::vector<std::int64_t> arrived_;
};

/// SLUICE_CLOCK_SEEDS="from count" tries others.
TEST(TimedWindows, each_reading_is_in_as_many_windows_as_cover_it_whatever_the_clocks_do) {
    std::uint64_t from = 1, count = 60;
    if (const char* text = std::getenv("SLUICE_CLOCK_SEEDS")) std::istringstream(text) >> from >> count;
    for (std::uint64_t seed = from; seed < from + count; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Clocks(seed).run();
        if (::testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace sluice::rules

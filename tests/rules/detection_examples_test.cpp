// The SQL of examples/detection over real measurements with labels: what docs/detection.md promises. The data is optional: SLUICE_SHARED,
// or
// ../shared beside the source.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include <gtest/gtest.h>

#include "flow/rules/rehearsal.hpp"
#include "test_file.hpp"

namespace sluice::rules {
namespace {

std::filesystem::path shared() {
    const char* folder = std::getenv("SLUICE_SHARED");
    return folder != nullptr ? std::filesystem::path(folder) : std::filesystem::path(SLUICE_SOURCE_DIR) / ".." / "shared";
}

std::string content_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    EXPECT_TRUE(in.good()) << file;
    std::stringstream content;
    content << in.rdbuf();
    return content.str();
}

std::string example(const std::string& name) { return content_of(std::filesystem::path(SLUICE_SOURCE_DIR) / "examples/detection" / name); }

/// The rows that one rule puts out for each reading, one after the other.
class Trial final : public RowSink {
public:
    explicit Trial(const std::string& sql) {
        const RuleSpec spec{.id = "rule", .sql = sql, .columns_wanted = {}};
        const Compiled compiled = compile({&spec, 1});
        EXPECT_NE(compiled.plan, nullptr) << sql;
        rehearsal_ = std::make_unique<Rehearsal>(compiled.plan, Rehearsal::Options{}, *this);
    }
    /// The output row, or nothing.
    std::string reading(const std::string& topic, std::string_view payload) {
        row_.clear();
        rehearsal_->reading(topic, payload);
        return row_;
    }

    void row(std::size_t, std::string_view json) override { row_ = json; }

private:
    std::unique_ptr<Rehearsal> rehearsal_;
    std::string row_;
};

std::vector<InputRow> readings(const std::filesystem::path& file, const std::string& topic) {
    std::string problem;
    auto rows = rows_of(content_of(file), topic, problem);
    EXPECT_EQ(problem, "") << file;
    return rows;
}

bool has(std::string_view row, std::string_view member) { return row.find(member) != std::string_view::npos; }

class DetectionExamples : public testing::Test {
protected:
    void SetUp() override {
        if (!std::filesystem::exists(data() / "README.md"))
            GTEST_SKIP() << "no data at " << shared() << ": set SLUICE_SHARED to the folder that has it";
    }
    static std::filesystem::path data() { return shared() / "data"; }
};

TEST(DetectionExample, each_is_a_rule_without_problems) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(SLUICE_SOURCE_DIR "/examples/detection")) {
        if (entry.path().extension() != ".sql") continue;
        const RuleSpec spec{.id = "rule", .sql = content_of(entry.path()), .columns_wanted = {}};
        const Compiled compiled = compile({&spec, 1});
        ASSERT_EQ(compiled.problems.size(), 1u);
        EXPECT_TRUE(compiled.problems[0].empty()) << entry.path() << ": " << compiled.problems[0][0].message;
        ++count;
    }
    EXPECT_EQ(count, 5u);
}

/// Counts of readings after the first 400 of a run; `cut` of them are left out at its start.
struct Skab {
    std::uint64_t hits = 0;
    std::uint64_t false_alarms = 0;
    std::uint64_t quiet = 0;
    std::uint64_t missed = 0;
    std::uint64_t readings = 0;
    std::uint64_t messages = 0;

    [[nodiscard]] double f1() const { return 2.0 * static_cast<double>(hits) / static_cast<double>(2 * hits + false_alarms + missed); }
    [[nodiscard]] double false_alarm_rate() const { return static_cast<double>(false_alarms) / static_cast<double>(false_alarms + quiet); }
    [[nodiscard]] double missed_rate() const { return static_cast<double>(missed) / static_cast<double>(missed + hits); }
    [[nodiscard]] double messages_in_100() const { return 100.0 * static_cast<double>(messages) / static_cast<double>(readings); }
};

void judge_run(const std::filesystem::path& file, std::size_t cut, Skab& sum) {
    Trial verdicts(example("skab_verdicts.sql"));
    Trial alerts(example("skab_alerts.sql"));
    const auto rows = readings(file, "rigs/1");
    for (std::size_t i = cut; i < rows.size(); ++i) {
        const std::string verdict = verdicts.reading("rigs/1", rows[i].payload);
        if (!alerts.reading("rigs/1", rows[i].payload).empty()) ++sum.messages;
        ++sum.readings;
        if (i < cut + 400) continue;
        const bool alarm = has(verdict, "\"alarm\":true");
        const bool anomaly = has(rows[i].payload, "\"anomaly\":1");
        ++(alarm ? (anomaly ? sum.hits : sum.false_alarms) : (anomaly ? sum.missed : sum.quiet));
    }
}

class SkabExamples : public DetectionExamples, public testing::WithParamInterface<std::size_t> {};

TEST_P(SkabExamples, find_faults_of_a_pump_with_few_false_alarms) {
    Skab sum;
    for (const char* group : {"valve1", "valve2", "other"}) {
        Skab alone;
        for (const auto& entry : std::filesystem::directory_iterator(data() / "skab" / group)) {
            judge_run(entry.path(), GetParam(), sum);
            judge_run(entry.path(), GetParam(), alone);
        }
        std::cout << group << ": F1 " << alone.f1() << " FAR " << alone.false_alarm_rate() << " MAR " << alone.missed_rate() << "\n";
    }
    std::cout << "all: F1 " << sum.f1() << " FAR " << sum.false_alarm_rate() << " MAR " << sum.missed_rate() << " messages in 100 "
              << sum.messages_in_100() << "\n";
    EXPECT_GE(sum.f1(), 0.82);
    EXPECT_LE(sum.false_alarm_rate(), 0.12);
    EXPECT_LE(sum.missed_rate(), 0.26);
    EXPECT_LE(sum.messages_in_100(), 0.5);
}
INSTANTIATE_TEST_SUITE_P(Cut, SkabExamples, testing::Values(0, 50, 100, 150));

TEST_F(DetectionExamples, stay_quiet_while_a_healthy_rig_warms_up) {
    Skab sum;
    judge_run(data() / "skab" / "anomaly-free.csv", 0, sum);
    std::cout << "anomaly-free: flagged " << sum.false_alarm_rate() << " messages in 100 " << sum.messages_in_100() << "\n";
    EXPECT_LE(sum.false_alarm_rate(), 0.05);
    EXPECT_LE(sum.messages_in_100(), 0.5);
}

/// [start, end] of each window of a file, as texts that compare like times.
using Windows = std::vector<std::pair<std::string, std::string>>;

Windows windows_of(const std::string& windows, const std::string& file) {
    Windows result;
    const std::size_t name = windows.find('"' + file + '"');
    EXPECT_NE(name, std::string::npos) << file;
    std::size_t at = windows.find('[', name) + 1;
    for (int depth = 1; depth > 0; ++at) {
        if (windows[at] == '[') ++depth;
        if (windows[at] == ']') --depth;
        if (windows[at] != '"') continue;
        const std::string time = windows.substr(at + 1, 19);
        if (result.empty() || !result.back().second.empty())
            result.emplace_back(time, "");
        else
            result.back().second = time;
        at = windows.find('"', at + 1);
    }
    return result;
}

double sigmoid(double x) { return 2 / (1 + std::exp(5 * x)) - 1; }

/// Numenta's standard profile over one file (see the data's README): sum of rewards and penalties, silence is minus the number of windows.
double numenta_score(const std::filesystem::path& file, const Windows& windows) {
    Trial trial(example("streams.sql"));
    const auto rows = readings(file, "streams/1");
    const auto time = [&](std::size_t i) {
        const std::size_t at = rows[i].payload.find("\"timestamp\":\"") + 13;
        return rows[i].payload.substr(at, 19);
    };
    struct Span {
        std::size_t first = 0;
        std::size_t last = 0;
        bool hit = false;
    };
    std::vector<Span> spans;
    for (const auto& [start, end] : windows) {
        Span span;
        bool inside = false;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (time(i) < start || time(i) > end) continue;
            if (!inside) span.first = i;
            inside = true;
            span.last = i;
        }
        spans.push_back(span);
    }
    const std::size_t unscored = std::min<std::size_t>(rows.size() * 15 / 100, 750);
    double sum = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (trial.reading("streams/1", rows[i].payload).empty() || i < unscored) continue;
        const Span* before = nullptr;
        bool inside = false;
        for (Span& span : spans) {
            if (span.last < i) before = &span;
            if (i < span.first || i > span.last) continue;
            inside = true;
            const double width = static_cast<double>(span.last - span.first + 1);
            if (!span.hit) sum += sigmoid(-static_cast<double>(span.last - i + 1) / width) / sigmoid(-1);
            span.hit = true;
        }
        if (inside) continue;
        double distance = 4;
        if (before != nullptr) distance = static_cast<double>(i - before->last) / static_cast<double>(before->last - before->first);
        sum += 0.11 * (distance > 3 ? -1 : sigmoid(distance));
    }
    for (const Span& span : spans) sum -= span.hit ? 0 : 1;
    return sum;
}

TEST_F(DetectionExamples, reach_the_goal_of_the_numenta_benchmark) {
    const std::string all = content_of(data() / "nab" / "windows.json");
    double sum = 0;
    double windows = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data() / "nab")) {
        if (entry.path().extension() != ".csv") continue;
        const std::string name = entry.path().parent_path().filename().string() + "/" + entry.path().filename().string();
        const Windows known = windows_of(all, name);
        const double score = numenta_score(entry.path(), known);
        std::cout << name << ": " << score << " of " << known.size() << "\n";
        sum += score;
        windows += static_cast<double>(known.size());
    }
    const double result = 100 * (sum + windows) / (2 * windows);
    std::cout << "NAB, standard profile: " << result << "\n";
    EXPECT_GE(result, 58);
}

/// The values of a file with one column, cut into blocks.
std::vector<std::string> blocks_of(const std::filesystem::path& file, std::size_t from, std::size_t length) {
    std::vector<std::string> blocks;
    std::istringstream lines(content_of(file));
    std::string line;
    std::string block;
    std::size_t count = 0;
    std::getline(lines, line);
    for (std::size_t i = 0; i < from; ++i) std::getline(lines, line);
    while (std::getline(lines, line)) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        block += (count == 0 ? "" : ",") + line;
        if (++count < length) continue;
        blocks.push_back(R"({"seq":)" + std::to_string(blocks.size()) + R"(,"rpm":1797,"wave":[)" + block + "]}");
        block.clear();
        count = 0;
    }
    return blocks;
}

class BearingBlocks : public DetectionExamples, public testing::WithParamInterface<std::pair<std::size_t, std::size_t>> {};

TEST_P(BearingBlocks, are_flagged_and_outer_and_inner_races_named) {
    const auto [from, length] = GetParam();
    for (const char* name : {"normal_1797", "ball_007_1797", "inner_007_1797", "inner_021_1797", "outer_007_1797"}) {
        const std::string part = std::string_view(name).substr(0, 5) == "outer" ? "outer" : "inner";
        Trial trial(example("bearing_blocks.sql"));
        std::size_t flagged = 0;
        std::size_t named = 0;
        const auto blocks = blocks_of(data() / "cwru" / (std::string(name) + ".csv"), from, length);
        for (const std::string& block : blocks) {
            const std::string row = trial.reading("machines/1/wave", block);
            if (!row.empty()) ++flagged;
            if (has(row, "\"fault\":\"" + part + "\"")) ++named;
        }
        std::cout << name << ": " << flagged << " of " << blocks.size() << " flagged, " << named << " named " << part << "\n";
        const bool healthy = std::string_view(name).substr(0, 6) == "normal";
        EXPECT_EQ(flagged, healthy ? 0 : blocks.size()) << name;
        // A ball's fault shows in no line of its own here.
        if (healthy || name[0] == 'b') continue;
        EXPECT_EQ(named, blocks.size()) << name;
    }
}
INSTANTIATE_TEST_SUITE_P(Lengths, BearingBlocks,
                         testing::Values(std::pair{0, 2048}, std::pair{777, 2048}, std::pair{0, 3001}, std::pair{100, 4096},
                                         std::pair{0, 8192}));

TEST_F(DetectionExamples, see_a_bearing_wear_out_long_before_its_end) {
    for (const std::size_t cut : {0U, 150U, 400U}) {
        Trial trial(example("bearing_trend.sql"));
        const auto rows = readings(data() / "femto" / "bearing1_1_features.csv", "bearings/1");
        std::size_t early = 0;
        double lead = 0;
        for (std::size_t i = cut; i < rows.size(); ++i) {
            if (!has(trial.reading("bearings/1", rows[i].payload), "\"event\":\"onset\"")) continue;
            if (i < rows.size() / 2)
                ++early;
            else
                lead = std::max(lead, static_cast<double>(rows.size() - 1 - i) / 6);
        }
        std::cout << "bearing1_1 without its first " << cut << ": " << lead << " minutes before the end, " << early
                  << " in the healthy half\n";
        EXPECT_GE(lead, 110);
        EXPECT_LE(early, 1u);
    }
}

}  // namespace
}  // namespace sluice::rules

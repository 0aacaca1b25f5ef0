// What rules cost: CPU of one reading by kind and number of rules, start and memory of many. bench/rules.py drives it.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <malloc.h>
#include <sys/resource.h>
#include <time.h>

#include "codec/json/scanner.hpp"
#include "data/reading.hpp"
#include "flow/rules/engine.hpp"
#include "flow/rules/file_table.hpp"

namespace {

using namespace sluice;

constexpr std::size_t kDevices = 1000;

/// CPU time of this process in nanoseconds.
double cpu_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

class Count final : public rules::Output {
public:
    void emit(const rules::OutputRow&) override { ++rows; }
    void forward(data::ShardIndex, rules::PartitionMask, const data::Reading&) override {}
    std::size_t rows = 0;
};

/// Readings as sensors of the design send them; each device has a topic of its own.
struct Readings {
    Readings() {
        unsigned state = 1;
        for (std::size_t i = 0; i < kDevices * 4; ++i) {
            state = state * 1664525 + 1013904223;
            char text[128];
            std::snprintf(text, sizeof text, R"({"device":"pump-%03zu","ts":17000000%05zu,"seq":%zu,"vibration":%.3f})", i % kDevices, i, i,
                          1.0 + (state >> 8) * 1e-9);
            std::string payload = text;
            payload.append(data::kReadablePadding, '\0');
            payloads.push_back(std::move(payload));
            std::snprintf(text, sizeof text, "sensors/pump-%03zu/vibration", i % kDevices);
            topics.emplace_back(text);
        }
    }
    [[nodiscard]] data::Reading at(std::size_t i) const {
        const std::string& payload = payloads[i % payloads.size()];
        return {.topic = topics[i % topics.size()],
                .payload = base::as_bytes(payload).first(payload.size() - data::kReadablePadding),
                .client = "bench",
                .arrived = base::WallTime(std::chrono::seconds(1'700'000'000) + std::chrono::microseconds(i * 100)),
                .at = base::Monotonic(std::chrono::microseconds(i * 100))};
    }
    std::vector<std::string> payloads;
    std::vector<std::string> topics;
};

/// A table with a row for each device.
rules::Catalog machines() {
    std::string text = "id,limit\n";
    for (std::size_t i = 0; i < kDevices; ++i) {
        char row[32];
        std::snprintf(row, sizeof row, "pump-%03zu,%zu\n", i, 100 + i);
        text += row;
    }
    rules::TableProblem problem;
    rules::Catalog catalog;
    catalog.tables.push_back({"machines", rules::FileTable::read(text, rules::TableForm::csv, {}, {}, problem)});
    return catalog;
}

std::shared_ptr<const rules::Plan> plan_of(const std::vector<std::string>& sql, bool forget_oldest = false) {
    std::vector<rules::RuleSpec> specs;
    for (const std::string& text : sql)
        specs.push_back({.id = "r" + std::to_string(specs.size()), .sql = text, .columns_wanted = {}, .forget_oldest = forget_oldest});
    const rules::Compiled compiled = rules::compile(specs, {.rules_max = 100'000}, machines());
    if (compiled.plan != nullptr) return compiled.plan;
    for (const auto& problems : compiled.problems) {
        for (const rules::SqlError& problem : problems) std::fprintf(stderr, "%s\n", problem.message.c_str());
    }
    std::exit(2);
}

std::vector<std::string> many(std::size_t count, const std::function<std::string(std::size_t)>& sql) {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < count; ++i) all.push_back(sql(i));
    return all;
}

/// Thresholds that no reading passes: what is measured is the decision, not the output.
std::string filter(std::size_t i) {
    return "SELECT device, vibration FROM 'sensors/+/vibration' WHERE vibration > " + std::to_string(100 + i);
}
std::string join(std::size_t i) {
    return "SELECT s.device, m.limit FROM 'sensors/+/vibration' AS s JOIN machines AS m ON m.id = s.device WHERE s.vibration > m.limit + " +
           std::to_string(i);
}
std::string zscore(std::size_t i) {
    return "SELECT device, ts, seq, vibration, zscore(vibration, 100) OVER (PARTITION BY device) AS z FROM 'sensors/+/vibration' "
           "WHERE abs(z) > " +
           std::to_string(1000 + i);
}
std::string average(std::size_t i) {
    return "SELECT device, avg(vibration) AS a, count(*) AS n FROM 'sensors/+/vibration' GROUP BY device, COUNTWINDOW(" +
           std::to_string(1000 + i) + ")";
}
/// One window for all of them; each looks at it when it is complete: as often as the readings that instructions are counted for go around.
std::string alike(std::size_t i) {
    return "SELECT device, avg(vibration) AS a FROM 'sensors/+/vibration' GROUP BY device, COUNTWINDOW(20) HAVING avg(vibration) > " +
           std::to_string(100 + i);
}
std::string tumbling(std::size_t i) {
    return "SELECT device, avg(vibration) AS a FROM 'sensors/+/vibration' GROUP BY device, TUMBLINGWINDOW(ss, " + std::to_string(60 + i) +
           ")";
}
/// Of a factory where each machine has a rule of its own.
std::string own_topic(std::size_t i) {
    return "SELECT device, vibration, zscore(vibration, 100) OVER (PARTITION BY device) AS z FROM 'sensors/line-" + std::to_string(i) +
           "/vibration' WHERE abs(z) > 3 OR vibration > " + std::to_string(i);
}

void run_scan(const Readings& readings, std::size_t count) {
    json::Scanner scanner;
    json::FieldSet fields;
    for (const char* name : {"device", "vibration"}) fields.add({name});
    std::vector<json::Value> slots(fields.size());
    for (std::size_t i = 0; i < count; ++i) {
        if (!scanner.scan(readings.at(i).payload, fields, slots)) std::exit(1);
    }
}

void run_plan(const Readings& readings, const std::shared_ptr<const rules::Plan>& plan, std::size_t count, std::size_t keys_max) {
    rules::Engine engine(plan, {.keys_max = keys_max});
    Count out;
    for (std::size_t i = 0; i < 150'000; ++i) engine.process(readings.at(i), rules::kAllPartitions, out);  // windows full, keys known
    const double start = cpu_ns();
    for (std::size_t i = 0; i < count; ++i) engine.process(readings.at(i), rules::kAllPartitions, out);
    std::printf("{\"ns\":%.1f,\"rows\":%zu}\n", (cpu_ns() - start) / static_cast<double>(count), out.rows);
}

void run_rules(const Readings& readings, const std::vector<std::string>& sql, std::size_t count) {
    run_plan(readings, plan_of(sql), count, 100'000);
}

void load_rules(std::size_t count, const std::function<std::string(std::size_t)>& sql) {
    const auto texts = many(count, sql);
    const auto heap = [] { return ::mallinfo2().uordblks + ::mallinfo2().hblkhd; };
    const auto before = heap();
    const double start = cpu_ns();
    rules::Engine engine(plan_of(texts), {});
    std::printf("{\"seconds\":%.3f,\"bytes_a_rule\":%.0f}\n", (cpu_ns() - start) * 1e-9,
                static_cast<double>(heap() - before) / static_cast<double>(count));
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 1 ? argv[1] : "";
    const std::size_t rules_count = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1;
    const std::size_t count = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 1'000'000;
    const Readings readings;
    if (what == "scan") {
        const double start = cpu_ns();
        run_scan(readings, count);
        std::printf("{\"ns\":%.1f}\n", (cpu_ns() - start) / static_cast<double>(count));
    } else if (what == "filter") {
        run_rules(readings, many(rules_count, filter), count);
    } else if (what == "join") {
        run_rules(readings, many(rules_count, join), count);
    } else if (what == "zscore") {
        run_rules(readings, many(rules_count, zscore), count);
    } else if (what == "average") {
        run_rules(readings, many(rules_count, average), count);
    } else if (what == "alike") {
        run_rules(readings, many(rules_count, alike), count);
    } else if (what == "tumbling") {
        run_rules(readings, many(rules_count, tumbling), count);
    } else if (what == "forgetful") {
        run_plan(readings, plan_of(many(rules_count, zscore), true), count, 100'000);
    } else if (what == "forgetting") {
        run_plan(readings, plan_of(many(rules_count, zscore), true), count, kDevices / 2);  // they come in turn: each is gone by then
    } else if (what == "load-filter") {
        load_rules(rules_count, filter);
    } else if (what == "load-topics") {
        load_rules(rules_count, own_topic);
    } else {
        std::fprintf(stderr,
                     "usage: sluice_rules_bench scan|filter|join|zscore|average|alike|tumbling|forgetful|forgetting|load-filter|"
                     "load-topics [RULES [READINGS]]\n");
        return 2;
    }
    return 0;
}

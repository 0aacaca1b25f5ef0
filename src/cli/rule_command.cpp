#include "cli/rule_command.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/catalog_options.hpp"
#include "cli/exit.hpp"
#include "cli/json_text.hpp"
#include "cli/rule_changes.hpp"
#include "cli/rule_explain.hpp"
#include "cli/rule_functions.hpp"
#include "cli/rule_problem.hpp"
#include "cli/rule_try.hpp"
#include "codec/csv/csv_reader.hpp"
#include "codec/json/scanner.hpp"
#include "data/topic.hpp"
#include "env/posix/clock.hpp"
#include "flow/rules/plan.hpp"
#include "flow/rules/rehearsal.hpp"

namespace sluice::cli {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
/// A line of NDJSON longer than a payload may be.
constexpr std::size_t kLineBytesMax = 1024 * 1024;

struct TestOptions {
    std::string sql;
    std::string file;
    std::string topic;
    CatalogOptions catalog;
    bool json = false;
};

class Printer final : public rules::RowSink {
public:
    void row(std::size_t, std::string_view json) override {
        std::fwrite(json.data(), 1, json.size(), stdout);
        std::fputc('\n', stdout);
    }
};

/// A topic that the rule reads, when none was given: wildcards become "test".
std::string topic_for(const std::string& filter) {
    std::string topic;
    for (const char c : filter) {
        if (c == '+' || c == '#')
            topic += "test";
        else
            topic += c;
    }
    return topic;
}

class RuleTest {
public:
    explicit RuleTest(const TestOptions& options) : options_(options) {}

    int run() {
        const rules::RuleSpec spec{.id = "test", .sql = options_.sql, .columns_wanted = {}};
        rules::Catalog catalog;
        if (!read_catalog(options_.catalog, "rule test", catalog)) return kExitUsage;
        const rules::Compiled compiled = rules::compile({&spec, 1}, {}, catalog);
        for (const rules::SqlError& problem : compiled.problems[0]) print_problem(options_.sql, problem, options_.json);
        if (compiled.plan == nullptr) return kExitUsage;
        if (!choose_topic(compiled.rules[0]) || !open()) return kExitUsage;
        const posix::PosixClock clock;
        rehearsal_.emplace(compiled.plan, rules::Rehearsal::Options{.start = clock.wall().time}, printer_);
        const bool good = looks_like_json() ? run_lines() : run_csv();
        if (good) rehearsal_->finish();
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
            fmt::print(stderr, "rule test: error: cannot write the output\n");
            return kExitFailed;
        }
        report();
        return good ? kExitGood : kExitFailed;
    }

private:
    bool choose_topic(const rules::RuleInfo& rule) {
        topic_ = options_.topic.empty() ? topic_for(rule.filters.front()) : options_.topic;
        if (!data::is_topic_name(topic_)) {
            fmt::print(stderr, "rule test: error: --topic '{}' is not a topic name (wildcards belong to filters)\n", topic_);
            return false;
        }
        const bool read = std::any_of(rule.filters.begin(), rule.filters.end(),
                                      [this](const std::string& filter) { return data::filter_matches(filter, topic_); });
        if (!read) warn("rule test", 0, fmt::format("the rule does not read topic '{}': no reading will be evaluated", topic_));
        return true;
    }

    bool open() {
        if (options_.file == "-") {
            in_ = &std::cin;
            name_ = "<stdin>";
            return true;
        }
        file_.open(options_.file, std::ios::binary);
        // A directory opens, but cannot be read.
        if (!file_ || (file_.peek(), file_.bad())) {
            fmt::print(stderr, "rule test: error: cannot read {}: expected a CSV or NDJSON file, or - for standard input\n", options_.file);
            return false;
        }
        file_.clear();
        in_ = &file_;
        name_ = options_.file;
        return true;
    }

    /// Reads the first piece and looks at the first character that is not blank.
    bool looks_like_json() {
        piece_ = read_piece();
        const std::size_t first = piece_.find_first_not_of(" \t\r\n");
        return first != std::string::npos && (piece_[first] == '{' || piece_[first] == '[');
    }

    std::string read_piece() {
        std::string piece(kPieceBytes, '\0');
        in_->read(piece.data(), static_cast<std::streamsize>(piece.size()));
        piece.resize(static_cast<std::size_t>(in_->gcount()));
        return piece;
    }

    bool run_csv() {
        csv::Reader reader;
        base::Bytes json;
        std::ptrdiff_t ts_column = 0;
        for (;;) {
            switch (reader.next()) {
                case csv::Step::header:
                    ts_column = std::find(reader.columns().begin(), reader.columns().end(), "ts") - reader.columns().begin();
                    break;
                case csv::Step::row:
                    json.clear();
                    reader.append_json(json);
                    rehearsal_->reading(topic_, base::as_text(json), time_of(reader.row(), ts_column));
                    break;
                case csv::Step::need_input:
                    if (piece_.empty()) piece_ = read_piece();
                    if (piece_.empty()) {
                        reader.finish();
                    } else {
                        reader.give(piece_);
                        piece_.clear();
                    }
                    break;
                case csv::Step::end:
                    return true;
                case csv::Step::failed:
                    fmt::print(stderr, "{}:{}: error: {}\n", name_, reader.line(), reader.problem());
                    return false;
            }
        }
    }

    /// The row's own time, which need not be looked for in its JSON.
    static std::optional<double> time_of(std::span<const csv::Field> row, std::ptrdiff_t column) {
        if (column >= std::ssize(row) || row[static_cast<std::size_t>(column)].kind != csv::FieldKind::number) return std::nullopt;
        std::string_view digits = row[static_cast<std::size_t>(column)].text;
        if (digits.starts_with('+')) digits.remove_prefix(1);
        double ms = 0;
        const auto [stop, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), ms);
        return problem == std::errc{} ? std::optional(ms) : std::nullopt;
    }

    bool run_lines() {
        std::string rest;
        std::uint64_t number = 0;
        for (; !piece_.empty(); piece_ = read_piece()) {
            rest += piece_;
            std::size_t at = 0;
            for (std::size_t stop = rest.find('\n'); stop != std::string::npos; stop = rest.find('\n', at)) {
                line(std::string_view(rest).substr(at, stop - at), ++number);
                at = stop + 1;
            }
            rest.erase(0, at);
            if (rest.size() > kLineBytesMax) {
                fmt::print(stderr, "{}:{}: error: longer than {} bytes: expected one JSON object a line\n", name_, number + 1,
                           kLineBytesMax);
                return false;
            }
        }
        line(rest, ++number);
        return true;
    }

    void line(std::string_view text, std::uint64_t number) {
        const std::size_t first = text.find_first_not_of(" \t\r");
        if (first == std::string_view::npos) return;
        const std::uint64_t before = rehearsal_->malformed();
        rehearsal_->reading(topic_, text);
        const bool malformed = rehearsal_->malformed() != before;
        std::string message = malformed ? fmt::format("{}: a gateway would count it as malformed", why(text)) : "";
        if (text[first] == '[' && !std::exchange(told_of_array_, true)) {
            message += malformed ? "; " : "a JSON array is one reading without fields; ";
            message += "expected one JSON object a line, as jq -c '.[]' makes them of an array";
        }
        if (!message.empty()) warn(name_, number, message);
    }

    std::string_view why(std::string_view text) {
        base::Bytes padded(text.begin(), text.end());
        padded.resize(text.size() + data::kReadablePadding);
        const auto top = scanner_.scan(base::ByteView(padded).first(text.size()), {}, {});
        if (!top && top.error().code == base::Errc::too_deep) return "nested deeper than 32 levels (limits.json_depth)";
        return top || top.error().code == base::Errc::malformed ? "not a JSON object" : "longer than 1 MiB";
    }

    /// `line` 0: of no line.
    void warn(const std::string& where, std::uint64_t line, const std::string& message) const {
        if (options_.json) {
            fmt::print(stderr, "{{\"severity\":\"warning\",\"line\":{},\"message\":{}}}\n", line, json_text(message));
        } else {
            fmt::print(stderr, "{}{}: warning: {}\n", where, line == 0 ? "" : fmt::format(":{}", line), message);
        }
    }

    void report() const {
        const rules::RuleCounters count = rehearsal_->counters()[0];
        if (options_.json) {
            fmt::print(stderr,
                       R"({{"evaluated":{},"rows":{},"malformed":{},"bad_value":{},"late":{},"state_full":{}}})"
                       "\n",
                       count.evaluated, count.rows, count.malformed, count.bad_value, count.late, count.state_full);
            return;
        }
        if (count.bad_value != 0)
            fmt::print(stderr, "rule test: note: {} bad values (NULL, text or no number where one was needed, division by zero)\n",
                       count.bad_value);
        if (count.late != 0) fmt::print(stderr, "rule test: note: {} readings came when all their windows had closed (late)\n", count.late);
        if (count.state_full != 0)
            fmt::print(stderr, "rule test: note: {} readings or values found no room (state_full)\n", count.state_full);
    }

    const TestOptions& options_;
    Printer printer_;
    std::optional<rules::Rehearsal> rehearsal_;
    std::string topic_;
    std::ifstream file_;
    std::istream* in_ = nullptr;
    std::string name_;
    std::string piece_;
    bool told_of_array_ = false;
    json::Scanner scanner_;
};

}  // namespace

void add_rule(CLI::App& app, Exit& exit) {
    auto* rule = app.add_subcommand("rule", "work with rules (SQL)");
    rule->require_subcommand(1);
    rule->footer(
        "Examples:\n"
        "  sluice rule test --sql \"SELECT value, zscore(value, 100) AS z FROM 'm' WHERE abs(z) > 3\" machine.csv\n"
        "  sluice rule explain -c gateway.yaml\n"
        "  sluice rule try --sql \"SELECT * FROM 'sensors/#' WHERE vibration > 3\" --at mqtt://127.0.0.1:1883\n"
        "  sluice rule functions regexp\n"
        "  sluice rule list\n"
        "  sluice rule pause vibration-anomaly\n"
        "  sluice rule test --help");
    add_rule_explain(*rule, exit);
    add_rule_functions(*rule, exit);
    add_rule_try(*rule, exit);
    add_rule_changes(*rule, exit);
    auto* command = rule->add_subcommand("test", "run one rule over a CSV or NDJSON file: no broker, no daemon");
    auto options = std::make_shared<TestOptions>();
    command->add_option("--sql", options->sql, "the rule")->required();
    command->add_option("file", options->file, "CSV (, or ;) or NDJSON; - for standard input")->required();
    command->add_option("--topic", options->topic, "topic of the readings (default: the rule's own filter, wildcards as \"test\")");
    add_catalog_options(*command, options->catalog);
    command->add_flag(
        "--json", options->json,
        "on standard error, too, JSON lines: each problem of the SQL (severity, line, column, message), at the end the counts");
    command->footer(
        "Examples:\n"
        "  sluice rule test --sql \"SELECT value, zscore(value, 100) AS z FROM 'm' WHERE abs(z) > 3\" machine.csv\n"
        "  sluice rule test --sql \"SELECT topic(2) AS device, max(v) AS v FROM 's/+' GROUP BY topic(2), TUMBLINGWINDOW(ss, 10)\" --topic "
        "s/a rows.ndjson\n"
        "  sluice rule test --table machines=machines.csv:id --sql \"SELECT s.device FROM 's' AS s JOIN machines AS m ON m.id = s.device "
        "WHERE s.v > m.limit\" rows.csv\n"
        "  cat rows.ndjson | sluice rule test --sql \"SELECT * FROM 's' WHERE v > 3\" -\n"
        "\n"
        "Output: NDJSON. The time of a row is its column ts (milliseconds since 1970) where there is one. Open time windows are emitted at "
        "the\n"
        "end of the file, count windows that are not full are not. Exit: 0 good, 1 the file cannot be read to its end, 2 wrong SQL or "
        "use.");
    command->callback([options, &exit] { exit.code = RuleTest(*options).run(); });
}

}  // namespace sluice::cli

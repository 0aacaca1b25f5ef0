#include "cli/rule_command.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/exit.hpp"
#include "codec/csv/csv_reader.hpp"
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
};

class Printer final : public rules::RowSink {
public:
    void row(std::size_t, std::string_view json) override {
        std::fwrite(json.data(), 1, json.size(), stdout);
        std::fputc('\n', stdout);
    }
};

/// The line of the SQL with a caret under the place.
void print_problem(const std::string& sql, const rules::SqlError& problem) {
    const char* word = problem.severity == rules::Severity::warning ? "warning" : "error";
    fmt::print(stderr, "sql:{}:{}: {}: {}\n", problem.line, problem.column, word, problem.message);
    const std::size_t before = sql.rfind('\n', problem.offset == 0 ? 0 : problem.offset - 1);
    const std::size_t start = problem.offset == 0 || before == std::string::npos || before >= problem.offset ? 0 : before + 1;
    const std::string line = sql.substr(start, sql.find('\n', start) - start);
    std::string indent;
    for (std::size_t i = 0; i < problem.offset - start && i < line.size(); ++i) {
        if ((static_cast<unsigned char>(line[i]) & 0xC0) != 0x80) indent += line[i] == '\t' ? '\t' : ' ';  // a character is one column wide
    }
    fmt::print(stderr, "  {}\n  {}^\n", line, indent);
}

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
        const rules::Compiled compiled = rules::compile({&spec, 1});
        for (const rules::SqlError& problem : compiled.problems[0]) print_problem(options_.sql, problem);
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
        if (!read) fmt::print(stderr, "rule test: warning: the rule does not read topic '{}': no reading will be evaluated\n", topic_);
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
        for (;;) {
            switch (reader.next()) {
                case csv::Step::header:
                    break;
                case csv::Step::row:
                    json.clear();
                    reader.append_json(json);
                    rehearsal_->reading(topic_, base::as_text(json));
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
        if (text.find_first_not_of(" \t\r") == std::string_view::npos) return;
        const std::uint64_t before = malformed();
        rehearsal_->reading(topic_, text);
        if (malformed() != before)
            fmt::print(stderr, "{}:{}: warning: not a JSON object: a gateway would count it as malformed\n", name_, number);
    }

    [[nodiscard]] std::uint64_t malformed() const { return rehearsal_->counters()[0].malformed; }

    void report() const {
        const rules::RuleCounters count = rehearsal_->counters()[0];
        if (count.bad_value != 0)
            fmt::print(stderr, "rule test: note: {} bad values (NULL, text or no number where one was needed, division by zero)\n",
                       count.bad_value);
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
};

}  // namespace

void add_rule(CLI::App& app, Exit& exit) {
    auto* rule = app.add_subcommand("rule", "work with rules (SQL)");
    rule->require_subcommand(1);
    auto* command = rule->add_subcommand("test", "run one rule over a CSV or NDJSON file: no broker, no daemon");
    auto options = std::make_shared<TestOptions>();
    command->add_option("--sql", options->sql, "the rule")->required();
    command->add_option("file", options->file, "CSV (, or ;) or NDJSON; - for standard input")->required();
    command->add_option("--topic", options->topic, "topic of the readings (default: the rule's own filter, wildcards as \"test\")");
    command->footer(
        "Examples:\n"
        "  sluice rule test --sql \"SELECT value, zscore(value, 100) AS z FROM 'm' WHERE abs(z) > 3\" machine.csv\n"
        "  sluice rule test --sql \"SELECT topic(2) AS device, max(v) AS v FROM 's/+' GROUP BY topic(2), TUMBLINGWINDOW(ss, 10)\" --topic "
        "s/a rows.ndjson\n"
        "  cat rows.ndjson | sluice rule test --sql \"SELECT * FROM 's' WHERE v > 3\" -\n"
        "\n"
        "Output: NDJSON. The time of a row is its column ts (milliseconds since 1970) where there is one. Open time windows are emitted at "
        "the\n"
        "end of the file, count windows that are not full are not. Exit: 0 good, 1 the file cannot be read to its end, 2 wrong SQL or "
        "use.");
    command->callback([options, &exit] { exit.code = RuleTest(*options).run(); });
}

}  // namespace sluice::cli

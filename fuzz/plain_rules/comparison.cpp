#include "comparison.hpp"

#include <algorithm>
#include <cmath>

#include "codec/json/scanner.hpp"
#include "flow/rules/parser.hpp"
#include "flow/rules/plan.hpp"
#include "flow/rules/rehearsal.hpp"

namespace sluice::rules::plain {
namespace {

/// Relative, and absolute for what is zero but for rounding: the numbers of the cases are of the order of one.
constexpr double kTolerance = 1e-9;

bool same(const Datum& ours, const Datum& theirs) {
    if (is_number(theirs) && !std::isfinite(real(theirs))) return is_null(ours);  // infinity is written as null
    if (!is_number(ours) || !is_number(theirs)) return ours == theirs;
    return std::fabs(real(ours) - real(theirs)) <= kTolerance * std::max(1.0, std::fabs(real(theirs)));
}

bool same_row(const Output& ours, const Output& theirs) { return std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(), same); }

/// The rows of each rule.
class Rows final : public RowSink {
public:
    explicit Rows(std::vector<std::vector<std::string>> columns) : rows(columns.size()), columns_(std::move(columns)) {}
    void row(std::size_t rule, std::string_view json) override {
        json::FieldSet fields;
        std::vector<std::uint32_t> slots;
        for (const std::string& column : columns_[rule]) slots.push_back(fields.add({column}));
        base::Bytes bytes(json.begin(), json.end());
        bytes.resize(bytes.size() + data::kReadablePadding);
        std::vector<json::Value> values(fields.size());
        json::Scanner scanner;
        if (!scanner.scan(base::ByteView(bytes).first(json.size()), fields, values)) return;  // then a row is missing
        Output& row = rows[rule].emplace_back();
        for (const std::uint32_t slot : slots) row.push_back(datum_of(values[slot]));
    }
    std::vector<std::vector<Output>> rows;

private:
    std::vector<std::vector<std::string>> columns_;
};

/// What was put out by rules that forget, with room for two keys in each table.
std::vector<std::vector<Output>> rows_of_forgetful(const Case& one, const std::shared_ptr<const Plan>& plan,
                                                   const std::vector<std::vector<std::string>>& columns, bool restart) {
    Rows sink(columns);
    Rehearsal rehearsal(plan, {.restart_after_each_row = restart, .keys_max = 2}, sink);
    for (const Row& row : one.rows) rehearsal.reading("t", payload_of(row));
    rehearsal.finish();
    return std::move(sink.rows);
}

std::string shown(const Output& row) {
    std::string text;
    for (const Datum& value : row) text += (text.empty() ? "" : ", ") + to_json(value);
    return "[" + text + "]";
}

/// The first row that has no equal; empty if all have.
std::string difference(std::vector<Output> ours, const std::vector<Output>& theirs, bool in_order) {
    for (std::size_t i = 0; i < theirs.size(); ++i) {
        const auto found =
            in_order ? ours.begin() : std::find_if(ours.begin(), ours.end(), [&](const Output& row) { return same_row(row, theirs[i]); });
        if (found == ours.end() || !same_row(*found, theirs[i]))
            return "row " + std::to_string(i) + " should be " + shown(theirs[i]) +
                   (found == ours.end() ? ", there is none" : ", is " + shown(*found));
        ours.erase(found);
    }
    return ours.empty() ? "" : "too many rows, such as " + shown(ours.front());
}

}  // namespace

Finding compare(const Case& one) {
    std::vector<RuleSpec> specs;
    specs.reserve(one.rules.size());
    for (const std::string& rule : one.rules)
        specs.push_back({.id = "r" + std::to_string(specs.size()), .sql = rule, .columns_wanted = {}});
    const Compiled compiled = compile(specs);
    Finding finding;
    if (compiled.plan == nullptr) {
        for (std::size_t i = 0; i < specs.size(); ++i) {
            for (const SqlError& problem : compiled.problems[i]) {
                if (problem.severity != Severity::warning) finding.difference += problem.message + " in " + specs[i].sql + "\n";
            }
        }
        return finding;
    }
    finding.compared = true;
    std::vector<std::vector<std::string>> columns;
    columns.reserve(specs.size());
    for (const RuleInfo& info : compiled.rules) columns.push_back(info.columns);
    std::vector<Interpreter::Result> expected;
    std::vector<bool> grouped;
    for (const RuleSpec& spec : specs) {
        Problems problems(spec.sql);
        const Query query = parse(spec.sql, {}, problems);
        expected.push_back(Interpreter(query, one.rows).run());
        grouped.push_back(!query.group_by.empty());
        finding.rows += expected.back().rows.size();
    }
    const struct {
        const char* name;
        Rehearsal::Options options;
    } ways[] = {{"on one shard", {}}, {"on three shards", {.shards = 3}}, {"with restarts", {.restart_after_each_row = true}}};
    for (const auto& way : ways) {
        Rows sink(columns);
        Rehearsal rehearsal(compiled.plan, way.options, sink);
        for (const Row& row : one.rows) rehearsal.reading("t", payload_of(row));
        rehearsal.finish();
        for (std::size_t i = 0; i < specs.size(); ++i) {
            std::string found = difference(sink.rows[i], expected[i].rows, !grouped[i] && way.options.shards == 1);
            const std::uint64_t late = rehearsal.counters()[i].late;
            // A restart begins to count anew.
            if (!way.options.restart_after_each_row && late != expected[i].late)
                found += std::to_string(late) + " readings are late, should be " + std::to_string(expected[i].late);
            if (!found.empty()) finding.difference += std::string(way.name) + ": " + specs[i].sql + "\n  " + found + "\n";
        }
    }
    // Which keys those are is for src/flow/rules/forgetting_test.cpp to say; here it must be the same ones after restarts.
    for (RuleSpec& spec : specs) spec.forget_oldest = true;
    const Compiled forgetful = compile(specs);
    const auto lasting = rows_of_forgetful(one, forgetful.plan, columns, false);
    const auto restarted = rows_of_forgetful(one, forgetful.plan, columns, true);
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const std::string found = difference(restarted[i], lasting[i], !grouped[i]);
        if (!found.empty()) finding.difference += "forgetful, with restarts: " + specs[i].sql + "\n  " + found + "\n";
    }
    if (finding.difference.empty()) return finding;
    for (const std::string& rule : one.rules) finding.difference += "rule: " + rule + "\n";
    for (const Row& row : one.rows) finding.difference += payload_of(row) + "\n";
    return finding;
}

}  // namespace sluice::rules::plain

#include "test_file.hpp"

#include <fstream>
#include <sstream>

#include "codec/csv/csv_reader.hpp"
#include "flow/rules/file_table.hpp"

namespace sluice::rules {
namespace {

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

std::vector<InputRow> csv_rows(std::string_view input, const std::string& topic, std::string& problem) {
    std::vector<InputRow> rows;
    csv::Reader reader;
    reader.give(input);
    reader.finish();
    for (;;) {
        switch (reader.next()) {
            case csv::Step::row: {
                base::Bytes json;
                reader.append_json(json);
                rows.push_back({.topic = topic, .payload = std::string(base::as_text(json))});
                break;
            }
            case csv::Step::failed:
                problem = reader.problem();
                return rows;
            case csv::Step::header:
                break;
            default:
                return rows;
        }
    }
}

}  // namespace

std::vector<Case> read_cases(const std::string& path, std::string& problem) {
    std::vector<Case> cases;
    std::ifstream in(path);
    if (!in) problem = path + ": cannot be read";
    std::string section;
    std::string text;
    for (int number = 1; std::getline(in, text); ++number) {
        std::string_view line = text;
        if (take_prefix(line, "-- ")) {
            if (take_prefix(line, "test ")) {
                cases.emplace_back();
                cases.back().name = line;
                cases.back().file = path;
                cases.back().line = number;
                section.clear();
            } else if (cases.empty()) {
                problem = path + ":" + std::to_string(number) + ": expected '-- test <a sentence>' first";
            } else if (take_prefix(line, "topic ")) {
                cases.back().topic = line;
            } else if (take_prefix(line, "table ")) {
                std::istringstream words{std::string(line)};
                CaseTable& table = cases.back().tables.emplace_back();
                words >> table.name;
                for (std::string column; words >> column;) table.key.push_back(column);
                section = "table";
            } else if (line == "no restart") {
                cases.back().restarts = false;
            } else if (line == "rule" || line == "input" || line == "expect" || line == "error") {
                section = line;
                cases.back().fails = cases.back().fails || section == "error";
            } else {
                problem = path + ":" + std::to_string(number) + ": unknown section '-- " + std::string(line) + "'";
            }
            continue;
        }
        if (line.empty()) continue;
        if (section == "rule")
            cases.back().rule += text + "\n";
        else if (section == "input")
            cases.back().input += text + "\n";
        else if (section == "table")
            cases.back().tables.back().text += text + "\n";
        else if (section == "expect")
            cases.back().expected.push_back(text);
        else if (section == "error")
            cases.back().errors.push_back(text);
        else if (!line.starts_with("#"))
            problem = path + ":" + std::to_string(number) + ": text outside of a section (comments begin with #)";
    }
    for (Case& one : cases) {
        if (!one.rule.empty()) one.rule.pop_back();
    }
    return cases;
}

Catalog catalog_of(const Case& one, std::string& problem) {
    Catalog catalog;
    for (const CaseTable& table : one.tables) {
        const TableForm form = table.text.starts_with("[")   ? TableForm::json
                               : table.text.starts_with("{") ? TableForm::ndjson
                                                             : TableForm::csv;
        TableProblem wrong;
        catalog.tables.push_back({.name = table.name, .table = FileTable::read(table.text, form, table.key, {}, wrong)});
        if (catalog.tables.back().table == nullptr)
            problem = table.name + ":" + std::to_string(wrong.line) + ":" + std::to_string(wrong.column) + ": " + wrong.message;
    }
    return catalog;
}

std::vector<InputRow> rows_of(std::string_view input, const std::string& topic, std::string& problem) {
    if (!input.empty() && input[0] != '{' && input[0] != '[' && input[0] != '@' && input[0] != '!') return csv_rows(input, topic, problem);
    std::vector<InputRow> rows;
    std::istringstream lines{std::string(input)};
    for (std::string line; std::getline(lines, line);) {
        InputRow row{.topic = topic, .payload = line};
        if (line[0] == '@') {
            const std::size_t blank = line.find(' ');
            row.topic = line.substr(1, blank - 1);
            row.payload = blank == std::string::npos ? "" : line.substr(blank + 1);
        } else if (line[0] == '!') {  // a payload that is no JSON, as it is
            row.payload = line.substr(1);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace sluice::rules

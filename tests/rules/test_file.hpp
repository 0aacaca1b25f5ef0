// Reads the *.test files of this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "flow/rules/plan.hpp"

namespace sluice::rules {

/// Content of a table for joins: CSV, a JSON array where it begins with `[`, NDJSON where it begins with `{`.
struct CaseTable {
    std::string name;
    std::vector<std::string> key;
    std::string text;
};

struct Case {
    std::string name;  ///< a sentence
    std::string file;
    int line = 0;
    std::string rule;
    std::string topic = "t";
    std::vector<CaseTable> tables;
    std::string input;
    std::vector<std::string> expected;
    std::vector<std::string> errors;  ///< "1:8: error: message"
    bool fails = false;               ///< it has an `-- error` section
    bool restarts = true;             ///< `-- no restart`: the output may differ when the engine restarts between readings
};

/// All cases of a file; a message for people in `problem` if it is not well-formed.
[[nodiscard]] std::vector<Case> read_cases(const std::string& path, std::string& problem);

/// As compile() takes them.
[[nodiscard]] Catalog catalog_of(const Case& one, std::string& problem);

/// The readings of an input: topic and payload. CSV where the first line does not begin with `{`, `[` or `@topic `.
struct InputRow {
    std::string topic;
    std::string payload;
};
[[nodiscard]] std::vector<InputRow> rows_of(std::string_view input, const std::string& topic, std::string& problem);

}  // namespace sluice::rules

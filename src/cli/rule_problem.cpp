#include "cli/rule_problem.hpp"

#include <cstdio>

#include <fmt/format.h>

#include "cli/json_text.hpp"

namespace sluice::cli {

void print_problem(const std::string& sql, const rules::SqlError& problem, bool json) {
    const char* word = problem.severity == rules::Severity::warning ? "warning" : "error";
    if (json) {
        fmt::print(stderr, "{{\"severity\":\"{}\",\"line\":{},\"column\":{},\"message\":{}}}\n", word, problem.line, problem.column,
                   json_text(problem.message));
        return;
    }
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

}  // namespace sluice::cli

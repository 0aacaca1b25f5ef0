// A problem of a rule's SQL, as commands show it.
#pragma once

#include <string>

#include "flow/rules/rule.hpp"

namespace sluice::cli {

/// To standard error: the line of the SQL with a caret under the place, or as one line of JSON.
void print_problem(const std::string& sql, const rules::SqlError& problem, bool json);

}  // namespace sluice::cli

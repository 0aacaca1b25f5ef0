// SQL text to a Query. Recursive descent; after a mistake it goes on at the next item or clause, to report the others as well.
#pragma once

#include <string_view>

#include "flow/rules/ast.hpp"
#include "flow/rules/plan.hpp"
#include "flow/rules/problems.hpp"

namespace sluice::rules {

/// What could be parsed; complete only if `problems` has nothing fatal.
[[nodiscard]] Query parse(std::string_view sql, const Limits& limits, Problems& problems);

}  // namespace sluice::rules

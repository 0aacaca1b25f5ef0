// Names before columns: `s.vibration` where the readings are called s, `m.limit` where a joined table is called m.
#pragma once

#include "flow/rules/ast.hpp"
#include "flow/rules/problems.hpp"

namespace sluice::rules {

/// Takes the names of readings and tables off the paths of columns, and notes whose columns they are.
void resolve_names(Query& query, Problems& problems);

}  // namespace sluice::rules

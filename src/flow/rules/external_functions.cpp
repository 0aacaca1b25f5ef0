// Functions of things outside of the rules: their rows.
#include "flow/rules/function_families.hpp"

namespace sluice::rules {

// clang-format off
constinit const Family<Function::infer, Function::shadow> kExternalFunctions{{
    {Function::infer, "infer", "", FunctionKind::external, "x*", Type::any, "infer('model', x, …)", "runs a model; not built yet", "infer('anomaly', x, y)", ""},
    {Function::call, "call", "", FunctionKind::external, "x*", Type::any, "call('function', x)", "calls a function; not built yet", "call('convert', x)", ""},
    {Function::shadow, "shadow", "", FunctionKind::external, "tt", Type::any, "shadow('thing', 'reported.x')", "reads a shadow; not built yet", "shadow('pump-1', 'desired.limit')", ""},
}};
// clang-format on

}  // namespace sluice::rules

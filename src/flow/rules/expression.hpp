// Compiled expressions: a flat array of nodes over slots, evaluated without virtual calls and without allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "codec/json/value.hpp"
#include "data/reading.hpp"
#include "flow/rules/functions.hpp"
#include "flow/rules/machine_classes.hpp"
#include "flow/rules/text_arena.hpp"

namespace sluice::json {
class Scanner;
}

namespace sluice::rules {

using json::Value;

class Lookups;
class NumberArray;
class Pattern;
class SpectrumAnalyzer;

/// Saved state is found again by fingerprints that these numbers are part of: new ones go to the end.
enum class Op : std::uint8_t {
    constant,   ///< a: index of the constant
    slot,       ///< a: slot of the payload's field
    slot_or,    ///< a: slot; b: node for readings that have no such field (an alias that an input column may hide)
    reg,        ///< a: result of a stateful operator
    aggregate,  ///< a: result of the window's aggregate
    key,        ///< a: component of the group's key
    negate,
    not_,  // a
    add,
    sub,
    mul,
    div,
    mod,
    concat,  // a, b
    eq,
    ne,
    lt,
    le,
    gt,
    ge,
    and_,
    or_,          // a, b
    is_null,      // a
    between,      // arguments: x, low, high
    in,           // arguments: x, list…
    like,         // arguments: text, pattern[, escape]
    case_search,  // arguments: pairs of condition and result; an odd last one is ELSE
    case_simple,  // arguments: operand, then as above
    cast_number,
    cast_integer,
    cast_text,
    cast_boolean,  // a
    function,      // arguments
    pattern,       ///< a: index of the pattern; an argument that is not evaluated
    element,       ///< a: the present element of one of the rule's unnest()
    distinct,      ///< IS DISTINCT FROM
    not_distinct,  // a, b
    cast_array,
    cast_record,  // a
    joined,       ///< a: lookup; b: column, of those that rules name
    matched,      ///< a: lookup that found a row
};

using NodeId = std::uint32_t;

struct Node {
    Op op = Op::constant;
    bool negated = false;               ///< of is_null, between, in, like; of a cast: TRY_CAST
    Function function = Function::abs;  ///< of op `function`
    std::uint32_t a = 0;                ///< child or index; of ops with `arguments`: the first of them in Program::arguments
    std::uint32_t b = 0;                ///< child; of ops with `arguments`: their number
};
static_assert(sizeof(Node) == 12);

/// All expressions of a plan; equal ones are one node.
struct Program {
    std::vector<Node> nodes;
    std::vector<NodeId> arguments;
    std::vector<Value> constants;
    std::vector<std::shared_ptr<const Pattern>> patterns;
    std::vector<NamedMachineClass> machine_classes;  ///< beside the standard's
    std::deque<std::string> texts;                   ///< what text constants point to (a deque: they do not move)
};

/// What an expression sees while it is evaluated.
struct Scope {
    const Program* program = nullptr;
    const Value* slots = nullptr;
    const Value* regs = nullptr;
    const Value* aggregates = nullptr;
    const Value* keys = nullptr;
    const Value* elements = nullptr;
    Lookups* lookups = nullptr;
    const data::Reading* reading = nullptr;  ///< nullptr where time closes a window
    Value window_start = Value::null();
    Value window_end = Value::null();
    TextArena* arena = nullptr;
    // For functions while they run: see Workspace.
    NumberArray* numbers = nullptr;
    base::Bytes* scratch = nullptr;
    std::vector<Value>* values = nullptr;
    json::Scanner* scanner = nullptr;
    SpectrumAnalyzer* spectrum = nullptr;
    std::uint64_t bad_values = 0;  ///< counted up
};

/// Three-valued logic of standard SQL. Never fails: what has no value is NULL. Result texts are valid as long as slots and arena.
[[nodiscard]] Value evaluate(Scope& scope, NodeId node);

enum class Order : std::uint8_t { less, equal, greater, unknown };
/// Numbers with numbers (exact, whole or not), text with text by bytes, booleans with booleans (false first); all else is unknown.
[[nodiscard]] Order compare(const Value& a, const Value& b);
/// |a - b| of two numbers; whole ones are not rounded to floats before.
[[nodiscard]] double distance(const Value& a, const Value& b);

/// IS NOT DISTINCT FROM: NULL is NULL, and never unknown. Arrays and objects are the same where they are written alike.
[[nodiscard]] bool is_same(const Value& a, const Value& b);

/// Whole numbers stay whole as long as they fit in 64 bits.
[[nodiscard]] Value subtract(Scope& scope, const Value& a, const Value& b);

/// Does the text match the pattern of LIKE? `escape` empty: none. Gives false in `decided` when it takes too many steps.
[[nodiscard]] bool like(std::string_view text, std::string_view pattern, std::string_view escape, bool& decided);

[[nodiscard]] Value cast(Scope& scope, Op to, const Value& value);
/// NULL, counted as a bad value.
[[nodiscard]] Value bad_value(Scope& scope);
/// The value as text (numbers as in JSON), in the arena; NULL for NULL or when there is no room.
[[nodiscard]] Value as_text(Scope& scope, const Value& value);
/// The same value with its text in the arena, so that it lives as long as the reading; NULL when there is no room.
[[nodiscard]] Value copy_text(Scope& scope, const Value& value);
/// The value that the text writes as JSON, a copy in the arena; a bad value where it is none.
[[nodiscard]] Value parse_json(Scope& scope, std::string_view text);
[[nodiscard]] Value join(Scope& scope, const Value& a, const Value& b);

}  // namespace sluice::rules

// What a family of stateful functions does with its bytes of a row. A family is one file; a new one needs no change elsewhere but its rows.
#pragma once

#include <cstddef>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "flow/rules/expression.hpp"
#include "flow/rules/state_bytes.hpp"

namespace sluice::rules {

struct StateOp;

/// Zeroed bytes are the state before the first reading. `run` is given what the argument turned out as, NULL where there is none.
struct StateMethods {
    std::size_t (*bytes)(const StateOp& op);
    std::size_t (*ring_bytes)(const StateOp& op);
    Value (*run)(const StateOp& op, std::byte* row, const Value& x, base::Monotonic at, Scope& scope);
    void (*save)(const StateOp& op, const std::byte* row, base::Monotonic now, base::Bytes& out);
    /// Tells by the reader's fail() that the bytes are damaged; the caller then zeroes what `bytes` says.
    void (*restore)(const StateOp& op, StateReader& reader, std::byte* row);
    /// The rule whose state this is has put out a row of the reading; nullptr: that changes nothing. State that it changes is of one rule.
    void (*hit)(const StateOp& op, std::byte* row, base::Monotonic at, const Scope& scope) = nullptr;
};

extern const StateMethods kRobustMethods;    // robust_z
extern const StateMethods kBeyondMethods;    // beyond
extern const StateMethods kAdaptiveMethods;  // adaptive
extern const StateMethods kAdaptiveViews;    // adaptive_alarm …: they read the state of adaptive
extern const StateMethods kStuckMethods;     // stuck
extern const StateMethods kGapMethods;       // gap
extern const StateMethods kHitTimeMethods;   // last_hit_time
extern const StateMethods kHitCountMethods;  // last_hit_count

/// nullptr: the function's code is in state_ops.cpp.
[[nodiscard]] const StateMethods* methods_of(Function function);

template <class T>
T& state_at(std::byte* row, std::uint32_t offset) {
    return *reinterpret_cast<T*>(row + offset);
}
template <class T>
const T& state_at(const std::byte* row, std::uint32_t offset) {
    return *reinterpret_cast<const T*>(row + offset);
}

}  // namespace sluice::rules

// Stateful functions: what they keep of earlier readings lies in a row of a table, the operator itself is immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "flow/rules/aggregates.hpp"
#include "flow/rules/expression.hpp"
#include "flow/rules/stored_value.hpp"

namespace sluice::rules {

class StateReader;
struct StateClock;
struct Ring;
struct StateMethods;

/// One call of a stateful function, shared by all rules that make it with the same arguments over the same keys.
struct StateOp {
    Function function = Function::every;    ///< an aggregate: over the last `n` rows
    const StateMethods* methods = nullptr;  ///< nullptr: its code is in state_ops.cpp
    bool has_argument = true;               ///< false for every(n) and count(*)
    NodeId argument = 0;
    std::uint32_t n = 0;                  ///< window, lag, every; rows of an aggregate (the current one included); `on` of episode
    std::uint32_t off = 0;                ///< of episode; `least` of windows; `fast` of adaptive
    std::optional<std::uint32_t> source;  ///< the operator whose state this one reads: it has none of its own
    std::uint32_t more = 0;               ///< `relearn` of adaptive
    double a = 0;                      ///< of ewma, changed (deadband), percentile, adaptive (limit), stuck (tolerance), gap (milliseconds)
    std::uint32_t table = 0;           ///< index into PlanData::tables
    std::uint32_t reg = 0;             ///< where its result goes
    std::uint32_t offset = 0;          ///< of its state in the row
    std::uint32_t ring = 0;            ///< offset of its ring, behind all states: rings are cold
    std::uint64_t fingerprint = 0;     ///< of function, arguments, keys and filters: saved state fits when it is equal
    std::vector<std::uint32_t> rules;  ///< who uses it
    std::string text;                  ///< as it stands in the SQL of the first of them
};

/// Bytes in the row, multiples of 8. Zeroed bytes are the state before the first reading.
[[nodiscard]] std::size_t state_bytes(const StateOp& op);
[[nodiscard]] std::size_t ring_bytes(const StateOp& op);

/// Runs operators on rows. Owned by one engine.
class StateRunner {
public:
    StateRunner(ValuePool& pool, std::size_t values_max) : pool_(pool), accumulators_(pool, values_max) {}

    /// One reading: the result, and the state moved on. Bad values give NULL, change nothing and count in the scope.
    [[nodiscard]] Value run(const StateOp& op, std::byte* row, const Value& x, base::Monotonic at, Scope& scope);

    /// Nothing kept in the pool; the bytes in the row are then worth nothing.
    void release(const StateOp& op, std::byte* row);

    void save(const StateOp& op, const std::byte* row, base::Monotonic now, base::Bytes& out) const;
    /// False: damaged; the state is then as before the first reading. All of `in` must be the operator's.
    [[nodiscard]] bool restore(const StateOp& op, base::ByteView in, const StateClock& clock, std::byte* row);

    [[nodiscard]] AccumulatorStore& accumulators() { return accumulators_; }
    [[nodiscard]] const AccumulatorStore& accumulators() const { return accumulators_; }

private:
    [[nodiscard]] Value run_number(const StateOp& op, std::byte* row, const Value& x, base::Monotonic at, Scope& scope);
    [[nodiscard]] Value run_lag(const StateOp& op, std::byte* row, const Value& x, Scope& scope);
    [[nodiscard]] Value run_changed(const StateOp& op, std::byte* row, const Value& x, Scope& scope);
    [[nodiscard]] Value run_rows(const StateOp& op, std::byte* row, const Value& x, Scope& scope);

    void restore_ring(const StateOp& op, StateReader& reader, std::byte* row, Ring& ring);

    ValuePool& pool_;
    AccumulatorStore accumulators_;
};

}  // namespace sluice::rules

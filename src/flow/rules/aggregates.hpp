// Aggregates: small accumulators, shared by the functions that can share (avg, sum and count of the same values are one).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.hpp"
#include "codec/json/value.hpp"
#include "flow/rules/expression.hpp"
#include "flow/rules/functions.hpp"
#include "flow/rules/stored_value.hpp"
#include "sluice/device/statistics.hpp"

namespace sluice::rules {

enum class Accumulator : std::uint8_t {
    rows,     ///< count(*)
    values,   ///< count(x)
    total,    ///< sum, avg
    moments,  ///< stddev, stddevs, var, vars
    least,
    greatest,
    first,
    last,
    numbers,  ///< median, percentile: all of them
    list,     ///< collect: all of them
    // Of event time: readings come in any order, the first is that of the least time.
    first_by_time,
    last_by_time,
};

[[nodiscard]] Accumulator accumulator_of(Function function, bool star, bool event_time = false);
/// Takes finite numbers only; the others take everything that is not NULL (no infinity).
[[nodiscard]] bool needs_number(Accumulator kind);
/// Size of its state in bytes, a multiple of 8. Zeroed bytes are an empty accumulator.
[[nodiscard]] std::size_t state_bytes(Accumulator kind);

/// What an accumulator said about a value.
enum class Taken : std::uint8_t { yes, bad, full };

/// Works on states in rows. `values_max`: of numbers and list.
class AccumulatorStore {
public:
    AccumulatorStore(ValuePool& pool, std::size_t values_max) : pool_(pool), values_max_(values_max) {}

    /// NULL is passed over (yes). `at`: its time, where it matters (first_by_time, last_by_time).
    Taken accept(Accumulator kind, std::byte* state, const Value& value, std::int64_t at = 0);
    /// Adds what `from` has taken, as if it had come after what is in `into`. Full: some of it did not fit.
    Taken merge(Accumulator kind, std::byte* into, const std::byte* from);
    /// The function's value; texts are valid until the state changes or, for collect, as long as the scope's arena. NULL where there is
    /// nothing.
    [[nodiscard]] Value result(Function function, double p, Accumulator kind, const std::byte* state, Scope& scope);
    /// Empty again.
    void clear(Accumulator kind, std::byte* state);
    /// Empty, nothing kept in the pool.
    void release(Accumulator kind, std::byte* state);

    void save(Accumulator kind, const std::byte* state, base::Bytes& out) const;
    /// False: damaged. The state must be empty before.
    [[nodiscard]] bool restore(Accumulator kind, base::ByteView& in, std::byte* state);

private:
    [[nodiscard]] Value sorted_result(Function function, double p, const std::byte* state);
    [[nodiscard]] Value list_result(const std::byte* state, Scope& scope);

    ValuePool& pool_;
    std::size_t values_max_;
    std::vector<double> sorted_;
    base::Bytes text_;
};

}  // namespace sluice::rules

// stuck and gap: a sensor that says nothing new, or nothing at all.
#include <cmath>
#include <utility>

#include "flow/rules/state_methods.hpp"
#include "flow/rules/state_ops.hpp"

namespace sluice::rules {
namespace {

struct Stuck {
    double value;       ///< the first of the run
    std::uint64_t run;  ///< how many valid values in a row are within the tolerance of it
};

struct Gap {
    union {
        double at_ms;        ///< of the time that the reading brings
        std::int64_t at_ns;  ///< by arrival: of the monotonic clock
    };
    std::uint64_t seen;  ///< 0 before the first reading
};

template <class State>
std::size_t bytes_of(const StateOp&) {
    return sizeof(State);
}
std::size_t no_ring(const StateOp&) { return 0; }

bool is_good(const Value& x) { return x.is_numeric() && std::isfinite(x.as_double()); }

Value run_stuck(const StateOp& op, std::byte* row, const Value& x, base::Monotonic, Scope& scope) {
    if (!is_good(x)) return bad_value(scope);
    auto& state = state_at<Stuck>(row, op.offset);
    if (state.run != 0 && std::fabs(x.as_double() - state.value) <= op.a) {
        ++state.run;
    } else {
        state = {.value = x.as_double(), .run = 1};
    }
    return Value::boolean(state.run >= op.n);
}

void save_stuck(const StateOp& op, const std::byte* row, base::Monotonic, base::Bytes& out) {
    save_real(out, state_at<Stuck>(row, op.offset).value);
    base::append_le(out, state_at<Stuck>(row, op.offset).run);
}

void restore_stuck(const StateOp& op, StateReader& reader, std::byte* row) {
    auto& state = state_at<Stuck>(row, op.offset);
    state.value = reader.real();
    state.run = reader.number<std::uint64_t>();
    if (!std::isfinite(state.value)) reader.fail();
}

Value run_gap(const StateOp& op, std::byte* row, const Value& x, base::Monotonic at, Scope& scope) {
    if (op.has_argument && !is_good(x)) return bad_value(scope);
    auto& state = state_at<Gap>(row, op.offset);
    const bool known = std::exchange(state.seen, 1) != 0;
    const std::int64_t now_ns = at.time_since_epoch().count();
    const double passed = op.has_argument ? x.as_double() - state.at_ms : static_cast<double>(now_ns - state.at_ns) * 1e-6;
    // A timestamp that goes backward is no gap, and must not make one of the next reading.
    if (!known || passed > 0) {
        if (op.has_argument)
            state.at_ms = x.as_double();
        else
            state.at_ns = now_ns;
    }
    return Value::boolean(known && passed > op.a);
}

void save_gap(const StateOp& op, const std::byte* row, base::Monotonic now, base::Bytes& out) {
    const auto& state = state_at<Gap>(row, op.offset);
    if (op.has_argument)
        save_real(out, state.at_ms);
    else
        save_time(out, state.seen != 0 ? state.at_ns : now.time_since_epoch().count(), now);
    base::append_le(out, state.seen);
}

void restore_gap(const StateOp& op, StateReader& reader, std::byte* row) {
    auto& state = state_at<Gap>(row, op.offset);
    if (op.has_argument) {
        state.at_ms = reader.real();
        if (!std::isfinite(state.at_ms)) reader.fail();
    } else if (reader.has_times()) {
        state.at_ns = reader.time();
    } else {
        (void)reader.real();  // of a clock that is not known any more
    }
    const bool seen = reader.number<std::uint64_t>() != 0;
    state.seen = seen && (op.has_argument || reader.has_times()) ? 1 : 0;
}

}  // namespace

constinit const StateMethods kStuckMethods{bytes_of<Stuck>, no_ring, run_stuck, save_stuck, restore_stuck};
constinit const StateMethods kGapMethods{bytes_of<Gap>, no_ring, run_gap, save_gap, restore_gap};

}  // namespace sluice::rules

// stuck and gap: a sensor that says nothing new, or nothing at all.
#include <bit>
#include <cmath>
#include <utility>

#include "flow/rules/state_methods.hpp"
#include "flow/rules/state_ops.hpp"
#include "flow/rules/window_clock.hpp"

namespace sluice::rules {
namespace {

/// Whole numbers up to this are floats without loss.
constexpr std::int64_t kExactMax = std::int64_t{1} << 53;

struct Stuck {
    union {
        double real;  ///< the first of the run …
        std::int64_t whole;
    };
    std::uint64_t run;  ///< … and how many valid values in a row are within the tolerance of it; with kWhole where it is `whole`
};
/// The first of the run is a whole number that a float would round.
constexpr std::uint64_t kWhole = std::uint64_t{1} << 63;

Stuck run_of(const Value& first) {
    Stuck result{.real = 0, .run = 1};
    if (first.kind() == json::Kind::integer && (first.as_integer() > kExactMax || first.as_integer() < -kExactMax)) {
        result.whole = first.as_integer();
        result.run |= kWhole;
    } else {
        result.real = first.as_double();
    }
    return result;
}

Value first_of(const Stuck& state) { return (state.run & kWhole) != 0 ? Value::integer(state.whole) : Value::number(state.real); }

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
    if (state.run != 0 && distance(x, first_of(state)) <= op.a)
        ++state.run;
    else
        state = run_of(x);
    return Value::boolean((state.run & ~kWhole) >= op.n);
}

void save_stuck(const StateOp& op, const std::byte* row, base::Monotonic, base::Bytes& out) {
    const auto& state = state_at<Stuck>(row, op.offset);
    base::append_le(out, (state.run & kWhole) != 0 ? static_cast<std::uint64_t>(state.whole) : std::bit_cast<std::uint64_t>(state.real));
    base::append_le(out, state.run);
}

void restore_stuck(const StateOp& op, StateReader& reader, std::byte* row) {
    auto& state = state_at<Stuck>(row, op.offset);
    const auto first = reader.number<std::uint64_t>();
    state.run = reader.number<std::uint64_t>();
    if ((state.run & kWhole) != 0) {
        state.whole = static_cast<std::int64_t>(first);
    } else {
        state.real = std::bit_cast<double>(first);
        if (!std::isfinite(state.real)) reader.fail();
    }
}

Value run_gap(const StateOp& op, std::byte* row, const Value& x, base::Monotonic at, Scope& scope) {
    if (op.has_argument && !(is_good(x) && std::fabs(x.as_double()) <= kReadingTimeMax)) return bad_value(scope);
    auto& state = state_at<Gap>(row, op.offset);
    const bool known = std::exchange(state.seen, 1) != 0;
    const std::int64_t now_ns = at.time_since_epoch().count();
    const double passed = op.has_argument ? x.as_double() - state.at_ms : static_cast<double>(now_ns - state.at_ns) * 1e-6;
    // A time that goes back is no gap. By up to the limit it is out of order, and must not make a gap of the next reading. By more, either
    // it is wrong or those before were: were it not taken, one time from the future would hide every silence until then.
    const bool out_of_order = known && passed <= 0 && passed >= -op.a;
    if (!out_of_order) {
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

// adaptive, and the functions that show the numbers behind it: they share its state and read what the last reading left there.
#include <cmath>

#include "flow/rules/adaptive_baseline.hpp"
#include "flow/rules/state_methods.hpp"
#include "flow/rules/state_ops.hpp"

namespace sluice::rules {
namespace {

AdaptiveBaseline::Parameters parameters_of(const StateOp& op) { return {.fast = op.off, .slow = op.n, .limit = op.a, .relearn = op.more}; }

AdaptiveBaseline::Rings rings_of(const StateOp& op, std::byte* row) {
    double* const fast = &state_at<double>(row, op.ring);
    return {.fast = fast, .slow = fast + op.off};
}

bool is_good(const Value& x) { return x.is_numeric() && std::isfinite(x.as_double()); }
Value number_or_null(double number) { return std::isnan(number) ? Value::null() : Value::number(number); }

std::size_t adaptive_bytes(const StateOp&) { return sizeof(AdaptiveBaseline); }
std::size_t adaptive_ring_bytes(const StateOp& op) { return (std::size_t{op.n} + op.off) * sizeof(double); }

Value run_adaptive(const StateOp& op, std::byte* row, const Value& x, base::Monotonic, Scope& scope) {
    if (!is_good(x)) return bad_value(scope);
    auto& state = state_at<AdaptiveBaseline>(row, op.offset);
    state.push(x.as_double(), parameters_of(op), rings_of(op, row));
    return state.ready() ? number_or_null(state.score()) : Value::null();
}

void save_window(const device::SlidingWindow& window, const double* ring, std::uint32_t size, base::Bytes& out) {
    base::append_le(out, window.count);
    for (std::uint32_t i = 0; i < window.count; ++i) save_real(out, ring[window.count < size ? i : (window.head + i) % size]);
}

void restore_window(device::SlidingWindow& window, double* ring, std::uint32_t size, StateReader& reader) {
    const auto count = reader.number<std::uint32_t>();
    if (!reader.ok() || count > size) return reader.fail();
    for (std::uint32_t i = 0; i < count; ++i) {
        ring[i] = reader.real();
        if (!reader.ok() || !std::isfinite(ring[i])) return reader.fail();
    }
    window = {};
    window.count = count;
}

void save_adaptive(const StateOp& op, const std::byte* row, base::Monotonic, base::Bytes& out) {
    const auto& state = state_at<AdaptiveBaseline>(row, op.offset);
    const double* const fast = &state_at<double>(row, op.ring);
    save_window(state.average, fast, op.off, out);
    save_window(state.baseline, fast + op.off, op.n, out);
    save_real(out, state.squares);
    save_real(out, state.difference);
    save_real(out, state.usual);
    base::append_le(out, state.known);
    base::append_le(out, state.alarmed);
    base::append_le(out, state.tainted);
}

void restore_adaptive(const StateOp& op, StateReader& reader, std::byte* row) {
    const AdaptiveBaseline::Rings rings = rings_of(op, row);
    AdaptiveBaseline state{};
    restore_window(state.average, rings.fast, op.off, reader);
    restore_window(state.baseline, rings.slow, op.n, reader);
    state.squares = reader.real();
    state.difference = reader.real();
    state.usual = reader.real();
    state.known = reader.number<std::uint32_t>();
    state.alarmed = reader.number<std::uint32_t>();
    state.tainted = reader.number<std::uint32_t>();
    const bool filled = state.known == 0 ? state.average.count == 0 && state.baseline.count < op.n
                                         : state.average.full(op.off) && state.baseline.count >= op.n - op.off;
    if (!reader.ok() || !filled || !std::isfinite(state.squares) || state.squares < 0 || state.tainted > op.off) return reader.fail();
    state.recompute(parameters_of(op), rings);
    state_at<AdaptiveBaseline>(row, op.offset) = state;
}

std::size_t no_bytes(const StateOp&) { return 0; }
void save_nothing(const StateOp&, const std::byte*, base::Monotonic, base::Bytes&) {}
void restore_nothing(const StateOp&, StateReader&, std::byte*) {}

/// adaptive with the same arguments has run before: what it computes is counted and moved on there, once.
Value run_view(const StateOp& op, std::byte* row, const Value& x, base::Monotonic, Scope&) {
    const auto& state = state_at<AdaptiveBaseline>(row, op.offset);
    if (!is_good(x)) return Value::null();
    if (op.function == Function::adaptive_alarm) return Value::boolean(state.alarmed != 0);
    if (!state.ready()) return Value::null();
    const double baseline = state.baseline.mean();
    switch (op.function) {
        case Function::adaptive_average:
            return number_or_null(baseline + state.difference);
        case Function::adaptive_limit:
            return number_or_null(op.a * state.usual);
        default:
            return number_or_null(baseline);
    }
}

}  // namespace

constinit const StateMethods kAdaptiveMethods{adaptive_bytes, adaptive_ring_bytes, run_adaptive, save_adaptive, restore_adaptive};
constinit const StateMethods kAdaptiveViews{no_bytes, no_bytes, run_view, save_nothing, restore_nothing};

}  // namespace sluice::rules

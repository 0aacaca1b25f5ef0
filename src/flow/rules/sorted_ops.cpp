// robust_z and beyond: both look at a window of values in order of size.
#include <algorithm>
#include <cmath>
#include <limits>

#include "flow/rules/sorted_window.hpp"
#include "flow/rules/state_methods.hpp"
#include "flow/rules/state_ops.hpp"

namespace sluice::rules {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double* ring_of(const StateOp& op, std::byte* row) { return &state_at<double>(row, op.ring); }
double* sorted_of(const StateOp& op, std::byte* row) { return ring_of(op, row) + op.n; }

std::size_t window_bytes(const StateOp&) { return sizeof(SortedWindow); }
std::size_t window_ring_bytes(const StateOp& op) { return std::size_t{2} * op.n * sizeof(double); }

double without_spread(double difference) { return difference == 0 ? 0 : std::copysign(kInfinity, difference); }

double robust_z(double x, std::span<const double> sorted) {
    const double difference = x - median_of_sorted(sorted);
    const double deviation = median_deviation_of_sorted(sorted);
    return deviation == 0 ? without_spread(difference) : difference / (kNormalSpread * deviation);
}

double beyond(double x, std::span<const double> sorted) {
    const double least = sorted.front();
    const double most = sorted.back();
    const double outside = x > most ? x - most : x < least ? x - least : 0;
    return most == least ? without_spread(outside) : outside / (most - least);
}

/// `judge` sees the values before this one, once there are `least` of them.
template <double (*judge)(double, std::span<const double>)>
Value run_window(const StateOp& op, std::byte* row, const Value& x, base::Monotonic, Scope& scope) {
    if (!x.is_numeric() || !std::isfinite(x.as_double())) return bad_value(scope);
    auto& window = state_at<SortedWindow>(row, op.offset);
    double* const sorted = sorted_of(op, row);
    Value result = Value::null();
    if (window.count >= op.off) {
        const double judged = judge(x.as_double(), {sorted, window.count});
        if (!std::isnan(judged)) result = Value::number(judged);
    }
    window.push(x.as_double(), ring_of(op, row), sorted, op.n);
    return result;
}

void save_window(const StateOp& op, const std::byte* row, base::Monotonic, base::Bytes& out) {
    const auto& window = state_at<SortedWindow>(row, op.offset);
    base::append_le(out, window.count);
    for (std::uint32_t i = 0; i < window.count; ++i) save_real(out, window.at(i, &state_at<double>(row, op.ring), op.n));
}

void restore_window(const StateOp& op, StateReader& reader, std::byte* row) {
    const auto count = reader.number<std::uint32_t>();
    if (!reader.ok() || count > op.n) return reader.fail();
    double* const ring = ring_of(op, row);
    for (std::uint32_t i = 0; i < count; ++i) {
        ring[i] = reader.real();
        if (!reader.ok() || !std::isfinite(ring[i])) return reader.fail();
    }
    std::copy(ring, ring + count, sorted_of(op, row));
    std::sort(sorted_of(op, row), sorted_of(op, row) + count);
    state_at<SortedWindow>(row, op.offset) = {.count = count, .head = 0};
}

}  // namespace

constinit const StateMethods kRobustMethods{window_bytes, window_ring_bytes, run_window<robust_z>, save_window, restore_window};
constinit const StateMethods kBeyondMethods{window_bytes, window_ring_bytes, run_window<beyond>, save_window, restore_window};

}  // namespace sluice::rules

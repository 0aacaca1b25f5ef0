// last_hit_time and last_hit_count: what the rule itself has put out.
#include "flow/rules/state_methods.hpp"
#include "flow/rules/state_ops.hpp"

namespace sluice::rules {
namespace {

/// A wall clock that jumps must not make a throttle wait for years: what has passed is measured by the monotonic clock, and told as a time
/// of the wall clock as it is now.
struct HitTime {
    std::int64_t at;  ///< nanoseconds of the monotonic clock
    std::uint64_t seen;
};

constexpr std::int64_t kMillisecond = 1'000'000;

std::size_t time_bytes(const StateOp&) { return sizeof(HitTime); }
std::size_t count_bytes(const StateOp&) { return sizeof(std::uint64_t); }
std::size_t no_ring(const StateOp&) { return 0; }

Value run_time(const StateOp& op, std::byte* row, const Value&, base::Monotonic at, Scope& scope) {
    const auto& state = state_at<HitTime>(row, op.offset);
    if (state.seen == 0) return Value::null();
    return Value::integer(base::to_ms(scope.reading->arrived) - (at.time_since_epoch().count() - state.at) / kMillisecond);
}

void hit_time(const StateOp& op, std::byte* row, base::Monotonic at, const Scope&) {
    state_at<HitTime>(row, op.offset) = {.at = at.time_since_epoch().count(), .seen = 1};
}

void save_hit(const StateOp& op, const std::byte* row, base::Monotonic now, base::Bytes& out) {
    const auto& state = state_at<HitTime>(row, op.offset);
    save_time(out, state.seen != 0 ? state.at : now.time_since_epoch().count(), now);
    base::append_le(out, state.seen);
}

void restore_hit(const StateOp& op, StateReader& reader, std::byte* row) {
    auto& state = state_at<HitTime>(row, op.offset);
    state.at = reader.time();
    state.seen = reader.number<std::uint64_t>() != 0 ? 1 : 0;
}

Value run_count(const StateOp& op, std::byte* row, const Value&, base::Monotonic, Scope&) {
    return Value::integer(static_cast<std::int64_t>(state_at<std::uint64_t>(row, op.offset)));
}

void hit_count(const StateOp& op, std::byte* row, base::Monotonic, const Scope&) { ++state_at<std::uint64_t>(row, op.offset); }

void save_count(const StateOp& op, const std::byte* row, base::Monotonic, base::Bytes& out) {
    base::append_le(out, state_at<std::uint64_t>(row, op.offset));
}

void restore_count(const StateOp& op, StateReader& reader, std::byte* row) {
    state_at<std::uint64_t>(row, op.offset) = reader.number<std::uint64_t>() & INT64_MAX;
}

}  // namespace

constinit const StateMethods kHitTimeMethods{time_bytes, no_ring, run_time, save_hit, restore_hit, hit_time};
constinit const StateMethods kHitCountMethods{count_bytes, no_ring, run_count, save_count, restore_count, hit_count};

}  // namespace sluice::rules

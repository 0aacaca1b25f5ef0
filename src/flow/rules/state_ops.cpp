#include "flow/rules/state_ops.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "flow/rules/state_bytes.hpp"
#include "flow/rules/state_methods.hpp"
#include "sluice/device/statistics.hpp"

namespace sluice::rules {

/// A ring that is not full yet is filled from its start.
struct Ring {
    std::uint32_t count;
    std::uint32_t head;  ///< place of the oldest once it is full

    /// Where the next value goes.
    [[nodiscard]] std::uint32_t push(std::uint32_t size) {
        if (count < size) return count++;
        const std::uint32_t at = head;
        head = head + 1 == size ? 0 : head + 1;
        return at;
    }
    /// The i-th oldest.
    [[nodiscard]] std::uint32_t at(std::uint32_t i, std::uint32_t size) const { return count < size ? i : (head + i) % size; }
};

namespace {

using json::Kind;

struct Previous {
    StoredValue value;
    std::int64_t at;         ///< nanoseconds of the monotonic clock
    std::uint64_t has_time;  ///< 0 before the first reading, and after saved state that has no times
};

struct Smoothed {
    double value;
    std::uint64_t started;
};

struct Episode {
    std::uint32_t run;     ///< readings in a row that speak against the present state
    std::uint32_t active;  ///< 1 between onset and clear
};

template <class T>
T& as(std::byte* row, std::uint32_t offset) {
    return *reinterpret_cast<T*>(row + offset);
}
template <class T>
const T& as(const std::byte* row, std::uint32_t offset) {
    return *reinterpret_cast<const T*>(row + offset);
}

bool is_aggregate(const StateOp& op) { return info(op.function).kind == FunctionKind::aggregate; }
Accumulator accumulator_of(const StateOp& op) { return accumulator_of(op.function, !op.has_argument); }
bool is_finite_number(const Value& x) { return x.is_numeric() && std::isfinite(x.as_double()); }
/// Anything that can be kept: not NULL, no infinity.
bool is_valid(const Value& x) { return x.is_numeric() ? std::isfinite(x.as_double()) : !x.is_null(); }

Value run_zscore(const StateOp& op, std::byte* row, double x) {
    auto& window = as<device::SlidingWindow>(row, op.offset);
    auto* ring = &as<double>(row, op.ring);
    Value result = Value::null();
    if (window.full(op.n)) {
        const double z = window.zscore(x, ring);
        if (!std::isnan(z)) result = Value::number(z);
    }
    window.push(x, ring, op.n);
    return result;
}

Value run_shape(const StateOp& op, std::byte* row, double x) {
    auto& ring = as<Ring>(row, op.offset);
    auto* values = &as<double>(row, op.ring);
    values[ring.push(op.n)] = x;
    if (ring.count < op.n) return Value::null();
    const double result = op.function == Function::rms     ? device::root_mean_square(values, op.n)
                          : op.function == Function::crest ? device::crest_factor(values, op.n)
                                                           : device::kurtosis(values, op.n);
    return std::isnan(result) ? Value::null() : Value::number(result);
}

Value run_episode(const StateOp& op, std::byte* row, const Value& x, Scope& scope) {
    if (x.kind() != Kind::boolean) return bad_value(scope);
    auto& episode = as<Episode>(row, op.offset);
    if (x.is_true() == (episode.active != 0)) {
        episode.run = 0;
        return Value::null();
    }
    if (++episode.run < (episode.active != 0 ? op.off : op.n)) return Value::null();
    episode.run = 0;
    episode.active = 1 - episode.active;
    return Value::text(episode.active != 0 ? "onset" : "clear");
}

Value run_every(const StateOp& op, std::byte* row) {
    auto& count = as<std::uint64_t>(row, op.offset);
    if (++count < op.n) return Value::boolean(false);
    count = 0;
    return Value::boolean(true);
}

}  // namespace

std::size_t state_bytes(const StateOp& op) {
    if (op.methods != nullptr) return op.methods->bytes(op);
    if (is_aggregate(op)) return sizeof(Ring);
    switch (op.function) {
        case Function::zscore:
            return sizeof(device::SlidingWindow);
        case Function::lag:
        case Function::rms:
        case Function::kurtosis:
        case Function::crest:
            return sizeof(Ring);
        case Function::delta:
        case Function::changed:
            return sizeof(StoredValue);
        case Function::rate:
            return sizeof(Previous);
        case Function::ewma:
            return sizeof(Smoothed);
        case Function::episode:
            return sizeof(Episode);
        default:
            return sizeof(std::uint64_t);
    }
}

std::size_t ring_bytes(const StateOp& op) {
    if (op.methods != nullptr) return op.methods->ring_bytes(op);
    if (is_aggregate(op) || op.function == Function::lag) return op.n * sizeof(StoredValue);
    const bool numbers = op.function == Function::zscore || op.function == Function::rms || op.function == Function::kurtosis ||
                         op.function == Function::crest;
    return numbers ? op.n * sizeof(double) : 0;
}

Value StateRunner::run(const StateOp& op, std::byte* row, const Value& x, base::Monotonic at, Scope& scope) {
    if (op.methods != nullptr) return op.methods->run(op, row, x, at, scope);
    if (is_aggregate(op)) return run_rows(op, row, x, scope);
    switch (op.function) {
        case Function::every:
            return run_every(op, row);
        case Function::episode:
            return run_episode(op, row, x, scope);
        case Function::lag:
            return run_lag(op, row, x, scope);
        case Function::changed:
            return run_changed(op, row, x, scope);
        default:
            return run_number(op, row, x, at, scope);
    }
}

Value StateRunner::run_number(const StateOp& op, std::byte* row, const Value& x, base::Monotonic at, Scope& scope) {
    if (!is_finite_number(x)) return bad_value(scope);
    switch (op.function) {
        case Function::zscore:
            return run_zscore(op, row, x.as_double());
        case Function::ewma: {
            auto& smoothed = as<Smoothed>(row, op.offset);
            smoothed.value = smoothed.started == 0 ? x.as_double() : op.a * x.as_double() + (1 - op.a) * smoothed.value;
            smoothed.started = 1;
            return Value::number(smoothed.value);
        }
        case Function::delta: {
            auto& last = as<StoredValue>(row, op.offset);
            const Value previous = pool_.load(last);
            (void)pool_.store(x, last);  // a number always fits
            return previous.is_missing() ? Value::null() : subtract(scope, x, previous);
        }
        case Function::rate: {
            auto& last = as<Previous>(row, op.offset);
            const Value previous = pool_.load(last.value);
            const std::int64_t now = at.time_since_epoch().count();
            const bool timed = last.has_time != 0;
            const double seconds = static_cast<double>(now - last.at) * 1e-9;
            (void)pool_.store(x, last.value);  // a number always fits
            last.at = now;
            last.has_time = 1;
            if (previous.is_missing() || !timed) return Value::null();
            if (seconds <= 0) return bad_value(scope);
            const Value change = subtract(scope, x, previous);
            return change.is_null() ? change : Value::number(change.as_double() / seconds);
        }
        default:
            return run_shape(op, row, x.as_double());
    }
}

Value StateRunner::run_lag(const StateOp& op, std::byte* row, const Value& x, Scope& scope) {
    if (!is_valid(x)) return bad_value(scope);
    auto& ring = as<Ring>(row, op.offset);
    auto* values = &as<StoredValue>(row, op.ring);
    // The oldest value is handed out and overwritten in one step: its text is copied to outlive that.
    Value result = Value::null();
    if (ring.count == op.n) {
        result = copy_text(scope, pool_.load(values[ring.head]));
    }
    const Ring before = ring;
    if (!pool_.store(x, values[ring.push(op.n)])) {
        ring = before;
        return bad_value(scope);
    }
    return result;
}

Value StateRunner::run_changed(const StateOp& op, std::byte* row, const Value& x, Scope& scope) {
    if (!is_valid(x)) return bad_value(scope);
    auto& last = as<StoredValue>(row, op.offset);
    const Value previous = pool_.load(last);
    bool changed = previous.is_missing();
    if (!changed && x.is_numeric() && previous.is_numeric()) {
        changed = op.a == 0 ? compare(x, previous) != Order::equal : distance(x, previous) > op.a;
    } else if (!changed) {
        changed = x.kind() != previous.kind() ||
                  (x.kind() == Kind::boolean ? x.is_true() != previous.is_true() : x.as_view() != previous.as_view());
    }
    if (changed && !pool_.store(x, last)) return bad_value(scope);
    return Value::boolean(changed);
}

Value StateRunner::run_rows(const StateOp& op, std::byte* row, const Value& x, Scope& scope) {
    const Accumulator kind = accumulator_of(op);
    auto& ring = as<Ring>(row, op.offset);
    if (kind == Accumulator::rows) {
        if (ring.count < op.n) ++ring.count;
        return Value::integer(ring.count);
    }
    if (needs_number(kind) ? !is_finite_number(x) : !is_valid(x)) return bad_value(scope);
    auto* values = &as<StoredValue>(row, op.ring);
    const Ring before = ring;
    if (!pool_.store(x, values[ring.push(op.n)])) {
        ring = before;
        return bad_value(scope);
    }
    alignas(8) std::byte state[64] = {};
    for (std::uint32_t i = 0; i < ring.count; ++i) {
        if (accumulators_.accept(kind, state, pool_.load(values[ring.at(i, op.n)])) != Taken::yes) ++scope.bad_values;
    }
    // A text is the accumulator's own copy, which goes now.
    const Value result = copy_text(scope, accumulators_.result(op.function, op.a, kind, state, scope));
    accumulators_.release(kind, state);
    return result;
}

void StateRunner::release(const StateOp& op, std::byte* row) {
    if (op.methods != nullptr) return;  // they keep numbers
    if (is_aggregate(op) || op.function == Function::lag) {
        auto* values = &as<StoredValue>(row, op.ring);
        for (std::uint32_t i = 0; i < op.n; ++i) pool_.free(values[i]);
    } else if (op.function == Function::delta || op.function == Function::changed || op.function == Function::rate) {
        pool_.free(as<StoredValue>(row, op.offset));
    }
}

void StateRunner::save(const StateOp& op, const std::byte* row, base::Monotonic now, base::Bytes& out) const {
    if (op.methods != nullptr) return op.methods->save(op, row, now, out);
    const auto save_ring = [&](const Ring& ring) {
        base::append_le(out, ring.count);
        if (is_aggregate(op) && accumulator_of(op) == Accumulator::rows) return;
        const bool values = is_aggregate(op) || op.function == Function::lag;
        for (std::uint32_t i = 0; i < ring.count; ++i) {
            const std::uint32_t at = ring.at(i, op.n);
            if (values)
                save_value(out, pool_.load((&as<StoredValue>(row, op.ring))[at]));
            else
                save_real(out, (&as<double>(row, op.ring))[at]);
        }
    };
    if (is_aggregate(op)) return save_ring(as<Ring>(row, op.offset));
    switch (op.function) {
        case Function::zscore: {
            const auto& window = as<device::SlidingWindow>(row, op.offset);
            return save_ring({.count = window.count, .head = window.head});
        }
        case Function::lag:
        case Function::rms:
        case Function::kurtosis:
        case Function::crest:
            return save_ring(as<Ring>(row, op.offset));
        case Function::delta:
        case Function::changed:
            return save_value(out, pool_.load(as<StoredValue>(row, op.offset)));
        case Function::rate: {
            const auto& last = as<Previous>(row, op.offset);
            save_value(out, pool_.load(last.value));
            save_time(out, last.has_time != 0 ? last.at : now.time_since_epoch().count(), now);
            return out.push_back(last.has_time != 0 ? 1 : 0);
        }
        case Function::ewma:
            save_real(out, as<Smoothed>(row, op.offset).value);
            return base::append_le(out, as<Smoothed>(row, op.offset).started);
        case Function::episode:
            base::append_le(out, as<Episode>(row, op.offset).run);
            return base::append_le(out, as<Episode>(row, op.offset).active);
        default:
            return base::append_le(out, as<std::uint64_t>(row, op.offset));
    }
}

void StateRunner::restore_ring(const StateOp& op, StateReader& reader, std::byte* row, Ring& ring) {
    const auto count = reader.number<std::uint32_t>();
    if (!reader.ok() || count > op.n) return reader.fail();
    ring = {};
    if (is_aggregate(op) && accumulator_of(op) == Accumulator::rows) {
        ring.count = count;
        return;
    }
    const bool values = is_aggregate(op) || op.function == Function::lag;
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
        if (values) {
            const Value value = reader.value();
            if (!reader.ok() || !is_valid(value) || !pool_.store(value, (&as<StoredValue>(row, op.ring))[i])) return reader.fail();
        } else {
            const double value = reader.real();
            if (!std::isfinite(value)) return reader.fail();
            (&as<double>(row, op.ring))[i] = value;
        }
        ++ring.count;
    }
}

bool StateRunner::restore(const StateOp& op, base::ByteView in, const StateClock& clock, std::byte* row) {
    StateReader reader(in, clock);
    if (op.methods != nullptr) {
        op.methods->restore(op, reader, row);
    } else if (is_aggregate(op)) {
        restore_ring(op, reader, row, as<Ring>(row, op.offset));
    } else {
        switch (op.function) {
            case Function::zscore: {
                Ring ring{};
                restore_ring(op, reader, row, ring);
                auto& window = as<device::SlidingWindow>(row, op.offset);
                window = {};
                if (ring.count == 0) break;
                window.count = ring.count;
                window.recompute(&as<double>(row, op.ring));
                window.recount_run(&as<double>(row, op.ring), op.n);
                break;
            }
            case Function::lag:
            case Function::rms:
            case Function::kurtosis:
            case Function::crest:
                restore_ring(op, reader, row, as<Ring>(row, op.offset));
                break;
            case Function::delta:
            case Function::changed:
            case Function::rate: {
                const Value value = reader.value();
                if (reader.ok() && !value.is_missing() && (!is_valid(value) || !pool_.store(value, as<StoredValue>(row, op.offset))))
                    reader.fail();
                if (op.function == Function::rate && reader.has_times()) {
                    auto& last = as<Previous>(row, op.offset);
                    last.at = reader.time();
                    last.has_time = reader.number<base::Byte>() != 0 ? 1 : 0;
                }
                break;
            }
            case Function::ewma:
                as<Smoothed>(row, op.offset).value = reader.real();
                as<Smoothed>(row, op.offset).started = reader.number<std::uint64_t>() != 0 ? 1 : 0;
                if (!std::isfinite(as<Smoothed>(row, op.offset).value)) reader.fail();
                break;
            case Function::episode:
                as<Episode>(row, op.offset).run = reader.number<std::uint32_t>();
                as<Episode>(row, op.offset).active = reader.number<std::uint32_t>() != 0 ? 1 : 0;
                break;
            default:
                as<std::uint64_t>(row, op.offset) = reader.number<std::uint64_t>();
        }
    }
    if (reader.ok() && reader.empty()) return true;
    // Texts that were stored stay reachable through their handles; only what is counted from matters.
    if (const std::size_t bytes = state_bytes(op);
        op.function != Function::delta && op.function != Function::changed && op.function != Function::rate)
        std::memset(row + op.offset, 0, bytes);
    else
        as<StoredValue>(row, op.offset).kind = Kind::missing;
    return false;
}

}  // namespace sluice::rules

// Windows: by count, by count with a hop, by arrival time.
#include <algorithm>
#include <cmath>

#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {
namespace {

/// Rows that one call of on_time may put out for one rule: well below a millisecond of work.
constexpr std::size_t kSliceRows = 256;

WindowHead& head_of(const WindowPlan& window, std::byte* row) { return *reinterpret_cast<WindowHead*>(row + window.offset); }

std::int64_t floor_to(std::int64_t ms, std::int64_t span) {
    const std::int64_t rest = ms % span;
    return ms - (rest < 0 ? rest + span : rest);
}

}  // namespace

void Engine::Impl::take(std::uint32_t index, const RulePlan& rule, const data::Reading& reading, Output& out) {
    const WindowPlan& window = *rule.window;
    const RowMemo& at = row_of(window.table);
    if (at.row == nullptr) {
        ++counters[index].state_full;
        return;
    }
    if (!window.by_count) return take_timed(index, window, at, reading, out);
    if (window.hop != window.length) return take_hopping(index, window, at, reading, out);
    take_counted(index, window, at, reading, out);
}

void Engine::Impl::accumulate(std::uint32_t index, const WindowPlan& window, std::byte* state) {
    for (const AccumulatorPlan& accumulator : window.accumulators) {
        const Value value = accumulator.kind == Accumulator::rows ? Value::null() : evaluate(scope, accumulator.argument);
        const Taken taken = runner.accumulators().accept(accumulator.kind, state + accumulator.offset, value);
        if (taken == Taken::bad) ++scope.bad_values;
        if (taken == Taken::full) ++counters[index].state_full;
    }
}

void Engine::Impl::clear(const WindowPlan& window, std::byte* state) {
    for (const AccumulatorPlan& accumulator : window.accumulators)
        runner.accumulators().clear(accumulator.kind, state + accumulator.offset);
}

void Engine::Impl::take_counted(std::uint32_t index, const WindowPlan& window, const RowMemo& at, const data::Reading& reading,
                                Output& out) {
    std::byte* state = at.row + window.offset;
    WindowHead& head = head_of(window, at.row);
    accumulate(index, window, state);
    if (++head.count < window.length) return;
    emit_window(index, window, at.series, state, nullptr, &reading, out);
    clear(window, state);
    head.count = 0;
}

/// The values of the last `length` readings are kept and added up anew for each output: length / hop steps a reading.
void Engine::Impl::take_hopping(std::uint32_t index, const WindowPlan& window, const RowMemo& at, const data::Reading& reading,
                                Output& out) {
    WindowHead& head = head_of(window, at.row);
    auto* ring = reinterpret_cast<StoredValue*>(at.row + window.ring);
    const std::size_t width = window.accumulators.size();
    const std::uint32_t place = head.count < window.length ? head.count : head.head;
    for (std::size_t i = 0; i < width; ++i) {
        const AccumulatorPlan& accumulator = window.accumulators[i];
        const Value value = accumulator.kind == Accumulator::rows ? Value::null() : evaluate(scope, accumulator.argument);
        if (value.is_numeric() ? !std::isfinite(value.as_double()) : needs_number(accumulator.kind) && !value.is_null()) ++scope.bad_values;
        if (pool.store(value, ring[place * width + i])) continue;
        ++counters[index].state_full;
        (void)pool.store(Value::null(), ring[place * width + i]);  // NULL always fits
    }
    bool complete = false;
    if (head.count < window.length) {
        complete = ++head.count == window.length;
    } else {
        head.head = head.head + 1 == window.length ? 0 : head.head + 1;
        complete = ++head.since == window.hop;
    }
    if (!complete) return;
    head.since = 0;
    std::byte* state = at.row + window.offset;
    for (std::uint32_t i = 0; i < window.length; ++i) {
        const std::size_t from = (head.head + i) % window.length * width;
        for (std::size_t k = 0; k < width; ++k) {
            const AccumulatorPlan& accumulator = window.accumulators[k];
            // A bad value has been counted when it came.
            (void)runner.accumulators().accept(accumulator.kind, state + accumulator.offset, pool.load(ring[from + k]));
        }
    }
    emit_window(index, window, at.series, state, nullptr, &reading, out);
    clear(window, state);
}

/// The window opens with its first reading, of whatever key: its bounds are taken from the wall clock then, and from there on it runs by
/// the monotonic clock, whatever the wall clock does.
void Engine::Impl::take_timed(std::uint32_t index, const WindowPlan& window, const RowMemo& at, const data::Reading& reading, Output& out) {
    TimeWindow& run = windows[index];
    if (!run.open) {
        run.open = true;
        if (++run.turns == 0) ++run.turns;
        const std::int64_t now = base::to_ms(reading.arrived);
        run.current.turn = run.turns;
        run.current.start_ms = floor_to(now, window.span.count());
        run.current.end_ms = run.current.start_ms + window.span.count();
        const auto left = base::from_ms(run.current.end_ms) - reading.arrived;
        run.current.deadline = reading.at + std::max(left, std::chrono::nanoseconds(1));
        run.current.series.clear();
    }
    WindowHead& head = head_of(window, at.row);
    std::byte* state = at.row + window.offset;
    if (head.turn != run.current.turn) {
        // This key's row of the window before is not out yet: it goes first.
        if (run.draining && head.turn == run.closing.turn) {
            const std::uint64_t bad = scope.bad_values;
            emit_closing(index, at.series, out);
            scope.bad_values = bad;
            scope.reading = &reading;
        }
        clear(window, state);
        head.turn = run.current.turn;
        run.current.series.push_back(at.series);
    }
    accumulate(index, window, state);
}

void Engine::Impl::emit_window(std::uint32_t index, const WindowPlan& window, std::uint32_t series, const std::byte* state,
                               const TimeWindow::Span* span, const data::Reading* reading, Output& out) {
    for (std::size_t i = 0; i < window.aggregates.size(); ++i) {
        const AggregatePlan& aggregate = window.aggregates[i];
        const AccumulatorPlan& accumulator = window.accumulators[aggregate.accumulator];
        aggregates[i] = runner.accumulators().result(aggregate.function, aggregate.p, accumulator.kind, state + accumulator.offset, scope);
    }
    const std::size_t width = data.keys[data.tables[window.table].key].nodes.size();
    if (!decode_key(tables[window.table].key(series), {components.data(), width})) return;
    scope.window_start = span == nullptr ? Value::null() : Value::integer(span->start_ms);
    scope.window_end = span == nullptr ? Value::null() : Value::integer(span->end_ms);
    const RulePlan& rule = data.rules[index];
    if (rule.having && !evaluate(scope, *rule.having).is_true()) return;
    if (span != nullptr)
        emit_row(index, base::from_ms(span->end_ms), span->deadline, nullptr, out);
    else
        emit_row(index, reading->arrived, reading->at, reading, out);
}

void Engine::Impl::emit_closing(std::uint32_t index, std::uint32_t series, Output& out) {
    const WindowPlan& window = *data.rules[index].window;
    TimeWindow& run = windows[index];
    std::byte* row = tables[window.table].row(series);
    WindowHead& head = head_of(window, row);
    if (head.turn != run.closing.turn) return;  // out already
    scope.reading = nullptr;
    scope.bad_values = 0;
    emit_window(index, window, series, row + window.offset, &run.closing, nullptr, out);
    counters[index].bad_value += scope.bad_values;
    clear(window, row + window.offset);
    head.turn = 0;
}

void Engine::Impl::begin_close(std::uint32_t index) {
    TimeWindow& run = windows[index];
    run.open = false;
    run.draining = true;
    run.emitted = 0;
    std::swap(run.closing, run.current);
}

bool Engine::Impl::drain(std::uint32_t index, std::size_t rows_max, Output& out) {
    TimeWindow& run = windows[index];
    for (; run.emitted < run.closing.series.size() && rows_max > 0; ++run.emitted, --rows_max) {
        arena.reset();
        emit_closing(index, run.closing.series[run.emitted], out);
    }
    run.draining = run.emitted < run.closing.series.size();
    return !run.draining;
}

void Engine::Impl::close_due(base::Monotonic now, Output& out) {
    for (const std::uint32_t index : timed_rules) {
        const TimeWindow& run = windows[index];
        if (!run.open || run.current.deadline > now) continue;
        // A whole window has passed and the rows of the one before are not all out: nobody called on_time. They go now.
        if (run.draining) (void)drain(index, SIZE_MAX, out);
        begin_close(index);
    }
}

void Engine::on_time(base::Monotonic now, base::WallTime, Output& out) {
    Impl& engine = *impl_;
    ++engine.turn;
    for (const std::uint32_t index : engine.timed_rules) {
        if (engine.windows[index].draining && !engine.drain(index, kSliceRows, out)) continue;
        const TimeWindow& run = engine.windows[index];
        if (!run.open || run.current.deadline > now) continue;
        engine.begin_close(index);
        (void)engine.drain(index, kSliceRows, out);  // what is left comes with the next call
    }
}

std::optional<base::Monotonic> Engine::next_deadline() const {
    std::optional<base::Monotonic> next;
    for (const std::uint32_t index : impl_->timed_rules) {
        const TimeWindow& run = impl_->windows[index];
        if (run.draining) next = std::min(next.value_or(run.closing.deadline), run.closing.deadline);
        if (run.open) next = std::min(next.value_or(run.current.deadline), run.current.deadline);
    }
    return next;
}

void Engine::finish(Output& out) {
    for (const std::uint32_t index : impl_->timed_rules) {
        (void)impl_->drain(index, SIZE_MAX, out);
        if (!impl_->windows[index].open) continue;
        impl_->begin_close(index);
        (void)impl_->drain(index, SIZE_MAX, out);
    }
}

}  // namespace sluice::rules

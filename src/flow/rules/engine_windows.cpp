// Windows: what all forms of them share, and those by count.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {
namespace {

/// Rows that one call of on_time may put out for one rule: well below a millisecond of work.
constexpr std::size_t kSliceRows = 256;

}  // namespace

WindowHead& Engine::Impl::head_of(const WindowPlan& window, std::uint32_t series) {
    return *reinterpret_cast<WindowHead*>(tables[window.table].row(series) + window.offset);
}

void Engine::Impl::take(std::uint32_t index, const data::Reading& reading, Output& out) {
    const WindowPlan& window = *windows[index].plan;
    const RowMemo& row = row_of(window.table);
    charge_window(index);
    if (row.row == nullptr) {
        ++charged[index]->state_full;
        return;
    }
    switch (window.form) {
        case WindowForm::count:
            return take_counted(index, window, row, reading, out);
        case WindowForm::hopping_count:
            return take_hopping(index, window, row, reading, out);
        case WindowForm::timed:
            return take_timed(index, window, row, reading, out);
        case WindowForm::sliding:
            return take_sliding(index, window, row, reading, out);
        case WindowForm::session:
            return take_session(index, window, row, reading, out);
    }
}

void Engine::Impl::accumulate(std::uint32_t index, const WindowPlan& window, std::byte* state) {
    if (SharedWindow* shared = windows[index].shared; shared != nullptr) return accumulate_shared(*shared, state);
    for (const AccumulatorPlan& accumulator : window.accumulators) {
        const Value value = accumulator.kind == Accumulator::rows ? Value::null() : evaluate(scope, accumulator.argument);
        const Taken taken = runner.accumulators().accept(accumulator.kind, state + accumulator.offset, value, event_ms);
        if (taken == Taken::bad) ++scope.bad_values;
        if (taken == Taken::full) ++counters[index].state_full;
    }
}

void Engine::Impl::keep_values(std::uint32_t index, const WindowPlan& window, StoredValue* values) {
    if (SharedWindow* shared = windows[index].shared; shared != nullptr) return keep_shared_values(*shared, values);
    for (const AccumulatorPlan& accumulator : window.accumulators) {
        StoredValue& kept = *values++;
        const Value value = accumulator.kind == Accumulator::rows ? Value::null() : evaluate(scope, accumulator.argument);
        if (value.is_numeric() ? !std::isfinite(value.as_double()) : needs_number(accumulator.kind) && !value.is_null()) ++scope.bad_values;
        if (pool.store(value, kept)) continue;
        ++counters[index].state_full;
        (void)pool.store(Value::null(), kept);  // NULL always fits
    }
}

void Engine::Impl::add_kept(const WindowPlan& window, std::byte* state, const StoredValue* values, std::int64_t time) {
    for (const AccumulatorPlan& accumulator : window.accumulators) {
        // A bad value has been counted when it came.
        (void)runner.accumulators().accept(accumulator.kind, state + accumulator.offset, pool.load(*values++), time);
    }
}

void Engine::Impl::clear(const WindowPlan& window, std::byte* state) {
    for (const AccumulatorPlan& accumulator : window.accumulators)
        runner.accumulators().clear(accumulator.kind, state + accumulator.offset);
}

void Engine::Impl::release(const WindowPlan& window, std::byte* state) {
    for (const AccumulatorPlan& accumulator : window.accumulators)
        runner.accumulators().release(accumulator.kind, state + accumulator.offset);
}

std::byte* Engine::Impl::blank_state(const WindowPlan& window) {
    std::memset(blank.data(), 0, window.state_bytes);
    return reinterpret_cast<std::byte*>(blank.data());
}

void Engine::Impl::take_counted(std::uint32_t index, const WindowPlan& window, const RowMemo& row, const data::Reading& reading,
                                Output& out) {
    std::byte* state = row.row + window.offset;
    WindowHead& head = head_of(window, row.series);
    accumulate(index, window, state);
    if (++head.count < window.length) return;
    emit_window(index, window, row.series, state, nullptr, &reading, out);
    clear(window, state);
    head.count = 0;
}

/// The values of the last `length` readings are kept and added up anew for each output: length / hop steps a reading.
void Engine::Impl::take_hopping(std::uint32_t index, const WindowPlan& window, const RowMemo& row, const data::Reading& reading,
                                Output& out) {
    WindowHead& head = head_of(window, row.series);
    auto* ring = reinterpret_cast<StoredValue*>(row.row + window.ring);
    const std::size_t width = window.accumulators.size();
    const std::uint32_t place = head.count < window.length ? head.count : head.head;
    keep_values(index, window, ring + place * width);
    bool complete = false;
    if (head.count < window.length) {
        complete = ++head.count == window.length;
    } else {
        head.head = head.head + 1 == window.length ? 0 : head.head + 1;
        complete = ++head.since == window.hop;
    }
    if (!complete) return;
    head.since = 0;
    std::byte* state = blank_state(window);
    for (std::uint32_t i = 0; i < window.length; ++i) add_kept(window, state, ring + (head.head + i) % window.length * width, 0);
    emit_window(index, window, row.series, state, nullptr, &reading, out);
    release(window, state);
}

void Engine::Impl::emit_window(std::uint32_t index, const WindowPlan& window, std::uint32_t series, const std::byte* state,
                               const WindowSpan* span, const data::Reading* reading, Output& out) {
    if (SharedWindow* shared = windows[index].shared; shared != nullptr) return emit_shared(*shared, series, state, span, reading, out);
    // The present reading may be in the middle of its evaluation.
    const data::Reading* present = std::exchange(scope.reading, reading);
    const std::uint64_t bad_before = std::exchange(scope.bad_values, 0);
    row_workspace.arena.reset();
    row_workspace.lend(scope);
    for (std::size_t i = 0; i < window.aggregates.size(); ++i) {
        const AggregatePlan& aggregate = window.aggregates[i];
        const AccumulatorPlan& accumulator = window.accumulators[aggregate.accumulator];
        aggregates[i] = runner.accumulators().result(aggregate.function, aggregate.p, accumulator.kind, state + accumulator.offset, scope);
    }
    const RulePlan& rule = data.rules[index];
    const std::size_t width = data.keys[data.tables[window.table].key].nodes.size();
    scope.window_start = span == nullptr ? Value::null() : Value::integer(span->start_ms);
    scope.window_end = span == nullptr ? Value::null() : Value::integer(span->end_ms);
    if (decode_key(tables[window.table].key(series), {components.data(), width}) &&
        (!rule.having || evaluate(scope, *rule.having).is_true())) {
        if (span != nullptr)
            emit_row(index, base::from_ms(span->end_ms), span->at, nullptr, out);
        else
            emit_row(index, reading->arrived, reading->at, reading, out);
    }
    counters[index].bad_value += scope.bad_values;
    workspace.lend(scope);
    scope.bad_values = bad_before;
    scope.reading = present;
}

bool Engine::Impl::advance(std::uint32_t index, const WindowPlan& window, Output& out) {
    const Value time = evaluate(scope, *window.event_time);
    scope.bad_values = 0;  // what is wrong with the time counts once
    if (!time.is_numeric() || !(std::fabs(time.as_double()) <= kReadingTimeMax)) return false;
    event_ms = time.kind() == json::Kind::integer ? time.as_integer() : static_cast<std::int64_t>(std::floor(time.as_double()));
    std::int64_t& watermark = window.form == WindowForm::timed     ? timed[index]->watermark
                              : window.form == WindowForm::session ? sessions[index]->watermark
                                                                   : slidings[index]->watermark;
    watermark = std::max(watermark, event_ms - window.lateness_ms);
    if (silent) {  // in a replay only what is known to have been put out goes: replay_time()
        any_draining = true;
        return true;
    }
    switch (window.form) {
        case WindowForm::timed:
            pass_timed(index, out);
            break;
        case WindowForm::session:
            any_draining |= !end_sessions(index, watermark, kSliceRows, out);
            break;
        default:
            any_draining |= !pass_sliding(index, watermark, kSliceRows, out);
    }
    return true;
}

/// Before a reading: it belongs to what is open then. The rows of what closes come later. (A session is ended by the next reading of its
/// key, or by time.)
void Engine::Impl::close_due(base::Monotonic now) {
    for (const std::uint32_t index : timed_rules) {
        TimedRun* run = timed[index].get();
        if (run == nullptr || windows[index].plan->event_time) continue;
        if (!run->draining && !run->open.empty() && run->open.front().span.at <= now) begin_close(index);
    }
    find_next_due();
}

void Engine::Impl::find_next_due() {
    next_due = base::Monotonic::max();
    any_draining = false;
    for (const std::uint32_t index : timed_rules) {
        const bool event_time = windows[index].plan->event_time.has_value();
        if (timed[index] != nullptr) {
            const TimedRun& run = *timed[index];
            any_draining = any_draining || run.draining || (event_time && run.has_ended());
            if (!event_time && !run.open.empty()) note_due(run.open.front().span.at);
        } else if (sessions[index] != nullptr) {
            const SessionRun& run = *sessions[index];
            any_draining = any_draining || (event_time && run.has_ended());
            if (!event_time && !run.due.empty()) note_due(base::Monotonic(std::chrono::nanoseconds(run.due.front().at)));
        } else {
            any_draining = any_draining || slidings[index]->has_ended();
        }
    }
}

void Engine::on_time(base::Monotonic now, base::WallTime, Output& out) {
    Impl& engine = *impl_;
    ++engine.turn;
    for (const std::uint32_t index : engine.timed_rules) {
        const bool event_time = engine.windows[index].plan->event_time.has_value();
        if (const SessionRun* run = engine.sessions[index].get(); run != nullptr) {
            (void)engine.end_sessions(index, event_time ? run->watermark : now.time_since_epoch().count(), kSliceRows, out);
            continue;
        }
        if (const SlidingRun* run = engine.slidings[index].get(); run != nullptr) {
            (void)engine.pass_sliding(index, run->watermark, kSliceRows, out);
            continue;
        }
        engine.close_ended(index, now, kSliceRows, out);
    }
    engine.find_next_due();
}

bool Engine::draining() const { return impl_->any_draining; }
std::uint64_t Engine::windows_closed() const { return impl_->windows_closed; }

std::optional<base::Monotonic> Engine::next_deadline() const {
    if (impl_->any_draining) return base::Monotonic::min();
    if (impl_->next_due == base::Monotonic::max()) return std::nullopt;
    return impl_->next_due;
}

void Engine::finish(Output& out) {
    Impl& engine = *impl_;
    constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
    for (std::uint32_t index = 0; index < engine.data.rules.size(); ++index) {
        if (engine.data.rules[index].paused) continue;
        if (engine.timed[index] != nullptr) {
            engine.drain_all(index, out);
            while (!engine.timed[index]->open.empty()) {
                engine.begin_close(index);
                engine.drain_all(index, out);
            }
        }
        if (engine.sessions[index] != nullptr) (void)engine.end_sessions(index, kEnd, SIZE_MAX, out);
        if (engine.slidings[index] != nullptr) (void)engine.pass_sliding(index, kEnd, SIZE_MAX, out);
    }
    engine.find_next_due();
}

}  // namespace sluice::rules

// A window that several rules share: taking readings for all of them, putting out rows for each.
#include <cmath>

#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {

/// What an accumulator counts is counted for those that have it.
void Engine::Impl::accumulate_shared(SharedWindow& shared, std::byte* state) {
    const std::uint64_t bad_before = scope.bad_values;
    for (std::size_t i = 0; i < shared.window.accumulators.size(); ++i) {
        const AccumulatorPlan& accumulator = shared.window.accumulators[i];
        scope.bad_values = 0;
        const Value value = accumulator.kind == Accumulator::rows ? Value::null() : evaluate(scope, accumulator.argument);
        const Taken taken = runner.accumulators().accept(accumulator.kind, state + accumulator.offset, value, event_ms);
        shared.by_accumulator[i].bad_value += scope.bad_values + (taken == Taken::bad ? 1 : 0);
        if (taken == Taken::full) ++shared.by_accumulator[i].state_full;
    }
    scope.bad_values = bad_before;
}

void Engine::Impl::keep_shared_values(SharedWindow& shared, StoredValue* values) {
    const std::uint64_t bad_before = scope.bad_values;
    for (std::size_t i = 0; i < shared.window.accumulators.size(); ++i) {
        const AccumulatorPlan& accumulator = shared.window.accumulators[i];
        scope.bad_values = 0;
        StoredValue& kept = *values++;
        const Value value = accumulator.kind == Accumulator::rows ? Value::null() : evaluate(scope, accumulator.argument);
        if (value.is_numeric() ? !std::isfinite(value.as_double()) : needs_number(accumulator.kind) && !value.is_null()) ++scope.bad_values;
        shared.by_accumulator[i].bad_value += scope.bad_values;
        if (pool.store(value, kept)) continue;
        ++shared.by_accumulator[i].state_full;
        (void)pool.store(Value::null(), kept);  // NULL always fits
    }
    scope.bad_values = bad_before;
}

void Engine::Impl::note_merge(std::uint32_t index, std::size_t accumulator, Taken taken) {
    if (taken == Taken::yes) return;
    SharedWindow* shared = windows[index].shared;
    RuleCounters& count = shared == nullptr ? counters[index] : shared->by_accumulator[accumulator];
    ++(taken == Taken::full ? count.state_full : count.bad_value);
}

/// A row of each member, in their order.
void Engine::Impl::emit_shared(SharedWindow& shared, std::uint32_t series, const std::byte* state, const WindowSpan* span,
                               const data::Reading* reading, Output& out) {
    const WindowPlan& window = shared.window;
    const data::Reading* present = std::exchange(scope.reading, reading);
    const std::uint64_t bad_before = scope.bad_values;
    const auto result = [&](Function function, double p, std::uint32_t at) {
        const AccumulatorPlan& accumulator = window.accumulators[at];
        return runner.accumulators().result(function, p, accumulator.kind, state + accumulator.offset, scope);
    };
    row_workspace.lend(scope);
    for (SharedWindow::Sorted& sorted : shared.sorted) sorted.value = result(sorted.function, sorted.p, sorted.accumulator);
    const std::size_t width = data.keys[data.tables[window.table].key].nodes.size();
    scope.window_start = span == nullptr ? Value::null() : Value::integer(span->start_ms);
    scope.window_end = span == nullptr ? Value::null() : Value::integer(span->end_ms);
    const bool has_key = decode_key(tables[window.table].key(series), {components.data(), width});
    for (std::size_t m = 0; m < shared.members.size(); ++m) {
        const WindowMember& member = shared.members[m];
        const RulePlan& rule = data.rules[member.rule];
        row_workspace.arena.reset();
        scope.bad_values = 0;
        for (std::size_t i = 0; i < member.own->aggregates.size(); ++i) {
            const AggregatePlan& aggregate = member.own->aggregates[i];
            const std::uint32_t sorted = shared.sorted_of[m][i];
            aggregates[i] = sorted != SharedWindow::kNotSorted
                                ? shared.sorted[sorted].value
                                : result(aggregate.function, aggregate.p, member.accumulators[aggregate.accumulator]);
        }
        if (has_key && (!rule.having || evaluate(scope, *rule.having).is_true())) {
            if (span != nullptr)
                emit_row(member.rule, base::from_ms(span->end_ms), span->at, nullptr, out);
            else
                emit_row(member.rule, reading->arrived, reading->at, reading, out);
        }
        counters[member.rule].bad_value += scope.bad_values;
    }
    workspace.lend(scope);
    scope.bad_values = bad_before;
    scope.reading = present;
}

void Engine::Impl::flush_shared() {
    for (const auto& shared : shared_windows) {
        for (const WindowMember& member : shared->members) {
            counters[member.rule] += shared->common;
            for (const std::uint32_t accumulator : member.accumulators) {
                counters[member.rule].bad_value += shared->by_accumulator[accumulator].bad_value;
                counters[member.rule].state_full += shared->by_accumulator[accumulator].state_full;
            }
        }
        shared->common = {};
        std::ranges::fill(shared->by_accumulator, RuleCounters{});
    }
}

}  // namespace sluice::rules

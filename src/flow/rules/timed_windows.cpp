// Tumbling and hopping windows: panes in which the accumulators of each key are filled, and windows that put panes together.
#include <algorithm>

#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {
namespace {

/// Rows of a closing window that go out before the reading that closed it; the rest follows by time.
constexpr std::size_t kRowsAtOnce = 256;

}  // namespace

bool TimedRun::add(const Window& window) {
    if (std::any_of(open.rbegin(), open.rend(), [&](const Window& known) { return known.span.start_ms == window.span.start_ms; }))
        return false;
    const auto sooner = [](const Window& a, const Window& b) {
        return a.span.at != b.span.at ? a.span.at < b.span.at : a.span.end_ms < b.span.end_ms;
    };
    open.insert(std::upper_bound(open.begin(), open.end(), window, sooner), window);
    return true;
}

/// Event time has no use for WindowSpan::at: all its windows have the same, and are in the order of their ends.
void Engine::Impl::take_timed(std::uint32_t index, const WindowPlan& window, const RowMemo& row, const data::Reading& reading,
                              Output& out) {
    TimedRun& run = *timed[index];
    TimedRun::Pane* pane = window.event_time ? event_pane(index, window, run, out) : &arrival_pane(window, run, reading);
    if (pane == nullptr) {
        ++charged[index]->late;
        return;
    }
    std::uint32_t& chain = head_of(window, row.series).chain;
    std::uint32_t handle = run.blocks.find(chain, pane->order);
    if (handle == 0) {
        handle = run.blocks.take();
        if (handle == 0) {
            ++charged[index]->state_full;
            return;
        }
        run.blocks.head(handle).order = pane->order;
        run.blocks.insert(chain, handle);
        run.blocks.head(handle).place = static_cast<std::uint32_t>(pane->series.size());
        pane->series.push_back(row.series);
    }
    accumulate(index, window, run.blocks.state(handle));
}

void TimedRun::find_over(std::int64_t pane_ms, base::Monotonic now) {
    const Pane& newest = panes.back();
    over = newest.deadline - std::chrono::milliseconds(newest.start_ms - floor_to(newest.start_ms, pane_ms));
    for (const Window& window : open) {
        if (window.span.at > now) over = std::min(over, window.span.at);
    }
}

/// The present pane, or a new one: with the first reading of whatever key in it. Its place, and those of the windows that begin with it,
/// are told by the clock then; from there on they run by the monotonic clock, whatever the wall clock does.
TimedRun::Pane& Engine::Impl::arrival_pane(const WindowPlan& window, TimedRun& run, const data::Reading& reading) {
    if (!run.panes.empty() && run.over > reading.at) return run.panes.back();
    const auto told = run.clock.tell(reading.at, reading.arrived, {.pane_ms = window.pane_ms, .span_ms = window.span_ms},
                                     run.next_ms == kNoWatermark ? std::nullopt : std::optional(run.next_ms));
    for (TimedRun::Window& open : run.open) {
        if (open.span.at <= reading.at) continue;
        open.span.at += told.later;
        open.until = open.span.at.time_since_epoch().count();
    }
    const auto deadline = [&](std::int64_t end_ms) {
        return std::max(run.clock.monotonic(end_ms), reading.at + std::chrono::nanoseconds(1));
    };
    const std::int64_t slice_ms = floor_to(told.ms, window.pane_ms);
    TimedRun::Pane pane;
    pane.order = reading.at.time_since_epoch().count();
    pane.start_ms = slice_ms;
    if (!run.panes.empty() && floor_to(run.panes.back().start_ms, window.pane_ms) == slice_ms)
        pane.start_ms = run.panes.back().start_ms + 1;
    pane.end_ms = pane.start_ms + window.pane_ms;
    pane.deadline = deadline(pane.end_ms);
    for (std::int64_t start = floor_to(slice_ms, window.hop_ms); start > slice_ms - window.span_ms; start -= window.hop_ms) {
        const auto end = deadline(start + window.span_ms);
        const bool added = run.add({.span = {.start_ms = start, .end_ms = start + window.span_ms, .at = end},
                                    .from = pane.order,
                                    .until = end.time_since_epoch().count()});
        if (!added) break;  // those before it came with it
    }
    pane.series.swap(run.spare);
    run.panes.push_back(std::move(pane));
    run.find_over(window.pane_ms, reading.at);
    run.next_ms = run.clock.ms(run.over);
    note_due(run.open.front().span.at);
    return run.panes.back();
}

TimedRun::Pane* Engine::Impl::event_pane(std::uint32_t index, const WindowPlan& window, TimedRun& run, Output& out) {
    const std::int64_t start = floor_to(event_ms, window.pane_ms);
    const std::int64_t last_window = floor_to(start, window.hop_ms);
    if (last_window + window.span_ms <= run.watermark) return nullptr;
    // A pane that a closed window shares with an open one may not change before the closed one's rows are out.
    while ((run.draining && start < run.closing.until) || (!run.draining && run.has_ended() && start < run.open.front().until)) {
        if (!run.draining) begin_close(index);
        drain_all(index, out);
    }
    auto place = run.panes.end();
    while (place != run.panes.begin() && std::prev(place)->order >= start) --place;
    if (place != run.panes.end() && place->order == start) return &*place;
    for (std::int64_t at = last_window; at > start - window.span_ms && at + window.span_ms > run.watermark; at -= window.hop_ms)
        (void)run.add({.span = {.start_ms = at, .end_ms = at + window.span_ms, .at = {}}, .from = at, .until = at + window.span_ms});
    TimedRun::Pane pane;
    pane.order = pane.start_ms = start;
    pane.end_ms = start + window.pane_ms;
    pane.series.swap(run.spare);
    return &*run.panes.insert(place, std::move(pane));
}

/// Only so many rows go out before the reading that moved the watermark: a clock that jumps may close thousands of windows at once.
void Engine::Impl::pass_timed(std::uint32_t index, Output& out) {
    TimedRun& run = *timed[index];
    if (!run.draining && run.has_ended()) begin_close(index);
    std::size_t rows_max = kRowsAtOnce;
    if (run.draining) (void)drain(index, rows_max, out);
}

void Engine::Impl::begin_close(std::uint32_t index) {
    TimedRun& run = *timed[index];
    ++windows_closed;
    run.closing = run.open.front();
    run.open.pop_front();
    if (windows[index].plan->event_time) run.closing.span.at = reading_at;
    run.pane = run.series = 0;
    run.draining = any_draining = true;
}

bool Engine::Impl::drain(std::uint32_t index, std::size_t& rows_max, Output& out) {
    TimedRun& run = *timed[index];
    if (!run.draining) return true;
    const Walk walk(*this);
    charge_window(index);
    for (; run.pane < run.panes.size() && run.panes[run.pane].order < run.closing.until; ++run.pane, run.series = 0) {
        const TimedRun::Pane& pane = run.panes[run.pane];
        if (pane.order < run.closing.from) continue;
        for (; run.series < pane.series.size(); ++run.series, --rows_max) {
            if (rows_max == 0) return false;
            emit_closing(index, pane, pane.series[run.series], out);
        }
    }
    run.draining = !empty_panes(index, rows_max);
    return !run.draining;
}

void Engine::Impl::drain_all(std::uint32_t index, Output& out) {
    std::size_t rows_max = SIZE_MAX;
    (void)drain(index, rows_max, out);
}

void Engine::Impl::close_ended(std::uint32_t index, base::Monotonic now, std::size_t rows_max, Output& out) {
    TimedRun& run = *timed[index];
    const bool event_time = windows[index].plan->event_time.has_value();
    if (run.draining && !drain(index, rows_max, out)) return;
    while (rows_max != 0 && (event_time ? run.has_ended() : !run.open.empty() && run.open.front().span.at <= now)) {
        begin_close(index);
        if (!drain(index, rows_max, out)) return;
    }
}

/// The row of a key, with the first pane that the key has in the window.
void Engine::Impl::emit_closing(std::uint32_t index, const TimedRun::Pane& pane, std::uint32_t series, Output& out) {
    const WindowPlan& window = *windows[index].plan;
    const TimedRun& run = *timed[index];
    parts.clear();
    for (std::uint32_t at = head_of(window, series).chain; at != 0; at = run.blocks.head(at).next) {
        const std::int64_t order = run.blocks.head(at).order;
        if (order < run.closing.from) break;
        if (order < pane.order) return;  // it went out with an earlier pane
        if (order < run.closing.until) parts.push_back(at);
    }
    if (parts.size() == 1) return emit_window(index, window, series, run.blocks.state(parts[0]), &run.closing.span, nullptr, out);
    std::byte* state = blank_state(window);
    for (auto at = parts.rbegin(); at != parts.rend(); ++at) {
        for (std::size_t i = 0; i < window.accumulators.size(); ++i) {
            const AccumulatorPlan& accumulator = window.accumulators[i];
            const Taken taken =
                runner.accumulators().merge(accumulator.kind, state + accumulator.offset, run.blocks.state(*at) + accumulator.offset);
            note_merge(index, i, taken);
        }
    }
    emit_window(index, window, series, state, &run.closing.span, nullptr, out);
    release(window, state);
}

/// Panes that no open window needs go, block by block.
bool Engine::Impl::empty_panes(std::uint32_t index, std::size_t rows_max) {
    const WindowPlan& window = *windows[index].plan;
    TimedRun& run = *timed[index];
    std::int64_t needed = std::numeric_limits<std::int64_t>::max();
    for (const TimedRun::Window& open : run.open) needed = std::min(needed, open.from);
    while (!run.panes.empty() && run.panes.front().order < needed) {
        TimedRun::Pane& pane = run.panes.front();
        for (; !pane.series.empty(); pane.series.pop_back(), --rows_max) {
            if (rows_max == 0) return false;
            keep_for_save(window.table, pane.series.back());
            std::uint32_t& chain = head_of(window, pane.series.back()).chain;
            const std::uint32_t handle = run.blocks.find(chain, pane.order);
            release(window, run.blocks.state(handle));
            run.blocks.unlink(chain, handle);
            run.blocks.give(handle);
        }
        run.spare.swap(pane.series);
        run.panes.pop_front();
        if (run.pane > 0) --run.pane;
    }
    return true;
}

}  // namespace sluice::rules

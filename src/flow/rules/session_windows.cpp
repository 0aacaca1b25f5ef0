// Session windows: a key's readings up to a gap, or up to the longest that a session may last.
#include <algorithm>

#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {
namespace {

std::int64_t end_of(const WindowPlan& window, const BlockHead& session) {
    return std::min(session.last + window.run_time(window.gap_ms), session.order + window.run_time(window.span_ms));
}

}  // namespace

void Engine::Impl::take_session(std::uint32_t index, const WindowPlan& window, const RowMemo& row, const data::Reading& reading,
                                Output& out) {
    SessionRun& run = *sessions[index];
    const std::int64_t now = window.event_time ? event_ms : reading.at.time_since_epoch().count();
    const std::int64_t gap = window.run_time(window.gap_ms);
    const std::int64_t longest = window.run_time(window.span_ms);
    if (window.event_time && now + gap <= run.watermark) {
        ++charged[index]->late;
        return;
    }
    if (window.event_time && run.has_ended()) end_sessions_of(index, row.series, run.watermark, out);
    std::uint32_t& chain = head_of(window, row.series).chain;
    std::uint32_t handle = chain;
    for (; handle != 0; handle = run.blocks.head(handle).next) {
        const BlockHead& session = run.blocks.head(handle);
        if (now > session.order - gap && now < session.last + gap && std::max(session.last, now) - std::min(session.order, now) < longest)
            break;
        if (!window.event_time) {  // it has ended just now
            end_session(index, row.series, handle, out);
            handle = 0;
            break;
        }
    }
    if (handle == 0) {
        handle = run.blocks.take();
        if (handle == 0) {
            ++charged[index]->state_full;
            return;
        }
        BlockHead& session = run.blocks.head(handle);
        session.order = session.last = now;
        session.start_ms = window.event_time ? now : base::to_ms(reading.arrived);
        run.blocks.insert(chain, handle);
        look_at_session(run, session, end_of(window, session), row.series);
        accumulate(index, window, run.blocks.state(handle));
    } else {
        BlockHead& session = run.blocks.head(handle);
        accumulate(index, window, run.blocks.state(handle));
        session.last = std::max(session.last, now);
        if (now < session.order) {
            run.blocks.unlink(chain, handle);
            // By arrival: a reading of another shard, whose turn began earlier.
            session.start_ms -= window.run_ms(session.order - now);
            session.order = now;
            run.blocks.insert(chain, handle);
            if (end_of(window, session) < session.due) look_at_session(run, session, end_of(window, session), row.series);
        }
    }
    if (window.event_time)
        join_sessions(window, run, row.series, handle);
    else
        note_due(base::Monotonic(std::chrono::nanoseconds(run.due.front().at)));
}

/// Event time: a reading that came late may close the gap between two sessions.
void Engine::Impl::join_sessions(const WindowPlan& window, SessionRun& run, std::uint32_t series, std::uint32_t handle) {
    std::uint32_t& chain = head_of(window, series).chain;
    const std::int64_t gap = window.run_time(window.gap_ms);
    for (std::uint32_t newer = chain; newer != 0; newer = run.blocks.head(newer).next) {
        const std::uint32_t older = run.blocks.head(newer).next;
        if (older == 0 || (newer != handle && older != handle)) continue;
        BlockHead& first = run.blocks.head(older);
        const BlockHead& second = run.blocks.head(newer);
        const std::int64_t last = std::max(first.last, second.last);
        if (second.order >= first.last + gap || last - first.order >= window.run_time(window.span_ms)) continue;
        for (const AccumulatorPlan& accumulator : window.accumulators)
            (void)runner.accumulators().merge(accumulator.kind, run.blocks.state(older) + accumulator.offset,
                                              run.blocks.state(newer) + accumulator.offset);
        first.last = last;
        release(window, run.blocks.state(newer));
        run.blocks.unlink(chain, newer);
        run.blocks.give(newer);
        newer = older;
        handle = older;
    }
}

void Engine::Impl::end_session(std::uint32_t index, std::uint32_t series, std::uint32_t handle, Output& out) {
    const WindowPlan& window = *windows[index].plan;
    SessionRun& run = *sessions[index];
    ++windows_closed;
    const BlockHead& session = run.blocks.head(handle);
    const std::int64_t end = end_of(window, session);
    const WindowSpan span{.start_ms = session.start_ms,
                          .end_ms = session.start_ms + window.run_ms(end - session.order),
                          .at = window.event_time ? reading_at : base::Monotonic(std::chrono::nanoseconds(end))};
    emit_window(index, window, series, run.blocks.state(handle), &span, nullptr, out);
    keep_for_save(window.table, series);
    release(window, run.blocks.state(handle));
    run.blocks.unlink(head_of(window, series).chain, handle);
    run.blocks.give(handle);
}

/// Ahead of the others, whose rows wait for their turn: a reading must not join what has ended.
void Engine::Impl::end_sessions_of(std::uint32_t index, std::uint32_t series, std::int64_t now, Output& out) {
    const WindowPlan& window = *windows[index].plan;
    SessionRun& run = *sessions[index];
    parts.clear();
    for (std::uint32_t at = head_of(window, series).chain; at != 0; at = run.blocks.head(at).next) parts.push_back(at);
    for (auto at = parts.rbegin(); at != parts.rend(); ++at) {
        if (end_of(window, run.blocks.head(*at)) <= now) end_session(index, series, *at, out);
    }
}

void Engine::Impl::look_at_session(SessionRun& run, BlockHead& session, std::int64_t time, std::uint32_t series) {
    session.due = time;
    run.due.push_back({.at = time, .series = series});
    std::push_heap(run.due.begin(), run.due.end());
}

bool Engine::Impl::end_sessions(std::uint32_t index, std::int64_t now, std::size_t rows_max, Output& out) {
    const WindowPlan& window = *windows[index].plan;
    SessionRun& run = *sessions[index];
    const Walk walk(*this);
    charge_window(index);
    while (!run.due.empty() && run.due.front().at <= now) {
        if (rows_max-- == 0) return false;
        const std::int64_t looked_at = run.due.front().at;
        const std::uint32_t series = run.due.front().series;
        std::pop_heap(run.due.begin(), run.due.end());
        run.due.pop_back();
        // The session that was noted may have grown since (it is looked at again at its end), or be gone.
        parts.clear();
        for (std::uint32_t at = head_of(window, series).chain; at != 0; at = run.blocks.head(at).next) parts.push_back(at);
        for (auto at = parts.rbegin(); at != parts.rend(); ++at) {
            BlockHead& session = run.blocks.head(*at);
            if (session.due != looked_at) continue;
            const std::int64_t end = end_of(window, session);
            if (end <= looked_at)
                end_session(index, series, *at, out);
            else
                look_at_session(run, session, end, series);
        }
    }
    return true;
}

}  // namespace sluice::rules

// Sliding windows: at each reading a row over the last so many seconds, added up anew from the values that are kept.
#include <algorithm>

#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {
namespace {

std::uint32_t place(const SlidingRun::Buffer& buffer, std::uint32_t i) {
    return static_cast<std::uint32_t>((buffer.head + i) % buffer.entries.size());
}

}  // namespace

void Engine::Impl::take_sliding(std::uint32_t index, const WindowPlan& window, const RowMemo& row, const data::Reading& reading,
                                Output& out) {
    SlidingRun& run = *slidings[index];
    const std::int64_t now = window.event_time ? event_ms : reading.at.time_since_epoch().count();
    if (window.event_time && now < run.watermark) {
        ++charged[index]->late;
        return;
    }
    SlidingRun::Buffer* buffer = buffer_of(window, run, row.series);
    const std::size_t width = window.accumulators.size();
    // What no row can need any more, nor one that the watermark has reached and that is not out.
    const std::int64_t reached = run.due.empty() ? run.watermark : std::min(run.watermark, run.due.front().at);
    const std::int64_t passed = (window.event_time ? reached : now) - window.run_time(window.span_ms);
    while (buffer->count > 0 && buffer->entries[buffer->head].at <= passed && !buffer->entries[buffer->head].waits)
        drop_oldest(*buffer, width);
    if (buffer->count == data.limits.window_rows_max) {
        ++charged[index]->state_full;
        if (buffer->entries[buffer->head].waits) return;  // its row is owed: the new one goes
        drop_oldest(*buffer, width);
    }
    if (buffer->count == buffer->entries.size() && !make_room(*buffer, width)) {
        ++charged[index]->state_full;
        return;
    }
    // A row that the watermark has reached, but is not out, does not see it.
    if (window.event_time && now == run.watermark && run.has_ended()) emit_waiting(index, row.series, now, out);
    // By time: almost always the last.
    std::uint32_t i = buffer->count++;
    for (; i > 0 && buffer->entries[place(*buffer, i - 1)].at > now; --i) {
        buffer->entries[place(*buffer, i)] = buffer->entries[place(*buffer, i - 1)];
        for (std::size_t k = 0; k < width; ++k)
            std::swap(buffer->values[place(*buffer, i) * width + k], buffer->values[place(*buffer, i - 1) * width + k]);
    }
    buffer->entries[place(*buffer, i)] = {.at = now, .waits = window.event_time.has_value()};
    keep_values(index, window, buffer->values.data() + place(*buffer, i) * width);
    if (window.event_time) {
        run.due.push_back({.at = now, .series = row.series});
        std::push_heap(run.due.begin(), run.due.end());
        if (!silent) (void)pass_sliding(index, run.watermark, 1, out);
        return;
    }
    const std::int64_t end_ms = base::to_ms(reading.arrived);
    emit_sliding(index, row.series, now, {.start_ms = end_ms - window.span_ms, .end_ms = end_ms, .at = reading.at}, out);
}

SlidingRun::Buffer* Engine::Impl::buffer_of(const WindowPlan& window, SlidingRun& run, std::uint32_t series) {
    std::uint32_t& number = head_of(window, series).chain;
    if (number == 0 && !run.free_buffers.empty()) {
        number = run.free_buffers.back();
        run.free_buffers.pop_back();
    } else if (number == 0) {
        run.buffers.emplace_back();
        number = static_cast<std::uint32_t>(run.buffers.size());
    }
    return &run.buffers[number - 1];
}

/// Twice the room, with the oldest entry at its start.
bool Engine::Impl::make_room(SlidingRun::Buffer& buffer, std::size_t width) {
    const std::size_t room = std::max<std::size_t>(8, buffer.entries.size() * 2);
    if (!pool.charged().take((room - buffer.entries.size()) * (sizeof(SlidingRun::Buffer::Entry) + width * sizeof(StoredValue))))
        return false;
    SlidingRun::Buffer larger;
    larger.entries.resize(room);
    larger.values.resize(room * width);
    for (std::uint32_t i = 0; i < buffer.count; ++i) {
        larger.entries[i] = buffer.entries[place(buffer, i)];
        std::copy_n(buffer.values.begin() + static_cast<std::ptrdiff_t>(place(buffer, i) * width), width,
                    larger.values.begin() + static_cast<std::ptrdiff_t>(i * width));
    }
    larger.count = buffer.count;
    buffer = std::move(larger);
    return true;
}

void Engine::Impl::drop_oldest(SlidingRun::Buffer& buffer, std::size_t width) {
    for (std::size_t k = 0; k < width; ++k) pool.free(buffer.values[buffer.head * width + k]);
    buffer.head = place(buffer, 1);
    --buffer.count;
}

/// The row of a key at a time `end`: over all that came after end - length, up to and with `end`.
void Engine::Impl::emit_sliding(std::uint32_t index, std::uint32_t series, std::int64_t end, const WindowSpan& span, Output& out) {
    const WindowPlan& window = *windows[index].plan;
    const SlidingRun::Buffer& buffer = slidings[index]->buffers[head_of(window, series).chain - 1];
    const std::size_t width = window.accumulators.size();
    std::byte* state = blank_state(window);
    for (std::uint32_t i = 0; i < buffer.count; ++i) {
        const std::uint32_t at = place(buffer, i);
        const std::int64_t time = buffer.entries[at].at;
        if (time > end) break;
        if (time > end - window.run_time(window.span_ms)) add_kept(window, state, buffer.values.data() + at * width, time);
    }
    emit_window(index, window, series, state, &span, nullptr, out);
    release(window, state);
}

bool Engine::Impl::pass_sliding(std::uint32_t index, std::int64_t watermark, std::size_t rows_max, Output& out) {
    SlidingRun& run = *slidings[index];
    const Walk walk(*this);
    charge_window(index);
    for (; !run.due.empty() && run.due.front().at <= watermark; --rows_max) {
        if (rows_max == 0) return false;
        const Due next = run.due.front();
        std::pop_heap(run.due.begin(), run.due.end());
        run.due.pop_back();
        emit_waiting(index, next.series, next.at, out);
    }
    return true;
}

/// The rows of a key at a time that are not out. (One of several readings at that time each: what is due later finds none.)
void Engine::Impl::emit_waiting(std::uint32_t index, std::uint32_t series, std::int64_t at, Output& out) {
    const WindowPlan& window = *windows[index].plan;
    const std::uint32_t number = head_of(window, series).chain;
    if (number == 0) return;  // the key that it was noted for is forgotten
    SlidingRun::Buffer& buffer = slidings[index]->buffers[number - 1];
    for (std::uint32_t i = 0; i < buffer.count; ++i) {
        SlidingRun::Buffer::Entry& entry = buffer.entries[place(buffer, i)];
        if (entry.at != at || !entry.waits) continue;
        keep_for_save(window.table, series);
        entry.waits = false;
        ++windows_closed;
        emit_sliding(index, series, at, {.start_ms = at - window.span_ms, .end_ms = at, .at = reading_at}, out);
    }
}

}  // namespace sluice::rules

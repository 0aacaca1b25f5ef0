// Windows saved and restored: docs/formats/rule_state.md. What is read back is outside input.
#include <algorithm>

#include "flow/rules/engine_impl.hpp"
#include "flow/rules/state_bytes.hpp"

namespace sluice::rules {
namespace {

/// Milliseconds: far beyond any date, and safe to compute with.
constexpr std::int64_t kFar = std::int64_t{1} << 52;
constexpr std::int64_t kNanosecondsPerMs = 1'000'000;
/// 146 years, safe to compute with.
constexpr std::int64_t kFarNanoseconds = std::int64_t{1} << 62;
/// A year before 1970, in nanoseconds: any later time is safe to compute with.
constexpr std::int64_t kClockLeast = -(std::int64_t{1} << 55);

/// Panes that come from saved state lie before all that will open (their order is a time of this run), in the order of their starts.
std::int64_t restored_order(const WindowPlan& window, std::int64_t start_ms) {
    return window.event_time ? start_ms : start_ms - (std::int64_t{1} << 62);
}

void append_signed(base::Bytes& out, std::int64_t value) { base::append_le(out, static_cast<std::uint64_t>(value)); }
std::int64_t read_signed(StateReader& reader) { return static_cast<std::int64_t>(reader.number<std::uint64_t>()); }
bool is_time(std::int64_t ms) { return ms >= -kFar && ms <= kFar; }

/// Event time is saved as it is, time of the monotonic clock as how long ago it is.
std::int64_t to_saved(const WindowPlan& window, std::int64_t time, base::Monotonic now) {
    return window.event_time ? time : now.time_since_epoch().count() - time;
}

}  // namespace

void Engine::Impl::save_panes(std::uint32_t rule, base::Monotonic now, base::Bytes& out) const {
    const TimedRun& run = *timed[rule];
    const bool event_time = windows[rule].plan->event_time.has_value();
    const auto save_bounds = [&](std::int64_t start_ms, std::int64_t end_ms, base::Monotonic deadline) {
        append_signed(out, start_ms);
        append_signed(out, end_ms);
        append_signed(out, event_time ? 0 : (deadline - now).count());  // event time has no deadlines
    };
    append_signed(out, run.next_ms);
    const std::int64_t time = run.clock.wall(now).time_since_epoch().count();
    append_signed(out, run.clock.is_set() && time >= kClockLeast ? time : kNoWatermark);
    base::append_le(out, static_cast<std::uint32_t>(run.open.size() + (run.draining ? 1 : 0)));
    if (run.draining) save_bounds(run.closing.span.start_ms, run.closing.span.end_ms, now);
    for (const TimedRun::Window& open : run.open) save_bounds(open.span.start_ms, open.span.end_ms, open.span.at);
    base::append_le(out, static_cast<std::uint32_t>(run.panes.size()));
    for (const TimedRun::Pane& pane : run.panes) save_bounds(pane.start_ms, pane.end_ms, pane.deadline);
}

bool Engine::Impl::restore_panes(std::uint32_t rule, StateReader& reader, const RestoreMoment& moment) {
    const WindowPlan& window = *windows[rule].plan;
    TimedRun& run = *timed[rule];
    const std::int64_t wall_ms = base::to_ms(moment.wall);
    struct Bounds {
        std::int64_t start_ms, end_ms;
        base::Monotonic::duration left;
    };
    const std::int64_t unit = moment.version >= 3 ? 1 : kNanosecondsPerMs;  // of the time left
    const auto read_bounds = [&](std::int64_t length) {
        Bounds bounds{.start_ms = read_signed(reader), .end_ms = read_signed(reader), .left = {}};
        const std::int64_t left = read_signed(reader);
        // More than its length where the wall clock was set back, and is waited for.
        const std::int64_t left_max = (2 * length + window.span_ms) * (kNanosecondsPerMs / unit);
        if (!is_time(bounds.start_ms) || bounds.end_ms != bounds.start_ms + length || left < -kFarNanoseconds / unit || left > left_max)
            reader.fail();
        else
            bounds.left = std::chrono::nanoseconds(left * unit);
        return bounds;
    };
    // By the wall clock the end may have passed; but the clock may lie after a restart, so never longer than was left.
    const auto deadline = [&](const Bounds& bounds) {
        if (moment.same_moment) return moment.now + bounds.left;
        const std::chrono::milliseconds by_wall(std::clamp<std::int64_t>(bounds.end_ms - wall_ms, 0, window.span_ms));
        return moment.now + std::min<base::Monotonic::duration>(by_wall, std::max(bounds.left, base::Monotonic::duration(0)));
    };
    if (moment.version >= 3) {
        const std::int64_t next_ms = read_signed(reader);
        if (next_ms != kNoWatermark && !is_time(next_ms)) reader.fail();
        run.next_ms = std::max(run.next_ms, next_ms);
    }
    if (moment.version >= 4) {
        const std::int64_t time = read_signed(reader);
        if (time != kNoWatermark && time < kClockLeast) reader.fail();
        if (time >= kClockLeast && moment.same_moment) run.clock.set(moment.now, base::WallTime(std::chrono::nanoseconds(time)));
    }
    for (auto n = reader.number<std::uint32_t>(); n > 0 && reader.ok(); --n) {
        const Bounds bounds = read_bounds(window.span_ms);
        if (!reader.ok()) return false;
        const bool ended = window.event_time ? bounds.end_ms <= run.watermark : bounds.left.count() <= 0 || bounds.end_ms <= wall_ms;
        if (moment.interrupted && ended) continue;  // its rows may be out already
        TimedRun::Window open{.span = {.start_ms = bounds.start_ms, .end_ms = bounds.end_ms, .at = {}},
                              .from = restored_order(window, bounds.start_ms),
                              .until = bounds.end_ms};
        if (!window.event_time) {
            open.span.at = deadline(bounds);
            open.until = bounds.left.count() <= 0 ? restored_order(window, bounds.end_ms) : open.span.at.time_since_epoch().count();
        }
        (void)run.add(open);
    }
    for (auto n = reader.number<std::uint32_t>(); n > 0 && reader.ok(); --n) {
        const Bounds bounds = read_bounds(window.pane_ms);
        if (!reader.ok()) return false;
        const std::int64_t order = restored_order(window, bounds.start_ms);
        const auto place =
            std::find_if(run.panes.begin(), run.panes.end(), [&](const TimedRun::Pane& known) { return known.order >= order; });
        if (place != run.panes.end() && place->order == order) continue;
        TimedRun::Pane pane;
        pane.order = order;
        pane.start_ms = bounds.start_ms;
        pane.end_ms = bounds.end_ms;
        pane.deadline = deadline(bounds);
        run.panes.insert(place, std::move(pane));
    }
    if (!window.event_time && !run.panes.empty()) {
        // Not where the wall clock was set back meanwhile: then next_ms tells.
        const TimedRun::Pane& newest = run.panes.back();
        const std::chrono::milliseconds by_wall(std::clamp<std::int64_t>(newest.end_ms - wall_ms, 0, 2 * window.span_ms));
        if (!moment.same_moment && newest.deadline - moment.now + WindowClock::kDriftMax >= by_wall) run.clock.set(moment.now, moment.wall);
        run.find_over(window.pane_ms, moment.now);
    }
    return reader.ok();
}

/// Keys are saved while readings come: a pane that opened since the windows were saved is known from its blocks alone.
TimedRun::Pane* Engine::Impl::restored_pane(std::uint32_t rule, std::int64_t start_ms, const RestoreMoment& moment) {
    const WindowPlan& window = *windows[rule].plan;
    TimedRun& run = *timed[rule];
    const std::int64_t order = restored_order(window, start_ms);
    const auto place = std::find_if(run.panes.begin(), run.panes.end(), [&](const TimedRun::Pane& known) { return known.order >= order; });
    if (place != run.panes.end() && place->order == order) return &*place;
    const std::int64_t wall_ms = base::to_ms(moment.wall);
    bool needed = false;
    for (std::int64_t start = floor_to(start_ms, window.hop_ms); start > start_ms - window.span_ms; start -= window.hop_ms) {
        const std::int64_t end_ms = start + window.span_ms;
        if (moment.interrupted && end_ms <= (window.event_time ? run.watermark : wall_ms)) break;  // its rows may be out already
        needed = true;
        TimedRun::Window open{
            .span = {.start_ms = start, .end_ms = end_ms, .at = {}}, .from = restored_order(window, start), .until = end_ms};
        if (!window.event_time) {
            open.span.at = moment.now + std::chrono::milliseconds(std::clamp<std::int64_t>(end_ms - wall_ms, 0, window.span_ms));
            open.until = open.span.at.time_since_epoch().count();
        }
        (void)run.add(open);
    }
    if (!needed) return nullptr;
    TimedRun::Pane pane;
    pane.order = order;
    pane.start_ms = start_ms;
    pane.end_ms = start_ms + window.pane_ms;
    pane.deadline = moment.now + std::chrono::milliseconds(std::clamp<std::int64_t>(pane.end_ms - wall_ms, 0, window.pane_ms));
    TimedRun::Pane& added = *run.panes.insert(place, std::move(pane));
    if (!window.event_time) run.find_over(window.pane_ms, moment.now);
    return &added;
}

void Engine::Impl::save_window(std::uint32_t rule, const WindowMember* member, std::uint32_t series, base::Monotonic now,
                               base::Bytes& out) const {
    const WindowPlan& window = *windows[rule].plan;
    const std::byte* row = tables[window.table].row(series);
    const auto& head = *reinterpret_cast<const WindowHead*>(row + window.offset);
    const std::size_t width = member == nullptr ? window.accumulators.size() : member->accumulators.size();
    const auto place = [&](std::size_t i) { return member == nullptr ? i : member->accumulators[i]; };
    const auto save_accumulators = [&](const std::byte* state) {
        for (std::size_t i = 0; i < width; ++i) {
            const AccumulatorPlan& accumulator = window.accumulators[place(i)];
            runner.accumulators().save(accumulator.kind, state + accumulator.offset, out);
        }
    };
    const auto save_values = [&](const StoredValue* values) {
        for (std::size_t i = 0; i < width; ++i) save_value(out, pool.load(values[place(i)]));
    };
    switch (window.form) {
        case WindowForm::count:
            base::append_le(out, head.count);
            return save_accumulators(row + window.offset);
        case WindowForm::hopping_count: {
            base::append_le(out, head.count);
            base::append_le(out, head.since);
            const auto* ring = reinterpret_cast<const StoredValue*>(row + window.ring);
            for (std::uint32_t i = 0; i < head.count; ++i)
                save_values(ring + (head.count < window.length ? i : (head.head + i) % window.length) * window.accumulators.size());
            return;
        }
        case WindowForm::timed:
        case WindowForm::session: {
            const BlockPool& blocks = window.form == WindowForm::timed ? timed[rule]->blocks : sessions[rule]->blocks;
            for (std::uint32_t at = head.chain; at != 0; at = blocks.head(at).next) {
                const BlockHead& block = blocks.head(at);
                if (window.form == WindowForm::timed) {
                    const auto& panes = timed[rule]->panes;
                    const auto pane =
                        std::find_if(panes.rbegin(), panes.rend(), [&](const TimedRun::Pane& known) { return known.order == block.order; });
                    append_signed(out, pane->start_ms);
                } else {
                    append_signed(out, block.start_ms);
                    append_signed(out, to_saved(window, block.order, now));
                    append_signed(out, to_saved(window, block.last, now));
                }
                save_accumulators(blocks.state(at));
            }
            return;
        }
        case WindowForm::sliding: {
            if (head.chain == 0) return;
            const SlidingRun::Buffer& buffer = slidings[rule]->buffers[head.chain - 1];
            for (std::uint32_t i = 0; i < buffer.count; ++i) {
                const std::size_t at = (buffer.head + i) % buffer.entries.size();
                append_signed(out, to_saved(window, buffer.entries[at].at, now));
                out.push_back(buffer.entries[at].waits ? 1 : 0);
                save_values(buffer.values.data() + at * window.accumulators.size());
            }
        }
    }
}

bool Engine::Impl::restore_accumulators(const WindowPlan& window, StateReader& reader, std::byte* state) {
    base::ByteView rest = reader.rest();
    for (const AccumulatorPlan& accumulator : window.accumulators) {
        if (runner.accumulators().restore(accumulator.kind, rest, state + accumulator.offset)) continue;
        release(window, state);
        reader.fail();
        return false;
    }
    (void)reader.bytes(reader.rest().size() - rest.size());
    return true;
}

bool Engine::Impl::restore_window(std::uint32_t rule, std::uint32_t series, base::ByteView in, const RestoreMoment& moment) {
    const WindowPlan& window = *windows[rule].plan;
    std::byte* row = tables[window.table].row(series);
    WindowHead& head = head_of(window, series);
    StateReader reader(in);
    switch (window.form) {
        case WindowForm::count: {
            const auto count = reader.number<std::uint32_t>();
            head = {};
            clear(window, row + window.offset);
            if (!reader.ok() || count >= window.length || !restore_accumulators(window, reader, row + window.offset)) return false;
            head.count = count;
            return reader.empty();
        }
        case WindowForm::hopping_count: {
            WindowHead saved{};
            saved.count = reader.number<std::uint32_t>();
            saved.since = reader.number<std::uint32_t>();
            head = {};
            if (!reader.ok() || saved.count > window.length || saved.since >= window.hop) return false;
            auto* ring = reinterpret_cast<StoredValue*>(row + window.ring);
            for (std::size_t i = 0; i < saved.count * window.accumulators.size(); ++i) {
                const Value value = reader.value();
                if (!reader.ok() || !pool.store(value, ring[i])) return false;
            }
            head = saved;
            return reader.empty();
        }
        case WindowForm::timed:
        case WindowForm::session:
            return restore_blocks(rule, series, reader, moment);
        case WindowForm::sliding:
            return restore_buffer(rule, series, reader, moment);
    }
    return false;
}

bool Engine::Impl::restore_blocks(std::uint32_t rule, std::uint32_t series, StateReader& reader, const RestoreMoment& moment) {
    const WindowPlan& window = *windows[rule].plan;
    BlockPool& blocks = window.form == WindowForm::timed ? timed[rule]->blocks : sessions[rule]->blocks;
    std::uint32_t& chain = head_of(window, series).chain;
    const std::int64_t now = moment.now.time_since_epoch().count();
    while (!reader.empty()) {
        BlockHead head{};
        TimedRun::Pane* pane = nullptr;
        head.start_ms = read_signed(reader);
        if (!reader.ok() || !is_time(head.start_ms)) return false;
        if (window.form == WindowForm::timed) {
            head.order = restored_order(window, head.start_ms);
            pane = restored_pane(rule, head.start_ms, moment);
        } else {
            head.order = read_signed(reader);
            head.last = read_signed(reader);
            if (!reader.ok() ||
                !(window.event_time ? is_time(head.order) && is_time(head.last) && head.order <= head.last
                                    : head.order >= head.last && head.last > -kFarNanoseconds && head.order < kFarNanoseconds))
                return false;
            if (!window.event_time) {
                head.order = now - head.order - moment.away_ms * kNanosecondsPerMs;
                head.last = now - head.last - moment.away_ms * kNanosecondsPerMs;
            }
        }
        const bool needed = window.form == WindowForm::session || pane != nullptr;
        std::uint32_t handle = needed ? blocks.find(chain, head.order) : 0;
        const bool known = handle != 0;
        if (needed && !known) {
            handle = blocks.take();
            if (handle == 0) ++charged[rule]->state_full;
        }
        if (handle == 0 || known) {
            // Its window is out, or there is no room; or the wall clock was set back, and two panes of the key have one start.
            std::byte* state = blank_state(window);
            if (!restore_accumulators(window, reader, state)) return false;
            for (const AccumulatorPlan& accumulator : window.accumulators) {
                if (known)
                    (void)runner.accumulators().merge(accumulator.kind, blocks.state(handle) + accumulator.offset,
                                                      state + accumulator.offset);
            }
            release(window, state);
            continue;
        }
        if (!restore_accumulators(window, reader, blocks.state(handle))) {
            blocks.give(handle);
            return false;
        }
        BlockHead& block = blocks.head(handle);
        block.order = head.order;
        block.last = head.last;
        block.start_ms = head.start_ms;
        blocks.insert(chain, handle);
        block.place = pane == nullptr ? 0 : static_cast<std::uint32_t>(pane->series.size());
        if (pane != nullptr) pane->series.push_back(series);
        if (pane == nullptr) look_at_session(*sessions[rule], block, head.order, series);
    }
    return true;
}

bool Engine::Impl::restore_buffer(std::uint32_t rule, std::uint32_t series, StateReader& reader, const RestoreMoment& moment) {
    const WindowPlan& window = *windows[rule].plan;
    SlidingRun& run = *slidings[rule];
    const std::int64_t now = moment.now.time_since_epoch().count();
    const std::size_t width = window.accumulators.size();
    SlidingRun::Buffer& buffer = *buffer_of(window, run, series);
    std::int64_t before = std::numeric_limits<std::int64_t>::min();
    while (!reader.empty()) {
        SlidingRun::Buffer::Entry entry;
        entry.at = read_signed(reader);
        entry.waits = reader.number<base::Byte>() != 0;
        if (!reader.ok() ||
            !(window.event_time ? is_time(entry.at) : entry.at > -kFarNanoseconds && !entry.waits && entry.at < kFarNanoseconds))
            return false;
        if (!window.event_time) entry.at = now - entry.at - moment.away_ms * kNanosecondsPerMs;
        if (entry.at < before || buffer.count == data.limits.window_rows_max) return false;
        before = entry.at;
        if (buffer.count == buffer.entries.size() && !make_room(buffer, width)) {
            ++charged[rule]->state_full;
            return true;
        }
        for (std::size_t k = 0; k < width; ++k) {
            const Value value = reader.value();
            if (!reader.ok() || !pool.store(value, buffer.values[buffer.count * width + k])) return false;
        }
        buffer.entries[buffer.count++] = entry;
        if (!entry.waits) continue;
        run.due.push_back({.at = entry.at, .series = series});
        std::push_heap(run.due.begin(), run.due.end());
    }
    return true;
}

}  // namespace sluice::rules

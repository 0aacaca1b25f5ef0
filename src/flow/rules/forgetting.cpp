// Where a table that forgets is full: the key that was not seen for longest goes, with all that is kept of it. Decision 0026.
#include <algorithm>

#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {
namespace {

/// A few that are gone cost less than to look for them.
constexpr std::size_t kStaleKept = 64;

}  // namespace

bool Engine::Impl::forget_oldest(std::uint32_t table) {
    if (walking) return false;
    KeyTable& keys_of = tables[table];
    const std::optional<std::uint32_t> series = keys_of.oldest();
    const RowMemo& present = rows[table];
    if (!series || (present.turn == turn && present.row != nullptr && present.series == *series)) return false;
    keep_for_save(table, *series);
    StateBudget& at_work = pool.charged();
    charge(table);
    for (const std::uint32_t op : table_ops[table]) runner.release(data.ops[op], keys_of.row(*series));
    for (const std::uint32_t rule : table_rules[table]) {
        charge_window(rule);
        charged[rule]->windows_forgotten += forget_window(rule, *series);
    }
    keys_of.forget(*series);
    pool.charge(at_work);
    for (const std::uint32_t rule : table_rules[table]) tidy_due(rule);
    for (const std::uint32_t rule : table_users[table]) ++counters[rule].keys_forgotten;
    return true;
}

std::uint64_t Engine::Impl::forget_window(std::uint32_t rule, std::uint32_t series) {
    const WindowPlan& window = *windows[rule].plan;
    const WindowHead& head = head_of(window, series);
    std::byte* row = tables[window.table].row(series);
    switch (window.form) {
        case WindowForm::count:
            release(window, row + window.offset);
            return head.count > 0 ? 1 : 0;
        case WindowForm::hopping_count: {
            auto* values = reinterpret_cast<StoredValue*>(row + window.ring);
            for (std::size_t i = 0; i < window.length * window.accumulators.size(); ++i) pool.free(values[i]);
            return head.count > 0 ? 1 : 0;
        }
        case WindowForm::timed:
            return forget_panes(rule, series);
        case WindowForm::session:
            return forget_sessions(rule, series);
        case WindowForm::sliding:
            return forget_buffer(rule, series);
    }
    return 0;
}

std::uint64_t Engine::Impl::forget_panes(std::uint32_t rule, std::uint32_t series) {
    const WindowPlan& window = *windows[rule].plan;
    TimedRun& run = *timed[rule];
    std::uint64_t open = 0;
    for (std::uint32_t at = head_of(window, series).chain; at != 0;) {
        const BlockHead& block = run.blocks.head(at);
        const std::uint32_t next = block.next;
        const auto pane =
            static_cast<std::size_t>(std::lower_bound(run.panes.begin(), run.panes.end(), block.order,
                                                      [](const TimedRun::Pane& known, std::int64_t order) { return known.order < order; }) -
                                     run.panes.begin());
        // Its row may be out already: then only other windows wait for it.
        const bool waits = run.draining && block.order >= run.closing.from && block.order < run.closing.until &&
                           (pane > run.pane || (pane == run.pane && block.place >= run.series));
        if (waits || (!run.open.empty() && block.order >= run.open.front().from)) ++open;
        leave_pane(rule, pane, block.place);
        release(window, run.blocks.state(at));
        run.blocks.give(at);
        at = next;
    }
    return open;
}

/// The last of the pane's keys takes the place; those whose rows of a closing window are out stay before those whose rows are not.
void Engine::Impl::leave_pane(std::uint32_t rule, std::size_t pane, std::uint32_t place) {
    const WindowPlan& window = *windows[rule].plan;
    TimedRun& run = *timed[rule];
    std::vector<std::uint32_t>& keys_of = run.panes[pane].series;
    std::size_t hole = place;
    const auto fill_with = [&](std::size_t from) {
        if (from == hole) return;
        keys_of[hole] = keys_of[from];
        const std::uint32_t moved = run.blocks.find(head_of(window, keys_of[from]).chain, run.panes[pane].order);
        run.blocks.head(moved).place = static_cast<std::uint32_t>(hole);
        hole = from;
    };
    if (run.draining && pane == run.pane && hole < run.series) fill_with(--run.series);
    fill_with(keys_of.size() - 1);
    keys_of.pop_back();
}

std::uint64_t Engine::Impl::forget_sessions(std::uint32_t rule, std::uint32_t series) {
    const WindowPlan& window = *windows[rule].plan;
    SessionRun& run = *sessions[rule];
    std::uint64_t open = 0;
    for (std::uint32_t at = head_of(window, series).chain; at != 0; ++open) {
        const std::uint32_t next = run.blocks.head(at).next;
        release(window, run.blocks.state(at));
        run.blocks.give(at);
        at = next;
    }
    run.stale += open;
    return open;
}

std::uint64_t Engine::Impl::forget_buffer(std::uint32_t rule, std::uint32_t series) {
    const WindowPlan& window = *windows[rule].plan;
    SlidingRun& run = *slidings[rule];
    const std::uint32_t number = head_of(window, series).chain;
    if (number == 0) return 0;
    SlidingRun::Buffer& buffer = run.buffers[number - 1];
    const std::size_t width = window.accumulators.size();
    std::uint64_t waiting = 0;
    while (buffer.count > 0) {
        if (buffer.entries[buffer.head].waits) ++waiting;
        drop_oldest(buffer, width);
    }
    pool.charged().give(buffer.entries.size() * (sizeof(SlidingRun::Buffer::Entry) + width * sizeof(StoredValue)));
    buffer = {};
    run.free_buffers.push_back(number);
    run.stale += waiting;
    return waiting;
}

/// Once as much is stale as is not, all is noted anew: a few steps for each key that went.
void Engine::Impl::tidy_due(std::uint32_t rule) {
    SessionRun* session = sessions[rule].get();
    SlidingRun* sliding = slidings[rule].get();
    if (session == nullptr && sliding == nullptr) return;
    std::vector<Due>& due = session != nullptr ? session->due : sliding->due;
    std::size_t& stale = session != nullptr ? session->stale : sliding->stale;
    if (stale < kStaleKept || stale * 2 < due.size()) return;
    stale = 0;
    due.clear();
    const WindowPlan& window = *windows[rule].plan;
    for (std::uint32_t series = 0; series < tables[window.table].rows(); ++series) {
        const std::uint32_t chain = head_of(window, series).chain;  // none in a row that is free
        if (session != nullptr) {
            for (std::uint32_t at = chain; at != 0; at = session->blocks.head(at).next)
                due.push_back({.at = session->blocks.head(at).due, .series = series});
        } else if (chain != 0) {
            const SlidingRun::Buffer& buffer = sliding->buffers[chain - 1];
            for (std::uint32_t i = 0; i < buffer.count; ++i) {
                const SlidingRun::Buffer::Entry& entry = buffer.entries[(buffer.head + i) % buffer.entries.size()];
                if (entry.waits) due.push_back({.at = entry.at, .series = series});
            }
        }
    }
    std::make_heap(due.begin(), due.end());
}

}  // namespace sluice::rules

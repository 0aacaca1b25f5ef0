// What the windows of one rule keep while they run, beside what lies in the rows of its keys.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "base/time.hpp"
#include "flow/rules/block_pool.hpp"
#include "flow/rules/window_clock.hpp"

namespace sluice::rules {

inline constexpr std::int64_t kNoWatermark = std::numeric_limits<std::int64_t>::min();

/// The bounds of a window that is put out.
struct WindowSpan {
    std::int64_t start_ms = 0;
    std::int64_t end_ms = 0;
    base::Monotonic at{};  ///< of arrival time: its end by the monotonic clock
};

/// Tumbling and hopping windows are made of panes: slices of time in which the accumulators of each key are filled once, however many
/// windows overlap there. (Li et al., "No pane, no gain", SIGMOD Record 34(1), 2005.)
struct TimedRun {
    struct Pane {
        std::int64_t order = 0;             ///< event time: its start; arrival time: the monotonic nanoseconds at which it opened
        std::int64_t start_ms = 0;          ///< no other has it: a pane that was cut by a jump of the clock goes on a millisecond later
        std::int64_t end_ms = 0;            ///< a pane's length later
        base::Monotonic deadline{};         ///< arrival time: its end by the monotonic clock
        std::vector<std::uint32_t> series;  ///< keys that have a block in it, in the order of their first reading
    };
    /// A window that has begun. The panes with from <= order < until belong to it.
    struct Window {
        WindowSpan span;
        std::int64_t from = 0;
        std::int64_t until = 0;
    };

    TimedRun(std::size_t block_bytes, StateBudget& budget, std::size_t counted) : blocks(block_bytes, budget, counted) {}

    /// Adds to `open`; false: there is one with that start.
    bool add(const Window& window);
    /// Arrival time: where the newest pane, which began at or before `now`, ends: with its slice of time, or with a window that a jump of
    /// the clock has left to end in between.
    void find_over(std::int64_t pane_ms, base::Monotonic now);
    /// Event time: the watermark has passed a window whose rows have not begun to go out.
    [[nodiscard]] bool has_ended() const { return !open.empty() && open.front().span.end_ms <= watermark; }

    BlockPool blocks;
    std::deque<Pane> panes;   ///< by order
    std::deque<Window> open;  ///< by end
    bool draining = false;    ///< the rows of `closing` are not all out, or panes that nobody needs any more not all empty
    Window closing;
    std::size_t pane = 0;  ///< of `closing`: where its rows have come to: index into panes and into that pane's series
    std::size_t series = 0;
    std::vector<std::uint32_t> spare;  ///< the emptied list of a pane, for the next one
    std::int64_t watermark = kNoWatermark;
    // Arrival time.
    WindowClock clock;
    base::Monotonic over{};               ///< from here on readings belong to another pane than the newest
    std::int64_t next_ms = kNoWatermark;  ///< the same by `clock`
};

/// Something that will happen to a key.
struct Due {
    std::int64_t at = 0;  ///< as BlockHead::order
    std::uint32_t series = 0;
    /// A heap has the earliest on top; of equal times the key that was there first: rows do not come in the order of the heap's chance.
    [[nodiscard]] bool operator<(const Due& other) const { return at != other.at ? at > other.at : series > other.series; }
};

struct SessionRun {
    SessionRun(std::size_t block_bytes, StateBudget& budget, std::size_t counted) : blocks(block_bytes, budget, counted) {}

    BlockPool blocks;
    std::vector<Due> due;   ///< a heap: when each open session should be looked at; not later than its end
    std::size_t stale = 0;  ///< of these: of keys that were forgotten
    std::int64_t watermark = kNoWatermark;

    /// Event time: the watermark has passed the end of a session that is not out.
    [[nodiscard]] bool has_ended() const { return !due.empty() && due.front().at <= watermark; }
};

struct SlidingRun {
    /// The readings of one key that may still be needed, by time: a ring.
    struct Buffer {
        struct Entry {
            std::int64_t at = 0;  ///< as BlockHead::order
            bool waits = false;   ///< event time: its row is not out yet
        };
        std::vector<Entry> entries;
        std::vector<StoredValue> values;  ///< one an accumulator, beside its entry
        std::uint32_t head = 0;
        std::uint32_t count = 0;
    };

    std::deque<Buffer> buffers;               ///< WindowHead::chain is the index plus one
    std::vector<std::uint32_t> free_buffers;  ///< of keys that were forgotten
    std::vector<Due> due;                     ///< event time: a heap of readings whose row waits for the watermark
    std::size_t stale = 0;                    ///< of these: of keys that were forgotten
    std::int64_t watermark = kNoWatermark;

    /// Event time: the watermark has reached rows that are not out.
    [[nodiscard]] bool has_ended() const { return !due.empty() && due.front().at <= watermark; }
};

}  // namespace sluice::rules

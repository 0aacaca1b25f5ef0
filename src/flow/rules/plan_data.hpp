// The inside of a Plan: what compile() makes and engines run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "codec/json/field_set.hpp"
#include "flow/rules/aggregates.hpp"
#include "flow/rules/expression.hpp"
#include "flow/rules/plan.hpp"
#include "flow/rules/reference_table.hpp"
#include "flow/rules/state_ops.hpp"

namespace sluice::rules {

/// A list of key expressions. Equal lists are one.
struct KeyPlan {
    std::vector<NodeId> nodes;  ///< none: one key for the whole stream
};

/// A reference table that rules join.
struct ReferencePlan {
    NamedTable table;                  ///< as it was when the plan was made
    std::vector<std::string> columns;  ///< that rules name
};

/// A search in a reference table. Rules that look for the same find it together.
struct LookupPlan {
    std::uint32_t reference = 0;
    std::vector<NodeId> key;  ///< in the order of the table's key
};

struct JoinPlan {
    std::uint32_t lookup = 0;
    bool left = false;  ///< rows without a match pass, with NULLs
};

/// One table of keys with the state of all operators over it.
struct TablePlan {
    std::uint32_t key = 0;    ///< index into keys
    std::uint32_t owner = 0;  ///< index into partitions
    std::size_t row_bytes = 0;
    std::uint64_t fingerprint = 0;
    std::uint32_t group = 0;  ///< index into groups
    bool forgets = false;     ///< as its group
};

/// Rules that keep state in the same tables: what they hold together is bounded together.
struct StateGroup {
    std::vector<std::uint32_t> rules;
    std::size_t bytes_max = 0;  ///< of a rule with a bound of its own, which is alone; 0: the default of each rule
    bool whole = false;         ///< all of it is on one shard
    bool forgets = false;       ///< when full, keys that were not seen for longest; each of its tables then has an equal part of it
    std::uint32_t tables = 0;
};

/// What is evaluated on one shard: the owner of its key.
struct PartitionPlan {
    std::uint32_t key = 0;
    std::string whole;  ///< the id of the rule whose whole stream this is; empty: by key
    std::uint32_t filter_set = 0;
    std::vector<std::uint32_t> ops;  ///< in an order in which inner calls come first
    std::vector<std::uint32_t> rules;
    std::uint64_t mask = 0;
};

enum class WindowForm : std::uint8_t {
    count,          ///< COUNTWINDOW(n): accumulators in the row
    hopping_count,  ///< COUNTWINDOW(n, m): values of the last n readings in the row
    timed,          ///< TUMBLINGWINDOW, HOPPINGWINDOW: accumulators by pane, in blocks (timed_windows.cpp)
    sliding,        ///< SLIDINGWINDOW: values of the last readings, in buffers (sliding_windows.cpp)
    session,        ///< SESSIONWINDOW: accumulators by session, in blocks (session_windows.cpp)
};

/// What a window keeps in a key's row; the accumulators of a count window stand behind it.
struct WindowHead {
    std::uint32_t count;  ///< readings in a count window; of a hopping one at most `length`
    std::uint32_t head;   ///< of a hopping count window: place of the oldest reading once there are `length`
    std::uint32_t since;  ///< of a hopping count window: readings since the last output
    std::uint32_t chain;  ///< of timed and session windows: the newest of the key's blocks; of a sliding one: its buffer; 0: none
};
static_assert(sizeof(WindowHead) == 16);

struct AccumulatorPlan {
    Accumulator kind = Accumulator::rows;
    NodeId argument = 0;
    std::uint32_t offset = 0;  ///< in the window's state
};

struct AggregatePlan {
    Function function = Function::count;
    double p = 0;  ///< of percentile
    std::uint32_t accumulator = 0;
    std::string text;  ///< as it stands in the SQL
};

struct WindowPlan {
    WindowForm form = WindowForm::count;
    std::uint32_t length = 0;  ///< of a count window
    std::uint32_t hop = 0;     ///< of a hopping count window
    // Of the others, in milliseconds.
    std::int64_t span_ms = 0;  ///< length; of a session the most it may last
    std::int64_t hop_ms = 0;   ///< from the start of one timed window to that of the next; the length where they do not overlap
    std::int64_t pane_ms = 0;  ///< of timed windows: the greatest length of which both are multiples
    std::int64_t gap_ms = 0;   ///< without a reading for so long a session ends
    /// WITH (timestamp = …, lateness = …): event time; else arrival time.
    std::optional<NodeId> event_time;
    std::int64_t lateness_ms = 0;
    std::uint32_t table = 0;
    std::uint32_t offset = 0;     ///< of its WindowHead in the row
    std::uint32_t ring = 0;       ///< a hopping count window keeps the values of its last `length` readings: one StoredValue an accumulator
    std::size_t state_bytes = 0;  ///< of the row, or of a block: head and accumulators
    std::vector<AccumulatorPlan> accumulators;
    std::vector<AggregatePlan> aggregates;
    std::uint64_t fingerprint = 0;

    // A run keeps times in milliseconds of event time, or in nanoseconds of the monotonic clock.
    [[nodiscard]] std::int64_t run_time(std::int64_t ms) const { return event_time ? ms : ms * 1'000'000; }
    [[nodiscard]] std::int64_t run_ms(std::int64_t time) const { return event_time ? time : time / 1'000'000; }
};

/// Rules that may keep one window together: shared_windows.hpp.
struct WindowGroup {
    std::vector<std::uint32_t> rules;
    bool whole = false;  ///< each of them is a whole stream of its own: its window lies in its own table, on one shard
};

struct RulePlan {
    std::uint32_t filter_set = 0;
    std::optional<std::uint32_t> partition;  ///< none: stateless
    std::vector<std::uint32_t> slots;        ///< fields of the payload that it needs
    std::vector<std::uint32_t> tables;       ///< of its stateful operators
    std::vector<JoinPlan> joins;
    std::vector<std::uint32_t> hits;  ///< operators whose state changes when it puts out a row
    bool star = false;
    std::optional<std::uint32_t> group;  ///< of its state
    bool paused = false;                 ///< its state is kept, and nothing of it runs
    std::vector<std::string> replaced;   ///< by columns beside *: fields of the payload that are left out
    std::vector<NodeId> unnests;         ///< arrays whose elements make rows
    std::optional<NodeId> where;
    std::optional<NodeId> having;
    std::vector<NodeId> items;          ///< output columns
    std::vector<std::string> prefixes;  ///< `"name":` before each column; beside * of those that are written
    std::optional<WindowPlan> window;
    std::optional<std::uint32_t> window_group;  ///< then engines place the window in the row: they decide who shares it
    [[nodiscard]] bool needs_json() const { return star || !slots.empty(); }
};

struct PlanData {
    Limits limits;
    Program program;
    std::vector<json::Path> fields;  ///< path of each slot
    std::vector<ReferencePlan> references;
    std::vector<LookupPlan> lookups;
    std::vector<KeyPlan> keys;
    std::vector<TablePlan> tables;
    std::vector<StateGroup> groups;
    std::vector<WindowGroup> window_groups;
    std::vector<PartitionPlan> partitions;
    std::vector<StateOp> ops;  ///< reg = index
    std::vector<RulePlan> rules;
    std::vector<std::vector<std::string>> filter_sets;
    std::vector<RuleInfo> infos;
};

}  // namespace sluice::rules

// Runs a plan over the readings of one shard. A machine without I/O: readings and time in, output rows out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/time.hpp"
#include "codec/json/value.hpp"
#include "data/reading.hpp"
#include "flow/rules/plan.hpp"

namespace sluice::rules {

/// Which rules of a reading are meant: a bit stands for the stateless rules, each other bit for one or more partitions (GROUP BY or
/// PARTITION BY).
using PartitionMask = std::uint64_t;
inline constexpr PartitionMask kAllPartitions = ~PartitionMask{0};

/// One row that a rule puts out. All views are valid during the call.
struct OutputRow {
    std::size_t rule;                      ///< index into Plan::rules()
    base::ByteView json;                   ///< one JSON object
    std::span<const json::Value> columns;  ///< as RuleInfo::columns
    base::WallTime made;                   ///< arrival of the reading that caused the row; for a time window its end
    base::Monotonic at;                    ///< the same moment by the monotonic clock
    const data::Reading* reading;          ///< the reading that caused the row; nullptr where time caused it
};

/// What the engine hands on. It may not call back into the engine.
class Output {
public:
    virtual ~Output() = default;
    virtual void emit(const OutputRow& row) = 0;
    /// The reading must also be given to `process` of the engine of shard `owner`, with this mask: it owns the key.
    virtual void forward(data::ShardIndex owner, PartitionMask partitions, const data::Reading& reading) = 0;
};

/// Per rule, since the engine was made. Nothing is dropped without being counted here.
struct RuleCounters {
    std::uint64_t evaluated = 0;  ///< readings of the rule's topics that were evaluated
    std::uint64_t rows = 0;       ///< output rows
    std::uint64_t malformed = 0;  ///< readings not evaluated: the payload is not JSON, or not an object where `*` needs one
    std::uint64_t bad_value =
        0;  ///< NULL, text, NaN or infinity where state needs a number; text where arithmetic needs one; division by zero; NaN results
    std::uint64_t late = 0;            ///< readings for a window that had closed (event time only)
    std::uint64_t state_full = 0;      ///< readings not evaluated: no room for another key; values a full window could not take
    std::uint64_t keys_forgotten = 0;  ///< to make room: they begin anew if they come again
    /// Rows that do not come: sessions and count windows that were open of such keys, panes of tumbling and hopping windows (of a tumbling
    /// one there is one), readings of sliding ones that waited for their time.
    std::uint64_t windows_forgotten = 0;
    std::uint64_t gated = 0;  ///< of those evaluated: their first condition was decided together with that of other rules

    RuleCounters& operator+=(const RuleCounters& other) {
        evaluated += other.evaluated;
        rows += other.rows;
        malformed += other.malformed;
        bad_value += other.bad_value;
        late += other.late;
        state_full += other.state_full;
        keys_forgotten += other.keys_forgotten;
        windows_forgotten += other.windows_forgotten;
        gated += other.gated;
        return *this;
    }
};

/// What a rule keeps now.
struct RuleState {
    std::uint64_t keys = 0;       ///< in its largest table
    std::uint64_t bytes = 0;      ///< of its state, with that of all rules in the same tables
    std::uint64_t bytes_max = 0;  ///< their bound
    std::uint64_t rules = 0;      ///< how many these are, with itself; 0: it has no state

    RuleState& operator+=(const RuleState& other) {
        keys += other.keys;
        bytes += other.bytes;
        bytes_max += other.bytes_max;
        rules = std::max(rules, other.rules);
        return *this;
    }
};

struct EngineCounters {
    std::uint64_t readings = 0;   ///< given to process, forwarded ones included
    std::uint64_t matched = 0;    ///< of these: the topic belongs to at least one rule
    std::uint64_t malformed = 0;  ///< of these: payload not valid JSON (one, however many rules)
    std::uint64_t forwarded = 0;  ///< calls of Output::forward
    std::uint64_t keys = 0;       ///< in all tables now
    std::uint64_t state_bytes = 0;
};

/// Where a sliced save stands; a new one starts at the beginning.
struct SaveCursor {
    std::size_t table = 0;
    std::size_t series = 0;
    bool started = false;
};

/// The shard that a reading was given to, and how many there were then.
struct Origin {
    unsigned shard = 0;
    unsigned shards = 1;
};

/// Owned by one shard thread. No allocation per reading once the keys are known.
class Engine {
public:
    struct Options {
        unsigned shard = 0;
        unsigned shards = 1;
        /// Per rule and shard; further keys are not evaluated (state_full), or another is forgotten, as the rule says. So it is with bytes.
        std::size_t keys_max = 100'000;
        std::size_t state_bytes_max = std::size_t{1} << 30;  ///< of this engine; beyond it no new keys (state_full)
        /// Of each rule, on all shards; rules with tables in common put theirs together. The same reaction, of these rules alone.
        std::size_t rule_state_bytes_max = std::size_t{1} << 30;
        std::size_t payload_bytes_max = 1024 * 1024;  ///< larger payloads count as malformed
        unsigned json_depth_max = 32;
        std::uint64_t hash_seed = 0;  ///< a secret of the process: devices choose keys and topics, and could otherwise make them collide
    };

    Engine(std::shared_ptr<const Plan> plan, const Options& options);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Evaluates the rules of the reading's topic: those of `partitions` whose key belongs to this shard. Time windows that end at or
    /// before `reading.at` are closed first. True: some state may have changed.
    bool process(const data::Reading& reading, PartitionMask partitions, Output& out);

    /// Between two readings: new content for tables that the plan knows by these names; others keep what they have. A column that rules
    /// name and that is gone gives NULL. The keys' columns must be those of the plan's tables.
    void use_tables(std::span<const NamedTable> tables);

    /// Closes the time windows whose end has come, in slices of a bounded number of rows: call again while next_deadline() <= now.
    void on_time(base::Monotonic now, base::WallTime wall, Output& out);
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const;
    /// Some rows of windows that have closed are not out yet: state that is saved now would have them a second time.
    [[nodiscard]] bool draining() const;
    /// How many windows have closed whose rows a replay of readings alone would not know to be out: see replay_time().
    [[nodiscard]] std::uint64_t windows_closed() const;

    /// Emits open time windows as they are (not partial count windows), for `rule test`. A gateway never calls it: a clean stop saves.
    void finish(Output& out);

    [[nodiscard]] std::span<const RuleCounters> counters() const;  ///< one a rule
    [[nodiscard]] EngineCounters totals() const;
    [[nodiscard]] RuleState state_of(std::size_t rule) const;

    /// Appends whole records of saved state (docs/formats/rule_state.md), about `budget` bytes of them. False: that was the last.
    /// Readings may be processed between two calls: what is saved is the state at the first call, whose times count. A save that begins
    /// ends the one under way.
    [[nodiscard]] bool save_some(SaveCursor& cursor, std::size_t budget, base::Monotonic now, base::WallTime wall, base::Bytes& out);
    /// Before the first restore(), where there will be several: all that it will be given, and stays in place until the last. Without it
    /// each restore() must be the only one. Rules share a window only where what was saved of them is equal.
    void expect(std::span<const base::ByteView> saved);
    /// Takes over what was saved, by any number of shards, for keys that this shard owns and operators whose SQL is unchanged; the rest is
    /// passed over. Errors: corrupt, version (the records before the bad one are restored); limit (all but keys for which there is no
    /// room). `interrupted`: the run that saved did not end cleanly, so it may have emitted windows since: those whose end has passed are
    /// left out, not emitted a second time.
    /// With the times of the save the engine is as it was then, to the nanosecond.
    base::Status restore(base::ByteView saved, base::Monotonic now, base::WallTime wall, bool interrupted = false);

    /// After restore(): moves the state on by a reading that process() was given after that save, by the engine of `origin`, and puts out
    /// nothing. Times as restore() was given them. Keys of other shards than ours are passed over.
    void replay(const data::Reading& reading, Origin origin);
    /// What was put out by time up to `now`, all of it: windows that had closed by then close and put out nothing.
    void replay_time(base::Monotonic now, base::WallTime wall);
    /// The counters begin anew: what was replayed had been counted when it came.
    void end_replay();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace sluice::rules

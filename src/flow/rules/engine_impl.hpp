// The inside of an Engine: engine.cpp evaluates readings, engine_output.cpp makes rows, engine_windows.cpp and *_windows.cpp windows,
// equal_windows.cpp decides which rules have one window together, window_sharing.cpp where windows lie, shared_output.cpp runs those of
// several rules, shared_state.cpp saves and restores those, engine_state.cpp all.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "codec/json/scanner.hpp"
#include "codec/json/walk.hpp"
#include "flow/rules/engine.hpp"
#include "flow/rules/key_table.hpp"
#include "flow/rules/lookups.hpp"
#include "flow/rules/plan_data.hpp"
#include "flow/rules/rule_gates.hpp"
#include "flow/rules/saved_windows.hpp"
#include "flow/rules/shared_windows.hpp"
#include "flow/rules/state_bytes.hpp"
#include "flow/rules/topic_dispatch.hpp"
#include "flow/rules/window_runs.hpp"
#include "flow/rules/workspace.hpp"

namespace sluice::rules {

/// The bit of the rules without state.
inline constexpr PartitionMask kStateless = 1;

struct Engine::Impl {
    Impl(std::shared_ptr<const Plan> plan, const Options& options);

    // engine.cpp
    bool process(const data::Reading& reading, PartitionMask partitions, Output& out);
    void run_partition(std::uint32_t index, bool origin, const data::Reading& reading, Output& out);
    void run_ops(const PartitionPlan& partition, const data::Reading& reading);
    /// The rules that gates and state let through, in their order.
    void run_rules(RuleGates& gates, const data::Reading& reading, Output& out);
    void run_rule(std::uint32_t index, const data::Reading& reading, Output& out);
    void note_malformed(const MatchSet& set);

    // engine_output.cpp
    void emit_row(std::uint32_t index, base::WallTime made, base::Monotonic at, const data::Reading* reading, Output& out);
    void note_hit(const StateOp& op, base::Monotonic at);
    /// A row for each element of what the rule's unnest() stand for.
    void emit_elements(std::uint32_t index, const data::Reading& reading, Output& out);
    void append_columns(const RulePlan& rule);
    void append_payload_and_columns(const RulePlan& rule, std::string_view payload);

    // Per reading, each key is computed and each table looked up once, when first needed.
    struct KeyMemo {
        std::uint64_t turn = 0;
        std::string_view key;
        base::Bytes scratch;
    };
    struct RowMemo {
        std::uint64_t turn = 0;
        std::byte* row = nullptr;  ///< nullptr: no room
        std::uint32_t series = 0;
    };
    const KeyMemo& key_of(std::uint32_t key);
    const RowMemo& row_of(std::uint32_t table);

    // engine_windows.cpp
    void take(std::uint32_t index, const data::Reading& reading, Output& out);
    void take_counted(std::uint32_t index, const WindowPlan& window, const RowMemo& at, const data::Reading& reading, Output& out);
    void take_hopping(std::uint32_t index, const WindowPlan& window, const RowMemo& at, const data::Reading& reading, Output& out);
    void accumulate(std::uint32_t index, const WindowPlan& window, std::byte* state);
    /// Evaluates the arguments of the accumulators and keeps their values, which are added up later.
    void keep_values(std::uint32_t index, const WindowPlan& window, StoredValue* values);
    void add_kept(const WindowPlan& window, std::byte* state, const StoredValue* values, std::int64_t at);
    void clear(const WindowPlan& window, std::byte* state);
    void release(const WindowPlan& window, std::byte* state);
    /// An empty state of the window, for results that are put together; released by whoever fills it.
    [[nodiscard]] std::byte* blank_state(const WindowPlan& window);
    /// `span` and `reading`: as the form of window has them; nullptr otherwise. Changes nothing that the present reading needs.
    void emit_window(std::uint32_t index, const WindowPlan& window, std::uint32_t series, const std::byte* state, const WindowSpan* span,
                     const data::Reading* reading, Output& out);
    [[nodiscard]] WindowHead& head_of(const WindowPlan& window, std::uint32_t series);
    /// Event time: takes the reading's time into event_ms, and closes what the watermark passes. False: it has none that can be used.
    [[nodiscard]] bool advance(std::uint32_t index, const WindowPlan& window, Output& out);
    void close_due(base::Monotonic now);
    void note_due(base::Monotonic at) { next_due = std::min(next_due, at); }
    void find_next_due();

    struct RestoreMoment {
        base::Monotonic now;
        base::WallTime wall;
        std::int64_t away_ms;  ///< by the wall clock, since the save; 0 where it went back
        bool interrupted;
        bool same_moment;  ///< the times are those of the save
        std::uint16_t version;
        [[nodiscard]] StateClock clock() const { return {now, away_ms * 1'000'000, version >= 3}; }
    };

    // shared_output.cpp: of a window that several rules share
    void accumulate_shared(SharedWindow& shared, std::byte* state);
    void keep_shared_values(SharedWindow& shared, StoredValue* values);
    void emit_shared(SharedWindow& shared, std::uint32_t series, const std::byte* state, const WindowSpan* span,
                     const data::Reading* reading, Output& out);
    /// An accumulator of this rule's window, shared or not, could not take all that another had.
    void note_merge(std::uint32_t index, std::size_t accumulator, Taken taken);
    /// Tells the members what was counted once for all of them.
    void flush_shared();

    // window_sharing.cpp
    /// Rules that have one window together, the first of them leads: before there are any keys.
    void share_windows(const std::vector<std::vector<std::uint32_t>>& shares);
    void bound_states();
    void make_tables();
    void put_bounds_together(const SharedWindow& shared);

    // equal_windows.cpp
    /// Shares by what was saved.
    void expect(std::span<const base::ByteView> saved);
    [[nodiscard]] std::vector<std::vector<std::uint32_t>> groups_here() const;
    [[nodiscard]] std::vector<std::optional<WindowTrace>> trace_windows(std::span<const base::ByteView> saved) const;

    // shared_state.cpp
    /// What the members' own tables would have had of this key.
    void save_for_members(const SharedWindow& shared, std::uint32_t series, base::Bytes& out) const;
    [[nodiscard]] bool restore_shared(SharedWindow& shared, std::uint32_t series, std::string_view key, const RestoreMoment& moment);
    /// Entries of a stream that belong to keys of another table.
    void find_entries_elsewhere(base::ByteView saved);

    // timed_windows.cpp
    void take_timed(std::uint32_t index, const WindowPlan& window, const RowMemo& at, const data::Reading& reading, Output& out);
    [[nodiscard]] TimedRun::Pane& arrival_pane(const WindowPlan& window, TimedRun& run, const data::Reading& reading);
    /// nullptr: all windows that it would belong to have closed.
    [[nodiscard]] TimedRun::Pane* event_pane(std::uint32_t index, const WindowPlan& window, TimedRun& run, Output& out);
    void begin_close(std::uint32_t index);
    /// Puts out up to `rows` of a closing window, which become fewer, and empties panes; true: done.
    bool drain(std::uint32_t index, std::size_t& rows, Output& out);
    void drain_all(std::uint32_t index, Output& out);
    /// Puts out up to `rows` of the windows that have ended by `now` (of event time: by the watermark).
    void close_ended(std::uint32_t index, base::Monotonic now, std::size_t rows, Output& out);
    void emit_closing(std::uint32_t index, const TimedRun::Pane& pane, std::uint32_t series, Output& out);
    [[nodiscard]] bool empty_panes(std::uint32_t index, std::size_t rows);
    void pass_timed(std::uint32_t index, Output& out);

    // session_windows.cpp
    void take_session(std::uint32_t index, const WindowPlan& window, const RowMemo& at, const data::Reading& reading, Output& out);
    void join_sessions(const WindowPlan& window, SessionRun& run, std::uint32_t series, std::uint32_t handle);
    void end_session(std::uint32_t index, std::uint32_t series, std::uint32_t handle, Output& out);
    void end_sessions_of(std::uint32_t index, std::uint32_t series, std::int64_t now, Output& out);
    void look_at_session(SessionRun& run, BlockHead& session, std::int64_t at, std::uint32_t series);
    /// Puts out up to `rows` sessions that have ended by `now`; true: all of them.
    bool end_sessions(std::uint32_t index, std::int64_t now, std::size_t rows, Output& out);

    // sliding_windows.cpp
    void take_sliding(std::uint32_t index, const WindowPlan& window, const RowMemo& at, const data::Reading& reading, Output& out);
    [[nodiscard]] SlidingRun::Buffer* buffer_of(const WindowPlan& window, SlidingRun& run, std::uint32_t series);
    [[nodiscard]] bool make_room(SlidingRun::Buffer& buffer, std::size_t width);
    void drop_oldest(SlidingRun::Buffer& buffer, std::size_t width);
    void emit_sliding(std::uint32_t index, std::uint32_t series, std::int64_t end, const WindowSpan& span, Output& out);
    /// Event time: puts out up to `rows` of the rows that the watermark has reached; true: all of them.
    bool pass_sliding(std::uint32_t index, std::int64_t watermark, std::size_t rows, Output& out);
    void emit_waiting(std::uint32_t index, std::uint32_t series, std::int64_t at, Output& out);

    // forgetting.cpp
    /// The key of this table that was not seen for longest, and all that lies with it. False: it is the present reading's, or keys are
    /// being walked over.
    bool forget_oldest(std::uint32_t table);
    /// What a rule's window keeps of a key goes; the number of rows that do not come for it.
    [[nodiscard]] std::uint64_t forget_window(std::uint32_t rule, std::uint32_t series);
    [[nodiscard]] std::uint64_t forget_panes(std::uint32_t rule, std::uint32_t series);
    void leave_pane(std::uint32_t rule, std::size_t pane, std::uint32_t place);
    [[nodiscard]] std::uint64_t forget_sessions(std::uint32_t rule, std::uint32_t series);
    [[nodiscard]] std::uint64_t forget_buffer(std::uint32_t rule, std::uint32_t series);
    /// What is due of keys that are gone must not add up.
    void tidy_due(std::uint32_t rule);
    struct TableRoom final : RoomMaker {
        TableRoom(Impl& the_engine, std::uint32_t the_table) : engine(the_engine), table(the_table) {}
        bool forget_oldest() override { return engine.forget_oldest(table); }
        Impl& engine;
        std::uint32_t table;
    };
    /// While it lives no key can go.
    class Walk {
    public:
        explicit Walk(Impl& engine) : walking_(engine.walking), before_(std::exchange(engine.walking, true)) {}
        ~Walk() { walking_ = before_; }
        Walk(const Walk&) = delete;
        Walk& operator=(const Walk&) = delete;

    private:
        bool& walking_;
        bool before_;
    };

    // engine_state.cpp
    /// Before a key's state changes: a save under way takes it as it is.
    void keep_for_save(std::uint32_t table, std::uint32_t series) {
        if (save.under_way && series < save.to_do[table].size() && save.to_do[table][series]) [[unlikely]]
            save_early(table, series);
    }
    void save_early(std::uint32_t table, std::uint32_t series);
    void save_windows(base::Monotonic now, base::Bytes& out) const;
    void save_key(std::uint32_t table, std::uint32_t series, base::Bytes& out) const;
    /// Of a table that forgets: when the key was seen.
    void save_seen(std::uint32_t table, std::uint32_t series, base::Bytes& out) const;
    base::Status restore_windows(base::ByteView record, const RestoreMoment& moment);
    base::Status restore_key(base::ByteView record, const RestoreMoment& moment);
    /// How many turns ago the key of a record was seen, where that matters: its table forgets.
    [[nodiscard]] std::optional<std::uint64_t> turns_since_seen(base::ByteView record) const;

    // window_state.cpp
    /// `member`: of a window that is shared, as that rule alone would have saved it; else nullptr.
    void save_window(std::uint32_t rule, const WindowMember* member, std::uint32_t series, base::Monotonic now, base::Bytes& out) const;
    [[nodiscard]] bool restore_window(std::uint32_t rule, std::uint32_t series, base::ByteView in, const RestoreMoment& moment);
    void save_panes(std::uint32_t rule, base::Monotonic now, base::Bytes& out) const;
    [[nodiscard]] bool restore_panes(std::uint32_t rule, StateReader& reader, const RestoreMoment& moment);
    /// The pane of this start, added with its windows where there is none; nullptr: it belongs to none that is open.
    [[nodiscard]] TimedRun::Pane* restored_pane(std::uint32_t rule, std::int64_t start_ms, const RestoreMoment& moment);
    [[nodiscard]] bool restore_blocks(std::uint32_t rule, std::uint32_t series, StateReader& reader, const RestoreMoment& moment);
    [[nodiscard]] bool restore_buffer(std::uint32_t rule, std::uint32_t series, StateReader& reader, const RestoreMoment& moment);
    [[nodiscard]] bool restore_accumulators(const WindowPlan& window, StateReader& reader, std::byte* state);
    [[nodiscard]] bool owns(const PartitionPlan& partition, std::uint32_t index, std::string_view key) const;

    /// From here on the state of this table's rules is at work.
    void charge(std::uint32_t table) { pool.charge(*table_budgets[table]); }
    /// Of a rule that leads its window: that of the window, if it is shared.
    [[nodiscard]] StateBudget& budget_of_window(std::uint32_t rule) {
        return windows[rule].shared != nullptr ? windows[rule].shared->budget : *table_budgets[windows[rule].plan->table];
    }
    void charge_window(std::uint32_t rule) { pool.charge(budget_of_window(rule)); }

    std::shared_ptr<const Plan> plan;
    const PlanData& data;
    Options options;
    TopicDispatch dispatch;
    json::Scanner scanner;
    StateBudget budget;
    std::vector<StateBudget> group_budgets;  ///< of PlanData::groups
    // Of groups that forget: each table makes room in its own part.
    std::vector<std::unique_ptr<StateBudget>> own_budgets;
    std::vector<TableRoom> rooms;
    std::vector<StateBudget*> table_budgets;  ///< of each table: its own, or its group's
    bool walking = false;
    ValuePool pool;
    StateRunner runner;
    std::vector<KeyTable> tables;
    // One a rule, for the rules with that form of window.
    std::vector<std::unique_ptr<TimedRun>> timed;
    std::vector<std::unique_ptr<SessionRun>> sessions;
    std::vector<std::unique_ptr<SlidingRun>> slidings;
    std::vector<std::uint32_t> timed_rules;  ///< rows of theirs can come without a reading
    /// A window of a rule. One that is shared runs as that of its first rule, the leader; the others have no runs of their own.
    struct RuleWindow {
        std::uint32_t leader = 0;          ///< whose window it is: almost always its own
        const WindowPlan* plan = nullptr;  ///< as it lies in the rows; nullptr: none
        SharedWindow* shared = nullptr;    ///< of a leader; nullptr: not shared
        std::unique_ptr<WindowPlan> own;   ///< one that could be shared, and is not
    };
    std::vector<RuleWindow> windows;     ///< of each rule
    std::vector<RuleCounters*> charged;  ///< of each rule its counters; of a leader those that its members will be told of
    std::vector<std::unique_ptr<SharedWindow>> shared_windows;
    std::vector<bool> stands_empty;         ///< of each table: its rule's window is kept in another
    std::vector<std::size_t> row_bytes_of;  ///< of each table, with the windows that lie in it here
    std::vector<std::size_t> group_rules;   ///< how many rules have put their bounds together, by the group that has them
    std::unordered_map<std::uint64_t, std::uint32_t> grouped_windows;  ///< by fingerprint: rules that may share
    std::size_t expected = 0;                                          ///< streams that restore() will still be given
    bool restored = false;
    SavedEntries entries;                               ///< of the stream that is being restored
    base::Monotonic next_due = base::Monotonic::max();  ///< no window closes before
    bool any_draining = false;                          ///< some rows of closed windows are not out yet
    std::uint64_t windows_closed = 0;                   ///< or rows put out that replayed readings alone leave waiting
    /// A save under way: what it has to take yet, and keys that it took before their turn because they were about to change.
    struct Save {
        bool under_way = false;
        base::Monotonic now{};
        std::int64_t turn = 0;
        std::vector<std::vector<bool>> to_do;  ///< by table and series
        base::Bytes early;
    };
    Save save;
    const Origin* replayed = nullptr;                     ///< of the reading that is replayed
    bool silent = false;                                  ///< replay: no rows are made
    bool took = false;                                    ///< the present reading reached state of ours
    std::vector<RuleGates> gates;                         ///< of each partition's rules
    std::vector<std::uint32_t> asked;                     ///< rules of the present reading that a gate let through
    std::vector<unsigned> whole_owners;                   ///< shard of each partition that is a whole stream
    std::vector<std::vector<std::uint32_t>> table_ops;    ///< state operators of each table
    std::vector<std::vector<std::uint32_t>> table_rules;  ///< rules whose window lies in the table, of several that share it the leader
    std::vector<std::vector<std::uint32_t>> table_users;  ///< of tables that forget: the rules with state in them

    std::uint64_t turn = 0;  ///< of readings, for the memos
    Lookups lookups;
    bool json_good = true;
    bool is_object = true;
    std::vector<KeyMemo> keys;
    std::vector<RowMemo> rows;
    std::vector<PartitionMask> forwards;  ///< by shard, during one reading
    bool any_forward = false;
    std::vector<Value> slots;
    std::vector<Value> regs;
    std::vector<Value> aggregates;
    std::vector<Value> components;
    std::vector<Value> columns;
    std::vector<std::uint64_t> blank;  ///< memory of blank_state()
    std::vector<std::uint32_t> parts;  ///< blocks of a row that is put together
    std::int64_t event_ms = 0;         ///< of the present reading, for a rule with event time
    base::Monotonic reading_at{};      ///< of the present reading
    std::vector<Value> elements;
    std::vector<json::Walk> walks;
    base::Bytes json;
    Workspace workspace;
    Workspace row_workspace;  ///< of a window's row: the present reading's texts stay
    Scope scope;

    std::vector<RuleCounters> counters;
    EngineCounters totals;
};

}  // namespace sluice::rules

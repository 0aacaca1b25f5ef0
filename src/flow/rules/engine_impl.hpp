// The inside of an Engine: engine.cpp evaluates readings, engine_windows.cpp windows, engine_state.cpp saves and restores.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "codec/json/scanner.hpp"
#include "flow/rules/engine.hpp"
#include "flow/rules/key_table.hpp"
#include "flow/rules/plan_data.hpp"
#include "flow/rules/topic_dispatch.hpp"

namespace sluice::rules {

/// A rule's time window: one at a time for all its keys, so that no timer per key is needed.
struct TimeWindow {
    struct Span {
        std::uint32_t turn = 0;     ///< number of the window; keys whose state has it belong to it
        std::int64_t start_ms = 0;  ///< by the wall clock when it opened
        std::int64_t end_ms = 0;
        base::Monotonic deadline{};
        std::vector<std::uint32_t> series;  ///< keys that have readings in it, in the order of the first
    };
    bool open = false;
    Span current;
    /// A window whose end has come and whose rows are not all out yet: `emitted` of closing.series are.
    bool draining = false;
    std::size_t emitted = 0;
    Span closing;
    std::uint32_t turns = 0;
};

struct Engine::Impl {
    Impl(std::shared_ptr<const Plan> plan, const Options& options);

    // engine.cpp
    void process(const data::Reading& reading, PartitionMask partitions, Output& out);
    void run_partition(std::uint32_t index, bool origin, const data::Reading& reading, Output& out);
    void run_ops(const PartitionPlan& partition, const data::Reading& reading);
    void run_rule(std::uint32_t index, const data::Reading& reading, Output& out);
    void emit_row(std::uint32_t index, base::WallTime made, base::Monotonic at, const data::Reading* reading, Output& out);
    void note_malformed(const MatchSet& set);

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
    void take(std::uint32_t index, const RulePlan& rule, const data::Reading& reading, Output& out);
    void take_counted(std::uint32_t index, const WindowPlan& window, const RowMemo& at, const data::Reading& reading, Output& out);
    void take_hopping(std::uint32_t index, const WindowPlan& window, const RowMemo& at, const data::Reading& reading, Output& out);
    void take_timed(std::uint32_t index, const WindowPlan& window, const RowMemo& at, const data::Reading& reading, Output& out);
    void accumulate(std::uint32_t index, const WindowPlan& window, std::byte* state);
    void clear(const WindowPlan& window, std::byte* state);
    void emit_window(std::uint32_t index, const WindowPlan& window, std::uint32_t series, const std::byte* state,
                     const TimeWindow::Span* span, const data::Reading* reading, Output& out);
    void begin_close(std::uint32_t index);
    /// Emits up to `rows` of a closing window; true: all out.
    bool drain(std::uint32_t index, std::size_t rows, Output& out);
    void emit_closing(std::uint32_t index, std::uint32_t series, Output& out);
    void close_due(base::Monotonic now, Output& out);

    // engine_state.cpp
    /// Saved turns of time windows, with the ones that they became here.
    struct TurnMap {
        std::uint32_t rule = 0;
        std::uint32_t saved = 0;
        std::uint32_t here = 0;
        bool closing = false;
    };
    void save_windows(base::Monotonic now, base::Bytes& out) const;
    void save_key(std::uint32_t table, std::uint32_t series, base::Bytes& out) const;
    void save_window_state(const WindowPlan& window, const std::byte* row, base::Bytes& out) const;
    struct RestoreMoment {
        base::Monotonic now;
        base::WallTime wall;
        bool interrupted;
    };
    base::Status restore_window(base::ByteView record, const RestoreMoment& moment, std::vector<TurnMap>& turns);
    base::Status restore_key(base::ByteView record, const std::vector<TurnMap>& turns);
    [[nodiscard]] bool restore_window_state(std::uint32_t rule, std::uint32_t series, base::ByteView in, const std::vector<TurnMap>& turns);
    [[nodiscard]] bool owns(const PartitionPlan& partition, std::uint32_t index, std::string_view key) const;

    std::shared_ptr<const Plan> plan;
    const PlanData& data;
    Options options;
    TopicDispatch dispatch;
    json::Scanner scanner;
    StateBudget budget;
    ValuePool pool;
    StateRunner runner;
    std::vector<KeyTable> tables;
    std::vector<TimeWindow> windows;  ///< one a rule; used by rules with a time window
    std::vector<std::uint32_t> timed_rules;
    std::vector<unsigned> whole_owners;                   ///< shard of each partition that is a whole stream
    std::vector<std::vector<std::uint32_t>> table_ops;    ///< state operators of each table
    std::vector<std::vector<std::uint32_t>> table_rules;  ///< rules whose window lies in the table

    std::uint64_t turn = 0;  ///< of readings, for the memos
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
    base::Bytes json;
    TextArena arena;
    Scope scope;

    std::vector<RuleCounters> counters;
    EngineCounters totals;
};

}  // namespace sluice::rules

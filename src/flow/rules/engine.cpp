#include "flow/rules/engine.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "codec/json/writer.hpp"
#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {
namespace {

constexpr PartitionMask kStateless = 1;

}  // namespace

Engine::Impl::Impl(std::shared_ptr<const Plan> the_plan, const Options& the_options)
    : plan(std::move(the_plan)),
      data(plan->data()),
      options(the_options),
      dispatch(data, options.hash_seed),
      scanner({.bytes_max = options.payload_bytes_max, .depth_max = std::min(options.json_depth_max, json::ScanLimits::kDepthMax)}),
      budget({.bytes = 0, .bytes_max = options.state_bytes_max}),
      pool(budget),
      runner(pool, data.limits.window_rows_max),
      windows(data.rules.size()),
      table_ops(data.tables.size()),
      table_rules(data.tables.size()),
      keys(data.keys.size()),
      rows(data.tables.size()),
      forwards(options.shards),
      slots(data.fields.size()),
      regs(data.ops.size()),
      counters(data.rules.size()) {
    base::check(options.shards >= 1 && options.shard < options.shards, "rules: shard index out of range");
    tables.reserve(data.tables.size());
    for (const TablePlan& table : data.tables) tables.emplace_back(table.row_bytes, options.keys_max, options.hash_seed, budget);
    for (const PartitionPlan& partition : data.partitions)
        whole_owners.push_back(base::shard_of(base::hash64(partition.whole), options.shards));
    for (const StateOp& op : data.ops) table_ops[op.table].push_back(op.reg);
    for (std::uint32_t i = 0; i < data.rules.size(); ++i) {
        const RulePlan& rule = data.rules[i];
        columns.resize(std::max(columns.size(), rule.items.size()));
        if (!rule.window) continue;
        aggregates.resize(std::max(aggregates.size(), rule.window->aggregates.size()));
        table_rules[rule.window->table].push_back(i);
        if (!rule.window->by_count) timed_rules.push_back(i);
    }
    for (const KeyPlan& key : data.keys) components.resize(std::max(components.size(), key.nodes.size()));
    scope.program = &data.program;
    scope.slots = slots.data();
    scope.regs = regs.data();
    scope.aggregates = aggregates.data();
    scope.keys = components.data();
    scope.arena = &arena;
}

void Engine::Impl::process(const data::Reading& reading, PartitionMask partitions, Output& out) {
    ++totals.readings;
    if (!timed_rules.empty()) close_due(reading.at, out);
    const MatchSet* set = dispatch.find(reading.topic);
    if (set == nullptr) return;
    ++totals.matched;
    ++turn;
    arena.reset();
    scope.reading = &reading;
    json_good = true;
    if (set->needs_json) {
        const auto top = scanner.scan(reading.payload, set->fields, slots);
        json_good = top.has_value();
        is_object = json_good && *top == json::Top::object;
        if (!json_good) note_malformed(*set);
    }
    const bool origin = (partitions & kStateless) != 0;
    if (origin) {
        for (const std::uint32_t rule : set->stateless) run_rule(rule, reading, out);
    }
    for (const std::uint32_t partition : set->partitions) {
        if ((data.partitions[partition].mask & partitions) != 0) run_partition(partition, origin, reading, out);
    }
    if (!any_forward) return;
    any_forward = false;
    for (std::size_t shard = 0; shard < forwards.size(); ++shard) {
        if (forwards[shard] == 0) continue;
        ++totals.forwarded;
        out.forward(data::ShardIndex(static_cast<std::uint16_t>(shard)), forwards[shard], reading);
        forwards[shard] = 0;
    }
}

void Engine::Impl::note_malformed(const MatchSet& set) {
    ++totals.malformed;
    for (const std::uint32_t rule : set.rules) {
        if (data.rules[rule].needs_json()) ++counters[rule].malformed;
    }
}

const Engine::Impl::KeyMemo& Engine::Impl::key_of(std::uint32_t key) {
    KeyMemo& memo = keys[key];
    if (memo.turn == turn) return memo;
    memo.turn = turn;
    const std::vector<NodeId>& nodes = data.keys[key].nodes;
    for (std::size_t i = 0; i < nodes.size(); ++i) components[i] = evaluate(scope, nodes[i]);
    memo.key = encode_key({components.data(), nodes.size()}, memo.scratch);
    return memo;
}

const Engine::Impl::RowMemo& Engine::Impl::row_of(std::uint32_t table) {
    RowMemo& memo = rows[table];
    if (memo.turn == turn) return memo;
    memo.turn = turn;
    const KeyMemo& key = key_of(data.tables[table].key);
    const auto series = tables[table].add(key.key);
    memo.row = series ? tables[table].row(*series) : nullptr;
    memo.series = series.value_or(0);
    if (memo.row != nullptr) dispatch.touched(memo.row - KeyTable::kHeadBytes);
    return memo;
}

void Engine::Impl::run_partition(std::uint32_t index, bool origin, const data::Reading& reading, Output& out) {
    const PartitionPlan& partition = data.partitions[index];
    if (options.shards > 1) {
        // A key made of fields that could not be read belongs to nobody; the rules that need them have been counted.
        if (!json_good && std::all_of(partition.rules.begin(), partition.rules.end(),
                                      [this](std::uint32_t rule) { return data.rules[rule].needs_json(); }))
            return;
        const unsigned owner =
            partition.whole.empty() ? base::shard_of(base::hash64(key_of(partition.key).key), options.shards) : whole_owners[index];
        if (owner != options.shard) {
            if (origin) {
                forwards[owner] |= partition.mask;
                any_forward = true;
            }
            return;
        }
    }
    run_ops(partition, reading);
    for (const std::uint32_t rule : partition.rules) {
        const std::vector<std::uint32_t>& needed = data.rules[rule].tables;
        const bool full = (json_good || !data.rules[rule].needs_json()) &&
                          std::any_of(needed.begin(), needed.end(), [this](std::uint32_t table) { return row_of(table).row == nullptr; });
        if (full)
            ++counters[rule].state_full;
        else
            run_rule(rule, reading, out);
    }
}

/// State sees everything: before any WHERE, for every reading.
void Engine::Impl::run_ops(const PartitionPlan& partition, const data::Reading& reading) {
    for (const std::uint32_t index : partition.ops) {
        const StateOp& op = data.ops[index];
        regs[index] = Value::null();
        if (!json_good &&
            std::all_of(op.rules.begin(), op.rules.end(), [this](std::uint32_t rule) { return data.rules[rule].needs_json(); }))
            continue;
        const RowMemo& at = row_of(op.table);
        if (at.row == nullptr) continue;
        scope.bad_values = 0;
        const Value x = op.has_argument ? evaluate(scope, op.argument) : Value::null();
        regs[index] = runner.run(op, at.row, x, reading.at, scope);
        if (scope.bad_values == 0) continue;
        // A reading whose value is bad counts once, whatever made it so.
        for (const std::uint32_t rule : op.rules) ++counters[rule].bad_value;
    }
}

void Engine::Impl::run_rule(std::uint32_t index, const data::Reading& reading, Output& out) {
    const RulePlan& rule = data.rules[index];
    RuleCounters& count = counters[index];
    if (!json_good && rule.needs_json()) return;
    if (rule.star && !is_object) {
        ++count.malformed;
        return;
    }
    ++count.evaluated;
    scope.bad_values = 0;
    if (!rule.where || evaluate(scope, *rule.where).is_true()) {
        if (rule.window)
            take(index, rule, reading, out);
        else
            emit_row(index, reading.arrived, reading.at, &reading, out);
    }
    count.bad_value += scope.bad_values;
}

void Engine::Impl::emit_row(std::uint32_t index, base::WallTime made, base::Monotonic at, const data::Reading* reading, Output& out) {
    const RulePlan& rule = data.rules[index];
    for (std::size_t i = 0; i < rule.items.size(); ++i) columns[i] = evaluate(scope, rule.items[i]);
    OutputRow row{.rule = index, .json = {}, .columns = {columns.data(), rule.items.size()}, .made = made, .at = at, .reading = reading};
    if (rule.star) {
        row.json = reading->payload;
    } else {
        json.clear();
        for (std::size_t i = 0; i < rule.items.size(); ++i) {
            base::append(json, rule.prefixes[i]);
            json::append_value(json, columns[i]);
        }
        json.push_back('}');
        row.json = json;
    }
    ++counters[index].rows;
    out.emit(row);
}

Engine::Engine(std::shared_ptr<const Plan> plan, const Options& options) : impl_(std::make_unique<Impl>(std::move(plan), options)) {}
Engine::~Engine() = default;

void Engine::process(const data::Reading& reading, PartitionMask partitions, Output& out) { impl_->process(reading, partitions, out); }

std::span<const RuleCounters> Engine::counters() const { return impl_->counters; }

EngineCounters Engine::totals() const {
    EngineCounters result = impl_->totals;
    for (const KeyTable& table : impl_->tables) result.keys += table.size();
    result.state_bytes = impl_->budget.bytes;
    return result;
}

}  // namespace sluice::rules

#include "flow/rules/engine.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {
namespace {

unsigned owner_of_whole(const PartitionPlan& partition, unsigned shards) { return base::shard_of(base::hash64(partition.whole), shards); }

}  // namespace

Engine::Impl::Impl(std::shared_ptr<const Plan> the_plan, const Options& the_options)
    : plan(std::move(the_plan)),
      data(plan->data()),
      options(the_options),
      dispatch(data, options.hash_seed),
      scanner({.bytes_max = options.payload_bytes_max, .depth_max = std::min(options.json_depth_max, json::ScanLimits::kDepthMax)}),
      budget({.bytes = 0, .bytes_max = options.state_bytes_max}),
      group_budgets(data.groups.size()),
      pool(budget),
      runner(pool, data.limits.window_rows_max),
      timed(data.rules.size()),
      sessions(data.rules.size()),
      slidings(data.rules.size()),
      table_ops(data.tables.size()),
      table_rules(data.tables.size()),
      table_users(data.tables.size()),
      lookups(data, turn),
      keys(data.keys.size()),
      rows(data.tables.size()),
      forwards(options.shards),
      slots(data.fields.size()),
      regs(data.ops.size()),
      counters(data.rules.size()) {
    base::check(options.shards >= 1 && options.shard < options.shards, "rules: shard index out of range");
    for (StateBudget& budget_of : group_budgets) budget_of.whole = &budget;
    rooms.reserve(data.tables.size());
    for (std::uint32_t i = 0; i < data.tables.size(); ++i) {
        const TablePlan& table = data.tables[i];
        table_budgets.push_back(&group_budgets[table.group]);
        if (!table.forgets) continue;
        rooms.emplace_back(*this, i);
        own_budgets.push_back(std::make_unique<StateBudget>(
            StateBudget{.bytes = 0, .bytes_max = 0, .whole = &group_budgets[table.group], .room = &rooms.back()}));
        table_budgets.back() = own_budgets.back().get();
    }
    for (const PartitionPlan& partition : data.partitions) whole_owners.push_back(owner_of_whole(partition, options.shards));
    for (const StateOp& op : data.ops) table_ops[op.table].push_back(op.reg);
    for (const RulePlan& rule : data.rules) {
        columns.resize(std::max(columns.size(), rule.items.size()));
        elements.resize(std::max(elements.size(), rule.unnests.size()));
        if (rule.window) aggregates.resize(std::max(aggregates.size(), rule.window->aggregates.size()));
    }
    for (const KeyPlan& key : data.keys) components.resize(std::max(components.size(), key.nodes.size()));
    entries.here.resize(data.rules.size());
    share_windows(groups_here());
    scope.program = &data.program;
    scope.slots = slots.data();
    scope.regs = regs.data();
    scope.aggregates = aggregates.data();
    scope.keys = components.data();
    scope.elements = elements.data();
    scope.lookups = &lookups;
    workspace.lend(scope);
}

bool Engine::Impl::process(const data::Reading& reading, PartitionMask partitions, Output& out) {
    took = false;
    ++totals.readings;
    reading_at = reading.at;
    if (next_due <= reading.at) close_due(reading.at);
    if (dispatch.is_full()) [[unlikely]]
        dispatch.flush(counters);
    MatchSet* set = dispatch.find(reading.topic);
    if (set == nullptr) return false;
    ++totals.matched;
    ++turn;
    workspace.arena.reset();
    scope.reading = &reading;
    json_good = true;
    if (set->needs_json) {
        const auto top = scanner.scan(reading.payload, set->fields, slots);
        json_good = top.has_value();
        is_object = json_good && *top == json::Top::object;
        if (!json_good) note_malformed(*set);
    }
    const bool origin = (partitions & kStateless) != 0;
    if (origin) run_rules(set->stateless, reading, out);
    for (const std::uint32_t partition : set->partitions) {
        if ((data.partitions[partition].mask & partitions) != 0) run_partition(partition, origin, reading, out);
    }
    if (!any_forward) return took;
    any_forward = false;
    for (std::size_t shard = 0; shard < forwards.size(); ++shard) {
        if (forwards[shard] == 0) continue;
        ++totals.forwarded;
        out.forward(data::ShardIndex(static_cast<std::uint16_t>(shard)), forwards[shard], reading);
        forwards[shard] = 0;
    }
    return took;
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
    memo.row = nullptr;  // whichever key goes for this one
    const auto series = tables[table].add(key.key);
    memo.row = series ? tables[table].row(*series) : nullptr;
    memo.series = series.value_or(0);
    if (memo.row != nullptr) {
        dispatch.touched(memo.row - KeyTable::kHeadBytes);
        keep_for_save(table, memo.series);
        if (tables[table].forgets()) tables[table].see(memo.series, static_cast<std::int64_t>(turn));
    }
    return memo;
}

void Engine::Impl::run_partition(std::uint32_t index, bool origin, const data::Reading& reading, Output& out) {
    const PartitionPlan& partition = data.partitions[index];
    const auto owner_of = [&](unsigned shards) {
        if (!partition.whole.empty()) return shards == options.shards ? whole_owners[index] : owner_of_whole(partition, shards);
        return base::shard_of(base::hash64(key_of(partition.key).key), shards);
    };
    if (options.shards > 1 || (replayed != nullptr && replayed->shards > 1)) {
        // A key made of fields that could not be read belongs to nobody; the rules that need them have been counted.
        if (!json_good && std::all_of(partition.rules.begin(), partition.rules.end(),
                                      [this](std::uint32_t rule) { return data.rules[rule].needs_json(); }))
            return;
        if (replayed != nullptr && owner_of(replayed->shards) != replayed->shard) return;
        const unsigned owner = owner_of(options.shards);
        if (owner != options.shard) {
            if (origin) {
                forwards[owner] |= partition.mask;
                any_forward = true;
            }
            return;
        }
    }
    took = true;
    run_ops(partition, reading);
    run_rules(gates[index], reading, out);
}

void Engine::Impl::run_rules(RuleGates& chosen, const data::Reading& reading, Output& out) {
    if (chosen.empty()) {
        for (const std::uint32_t rule : chosen.others()) run_rule(rule, reading, out);
        return;
    }
    asked.assign(chosen.others().begin(), chosen.others().end());
    const auto has_room = [this](std::uint32_t table) { return row_of(table).row != nullptr; };
    if (json_good && is_object && std::all_of(chosen.tables().begin(), chosen.tables().end(), has_room))
        chosen.choose(scope, asked);
    else
        chosen.all(asked);
    std::sort(asked.begin(), asked.end());
    for (const std::uint32_t rule : asked) run_rule(rule, reading, out);
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
        charge(op.table);
        const Value x = op.has_argument ? evaluate(scope, op.argument) : Value::null();
        regs[index] = runner.run(op, at.row, x, reading.at, scope);
        if (scope.bad_values == 0) continue;
        // A reading whose value is bad counts once, whatever made it so.
        for (const std::uint32_t rule : op.rules) ++counters[rule].bad_value;
    }
}

void Engine::Impl::run_rule(std::uint32_t index, const data::Reading& reading, Output& out) {
    const RulePlan& rule = data.rules[index];
    RuleCounters& count = *charged[index];
    if (!json_good && rule.needs_json()) return;
    if (std::any_of(rule.tables.begin(), rule.tables.end(), [this](std::uint32_t table) { return row_of(table).row == nullptr; })) {
        ++count.state_full;
        return;
    }
    if (rule.star && !is_object) {
        ++count.malformed;
        return;
    }
    ++count.evaluated;
    scope.bad_values = 0;
    if (rule.window && rule.window->event_time && !advance(index, *windows[index].plan, out)) {
        ++count.bad_value;
        return;
    }
    if (!rule.where || evaluate(scope, *rule.where).is_true()) {
        if (rule.window)
            take(index, reading, out);
        else if (!rule.unnests.empty())
            emit_elements(index, reading, out);
        else
            emit_row(index, reading.arrived, reading.at, &reading, out);
    }
    count.bad_value += scope.bad_values;
}

Engine::Engine(std::shared_ptr<const Plan> plan, const Options& options) : impl_(std::make_unique<Impl>(std::move(plan), options)) {}
Engine::~Engine() = default;

bool Engine::process(const data::Reading& reading, PartitionMask partitions, Output& out) {
    return impl_->process(reading, partitions, out);
}

void Engine::use_tables(std::span<const NamedTable> tables) { impl_->lookups.use(tables); }

std::span<const RuleCounters> Engine::counters() const {
    impl_->dispatch.flush(impl_->counters);
    for (RuleGates& gates : impl_->gates) gates.flush(impl_->charged);
    impl_->flush_shared();
    return impl_->counters;
}

EngineCounters Engine::totals() const {
    EngineCounters result = impl_->totals;
    for (const KeyTable& table : impl_->tables) result.keys += table.size();
    result.state_bytes = impl_->budget.bytes;
    return result;
}

RuleState Engine::state_of(std::size_t rule) const {
    const RulePlan& plan = impl_->data.rules[rule];
    if (!plan.group) return {};
    const std::uint32_t holder = *impl_->data.rules[impl_->windows[rule].leader].group;
    const StateGroup& group = impl_->data.groups[holder];
    const StateBudget& budget = impl_->group_budgets[holder];
    RuleState result{.bytes = budget.bytes, .bytes_max = budget.bytes_max, .rules = impl_->group_rules[holder]};
    // Of a whole stream there is one owner, and its bound is the whole of it.
    if (group.whole && impl_->whole_owners[*plan.partition] != impl_->options.shard) result.bytes_max = 0;
    for (const std::uint32_t table : plan.tables) result.keys = std::max<std::uint64_t>(result.keys, impl_->tables[table].size());
    if (plan.window) result.keys = std::max<std::uint64_t>(result.keys, impl_->tables[impl_->windows[rule].plan->table].size());
    return result;
}

}  // namespace sluice::rules

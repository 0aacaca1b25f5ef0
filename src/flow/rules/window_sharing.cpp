// Where windows lie in an engine: those that several rules share in the table of the first of them, the leader. Which rules share:
// equal_windows.cpp.
#include <algorithm>
#include <iterator>

#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {

void Engine::Impl::share_windows(const std::vector<std::vector<std::uint32_t>>& shares) {
    const auto count = static_cast<std::uint32_t>(data.rules.size());
    shared_windows.clear();
    windows.clear();
    windows.resize(count);
    charged.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        windows[i].leader = i;
        charged[i] = &counters[i];
    }
    bound_states();
    stands_empty.assign(data.tables.size(), false);
    for (const std::vector<std::uint32_t>& rules : shares) {
        if (rules.size() < 2) continue;
        SharedWindow& shared = *shared_windows.emplace_back(std::make_unique<SharedWindow>(unite(data, rules)));
        windows[rules[0]].shared = &shared;
        charged[rules[0]] = &shared.common;
        for (const std::uint32_t rule : rules) {
            windows[rule].leader = rules[0];
            windows[rule].plan = &shared.window;
            if (data.rules[rule].window->table != shared.window.table) stands_empty[data.rules[rule].window->table] = true;
        }
        put_bounds_together(shared);
        shared.budget = {.bytes_max = SIZE_MAX, .whole = table_budgets[shared.window.table], .times = shared.members.size()};
    }
    std::vector<WindowPlan*> to_place;
    to_place.reserve(count);
    for (const auto& shared : shared_windows) to_place.push_back(&shared->window);
    for (std::uint32_t i = 0; i < count; ++i) {
        if (windows[i].plan != nullptr || !data.rules[i].window) continue;
        windows[i].plan = &*data.rules[i].window;
        if (!data.rules[i].window_group) continue;
        windows[i].own = std::make_unique<WindowPlan>(*data.rules[i].window);
        windows[i].plan = windows[i].own.get();
        to_place.push_back(windows[i].own.get());
    }
    row_bytes_of.clear();
    for (const TablePlan& table : data.tables) row_bytes_of.push_back(table.row_bytes);
    const auto reserve = [this](std::uint32_t table, std::size_t bytes) {
        const std::size_t at = row_bytes_of[table];
        row_bytes_of[table] += bytes;
        return static_cast<std::uint32_t>(at);
    };
    for (WindowPlan* window : to_place) window->offset = reserve(window->table, row_bytes(*window));
    for (WindowPlan* window : to_place) window->ring = reserve(window->table, ring_bytes(*window));
    make_tables();
}

/// Of the rules of a plan, before any put theirs together for the sake of a window.
void Engine::Impl::bound_states() {
    group_rules.clear();
    for (std::size_t i = 0; i < data.groups.size(); ++i) {
        const StateGroup& group = data.groups[i];
        const std::size_t bytes = group.bytes_max != 0 ? group.bytes_max : options.rule_state_bytes_max * group.rules.size();
        group_budgets[i].bytes_max = group.whole ? bytes : bytes / options.shards;
        group_rules.push_back(group.rules.size());
    }
    for (std::uint32_t i = 0; i < data.tables.size(); ++i) {
        const std::uint32_t group = data.tables[i].group;
        if (table_budgets[i] != &group_budgets[group])
            table_budgets[i]->bytes_max = group_budgets[group].bytes_max / data.groups[group].tables;
    }
}

/// Whole streams have tables of their own: what is kept together may be as large as what each of them could keep.
void Engine::Impl::put_bounds_together(const SharedWindow& shared) {
    const std::uint32_t table = shared.window.table;
    const std::uint32_t group = data.tables[table].group;
    for (const WindowMember& member : shared.members) {
        const std::uint32_t other = member.own->table;
        const std::uint32_t others = data.tables[other].group;
        if (others == group) continue;
        group_budgets[group].bytes_max += std::exchange(group_budgets[others].bytes_max, 0);
        if (table_budgets[table] != &group_budgets[group])
            table_budgets[table]->bytes_max += std::exchange(table_budgets[other]->bytes_max, 0);
        group_rules[group] += std::exchange(group_rules[others], 0);
    }
}

/// Tables and what runs over them, as the windows lie now.
void Engine::Impl::make_tables() {
    tables.clear();
    tables.reserve(data.tables.size());
    std::vector<std::size_t> also(data.tables.size());
    for (const auto& shared : shared_windows) {
        for (const WindowMember& member : shared->members) {
            also[shared->window.table] += row_bytes(*member.own) + ring_bytes(*member.own);
            if (member.own->table != shared->window.table)
                also[shared->window.table] += data.tables[member.own->table].row_bytes + KeyTable::kHeadBytes + KeyTable::kSlotBytes;
        }
        also[shared->window.table] -= row_bytes(shared->window) + ring_bytes(shared->window);
    }
    for (std::size_t i = 0; i < data.tables.size(); ++i) {
        tables.emplace_back(row_bytes_of[i], options.keys_max, options.hash_seed, *table_budgets[i], data.tables[i].forgets, also[i]);
    }
    for (auto& rules : table_rules) rules.clear();
    for (auto& rules : table_users) rules.clear();
    timed_rules.clear();
    for (std::uint32_t i = 0; i < data.rules.size(); ++i) {
        const RulePlan& rule = data.rules[i];
        std::vector<std::uint32_t> its_tables = rule.tables;
        if (windows[i].plan != nullptr && std::ranges::find(its_tables, windows[i].plan->table) == its_tables.end())
            its_tables.push_back(windows[i].plan->table);
        for (const std::uint32_t table : its_tables) {
            if (data.tables[table].forgets) table_users[table].push_back(i);
        }
        timed[i] = nullptr;
        sessions[i] = nullptr;
        slidings[i] = nullptr;
        if (windows[i].plan == nullptr || windows[i].leader != i) continue;
        const WindowPlan& window = *windows[i].plan;
        table_rules[window.table].push_back(i);
        StateBudget& budget_of_blocks = *table_budgets[window.table];
        std::size_t counted = window.state_bytes;
        if (const SharedWindow* shared = windows[i].shared) {
            counted = 0;
            for (const WindowMember& member : shared->members) counted += member.own->state_bytes;
        }
        blank.resize(std::max(blank.size(), window.state_bytes / sizeof(std::uint64_t)));
        if (window.form == WindowForm::timed) timed[i] = std::make_unique<TimedRun>(window.state_bytes, budget_of_blocks, counted);
        if (window.form == WindowForm::session) sessions[i] = std::make_unique<SessionRun>(window.state_bytes, budget_of_blocks, counted);
        if (window.form == WindowForm::sliding) slidings[i] = std::make_unique<SlidingRun>();
        const bool by_time = timed[i] != nullptr || sessions[i] != nullptr || (slidings[i] != nullptr && window.event_time);
        if (by_time && !rule.paused) timed_rules.push_back(i);
    }
    gates.clear();
    std::vector<bool> idle;
    for (const PartitionPlan& partition : data.partitions) {
        std::vector<std::uint32_t> rules;
        std::ranges::copy_if(partition.rules, std::back_inserter(rules),
                             [this](std::uint32_t rule) { return windows[rule].leader == rule; });
        gates.emplace_back(data, rules);
        idle.push_back(!partition.rules.empty() && rules.empty() && partition.ops.empty());
    }
    dispatch.pass_over(idle);
}

}  // namespace sluice::rules

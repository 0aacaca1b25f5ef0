// Which rules have one window together, what was saved of them, and what is saved: docs/decisions/0036.
#include <algorithm>
#include <iterator>
#include <map>

#include "base/check.hpp"
#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {

/// The plan's groups, as far as their rules run on this shard.
std::vector<std::vector<std::uint32_t>> Engine::Impl::groups_here() const {
    std::vector<std::vector<std::uint32_t>> groups;
    for (const WindowGroup& group : data.window_groups) {
        std::vector<std::uint32_t>& here = groups.emplace_back();
        for (const std::uint32_t rule : group.rules) {
            if (!group.whole || whole_owners[*data.rules[rule].partition] == options.shard) here.push_back(rule);
        }
    }
    return groups;
}

void Engine::Impl::share_windows(const std::vector<std::vector<std::uint32_t>>& shares) {
    const auto count = static_cast<std::uint32_t>(data.rules.size());
    shared_windows.clear();
    own_windows.clear();
    own_windows.resize(count);
    leaders.resize(count);
    windows.assign(count, nullptr);
    shared_of.assign(count, nullptr);
    charged.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        leaders[i] = i;
        charged[i] = &counters[i];
    }
    bound_states();
    stands_empty.assign(data.tables.size(), false);
    for (const std::vector<std::uint32_t>& rules : shares) {
        if (rules.size() < 2) continue;
        SharedWindow& shared = *shared_windows.emplace_back(std::make_unique<SharedWindow>(unite(data, rules)));
        shared_of[rules[0]] = &shared;
        charged[rules[0]] = &shared.common;
        for (const std::uint32_t rule : rules) {
            leaders[rule] = rules[0];
            windows[rule] = &shared.window;
            if (data.rules[rule].window->table != shared.window.table) stands_empty[data.rules[rule].window->table] = true;
        }
        put_bounds_together(shared);
        shared.budget = {.bytes_max = SIZE_MAX, .whole = table_budgets[shared.window.table], .times = shared.members.size()};
    }
    std::vector<WindowPlan*> to_place;
    to_place.reserve(count);
    for (const auto& shared : shared_windows) to_place.push_back(&shared->window);
    for (std::uint32_t i = 0; i < count; ++i) {
        if (windows[i] != nullptr || !data.rules[i].window) continue;
        windows[i] = &*data.rules[i].window;
        if (!data.rules[i].window_group) continue;
        own_windows[i] = std::make_unique<WindowPlan>(*data.rules[i].window);
        windows[i] = own_windows[i].get();
        to_place.push_back(own_windows[i].get());
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
        if (windows[i] != nullptr && std::ranges::find(its_tables, windows[i]->table) == its_tables.end())
            its_tables.push_back(windows[i]->table);
        for (const std::uint32_t table : its_tables) {
            if (data.tables[table].forgets) table_users[table].push_back(i);
        }
        timed[i] = nullptr;
        sessions[i] = nullptr;
        slidings[i] = nullptr;
        if (windows[i] == nullptr || leaders[i] != i) continue;
        const WindowPlan& window = *windows[i];
        table_rules[window.table].push_back(i);
        StateBudget& budget_of_blocks = *table_budgets[window.table];
        std::size_t counted = window.state_bytes;
        if (const SharedWindow* shared = shared_of[i]) {
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
        std::ranges::copy_if(partition.rules, std::back_inserter(rules), [this](std::uint32_t rule) { return leaders[rule] == rule; });
        gates.emplace_back(data, rules);
        idle.push_back(!partition.rules.empty() && rules.empty() && partition.ops.empty());
    }
    dispatch.pass_over(idle);
}

/// Only rules with equal state may share it. Two are equal where all but their accumulators is, and each accumulator that both have: then
/// no reading can tell them apart, for accumulators know nothing of each other. What differs, or cannot be read, runs alone.
void Engine::Impl::expect(std::span<const base::ByteView> saved) {
    expected = saved.size();
    if (data.window_groups.empty()) return;
    if (grouped_windows.empty()) {
        for (const WindowGroup& group : data.window_groups) {
            for (const std::uint32_t rule : group.rules) grouped_windows.emplace(data.rules[rule].window->fingerprint, rule);
        }
    }
    std::unordered_map<std::uint64_t, std::uint32_t> table_at;
    for (std::uint32_t i = 0; i < data.tables.size(); ++i) table_at.emplace(data.tables[i].fingerprint, i);
    std::vector<std::uint32_t> whole_rule(data.tables.size(), UINT32_MAX);  // whose window is all that is in the table
    std::vector<std::optional<WindowTrace>> traces(data.rules.size());
    for (const WindowGroup& group : data.window_groups) {
        for (const std::uint32_t rule : group.rules) {
            traces[rule].emplace(*data.rules[rule].window, options.hash_seed);
            if (group.whole) whole_rule[data.rules[rule].window->table] = rule;
        }
    }
    bool readable = true;
    const auto trace_key = [&](StateReader& reader) {
        const auto table = table_at.find(reader.number<std::uint64_t>());
        const std::string_view key = base::as_text(reader.bytes(reader.number<std::uint16_t>()));
        if (!reader.ok() || table == table_at.end()) return;
        const TablePlan& plan_of_it = data.tables[table->second];
        if (!owns(data.partitions[plan_of_it.owner], plan_of_it.owner, key)) return;
        const std::uint32_t alone = whole_rule[table->second];
        if (alone != UINT32_MAX)
            traces[alone]->shape.add(base::as_bytes(key));  // also without a window: in which order keys are known counts
        while (!reader.empty() && reader.ok()) {
            const auto fingerprint = reader.number<std::uint64_t>();
            const base::ByteView entry = reader.bytes(reader.number<std::uint32_t>());
            if (!reader.ok()) return;
            if (alone != UINT32_MAX && fingerprint == seen_entry()) traces[alone]->shape.add(entry);
            const auto rule = grouped_windows.find(fingerprint);
            if (rule == grouped_windows.end()) continue;
            traces[rule->second]->add_entry(*data.rules[rule->second].window, key, entry, data.limits.window_rows_max);
        }
    };
    for (const base::ByteView stream : saved) {
        StateReader reader(stream);
        const base::ByteView head = reader.bytes(kStateMagic.size() + sizeof(std::uint16_t) + sizeof(std::uint64_t));
        while (!reader.empty() && reader.ok()) {
            const auto kind = static_cast<StateRecord>(reader.number<base::Byte>());
            StateReader record(reader.bytes(reader.number<std::uint32_t>()));
            if (kind == StateRecord::key) trace_key(record);
            if (kind == StateRecord::window) {
                const auto rule = grouped_windows.find(record.number<std::uint64_t>());
                if (record.ok() && rule != grouped_windows.end()) traces[rule->second]->shape.add(record.rest());
            }
            readable = readable && record.ok();
        }
        readable = readable && reader.ok();
        // What two streams have of a key must come from the same of them.
        for (auto& trace : traces) {
            if (trace && saved.size() > 1) trace->shape.add(head);
        }
    }
    std::vector<std::vector<std::uint32_t>> shares;
    for (const std::vector<std::uint32_t>& group : groups_here()) {
        struct Together {
            StateDigest shape;
            std::map<std::pair<Accumulator, NodeId>, StateDigest> accumulators;
            std::size_t share;
        };
        std::vector<Together> known;
        for (const std::uint32_t rule : group) {
            const WindowTrace& trace = *traces[rule];
            const std::vector<AccumulatorPlan>& accumulators = data.rules[rule].window->accumulators;
            const auto fits = [&](const Together& other) {
                if (!readable || !trace.readable || !(other.shape == trace.shape)) return false;
                for (std::size_t i = 0; i < accumulators.size(); ++i) {
                    const auto same = other.accumulators.find({accumulators[i].kind, accumulators[i].argument});
                    if (same != other.accumulators.end() && !(same->second == trace.accumulators[i])) return false;
                }
                return true;
            };
            auto found = std::ranges::find_if(known, fits);
            if (found == known.end()) {
                found = known.insert(known.end(), {.shape = trace.shape, .accumulators = {}, .share = shares.size()});
                shares.emplace_back();
            }
            shares[found->share].push_back(rule);
            for (std::size_t i = 0; i < accumulators.size(); ++i)
                found->accumulators.emplace(std::pair(accumulators[i].kind, accumulators[i].argument), trace.accumulators[i]);
        }
    }
    const bool untouched = !restored && std::ranges::all_of(tables, [](const KeyTable& table) { return table.size() == 0; });
    if (untouched) return share_windows(shares);
    // Rows lie where they lie.
    std::vector<std::size_t> share_of(data.rules.size());
    for (std::size_t i = 0; i < shares.size(); ++i) {
        for (const std::uint32_t rule : shares[i]) share_of[rule] = i;
    }
    for (const auto& shared : shared_windows) {
        for (const WindowMember& member : shared->members)
            base::check(share_of[member.rule] == share_of[shared->members[0].rule], "rules: restore() of what was not expected");
    }
}

void Engine::Impl::save_for_members(const SharedWindow& shared, std::uint32_t series, base::Bytes& out) const {
    const std::uint32_t table = shared.window.table;
    for (const WindowMember& member : shared.members) {
        if (member.own->table == table) continue;
        RecordWriter record(out, StateRecord::key);
        const std::string_view key = tables[table].key(series);
        base::append_le(out, data.tables[member.own->table].fingerprint);
        base::append_le(out, static_cast<std::uint16_t>(key.size()));
        base::append(out, key);
        save_seen(table, series, out);
        append_entry(out, member.own->fingerprint, [&] { save_window(shared.members[0].rule, &member, series, save.now, out); });
        record.close();
    }
}

void Engine::Impl::find_entries_elsewhere(base::ByteView saved) {
    std::unordered_map<std::uint64_t, const WindowMember*> wanted;  // by fingerprint of the table
    for (const auto& shared : shared_windows) {
        for (const WindowMember& member : shared->members) {
            if (member.contributes && member.own->table != shared->window.table)
                wanted.emplace(data.tables[member.own->table].fingerprint, &member);
        }
    }
    entries.elsewhere.clear();
    if (wanted.empty()) return;
    StateReader reader(saved);
    (void)reader.bytes(kStateMagic.size() + sizeof(std::uint16_t) + sizeof(std::uint64_t));
    while (!reader.empty() && reader.ok()) {
        const auto kind = static_cast<StateRecord>(reader.number<base::Byte>());
        StateReader record(reader.bytes(reader.number<std::uint32_t>()));
        if (kind != StateRecord::key) continue;
        const auto found = wanted.find(record.number<std::uint64_t>());
        if (found == wanted.end()) continue;
        const std::string_view key = base::as_text(record.bytes(record.number<std::uint16_t>()));
        while (!record.empty() && record.ok()) {
            const auto fingerprint = record.number<std::uint64_t>();
            const base::ByteView entry = record.bytes(record.number<std::uint32_t>());
            if (record.ok() && fingerprint == found->second->own->fingerprint) entries.elsewhere[found->second->rule][key] = entry;
        }
    }
}

/// Puts the entries of the members together to what a rule with the accumulators of all would have saved.
bool Engine::Impl::restore_shared(SharedWindow& shared, std::uint32_t series, std::string_view key, const RestoreMoment& moment) {
    std::vector<SavedWindow> saved;
    std::vector<const WindowMember*> of;
    for (const WindowMember& member : shared.members) {
        if (!member.contributes && !saved.empty()) continue;
        base::ByteView entry = entries.here[member.rule];
        if (member.own->table != shared.window.table) {
            const auto& by_key = entries.elsewhere[member.rule];
            const auto found = by_key.find(key);
            entry = found == by_key.end() ? base::ByteView{} : found->second;
        }
        saved.emplace_back(*member.own, entry, data.limits.window_rows_max);
        of.push_back(&member);
    }
    if (saved[0].is_empty()) return saved[0].ok();
    base::Bytes whole;
    base::append(whole, saved[0].front());
    std::vector<base::ByteView> items(shared.window.accumulators.size());
    while (saved[0].next()) {
        base::append(whole, saved[0].together());
        for (std::size_t i = 0; i < saved.size(); ++i) {
            if (i > 0 && !saved[i].next()) return false;
            for (std::size_t k = 0; k < of[i]->accumulators.size(); ++k) items[of[i]->accumulators[k]] = saved[i].items()[k];
        }
        for (const base::ByteView item : items) base::append(whole, item);
    }
    return saved[0].ok() && restore_window(shared.members[0].rule, series, whole, moment);
}

}  // namespace sluice::rules

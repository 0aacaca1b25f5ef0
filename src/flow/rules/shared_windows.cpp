#include "flow/rules/shared_windows.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "flow/rules/block_pool.hpp"

namespace sluice::rules {
namespace {

std::size_t round_up(std::size_t bytes) { return (bytes + 7) / 8 * 8; }

/// Of whole streams each rule has a table of its own: a slice of a checkpoint has a key of all of them.
constexpr std::size_t kWholeMembersMax = 64;

bool in_blocks(const WindowPlan& window) { return window.form == WindowForm::timed || window.form == WindowForm::session; }

}  // namespace

std::size_t row_bytes(const WindowPlan& window) {
    return round_up(window.form == WindowForm::count ? window.state_bytes : sizeof(WindowHead));
}

std::size_t ring_bytes(const WindowPlan& window) {
    return window.form == WindowForm::hopping_count ? std::size_t{window.length} * window.accumulators.size() * sizeof(StoredValue) : 0;
}

/// The readings that reach the windows must be the same, and so must be what becomes of each of them: equal expressions are one node.
void group_windows(PlanData& data, std::span<const RuleSpec> specs) {
    constexpr std::uint32_t kNone = UINT32_MAX;
    using Place = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, bool>;  // key, topics, partition, what is done when it is full
    using Times = std::tuple<WindowForm, std::uint32_t, std::uint32_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
    using Readings = std::tuple<NodeId, NodeId, bool, std::vector<std::uint32_t>>;  // time, WHERE, needs JSON, tables of its functions
    // What grows must be the same as well: it counts for each member, so each has to have it.
    using Kept = std::vector<std::pair<Accumulator, NodeId>>;
    std::map<std::tuple<Place, Times, Readings, Kept>, std::vector<std::uint32_t>> groups;
    std::set<std::uint64_t> known;
    for (std::uint32_t i = 0; i < data.rules.size(); ++i) {
        const RulePlan& rule = data.rules[i];
        if (!rule.window || specs[i].paused) continue;
        const WindowPlan& window = *rule.window;
        if (!known.insert(window.fingerprint).second) continue;  // two rules of one name cannot be told apart in saved state
        if (window.form == WindowForm::hopping_count && window.accumulators.empty()) continue;  // saves no values to compare
        const TablePlan& table = data.tables[window.table];
        // A whole stream has tables of its own. Without functions in them the window is all that they keep, and may lie elsewhere.
        const bool whole = !data.partitions[table.owner].whole.empty();
        if (whole && (!rule.tables.empty() || specs[i].state_bytes_max != 0)) continue;
        std::vector<std::uint32_t> tables = rule.tables;
        std::ranges::sort(tables);
        Kept kept;
        const bool keeps_readings = window.form == WindowForm::sliding || window.form == WindowForm::hopping_count;
        for (const AccumulatorPlan& accumulator : window.accumulators) {
            if (keeps_readings || accumulator.kind == Accumulator::numbers || accumulator.kind == Accumulator::list)
                kept.emplace_back(accumulator.kind, accumulator.argument);
        }
        std::ranges::sort(kept);
        groups[{{table.key, rule.filter_set, whole ? kNone : window.table, table.forgets},
                {window.form, window.length, window.hop, window.span_ms, window.hop_ms, window.gap_ms, window.lateness_ms},
                {window.event_time.value_or(kNone), rule.where.value_or(kNone), rule.needs_json(), tables},
                kept}]
            .push_back(i);
    }
    for (auto& [what, rules] : groups) {
        const bool whole = !data.partitions[*data.rules[rules[0]].partition].whole.empty();
        const std::size_t most = whole ? kWholeMembersMax : rules.size();
        for (std::size_t at = 0; at + 1 < rules.size(); at += most) {
            const auto from = rules.begin() + static_cast<std::ptrdiff_t>(at);
            std::vector<std::uint32_t> together(from, from + static_cast<std::ptrdiff_t>(std::min(most, rules.size() - at)));
            for (const std::uint32_t rule : together) data.rules[rule].window_group = static_cast<std::uint32_t>(data.window_groups.size());
            data.window_groups.push_back({.rules = std::move(together), .whole = whole});
        }
    }
}

SharedWindow unite(const PlanData& data, std::span<const std::uint32_t> rules) {
    SharedWindow shared;
    shared.window = *data.rules[rules[0]].window;
    shared.window.accumulators.clear();
    shared.window.aggregates.clear();
    std::map<std::pair<Accumulator, NodeId>, std::uint32_t> known;
    std::map<std::tuple<Function, double, std::uint32_t>, std::uint32_t> sorted;
    std::size_t bytes = in_blocks(shared.window) ? sizeof(BlockHead) : sizeof(WindowHead);
    for (const std::uint32_t rule : rules) {
        WindowMember& member = shared.members.emplace_back();
        member.rule = rule;
        member.own = &*data.rules[rule].window;
        for (const AccumulatorPlan& accumulator : member.own->accumulators) {
            const auto [at, fresh] =
                known.try_emplace({accumulator.kind, accumulator.argument}, static_cast<std::uint32_t>(shared.window.accumulators.size()));
            member.accumulators.push_back(at->second);
            if (!fresh) continue;
            member.contributes = true;
            shared.window.accumulators.push_back(accumulator);
            shared.window.accumulators.back().offset = static_cast<std::uint32_t>(bytes);
            bytes += round_up(state_bytes(accumulator.kind));
        }
        std::vector<std::uint32_t>& places = shared.sorted_of.emplace_back();
        for (const AggregatePlan& aggregate : member.own->aggregates) {
            const std::uint32_t accumulator = member.accumulators[aggregate.accumulator];
            places.push_back(SharedWindow::kNotSorted);
            if (shared.window.accumulators[accumulator].kind != Accumulator::numbers) continue;
            const auto [at, fresh] =
                sorted.try_emplace({aggregate.function, aggregate.p, accumulator}, static_cast<std::uint32_t>(shared.sorted.size()));
            if (fresh) shared.sorted.push_back({.function = aggregate.function, .p = aggregate.p, .accumulator = accumulator});
            places.back() = at->second;
        }
    }
    shared.window.state_bytes = bytes;
    shared.by_accumulator.resize(shared.window.accumulators.size());
    return shared;
}

}  // namespace sluice::rules

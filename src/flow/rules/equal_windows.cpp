// Which rules have one window together: those of a group of the plan whose windows nothing can tell apart, as what was saved of them
// shows. docs/decisions/0036.
#include <algorithm>
#include <map>

#include "base/check.hpp"
#include "flow/rules/engine_impl.hpp"

namespace sluice::rules {
namespace {

using Shares = std::vector<std::vector<std::uint32_t>>;

/// Rules of one group that are equal so far: two are where all but their accumulators is, and each accumulator that both have. Then no
/// reading can tell them apart, for accumulators know nothing of each other.
class EqualRules {
public:
    EqualRules(std::uint32_t rule, const WindowPlan& window, const WindowTrace& trace) : shape_(trace.shape) { add(rule, window, trace); }

    [[nodiscard]] bool fits(const WindowPlan& window, const WindowTrace& trace) const {
        if (!(shape_ == trace.shape)) return false;
        for (std::size_t i = 0; i < window.accumulators.size(); ++i) {
            const auto known = accumulators_.find(name_of(window.accumulators[i]));
            if (known != accumulators_.end() && !(known->second == trace.accumulators[i])) return false;
        }
        return true;
    }
    void add(std::uint32_t rule, const WindowPlan& window, const WindowTrace& trace) {
        rules_.push_back(rule);
        for (std::size_t i = 0; i < window.accumulators.size(); ++i)
            accumulators_.emplace(name_of(window.accumulators[i]), trace.accumulators[i]);
    }
    [[nodiscard]] const std::vector<std::uint32_t>& rules() const { return rules_; }

private:
    using Name = std::pair<Accumulator, NodeId>;
    [[nodiscard]] static Name name_of(const AccumulatorPlan& plan) { return {plan.kind, plan.argument}; }

    StateDigest shape_;
    std::map<Name, StateDigest> accumulators_;
    std::vector<std::uint32_t> rules_;
};

}  // namespace

/// The plan's groups, as far as their rules run on this shard.
std::vector<std::vector<std::uint32_t>> Engine::Impl::groups_here() const {
    Shares groups;
    for (const WindowGroup& group : data.window_groups) {
        std::vector<std::uint32_t>& here = groups.emplace_back();
        for (const std::uint32_t rule : group.rules) {
            if (!group.whole || whole_owners[*data.rules[rule].partition] == options.shard) here.push_back(rule);
        }
    }
    return groups;
}

/// What was saved of the rules that may share. Nothing where it cannot be read: then nobody is equal.
std::vector<std::optional<WindowTrace>> Engine::Impl::trace_windows(std::span<const base::ByteView> saved) const {
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
            if (const auto rule = grouped_windows.find(fingerprint); rule != grouped_windows.end())
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
    if (!readable) std::ranges::fill(traces, std::nullopt);
    return traces;
}

/// By what was saved; what differs, or cannot be read, runs alone.
void Engine::Impl::expect(std::span<const base::ByteView> saved) {
    expected = saved.size();
    if (data.window_groups.empty()) return;
    if (grouped_windows.empty()) {
        for (const WindowGroup& group : data.window_groups) {
            for (const std::uint32_t rule : group.rules) grouped_windows.emplace(data.rules[rule].window->fingerprint, rule);
        }
    }
    const std::vector<std::optional<WindowTrace>> traces = trace_windows(saved);
    Shares shares;
    for (const std::vector<std::uint32_t>& group : groups_here()) {
        std::vector<EqualRules> known;
        for (const std::uint32_t rule : group) {
            if (!traces[rule] || !traces[rule]->readable) {
                shares.push_back({rule});
                continue;
            }
            const WindowPlan& window = *data.rules[rule].window;
            const auto found = std::ranges::find_if(known, [&](const EqualRules& other) { return other.fits(window, *traces[rule]); });
            if (found == known.end())
                known.emplace_back(rule, window, *traces[rule]);
            else
                found->add(rule, window, *traces[rule]);
        }
        for (const EqualRules& equal : known) shares.push_back(equal.rules());
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

}  // namespace sluice::rules

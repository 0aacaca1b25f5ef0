#include "flow/rules/plan.hpp"

#include <algorithm>
#include <numeric>

#include "codec/json/scanner.hpp"
#include "flow/rules/parser.hpp"
#include "flow/rules/plan_data.hpp"
#include "flow/rules/rule_compiler.hpp"
#include "flow/rules/shared_windows.hpp"

namespace sluice::rules {
namespace {

/// Behind the small, hot states of a row come the long rings of values. Windows that rules may share are placed by the engine.
void place_states(PlanData& data) {
    const auto reserve = [&data](std::uint32_t table, std::size_t bytes) {
        const std::size_t at = data.tables[table].row_bytes;
        data.tables[table].row_bytes += (bytes + 7) / 8 * 8;
        return static_cast<std::uint32_t>(at);
    };
    const auto each_window = [&data](auto place) {
        for (RulePlan& rule : data.rules) {
            if (rule.window && !rule.window_group) place(*rule.window);
        }
    };
    each_window([&](WindowPlan& window) { window.offset = reserve(window.table, row_bytes(window)); });
    for (StateOp& op : data.ops) op.ring = reserve(op.table, ring_bytes(op));
    each_window([&](WindowPlan& window) { window.ring = reserve(window.table, ring_bytes(window)); });
}

/// Tables of one rule belong together, and so do rules with a table in common.
void group_states(PlanData& data, std::span<const RuleSpec> specs) {
    std::vector<std::uint32_t> first(data.tables.size());  // union-find: a table of the same group, at last the first of them
    std::iota(first.begin(), first.end(), 0U);
    const auto root = [&first](std::uint32_t table) {
        while (first[table] != table) table = first[table] = first[first[table]];
        return table;
    };
    const auto tables_of = [](const RulePlan& rule) {
        std::vector<std::uint32_t> tables = rule.tables;
        if (rule.window) tables.push_back(rule.window->table);
        return tables;
    };
    for (const RulePlan& rule : data.rules) {
        const auto tables = tables_of(rule);
        for (const std::uint32_t table : tables) first[std::max(root(table), root(tables[0]))] = std::min(root(table), root(tables[0]));
    }
    std::vector<std::uint32_t> groups(data.tables.size());
    for (std::uint32_t table = 0; table < data.tables.size(); ++table) {
        if (root(table) == table) {
            groups[table] = static_cast<std::uint32_t>(data.groups.size());
            data.groups.push_back(
                {.rules = {}, .whole = !data.partitions[data.tables[table].owner].whole.empty(), .forgets = data.tables[table].forgets});
        }
        data.tables[table].group = groups[root(table)];
        ++data.groups[groups[root(table)]].tables;
    }
    for (std::uint32_t i = 0; i < data.rules.size(); ++i) {
        const auto tables = tables_of(data.rules[i]);
        if (tables.empty()) continue;
        StateGroup& group = data.groups[data.tables[tables[0]].group];
        data.rules[i].group = data.tables[tables[0]].group;
        group.rules.push_back(i);
        group.bytes_max = specs[i].state_bytes_max;  // of several it is 0: who has one is alone
    }
}

/// What only paused rules need is not done: they stay in the plan for the sake of their state.
void rest(PlanData& data, std::span<const RuleSpec> specs) {
    if (std::none_of(specs.begin(), specs.end(), [](const RuleSpec& spec) { return spec.paused; })) return;
    for (std::size_t i = 0; i < specs.size(); ++i) data.rules[i].paused = specs[i].paused;
    const auto is_paused = [&data](std::uint32_t rule) { return data.rules[rule].paused; };
    for (StateOp& op : data.ops) std::erase_if(op.rules, is_paused);
    for (PartitionPlan& partition : data.partitions) {
        std::erase_if(partition.rules, is_paused);
        std::erase_if(partition.ops, [&data](std::uint32_t op) { return data.ops[op].rules.empty(); });
    }
}

}  // namespace

Plan::Plan(std::unique_ptr<const PlanData> data) : data_(std::move(data)) {}
Plan::~Plan() = default;

std::span<const RuleInfo> Plan::rules() const { return data_->infos; }

Compiled compile(std::span<const RuleSpec> specs, const Limits& limits, const Catalog& catalog) {
    Compiled result;
    auto data = std::make_unique<PlanData>();
    data->limits = limits;
    data->program.machine_classes = catalog.machine_classes;
    for (const NamedTable& table : catalog.tables) data->references.push_back({.table = table, .columns = {}});
    PlanBuilder builder(*data);
    bool good = true;
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const RuleSpec& spec = specs[i];
        Problems problems(spec.sql);
        RuleInfo info{.id = spec.id, .columns = {}, .filters = {}};
        if (i >= limits.rules_max) {
            problems.error(0, "more than " + std::to_string(limits.rules_max) + " rules");
        } else if (spec.sql.size() > limits.sql_bytes_max) {
            problems.error(0, "longer than " + std::to_string(limits.sql_bytes_max) + " bytes");
        } else if (!json::is_utf8(spec.sql)) {
            problems.error(0, "not valid UTF-8");
        } else {
            const Query query = parse(spec.sql, limits, problems);
            // Also after mistakes of grammar: the parts that could be read may have others, which are reported as well.
            if (!query.from.empty() && (query.star || !query.items.empty())) RuleCompiler(builder, spec, query, problems).run(info);
        }
        good = good && !problems.fatal();
        result.problems.push_back(problems.take());
        result.rules.push_back(std::move(info));
    }
    if (!good) return result;
    group_windows(*data, specs);
    place_states(*data);
    group_states(*data, specs);
    rest(*data, specs);
    data->infos = result.rules;
    result.plan = std::make_shared<const Plan>(std::move(data));
    return result;
}

}  // namespace sluice::rules

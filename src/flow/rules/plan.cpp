#include "flow/rules/plan.hpp"

#include <algorithm>

#include "codec/json/scanner.hpp"
#include "flow/rules/parser.hpp"
#include "flow/rules/plan_data.hpp"
#include "flow/rules/rule_compiler.hpp"

namespace sluice::rules {
namespace {

/// Behind the small, hot states of a row come the long rings of values.
void place_rings(PlanData& data) {
    const auto reserve = [&data](std::uint32_t table, std::size_t bytes) {
        const std::size_t at = data.tables[table].row_bytes;
        data.tables[table].row_bytes += (bytes + 7) / 8 * 8;
        return static_cast<std::uint32_t>(at);
    };
    for (StateOp& op : data.ops) op.ring = reserve(op.table, ring_bytes(op));
    for (RulePlan& rule : data.rules) {
        if (!rule.window || !rule.window->by_count || rule.window->hop == rule.window->length) continue;
        WindowPlan& window = *rule.window;
        window.ring = reserve(window.table, std::size_t{window.length} * window.accumulators.size() * sizeof(StoredValue));
    }
}

}  // namespace

Plan::Plan(std::unique_ptr<const PlanData> data) : data_(std::move(data)) {}
Plan::~Plan() = default;

std::span<const RuleInfo> Plan::rules() const { return data_->infos; }

Compiled compile(std::span<const RuleSpec> specs, const Limits& limits) {
    Compiled result;
    auto data = std::make_unique<PlanData>();
    data->limits = limits;
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
    place_rings(*data);
    data->infos = result.rules;
    result.plan = std::make_shared<const Plan>(std::move(data));
    return result;
}

}  // namespace sluice::rules

#include "flow/rules/explain.hpp"

#include <algorithm>
#include <cctype>

#include "codec/json/writer.hpp"
#include "flow/rules/key_table.hpp"
#include "flow/rules/pattern.hpp"
#include "flow/rules/rule_gates.hpp"
#include "flow/rules/shared_windows.hpp"

namespace sluice::rules {
namespace {

std::string name_text(const std::string& name) {
    const bool plain = !name.empty() && (std::isdigit(static_cast<unsigned char>(name[0])) == 0) &&
                       std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
    return plain ? name : '"' + name + '"';
}

std::string field_text(const json::Path& path) {
    std::string text;
    for (const json::PathStep& step : path) {
        if (const auto* key = std::get_if<std::string>(&step))
            text += (text.empty() ? "" : ".") + name_text(*key);
        else
            text += "[" + std::to_string(std::get<std::uint32_t>(step)) + "]";
    }
    return text;
}

/// Prints the nodes of a plan as SQL.
class Printer {
public:
    Printer(const PlanData& data, const RulePlan* rule) : data_(data), rule_(rule) {}

    [[nodiscard]] std::string text(NodeId id) const {
        const Node& node = data_.program.nodes[id];
        const NodeId* list = data_.program.arguments.data() + node.a;
        const std::string negated = node.negated ? " NOT" : "";
        switch (node.op) {
            case Op::constant:
                return constant(data_.program.constants[node.a]);
            case Op::slot:
            case Op::slot_or:
                return field_text(data_.fields[node.a]);
            case Op::reg:
                return data_.ops[node.a].text;
            case Op::aggregate:
                return rule_ != nullptr && rule_->window ? rule_->window->aggregates[node.a].text : "aggregate";
            case Op::key:
                return rule_ != nullptr && rule_->window ? text(data_.keys[data_.tables[rule_->window->table].key].nodes[node.a]) : "key";
            case Op::negate:
                return "-" + inner(node.a);
            case Op::not_:
                return "NOT " + inner(node.a);
            case Op::is_null:
                return inner(node.a) + " IS" + negated + " NULL";
            case Op::between:
                return inner(list[0]) + negated + " BETWEEN " + inner(list[1]) + " AND " + inner(list[2]);
            case Op::in:
                return inner(list[0]) + negated + " IN (" + join(list + 1, node.b - 1) + ")";
            case Op::like:
                return inner(list[0]) + negated + " LIKE " + inner(list[1]) + (node.b > 2 ? " ESCAPE " + inner(list[2]) : "");
            case Op::case_search:
            case Op::case_simple:
                return "CASE(" + join(list, node.b) + ")";
            case Op::cast_number:
                return "CAST(" + text(node.a) + " AS double)";
            case Op::cast_integer:
                return "CAST(" + text(node.a) + " AS integer)";
            case Op::cast_text:
                return "CAST(" + text(node.a) + " AS text)";
            case Op::cast_boolean:
                return "CAST(" + text(node.a) + " AS boolean)";
            case Op::cast_array:
                return "CAST(" + text(node.a) + " AS array)";
            case Op::cast_record:
                return "CAST(" + text(node.a) + " AS record)";
            case Op::pattern:
                return constant(Value::text(data_.program.patterns[node.a]->text()));
            case Op::joined: {
                const ReferencePlan& of = reference(node.a);
                return name_text(of.table.name) + "." + name_text(of.columns[node.b]);
            }
            case Op::matched:
                return "there is a row of " + name_text(reference(node.a).table.name);
            case Op::element:
                return "unnest(" + text(rule_->unnests[node.a]) + ")";
            case Op::function:
                return std::string(info(node.function).name) + "(" + join(list, node.b) + ")";
            default:
                return inner(node.a) + " " + std::string(symbol(node.op)) + " " + inner(node.b);
        }
    }

    [[nodiscard]] std::string text(const JoinPlan& join) const {
        const ReferencePlan& of = reference(join.lookup);
        const ReferenceTable& table = *of.table.table;
        std::string result = name_text(of.table.name) + " (" + std::to_string(table.rows()) + " rows) by ";
        const std::vector<NodeId>& key = data_.lookups[join.lookup].key;
        for (std::size_t i = 0; i < key.size(); ++i)
            result += (i == 0 ? "" : ", ") + name_text(table.columns()[table.key()[i]]) + " = " + text(key[i]);
        return result + (join.left ? "; without a row: NULLs" : "; without a row: held back");
    }

private:
    [[nodiscard]] const ReferencePlan& reference(std::uint32_t lookup) const { return data_.references[data_.lookups[lookup].reference]; }

    static std::string_view symbol(Op op) {
        switch (op) {
            case Op::add:
                return "+";
            case Op::sub:
                return "-";
            case Op::mul:
                return "*";
            case Op::div:
                return "/";
            case Op::mod:
                return "%";
            case Op::concat:
                return "||";
            case Op::eq:
                return "=";
            case Op::ne:
                return "<>";
            case Op::lt:
                return "<";
            case Op::le:
                return "<=";
            case Op::gt:
                return ">";
            case Op::ge:
                return ">=";
            case Op::and_:
                return "AND";
            case Op::or_:
                return "OR";
            case Op::distinct:
                return "IS DISTINCT FROM";
            case Op::not_distinct:
                return "IS NOT DISTINCT FROM";
            default:
                return "?";
        }
    }

    static std::string constant(const Value& value) {
        if (value.is_null()) return "NULL";
        if (!value.is_text()) {
            base::Bytes bytes;
            json::append_value(bytes, value);
            return std::string(base::as_text(bytes));
        }
        std::string text = "'";
        for (const char c : value.as_view()) text += c == '\'' ? "''" : std::string(1, c);
        return text + "'";
    }

    /// In parentheses where it is an operator itself: how tight it binds need not be known.
    [[nodiscard]] std::string inner(NodeId id) const {
        const Op op = data_.program.nodes[id].op;
        const bool whole = op <= Op::key || op == Op::pattern || op == Op::element || (op >= Op::cast_number && op <= Op::function) ||
                           op == Op::cast_array || op == Op::cast_record || op == Op::joined;
        return whole ? text(id) : "(" + text(id) + ")";
    }

    [[nodiscard]] std::string join(const NodeId* list, std::size_t count) const {
        std::string text_of_all;
        for (std::size_t i = 0; i < count; ++i) text_of_all += (i == 0 ? "" : ", ") + text(list[i]);
        return text_of_all;
    }

    const PlanData& data_;
    const RulePlan* rule_;
};

std::string key_text(const PlanData& data, std::uint32_t table) {
    std::string text;
    const Printer printer(data, nullptr);
    for (const NodeId node : data.keys[data.tables[table].key].nodes) text += (text.empty() ? "" : ", ") + printer.text(node);
    return text;
}

std::string milliseconds_text(std::int64_t ms) { return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms"; }

std::string window_text(const WindowPlan& window) {
    std::string text;
    switch (window.form) {
        case WindowForm::count:
            return "window of " + std::to_string(window.length) + " readings";
        case WindowForm::hopping_count:
            return "window of " + std::to_string(window.length) + " readings, each " + std::to_string(window.hop);
        case WindowForm::timed:
            text = "window of " + milliseconds_text(window.span_ms);
            if (window.hop_ms != window.span_ms)
                text += ", each " + milliseconds_text(window.hop_ms) + ", panes of " + milliseconds_text(window.pane_ms);
            break;
        case WindowForm::sliding:
            text = "sliding window of " + milliseconds_text(window.span_ms);
            break;
        case WindowForm::session:
            text = "session of at most " + milliseconds_text(window.span_ms) + ", gap " + milliseconds_text(window.gap_ms);
            break;
    }
    return text + (window.event_time ? ", event time, lateness " + milliseconds_text(window.lateness_ms) : "");
}

std::size_t window_bytes(const WindowPlan& window) {
    if (window.form == WindowForm::count) return window.state_bytes;
    if (window.form == WindowForm::hopping_count)
        return sizeof(WindowHead) + std::size_t{window.length} * window.accumulators.size() * sizeof(StoredValue);
    return sizeof(WindowHead) + window.state_bytes;  // of one pane, session or value
}

std::vector<std::string> others(const PlanData& data, const std::vector<std::uint32_t>& rules, std::uint32_t self) {
    std::vector<std::string> ids;
    for (const std::uint32_t rule : rules) {
        if (rule != self) ids.push_back(data.infos[rule].id);
    }
    return ids;
}

}  // namespace

std::vector<ExplainedRule> explain(const Plan& plan) {
    const PlanData& data = plan.data();
    std::vector<ExplainedRule> all(data.rules.size());
    std::vector<std::optional<WindowPlan>> united;  // of window groups
    std::vector<std::vector<std::uint32_t>> by_filters(data.filter_sets.size());
    for (std::uint32_t i = 0; i < data.rules.size(); ++i) by_filters[data.rules[i].filter_set].push_back(i);
    std::vector<bool> table_seen(data.tables.size());
    for (std::uint32_t i = 0; i < data.rules.size(); ++i) {
        const RulePlan& rule = data.rules[i];
        ExplainedRule& row = all[i];
        const Printer printer(data, &rule);
        row.id = data.infos[i].id;
        row.filters = data.infos[i].filters;
        for (const std::uint32_t slot : rule.slots) row.fields.push_back(field_text(data.fields[slot]));
        for (const JoinPlan& join : rule.joins) row.joins.push_back(printer.text(join));
        row.scan_with = others(data, by_filters[rule.filter_set], i);
        row.place = !rule.partition ? "any shard" : data.partitions[*rule.partition].whole.empty() ? "by key" : "one shard";
        if (rule.where) row.where = printer.text(*rule.where);
        if (rule.having) row.having = printer.text(*rule.having);
        const auto add_table = [&](std::uint32_t table) {
            if (table_seen[table]) return;
            table_seen[table] = true;
            row.bytes_a_key += KeyTable::kHeadBytes + KeyTable::kSlotBytes + (data.tables[table].forgets ? sizeof(KeyOrder) : 0);
        };
        for (const StateOp& op : data.ops) {
            if (std::find(op.rules.begin(), op.rules.end(), i) == op.rules.end()) continue;
            row.states.push_back({.what = op.text,
                                  .key = key_text(data, op.table),
                                  .bytes_a_key = op.source ? 0 : state_bytes(op) + ring_bytes(op),
                                  .shared_with = others(data, op.rules, i)});
            if (op.rules.front() == i) row.bytes_a_key += row.states.back().bytes_a_key;
            add_table(op.table);
        }
        if (rule.window) {
            const WindowGroup* group = rule.window_group ? &data.window_groups[*rule.window_group] : nullptr;
            if (group != nullptr && united.size() <= *rule.window_group) united.resize(*rule.window_group + 1);
            if (group != nullptr && !united[*rule.window_group]) united[*rule.window_group] = unite(data, group->rules).window;
            const WindowPlan& window = group == nullptr ? *rule.window : *united[*rule.window_group];
            row.states.push_back({.what = window_text(window),
                                  .key = key_text(data, window.table),
                                  .bytes_a_key = window_bytes(window),
                                  .shared_with = group == nullptr ? std::vector<std::string>{} : others(data, group->rules, i),
                                  .accumulators = window.accumulators.size()});
            if (group == nullptr || group->rules[0] == i) row.bytes_a_key += row.states.back().bytes_a_key;
            add_table(window.table);
        }
        if (rule.group) {
            row.state_bytes_max = data.groups[*rule.group].bytes_max;
            row.forgets = data.groups[*rule.group].forgets;
            row.bounded_with = others(data, data.groups[*rule.group].rules, i);
            // Whole streams have tables of their own, and put their bounds together for a window.
            if (rule.window_group && data.window_groups[*rule.window_group].whole)
                row.bounded_with = others(data, data.window_groups[*rule.window_group].rules, i);
        }
        for (std::size_t k = 0; k < rule.prefixes.size(); ++k) {
            const std::string name = name_text(data.infos[i].columns[k]);
            const std::string expression = printer.text(rule.items[k]);
            row.columns.push_back(name);
            if (name != expression) row.columns.back().append(" = ").append(expression);
        }
    }
    // Gates stand before the rules of a partition, or before those without state of the same filters.
    const auto find_gates = [&](const std::vector<std::uint32_t>& rules) {
        for (const std::vector<std::uint32_t>& gate : RuleGates(data, rules).groups()) {
            for (const std::uint32_t rule : gate) all[rule].found_with = gate.size();
        }
    };
    const auto leader = [&](std::uint32_t rule) {
        return data.rules[rule].window_group ? data.window_groups[*data.rules[rule].window_group].rules[0] : rule;
    };
    for (const PartitionPlan& partition : data.partitions) {
        std::vector<std::uint32_t> asked;
        std::copy_if(partition.rules.begin(), partition.rules.end(), std::back_inserter(asked),
                     [&](std::uint32_t rule) { return leader(rule) == rule; });
        find_gates(asked);
        for (const std::uint32_t rule : partition.rules) all[rule].found_with = all[leader(rule)].found_with;
    }
    for (const auto& rules : by_filters) {
        std::vector<std::uint32_t> stateless;
        std::copy_if(rules.begin(), rules.end(), std::back_inserter(stateless),
                     [&](std::uint32_t rule) { return !data.rules[rule].partition; });
        find_gates(stateless);
    }
    return all;
}

}  // namespace sluice::rules

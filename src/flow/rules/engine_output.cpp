// Output rows: the columns of a rule as one JSON object.
#include <algorithm>

#include "codec/json/writer.hpp"
#include "flow/rules/engine_impl.hpp"
#include "flow/rules/json_values.hpp"
#include "flow/rules/state_methods.hpp"

namespace sluice::rules {

void Engine::Impl::append_columns(const RulePlan& rule) {
    json.push_back('{');
    for (std::size_t i = 0; i < rule.prefixes.size(); ++i) {
        if (i > 0) json.push_back(',');
        base::append(json, rule.prefixes[i]);
        json::append_value(json, columns[i]);
    }
    json.push_back('}');
}

/// The payload's fields as they are written, without those that a column replaces, and the columns behind them.
void Engine::Impl::append_payload_and_columns(const RulePlan& rule, std::string_view payload) {
    json.push_back('{');
    const auto begin_member = [this] {
        if (json.size() > 1) json.push_back(',');
    };
    const std::size_t front = payload.find('{');  // blanks may stand before it
    for (json::Walk walk(payload.substr(front)); walk.next();) {
        const std::string_view key = key_text(scope, walk.key());
        if (std::find(rule.replaced.begin(), rule.replaced.end(), key) != rule.replaced.end()) continue;
        begin_member();
        json.push_back('"');
        base::append(json, walk.key());
        base::append(json, "\":");
        base::append(json, walk.item());
    }
    for (std::size_t i = 0; i < rule.prefixes.size(); ++i) {
        begin_member();
        base::append(json, rule.prefixes[i]);
        json::append_value(json, columns[i]);
    }
    json.push_back('}');
}

void Engine::Impl::emit_row(std::uint32_t index, base::WallTime made, base::Monotonic at, const data::Reading* reading, Output& out) {
    if (silent) return;
    const RulePlan& rule = data.rules[index];
    for (std::size_t i = 0; i < rule.items.size(); ++i) columns[i] = evaluate(scope, rule.items[i]);
    OutputRow row{.rule = index, .json = {}, .columns = {columns.data(), rule.items.size()}, .made = made, .at = at, .reading = reading};
    if (rule.star && rule.prefixes.empty()) {
        row.json = reading->payload;
    } else {
        json.clear();
        if (rule.star)
            append_payload_and_columns(rule, base::as_text(reading->payload));
        else
            append_columns(rule);
        row.json = json;
    }
    ++counters[index].rows;
    out.emit(row);
    for (const std::uint32_t op : rule.hits) note_hit(data.ops[op], at);
}

void Engine::Impl::note_hit(const StateOp& op, base::Monotonic at) { op.methods->hit(op, row_of(op.table).row, at, scope); }

void Engine::Impl::emit_elements(std::uint32_t index, const data::Reading& reading, Output& out) {
    if (silent) return;
    const RulePlan& rule = data.rules[index];
    walks.clear();
    std::int64_t rows_wanted = 0;
    for (const NodeId node : rule.unnests) {
        const Value array = evaluate(scope, node);
        const bool is_array = array.kind() == json::Kind::raw && json::is_array(array.as_view());
        const std::int64_t count = is_array ? item_count(array.as_view()) : 0;
        const bool taken = is_array && count <= static_cast<std::int64_t>(data.limits.unnest_rows_max);
        if (!taken && !array.is_null()) ++scope.bad_values;
        walks.emplace_back(taken ? array.as_view() : std::string_view("[]"));
        rows_wanted = std::max(rows_wanted, taken ? count : 0);
    }
    for (std::int64_t i = 0; i < rows_wanted; ++i) {
        for (std::size_t k = 0; k < walks.size(); ++k) elements[k] = walks[k].next() ? item_value(scope, walks[k].item()) : Value::null();
        emit_row(index, reading.arrived, reading.at, &reading, out);
    }
}

}  // namespace sluice::rules

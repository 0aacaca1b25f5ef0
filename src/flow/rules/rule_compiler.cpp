#include "flow/rules/rule_compiler.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

#include "base/hash.hpp"
#include "codec/json/writer.hpp"
#include "data/topic.hpp"
#include "flow/rules/block_pool.hpp"
#include "flow/rules/key_table.hpp"

namespace sluice::rules {
namespace {

/// A count window that keeps no values may be this long.
constexpr std::int64_t kCountMax = 1'000'000'000;
/// A year, about: longer time windows would outlive most gateways' uptime and every use we know.
constexpr std::int64_t kSpanMax = std::int64_t{366} * 24 * 3600 * 1000;

struct Unit {
    std::string_view name;
    std::int64_t milliseconds;
};
constexpr std::array kUnits{
    Unit{"ms", 1},           Unit{"millisecond", 1}, Unit{"milliseconds", 1}, Unit{"ss", 1000},         Unit{"s", 1000},
    Unit{"second", 1000},    Unit{"seconds", 1000},  Unit{"mi", 60'000},      Unit{"m", 60'000},        Unit{"minute", 60'000},
    Unit{"minutes", 60'000}, Unit{"hh", 3'600'000},  Unit{"h", 3'600'000},    Unit{"hour", 3'600'000},  Unit{"hours", 3'600'000},
    Unit{"dd", 86'400'000},  Unit{"d", 86'400'000},  Unit{"day", 86'400'000}, Unit{"days", 86'400'000},
};
/// How many windows may be open at once, and of how many panes one may be made.
constexpr std::int64_t kOverlapsMax = 1000;
constexpr std::int64_t kPanesMax = 10'000;

const Unit* find_unit(std::string_view name) {
    const auto* unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& known) { return known.name == name; });
    return unit == kUnits.end() ? nullptr : unit;
}

/// '5s', '500 ms': milliseconds.
std::optional<std::int64_t> duration_of(std::string_view text) {
    std::int64_t number = 0;
    const auto [stop, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{} || number < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    while (text.starts_with(' ')) text.remove_prefix(1);
    const Unit* unit = find_unit(lower_case(text));
    if (unit == nullptr || number > kSpanMax / unit->milliseconds) return std::nullopt;
    return number * unit->milliseconds;
}

std::size_t round_up(std::size_t bytes) { return (bytes + 7) / 8 * 8; }

/// Is the name used as an input column somewhere below?
bool mentions(const Expr& expr, const std::string& name) {
    if (expr.kind == Expr::Kind::column && std::get<std::string>(expr.path[0]) == name) return true;
    const auto any = [&](const std::vector<ExprPtr>& list) {
        return std::any_of(list.begin(), list.end(), [&](const ExprPtr& child) { return mentions(*child, name); });
    };
    return any(expr.args) || (expr.over != nullptr && any(expr.over->partition));
}

}  // namespace

std::uint32_t PlanBuilder::key(const std::vector<NodeId>& nodes) {
    const auto [at, fresh] = keys_.try_emplace(nodes, static_cast<std::uint32_t>(data.keys.size()));
    if (fresh) data.keys.push_back({.nodes = nodes});
    return at->second;
}

std::uint32_t PlanBuilder::filter_set(std::vector<std::string> filters) {
    std::sort(filters.begin(), filters.end());
    filters.erase(std::unique(filters.begin(), filters.end()), filters.end());
    const auto [at, fresh] = filter_sets_.try_emplace(filters, static_cast<std::uint32_t>(data.filter_sets.size()));
    if (fresh) data.filter_sets.push_back(std::move(filters));
    return at->second;
}

std::uint32_t PlanBuilder::partition(std::uint32_t key_index, const std::string& whole, std::uint32_t filters) {
    const auto [at, fresh] = partitions_.try_emplace({key_index, whole, filters}, static_cast<std::uint32_t>(data.partitions.size()));
    if (!fresh) return at->second;
    // Bit 0 is for stateless rules; with more partitions than bits some share one, which costs a shard a look at a key that it does not
    // own.
    const auto bit = 1 + data.partitions.size() % 63;
    PartitionPlan partition;
    partition.key = key_index;
    partition.whole = whole;
    partition.filter_set = filters;
    partition.mask = std::uint64_t{1} << bit;
    data.partitions.push_back(std::move(partition));
    return at->second;
}

std::uint32_t PlanBuilder::lookup(std::uint32_t reference, const std::vector<NodeId>& key) {
    const auto [at, fresh] = lookups_.try_emplace({reference, key}, static_cast<std::uint32_t>(data.lookups.size()));
    if (fresh) data.lookups.push_back({.reference = reference, .key = key});
    return at->second;
}

NodeId PlanBuilder::joined(std::uint32_t lookup, const std::string& column) {
    ReferencePlan& reference = data.references[data.lookups[lookup].reference];
    const auto known = std::find(reference.columns.begin(), reference.columns.end(), column);
    const auto index = static_cast<std::uint32_t>(known - reference.columns.begin());
    if (known == reference.columns.end()) reference.columns.push_back(column);
    return program.of_row(Op::joined, lookup, index,
                          std::to_string(reference.table.name.size()) + ":" + reference.table.name + "." + column,
                          data.lookups[lookup].key);
}

NodeId PlanBuilder::matched(std::uint32_t lookup) {
    return program.of_row(Op::matched, lookup, 0, data.references[data.lookups[lookup].reference].table.name, data.lookups[lookup].key);
}

std::uint32_t PlanBuilder::table(std::uint32_t key_index, std::uint32_t owner, const std::string& apart, bool forgets) {
    const auto [at, fresh] = tables_.try_emplace({key_index, owner, apart, forgets}, static_cast<std::uint32_t>(data.tables.size()));
    if (!fresh) return at->second;
    TablePlan table;
    table.key = key_index;
    table.owner = owner;
    table.fingerprint = base::hash64(data.partitions[owner].whole);
    for (const NodeId node : data.keys[key_index].nodes) table.fingerprint = mix({table.fingerprint, program.fingerprint(node)});
    for (const std::string& filter : data.filter_sets[data.partitions[owner].filter_set])
        table.fingerprint = mix({table.fingerprint, base::hash64(filter)});
    if (!apart.empty()) table.fingerprint = mix({table.fingerprint, base::hash64(apart)});
    if (forgets) {
        table.fingerprint = mix({table.fingerprint, base::hash64("forget_oldest")});
        table.row_bytes = sizeof(KeyOrder);
        table.forgets = true;
    }
    data.tables.push_back(table);
    return at->second;
}

StateOp& PlanBuilder::op(StateOp wanted, std::uint32_t owner) {
    const auto [at, fresh] = ops_.try_emplace({wanted.fingerprint, wanted.table}, static_cast<std::uint32_t>(data.ops.size()));
    if (!fresh) return data.ops[at->second];
    wanted.reg = at->second;
    wanted.offset = wanted.source ? data.ops[*wanted.source].offset : reserve(wanted.table, state_bytes(wanted));
    data.partitions[owner].ops.push_back(wanted.reg);
    data.ops.push_back(std::move(wanted));
    return data.ops.back();
}

std::uint32_t PlanBuilder::reserve(std::uint32_t table_index, std::size_t bytes) {
    const std::size_t at = data.tables[table_index].row_bytes;
    data.tables[table_index].row_bytes = at + round_up(bytes);
    return static_cast<std::uint32_t>(at);
}

void RuleCompiler::run(RuleInfo& info) {
    index_ = static_cast<std::uint32_t>(plan_.data.rules.size());
    info.id = spec_.id;
    info.star = query_.star;
    compile_from(info);
    compile_joins();
    find_owner();
    if (query_.grouped) compile_window();
    if (query_.event_time && !(rule_.window && rule_.window->event_time))
        problems_.error(query_.event_time->offset, "WITH (timestamp = …), event time, belongs to a query with a time window");
    if (query_.star)
        compile_star(info);
    else
        compile_items(info);
    if (query_.where != nullptr) rule_.where = compile_condition(*query_.where, Place::where, "WHERE");
    require_matches();
    if (query_.having != nullptr) {
        if (!query_.grouped)
            problems_.error(query_.having->offset, "HAVING belongs to GROUP BY with a window; conditions on readings belong to WHERE");
        else
            rule_.having = compile_condition(*query_.having, Place::having, "HAVING");
    }
    if (rule_.window) finish_window();
    warn_about_aliases();
    info.windowed = query_.grouped;
    info.keyed = rule_.partition.has_value();
    if (rule_.partition) plan_.data.partitions[*rule_.partition].rules.push_back(index_);
    plan_.data.rules.push_back(std::move(rule_));
}

void RuleCompiler::compile_from(RuleInfo& info) {
    for (const FromTopic& topic : query_.from) {
        if (topic.filter.starts_with("$share/"))
            problems_.error(topic.offset, "a rule sees every reading of its topics: $share belongs to subscriptions");
        else if (!data::is_topic_filter(topic.filter))
            problems_.error(topic.offset, "not a topic filter: '" + topic.filter + "' ('+' is a whole level, '#' the whole last level)");
        info.filters.push_back(topic.filter);
    }
    rule_.filter_set = plan_.filter_set(info.filters);
}

void RuleCompiler::collect_partitions(const Expr& expr, std::vector<std::vector<NodeId>>& found) {
    if (expr.kind == Expr::Kind::call) {
        const FunctionInfo* function = find_function(expr.name);
        const bool stateful = function != nullptr && (function->kind == FunctionKind::stateful ||
                                                      (function->kind == FunctionKind::aggregate && expr.over != nullptr));
        if (stateful) {
            std::vector<NodeId> nodes;
            if (expr.over != nullptr) nodes = compile_all(expr.over->partition, Place::key).value_or(nodes);
            if (std::find(found.begin(), found.end(), nodes) == found.end()) found.push_back(std::move(nodes));
        }
    }
    for (const ExprPtr& argument : expr.args) collect_partitions(*argument, found);
}

/// The shard that runs a rule with state is the owner of its key; if it has several keys, there is one place for the whole stream.
void RuleCompiler::find_owner() {
    std::vector<std::vector<NodeId>> found;
    for (const SelectItem& item : query_.items) {
        if (item.expr != nullptr) collect_partitions(*item.expr, found);
    }
    if (query_.where != nullptr) collect_partitions(*query_.where, found);
    if (query_.having != nullptr) collect_partitions(*query_.having, found);
    if (query_.grouped) {
        group_ = compile_all(query_.group_by, Place::key).value_or(std::vector<NodeId>(query_.group_by.size()));
        if (std::find(found.begin(), found.end(), group_) == found.end()) found.push_back(group_);
    }
    if (found.empty()) return;
    // Event time has one watermark a rule: one place as well. So have keys out of a table: two shards may have two versions of it.
    const bool of_table = std::any_of(found.begin(), found.end(), [this](const auto& nodes) {
        return std::any_of(nodes.begin(), nodes.end(), [this](NodeId node) { return program_.reads_table(node); });
    });
    const bool by_key = found.size() == 1 && !found[0].empty() && !query_.event_time && !of_table;
    owner_ = plan_.partition(plan_.key(by_key ? found[0] : std::vector<NodeId>{}), by_key ? std::string{} : spec_.id, rule_.filter_set);
    rule_.partition = owner_;
}

/// Columns beside the * come first in the list; behind them fields of the payload that destinations name.
void RuleCompiler::compile_star(RuleInfo& info) {
    rule_.star = true;
    if (query_.grouped)
        problems_.error(query_.star_offset, "SELECT * has no meaning in a query with a window: name group columns and aggregates");
    compile_items(info);
    rule_.replaced = info.columns;
    for (const std::string& name : spec_.columns_wanted) {
        if (std::find(info.columns.begin(), info.columns.end(), name) != info.columns.end()) continue;
        info.columns.push_back(name);
        rule_.items.push_back(program_.field({name}));
        rule_.slots.push_back(program_.slot({name}));
    }
}

void RuleCompiler::compile_items(RuleInfo& info) {
    expands_ = true;
    for (const SelectItem& item : query_.items) {
        if (item.expr == nullptr) continue;
        if (std::find(info.columns.begin(), info.columns.end(), item.name) != info.columns.end())
            problems_.error(item.name_offset, "two output columns are called " + item.name + ": give one of them another name with AS");
        base::Bytes prefix;
        json::append_string(prefix, item.name);
        prefix.push_back(':');
        info.columns.push_back(item.name);
        rule_.prefixes.emplace_back(base::as_text(prefix));
        rule_.items.push_back(compile(*item.expr, query_.grouped ? Place::grouped : Place::select).value_or(0));
    }
    expands_ = false;
}

void RuleCompiler::compile_window() {
    if (query_.window_failed) {
        rule_.window.emplace();
        return;
    }
    if (!query_.window) {
        problems_.error(query_.group_offset, "GROUP BY needs a window: add COUNTWINDOW(10) or TUMBLINGWINDOW(ss, 10)");
        return;
    }
    const WindowCall& call = *query_.window;
    rule_.window.emplace();
    if (call.name == "countwindow") return count_window(call, *rule_.window);
    time_window(call, *rule_.window);
    compile_event_time(*rule_.window);
}

void RuleCompiler::count_window(const WindowCall& call, WindowPlan& window) {
    const auto most = static_cast<std::int64_t>(call.numbers.size() > 1 ? static_cast<std::int64_t>(limits_.window_rows_max) : kCountMax);
    if (call.numbers.size() > 2) problems_.error(call.number_offsets[2], "COUNTWINDOW(length[, hop]) has at most two numbers");
    for (std::size_t i = 0; i < std::min<std::size_t>(call.numbers.size(), 2); ++i) {
        if (call.numbers[i] < 1 || call.numbers[i] > most)
            problems_.error(call.number_offsets[i],
                            std::string(i == 0 ? "the length" : "the hop") + " of COUNTWINDOW must be from 1 to " + std::to_string(most));
    }
    window.length = static_cast<std::uint32_t>(call.numbers[0]);
    window.hop = call.numbers.size() > 1 ? static_cast<std::uint32_t>(call.numbers[1]) : window.length;
    window.form = window.hop == window.length ? WindowForm::count : WindowForm::hopping_count;
}

void RuleCompiler::time_window(const WindowCall& call, WindowPlan& window) {
    struct Form {
        std::string_view name;
        std::string_view signature;
        std::size_t numbers;
        WindowForm form;
    };
    static constexpr std::array kForms{
        Form{"tumblingwindow", "TUMBLINGWINDOW(unit, length)", 1, WindowForm::timed},
        Form{"hoppingwindow", "HOPPINGWINDOW(unit, length, hop)", 2, WindowForm::timed},
        Form{"slidingwindow", "SLIDINGWINDOW(unit, length)", 1, WindowForm::sliding},
        Form{"sessionwindow", "SESSIONWINDOW(unit, longest, gap)", 2, WindowForm::session},
    };
    const Form& form = *std::find_if(kForms.begin(), kForms.end(), [&](const Form& known) { return known.name == call.name; });
    window.form = form.form;
    window.span_ms = window.hop_ms = window.pane_ms = window.gap_ms = 1;  // something to go on with after mistakes
    const Unit* unit = find_unit(call.unit);
    if (unit == nullptr) return problems_.error(call.unit_offset, "there is no unit " + call.unit + ": ms, ss, mi, hh or dd");
    if (call.numbers.size() != form.numbers) {
        const std::size_t at = std::min(call.numbers.size() - 1, form.numbers);
        return problems_.error(call.number_offsets[at], std::string(form.signature) + " has " +
                                                            (form.numbers == 1 ? "one number" : "two numbers") + " behind the unit");
    }
    for (std::size_t i = 0; i < call.numbers.size(); ++i) {
        if (call.numbers[i] < 1 || call.numbers[i] > kSpanMax / unit->milliseconds)
            return problems_.error(call.number_offsets[i], "the times of " + std::string(form.signature.substr(0, call.name.size())) +
                                                               " must be at least 1 and at most 366 days");
    }
    window.span_ms = call.numbers[0] * unit->milliseconds;
    window.hop_ms = call.numbers.back() * unit->milliseconds;
    window.gap_ms = window.hop_ms;
    window.pane_ms = std::gcd(window.span_ms, window.hop_ms);
    if (form.numbers == 2 && window.hop_ms > window.span_ms) {
        problems_.error(call.number_offsets[1], form.form == WindowForm::session ? "the gap must not be longer than the session"
                                                                                 : "the hop must not be longer than the window");
    } else if (form.form == WindowForm::timed &&
               (window.span_ms / window.hop_ms > kOverlapsMax || window.span_ms / window.pane_ms > kPanesMax)) {
        problems_.error(call.number_offsets[1], "too many windows at once: the length may be " + std::to_string(kOverlapsMax) +
                                                    " hops, and " + std::to_string(kPanesMax) +
                                                    " times what length and hop are multiples of");
    }
}

void RuleCompiler::compile_event_time(WindowPlan& window) {
    if (!query_.event_time) return;
    const EventTime& time = *query_.event_time;
    window.event_time = 0;  // also after a mistake: it is event time
    const Compiled node = compile(*time.timestamp, Place::key);
    if (node && require(*node, Type::number, *time.timestamp, "the timestamp of WITH (milliseconds since 1970)")) window.event_time = node;
    if (time.lateness.empty()) return;
    const auto lateness = duration_of(time.lateness);
    if (!lateness) problems_.error(time.lateness_offset, "the lateness must be a time of at most 366 days, such as '5s' or '2 minutes'");
    window.lateness_ms = lateness.value_or(0);
}

void RuleCompiler::finish_window() {
    WindowPlan& window = *rule_.window;
    window.table = table(group_);
    const bool in_blocks = window.form == WindowForm::timed || window.form == WindowForm::session;
    std::size_t bytes = in_blocks ? sizeof(BlockHead) : sizeof(WindowHead);
    const auto whole = [](std::int64_t number) { return static_cast<std::uint64_t>(number); };
    std::uint64_t fingerprint =
        mix({static_cast<std::uint64_t>(window.form), window.length, window.hop, whole(window.span_ms), whole(window.hop_ms),
             whole(window.gap_ms), whole(window.lateness_ms), window.event_time ? program_.fingerprint(*window.event_time) : 0,
             plan_.data.tables[window.table].fingerprint, rule_.where ? program_.fingerprint(*rule_.where) : 0});
    for (AccumulatorPlan& accumulator : window.accumulators) {
        const bool keeps_all = accumulator.kind == Accumulator::numbers || accumulator.kind == Accumulator::list;
        if (keeps_all && window.form == WindowForm::count && window.length > limits_.window_rows_max)
            problems_.error(query_.window->number_offsets[0], "median, percentile and collect keep all values: at most " +
                                                                  std::to_string(limits_.window_rows_max) + " readings");
        accumulator.offset = static_cast<std::uint32_t>(bytes);
        bytes += round_up(state_bytes(accumulator.kind));
        fingerprint = mix({fingerprint, static_cast<std::uint64_t>(accumulator.kind),
                           accumulator.kind == Accumulator::rows ? 0 : program_.fingerprint(accumulator.argument)});
    }
    window.fingerprint = mix({fingerprint, base::hash64(spec_.id)});
    window.state_bytes = bytes;
}

void RuleCompiler::warn_about_aliases() {
    if (query_.where == nullptr) return;
    for (const SelectItem& item : query_.items) {
        if (!item.aliased || item.expr == nullptr || !mentions(*query_.where, item.name)) continue;
        const bool itself =
            item.expr->kind == Expr::Kind::column && item.expr->path.size() == 1 && std::get<std::string>(item.expr->path[0]) == item.name;
        const bool input = std::any_of(query_.items.begin(), query_.items.end(),
                                       [&](const SelectItem& other) { return other.expr != nullptr && mentions(*other.expr, item.name); });
        if (itself || !input) continue;
        problems_.warning(item.name_offset,
                          "the alias " + item.name + " is also an input column: in WHERE the column is meant, not the alias");
    }
}

}  // namespace sluice::rules

#include "flow/rules/rule_gates.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace sluice::rules {
namespace {

/// Fewer rules are asked one by one at no higher cost.
constexpr std::size_t kGateRulesMin = 4;
/// Whole numbers up to here are exact as floats: they and floats have one order.
constexpr std::int64_t kExactMax = std::int64_t{1} << 53;

bool is_ordered(const Value& value) {
    if (value.kind() == json::Kind::number) return !std::isnan(value.as_number());
    return value.kind() == json::Kind::integer && value.as_integer() <= kExactMax && value.as_integer() >= -kExactMax;
}

struct Condition {
    Op op;
    NodeId subject;
    Value constant;
};

/// What must be true for `where` to be: its first condition, if it compares something with a constant.
std::optional<Condition> first_condition(const Program& program, NodeId where) {
    // A row that must be there makes none pass that the rest of WHERE does not.
    const auto is_match = [&](NodeId id) { return program.nodes[id].op == Op::matched; };
    while (program.nodes[where].op == Op::and_) where = is_match(program.nodes[where].a) ? program.nodes[where].b : program.nodes[where].a;
    const Node& node = program.nodes[where];
    if (node.op < Op::eq || node.op > Op::ge || node.op == Op::ne) return std::nullopt;
    const auto constant = [&](NodeId id) { return program.nodes[id].op == Op::constant; };
    if (constant(node.a) == constant(node.b)) return std::nullopt;
    if (constant(node.b)) return Condition{node.op, node.a, program.constants[program.nodes[node.b].a]};
    const Op turned = node.op == Op::lt   ? Op::gt
                      : node.op == Op::le ? Op::ge
                      : node.op == Op::gt ? Op::lt
                      : node.op == Op::ge ? Op::le
                                          : Op::eq;
    return Condition{turned, node.b, program.constants[program.nodes[node.a].a]};
}

bool less(const Value& a, const Value& b) { return compare(a, b) == Order::less; }

}  // namespace

RuleGates::RuleGates(const PlanData& plan, std::span<const std::uint32_t> rules) {
    std::map<std::tuple<Kind, NodeId, bool>, std::vector<Entry>> groups;
    for (const std::uint32_t rule : rules) {
        const RulePlan& its = plan.rules[rule];
        // Event time moves its watermark with every reading.
        const auto condition =
            its.where && !(its.window && its.window->event_time) ? first_condition(plan.program, *its.where) : std::nullopt;
        const bool text = condition && condition->constant.is_text();
        if (!condition || !(text ? condition->op == Op::eq : is_ordered(condition->constant))) {
            others_.push_back(rule);
            continue;
        }
        const Kind kind = condition->op == Op::eq                              ? Kind::equal
                          : condition->op == Op::gt || condition->op == Op::ge ? Kind::above
                                                                               : Kind::below;
        groups[{kind, condition->subject, text}].push_back(
            {.constant = condition->constant, .strict = condition->op == Op::gt || condition->op == Op::lt, .rule = rule});
    }
    for (auto& [what, entries] : groups) {
        const auto [kind, subject, text] = what;
        if (entries.size() < kGateRulesMin) {
            for (const Entry& entry : entries) others_.push_back(entry.rule);
            continue;
        }
        std::stable_sort(entries.begin(), entries.end(), [kind = kind](const Entry& a, const Entry& b) {
            if (less(a.constant, b.constant)) return kind != Kind::below;
            if (less(b.constant, a.constant)) return kind == Kind::below;
            return !a.strict && b.strict;
        });
        for (const Entry& entry : entries) {
            const auto& tables = plan.rules[entry.rule].tables;
            tables_.insert(tables_.end(), tables.begin(), tables.end());
        }
        gates_.push_back({.kind = kind, .subject = subject, .entries = std::move(entries)});
    }
    std::sort(others_.begin(), others_.end());
    std::sort(tables_.begin(), tables_.end());
    tables_.erase(std::unique(tables_.begin(), tables_.end()), tables_.end());
}

void RuleGates::choose(Scope& scope, std::vector<std::uint32_t>& rules) {
    for (Gate& gate : gates_) {
        scope.bad_values = 0;
        const Value subject = evaluate(scope, gate.subject);
        const bool text = gate.entries.front().constant.is_text();
        // What is NULL, bad or of another type counts differently in each rule: they are asked.
        if (scope.bad_values == 0 && (text ? subject.is_text() : is_ordered(subject))) {
            choose(gate, subject, rules);
        } else {
            for (const Entry& entry : gate.entries) rules.push_back(entry.rule);
        }
    }
}

void RuleGates::choose(Gate& gate, const Value& subject, std::vector<std::uint32_t>& rules) {
    ++gate.decided;
    const auto take = [&](auto from, auto to) {
        for (; from != to; ++from) {
            ++from->asked;
            rules.push_back(from->rule);
        }
    };
    const auto begin = gate.entries.begin();
    const auto end = gate.entries.end();
    if (gate.kind == Kind::equal) {
        const auto first = std::partition_point(begin, end, [&](const Entry& entry) { return less(entry.constant, subject); });
        return take(first, std::partition_point(first, end, [&](const Entry& entry) { return !less(subject, entry.constant); }));
    }
    const Order wanted = gate.kind == Kind::above ? Order::greater : Order::less;
    take(begin, std::partition_point(begin, end, [&](const Entry& entry) {
             const Order order = compare(subject, entry.constant);
             return order == wanted || (order == Order::equal && !entry.strict);
         }));
}

std::vector<std::vector<std::uint32_t>> RuleGates::groups() const {
    std::vector<std::vector<std::uint32_t>> result;
    for (const Gate& gate : gates_) {
        result.emplace_back();
        for (const Entry& entry : gate.entries) result.back().push_back(entry.rule);
    }
    return result;
}

void RuleGates::all(std::vector<std::uint32_t>& rules) const {
    for (const Gate& gate : gates_) {
        for (const Entry& entry : gate.entries) rules.push_back(entry.rule);
    }
}

}  // namespace sluice::rules

// One rule's query into the plan.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "flow/rules/ast.hpp"
#include "flow/rules/plan_data.hpp"
#include "flow/rules/problems.hpp"
#include "flow/rules/program_builder.hpp"

namespace sluice::rules {

/// What all rules of a plan share while it is made.
struct PlanBuilder {
    explicit PlanBuilder(PlanData& plan) : data(plan), program(plan) {
        (void)program.constant(Value::null());
    }  // node 0: what could not be compiled

    [[nodiscard]] std::uint32_t key(const std::vector<NodeId>& nodes);
    [[nodiscard]] std::uint32_t filter_set(std::vector<std::string> filters);
    [[nodiscard]] std::uint32_t partition(std::uint32_t key, const std::string& whole, std::uint32_t filter_set);
    [[nodiscard]] std::uint32_t table(std::uint32_t key, std::uint32_t owner);
    /// Room in the rows of a table.
    [[nodiscard]] std::uint32_t reserve(std::uint32_t table, std::size_t bytes);

    PlanData& data;
    ProgramBuilder program;
};

class RuleCompiler {
public:
    RuleCompiler(PlanBuilder& plan, const RuleSpec& spec, const Query& query, Problems& problems)
        : plan_(plan), program_(plan.program), spec_(spec), query_(query), problems_(problems), limits_(plan.data.limits) {}

    /// Adds the rule. What it adds is worth nothing if there are problems.
    void run(RuleInfo& info);

private:
    using Compiled = std::optional<NodeId>;  ///< none: a problem was reported
    /// Where an expression stands: that decides which names it may use.
    enum class Place : std::uint8_t {
        select,  ///< of a query without window, arguments of aggregates and of stateful functions
        where,
        grouped,  ///< SELECT of a query with a window: group expressions and aggregates
        having,
        key,       ///< GROUP BY and PARTITION BY: no state
        argument,  ///< of an aggregate: rows, but no further aggregate
    };

    // rule_compiler.cpp: clauses
    void compile_from(RuleInfo& info);
    void find_owner();
    void collect_partitions(const Expr& expr, std::vector<std::vector<NodeId>>& found);
    void compile_star(RuleInfo& info);
    void compile_items(RuleInfo& info);
    void compile_window();
    void count_window(const WindowCall& call, WindowPlan& window);
    void time_window(const WindowCall& call, WindowPlan& window);
    void place_window();
    void warn_about_aliases();

    // expression_compiler.cpp
    [[nodiscard]] Compiled compile(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_condition(const Expr& expr, Place place, std::string_view clause);
    [[nodiscard]] Compiled compile_column(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_binary(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_list(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_case(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_call(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_plain_call(const Expr& expr, const FunctionInfo& function, Place place);
    [[nodiscard]] std::optional<std::vector<NodeId>> compile_all(const std::vector<ExprPtr>& exprs, Place place);
    [[nodiscard]] bool check_arguments(const Expr& expr, const FunctionInfo& function, const std::vector<NodeId>& arguments);
    [[nodiscard]] bool require(NodeId node, Type wanted, const Expr& expr, std::string_view user);

    // state_compiler.cpp: calls with state
    [[nodiscard]] Compiled compile_stateful(const Expr& expr, const FunctionInfo& function, Place place);
    [[nodiscard]] Compiled compile_aggregate(const Expr& expr, const FunctionInfo& function, Place place);
    [[nodiscard]] Compiled add_state(StateOp op, const Expr& expr, Type type);
    [[nodiscard]] bool read_parameters(StateOp& op, const Expr& expr, const FunctionInfo& function);
    [[nodiscard]] std::optional<std::int64_t> whole_parameter(const Expr& expr, std::int64_t least, std::int64_t most,
                                                              std::string_view what);
    [[nodiscard]] std::optional<double> real_parameter(const Expr& expr, double least, double most, std::string_view what);
    void warn_without_over(const Expr& expr);

    [[nodiscard]] bool is_group_expression(const Expr& expr, std::uint32_t& component) const;
    [[nodiscard]] const SelectItem* alias(const Expr& expr) const;

    PlanBuilder& plan_;
    ProgramBuilder& program_;
    const RuleSpec& spec_;
    const Query& query_;
    Problems& problems_;
    const Limits& limits_;
    RulePlan rule_;
    std::uint32_t index_ = 0;
    std::uint32_t owner_ = 0;
    std::vector<NodeId> group_;  ///< of GROUP BY
    std::size_t compiled_ = 0;   ///< expressions so far, against Limits::nodes_max
};

/// The same expression, wherever it stands.
[[nodiscard]] bool same(const Expr& a, const Expr& b);

}  // namespace sluice::rules

// One rule's query into the plan.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
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
    [[nodiscard]] std::uint32_t lookup(std::uint32_t reference, const std::vector<NodeId>& key);
    /// A column of what a lookup finds.
    [[nodiscard]] NodeId joined(std::uint32_t lookup, const std::string& column);
    /// Has the lookup found a row?
    [[nodiscard]] NodeId matched(std::uint32_t lookup);
    /// `apart`: for one rule alone, by its id; empty: for all that do the same where there is no room.
    [[nodiscard]] std::uint32_t table(std::uint32_t key, std::uint32_t owner, const std::string& apart, bool forgets);
    /// Room in the rows of a table.
    [[nodiscard]] std::uint32_t reserve(std::uint32_t table, std::size_t bytes);
    /// The operator with this fingerprint in this table; added where there is none.
    [[nodiscard]] StateOp& op(StateOp wanted, std::uint32_t owner);

    PlanData& data;
    ProgramBuilder program;

private:
    // What is there already; ten thousand rules must not be compared with each other.
    std::map<std::vector<NodeId>, std::uint32_t> keys_;
    std::map<std::pair<std::uint32_t, std::vector<NodeId>>, std::uint32_t> lookups_;
    std::map<std::vector<std::string>, std::uint32_t> filter_sets_;
    std::map<std::tuple<std::uint32_t, std::string, std::uint32_t>, std::uint32_t> partitions_;
    std::map<std::tuple<std::uint32_t, std::uint32_t, std::string, bool>, std::uint32_t> tables_;
    std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint32_t> ops_;
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
        key,       ///< GROUP BY, PARTITION BY and WITH (timestamp = …): no state
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
    void compile_event_time(WindowPlan& window);
    /// Its table, its state's layout and its fingerprint. Where it lies in the row is decided when all rules are known.
    void finish_window();
    void warn_about_aliases();

    // join_compiler.cpp
    void compile_joins();
    [[nodiscard]] std::optional<std::uint32_t> find_reference(const Join& join);
    [[nodiscard]] bool compile_on(const Expr& on, std::uint32_t number, std::uint32_t reference, std::vector<Compiled>& key);
    [[nodiscard]] Compiled compile_joined(const Expr& expr);
    void warn_about_columns_of_tables(const Expr& expr);
    /// A reading without a row is held back, as by WHERE.
    void require_matches();

    // expression_compiler.cpp
    [[nodiscard]] Compiled compile(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_condition(const Expr& expr, Place place, std::string_view clause);
    [[nodiscard]] Compiled compile_column(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_binary(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_list(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_case(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_cast(const Expr& expr, NodeId value);
    [[nodiscard]] std::optional<std::vector<NodeId>> compile_all(const std::vector<ExprPtr>& exprs, Place place);
    [[nodiscard]] bool require(NodeId node, Type wanted, const Expr& expr, std::string_view user);

    // call_compiler.cpp
    [[nodiscard]] Compiled compile_call(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_plain_call(const Expr& expr, const FunctionInfo& function, Place place);
    [[nodiscard]] Compiled compile_unnest(const Expr& expr, Place place);
    [[nodiscard]] Compiled compile_argument(const Expr& expr, char letter, Place place);
    [[nodiscard]] Compiled compile_pattern(const Expr& expr);
    [[nodiscard]] bool check_written(const Expr& expr, char letter, std::string_view text);
    [[nodiscard]] bool check_parameters(const Expr& expr, const FunctionInfo& function);

    // state_compiler.cpp: calls with state
    [[nodiscard]] Compiled compile_stateful(const Expr& expr, const FunctionInfo& function, Place place);
    [[nodiscard]] Compiled compile_aggregate(const Expr& expr, const FunctionInfo& function, Place place);
    [[nodiscard]] Compiled add_state(StateOp op, const Expr& expr, Type type);
    [[nodiscard]] bool read_parameters(StateOp& op, const Expr& expr, const FunctionInfo& function);
    [[nodiscard]] std::optional<std::int64_t> whole_parameter(const Expr& expr, std::int64_t least, std::int64_t most,
                                                              std::string_view what);
    [[nodiscard]] std::optional<double> real_parameter(const Expr& expr, double least, double most, std::string_view what);
    [[nodiscard]] Compiled add_view(StateOp op, const Expr& expr, Type type);
    void warn_without_over(const Expr& expr);
    [[nodiscard]] std::string sql_of(const Expr& expr) const { return spec_.sql.substr(expr.offset, expr.stop - expr.offset); }

    // detection_functions.cpp
    [[nodiscard]] bool read_detection_parameters(StateOp& op, const Expr& expr);

    /// The table for this key that the rule may use.
    [[nodiscard]] std::uint32_t table(const std::vector<NodeId>& key) {
        return plan_.table(plan_.key(key), owner_, spec_.state_bytes_max == 0 ? std::string() : spec_.id, spec_.forget_oldest);
    }
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
    /// A join compiled so far; what is missing is so because of a mistake.
    struct Joined {
        std::optional<std::uint32_t> reference;
        std::optional<std::uint32_t> lookup;
    };
    std::vector<Joined> joined_;
    bool joining_ = false;      ///< the ON of the last of them is being compiled
    bool expands_ = false;      ///< unnest() may stand here: among the columns
    std::size_t compiled_ = 0;  ///< expressions so far, against Limits::nodes_max
};

/// The same expression, wherever it stands.
[[nodiscard]] bool same(const Expr& a, const Expr& b);

}  // namespace sluice::rules

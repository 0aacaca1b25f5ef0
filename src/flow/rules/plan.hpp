// Turns the SQL of all rules into one plan: shared field slots, shared keys, shared state. Immutable; every shard runs the same plan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flow/rules/machine_classes.hpp"
#include "flow/rules/reference_table.hpp"
#include "flow/rules/rule.hpp"

namespace sluice::rules {

/// Bounds of what a configuration may ask for. All are checked by compile() with a message at the place in the SQL.
struct Limits {
    std::size_t sql_bytes_max = 64 * 1024;  ///< of one rule
    std::size_t rules_max = 10'000;
    std::size_t columns_max = 256;         ///< of one SELECT
    std::size_t depth_max = 64;            ///< of nested expressions
    std::size_t nodes_max = 4096;          ///< of one rule's expressions, after aliases are put in
    std::size_t window_rows_max = 10'000;  ///< n of zscore, rms, ROWS n PRECEDING and of windows that must keep their values
    std::size_t unnest_rows_max = 10'000;  ///< elements of an array that unnest() takes
    std::size_t joins_max = 16;            ///< of one rule
};

/// What SQL can name beside readings and their fields.
struct Catalog {
    std::vector<NamedTable> tables;
    std::vector<NamedMachineClass> machine_classes;  ///< beside the standard's
};

/// What others need to know about a compiled rule.
struct RuleInfo {
    std::string id;
    std::vector<std::string> columns;  ///< names of the output columns in order; for `SELECT *` the spec's columns_wanted
    bool star = false;                 ///< SELECT *: the payload's own bytes, or its fields and further columns
    std::vector<std::string> filters;  ///< of FROM
    bool windowed = false;             ///< GROUP BY with a window: an output row can come without a reading
    bool keyed = false;                ///< has state; runs on the shard that owns the key
};

struct PlanData;

/// Any thread may read it.
class Plan {
public:
    explicit Plan(std::unique_ptr<const PlanData> data);
    ~Plan();
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;

    /// In the order of the specs.
    [[nodiscard]] std::span<const RuleInfo> rules() const;
    [[nodiscard]] const PlanData& data() const { return *data_; }

private:
    std::unique_ptr<const PlanData> data_;
};

struct Compiled {
    std::shared_ptr<const Plan> plan;             ///< nullptr when a rule has an error (or asks for what is not built)
    std::vector<std::vector<SqlError>> problems;  ///< one list a rule, in the order of the specs; warnings may come with a plan
    /// As in RuleInfo, one a rule, for rules that could be parsed; an id without columns otherwise. Filled even without a plan.
    std::vector<RuleInfo> rules;
};

/// Never throws for bad SQL. No specs: a plan that matches nothing. Engines begin with the tables of `catalog`.
[[nodiscard]] Compiled compile(std::span<const RuleSpec> specs, const Limits& limits = {}, const Catalog& catalog = {});

}  // namespace sluice::rules

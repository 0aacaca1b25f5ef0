// The rules of a configuration, compiled, with their routes: immutable, shared by all threads.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "flow/router/router.hpp"
#include "flow/rules/plan.hpp"
#include "manage/config/gateway_config.hpp"

namespace sluice::gateway {

struct Ruleset {
    std::shared_ptr<const rules::Plan> plan;
    std::vector<router::RuleRoutes> routes;  ///< in the order of the plan's rules
};

/// The specs of a configuration's rules as the compiler wants them: SQL and the columns that the destinations name.
[[nodiscard]] std::vector<rules::RuleSpec> specs_of(const config::GatewayConfig& config);

/// What is wrong with a rule, at a place of its SQL or of a topic template.
struct RuleDefect {
    static constexpr std::size_t kInSql = SIZE_MAX;
    std::size_t rule = 0;
    std::size_t destination = kInSql;  ///< index into its `to`
    rules::SqlError error;             ///< offset, line and column in the SQL or in the template
    [[nodiscard]] bool in_sql() const { return destination == kInSql; }
};

struct CheckedRules {
    std::shared_ptr<const Ruleset> ruleset;  ///< nullptr: some defect is an error, or not built yet
    std::vector<RuleDefect> defects;         ///< in the order of the rules
};
[[nodiscard]] CheckedRules check_rules(const config::GatewayConfig& config, const rules::Catalog& catalog);

}  // namespace sluice::gateway

// The rules of a configuration, compiled, with their routes: immutable, shared by all threads.
#pragma once

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

/// For a configuration that RuleChecker has found good; anything else is a defect.
[[nodiscard]] std::shared_ptr<const Ruleset> compile_ruleset(const config::GatewayConfig& config);

}  // namespace sluice::gateway

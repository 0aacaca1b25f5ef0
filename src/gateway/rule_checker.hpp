// The compiler of rules as the configuration reader sees it: SQL and topic templates are checked where they stand in the file.
#pragma once

#include "manage/config/ports.hpp"

namespace sluice::gateway {

class RuleChecker final : public config::RuleChecker {
public:
    void check(const config::GatewayConfig& config, config::Problems& problems) override;
};

}  // namespace sluice::gateway

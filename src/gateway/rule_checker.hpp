// The compiler of rules as the configuration reader sees it: SQL and topic templates are checked where they stand in the file.
#pragma once

#include <string>

#include "gateway/catalog.hpp"
#include "gateway/ruleset.hpp"
#include "manage/config/ports.hpp"

namespace sluice::gateway {

/// Reads the files of `tables`, too, because SQL names their columns.
class RuleChecker final : public config::RuleChecker {
public:
    explicit RuleChecker(env::FileSystem& files) : files_(files) {}
    void check(const config::GatewayConfig& config, config::Problems& problems) override;
    /// As it was checked.
    [[nodiscard]] const rules::Catalog& catalog() const { return loaded_.catalog; }

private:
    env::FileSystem& files_;
    LoadedCatalog loaded_;
};

/// A defect where it stands in the rule's file. `key`: that of the rule and a dot: `rules[0].`; empty: the rule stands alone.
[[nodiscard]] config::Problem problem_of(const RuleDefect& defect, const config::RuleConfig& rule, const std::string& key);

}  // namespace sluice::gateway

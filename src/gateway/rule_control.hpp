// What the API asks of the gateway about its rules.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/rule_book.hpp"

namespace sluice::gateway {

/// Any thread; one change at a time, and none during a reload: the others wait.
class RuleControl {
public:
    virtual ~RuleControl() = default;
    virtual RuleOutcome change(const RuleOrder& order) = 0;
    [[nodiscard]] virtual std::shared_ptr<const Ruleset> ruleset() = 0;
    [[nodiscard]] virtual RuleListing list(std::string_view search) = 0;
    [[nodiscard]] virtual std::optional<RuleListing> find(const std::string& id) = 0;
};

}  // namespace sluice::gateway

#include "gateway/ruleset.hpp"

#include "base/check.hpp"

namespace sluice::gateway {

std::vector<rules::RuleSpec> specs_of(const config::GatewayConfig& config) {
    std::vector<rules::RuleSpec> specs;
    for (const auto& rule : config.rules) {
        rules::RuleSpec spec{rule.id.value, rule.sql.value, {}};
        for (const auto& destination : rule.to) {
            if (!destination.is_topic()) continue;
            for (auto& column : router::template_columns(destination.topic.value)) spec.columns_wanted.push_back(std::move(column));
        }
        specs.push_back(std::move(spec));
    }
    return specs;
}

std::shared_ptr<const Ruleset> compile_ruleset(const config::GatewayConfig& config) {
    auto compiled = rules::compile(specs_of(config));
    base::check(compiled.plan != nullptr, "ruleset: rules that were not checked");
    auto out = std::make_shared<Ruleset>();
    for (std::size_t i = 0; i < config.rules.size(); ++i) {
        router::RuleRoutes routes{config.rules[i].id.value, {}};
        for (const auto& destination : config.rules[i].to) {
            if (destination.is_topic()) {
                auto result = router::compile_template(destination.topic.value, compiled.plan->rules()[i].columns);
                base::check(result.errors.empty(), "ruleset: a topic template that was not checked");
                routes.to.emplace_back(router::ToTopic{std::move(result.value)});
            } else {
                routes.to.emplace_back(router::ToCloud{data::ClassIndex(destination.class_index)});
            }
        }
        out->routes.push_back(std::move(routes));
    }
    out->plan = std::move(compiled.plan);
    return out;
}

}  // namespace sluice::gateway

#include "gateway/ruleset.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace sluice::gateway {
namespace {

/// Behind the last visible character: an error at the end of a query does not belong into the line after its block.
std::size_t visible(const std::string& sql, std::size_t offset) {
    const std::size_t last = sql.find_last_not_of(" \t\r\n");
    return last == std::string::npos ? 0 : std::min(offset, last + 1);
}

/// The routes of one rule whose columns are known; what is wrong with them is added to `defects`.
router::RuleRoutes routes_of(const config::GatewayConfig& config, std::size_t index, const rules::RuleInfo& info,
                             std::vector<RuleDefect>& defects) {
    const config::RuleConfig& rule = config.rules[index];
    router::RuleRoutes routes{rule.id.value, {}};
    for (std::size_t i = 0; i < rule.to.size(); ++i) {
        const config::Destination& destination = rule.to[i];
        const auto wrong = [&](std::size_t offset, std::string message) {
            rules::SqlError error;
            error.offset = offset;
            error.column = static_cast<unsigned>(offset + 1);
            error.message = std::move(message);
            defects.push_back({.rule = index, .destination = i, .error = std::move(error)});
        };
        if (destination.is_topic()) {
            auto result = router::compile_template(destination.topic.value, info.columns);
            for (auto& error : result.errors) wrong(error.offset, std::move(error.message));
            routes.to.emplace_back(router::ToTopic{std::move(result.value)});
        } else if (destination.class_index >= config.uplink.classes.size()) {
            wrong(0, fmt::format("class `{}` is not declared in `uplink.classes`", destination.cloud));
        } else {
            routes.to.emplace_back(router::ToCloud{data::ClassIndex(destination.class_index)});
        }
    }
    return routes;
}

}  // namespace

std::vector<rules::RuleSpec> specs_of(const config::GatewayConfig& config) {
    std::vector<rules::RuleSpec> specs;
    specs.reserve(config.rules.size());
    for (const auto& rule : config.rules) {
        rules::RuleSpec spec{.id = rule.id.value,
                             .sql = rule.sql.value,
                             .columns_wanted = {},
                             .paused = rule.paused,
                             .state_bytes_max = rule.state_bytes_max,
                             .forget_oldest = rule.forget_oldest};
        for (const auto& destination : rule.to) {
            if (!destination.is_topic()) continue;
            for (auto& column : router::template_columns(destination.topic.value)) spec.columns_wanted.push_back(std::move(column));
        }
        specs.push_back(std::move(spec));
    }
    return specs;
}

CheckedRules check_rules(const config::GatewayConfig& config, const rules::Catalog& catalog) {
    auto compiled = rules::compile(specs_of(config), {}, catalog);
    CheckedRules out;
    auto ruleset = std::make_shared<Ruleset>();
    bool good = compiled.plan != nullptr;
    for (std::size_t i = 0; i < config.rules.size(); ++i) {
        bool wrong = false;
        for (rules::SqlError& error : compiled.problems[i]) {
            wrong = wrong || error.severity == rules::Severity::error;
            error.offset = visible(config.rules[i].sql.value, error.offset);
            out.defects.push_back({.rule = i, .error = std::move(error)});
        }
        if (wrong) continue;  // its columns are not known, and complaints about them would only distract
        const std::size_t before = out.defects.size();
        ruleset->routes.push_back(routes_of(config, i, compiled.rules[i], out.defects));
        good = good && out.defects.size() == before;
    }
    if (!good) return out;
    ruleset->plan = std::move(compiled.plan);
    out.ruleset = std::move(ruleset);
    return out;
}

}  // namespace sluice::gateway

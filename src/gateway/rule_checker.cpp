#include "gateway/rule_checker.hpp"

#include <utility>

#include <fmt/format.h>

#include "gateway/ruleset.hpp"

namespace sluice::gateway {
namespace {

void set_severity(config::Problem& problem, rules::Severity severity) {
    switch (severity) {
        case rules::Severity::error:
            break;
        case rules::Severity::warning:
            problem.severity = config::Severity::warning;
            break;
        case rules::Severity::not_built:
            problem.severity = config::Severity::note;
            problem.not_built = true;
            break;
    }
}

}  // namespace

config::Problem problem_of(const RuleDefect& defect, const config::RuleConfig& rule, const std::string& key) {
    config::Problem problem;
    if (defect.in_sql()) {
        problem = {config::Severity::error, rule.sql.position(defect.error.offset), key + "sql", "sql: " + defect.error.message, false};
    } else {
        const config::Destination& to = rule.to[defect.destination];
        const char* name = to.is_topic() ? "topic" : "cloud";
        const config::Position at = to.is_topic() ? to.topic.position(defect.error.offset) : config::Position(to.at);
        problem = {config::Severity::error, at, fmt::format("{}to[{}].{}", key, defect.destination, name),
                   fmt::format("{}: {}", name, defect.error.message), false};
    }
    set_severity(problem, defect.error.severity);
    return problem;
}

void RuleChecker::check(const config::GatewayConfig& config, config::Problems& problems) {
    loaded_ = load_catalog(config, files_, problems);
    // All at once, as the gateway will compile them; rules without readable SQL are reported already.
    config::GatewayConfig readable;
    readable.uplink.classes = config.uplink.classes;
    std::vector<std::size_t> origin;
    for (std::size_t i = 0; i < config.rules.size(); ++i) {
        if (config.rules[i].sql.value.empty()) continue;
        readable.rules.push_back(config.rules[i]);
        origin.push_back(i);
    }
    for (const RuleDefect& defect : check_rules(readable, loaded_.catalog).defects) {
        problems.push_back(problem_of(defect, readable.rules[defect.rule], fmt::format("rules[{}].", origin[defect.rule])));
    }
}

}  // namespace sluice::gateway

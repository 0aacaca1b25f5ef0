#include "gateway/rule_checker.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "flow/router/destination.hpp"
#include "flow/rules/plan.hpp"
#include "gateway/ruleset.hpp"

namespace sluice::gateway {
namespace {

/// An error at the end of the query belongs behind its last character, not into the line after the block.
std::size_t visible(const std::string& sql, std::size_t offset) {
    const std::size_t last = sql.find_last_not_of(" \t\r\n");
    return last == std::string::npos ? 0 : std::min(offset, last + 1);
}

config::Problem problem_of(const rules::SqlError& error, const config::LocatedText& sql, std::string key) {
    config::Problem problem{config::Severity::error, sql.position(visible(sql.value, error.offset)), std::move(key),
                            "sql: " + error.message, false};
    switch (error.severity) {
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
    return problem;
}

}  // namespace

void RuleChecker::check(const config::GatewayConfig& config, config::Problems& problems) {
    // All at once, as the gateway will compile them; rules without readable SQL are reported already.
    config::GatewayConfig readable;
    std::vector<std::size_t> origin;
    for (std::size_t i = 0; i < config.rules.size(); ++i) {
        if (config.rules[i].sql.value.empty()) continue;
        readable.rules.push_back(config.rules[i]);
        origin.push_back(i);
    }
    const rules::Compiled compiled = rules::compile(specs_of(readable));
    for (std::size_t i = 0; i < readable.rules.size(); ++i) {
        const config::RuleConfig& rule = readable.rules[i];
        const std::string key = fmt::format("rules[{}]", origin[i]);
        bool wrong = false;
        for (const rules::SqlError& error : compiled.problems[i]) {
            wrong = wrong || error.severity == rules::Severity::error;
            problems.push_back(problem_of(error, rule.sql, key + ".sql"));
        }
        if (wrong) continue;  // its columns are not known, and complaints about them would only distract
        for (std::size_t d = 0; d < rule.to.size(); ++d) {
            if (!rule.to[d].is_topic()) continue;
            const config::LocatedText& topic = rule.to[d].topic;
            for (const auto& error : router::compile_template(topic.value, compiled.rules[i].columns).errors) {
                problems.push_back({config::Severity::error, topic.position(error.offset), fmt::format("{}.to[{}].topic", key, d),
                                    "topic: " + error.message, false});
            }
        }
    }
}

}  // namespace sluice::gateway

// What a plan will do, for people: `sluice rule explain`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flow/rules/plan.hpp"

namespace sluice::rules {

/// State that a rule keeps for each of its keys.
struct ExplainedState {
    std::string what;                      ///< the call as it stands in the SQL, or the window
    std::string key;                       ///< expressions of its key; empty: the whole stream
    std::size_t bytes_a_key = 0;           ///< at least: texts and lists that it keeps come on top
    std::vector<std::string> shared_with;  ///< ids of other rules that use the same state
    std::size_t accumulators = 0;          ///< of a window: what it adds up, for all rules that share it
};

struct ExplainedRule {
    std::string id;
    std::vector<std::string> filters;
    std::vector<std::string> fields;     ///< that are taken out of the payload; none and no star: it is not read at all
    std::vector<std::string> scan_with;  ///< ids of other rules over the same filters: one scan serves all
    std::vector<std::string> joins;      ///< table, how its row is found, what happens without one
    std::string place;                   ///< where it runs: "any shard", "by key" or "one shard"
    std::string where;                   ///< after constants were computed; empty: none
    std::size_t found_with = 0;          ///< rules whose first condition is decided together with this one's, itself included; 0: asked
    std::vector<ExplainedState> states;
    std::string having;
    std::vector<std::string> columns;         ///< name, or name = expression
    std::size_t state_bytes_max = 0;          ///< its own bound; 0: limits.rule_state
    bool forgets = false;                     ///< where there is no room: the key that was not seen for longest
    std::vector<std::string> bounded_with{};  ///< ids of the rules whose bounds are put together with its own
    std::size_t bytes_a_key = 0;              ///< of all its states that no earlier rule has, and of the key's own row
};

/// One a rule, in the order of the plan.
[[nodiscard]] std::vector<ExplainedRule> explain(const Plan& plan);

}  // namespace sluice::rules

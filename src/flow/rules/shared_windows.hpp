// Rules with the same window (key, form, lengths, WHERE, topics) keep it together: its work is done once a reading, and each of them puts
// out rows of its own. Which rules may is decided here, which do by each engine (window_sharing.cpp): docs/decisions/0036.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "flow/rules/engine.hpp"
#include "flow/rules/plan_data.hpp"
#include "flow/rules/stored_value.hpp"

namespace sluice::rules {

/// What a window takes in the row of a key, beside the ring of a hopping count window.
[[nodiscard]] std::size_t row_bytes(const WindowPlan& window);
[[nodiscard]] std::size_t ring_bytes(const WindowPlan& window);

/// Finds the rules that may share: two at least a group.
void group_windows(PlanData& data, std::span<const RuleSpec> specs);

/// A rule of a shared window.
struct WindowMember {
    std::uint32_t rule = 0;
    const WindowPlan* own = nullptr;          ///< the rule's window as it would be alone: so it is saved
    std::vector<std::uint32_t> accumulators;  ///< of the shared window: for each of its own
    bool contributes = false;                 ///< has accumulators that no earlier member has
};

/// One window of several rules, in an engine.
struct SharedWindow {
    WindowPlan window;  ///< with the accumulators of all
    /// What it keeps counts for each member, as if each kept it alone: so it is saved, and what is saved must be bounded.
    StateBudget budget;
    std::vector<WindowMember> members;
    // Counted once, for the members to be told: what happened to all of them, and to those with an accumulator.
    RuleCounters common;
    std::vector<RuleCounters> by_accumulator;
    /// Medians and percentiles are sorted for once a row.
    struct Sorted {
        Function function = Function::median;
        double p = 0;
        std::uint32_t accumulator = 0;
        json::Value value = json::Value::null();
    };
    std::vector<Sorted> sorted;
    static constexpr std::uint32_t kNotSorted = UINT32_MAX;
    std::vector<std::vector<std::uint32_t>> sorted_of;  ///< by member and aggregate: index into `sorted`, or kNotSorted
};

/// The window of these rules together, not yet placed in a row.
[[nodiscard]] SharedWindow unite(const PlanData& data, std::span<const std::uint32_t> rules);

}  // namespace sluice::rules

// Many rules over the same readings that differ in a constant only: `v > 3`, `v > 4`, …; `device = 'a'`, `device = 'b'`, …
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "flow/rules/plan_data.hpp"

namespace sluice::rules {

/// Finds the rules whose first condition holds without asking each of them: what they compare is evaluated once, and their constants are
/// sorted. A rule that is not found would not have passed WHERE, nor counted anything but that it was evaluated.
class RuleGates {
public:
    RuleGates() = default;
    /// `rules`: in order; those that no gate can decide are `others`.
    RuleGates(const PlanData& plan, std::span<const std::uint32_t> rules);

    [[nodiscard]] std::span<const std::uint32_t> others() const { return others_; }
    [[nodiscard]] bool empty() const { return gates_.empty(); }
    /// Of the rules that have a gate: where one has no room for the reading's key, they must be asked.
    [[nodiscard]] std::span<const std::uint32_t> tables() const { return tables_; }

    /// Appends the rules that must be asked, in no order. Counts the others as evaluated.
    void choose(Scope& scope, std::vector<std::uint32_t>& rules);
    /// All rules that have a gate.
    void all(std::vector<std::uint32_t>& rules) const;
    /// The rules of each gate.
    [[nodiscard]] std::vector<std::vector<std::uint32_t>> groups() const;
    /// Hands over what was counted; the counters of each rule, or pointers to them.
    template <class Counters>
    void flush(Counters& counters) {
        const auto of = [](auto& counter) -> auto& {
            if constexpr (requires { *counter; })
                return *counter;
            else
                return counter;
        };
        for (Gate& gate : gates_) {
            for (Entry& entry : gate.entries) {
                const std::uint64_t spared = gate.decided - std::exchange(entry.asked, 0);
                of(counters[entry.rule]).evaluated += spared;
                of(counters[entry.rule]).gated += spared;
            }
            gate.decided = 0;
        }
    }

private:
    enum class Kind : std::uint8_t {
        above,  ///< subject > constant, subject >= constant: the least constant first
        below,  ///< subject < constant, subject <= constant: the greatest first
        equal,  ///< subject = constant: by order of the constants, all of one type
    };
    struct Entry {
        Value constant;
        bool strict = false;  ///< > or <; of equal constants those that are not strict come first
        std::uint32_t rule = 0;
        std::uint64_t asked = 0;
    };
    struct Gate {
        Kind kind = Kind::above;
        NodeId subject = 0;
        std::vector<Entry> entries;
        std::uint64_t decided = 0;  ///< readings for which this gate chose
    };

    static void choose(Gate& gate, const Value& subject, std::vector<std::uint32_t>& rules);

    std::vector<Gate> gates_;
    std::vector<std::uint32_t> tables_;
    std::vector<std::uint32_t> others_;
};

}  // namespace sluice::rules

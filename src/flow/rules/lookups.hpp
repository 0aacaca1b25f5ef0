// Rows of reference tables that belong to the present reading.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "flow/rules/plan_data.hpp"
#include "flow/rules/reference_table.hpp"

namespace sluice::rules {

/// Each row is looked for once a reading, when it is first needed. Owned by one engine.
class Lookups {
public:
    /// `turn`: another number for each reading.
    Lookups(const PlanData& plan, const std::uint64_t& turn);

    /// Between two readings: new content for the tables with these names.
    void use(std::span<const NamedTable> tables);

    /// nullptr: there is none.
    [[nodiscard]] const Value* row(Scope& scope, std::uint32_t lookup) {
        Found& found = found_[lookup];
        if (found.turn != turn_) look(scope, lookup, found);
        return found.row;
    }
    /// A column of ReferencePlan::columns; NULL without a row.
    [[nodiscard]] Value value(Scope& scope, std::uint32_t lookup, std::uint32_t column) {
        const Value* its = row(scope, lookup);
        if (its == nullptr) return Value::null();
        const std::uint32_t at = sources_[plan_.lookups[lookup].reference].columns[column];
        return at == kGone ? Value::null() : its[at];
    }

private:
    static constexpr std::uint32_t kGone = UINT32_MAX;
    struct Source {
        std::shared_ptr<const ReferenceTable> table;
        std::vector<std::uint32_t> columns;  ///< of the table, for each of the plan's
    };
    struct Found {
        std::uint64_t turn = 0;
        const Value* row = nullptr;
        std::vector<Value> key;
        base::Bytes scratch;
    };

    void bind(std::uint32_t reference, std::shared_ptr<const ReferenceTable> table);
    void look(Scope& scope, std::uint32_t lookup, Found& found);

    const PlanData& plan_;
    const std::uint64_t& turn_;
    std::vector<Source> sources_;
    std::vector<Found> found_;
};

}  // namespace sluice::rules

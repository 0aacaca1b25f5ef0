#include "flow/rules/lookups.hpp"

#include <algorithm>

#include "flow/rules/key_table.hpp"

namespace sluice::rules {

Lookups::Lookups(const PlanData& plan, const std::uint64_t& turn)
    : plan_(plan), turn_(turn), sources_(plan.references.size()), found_(plan.lookups.size()) {
    for (std::uint32_t i = 0; i < plan.references.size(); ++i) bind(i, plan.references[i].table.table);
    for (std::uint32_t i = 0; i < plan.lookups.size(); ++i) found_[i].key.resize(plan.lookups[i].key.size());
}

void Lookups::use(std::span<const NamedTable> tables) {
    for (std::uint32_t i = 0; i < plan_.references.size(); ++i) {
        const auto given = std::find_if(tables.begin(), tables.end(),
                                        [&](const NamedTable& table) { return table.name == plan_.references[i].table.name; });
        if (given != tables.end()) bind(i, given->table);
    }
    for (Found& found : found_) found.turn = 0;  // no reading's
}

void Lookups::bind(std::uint32_t reference, std::shared_ptr<const ReferenceTable> table) {
    if (table == nullptr) return;  // no rule could be compiled that joins it
    Source& source = sources_[reference];
    const auto columns = table->columns();
    source.columns.clear();
    for (const std::string& wanted : plan_.references[reference].columns) {
        const auto at = std::find(columns.begin(), columns.end(), wanted);
        source.columns.push_back(at == columns.end() ? kGone : static_cast<std::uint32_t>(at - columns.begin()));
    }
    source.table = std::move(table);
}

void Lookups::look(Scope& scope, std::uint32_t lookup, Found& found) {
    const LookupPlan& plan = plan_.lookups[lookup];
    found.turn = turn_;
    found.row = nullptr;
    for (std::size_t i = 0; i < plan.key.size(); ++i) {
        found.key[i] = evaluate(scope, plan.key[i]);
        // NULL equals nothing, nor do arrays and objects.
        if (found.key[i].is_null() || found.key[i].kind() == json::Kind::raw) return;
    }
    found.row = sources_[plan.reference].table->find(encode_key(found.key, found.scratch));
}

}  // namespace sluice::rules

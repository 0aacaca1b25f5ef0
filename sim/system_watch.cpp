#include "sim/system_watch.hpp"

#include <fmt/format.h>

namespace sluice::sim {

namespace {

constexpr auto kSpoolFull = static_cast<std::size_t>(base::DropReason::spool_full);

/// On disk and wanted.
std::uint64_t durable_waiting(const spool::ClassStats& row) { return row.waiting - row.pending; }

}  // namespace

Verdict SpoolWatch::look(const spool::Stats& now) {
    Verdict verdict = check_sums(now);
    if (!verdict.broken() && before_) verdict = check_drops(now);
    before_ = now;
    return verdict;
}

Verdict SpoolWatch::check_sums(const spool::Stats& now) {
    for (const auto& row : now.classes)
        if (row.created != row.delivered + row.waiting + row.dropped_total())
            return {Checker::ledger, fmt::format("{}: created {} is not delivered {} + waiting {} + dropped {}", row.name, row.created,
                                                 row.delivered, row.waiting, row.dropped_total())};
    return {};
}

/// Where the limit made a class lose events in this step, nothing older may be left of less important ones, and what was lost may not be
/// what came last.
Verdict SpoolWatch::check_drops(const spool::Stats& now) const {
    for (std::size_t i = 0; i < now.classes.size(); ++i) {
        const auto& row = now.classes[i];
        const auto& old = before_->classes[i];
        if (row.dropped[kSpoolFull] <= old.dropped[kSpoolFull]) continue;
        const auto unnumbered = row.created - old.created - (row.last.value() - old.last.value());
        if (unnumbered != 0 && unnumbered <= row.created && durable_waiting(row) != 0)
            return {Checker::drop_order,
                    fmt::format("{}: a new event was refused while {} older ones wait", row.name, durable_waiting(row))};
        for (std::size_t lower = i + 1; lower < now.classes.size(); ++lower) {
            const auto& less = now.classes[lower];
            const auto fresh = less.durable.value() - before_->classes[lower].durable.value();
            if (durable_waiting(less) > fresh)
                return {Checker::drop_order, fmt::format("events of class {} were dropped while {} older ones of class {} wait", row.name,
                                                         durable_waiting(less) - fresh, less.name)};
        }
    }
    return {};
}

}  // namespace sluice::sim

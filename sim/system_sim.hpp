// One run of the whole system under the faults of one seed: devices -> spool -> uplink -> network -> cloud -> store, in virtual time.
#pragma once

#include <cstdint>

#include "sim/system_defect.hpp"
#include "sim/system_plan.hpp"

namespace sluice::sim {

struct SystemResult {
    Verdict verdict;  ///< not broken: every promise was kept
    std::uint64_t events = 0;
    std::uint64_t acked = 0;
    std::uint64_t stored = 0;
    std::uint64_t duplicates = 0;   ///< resends that the cloud recognised
    std::uint64_t gone = 0;         ///< numbers reported as dropped
    std::uint64_t resets = 0;       ///< of connections
    std::uint32_t boots = 0;        ///< of the gateway
    std::uint64_t undone = 0;       ///< numbers that the cloud had and that a backup did not have
    std::uint64_t taken_over = 0;   ///< connections, by another one with the same id
    std::uint64_t misdirected = 0;  ///< writes
    std::uint64_t steps = 0;
    double virtual_seconds = 0;
    double gateway_days = 0;  ///< the same in days, for each gateway
};

/// The same plan and defect give the same result, always and everywhere.
[[nodiscard]] SystemResult simulate(const SystemPlan& plan, Defect defect = Defect::none);

}  // namespace sluice::sim

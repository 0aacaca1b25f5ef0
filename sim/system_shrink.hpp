// Makes the plan of a failing seed as small as it gets while it still breaks the same promise.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sim/system_sim.hpp"

namespace sluice::sim {

struct Shrunk {
    SystemPlan plan;
    SystemResult result;     ///< of that plan
    std::uint64_t runs = 0;  ///< simulations that it took
};

/// Greedy: each kind of fault to nothing, then each number to a half, then by one, until nothing more can go. A smaller plan draws other
/// moments, so each step is tried with some salts. `runs_max` bounds the effort; `progress` hears of every step that held.
/// The plan fails (simulate() gives a broken verdict) with this defect.
[[nodiscard]] Shrunk shrink(const SystemPlan& plan, Defect defect, std::uint64_t runs_max,
                            const std::function<void(const SystemPlan&)>& progress);

/// The words for sluice_simulate that run this plan again.
[[nodiscard]] std::string repeat_with(const SystemPlan& plan, Defect defect);

}  // namespace sluice::sim

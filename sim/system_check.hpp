// The checkers at the end of a run: compare what the cloud has with what the world was told.
#pragma once

#include <string>
#include <vector>

#include "sim/system_cloud.hpp"
#include "sim/system_gateway.hpp"
#include "sim/system_verdict.hpp"

namespace sluice::sim {

/// At the end, everything drained.
struct Evidence {
    const SystemPlan& plan;
    const CloudMachine& cloud;
    std::vector<const GatewayMachine*> gateways;
};

/// The first promise that was broken, if any (kCheckers says which there are):
///
/// 1. Acked means safe: every event of an acknowledged reading is in the cloud, or its number is in a gap that the gateway has told, with a
///    reason that something in this run explains.
/// 2. Once in the cloud, in order: no event twice, none changed; within a class the events lie in the order in which the gateway took them.
/// 3. Nothing lost silently: numbers of a stream without a hole up to `next`, each an event or in exactly one gap with a reason; the
///    gateway's ledger counts at least what is missing.
///
/// Excused: what lay on a disk that was lost, and what the cloud had when it was put back to a backup. The latter must show: as a gap with
/// the reason `unexplained`, or as a stream that does not begin at 1 where the backup did not know it.
[[nodiscard]] Verdict find_broken_promise(const Evidence& evidence);

/// The cloud shows the account of this gateway as it is now.
[[nodiscard]] bool shows_ledger(const CloudMachine& cloud, const GatewayMachine& gateway);

}  // namespace sluice::sim

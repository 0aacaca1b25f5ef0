// The checkers of promises 1 to 3: compare what the cloud has with what the world was told.
#pragma once

#include <string>

#include "cloud/memory_store.hpp"
#include "flow/spool/spool.hpp"
#include "sim/system_gateway.hpp"
#include "sim/system_journal.hpp"

namespace sluice::sim {

struct Evidence {
    const SystemPlan& plan;
    const Journal& journal;
    const cloud::MemoryStore& store;
    spool::Stats gateway;  ///< at the end, everything drained
};

/// Empty: all promises were kept. Else the first one that was broken, in words.
///
/// 1. Acked means safe: every event of an acknowledged reading is in the cloud, or its number is in a gap that the gateway has told.
/// 2. Once in the cloud, in order: no event twice; within a class the events lie in the order in which the gateway took them.
/// 3. Nothing lost silently: numbers of a stream without a hole up to `next`, each an event or in exactly one gap with a reason; the
/// gateway's ledger
///    counts at least what is missing; where the plan allows no loss, nothing is missing.
[[nodiscard]] std::string find_broken_promise(const Evidence& evidence);

}  // namespace sluice::sim

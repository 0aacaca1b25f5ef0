// What the rules remember, after a start: the last checkpoint, moved on by the readings of the journal.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>

#include "env/clock.hpp"
#include "flow/rules/engine.hpp"
#include "gateway/state_journal.hpp"
#include "gateway/state_store.hpp"

namespace sluice::gateway {

struct RecoveredState {
    std::chrono::nanoseconds shift{0};  ///< from the clock of this process to the journal's time
    std::uint64_t readings = 0;         ///< replayed
    std::uint64_t lost = 0;             ///< journal records that should have been there
    std::size_t unreadable = 0;         ///< files and records that could not be used
};

/// `engines`: those of all shards, in their order. `journal`: nullptr where there is none; else settled, what it `found` then.
/// `interrupted`: the last run did not end cleanly. Says in the log what it does. Errors: io (of the journal).
base::Result<RecoveredState> recover_state(StateStore& store, StateJournal* journal, const StateJournal::Found& found,
                                           std::span<rules::Engine* const> engines, const env::Clock& clock, bool interrupted);

}  // namespace sluice::gateway

// What a rule with state knows in a simulated gateway: which readings it has counted, by the real journal of rule state and checkpoints.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "env/clock.hpp"
#include "gateway/state_journal.hpp"
#include "sim/system_defect.hpp"
#include "sim/system_verdict.hpp"

namespace sluice::sim {

/// What outlives a process: the last checkpoint. It is replaced as a whole.
struct Checkpoint {
    std::set<std::uint64_t> readings;
    std::uint64_t position = 0;
};

/// Lives as long as a process of the gateway. Readings are their ids.
class RuleState {
public:
    /// Errors: those of the journal; the process cannot start then.
    static base::Result<std::unique_ptr<RuleState>> open(const spool::Spool::Environment& environment, Defect defect,
                                                         const Checkpoint& checkpoint, spool::Spool& events);

    /// A reading moves the state.
    void take(std::uint64_t reading);
    void note(const spool::Spool& events, data::Sequence sequence, const data::Event& event) {
        if (defect_ != Defect::journal_lacks_events) journal_->note(events, sequence, event);
    }
    /// The journal, then the events. `on_safe` runs when all that was taken may be acknowledged before the spool has its events.
    base::Status commit(spool::Spool& events, const std::function<void()>& on_safe);
    /// Right after a commit that succeeded: all that was taken goes into the checkpoint.
    void save(Checkpoint& checkpoint);
    base::Status maintain() { return journal_->maintain(); }
    base::Status close() { return journal_->close(); }

    [[nodiscard]] const std::set<std::uint64_t>& readings() const { return readings_; }
    /// Set when a reading counts twice.
    [[nodiscard]] const Verdict& verdict() const { return verdict_; }

private:
    class Replay;
    RuleState(const env::Clock& clock, Defect defect, const Checkpoint& checkpoint)
        : clock_(clock), defect_(defect), readings_(checkpoint.readings) {}
    void count(std::uint64_t reading);

    const env::Clock& clock_;
    Defect defect_;
    std::unique_ptr<gateway::StateJournal> journal_;
    std::set<std::uint64_t> readings_;
    bool failing_ = false;  ///< the last commit
    Verdict verdict_;
};

}  // namespace sluice::sim

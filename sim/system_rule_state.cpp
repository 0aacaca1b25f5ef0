#include "sim/system_rule_state.hpp"

#include <fmt/format.h>

namespace sluice::sim {

/// Counts the readings of the journal that are not in the checkpoint.
class RuleState::Replay final : public gateway::StateJournal::Visitor, private gateway::TurnVisitor {
public:
    Replay(RuleState& state, std::uint64_t from) : state_(state), from_(from) {}
    void on_turn(std::uint64_t position, base::ByteView record) override {
        if (position >= from_) (void)gateway::read_turn(record, *this);  // one that cannot be read does not count
    }

private:
    void on_reading(const data::Reading& reading, rules::Origin) override {
        state_.count(std::stoull(std::string(base::as_text(reading.payload))));
    }
    void on_time(gateway::JournalMoment, rules::Origin) override {}
    RuleState& state_;
    std::uint64_t from_;
};

base::Result<std::unique_ptr<RuleState>> RuleState::open(const spool::Spool::Environment& environment, Defect defect,
                                                         const Checkpoint& checkpoint, spool::Spool& events) {
    std::unique_ptr<RuleState> state(new RuleState(environment.clock, defect, checkpoint));
    auto journal = gateway::StateJournal::open(environment, {.directory = "/data/state/journal"});
    if (!journal) return journal.error();
    state->journal_ = std::move(*journal);
    if (const auto settled = state->journal_->settle(events); !settled) return settled.error();
    Replay replay(*state, checkpoint.position);
    if (const auto read = state->journal_->read(replay); !read) return read.error();
    return state;
}

void RuleState::count(std::uint64_t reading) {
    if (readings_.insert(reading).second || verdict_.broken()) return;
    verdict_ = {Checker::state, fmt::format("the reading of event {} counts twice", reading)};
}

void RuleState::take(std::uint64_t reading) {
    count(reading);
    gateway::TurnJournal turn({.shard = 0, .shards = 1});
    const std::string payload = std::to_string(reading);
    turn.add({.topic = "t", .payload = base::as_bytes(payload), .client = "c", .arrived = clock_.wall().time, .at = clock_.now()});
    for (const base::Bytes& record : turn.take()) journal_->append(record);
}

/// As Backbone::commit.
base::Status RuleState::commit(spool::Spool& events, const std::function<void()>& on_safe) {
    const gateway::JournalMoment now{clock_.now(), clock_.wall().time};
    base::Status done;
    if (defect_ == Defect::events_before_journal) done = events.commit();
    if (done) {
        const auto safe = journal_->commit(events, now, true);
        if (safe && *safe && !failing_ && !events.has_unsaved_losses()) {
            events.promise();
            on_safe();
        }
        if (!safe) done = safe.error();
    }
    if (auto spooled = events.commit(); !spooled) done = spooled;
    failing_ = !done;
    return done;
}

void RuleState::save(Checkpoint& checkpoint) {
    checkpoint = {readings_, journal_->position()};
    journal_->release(checkpoint.position);
}

}  // namespace sluice::sim

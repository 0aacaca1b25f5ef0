#include "gateway/state_recovery.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include <spdlog/spdlog.h>

namespace sluice::gateway {
namespace {

/// The wall clock may say anything after a start; times further away would leave what 64 bits can say.
constexpr std::chrono::hours kAwayMax{24 * 3650};
constexpr std::uint64_t kProgressReadings = 1'000'000;

/// Gives each reading of the journal to the engine that takes its keys now, unless the checkpoint has it.
class Replay final : public StateJournal::Visitor, private TurnVisitor {
public:
    Replay(std::span<rules::Engine* const> engines, std::chrono::nanoseconds shift) : engines_(engines), shift_(shift) {}

    void have(rules::Origin origin, std::uint64_t position) {
        floors_[{origin.shard, origin.shards}] = position;
        floor_ = std::min(floor_, position);
    }
    void on_turn(std::uint64_t position, base::ByteView record) override {
        position_ = position;
        if (!read_turn(record, *this)) ++unreadable;
    }

    std::uint64_t readings = 0;
    std::size_t unreadable = 0;

private:
    [[nodiscard]] bool known(rules::Origin origin) const {
        const auto floor = floors_.find({origin.shard, origin.shards});
        if (floor != floors_.end()) return position_ < floor->second;
        // A shard of that run that had not saved has all it knows from the journal; what runs with other numbers did is in what was saved
        // since.
        return !floors_.empty() && floors_.begin()->first.second != origin.shards && position_ < floor_;
    }
    void on_reading(const data::Reading& reading, rules::Origin origin) override {
        if (known(origin)) return;
        data::Reading then = reading;
        then.at -= shift_;
        if (origin.shards == engines_.size())
            engines_[origin.shard]->replay(then, origin);
        else
            for (rules::Engine* engine : engines_) engine->replay(then, origin);
        if (++readings % kProgressReadings == 0) spdlog::info("rule state: {} million readings replayed", readings / kProgressReadings);
    }
    void on_time(JournalMoment at, rules::Origin origin) override {
        if (known(origin)) return;
        if (origin.shards == engines_.size()) return engines_[origin.shard]->replay_time(at.at - shift_, at.wall);
        // The keys of several shards are together now: only what each of them has put out is out.
        std::vector<base::Monotonic>& times = times_[origin.shards];
        times.resize(origin.shards, base::Monotonic::min());
        times[origin.shard] = at.at;
        const base::Monotonic all = *std::min_element(times.begin(), times.end());
        if (all == base::Monotonic::min()) return;
        for (rules::Engine* engine : engines_) engine->replay_time(all - shift_, at.wall);
    }

    std::span<rules::Engine* const> engines_;
    std::chrono::nanoseconds shift_;
    std::map<std::pair<unsigned, unsigned>, std::uint64_t> floors_;  // by shard and their number: the first position not in the checkpoint
    std::uint64_t floor_ = std::numeric_limits<std::uint64_t>::max();
    std::map<unsigned, std::vector<base::Monotonic>> times_;
    std::uint64_t position_ = 0;
};

}  // namespace

base::Result<RecoveredState> recover_state(StateStore& store, StateJournal* journal, const StateJournal::Found& found,
                                           std::span<rules::Engine* const> engines, const env::Clock& clock, bool interrupted) {
    RecoveredState out;
    out.lost = found.lost;
    const auto saved = store.load_rule_state(out.unreadable);
    std::optional<JournalMoment> last = found.last;
    for (const SavedRules& each : saved) {
        if (each.head && (!last || each.head->at.at > last->at)) last = each.head->at;
    }
    const base::Monotonic now = clock.now();
    const base::WallTime wall = clock.wall().time;
    if (last) {
        // As long as the process was away, by the wall clock: there is no other.
        const auto away = std::clamp<std::chrono::nanoseconds>(wall - last->wall, std::chrono::nanoseconds(0), kAwayMax);
        out.shift = last->at + away - now;
    }
    Replay replay(engines, out.shift);
    const auto is_for = [&](const SavedRules& each, std::size_t shard) {
        return !each.head || each.head->origin.shards != engines.size() || each.head->origin.shard == shard;
    };
    for (std::size_t i = 0; i < engines.size(); ++i) {
        std::vector<base::ByteView> all;
        for (const SavedRules& each : saved) {
            if (is_for(each, i)) all.emplace_back(each.state);
        }
        engines[i]->expect(all);
    }
    for (const SavedRules& each : saved) {
        const bool journaled = each.head && journal != nullptr && each.head->position != 0 && each.head->position <= found.end;
        const auto restore = [&](rules::Engine& engine) {
            const auto done = each.head && (journaled || !interrupted)
                                  ? engine.restore(each.state, each.head->at.at - out.shift, each.head->at.wall)
                                  : engine.restore(each.state, now, wall, interrupted);
            if (!done) ++out.unreadable;
        };
        if (each.head) replay.have(each.head->origin, journaled ? each.head->position : std::numeric_limits<std::uint64_t>::max());
        for (std::size_t i = 0; i < engines.size(); ++i) {
            if (is_for(each, i)) restore(*engines[i]);
        }
    }
    if (journal != nullptr && found.turns != 0) {
        spdlog::info("rule state: replaying what came since it was saved");
        if (auto done = journal->read(replay); !done) return done.error();
        out.readings = replay.readings;
        out.unreadable += replay.unreadable;
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock.now() - now);
        spdlog::info("rule state: {} readings replayed in {} ms", out.readings, took.count());
    }
    for (rules::Engine* engine : engines) engine->end_replay();
    if (out.unreadable != 0) spdlog::warn("{} parts of the rules' state cannot be read: the rules concerned warm up anew", out.unreadable);
    if (out.lost != 0) spdlog::error("rule state: {} records of the journal are missing; state lacks their readings", out.lost);
    return out;
}

}  // namespace sluice::gateway

// Which turns of a shard still wait for storage. A turn that produced events, recorded something of sessions, or handed readings or
// messages to other shards is pending until its events and its records are durable and the other shards said the same of theirs;
// acknowledgements of the turn leave when it and all before it are complete.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "base/check.hpp"

namespace sluice::gateway {

class TurnLedger {
public:
    /// Number of the turn under way: the ticket of its readings. Starts at 1; 0 means "nothing to wait for".
    [[nodiscard]] std::uint64_t current() const { return current_; }

    struct Own {
        bool events = false;   ///< it sent events to the spool
        bool records = false;  ///< it sent records to the session thread that are awaited
        friend bool operator==(const Own&, const Own&) = default;
    };
    /// Ends the turn under way as a pending one. `forwards`: batches sent to other shards.
    void close(Own own, unsigned forwards) {
        base::check(own.events || own.records || forwards != 0, "turns: a turn that waits for nothing needs no number");
        // Turns that wait for the same disk alone are one run, however many: a dead disk must not fill the memory with them.
        const bool joins = forwards == 0 && !runs_.empty() && runs_.back().disk_only && runs_.back().own == own;
        if (!joins) runs_.push_back({current_, forwards, own, forwards == 0});
        ++current_;
    }

    /// Another shard is done with what the turn sent it.
    void forward_done(std::uint64_t turn) {
        const auto run =
            std::lower_bound(runs_.begin(), runs_.end(), turn, [](const Run& each, std::uint64_t at) { return each.first < at; });
        base::check(run != runs_.end() && run->first == turn && run->forwards != 0, "turns: an answer that nobody asked for");
        --run->forwards;
    }

    /// Own events and own records up to these turns are durable. Returns the last turn that is complete now, with all before it (0: none
    /// yet).
    std::uint64_t complete(std::uint64_t events_turn, std::uint64_t records_turn) {
        while (!runs_.empty()) {
            Run& run = runs_.front();
            if (run.forwards != 0) return run.first - 1;
            const std::uint64_t end = runs_.size() > 1 ? runs_[1].first : current_;
            std::uint64_t durable_turn = end - 1;
            if (run.own.events) durable_turn = std::min(durable_turn, events_turn);
            if (run.own.records) durable_turn = std::min(durable_turn, records_turn);
            if (durable_turn + 1 < end) {
                run.first = std::max(run.first, durable_turn + 1);
                return run.first - 1;
            }
            runs_.pop_front();
        }
        return current_ - 1;
    }

    [[nodiscard]] bool idle() const { return runs_.empty(); }
    [[nodiscard]] std::size_t runs() const { return runs_.size(); }

private:
    /// Turns from `first` to the next run's first.
    struct Run {
        std::uint64_t first;
        unsigned forwards;  ///< not answered yet
        Own own;
        bool disk_only;  ///< waits for no other shard; others are one turn long
    };
    std::uint64_t current_ = 1;
    std::deque<Run> runs_;
};

}  // namespace sluice::gateway

// What the outside world knows: which readings a device published, and which of them were acknowledged. The checkers compare the cloud with
// this.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "data/reading.hpp"

namespace sluice::sim {

class Journal {
public:
    struct Entry {
        std::uint64_t id = 0;  ///< in the event's JSON; grows in the order in which the gateway took the events
        data::ClassIndex event_class;
        data::Epoch epoch;
        data::Sequence sequence;
        bool moves_state = false;  ///< the reading moves the state of a rule: a turn of the journal of rule state
        bool acked = false;
        bool excused = false;                  ///< its disk was lost: it may be in the cloud or not
        std::uint64_t fingerprint = 0;         ///< of the JSON
        std::chrono::nanoseconds taken_at{0};  ///< by the simulation's time
    };

    /// Ids begin behind this one: gateways that share an id must not share events.
    explicit Journal(std::uint64_t ids_from = 0) : ids_(ids_from) {}

    std::uint64_t next_id() { return ++ids_; }
    void taken(Entry entry) {
        unnumbered_.insert(entry.id);
        pending_.push_back(entry);
    }
    /// All that was taken is on disk under the number that it got.
    void numbered() { unnumbered_.clear(); }
    /// An event that a start has found in the spool: one that only the journal of rule state had may have got another number, which nobody
    /// had seen before.
    void found(std::uint64_t id, data::Sequence sequence) {
        const auto entry = entries_.find(id);
        if (entry != entries_.end() && unnumbered_.contains(id)) entry->second.sequence = sequence;
    }
    /// The gateway says that all it has taken is safe.
    void ack_pending() {
        for (auto& entry : pending_) {
            entry.acked = true;
            entries_[entry.id] = entry;
        }
        pending_.clear();
    }
    /// The gateway has died: nobody was told about these. Each may be in the cloud once, or not.
    void lose_pending() {
        for (const auto& entry : pending_) entries_[entry.id] = entry;
        pending_.clear();
    }
    /// The data directory is gone with everything in it.
    void excuse_all() {
        lose_pending();
        unnumbered_.clear();
        for (auto& [id, entry] : entries_) entry.excused = true;
    }
    [[nodiscard]] const std::map<std::uint64_t, Entry>& entries() const { return entries_; }
    [[nodiscard]] std::size_t pending() const { return pending_.size(); }

private:
    std::uint64_t ids_;
    std::vector<Entry> pending_;
    std::set<std::uint64_t> unnumbered_;
    std::map<std::uint64_t, Entry> entries_;
};

}  // namespace sluice::sim

// The journal of what moved the rules' state since it was saved, on disk: docs/formats/state_journal.md. A spool of its own
// (`<data>/state/journal`) gives the sealing, the torn tails and the deletion from the front.
//
// What a group commit has of turns and of events is one record of this journal, as good as one: with its sync everything of it counts, and
// is acknowledged. The spool gets the events right afterwards; what it lacks after a crash a start takes from here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "flow/spool/spool.hpp"
#include "gateway/turn_journal.hpp"

namespace sluice::gateway {

struct JournalStats {
    std::uint64_t bytes_used = 0;
    std::uint64_t bytes_max = 0;
    std::uint64_t bytes_written = 0;  ///< since the folder was made
    std::uint64_t syncs = 0;
    std::uint64_t lost = 0;      ///< records dropped since start: the journal was full, or the disk
    std::uint64_t replayed = 0;  ///< readings at start
    std::uint64_t checkpoints = 0;
    std::uint64_t checkpoint_bytes = 0;  ///< of the last save of all shards
};

/// One thread: the wiring before the start, then the backbone.
class StateJournal {
public:
    struct Options {
        std::string directory;
        std::uint64_t bytes_max = 64U << 20;
    };
    /// Errors: as spool::Spool::open.
    static base::Result<std::unique_ptr<StateJournal>> open(const spool::Spool::Environment& environment, const Options& options);

    // ---- at start

    class Visitor {
    public:
        virtual ~Visitor() = default;
        /// A record for read_turn(), valid during the call.
        virtual void on_turn(std::uint64_t position, base::ByteView record) = 0;
    };
    struct Found {
        std::uint64_t turns = 0;
        std::uint64_t lost = 0;             ///< records that are missing between those that are there
        std::uint64_t brought = 0;          ///< events that the spool lacked
        std::uint64_t strange = 0;          ///< events of another spool, or of a class that is gone: not brought, and perhaps nowhere
        std::optional<JournalMoment> last;  ///< of the last commit that counts
        std::uint64_t end = 1;              ///< one past the last record that earlier runs left
    };
    /// Looks which commits count, writes that down for later starts, and brings events of theirs that are missing into the spool
    /// (committed). Once, and before anything else is appended to either; `events` does not commit when its memory is full. On a full disk
    /// `events` gives way. Errors: as spool::Spool::commit and read.
    base::Result<Found> settle(spool::Spool& events);
    /// The turns that count, in their order. Errors: io.
    base::Status read(Visitor& visitor);

    // ---- running

    /// Of the next record; below it lies what has been appended.
    [[nodiscard]] std::uint64_t position() const { return next_; }
    void append(base::ByteView turn);
    /// An event that the spool took with the turns since the last commit.
    void note(const spool::Spool& events, data::Sequence sequence, const data::Event& event);
    /// Before `events` commits. True: the turns and all that `events` took up to now are safe, whatever becomes of its commit. False: that
    /// is for the commit of `events` to say (there were no turns). `urgent`: takes events of several classes without turns as well, if they
    /// are not many: `events` needs a sync for each class. Commits `events` itself where it took more than is kept twice.
    /// Errors: as spool::Spool::commit; the next call tries again.
    base::Result<bool> commit(spool::Spool& events, JournalMoment now, bool urgent);
    /// Nothing below is needed any more.
    void release(std::uint64_t position);
    base::Status maintain() { return spool_->maintain(); }
    base::Status close() { return spool_->close(); }
    [[nodiscard]] JournalStats stats() const;
    [[nodiscard]] std::vector<spool::KeyUse> key_use() const { return spool_->key_use(); }

private:
    StateJournal(std::unique_ptr<spool::Spool> spool, std::size_t record_bytes_max);
    class Walk;
    base::Status walk(Walk& walk);
    base::Status start(spool::Spool& events, const std::vector<std::uint64_t>& not_counting, bool loose_end);
    /// `complete`: the spool has all events of the commits before, so that records of those may go where the disk is full.
    base::Status sync(spool::Spool& events, bool complete);
    base::Status add(base::ByteView record);
    void keep(const spool::Spool& events, data::Sequence sequence, const data::Event& event);
    void add_noted();
    void forget_noted();
    [[nodiscard]] bool saves_syncs() const;
    /// Does `events` lack any of what earlier commits brought?
    [[nodiscard]] bool is_ahead_of(const spool::Spool& events) const;
    [[nodiscard]] std::uint64_t lost() const;

    std::unique_ptr<spool::Spool> spool_;
    RecordPacker packer_;
    std::size_t event_bytes_max_;  // of one noted event
    std::uint64_t next_ = 1;
    std::uint64_t lost_before_ = 0;
    std::set<std::uint64_t> void_;  // positions of commit records that do not count: there are none since December 2026
    bool open_ = false;             // turns since the last commit record
    bool pending_ = false;          // not synced
    // The events since the last commit.
    base::Bytes noted_;
    std::vector<std::size_t> noted_ends_;
    std::uint32_t noted_classes_ = 0;  // a bit each
    bool too_much_ = false;            // not all are in noted_
    bool ahead_ = false;               // is_ahead_of() as of the last commit
    std::size_t ahead_bytes_ = 0;      // of turns and events that were committed meanwhile
    std::size_t turn_bytes_ = 0;       // since the last commit
    std::uint64_t turns_dropped_ = 0;
    std::vector<std::uint64_t> noted_until_;    // by class: one past the last one that was ever noted …
    std::vector<std::uint64_t> carried_until_;  // … as of the last commit that had turns
    std::uint64_t lost_known_ = 0;
    base::Bytes scratch_;
};

}  // namespace sluice::gateway

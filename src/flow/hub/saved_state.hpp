// Rows from disk, put together: what a hub restores.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "flow/hub/journal.hpp"

namespace sluice::hub {

/// Takes the rows of one data directory in any order, then hands out sessions. A row that cannot be read costs what it stands for, and a
/// session whose subscriptions are not all there goes as a whole: its client is told that there is no session, and subscribes again.
class SavedState {
public:
    /// `number`: of deliveries and what is in flight. False: not readable as a row of its kind, counted.
    bool add(RowKind kind, KeptId id, std::uint64_t number, base::Bytes&& body);
    /// There was one, and it cannot be read (its seal is broken).
    void add_unreadable(RowKind kind, KeptId id);

    /// Once, when all rows are in: sessions that ended first come first (those whose client was connected last), deliveries by number.
    void finish();
    /// After finish(); valid as long as this.
    [[nodiscard]] const std::vector<SavedSession>& sessions() const { return sessions_; }
    [[nodiscard]] const std::vector<MessageRow>& retained() const { return retained_; }
    /// Sessions of which rows are left that mean nothing any more.
    [[nodiscard]] const std::vector<KeptId>& remains() const { return remains_; }
    /// When the last session was left by its client: the directory is not younger.
    [[nodiscard]] Age least_age() const { return least_age_; }
    [[nodiscard]] KeptId greatest_id() const { return greatest_id_; }

    /// Rows that could not be read.
    [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
    /// Deliveries lost by that: their own row, or their session.
    [[nodiscard]] std::uint64_t deliveries_lost() const { return deliveries_lost_; }
    [[nodiscard]] std::uint64_t sessions_lost() const { return sessions_lost_; }

private:
    struct Parts {
        SavedSession session;
        std::map<std::uint64_t, SavedSession::Delivery> deliveries;
        bool found = false;
        bool broken = false;
    };
    base::ByteView keep(base::Bytes&& body);

    std::deque<base::Bytes> bodies_;
    std::map<KeptId, Parts> parts_;
    std::vector<SavedSession> sessions_;
    std::vector<MessageRow> retained_;
    std::vector<KeptId> remains_;
    KeptId greatest_id_ = 0;
    Age least_age_ = 1;
    std::uint64_t unreadable_ = 0;
    std::uint64_t deliveries_lost_ = 0;
    std::uint64_t sessions_lost_ = 0;
};

}  // namespace sluice::hub

// The sequence numbers of a class that the cloud will never get and has not yet confirmed to know about.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ledger.hpp"

namespace sluice::spool {

/// Sorted, disjoint ranges. One thread.
class GapList {
public:
    /// As many fit into a manifest for all classes. Gaps come from drops at the old end, which join, and from damage, which is rare.
    static constexpr std::size_t kGapsMax = 32;

    struct Entry {
        std::uint64_t first;
        std::uint64_t last;
        base::DropReason reason;
        bool announced = false;  ///< read() has handed it out since open
        friend bool operator==(const Entry&, const Entry&) = default;
    };

    /// Adds first … last (first ≤ last); what is a gap already stays as it is. Returns how many numbers are newly in a gap. When there
    /// would be more than kGapsMax entries, the two that are closest to each other become one, and what lay between them is a gap too.
    std::uint64_t add(std::uint64_t first, std::uint64_t last, base::DropReason reason);

    /// The entry that holds a number.
    [[nodiscard]] const Entry* find(std::uint64_t sequence) const;
    /// First number ≥ sequence that is in no gap.
    [[nodiscard]] std::uint64_t skip(std::uint64_t sequence) const;
    /// First number of the first gap that ends at or after `sequence`, or `otherwise`.
    [[nodiscard]] std::uint64_t next_gap(std::uint64_t sequence, std::uint64_t otherwise) const;
    /// Are all of first … last in gaps?
    [[nodiscard]] bool covers(std::uint64_t first, std::uint64_t last) const { return skip(first) > last; }

    /// Marks sequence … end of its entry as announced (splitting it) and returns that part; the number must be in a gap.
    Entry announce(std::uint64_t sequence);

    struct Removed {
        std::uint64_t announced = 0;
        base::DropCounts unannounced{};  ///< by reason: below `handed_out`, never announced
        std::uint64_t rest = 0;          ///< never announced, from handed_out on
    };
    /// Forgets everything below `end`.
    Removed remove_below(std::uint64_t end, std::uint64_t handed_out);

    [[nodiscard]] std::uint64_t total() const;
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

private:
    void join_neighbours();
    std::uint64_t shrink();

    std::vector<Entry> entries_;
};

}  // namespace sluice::spool

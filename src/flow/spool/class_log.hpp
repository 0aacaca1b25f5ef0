// One class of the spool in memory: its positions, its segments, what is pending. Only values; parts.hpp moves them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/ledger.hpp"
#include "flow/spool/block.hpp"
#include "flow/spool/gaps.hpp"
#include "flow/spool/segment_reader.hpp"
#include "flow/spool/segment_writer.hpp"
#include "flow/spool/spool.hpp"

namespace sluice::spool {

struct Segment {
    std::uint64_t number = 0;
    std::uint64_t first = 0;  ///< sequence numbers first … end − 1
    std::uint64_t end = 0;
    std::uint64_t bytes = 0;      ///< readable up to here
    std::uint64_t allocated = 0;  ///< on disk
    std::uint64_t oldest_ms = 0;  ///< running time when it was made
    KeyNumber key = 0;            ///< opens it; 0: unknown, its header is damaged
};

/// Where reading stands: sequential reads continue, others start at the beginning of a segment.
struct ReadCursor {
    std::uint64_t segment = 0;  ///< its number; 0: none
    std::unique_ptr<SegmentReader> reader;
    std::uint64_t offset = 0;  ///< of the next block
    bool loaded = false;       ///< `block` is the one in front of offset
    DecodedBlock block;
    std::uint64_t failed_at = 0;  ///< sequence number at which reading failed …
    unsigned failures = 0;        ///< … so often in a row
};

struct ClassLog {
    ClassOptions options;
    std::uint8_t slot = 0;
    bool configured = true;

    // acknowledged ≤ durable_end ≤ next. Below the first: settled. Between the first two: on disk or a gap. From the second on: pending.
    std::uint64_t acknowledged = 1;
    std::uint64_t durable_end = 1;
    std::uint64_t next = 1;
    std::uint64_t saved_next = 1;  ///< durable_end in the manifest on the medium: after a crash no number below it is used again
    std::uint64_t handed_out = 1;  ///< one past the greatest number that read() gave as an event since open
    std::uint64_t delivered = 0;
    std::uint64_t unnumbered = 0;
    std::uint64_t skipped = 0;  ///< numbers that no event is known to have had
    base::DropCounts dropped{};
    GapList gaps;

    std::deque<Segment> segments;  ///< in order; the last one is being written while `writer` is there
    std::unique_ptr<SegmentWriter> writer;
    std::vector<BlockBuilder> pending;  ///< durable_end … next − 1; holes only behind promised ones
    /// Of these, from the front: their events have been acknowledged already (Spool::promise).
    std::size_t promised = 0;
    std::vector<BlockBuilder> spare;  ///< at most one: keeps its memory from commit to commit
    std::uint64_t nothing_expires_before_ms = 0;
    /// DropPolicy::newest, and it was full: takes nothing until there is room for many, so that full and not full do not alternate with
    /// each segment that drains (each time is a gap, and those are few: GapList::kGapsMax).
    bool refusing = false;
    ReadCursor cursor;

    [[nodiscard]] std::uint64_t created() const { return next - 1 - skipped + unnumbered; }
    [[nodiscard]] std::uint64_t waiting() const { return next - acknowledged - gaps.total(); }
    /// None of the segment's events will be read again.
    [[nodiscard]] bool finished(const Segment& segment) const {
        const std::uint64_t first = std::max(segment.first, acknowledged);
        return first >= segment.end || gaps.covers(first, segment.end - 1);
    }
};

}  // namespace sluice::spool

#include <algorithm>
#include <cerrno>

#include "base/check.hpp"
#include "flow/spool/parts.hpp"

namespace sluice::spool {
namespace {

using base::DropReason;
using base::Errc;
using base::Result;
using base::Status;

/// A sector that cannot be read this often in a row is given up (and only if the disk can still be written).
constexpr unsigned kReadAttempts = 3;

/// Keeps base::from_ms within what nanoseconds in 64 bits can say (the years 1677 to 2262).
base::WallTime wall_time(std::int64_t ms) {
    constexpr std::int64_t kMsMax = INT64_MAX / 1'000'000;
    return base::from_ms(std::clamp(ms, -kMsMax, kMsMax));
}

}  // namespace

Status Parts::open_cursor(ClassLog& log, const Segment& segment) {
    ReadCursor& cursor = log.cursor;
    if (!cursor.reader || cursor.segment != segment.number) {
        auto reader = SegmentReader::open(environment.files, environment.sealer, segment_path(log, segment.number));
        if (!reader) return reader.error();
        if ((*reader)->lacks_key()) return base::Error{Errc::wrong_key};
        cursor.reader = std::move(*reader);
        cursor.segment = segment.number;
    }
    cursor.offset = kSegmentHeaderBytes;
    cursor.loaded = false;
    return {};
}

Result<bool> Parts::seek(ClassLog& log, const Segment& segment, std::uint64_t sequence) {
    ReadCursor& cursor = log.cursor;
    const auto lost_to = [&](std::uint64_t end) {  // the block with the event is not there: everything up to `end` is lost
        lose(log, sequence, std::min(end, segment.end) - 1, DropReason::corrupt);
        return false;
    };
    const bool in_segment = cursor.reader && cursor.segment == segment.number && cursor.loaded;
    if (in_segment && cursor.block.header.first <= sequence && sequence < cursor.block.header.end()) return true;
    // Go on from the last block, or else from the beginning.
    if (!in_segment || sequence < cursor.block.header.first) {
        if (auto opened = open_cursor(log, segment); !opened) {
            const Errc why = opened.error().code;  // everything else (permission, too many open files) may pass
            if (why == Errc::not_found && options.read_only) return opened.error();
            if (why == Errc::not_found || why == Errc::version || why == Errc::wrong_key) return lost_to(segment.end);
            return opened.error();
        }
    }
    while (true) {
        const auto look = cursor.reader->look(cursor.offset, segment.bytes);
        if (!look) return look.error();
        if (look->found == Found::end || look->found == Found::cut) return lost_to(segment.end);
        if (look->found == Found::no_header) {
            const auto next = cursor.reader->search(cursor.offset + 1, segment.bytes);
            if (next.found != Found::block) return lost_to(segment.end);
            cursor.offset = next.offset;
            cursor.loaded = false;
            continue;
        }
        const BlockHeader& header = look->header;
        if (header.first > sequence) return lost_to(header.first);
        if (header.end() <= sequence) {
            cursor.offset += header.size_on_disk();
            continue;
        }
        const Status loaded = cursor.reader->load(*look, unpacker, cursor.block);
        if (!loaded && loaded.error().code != Errc::corrupt) return loaded.error();
        cursor.offset += header.size_on_disk();
        cursor.loaded = loaded.has_value();
        if (!loaded) return lost_to(header.end());
        return true;
    }
}

Result<ReadResult> Parts::read(ClassLog& log, data::ClassIndex index, std::uint64_t from, ReadLimits limits, EventVisitor& visitor) {
    ReadResult result;
    std::size_t bytes = 0;
    from = std::max(from, log.acknowledged);
    while (true) {
        result.next = data::Sequence(from);
        if (from >= log.durable_end || result.events >= limits.events) return result;
        if (log.gaps.find(from) != nullptr) {
            if (result.events != 0) return result;
            if (losses_unsaved && !options.read_only) {
                if (auto saved = save(); !saved) return saved.error();
            }
            const GapList::Entry gap = log.gaps.announce(from);
            result.gap = Gap{data::Sequence(gap.first), data::Sequence(gap.last), gap.reason};
            result.next = data::Sequence(gap.last + 1);
            return result;
        }
        const auto holds = [&](const Segment& segment) { return segment.end > from; };
        const auto segment = std::find_if(log.segments.begin(), log.segments.end(), holds);
        if (segment == log.segments.end() || segment->first > from) {
            const std::uint64_t end = segment == log.segments.end() ? log.durable_end : segment->first;
            lose(log, from, end - 1, DropReason::corrupt);
            continue;
        }
        const auto found = seek(log, *segment, from);
        if (!found) {
            if (result.events != 0) return result;
            ReadCursor& cursor = log.cursor;
            cursor.failures = cursor.failed_at == from ? cursor.failures + 1 : 1;
            cursor.failed_at = from;
            const bool medium = found.error().os_errno == EIO;  // nothing else says that the bytes are gone
            if (!medium || cursor.failures < kReadAttempts) return found.error();
            if (auto saved = options.read_only ? Status() : save(); !saved) return found.error();
            // The medium can be written but this place cannot be read: what follows it in the segment may be.
            const auto next = cursor.reader && cursor.segment == segment->number ? cursor.reader->search(cursor.offset + 1, segment->bytes)
                                                                                 : SegmentReader::Look{};
            const std::uint64_t end = next.found == Found::block && next.header.first > from ? next.header.first : segment->end;
            lose(log, from, std::min(end, segment->end) - 1, DropReason::corrupt);
            cursor = ReadCursor{};
            continue;
        }
        if (!*found) continue;
        const DecodedBlock& block = log.cursor.block;
        const std::uint64_t stop = std::min({block.header.end(), segment->end, log.durable_end, log.gaps.next_gap(from, log.durable_end)});
        for (; from < stop && result.events < limits.events; ++from) {
            const DecodedBlock::Record& record = block.records[from - block.header.first];
            const std::size_t size = record.rule.size() + record.json.size();
            if (result.events != 0 && bytes + size > limits.bytes) return result;
            const data::Event event{index, record.rule, wall_time(record.made_ms), record.json};
            visitor.on_event(data::Sequence(from), event);
            bytes += size;
            ++result.events;
            log.handed_out = std::max(log.handed_out, from + 1);
            result.next = data::Sequence(from + 1);
        }
    }
}

void Parts::acknowledge(ClassLog& log, std::uint64_t last) {
    const std::uint64_t end = std::min(last, log.durable_end - 1) + 1;
    if (end <= log.acknowledged) return;
    std::uint64_t delivered = end - log.acknowledged;
    const GapList::Removed gone = log.gaps.remove_below(end, log.handed_out);
    delivered -= gone.announced + gone.rest;
    // Dropped after they were handed out, and confirmed before the cloud was told that they are gone: they arrived.
    for (std::size_t reason = 0; reason < gone.unannounced.size(); ++reason) {
        log.dropped[reason] -= gone.unannounced[reason];
        if (gone.unannounced[reason] != 0) losses_unsaved = true;
    }
    log.delivered += delivered;
    log.acknowledged = end;
    positions_unsaved = true;
    doom_finished(log);
}

}  // namespace sluice::spool

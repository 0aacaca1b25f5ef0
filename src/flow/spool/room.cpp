#include <algorithm>

#include "base/check.hpp"
#include "base/fail_point.hpp"
#include "flow/spool/parts.hpp"

namespace sluice::spool {

using base::DropReason;
using base::Errc;
using base::Result;
using base::Status;

namespace {

/// A class that refused takes events again when this part of its share is free: at most as many gaps at a time, a fourth of what fits
/// (GapList::kGapsMax).
constexpr std::uint64_t kRefusingShare = 8;
static_assert(kRefusingShare * 4 <= GapList::kGapsMax);

}  // namespace

void Parts::lose(ClassLog& log, std::uint64_t first, std::uint64_t last, DropReason reason) {
    first = std::max(first, log.acknowledged);
    if (first > last) return;
    log.dropped[static_cast<std::size_t>(reason)] += log.gaps.add(first, last, reason);
    losses_unsaved = true;
}

void Parts::lose_pending(ClassLog& log, std::size_t blocks, DropReason reason) {
    if (blocks == 0) return;
    const auto end = log.pending.begin() + static_cast<std::ptrdiff_t>(blocks);
    log.durable_end = log.pending[blocks - 1].end();
    log.promised -= std::min(log.promised, blocks);
    lose(log, log.pending.front().first(), log.durable_end - 1, reason);
    for (auto block = log.pending.begin(); block != end; ++block) pending_bytes -= block->size_in_memory();
    log.pending.erase(log.pending.begin(), end);
}

void Parts::doom(ClassLog& log, std::size_t at) {
    const Segment& segment = log.segments[at];
    if (log.cursor.segment == segment.number) log.cursor = ReadCursor{};
    if (at + 1 == log.segments.size()) log.writer.reset();
    doomed.push_back({segment_path(log, segment.number), segment.allocated, log.slot, segment.end, segment.key});
    log.segments.erase(log.segments.begin() + static_cast<std::ptrdiff_t>(at));
}

void Parts::doom_finished(ClassLog& log) {
    for (std::size_t at = 0; at < log.segments.size();) {
        const bool being_written = at + 1 == log.segments.size() && log.writer;
        if (!being_written && log.finished(log.segments[at])) {
            doom(log, at);
        } else if (log.gaps.entries().empty()) {
            return;  // what is delivered is in front
        } else {
            ++at;
        }
    }
}

ClassLog* Parts::victim(const ClassLog& log) {
    ClassLog* lowest = nullptr;
    for (ClassLog& other : logs) {
        if (other.segments.empty() || other.options.priority < log.options.priority) continue;
        if (lowest == nullptr || other.options.priority >= lowest->options.priority) lowest = &other;
    }
    return lowest;
}

void Parts::drop_segment(ClassLog& log, DropReason reason) {
    const bool oldest = log.options.drop == DropPolicy::oldest;
    const Segment& segment = oldest ? log.segments.front() : log.segments.back();
    if (segment.end > segment.first) lose(log, segment.first, segment.end - 1, reason);
    doom(log, oldest ? 0 : log.segments.size() - 1);
}

std::uint64_t Parts::bytes_held(const ClassLog& log) const {
    std::uint64_t bytes = 0;
    for (const Segment& segment : log.segments) bytes += segment.allocated;
    for (const Doomed& file : doomed) bytes += file.slot == log.slot ? file.allocated : 0;
    return bytes;
}

Result<bool> Parts::admit(ClassLog& log, std::uint64_t bytes) {
    if (log.options.drop == DropPolicy::oldest) {
        if (auto shrunk = shrink_to_share(log, bytes); !shrunk) return shrunk.error();
        return make_room(log, bytes);
    }
    const std::uint64_t wanted = log.refusing ? std::max(bytes, share_bytes(log) / kRefusingShare) : bytes;
    const auto over_share = [&] { return bytes_held(log) + wanted > share_bytes(log); };
    const auto over_all = [&] { return bytes_used() + wanted > options.bytes_max; };
    if (!doomed.empty() && (over_share() || over_all())) {
        if (const auto removed = remove_doomed(); !removed) return removed.error();
    }
    const ClassLog* const other = victim(log);
    const bool alone = other == nullptr || other == &log;  // no other class gives way
    log.refusing = over_share() || (alone && over_all());
    if (log.refusing) return false;
    return make_room(log, bytes);
}

Status Parts::shrink_to_share(ClassLog& log, std::uint64_t bytes) {
    while (bytes_held(log) + bytes > share_bytes(log)) {
        if (!doomed.empty()) {
            const auto removed = remove_doomed();
            if (!removed) return removed.error();
            if (*removed == 0) return base::Error{Errc::io};  // dropping more would free nothing either
            continue;
        }
        if (log.segments.empty()) return {};
        drop_segment(log, DropReason::spool_full);
    }
    return {};
}

Result<bool> Parts::make_room(const ClassLog& log, std::uint64_t bytes) {
    while (bytes_used() + bytes > options.bytes_max) {
        if (!doomed.empty()) {
            const auto removed = remove_doomed();
            if (!removed) return removed.error();
            if (*removed == 0) return base::Error{Errc::io};  // dropping more would free nothing either
            continue;
        }
        ClassLog* const lowest = victim(log);
        const bool keeps_old = lowest == &log && log.options.drop == DropPolicy::newest;
        if (lowest == nullptr || (keeps_old && bytes != 0)) return false;
        drop_segment(*lowest, DropReason::spool_full);
    }
    return true;
}

bool Parts::give_way(ClassLog& log) {
    // Where the manifest cannot be saved, dropping is not durable: keep the events in memory and say that the disk is ill. On a full disk
    // one file less may help; if it did not, more would not either.
    if (auto saved = save(); !saved && (saved.error().code != Errc::disk_full || removals_unsaved)) return false;
    if (doomed.empty()) {
        ClassLog* const lowest = victim(log);
        const bool keeps_old = lowest == &log && log.options.drop == DropPolicy::newest;
        if (lowest == nullptr || keeps_old) {
            if (log.pending.empty() || losses_unsaved) return false;
            lose_pending(log, log.pending.size(), DropReason::disk_full);
            return true;
        }
        drop_segment(*lowest, DropReason::disk_full);
    }
    const auto removed = remove_doomed();
    return removed && *removed != 0;
}

void Parts::make_memory(const ClassLog& log, std::size_t bytes) {
    while (pending_bytes + bytes > options.pending_bytes_max) {
        ClassLog* lowest = nullptr;
        for (ClassLog& other : logs) {
            if (other.pending.size() <= other.promised || other.options.priority < log.options.priority) continue;
            if (lowest == nullptr || other.options.priority >= lowest->options.priority) lowest = &other;
        }
        if (lowest == nullptr) return;
        if (lowest->promised == 0) {
            lose_pending(*lowest, 1, DropReason::disk_full);
            continue;
        }
        const auto oldest = lowest->pending.begin() + static_cast<std::ptrdiff_t>(lowest->promised);
        pending_bytes -= oldest->size_in_memory();
        lowest->pending.erase(oldest);
    }
}

/// What was dropped behind promised events is told when those are durable: numbers are settled in their order.
void Parts::pass_hole(ClassLog& log) {
    const std::uint64_t end = log.pending.empty() ? log.next : log.pending.front().first();
    if (end == log.durable_end) return;
    if (log.writer) close_segment(log);  // a segment has no holes but those that damage makes
    lose(log, log.durable_end, end - 1, DropReason::disk_full);
    log.durable_end = end;
}

Result<std::size_t> Parts::remove_doomed() {
    Status saved = save();
    if (!saved && saved.error().code == Errc::disk_full) saved = save();  // the slot is made anew
    std::size_t removed = 0;
    std::vector<Doomed> left;
    for (Doomed& file : doomed) {
        if (!saved && (saved.error().code != Errc::disk_full || removals_unsaved || !would_be_missed(file))) {
            left.push_back(std::move(file));
            continue;
        }
        const auto gone = environment.files.remove(file.path);
        base::pass(base::FailPoint::spool_segment_removed);
        if (gone || gone.error().code == Errc::not_found) {
            used -= file.allocated;
            if (file.key != 0 && file.key != environment.sealer.newest().number) removed_older.push_back({file.key, 1, file.allocated, 0});
            ++removed;
            removals_unsaved = !saved;
        } else {
            left.push_back(std::move(file));
        }
        if (!saved) saved = save();
    }
    doomed = std::move(left);
    if (!saved) return saved.error();
    return removed;
}

/// What recovery has after a crash is the last manifest that was saved, and the files. From these it must still know which numbers were
/// given out, or it would give them out again, and the cloud would take the new events for copies of the old ones.
bool Parts::would_be_missed(const Doomed& file) const {
    const auto log = std::find_if(logs.begin(), logs.end(), [&](const ClassLog& each) { return each.slot == file.slot; });
    if (log == logs.end()) return false;
    if (file.end <= log->saved_next) return true;
    return std::any_of(log->segments.begin(), log->segments.end(),
                       [&](const Segment& segment) { return segment.first >= file.end && segment.end > segment.first; });
}

Status Parts::save() {
    base::check(!options.read_only, "spool: saving a spool that is open for reading");
    Manifest manifest;
    const RunningTime::Saved now = time->to_save();
    manifest.epoch = epoch;
    manifest.running_ms = now.running_ms;
    manifest.wall_ms = now.wall_ms;
    manifest.next_segment = next_segment;
    manifest.bytes_accepted = bytes_accepted;
    manifest.bytes_written = bytes_written_before + blocks_written + manifests.bytes_written();
    for (const ClassLog& log : logs) {
        ManifestClass entry;
        entry.slot = log.slot;
        entry.name = log.options.name;
        entry.next = log.durable_end;
        entry.acknowledged = log.acknowledged;
        entry.delivered = log.delivered;
        entry.unnumbered = log.unnumbered;
        entry.skipped = log.skipped;
        entry.dropped = log.dropped;
        entry.gaps = log.gaps.entries();
        manifest.classes.push_back(std::move(entry));
    }
    if (auto saved = manifests.save(manifest); !saved) {
        ++sync_failures;
        return saved;
    }
    for (ClassLog& log : logs) log.saved_next = log.durable_end;
    losses_unsaved = false;
    removals_unsaved = false;
    positions_unsaved = false;
    saved_at = environment.clock.now();
    return {};
}

void Parts::expire(ClassLog& log) {
    const std::uint64_t now_ms = time->now_ms();
    const auto ttl_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(0, log.options.time_to_live.count()));
    if (ttl_ms == 0 || now_ms < ttl_ms || now_ms < log.nothing_expires_before_ms) return;
    const std::uint64_t limit_ms = now_ms - ttl_ms;  // older than this is over
    for (std::size_t i = 0; i < log.segments.size(); ++i) {
        const Segment& segment = log.segments[i];
        const std::uint64_t live = log.gaps.skip(std::max(log.acknowledged, segment.first));
        if (live >= segment.end) continue;
        if (i + 1 < log.segments.size() && log.segments[i + 1].oldest_ms < limit_ms) {
            lose(log, live, segment.end - 1, DropReason::ttl);
            continue;
        }
        log.nothing_expires_before_ms = segment.oldest_ms + ttl_ms;
        if (segment.oldest_ms >= limit_ms) return;
        // Some blocks of this segment may be over: look at their headers.
        const auto reader = SegmentReader::open(environment.files, environment.sealer, segment_path(log, segment.number));
        if (!reader) return;
        std::uint64_t offset = kSegmentHeaderBytes;
        std::uint64_t over = live;  // one past the last event that is over
        while (true) {
            const auto look = (*reader)->look(offset, segment.bytes);
            if (!look || look->found != Found::block) break;  // damage is for read() to find
            if (look->header.end() > live && look->header.running_ms >= limit_ms) {
                log.nothing_expires_before_ms = look->header.running_ms + ttl_ms;
                break;
            }
            over = std::max(over, std::min(look->header.end(), segment.end));
            offset += look->header.size_on_disk();
        }
        if (over > live) lose(log, live, over - 1, DropReason::ttl);
        if (over < segment.end) return;
    }
}

Status Parts::keep_limits() {
    for (ClassLog& log : logs) {
        if (auto shrunk = shrink_to_share(log, 0); !shrunk) return shrunk;
    }
    // Seen from the most important class, every class gives way.
    if (const auto room = make_room(logs[by_priority.front()], 0); !room) return room.error();
    may_be_over = false;
    return {};
}

/// So that an older key is not needed for them any more. Other removals may come undone: nothing depends on them.
Status Parts::sync_removals() {
    if (removed_older.empty()) return {};
    ++syncs;
    if (auto synced = environment.files.sync_directory(options.directory); !synced) return synced;
    removed_older.clear();
    return {};
}

Status Parts::maintain() {
    constexpr std::chrono::seconds kSaveEvery{5};  // a stale position costs a resend; a save costs flash
    time->update();
    for (ClassLog& log : logs) {
        close_older_key(log);
        expire(log);
        doom_finished(log);
    }
    if (!doomed.empty()) {
        const auto removed = remove_doomed();
        if (!removed) return removed.error();
    }
    if (auto kept = keep_limits(); !kept) return kept;
    if (auto synced = sync_removals(); !synced) return synced;
    const bool due = environment.clock.now() - saved_at >= kSaveEvery;
    if (losses_unsaved || (positions_unsaved && due) || manifests.has_older_key()) return save();
    return {};
}

}  // namespace sluice::spool

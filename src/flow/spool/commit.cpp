#include <algorithm>

#include "base/check.hpp"
#include "base/fail_point.hpp"
#include "flow/spool/parts.hpp"

namespace sluice::spool {

using base::DropReason;
using base::Errc;
using base::Error;
using base::Result;
using base::Status;

namespace {

/// A record's lengths and references: at most four varints.
constexpr std::size_t kRecordOverheadMax = 4 * 10;

}  // namespace

Result<data::Sequence> Parts::append(const data::Event& event) {
    ClassLog& log = log_of(event.event_class);
    const std::size_t bytes = event.rule.size() + event.json.size();
    if (bytes > record_bytes_max(log)) {
        ++log.unnumbered;
        ++log.dropped[static_cast<std::size_t>(DropReason::too_large)];
        losses_unsaved = true;
        return Error{Errc::too_large};
    }
    const std::size_t needed = bytes + kBlockOverheadBytes + kRecordOverheadMax;
    const bool bounded = options.commits_when_full || degraded;
    if (bounded && pending_bytes + needed > options.pending_bytes_max) [[unlikely]] {
        if (!degraded) (void)commit();  // remembered in `degraded`, and the caller's own commit reports it
        make_memory(log, needed);
    }
    const data::Sequence sequence(log.next);
    ++log.next;
    // More important classes, and what was promised, fill it.
    if (bounded && pending_bytes + needed > options.pending_bytes_max) [[unlikely]] {
        if (log.pending.empty()) pass_hole(log);
        return sequence;
    }
    const bool fits = log.pending.size() > log.promised && log.pending.back().end() == sequence.value() &&
                      log.pending.back().plain().size() + bytes <= block_target_bytes();
    if (!fits) {
        if (log.spare.empty()) log.spare.emplace_back();
        log.pending.push_back(std::move(log.spare.back()));
        log.spare.pop_back();
        log.pending.back().start(sequence.value());
        pending_bytes += kBlockOverheadBytes;
    }
    BlockBuilder& block = log.pending.back();
    const std::size_t before = block.plain().size();
    block.append(event.rule, base::to_ms(event.made), event.json);
    pending_bytes += block.plain().size() - before;
    return sequence;
}

Status Parts::commit() {
    Status result;
    if (may_be_over) result = keep_limits();
    for (const std::size_t i : by_priority) {
        if (logs[i].pending.empty()) {
            pass_hole(logs[i]);
            continue;
        }
        if (auto done = commit_class(logs[i]); !done && result) result = done;
    }
    if (losses_unsaved) {
        if (auto saved = save(); !saved && result) result = saved;
    }
    degraded = !result;
    return result;
}

Status Parts::commit_class(ClassLog& log) {
    ++commits;
    unsigned failures = 0;
    while (!log.pending.empty()) {
        pass_hole(log);
        const Status done = commit_part(log);
        if (done) continue;
        if (done.error().code == Errc::disk_full) {
            if (!drops_on_full_disk || !give_way(log)) return done;
        } else if (++failures == 2) {  // once more in a new segment; then the disk is taken to be ill
            return done;
        }
    }
    return {};
}

Status Parts::commit_part(ClassLog& log) {
    close_older_key(log);
    if (!log.writer) {
        if (auto started = start_segment(log); !started) return started;
        if (!log.writer) return {};  // no room: the pending events are gone and counted
    }
    // Promised ones are synced before newer ones are written: whoever finds a newer one behind a hole knows that the medium has lost what
    // was there.
    const std::size_t together = log.promised != 0 ? log.promised : log.pending.size();
    std::size_t blocks = 0;
    std::uint64_t bytes = log.writer->bytes();
    for (; blocks < together; ++blocks) {
        if (blocks != 0 && log.pending[blocks].first() != log.pending[blocks - 1].end()) break;  // a hole: pass_hole()
        const std::size_t more = size_on_disk(log.pending[blocks]);
        if (bytes + more > log.writer->reserved_bytes()) break;
        bytes += more;
    }
    if (blocks == 0) {
        close_segment(log);
        return {};
    }
    const bool fresh = log.writer->durable_bytes() == 0;
    const std::uint64_t before = fresh ? 0 : log.writer->bytes();
    Status done = log.writer->write({log.pending.data(), blocks}, time->now_ms(), scratch);
    if (done) {
        blocks_written += log.writer->bytes() - before;
        ++syncs;
        base::pass(base::FailPoint::spool_block_written);
        done = log.writer->sync();
        base::pass(base::FailPoint::spool_block_synced);
    }
    if (done && fresh) {
        ++syncs;
        done = environment.files.sync_directory(options.directory);
        base::pass(base::FailPoint::spool_folder_synced);
    }
    if (!done) {
        abandon_segment(log);
        for (BlockBuilder& block : log.pending) block.unpack();  // on an ill disk they may wait for long: not twice in memory
        return done;
    }
    publish(log, blocks);
    return {};
}

Status Parts::start_segment(ClassLog& log) {
    const std::uint64_t bytes = std::max(segment_bytes(), kSegmentHeaderBytes + size_on_disk(log.pending.front()));
    const auto room = admit(log, bytes);
    if (!room) return room.error();
    if (!*room) {
        lose_pending(log, log.pending.size(), DropReason::spool_full);
        return {};
    }
    SegmentHeader header;
    header.slot = log.slot;
    header.epoch = epoch;
    header.first = log.pending.front().first();
    header.number = next_segment++;
    header.running_ms = time->now_ms();
    environment.entropy.fill(header.salt);
    header.key = environment.sealer.newest();
    auto writer = SegmentWriter::create(environment.files, environment.sealer, segment_path(log, header.number), header, bytes);
    if (!writer) return writer.error();
    base::pass(base::FailPoint::spool_segment_made);
    log.writer = std::move(*writer);
    log.segments.push_back({header.number, header.first, header.first, 0, bytes, header.running_ms, header.key.number});
    used += bytes;
    return {};
}

std::size_t Parts::size_on_disk(BlockBuilder& block) {
    if (options.compress) block.pack(packer);
    return block.size_on_disk();
}

void Parts::close_segment(ClassLog& log) {
    Segment& segment = log.segments.back();
    if (log.writer->finish()) {
        used -= segment.allocated - segment.bytes;
        segment.allocated = segment.bytes;
    }
    log.writer.reset();
}

/// A segment has one key: with another, what comes next goes to a new one.
void Parts::close_older_key(ClassLog& log) {
    if (log.writer && log.writer->key() != environment.sealer.newest().number) close_segment(log);
}

void Parts::abandon_segment(ClassLog& log) {
    ++sync_failures;
    const bool given_back = log.writer->give_up();
    log.writer.reset();
    Segment& segment = log.segments.back();
    if (segment.end > segment.first) {  // keeps what is durable; what lies behind it is void: the next segment begins there
        if (given_back) {
            used -= segment.allocated - segment.bytes;
            segment.allocated = segment.bytes;
        }
        return;
    }
    doomed.push_back({segment_path(log, segment.number), segment.allocated, log.slot, 0, segment.key});  // nobody had an event of it
    log.segments.pop_back();
}

void Parts::publish(ClassLog& log, std::size_t blocks) {
    Segment& segment = log.segments.back();
    for (std::size_t i = 0; i < blocks; ++i) {
        pending_bytes -= log.pending[i].size_in_memory();
        bytes_accepted += log.pending[i].accepted_bytes();
    }
    base::check(log.pending.front().first() == log.durable_end, "spool: a block that does not follow the last one");
    log.durable_end = log.pending[blocks - 1].end();
    log.promised -= std::min(log.promised, blocks);
    segment.end = log.durable_end;
    segment.bytes = log.writer->durable_bytes();
    if (log.spare.empty()) log.spare.push_back(std::move(log.pending.front()));
    log.pending.erase(log.pending.begin(), log.pending.begin() + static_cast<std::ptrdiff_t>(blocks));
    pass_hole(log);
}

}  // namespace sluice::spool

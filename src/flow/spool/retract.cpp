// Taking back the last commit, at a start that finds that the rest of it is missing elsewhere.
#include <algorithm>

#include "flow/spool/parts.hpp"

namespace sluice::spool {

using base::DropReason;
using base::Errc;
using base::Result;
using base::Status;

Status Parts::each_block(const ClassLog& log, const Segment& segment, const BlockVisitor& visit) {
    const auto reader = SegmentReader::open(environment.files, environment.sealer, segment_path(log, segment.number));
    if (!reader) return reader.error();
    DecodedBlock block;
    for (std::uint64_t offset = kSegmentHeaderBytes; true;) {
        const auto look = (*reader)->look(offset, segment.bytes);
        if (!look) return look.error();
        if (look->found == Found::end || look->found == Found::cut) return {};
        if (look->found == Found::no_header) {
            const auto next = (*reader)->search(offset + 1, segment.bytes);
            if (next.found != Found::block) return {};
            offset = next.offset;
            continue;
        }
        const Status loaded = (*reader)->load(*look, unpacker, block);
        if (!loaded && loaded.error().code != Errc::corrupt) return loaded;
        if (loaded) visit(block, offset);
        offset += look->header.size_on_disk();
    }
}

Result<std::uint64_t> Parts::newest_commit(const ClassLog& log) {
    std::uint64_t newest = 0;
    bool any = false;
    for (auto segment = log.segments.rbegin(); segment != log.segments.rend() && !any; ++segment) {
        const auto read = each_block(log, *segment, [&](const DecodedBlock& block, std::uint64_t) {
            any = true;
            newest = std::max(newest, block.commit);
        });
        if (!read) return read.error();
    }
    return newest;
}

/// True: it is cut off in memory; what is on disk has to follow.
Result<bool> Parts::cut_or_lose(ClassLog& log, std::uint64_t number) {
    struct Block {
        std::size_t segment;
        std::uint64_t offset;
        std::uint64_t first;
        std::uint64_t end;
    };
    std::vector<Block> found;  // from the last segment back
    bool begins_before = false;
    for (std::size_t at = log.segments.size(); at != 0 && !begins_before; --at) {
        const auto read = each_block(log, log.segments[at - 1], [&](const DecodedBlock& block, std::uint64_t offset) {
            if (block.commit != number) begins_before = true;
            if (block.commit == number) found.push_back({at - 1, offset, block.header.first, block.header.end()});
        });
        if (!read) return read.error();
    }
    if (found.empty()) return false;
    std::uint64_t events = 0;
    for (const Block& block : found) events += block.end - block.first;
    const auto by_number = [](const Block& a, const Block& b) { return a.first < b.first; };
    const Block begin = *std::min_element(found.begin(), found.end(), by_number);
    const bool whole = log.pending.empty() && begin.first + events == log.durable_end && begin.first >= log.acknowledged &&
                       log.gaps.next_gap(begin.first, log.durable_end) == log.durable_end;
    if (!whole) {
        for (const Block& block : found) lose(log, block.first, std::min(block.end, log.durable_end) - 1, DropReason::corrupt);
        return false;
    }
    while (log.segments.size() > begin.segment + 1) doom(log, log.segments.size() - 1);
    log.cursor = ReadCursor{};
    log.durable_end = log.next = log.visible_end = begin.first;
    Segment& last = log.segments.back();
    last.end = begin.first;
    last.bytes = begin.offset;
    if (last.first == last.end) doom(log, log.segments.size() - 1);
    return true;
}

Status Parts::retract_commit(std::uint64_t number) {
    std::vector<ClassLog*> cut;
    for (ClassLog& log : logs) {
        const auto done = cut_or_lose(log, number);
        if (!done) return done.error();
        if (*done) cut.push_back(&log);
    }
    if (cut.empty()) return {};
    // First the manifest says that these numbers were not given out, then they go: a cut between the two leaves both to do again.
    if (auto saved = save(); !saved) return saved;
    for (ClassLog* const log : cut) {
        if (log->segments.empty()) continue;
        Segment& segment = log->segments.back();
        auto file = environment.files.open(segment_path(*log, segment.number), env::OpenMode::read_write);
        if (!file) return file.error();
        if (auto truncated = (*file)->truncate(segment.bytes); !truncated) return truncated;
        used -= segment.allocated - segment.bytes;
        segment.allocated = segment.bytes;
        ++syncs;
        if (auto synced = (*file)->sync(); !synced) return synced;
    }
    const auto removed = remove_doomed();
    if (!removed) return removed.error();
    ++syncs;
    return environment.files.sync_directory(options.directory);
}

}  // namespace sluice::spool

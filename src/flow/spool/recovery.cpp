#include <algorithm>
#include <array>
#include <numeric>

#include <fmt/format.h>

#include "base/check.hpp"
#include "flow/spool/parts.hpp"
#include "flow/spool/segment_name.hpp"

namespace sluice::spool {
namespace {

using base::DropReason;
using base::Errc;
using base::Error;
using base::Status;

struct FoundSegment {
    std::uint8_t slot = 0;
    std::uint64_t number = 0;
    std::unique_ptr<SegmentReader> reader;
    std::uint64_t size = 0;
    std::uint64_t first = 0;  ///< 0: nothing in it can be recognised
    std::uint64_t oldest_ms = 0;
    KeyNumber key = 0;  ///< 0: unknown, or not there
};

/// Fills in what the header says; with a damaged one what the first good block header says.
Status inspect(FoundSegment& found) {
    const auto size = found.reader->file_size();
    if (!size) return size.error();
    found.size = *size;
    if (const auto& header = found.reader->header()) {
        found.key = found.reader->lacks_key() ? KeyNumber{0} : header->key.number;
        found.first = header->first;
        found.oldest_ms = header->running_ms;
        return {};
    }
    const auto block = found.reader->search(0, found.size);
    if (block.found == Found::end) return {};
    found.first = block.header.first;
    found.oldest_ms = block.header.running_ms;
    return {};
}

std::string parent_of(const std::string& path) {
    const auto slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

/// The last segment of a class, read whole (docs/formats/spool.md, "Recovery" 4).
class TailScan {
public:
    TailScan(Parts& parts, ClassLog& log, FoundSegment& found, std::uint64_t manifest_next)
        : parts_(parts), log_(log), found_(found), manifest_next_(manifest_next), expected_(found.first) {}

    /// Errors: io.
    Status run() {
        while (true) {
            const auto look = found_.reader->look(offset_, found_.size);
            if (!look) return look.error();
            switch (look->found) {
                case Found::end:
                case Found::cut:
                    return {};
                case Found::block:
                    if (auto done = take(*look); !done) return done;
                    if (stopped_) return {};
                    break;
                case Found::no_header:
                    if (auto done = step_over(); !done) return done;
                    if (stopped_) return {};
                    break;
            }
        }
    }
    [[nodiscard]] std::uint64_t end() const { return expected_; }
    [[nodiscard]] std::uint64_t good_bytes() const { return offset_; }
    [[nodiscard]] std::uint64_t newest_ms() const { return newest_ms_; }

private:
    Status take(const SegmentReader::Look& look) {
        const BlockHeader& header = look.header;
        const auto loaded = found_.reader->load(look, parts_.unpacker, block_);
        if (!loaded && loaded.error().code != Errc::corrupt) return loaded.error();
        const bool being_written = parts_.options.read_only && !loaded && may_be_incomplete(look);
        if (header.first < expected_ || being_written) {  // cannot follow what came before: not ours to believe
            stopped_ = true;
            return {};
        }
        if (header.first > expected_) parts_.lose(log_, expected_, header.first - 1, DropReason::corrupt);
        if (!loaded) parts_.lose(log_, header.first, header.end() - 1, DropReason::corrupt);
        if (loaded) newest_ms_ = std::max(newest_ms_, header.running_ms);
        expected_ = header.end();
        offset_ += header.size_on_disk();
        return {};
    }

    /// A gateway may just be writing this block: nobody was promised it, and nothing good follows.
    [[nodiscard]] bool may_be_incomplete(const SegmentReader::Look& look) {
        if (look.header.first < manifest_next_) return false;
        return found_.reader->search(look.offset + look.header.size_on_disk(), found_.size).found != Found::block;
    }

    Status step_over() {
        const auto next = found_.reader->search(offset_ + 1, found_.size);
        if (next.found == Found::block && next.header.first >= expected_) {
            offset_ = next.offset;
            return {};
        }
        stopped_ = true;
        if (next.found == Found::cut && next.header.first > expected_) {  // a torn block behind a damaged one
            parts_.lose(log_, expected_, next.header.first - 1, DropReason::corrupt);
            expected_ = next.header.first;
            return {};
        }
        if (parts_.options.read_only) return {};
        const auto zero = found_.reader->is_zero(offset_, found_.size);
        if (!zero) return zero.error();
        if (*zero || manifest_next_ > expected_) return {};  // never written; or recovery knows from the manifest what is missing
        const auto guess = found_.reader->guess(offset_, found_.size);
        if (!guess) return guess.error();
        const bool likely = *guess && (*guess)->first == expected_;
        if (likely) {
            parts_.lose(log_, expected_, (*guess)->end() - 1, DropReason::corrupt);
            expected_ = (*guess)->end();
            return {};
        }
        skip_numbers();
        return {};
    }

    /// Most likely a torn write that nobody was promised; if not, the cloud may have seen some of its numbers: as many as can have been in
    /// so many bytes are not used again. One event is counted, so that it does not go unnoticed.
    void skip_numbers() {
        const std::uint64_t left = found_.size - offset_;
        if (left < kBlockOverheadBytes + kRecordBytesMin) return;
        const std::uint64_t numbers = std::min<std::uint64_t>(left - kBlockOverheadBytes, kBlockBodyBytesMax) / kRecordBytesMin;
        const std::uint64_t before = log_.dropped[static_cast<std::size_t>(DropReason::corrupt)];
        parts_.lose(log_, expected_, expected_ + numbers - 1, DropReason::corrupt);
        std::uint64_t& corrupt = log_.dropped[static_cast<std::size_t>(DropReason::corrupt)];
        if (corrupt > before + 1) {
            log_.skipped += corrupt - before - 1;
            corrupt = before + 1;
        }
        expected_ += numbers;
    }

    Parts& parts_;
    ClassLog& log_;
    FoundSegment& found_;
    std::uint64_t manifest_next_;
    std::uint64_t expected_;
    std::uint64_t offset_ = kSegmentHeaderBytes;
    std::uint64_t newest_ms_ = 0;
    bool stopped_ = false;
    DecodedBlock block_;
};

class Recovery {
public:
    explicit Recovery(Parts& parts) : parts_(parts), files_(parts.environment.files) {}

    Status run() {
        if (auto prepared = prepare_folder(); !prepared) return prepared;
        auto manifest = parts_.manifests.load();
        if (!manifest) return manifest.error();
        manifest_ = std::move(*manifest);
        if (auto found = find_segments(); !found) return found;
        if (parts_.options.read_only) {
            auto fresh = parts_.manifests.load();
            if (!fresh) return fresh.error();
            fresh_ = std::move(*fresh);
        }
        choose_epoch();
        if (auto made = make_classes(); !made) return made;
        parts_.time.emplace(parts_.environment.clock,
                            RunningTime::Saved{manifest_ ? manifest_->running_ms : 0, manifest_ ? manifest_->wall_ms : 0});
        for (ClassLog& log : parts_.logs) {
            if (auto done = recover_class(log); !done) return done;
        }
        parts_.classes.clear();
        for (const ClassLog& log : parts_.logs) parts_.classes.push_back(log.options);
        parts_.by_priority.resize(parts_.logs.size());
        std::iota(parts_.by_priority.begin(), parts_.by_priority.end(), std::size_t{0});
        std::stable_sort(parts_.by_priority.begin(), parts_.by_priority.end(),
                         [&](std::size_t a, std::size_t b) { return parts_.logs[a].options.priority < parts_.logs[b].options.priority; });
        if (parts_.options.read_only) return {};
        return settle();
    }

private:
    /// Makes durable what was found, then what was decided about it, and only then destroys: a cut between any two leaves the same
    /// decision.
    Status settle() {
        for (ClassLog& log : parts_.logs) {
            if (auto synced = sync_tail(log); !synced) return synced;
        }
        if (auto synced = files_.sync_directory(parts_.options.directory); !synced) return synced;
        if (auto prepared = parts_.manifests.prepare(); !prepared) return prepared;
        for (ClassLog& log : parts_.logs) parts_.doom_finished(log);
        const auto removed = parts_.remove_doomed();
        if (!removed) return removed.error();
        // The medium may have more in them than was read: all of what a failed sync was to write. Now they cannot come back with it.
        if (*removed != 0) {
            if (auto synced = files_.sync_directory(parts_.options.directory); !synced) return synced;
        }
        for (ClassLog& log : parts_.logs) cut_tail(log);
        return {};
    }

    Status prepare_folder() {
        const Options& options = parts_.options;
        if (options.read_only) return {};
        if (auto made = files_.make_directory(options.directory); !made) return made;
        auto lock = files_.lock(options.directory + "/lock");
        if (!lock) return lock.error();
        parts_.lock = std::move(*lock);
        return files_.sync_directory(parent_of(options.directory));
    }

    Status find_segments() {
        const Options& options = parts_.options;
        const auto names = files_.list(options.directory);
        if (!names) return names.error();
        for (const std::string& name : *names) {
            const auto parsed = parse_segment_name(name);
            if (!parsed) continue;
            FoundSegment found;
            found.slot = parsed->slot;
            found.number = parsed->number;
            parts_.next_segment = std::max(parts_.next_segment, found.number + 1);
            auto reader = SegmentReader::open(files_, parts_.environment.sealer, options.directory + "/" + name);
            if (!reader && reader.error().code == Errc::not_found && options.read_only) continue;  // removed meanwhile
            if (!reader) return reader.error();
            found.reader = std::move(*reader);
            if (auto inspected = inspect(found); !inspected) return inspected;
            segments_.push_back(std::move(found));
        }
        const auto by_number = [](const FoundSegment& a, const FoundSegment& b) { return a.number < b.number; };
        std::sort(segments_.begin(), segments_.end(), by_number);
        // Without positions, and with nothing that our keys open, it is somebody else's.
        const auto locked = [](const FoundSegment& found) { return found.reader->lacks_key(); };
        const auto opens = [](const FoundSegment& found) { return found.reader->header() && !found.reader->lacks_key(); };
        if (!manifest_ && std::any_of(segments_.begin(), segments_.end(), locked) &&
            std::none_of(segments_.begin(), segments_.end(), opens))
            return Error{Errc::wrong_key};
        return {};
    }

    void choose_epoch() {
        if (manifest_) {
            parts_.epoch = manifest_->epoch;
            parts_.next_segment = std::max(parts_.next_segment, manifest_->next_segment);
            parts_.bytes_accepted = manifest_->bytes_accepted;
            parts_.bytes_written_before = manifest_->bytes_written;
            return;
        }
        for (const FoundSegment& found : segments_)
            if (found.reader->header()) parts_.epoch = std::max(parts_.epoch, found.reader->header()->epoch);
        parts_.manifest_rebuilt = !segments_.empty();
        if (parts_.epoch != 0) return;
        std::array<base::Byte, 8> bytes{};
        constexpr std::uint64_t kEpochMask = (std::uint64_t{1} << 53) - 1;
        while (parts_.epoch == 0) {
            parts_.environment.entropy.fill(bytes);
            parts_.epoch = base::load_le<std::uint64_t>(bytes.data()) & kEpochMask;
        }
    }

    /// Configured classes first; then those that only the folder knows.
    Status make_classes() {
        std::array<bool, data::kClassesMax> taken{};
        std::uint32_t lowest_priority = 0;
        for (const ClassOptions& options : parts_.options.classes) {
            ClassLog& log = parts_.logs.emplace_back();
            log.options = options;
            lowest_priority = std::max(lowest_priority, options.priority);
        }
        const std::size_t configured = parts_.logs.size();
        std::vector<bool> placed(configured, false);
        if (manifest_) {
            for (const ManifestClass& entry : manifest_->classes) {
                std::size_t at = 0;
                while (at < configured && parts_.logs[at].options.name != entry.name) ++at;
                if (at == configured && never_used(entry)) continue;
                taken[entry.slot] = true;
                if (at == configured) add_leftover(entry.name, lowest_priority);
                if (at < configured) placed[at] = true;
                ClassLog& log = at == configured ? parts_.logs.back() : parts_.logs[at];
                log.slot = entry.slot;
                restore(log, entry);
            }
        } else {
            // Slots are given out in the order of the configuration: the best guess there is without a manifest.
            for (const FoundSegment& found : segments_) {
                if (found.slot < configured || taken[found.slot]) continue;
                taken[found.slot] = true;
                add_leftover(fmt::format("class-{}", found.slot), lowest_priority);
                parts_.logs.back().slot = found.slot;
            }
        }
        if (parts_.logs.size() > data::kClassesMax) return Error{Errc::limit};
        for (std::size_t i = 0; i < configured; ++i) {
            if (placed[i]) continue;
            std::uint8_t slot = 0;
            while (taken[slot]) ++slot;
            taken[slot] = true;
            parts_.logs[i].slot = slot;
        }
        return {};
    }

    /// A name that is not configured any more and never had an event, not even one that was dropped. To forget it forgets nothing: should
    /// it come back it counts from 1, as it would have. A name that has had events is never forgotten: its numbers would come again in the
    /// same epoch, and the cloud would take new events for copies. (The manifest may not know of a segment yet.)
    [[nodiscard]] bool never_used(const ManifestClass& entry) const {
        if (parts_.options.read_only || entry.next != 1 || entry.unnumbered != 0) return false;
        return std::none_of(segments_.begin(), segments_.end(), [&](const FoundSegment& found) { return found.slot == entry.slot; });
    }

    void add_leftover(const std::string& name, std::uint32_t lowest_priority) {
        ClassLog& log = parts_.logs.emplace_back();
        log.options = {name, lowest_priority + 1, std::chrono::milliseconds(0)};
        log.configured = false;
    }

    static void restore(ClassLog& log, const ManifestClass& entry) {
        log.acknowledged = entry.acknowledged;
        log.durable_end = log.saved_next = entry.next;
        log.delivered = entry.delivered;
        log.unnumbered = entry.unnumbered;
        log.skipped = entry.skipped;
        log.dropped = entry.dropped;
        for (const GapList::Entry& gap : entry.gaps) (void)log.gaps.add(gap.first, gap.last, gap.reason);  // counted already
    }

    Status recover_class(ClassLog& log) {
        std::vector<FoundSegment*> mine;
        for (FoundSegment& found : segments_) {
            if (found.slot != log.slot) continue;
            const auto& header = found.reader->header();
            const bool foreign = header && (header->epoch != parts_.epoch || header->slot != found.slot || header->number != found.number);
            if (foreign) {
                parts_.foreign.push_back({found.reader->lacks_key() ? KeyNumber{0} : header->key.number, 1, found.size, 0});
            } else {
                mine.push_back(&found);
            }
        }
        if (parts_.manifest_rebuilt && !mine.empty()) {
            const auto known = std::find_if(mine.begin(), mine.end(), [](const FoundSegment* found) { return found->first != 0; });
            if (known != mine.end()) log.acknowledged = log.durable_end = (*known)->first;
            log.delivered = log.acknowledged - 1;
        }
        const std::uint64_t& corrupt = log.dropped[static_cast<std::size_t>(DropReason::corrupt)];
        const std::uint64_t corrupt_before = corrupt;
        std::uint64_t tail_end = 0;
        for (FoundSegment* found : mine) {
            if (auto added = add_segment(log, *found, tail_end); !added) return added;
        }
        log.durable_end = log.next = std::max(log.durable_end, tail_end);
        settle_holes(log, tail_end);
        parts_.corrupt_at_open += corrupt - corrupt_before;
        for (Segment& segment : log.segments) parts_.used += segment.allocated;
        return {};
    }

    /// Appends it to the log; the one before ends where it begins. tail_end: one past the last event known so far.
    Status add_segment(ClassLog& log, FoundSegment& found, std::uint64_t& tail_end) {
        Segment segment;
        segment.number = found.number;
        segment.first = segment.end = found.first;
        segment.bytes = segment.allocated = found.size;
        segment.oldest_ms = found.oldest_ms;
        segment.key = found.key;
        if (found.first == 0) {  // nothing to recognise in it: the hole it leaves is counted
            forget(log, segment);
            return {};
        }
        while (!log.segments.empty() && log.segments.back().first >= segment.first) {  // all of it was written again
            forget(log, log.segments.back());
            log.segments.pop_back();
        }
        if (!log.segments.empty()) log.segments.back().end = segment.first;
        parts_.time->at_least(found.oldest_ms);
        const bool last = std::none_of(segments_.begin(), segments_.end(), [&](const FoundSegment& other) {
            return other.slot == found.slot && other.number > found.number && other.first != 0;
        });
        if (last) {
            const std::uint64_t manifest_next = manifest_ ? log.durable_end : 0;
            TailScan scan(parts_, log, found, manifest_next);
            if (auto done = scan.run(); !done) return done;
            segment.end = scan.end();
            segment.bytes = scan.good_bytes();
            tail_end = scan.end();
            parts_.time->at_least(scan.newest_ms());
        }
        log.segments.push_back(segment);
        return {};
    }

    /// What was read may be in memory only, after kill -9.
    Status sync_tail(const ClassLog& log) {
        if (log.segments.empty()) return {};
        auto file = files_.open(parts_.segment_path(log, log.segments.back().number), env::OpenMode::read_write);
        if (!file) return file.error();
        ++parts_.syncs;
        return (*file)->sync();
    }

    /// Frees what is torn or reserved behind the last good block. Nothing depends on it: the next segment's beginning ends this one.
    void cut_tail(ClassLog& log) {
        if (log.segments.empty()) return;
        Segment& segment = log.segments.back();
        auto file = files_.open(parts_.segment_path(log, segment.number), env::OpenMode::read_write);
        if (!file || !(*file)->truncate(segment.bytes)) return;
        parts_.used -= segment.allocated - segment.bytes;
        segment.allocated = segment.bytes;
    }

    /// Numbers that were given out and that no segment has.
    void settle_holes(ClassLog& log, std::uint64_t tail_end) {
        if (fresh_) catch_up(log);
        const std::uint64_t front = log.segments.empty() ? log.durable_end : log.segments.front().first;
        if (log.acknowledged < front) parts_.lose(log, log.acknowledged, std::min(front, log.durable_end) - 1, DropReason::corrupt);
        if (!log.segments.empty() && tail_end < log.durable_end) parts_.lose(log, tail_end, log.durable_end - 1, DropReason::corrupt);
    }

    /// What the gateway has settled and dropped since the first manifest was read: its files may be gone.
    void catch_up(ClassLog& log) {
        const auto& classes = fresh_->classes;
        const auto now = std::find_if(classes.begin(), classes.end(), [&](const ManifestClass& entry) { return entry.slot == log.slot; });
        if (now == classes.end()) return;
        for (const GapList::Entry& gap : now->gaps) {
            if (gap.first < log.durable_end) parts_.lose(log, gap.first, std::min(gap.last, log.durable_end - 1), gap.reason);
        }
        if (now->acknowledged > log.acknowledged) parts_.acknowledge(log, now->acknowledged - 1);
    }

    void forget(ClassLog& log, const Segment& segment) {
        if (parts_.options.read_only) return;
        parts_.used += segment.allocated;
        parts_.doomed.push_back({parts_.segment_path(log, segment.number), segment.allocated, log.slot, segment.end, segment.key});
    }

    Parts& parts_;
    env::FileSystem& files_;
    std::optional<Manifest> manifest_;
    std::optional<Manifest> fresh_;  ///< with read_only: as it is after the segments were listed
    std::vector<FoundSegment> segments_;
};

}  // namespace

Status Parts::recover() { return Recovery(*this).run(); }

}  // namespace sluice::spool

#include "flow/spool/verify.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "data/reading.hpp"
#include "flow/spool/manifest.hpp"
#include "flow/spool/segment_name.hpp"
#include "flow/spool/segment_reader.hpp"

namespace sluice::spool {
namespace {

using base::Bytes;
using base::ByteView;
using base::Errc;
using base::Result;
using base::Status;

constexpr unsigned kLooksMax = 10;                 // at what may be in the middle of being written
constexpr std::uint64_t kProgressEvery = 1 << 20;  // bytes
constexpr std::uint64_t kPageBytes = 4096;         // what a medium fails to read at once

/// Both copies of the manifest, as they are on disk.
class Manifests {
public:
    enum class Slot : std::uint8_t { missing, empty, damaged, good };

    Manifests(env::FileSystem& files, Sealer& sealer, const std::string& directory)
        : files_(files), sealer_(sealer), directory_(directory) {}

    [[nodiscard]] static std::string file(std::size_t slot) { return "manifest." + std::to_string(slot); }

    /// The newer one that opens stays, should none open now. Errors: wrong_key, version, permission, io.
    Status read() {
        std::uint64_t generation = 0;
        locked_generation_ = 0;
        for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
            auto opened = open(slot);
            if (!opened) return opened.error();
            if (!*opened || (*opened)->generation <= generation) continue;
            generation = (*opened)->generation;
            newest_ = std::move((*opened)->manifest);
        }
        if (locked_generation_ > generation) return base::Error{Errc::wrong_key};
        return {};
    }
    [[nodiscard]] const std::optional<Manifest>& newest() const { return newest_; }
    [[nodiscard]] const std::array<Slot, 2>& slots() const { return slots_; }
    [[nodiscard]] bool all(Slot state) const { return slots_[0] == state && slots_[1] == state; }
    [[nodiscard]] bool damaged() const {
        if (all(Slot::missing)) return false;
        return std::any_of(slots_.begin(), slots_.end(), [](Slot slot) { return slot == Slot::damaged || slot == Slot::missing; });
    }

private:
    Result<std::optional<OpenedManifest>> open(std::size_t slot) {
        slots_[slot] = Slot::missing;
        auto opened = files_.open(directory_ + "/" + file(slot), env::OpenMode::read);
        if (!opened && opened.error().code == Errc::not_found) return std::optional<OpenedManifest>();
        if (!opened) return opened.error();
        Bytes content(kManifestSlotBytes);
        slots_[slot] = Slot::damaged;
        const auto got = (*opened)->read_at(0, content);
        if (!got) return std::optional<OpenedManifest>();
        content.resize(*got);
        // Made with zeros; written for the first time by the save after next.
        const bool zero = *got == kManifestSlotBytes && std::all_of(content.begin(), content.end(), [](base::Byte b) { return b == 0; });
        if (zero) slots_[slot] = Slot::empty;
        auto manifest = open_manifest(content, sealer_);
        if (!manifest && manifest.error().code == Errc::wrong_key) {  // costs nothing if the other one is newer
            slots_[slot] = Slot::good;
            locked_generation_ = std::max(locked_generation_, decode_manifest_header(content)->generation);
            return std::optional<OpenedManifest>();
        }
        if (!manifest && manifest.error().code != Errc::corrupt) return manifest.error();
        if (!manifest) return std::optional<OpenedManifest>();
        slots_[slot] = Slot::good;
        return std::optional<OpenedManifest>(std::move(*manifest));
    }

    env::FileSystem& files_;
    Sealer& sealer_;
    const std::string& directory_;
    std::array<Slot, 2> slots_{};
    std::optional<Manifest> newest_;
    std::uint64_t locked_generation_ = 0;  ///< of the newest slot whose key is not there
};

const ManifestClass* class_of(const std::optional<Manifest>& manifest, std::uint8_t slot) {
    if (!manifest) return nullptr;
    const auto found =
        std::find_if(manifest->classes.begin(), manifest->classes.end(), [&](const ManifestClass& entry) { return entry.slot == slot; });
    return found == manifest->classes.end() ? nullptr : &*found;
}

/// Of first … last, those that are neither settled nor known to be gone.
std::uint64_t unsettled(const ManifestClass* entry, std::uint64_t first, std::uint64_t last) {
    if (first > last) return 0;
    if (entry == nullptr) return last - first + 1;
    first = std::max(first, entry->acknowledged);
    if (first > last) return 0;
    std::uint64_t count = last - first + 1;
    for (const GapList::Entry& gap : entry->gaps) {
        if (gap.last < first || gap.first > last) continue;
        count -= std::min(gap.last, last) - std::max(gap.first, first) + 1;
    }
    return count;
}

class Verifier {
public:
    Verifier(env::FileSystem& files, Sealer& sealer, const std::string& directory, VerifyObserver& observer)
        : files_(files), sealer_(sealer), directory_(directory), observer_(observer), manifests_(files, sealer, directory) {}

    Result<VerifySummary> run() {
        if (auto read = read_manifests(); !read) return read.error();
        before_ = manifests_.newest();
        if (auto listed = list_segments(); !listed) return listed.error();
        if (manifests_.all(Manifests::Slot::missing) && segments_.empty()) return base::Error{Errc::not_found};
        report_manifests();
        if (before_) {
            summary_.epoch = before_->epoch;
            for (const ManifestClass& entry : before_->classes) segments_.try_emplace(entry.slot);
        }
        for (const auto& [slot, numbers] : segments_) {
            if (auto done = check_class(slot, numbers); !done) return done.error();
        }
        observer_.on_progress(done_, total_);
        // Nothing opened, and some files say that it is for the key.
        if (!before_ && summary_.blocks == 0 && other_key_) return base::Error{Errc::wrong_key};
        return summary_;
    }

private:
    /// Damage whose extent the next good block shows.
    struct Open {
        ProblemKind kind;
        std::string file;
        std::uint64_t offset;
        std::uint64_t first = 0;  ///< 0: not known
        std::uint64_t end = 0;
    };
    /// Where reading stands in a class.
    struct Position {
        std::uint64_t expected = 0;  ///< the next sequence number; 0: nothing seen yet
        std::vector<Open> open;
        std::vector<Problem> found;  ///< to be reported with the manifest as it is after the reading
    };

    Status read_manifests() {
        for (unsigned looks = 0;; ++looks) {
            if (auto read = manifests_.read(); !read) return read;
            if (!manifests_.damaged() || looks == kLooksMax || !observer_.wait()) return {};
        }
    }

    void report_manifests() {
        summary_.manifest = before_.has_value();
        if (!before_) {
            const bool fresh = segments_.empty() && manifests_.all(Manifests::Slot::empty);
            if (!fresh) report({.kind = ProblemKind::no_manifest, .file = Manifests::file(0), .event_class = {}});
            return;
        }
        for (std::size_t slot = 0; slot < manifests_.slots().size(); ++slot) {
            const Manifests::Slot state = manifests_.slots()[slot];
            if (state == Manifests::Slot::damaged || state == Manifests::Slot::missing)
                report({.kind = ProblemKind::manifest, .file = Manifests::file(slot), .event_class = {}});
        }
    }

    Status list_segments() {
        const auto names = files_.list(directory_);
        if (!names) return names.error();
        for (const std::string& each : *names) {
            const auto parsed = parse_segment_name(each);
            if (!parsed) continue;
            segments_[parsed->slot].push_back(parsed->number);
            if (const auto stamp = files_.stamp(directory_ + "/" + each)) total_ += stamp->size;
        }
        for (auto& [slot, numbers] : segments_) std::sort(numbers.begin(), numbers.end());
        return {};
    }

    void report(const Problem& problem) {
        ++summary_.problems;
        summary_.events_lost += problem.events_lost;
        observer_.on_problem(problem);
    }

    /// What was found, judged by the manifest as it is now: what a running gateway has delivered or dropped meanwhile is no loss.
    Status flush(std::uint8_t slot) {
        if (position_.found.empty()) return {};
        if (auto read = manifests_.read(); !read) return read;
        const ManifestClass* const entry = class_of(manifests_.newest(), slot);
        for (Problem& problem : position_.found) {
            if (entry != nullptr) problem.event_class = entry->name;
            if (problem.first != 0) problem.events_lost = unsettled(entry, problem.first, problem.last);
            if (problem.kind == ProblemKind::missing && problem.events_lost == 0) continue;
            report(problem);
        }
        position_.found.clear();
        return {};
    }

    void add(ProblemKind kind, const std::string& file, std::uint64_t offset, std::uint64_t first = 0, std::uint64_t end = 0) {
        Problem problem{.kind = kind, .file = file, .offset = offset, .event_class = {}};
        if (first < end) {
            problem.first = first;
            problem.last = end - 1;
        }
        position_.found.push_back(std::move(problem));
    }

    /// The next number that is there is `next`: divides what lies before it among the open problems.
    void close_open(std::uint64_t next) {
        std::uint64_t from = position_.expected;
        for (std::size_t i = 0; i < position_.open.size(); ++i) {
            const Open& open = position_.open[i];
            std::uint64_t end = next;
            if (i + 1 < position_.open.size()) {
                const std::uint64_t other = position_.open[i + 1].first;
                end = other != 0 ? other : std::max(from, open.end);
            }
            end = std::min(end, next);
            if (from == 0) from = open.first;
            add(open.kind, open.file, open.offset, from, from == 0 ? 0 : end);
            from = std::max(from, end);
        }
        position_.open.clear();
    }

    Status check_class(std::uint8_t slot, const std::vector<std::uint64_t>& numbers) {
        const ManifestClass* const entry = class_of(before_, slot);
        position_ = Position{};
        std::string file;
        for (const std::uint64_t number : numbers) {
            file = format(SegmentName{slot, number});
            if (before_ && entry == nullptr) {
                add(ProblemKind::foreign, file, 0);
                continue;
            }
            if (auto done = check_segment(file, {slot, number}, number == numbers.back()); !done) return done;
            if (auto flushed = flush(slot); !flushed) return flushed;
        }
        finish_class(entry, file);
        if (auto flushed = flush(slot); !flushed) return flushed;
        if (entry != nullptr) summary_.waiting += unsettled(entry, entry->acknowledged, std::max(entry->next, position_.expected) - 1);
        return {};
    }

    /// What the manifest says was given out, and no segment has.
    void finish_class(const ManifestClass* entry, const std::string& file) {
        const std::uint64_t acknowledged = entry != nullptr ? entry->acknowledged : 1;
        if (position_.expected == 0 && entry != nullptr) position_.expected = acknowledged;
        std::uint64_t end = entry != nullptr ? entry->next : 0;
        for (const Open& open : position_.open) end = std::max(end, open.end);
        if (!position_.open.empty()) {
            close_open(std::max(end, position_.expected));
        } else if (position_.expected < end) {
            add(ProblemKind::missing, file, 0, position_.expected, end);
        }
        position_.expected = std::max(position_.expected, end);
    }

    Status check_segment(const std::string& file, const SegmentName& segment, bool last) {
        const std::string path = directory_ + "/" + file;
        for (unsigned looks = 0;; ++looks) {
            const auto reader = SegmentReader::open(files_, sealer_, path);
            if (!reader) return not_opened(reader.error(), file);
            const auto size = (*reader)->file_size();
            if (!size) return size.error();
            const auto zero = (*reader)->header() ? Result<bool>(false) : (*reader)->is_zero(0, *size);
            if (zero && *zero) return {};  // made, and nothing written yet
            if (!(*reader)->header() && last && !is_short(segment.slot) && looks < kLooksMax && observer_.wait()) continue;
            ++summary_.segments;
            summary_.bytes += *size;
            const std::uint64_t done_before = done_;
            if (!(*reader)->header()) {
                add_locked(**reader, ProblemKind::segment_header, file, *size);
            } else if (is_ours((*reader)->header().value(), segment)) {
                begin_segment((*reader)->header()->first, file);
                if ((*reader)->lacks_key()) {
                    other_key_ = true;
                    add_locked(**reader, ProblemKind::other_key, file, *size);
                    done_ = done_before + *size;
                    return {};
                }
                if (auto done = scan(**reader, file, kSegmentHeaderBytes, *size); !done) return done;
                if (auto done = last ? look_again(file, segment.slot) : Status(); !done) return done;
            } else {
                add(ProblemKind::foreign, file, 0);
            }
            done_ = done_before + *size;
            return {};
        }
    }

    Status not_opened(const base::Error& error, const std::string& file) {
        if (error.code == Errc::not_found) return {};  // removed meanwhile: the numbers tell whether it should have been
        const ProblemKind kind = error.code == Errc::version ? ProblemKind::other_version : ProblemKind::unreadable;
        if (error.code == Errc::permission) return error;
        ++summary_.segments;
        position_.open.push_back({.kind = kind, .file = file, .offset = 0});
        return {};
    }

    /// Numbers are missing that were durable before the reading began: no gateway is in the middle of writing those.
    [[nodiscard]] bool is_short(std::uint8_t slot) const {
        const ManifestClass* const entry = class_of(before_, slot);
        return entry != nullptr && std::max(position_.expected, entry->acknowledged) < entry->next;
    }

    [[nodiscard]] bool is_ours(const SegmentHeader& header, const SegmentName& segment) const {
        return header.slot == segment.slot && header.number == segment.number && (!before_ || header.epoch == before_->epoch);
    }

    /// A segment ends where the next one begins, whatever it has behind that: left from a failed sync.
    void begin_segment(std::uint64_t first, const std::string& file) {
        const ManifestClass* const entry = class_of(before_, parse_segment_name(file)->slot);
        if (position_.expected == 0 && entry != nullptr) position_.expected = std::min(first, entry->acknowledged);
        if (position_.expected >= first) {
            summary_.events -= std::min(summary_.events, position_.expected - first);
            std::erase_if(position_.open, [&](const Open& open) { return open.first == 0 || open.first >= first; });
            if (!position_.open.empty()) close_open(first);
        } else if (!position_.open.empty()) {
            close_open(first);
        } else if (position_.expected != 0) {
            add(ProblemKind::missing, file, 0, position_.expected, first);
        }
        position_.expected = first;
    }

    /// Nothing opens; the headers of the blocks, which are in the clear, say which events are lost.
    void add_locked(SegmentReader& reader, ProblemKind kind, const std::string& file, std::uint64_t size) {
        Open open{.kind = kind, .file = file, .offset = 0};
        for (std::uint64_t offset = 0; offset < size;) {
            const auto look = reader.search(offset, size);
            if (look.found != Found::block) break;
            if (open.first == 0) open.first = look.header.first;
            open.end = std::max(open.end, look.header.end());
            offset = look.offset + look.header.size_on_disk();
        }
        position_.open.push_back(std::move(open));
    }

    Status scan(SegmentReader& reader, const std::string& file, std::uint64_t offset, std::uint64_t size) {
        std::uint64_t told = offset;
        while (true) {
            if (offset - told >= kProgressEvery) {
                done_ += kProgressEvery;
                told += kProgressEvery;
                observer_.on_progress(done_, total_);
            }
            const auto look = reader.look(offset, size);
            if (look && (look->found == Found::end || look->found == Found::cut)) return {};
            if (look && look->found == Found::block) {
                take(reader, *look, file);
                offset += look->header.size_on_disk();
                continue;
            }
            const auto next = reader.search(look ? offset + 1 : (offset / kPageBytes + 1) * kPageBytes, size);
            const bool at_end = next.found != Found::block;
            const auto zero = look && at_end ? reader.is_zero(offset, size) : Result<bool>(false);
            if (zero && *zero) return {};  // reserved and not yet written
            const ProblemKind kind = !look ? ProblemKind::unreadable : at_end ? ProblemKind::torn : ProblemKind::no_block;
            Open open{.kind = kind, .file = file, .offset = offset};
            if (kind == ProblemKind::torn) {
                // Which block it was before one of its bits flipped, if that is what happened.
                const auto guess = reader.guess(offset, size);
                if (guess && *guess && (*guess)->first == position_.expected) {
                    open.kind = ProblemKind::block;
                    open.first = (*guess)->first;
                    open.end = (*guess)->end();
                }
            }
            position_.open.push_back(std::move(open));
            if (at_end) return {};
            offset = next.offset;
        }
    }

    void take(SegmentReader& reader, const SegmentReader::Look& look, const std::string& file) {
        const BlockHeader& header = look.header;
        const Status loaded = reader.load(look, unpacker_, block_);
        if (!loaded) {
            const ProblemKind kind = loaded.error().code == Errc::corrupt ? ProblemKind::block : ProblemKind::unreadable;
            position_.open.push_back({.kind = kind, .file = file, .offset = look.offset, .first = header.first, .end = header.end()});
            return;
        }
        if (header.first < position_.expected) {
            add(ProblemKind::order, file, look.offset);
            return;
        }
        if (!position_.open.empty()) {
            close_open(header.first);
        } else if (header.first > position_.expected) {
            add(ProblemKind::missing, file, look.offset, position_.expected, header.first);
        }
        position_.expected = header.end();
        ++summary_.blocks;
        summary_.events += header.events;
    }

    /// The end of the segment that is being written, if a gateway runs: what does not open there may not be complete yet. What was durable
    /// before the reading began is.
    Status look_again(const std::string& file, std::uint8_t slot) {
        for (unsigned looks = 0; looks < kLooksMax && !position_.open.empty(); ++looks) {
            if (position_.open.front().file != file || is_short(slot)) return {};
            if (!observer_.wait()) return {};
            const std::uint64_t offset = position_.open.front().offset;
            const auto reader = SegmentReader::open(files_, sealer_, directory_ + "/" + file);
            if (!reader && reader.error().code != Errc::not_found) return {};
            position_.open.clear();
            if (!reader) return {};  // delivered meanwhile
            const auto size = (*reader)->file_size();
            if (!size) return size.error();
            if (auto done = scan(**reader, file, offset, *size); !done) return done;
        }
        return {};
    }

    env::FileSystem& files_;
    Sealer& sealer_;
    const std::string& directory_;
    VerifyObserver& observer_;
    Manifests manifests_;
    std::optional<Manifest> before_;                               ///< as it was before the first segment was read
    std::map<std::uint8_t, std::vector<std::uint64_t>> segments_;  ///< numbers by slot
    Position position_;
    Unpacker unpacker_;
    DecodedBlock block_;
    VerifySummary summary_;
    std::uint64_t done_ = 0;
    std::uint64_t total_ = 0;
    bool other_key_ = false;
};

}  // namespace

Result<VerifySummary> verify(env::FileSystem& files, Sealer& sealer, const std::string& directory, VerifyObserver& observer) {
    return Verifier(files, sealer, directory, observer).run();
}

}  // namespace sluice::spool

#include "gateway/state_journal.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "flow/spool/block.hpp"

namespace sluice::gateway {
namespace {

using spool::append_varint;
using spool::take_varint;

constexpr data::ClassIndex kClass{0};
constexpr std::string_view kClassName = "state";
constexpr std::size_t kEventsRecordBytes = 256 * 1024;
/// Of one commit, and of all together while the spool is behind. Beyond this the spool has to have them first: a start that brings them has
/// them in memory.
constexpr std::size_t kNotedBytesMax = 4 * 1024 * 1024;
/// Events without turns: more are not written twice to save a sync.
constexpr std::size_t kUrgentBytesMax = 64 * 1024;
constexpr spool::ReadLimits kReadLimits{.events = 4096, .bytes = 1 << 20};

void append_name(base::Bytes& out, std::string_view name) {
    out.push_back(static_cast<base::Byte>(name.size()));
    base::append(out, name);
}

std::optional<std::string_view> take_name(base::ByteView& from) {
    if (from.empty() || from.size() <= from[0]) return std::nullopt;
    const std::size_t size = from[0];
    const std::string_view name = base::as_text(from.subspan(1, size));
    from = from.subspan(1 + size);
    return name;
}

std::optional<base::ByteView> take_bytes(base::ByteView& from) {
    const auto size = take_varint(from);
    if (!size || *size > from.size()) return std::nullopt;
    const base::ByteView out = from.first(*size);
    from = from.subspan(*size);
    return out;
}

std::optional<data::ClassIndex> class_of(const spool::Spool& events, std::string_view name) {
    const auto& classes = events.classes();
    const auto found = std::find_if(classes.begin(), classes.end(), [name](const auto& each) { return each.name == name; });
    if (found == classes.end()) return std::nullopt;
    return data::ClassIndex(static_cast<std::uint8_t>(found - classes.begin()));
}

/// Ends what counts together.
struct Commit {
    static constexpr base::Byte kAhead = 1;

    JournalMoment at;
    std::uint64_t epoch = 0;  ///< of the spool
    /// Until December 2026: counts only if the spool has this number, its events are not all in the journal. Empty: counts.
    std::string_view event_class;
    std::uint64_t first = 0;
    bool ahead = false;  ///< the spool did not have all events of the commits before

    static std::optional<Commit> decode(base::ByteView from) {
        constexpr std::size_t kFixed = 25;
        if (from.size() <= kFixed) return std::nullopt;
        Commit out;
        out.at.at = base::Monotonic(std::chrono::nanoseconds(static_cast<std::int64_t>(base::load_le<std::uint64_t>(from.data() + 1))));
        out.at.wall = base::WallTime(std::chrono::nanoseconds(static_cast<std::int64_t>(base::load_le<std::uint64_t>(from.data() + 9))));
        out.epoch = base::load_le<std::uint64_t>(from.data() + 17);
        from = from.subspan(kFixed);
        const auto name = take_name(from);
        const auto first = take_varint(from);
        if (!name || !first) return std::nullopt;
        out.event_class = *name;
        out.first = *first;
        out.ahead = !from.empty() && (from[0] & kAhead) != 0;
        return out;
    }
    void encode(base::Bytes& out) const {
        out.push_back(static_cast<base::Byte>(JournalKind::commit));
        base::append_le(out, static_cast<std::uint64_t>(at.at.time_since_epoch().count()));
        base::append_le(out, static_cast<std::uint64_t>(at.wall.time_since_epoch().count()));
        base::append_le(out, epoch);
        append_name(out, event_class);
        append_varint(out, first);
        out.push_back(ahead ? kAhead : base::Byte{0});
    }
};

class Nobody final : public spool::EventVisitor {
public:
    void on_event(data::Sequence, const data::Event&) override {}
};

/// Did the event reach the disk? One that was dropped since, or delivered, did.
base::Result<bool> holds(spool::Spool& events, data::ClassIndex event_class, std::uint64_t sequence) {
    if (data::Sequence(sequence) >= events.durable_end(event_class)) return false;
    if (data::Sequence(sequence) < events.first_waiting(event_class)) return true;
    Nobody nobody;
    const auto found = events.read(event_class, data::Sequence(sequence), {.events = 1, .bytes = 1}, nobody);
    if (!found) return found.error();
    return !found->gap || found->gap->reason != base::DropReason::corrupt;
}

/// Can anything of the class be read behind this number?
base::Result<bool> goes_on_behind(spool::Spool& events, data::ClassIndex event_class, std::uint64_t sequence) {
    for (data::Sequence at(sequence + 1); at < events.durable_end(event_class);) {
        Nobody nobody;
        const auto found = events.read(event_class, at, {.events = 1, .bytes = 1}, nobody);
        if (!found) return found.error();
        if (found->events != 0) return true;
        if (found->next <= at) break;
        at = found->next;
    }
    return false;
}

/// An event as the journal has it.
struct Kept {
    data::ClassIndex event_class;
    std::uint64_t sequence = 0;
    std::int64_t made_ms = 0;
    std::string rule;
    base::Bytes json;
};

/// Appends those of a record of events; how many are of a class that is not there.
std::uint64_t take_kept(const spool::Spool& events, base::ByteView from, std::vector<Kept>& out) {
    std::uint64_t unknown = 0;
    while (!from.empty()) {
        const auto name = take_name(from);
        const auto sequence = take_varint(from);
        const auto made = take_varint(from);
        const auto rule = take_bytes(from);
        const auto json = take_bytes(from);
        if (!name || !sequence || !made || !rule || !json) break;
        if (const auto event_class = class_of(events, *name))
            out.push_back({*event_class, *sequence, spool::unzigzag(*made), std::string(base::as_text(*rule)),
                           base::Bytes(json->begin(), json->end())});
        else
            ++unknown;
    }
    return unknown;
}

/// Of the events that the spool may lack those that have to come again. A write can be torn in the middle: what it has left of a class
/// behind the first one that is missing is taken back and comes again, too, or events would change their order. Nobody has seen it: uplinks
/// read what was synced.
base::Result<std::vector<Kept>> torn_off(spool::Spool& events, std::vector<Kept> owed) {
    std::map<data::ClassIndex, std::uint64_t> ends;
    for (const Kept& each : owed) ends[each.event_class] = each.sequence;
    std::map<data::ClassIndex, bool> torn;  // from the first one that is missing
    std::vector<Kept> out;
    for (Kept& each : owed) {
        const auto there = holds(events, each.event_class, each.sequence);
        if (!there) return there.error();
        auto known = torn.find(each.event_class);
        if (known == torn.end()) {
            if (*there) continue;
            // Newer ones behind it: the write was whole once, and the medium has lost some of it. That is counted like any damage.
            const auto goes_on = goes_on_behind(events, each.event_class, ends[each.event_class]);
            if (!goes_on) return goes_on.error();
            known = torn.emplace(each.event_class, !*goes_on).first;
        }
        if (!known->second) continue;
        if (*there) events.retract(each.event_class, data::Sequence(each.sequence));
        out.push_back(std::move(each));
    }
    return out;
}

}  // namespace

/// Puts the records of a commit together.
class StateJournal::Walk : public spool::EventVisitor {
public:
    struct Turn {
        std::uint64_t position;
        base::Bytes record;
    };
    void on_event(data::Sequence sequence, const data::Event& event) final {
        if (event.json.empty()) return;
        switch (static_cast<JournalKind>(event.json[0])) {
            case JournalKind::turn:
                turns.push_back({sequence.value(), base::Bytes(event.json.begin(), event.json.end())});
                return;
            case JournalKind::events:
            case JournalKind::packed_events:
                if (auto read = read_events(event.json)) events.push_back(std::move(*read));
                return;
            case JournalKind::commit:
                if (const auto commit = Commit::decode(event.json)) on_commit(sequence.value(), *commit);
                break;
            case JournalKind::again:
                forget();
                again = true;
                if (event.json.size() >= 9) again_epoch = base::load_le<std::uint64_t>(event.json.data() + 1);
                return;
            case JournalKind::start:
                on_start(event.json);
                break;
        }
        forget();
    }
    void on_gap(std::uint64_t records) {
        lost += records;
        forget();
    }
    /// Records that no commit ends: the next one must not take them for its own.
    [[nodiscard]] bool has_loose_end() const { return again || !turns.empty() || !events.empty(); }

    std::vector<Turn> turns;
    std::vector<base::Bytes> events;
    bool again = false;                        ///< `events` are those that a start brings into the spool …
    std::optional<std::uint64_t> again_epoch;  ///< … of this epoch
    std::uint64_t lost = 0;

protected:
    virtual void on_commit(std::uint64_t position, const Commit& commit) = 0;
    virtual void on_start(base::ByteView record) { (void)record; }

private:
    void forget() {
        turns.clear();
        events.clear();
        again = false;
        again_epoch.reset();
    }
};

StateJournal::StateJournal(std::unique_ptr<spool::Spool> spool, std::size_t record_bytes_max)
    : spool_(std::move(spool)),
      event_bytes_max_(record_bytes_max - 1),
      next_(spool_->durable_end(kClass).value()),
      lost_before_(spool_->stats().classes[0].dropped_total()) {}

base::Result<std::unique_ptr<StateJournal>> StateJournal::open(const spool::Spool::Environment& environment, const Options& options) {
    spool::Options wanted;
    wanted.directory = options.directory;
    wanted.bytes_max = options.bytes_max;
    wanted.pending_bytes_max = 8U << 20;
    wanted.classes = {{.name = std::string(kClassName)}};
    auto spool = spool::Spool::open(environment, std::move(wanted));
    if (!spool) return spool.error();
    const auto record_bytes_max = static_cast<std::size_t>(std::min<std::uint64_t>(spool::kRecordBytesMax, options.bytes_max / 8));
    return std::unique_ptr<StateJournal>(new StateJournal(std::move(*spool), record_bytes_max));
}

base::Status StateJournal::walk(Walk& walk) {
    for (data::Sequence at = spool_->first_waiting(kClass); at < spool_->durable_end(kClass);) {
        const auto found = spool_->read(kClass, at, kReadLimits, walk);
        if (!found) return found.error();
        if (found->gap) walk.on_gap(found->gap->last.value() - found->gap->first.value() + 1);
        if (found->next <= at) break;
        at = found->next;
    }
    return {};
}

base::Result<StateJournal::Found> StateJournal::settle(spool::Spool& events) {
    class Settle final : public Walk {
    public:
        Settle(const spool::Spool& the_spool, std::set<std::uint64_t>& the_void) : spooled(the_spool), not_counting(the_void) {}
        void on_commit(std::uint64_t position, const Commit& commit) override {
            if (!commit.ahead) owed_are_there();
            older.reset();
            const bool same = commit.epoch == spooled.epoch().value();
            const auto event_class = class_of(spooled, commit.event_class);
            if (same && event_class && spooled.durable_end(*event_class) <= data::Sequence(commit.first)) {
                of_this_run.push_back(position);
                return;
            }
            if (same && event_class) older = Older{position, *event_class, commit.first, turns.size(), found.last};
            take_events(same);
            found.turns += turns.size();
            found.last = commit.at;
        }
        void on_start(base::ByteView record) override {
            // What came before was decided then. What the start brought into the spool may not have got there.
            of_this_run.clear();
            missing.clear();
            owed.clear();
            older.reset();
            found.strange = 0;
            if (again) take_events(!again_epoch || *again_epoch == spooled.epoch().value());
            base::ByteView from = record.subspan(1);
            while (const auto position = take_varint(from)) not_counting.insert(*position);
        }
        /// When the next commit came the spool had them. (Until December 2026 it might not, after a disk that failed: nothing was torn
        /// there, the spool has begun a new file.)
        void owed_are_there() {
            for (Kept& each : owed)
                if (data::Sequence(each.sequence) >= spooled.durable_end(each.event_class)) missing.push_back(std::move(each));
            owed.clear();
            found.strange = 0;
        }
        void take_events(bool of_this_spool) {
            std::vector<Kept> elsewhere;
            for (const base::Bytes& each : events) found.strange += take_kept(spooled, each, of_this_spool ? owed : elsewhere);
            found.strange += elsewhere.size();
        }
        /// A commit as it was until December 2026.
        struct Older {
            std::uint64_t position;
            data::ClassIndex event_class;
            std::uint64_t first;
            std::size_t turns;
            std::optional<JournalMoment> before;
        };
        const spool::Spool& spooled;
        std::set<std::uint64_t>& not_counting;
        Found found;
        std::vector<std::uint64_t> of_this_run;
        std::optional<Older> older;  // the last commit, if it is one
        std::vector<Kept> owed;      // perhaps not, or not all, in the spool
        std::vector<Kept> missing;
    };
    Settle settle(events, void_);
    if (auto walked = walk(settle); !walked) return walked.error();
    settle.found.lost = settle.lost;
    settle.found.end = next_;
    if (const auto& older = settle.older) {
        // A torn write leaves sequence numbers that nobody has: of an older last commit only what can be read is there.
        const auto there = holds(events, older->event_class, older->first);
        if (!there) return there.error();
        if (!*there) {
            settle.of_this_run.push_back(older->position);
            settle.found.turns -= older->turns;
            settle.found.last = older->before;
            settle.owed.clear();
        }
    }
    auto torn = torn_off(events, std::move(settle.owed));
    if (!torn) return torn.error();
    for (Kept& each : *torn) settle.missing.push_back(std::move(each));
    settle.found.brought = settle.missing.size();
    // What was taken back first: whoever dies behind this finds that it is missing.
    if (auto done = events.commit(); !done) return done.error();
    for (const Kept& each : settle.missing) {
        const data::Event event{each.event_class, each.rule, base::from_ms(each.made_ms), each.json};
        if (const auto sequence = events.append(event)) keep(events, *sequence, event);
    }
    if (auto started = start(events, settle.of_this_run, settle.has_loose_end()); !started) return started.error();
    if (auto done = events.commit(); !done) return done.error();
    return settle.found;
}

/// What the start has decided, on disk before the spool has anything new. Where that is nothing the next start finds the same.
base::Status StateJournal::start(spool::Spool& events, const std::vector<std::uint64_t>& not_counting, bool loose_end) {
    void_.insert(not_counting.begin(), not_counting.end());
    if (noted_.empty() && not_counting.empty() && !loose_end) return {};
    if (!noted_.empty()) {
        scratch_.assign(1, static_cast<base::Byte>(JournalKind::again));
        base::append_le(scratch_, events.epoch().value());
        if (auto added = add(scratch_); !added) return added;
        add_noted();
        if (auto done = sync(events, false); !done) return done;
    }
    scratch_.assign(1, static_cast<base::Byte>(JournalKind::start));
    for (const std::uint64_t position : not_counting) append_varint(scratch_, position);
    if (auto added = add(scratch_); !added) return added;
    return sync(events, false);
}

base::Status StateJournal::sync(spool::Spool& events, bool complete) {
    spool_->drop_on_full_disk(complete);
    auto done = spool_->commit();
    while (!done && done.error().code == base::Errc::disk_full && events.give_way()) done = spool_->commit();
    pending_ = !done;
    return done;
}

base::Status StateJournal::read(Visitor& visitor) {
    class Read final : public Walk {
    public:
        Read(Visitor& to, const std::set<std::uint64_t>& the_void) : visitor(to), not_counting(the_void) {}
        void on_commit(std::uint64_t position, const Commit&) override {
            if (not_counting.contains(position)) return;
            for (const Turn& turn : turns) visitor.on_turn(turn.position, turn.record);
        }
        Visitor& visitor;
        const std::set<std::uint64_t>& not_counting;
    };
    Read read(visitor, void_);
    return walk(read);
}

base::Status StateJournal::add(base::ByteView record) {
    const auto sequence = spool_->append({kClass, {}, base::from_ms(0), record});
    if (!sequence) return sequence.error();
    next_ = sequence->value() + 1;
    pending_ = true;
    return {};
}

/// The events noted since the last commit.
void StateJournal::add_noted() {
    scratch_.assign(1, static_cast<base::Byte>(JournalKind::events));
    const std::size_t bytes_max = std::min(kEventsRecordBytes, event_bytes_max_);
    const auto flush = [this] {
        if (scratch_.size() > 1) (void)add(packer_.pack(scratch_));  // none is too large: note()
        scratch_.resize(1);
    };
    std::size_t begin = 0;
    for (const std::size_t end : noted_ends_) {
        if (scratch_.size() + (end - begin) > bytes_max) flush();
        base::append(scratch_, base::ByteView(noted_).subspan(begin, end - begin));
        begin = end;
    }
    flush();
    forget_noted();
    carried_until_ = noted_until_;
}

void StateJournal::forget_noted() {
    noted_.clear();
    noted_ends_.clear();
    noted_classes_ = 0;
    too_much_ = false;
}

void StateJournal::append(base::ByteView turn) {
    open_ = true;
    const base::ByteView record = packer_.pack(turn);
    // They wait for the spool to write again; nobody has had an acknowledgement. A checkpoint follows.
    if (ahead_ && turn_bytes_ + record.size() > kNotedBytesMax) {
        ++turns_dropped_;
        return;
    }
    turn_bytes_ += record.size();
    (void)add(record);  // too large for a small journal: counted as lost, and a checkpoint follows
}

void StateJournal::note(const spool::Spool& events, data::Sequence sequence, const data::Event& event) {
    if (too_much_) return;
    constexpr std::size_t kHeadBytesMax = 1 + 255 + 4 * 10;  // name and numbers
    const std::size_t bytes = kHeadBytesMax + event.rule.size() + event.json.size();
    too_much_ = bytes > event_bytes_max_ || noted_.size() + bytes > kNotedBytesMax;
    if (!too_much_) keep(events, sequence, event);
}

void StateJournal::keep(const spool::Spool& events, data::Sequence sequence, const data::Event& event) {
    append_name(noted_, events.classes()[event.event_class.value()].name);
    append_varint(noted_, sequence.value());
    append_varint(noted_, spool::zigzag(base::to_ms(event.made)));
    append_varint(noted_, event.rule.size());
    base::append(noted_, event.rule);
    append_varint(noted_, event.json.size());
    base::append(noted_, event.json);
    noted_ends_.push_back(noted_.size());
    noted_classes_ |= 1U << event.event_class.value();
    noted_until_.resize(events.classes().size());
    noted_until_[event.event_class.value()] = sequence.value() + 1;
}

bool StateJournal::is_ahead_of(const spool::Spool& events) const {
    for (std::size_t i = 0; i < carried_until_.size(); ++i)
        if (data::Sequence(carried_until_[i]) > events.durable_end(data::ClassIndex(static_cast<std::uint8_t>(i)))) return true;
    return false;
}

bool StateJournal::saves_syncs() const { return std::popcount(noted_classes_) > 1 && noted_.size() <= kUrgentBytesMax && !too_much_; }

base::Result<bool> StateJournal::commit(spool::Spool& events, JournalMoment now, bool urgent) {
    const bool carries = open_ || (urgent && saves_syncs());
    ahead_ = is_ahead_of(events);
    if (carries) {
        if (!ahead_) ahead_bytes_ = 0;
        too_much_ = too_much_ || (ahead_ && ahead_bytes_ + noted_.size() + turn_bytes_ > kNotedBytesMax);
        // Events before turns can come twice when it dies in between: rather than never.
        if (too_much_) {
            if (auto done = events.commit(); !done) return done.error();
            forget_noted();
            ahead_ = false;
        }
        if (ahead_) ahead_bytes_ += noted_.size() + turn_bytes_;
        const Commit commit{.at = now, .epoch = events.epoch().value(), .event_class = {}, .first = 0, .ahead = ahead_};
        add_noted();
        scratch_.clear();
        commit.encode(scratch_);
        if (auto added = add(scratch_); !added) return added.error();
        open_ = false;
        turn_bytes_ = 0;
    }
    forget_noted();
    if (!pending_) return false;
    if (auto done = sync(events, !ahead_); !done) return done.error();
    // A journal that is full, or whose disk has failed for long, may have dropped some of it.
    const std::uint64_t lost_before = std::exchange(lost_known_, lost());
    return carries && lost_known_ == lost_before;
}

void StateJournal::release(std::uint64_t position) {
    if (position > 1) spool_->acknowledge(kClass, data::Sequence(position - 1));
}

JournalStats StateJournal::stats() const {
    const spool::Stats stats = spool_->stats();
    JournalStats out;
    out.bytes_used = stats.bytes_used;
    out.bytes_max = stats.bytes_max;
    out.bytes_written = stats.bytes_written;
    out.syncs = stats.syncs;
    out.lost = lost();
    return out;
}

std::uint64_t StateJournal::lost() const {
    const std::uint64_t dropped = spool_->stats().classes[0].dropped_total();
    return dropped - std::min(lost_before_, dropped) + turns_dropped_;
}

}  // namespace sluice::gateway

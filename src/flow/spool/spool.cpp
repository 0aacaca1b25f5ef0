#include "flow/spool/spool.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.hpp"
#include "base/fail_point.hpp"
#include "flow/spool/parts.hpp"
#include "flow/spool/segment_name.hpp"

namespace sluice::spool {
namespace {

using base::Errc;
using base::Error;
using base::Result;
using base::Status;

Status validate(const Options& options) {
    if (options.directory.empty() || options.bytes_max < kSpoolBytesMin) return Error{Errc::invalid};
    if (options.pending_bytes_max < kSegmentBytesMin) return Error{Errc::invalid};
    if (options.classes.size() > data::kClassesMax) return Error{Errc::invalid};
    if (options.classes.empty() && !options.read_only) return Error{Errc::invalid};
    for (std::size_t i = 0; i < options.classes.size(); ++i) {
        const std::string& name = options.classes[i].name;
        if (name.empty() || name.size() > kClassNameBytesMax) return Error{Errc::invalid};
        const std::uint32_t share = options.classes[i].share_percent;
        if (share < kSharePercentMin || share > 100) return Error{Errc::invalid};
        for (std::size_t j = 0; j < i; ++j)
            if (options.classes[j].name == name) return Error{Errc::invalid};
    }
    return {};
}

}  // namespace

std::uint64_t ClassStats::dropped_total() const { return std::accumulate(dropped.begin(), dropped.end(), std::uint64_t{0}); }

Parts::Parts(Spool::Environment where, Options what)
    : environment(where), options(std::move(what)), manifests({where.files, where.entropy, where.sealer, options.directory}) {}

ClassLog& Parts::log_of(data::ClassIndex index) {
    base::check(index.value() < logs.size(), "spool: a class that does not exist");
    return logs[index.value()];
}

std::uint64_t Parts::segment_bytes() const { return std::clamp(options.bytes_max / kSegmentsPerSpool, kSegmentBytesMin, kSegmentBytesMax); }
std::size_t Parts::block_target_bytes() const { return std::min<std::uint64_t>(kBlockTargetBytesMax, segment_bytes() / 4); }
std::uint64_t Parts::share_bytes(const ClassLog& log) const {
    const std::uint64_t percent = log.options.share_percent;
    return options.bytes_max / 100 * percent + options.bytes_max % 100 * percent / 100;  // the whole cannot overflow
}

std::uint64_t Parts::record_bytes_max(const ClassLog& log) const {
    return std::min({std::uint64_t{kRecordBytesMax}, options.bytes_max / 8, share_bytes(log) / 2});
}

std::string Parts::segment_path(const ClassLog& log, std::uint64_t number) const {
    return options.directory + "/" + format(SegmentName{log.slot, number});
}

Spool::Spool(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Spool::~Spool() = default;

Result<std::unique_ptr<Spool>> Spool::open(Environment environment, Options options) {
    if (auto valid = validate(options); !valid) return valid.error();
    auto parts = std::make_unique<Parts>(environment, std::move(options));
    if (auto recovered = parts->recover(); !recovered) return recovered.error();
    return std::unique_ptr<Spool>(new Spool(std::move(parts)));
}

const std::vector<ClassOptions>& Spool::classes() const { return parts_->classes; }

data::Epoch Spool::epoch() const { return data::Epoch(parts_->epoch); }

Result<data::Sequence> Spool::append(const data::Event& event) {
    base::check(!parts_->options.read_only, "spool: appending to a spool that is open for reading");
    return parts_->append(event);
}

void Spool::count_dropped(data::ClassIndex event_class, base::DropReason reason, std::uint64_t events) {
    ClassLog& log = parts_->log_of(event_class);
    log.unnumbered += events;
    log.dropped[static_cast<std::size_t>(reason)] += events;
    parts_->losses_unsaved = parts_->losses_unsaved || events != 0;
}

void Spool::drop(data::ClassIndex event_class, data::Sequence sequence, base::DropReason reason) {
    base::check(sequence < durable_end(event_class), "spool: dropping what is not there");
    parts_->lose(parts_->log_of(event_class), sequence.value(), sequence.value(), reason);
}

void Spool::retract(data::ClassIndex event_class, data::Sequence sequence) { drop(event_class, sequence, base::DropReason::corrupt); }

Status Spool::commit() { return parts_->commit(); }

void Spool::promise() {
    for (ClassLog& log : parts_->logs) log.promised = log.pending.size();
}

void Spool::drop_on_full_disk(bool drop) { parts_->drops_on_full_disk = drop; }

bool Spool::has_unsaved_losses() const { return parts_->losses_unsaved; }

bool Spool::give_way() {
    // Of all classes, so as the most important one asks for it.
    ClassLog& most_important = parts_->logs[parts_->by_priority.front()];
    return parts_->victim(most_important) != nullptr && parts_->give_way(most_important);
}

Result<ReadResult> Spool::read(data::ClassIndex event_class, data::Sequence from, ReadLimits limits, EventVisitor& visitor) {
    return parts_->read(parts_->log_of(event_class), event_class, from.value(), limits, visitor);
}

void Spool::acknowledge(data::ClassIndex event_class, data::Sequence last) {
    base::pass(base::FailPoint::cloud_acknowledged);
    parts_->acknowledge(parts_->log_of(event_class), last.value());
}

data::Sequence Spool::first_waiting(data::ClassIndex event_class) const { return data::Sequence(parts_->log_of(event_class).acknowledged); }

data::Sequence Spool::durable_end(data::ClassIndex event_class) const { return data::Sequence(parts_->log_of(event_class).durable_end); }

Status Spool::maintain() { return parts_->maintain(); }

Status Spool::close() {
    if (auto done = parts_->commit(); !done) return done;
    return parts_->save();
}

Stats Spool::stats() const {
    const Parts& parts = *parts_;
    Stats stats;
    for (const ClassLog& log : parts.logs) {
        ClassStats& entry = stats.classes.emplace_back();
        entry.name = log.options.name;
        entry.created = log.created();
        entry.delivered = log.delivered;
        entry.waiting = log.waiting();
        entry.dropped = log.dropped;
        entry.pending = log.next - log.durable_end;
        entry.bytes = parts.bytes_held(log);
        entry.bytes_max = parts.share_bytes(log);
        entry.acknowledged = data::Sequence(log.acknowledged - 1);
        entry.durable = data::Sequence(log.durable_end - 1);
        entry.last = data::Sequence(log.next - 1);
        base::check(entry.created == entry.delivered + entry.waiting + entry.dropped_total(), "spool: the sums of a class do not agree");
        stats.segments += log.segments.size();
    }
    stats.bytes_used = parts.bytes_used();
    stats.bytes_max = parts.options.bytes_max;
    stats.bytes_accepted = parts.bytes_accepted;
    stats.bytes_written = parts.bytes_written_before + parts.blocks_written + parts.manifests.bytes_written();
    stats.syncs = parts.syncs + parts.manifests.syncs();
    stats.commits = parts.commits;
    stats.sync_failures = parts.sync_failures;
    stats.foreign_segments = parts.foreign.size();
    stats.degraded = parts.degraded;
    stats.manifest_rebuilt = parts.manifest_rebuilt;
    stats.corrupt_at_open = parts.corrupt_at_open;
    return stats;
}

std::vector<KeyUse> Spool::key_use() const {
    std::map<KeyNumber, KeyUse> by_key;
    const auto add = [&by_key](const KeyUse& use) {
        if (use.key == 0) return;
        KeyUse& sum = by_key[use.key];
        sum.key = use.key;
        sum.segments += use.segments;
        sum.bytes += use.bytes;
        sum.manifests += use.manifests;
    };
    const Parts& parts = *parts_;
    for (const ClassLog& log : parts.logs) {
        for (const Segment& segment : log.segments) add({segment.key, 1, segment.allocated, 0});
    }
    // Until a file is gone for good it may come back after a power cut.
    for (const Parts::Doomed& file : parts.doomed) add({file.key, 1, file.allocated, 0});
    for (const KeyUse& each : parts.removed_older) add(each);
    for (const KeyUse& each : parts.foreign) add(each);
    for (std::size_t slot = 0; slot < 2; ++slot) {
        for (const KeyNumber key : parts.manifests.keys(slot)) add({key, 0, 0, 1});
    }
    std::vector<KeyUse> out;
    out.reserve(by_key.size());
    for (const auto& [number, use] : by_key) out.push_back(use);
    return out;
}

}  // namespace sluice::spool

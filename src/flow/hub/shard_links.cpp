#include "flow/hub/shard_links.hpp"

#include <algorithm>
#include <utility>

namespace sluice::hub {

namespace {

/// What takes the other shard longer than passing a message on: filters, retained messages.
bool is_long(const Record& record) {
    if (record.kind == RecordKind::publication) return (record.flags & Record::kRetain) != 0;
    return record.kind == RecordKind::interest || record.kind == RecordKind::members;
}

}  // namespace

ShardLinks::ShardLinks(std::uint32_t own, std::uint32_t shards, const Limits& limits, Port& port, Counters& counters)
    : own_(own), limits_(limits), port_(port), counters_(counters), links_(shards) {
    base::check(own < shards, "hub: shard index past the number of shards");
}

void ShardLinks::publication(std::uint32_t shard, const Record& record) {
    const std::size_t waits = links_[shard].waiting_bytes();
    if (waits + record.passing.payload.size() > limits_.shard_backlog_bytes_max) {
        ++counters_.dropped_shard_backlog;
        return;
    }
    if (waits > limits_.shard_backlog_bytes_max / 2) congested_ = true;
    control(shard, record);
}

void ShardLinks::control(std::uint32_t shard, const Record& record) {
    Link& link = links_[shard];
    const std::size_t before = link.gathered.bytes.size();
    append_record(link.gathered.bytes, record);
    if (is_long(record)) {
        link.sent += link.gathered.bytes.size() - before;
        behind_ = behind_ || link.unread() > kUnreadMax;
    }
    ++link.gathered.records;
    if (link.gathered.bytes.size() >= kMessageBytes) {
        link.closed_bytes += link.gathered.bytes.size();
        link.closed.push_back(std::exchange(link.gathered, {}));
    }
    ++counters_.shard_records_out;
    dirty_ = true;
}

void ShardLinks::control_to_all(const Record& record) {
    for (std::uint32_t shard = 0; shard < links_.size(); ++shard)
        if (shard != own_) control(shard, record);
}

std::uint64_t ShardLinks::fence() {
    control_to_all({.kind = RecordKind::fence, .a = ++last_fence_});
    for (std::uint32_t shard = 0; shard < links_.size(); ++shard) {
        if (shard == own_) continue;
        links_[shard].marked = links_[shard].sent;
        links_[shard].marks.push_back({last_fence_, links_[shard].sent});
    }
    return last_fence_;
}

void ShardLinks::passed(std::uint32_t shard, std::uint64_t number) {
    Link& link = links_[shard];
    link.passed = number;
    while (!link.marks.empty() && link.marks.front().fence <= number) link.read = link.marks.pop_front().sent;
    behind_ = std::any_of(links_.begin(), links_.end(), [](const Link& one) { return one.unread() > kUnreadMax; });
}

bool ShardLinks::all_passed(std::uint64_t number) const {
    for (std::uint32_t shard = 0; shard < links_.size(); ++shard)
        if (shard != own_ && links_[shard].passed < number) return false;
    return true;
}

/// False: the mailbox is full.
bool ShardLinks::flush(data::ShardIndex to, Link& link) {
    while (!link.closed.empty()) {
        const std::size_t bytes = link.closed.front().bytes.size();
        if (!port_.to_shard(to, std::move(link.closed.front()))) return false;
        static_cast<void>(link.closed.pop_front());  // moved from
        link.closed_bytes -= bytes;
    }
    if (link.gathered.records == 0) return true;
    if (!port_.to_shard(to, std::move(link.gathered))) return false;
    link.gathered = {};
    return true;
}

void ShardLinks::flush() {
    if (!dirty_) return;
    // Often enough that behind() is soon told of what was read, seldom enough to cost nothing.
    if (std::any_of(links_.begin(), links_.end(), [](const Link& link) { return link.sent - link.marked > kUnreadMax / 4; }))
        static_cast<void>(fence());
    dirty_ = waiting_ = congested_ = false;
    for (std::uint32_t shard = 0; shard < links_.size(); ++shard) {
        Link& link = links_[shard];
        if (flush(data::ShardIndex(static_cast<std::uint16_t>(shard)), link)) continue;
        dirty_ = waiting_ = true;
        congested_ = congested_ || link.waiting_bytes() > limits_.shard_backlog_bytes_max / 2;
    }
}

}  // namespace sluice::hub

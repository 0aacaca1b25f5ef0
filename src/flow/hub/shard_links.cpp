#include "flow/hub/shard_links.hpp"

#include <algorithm>

namespace sluice::hub {

ShardLinks::ShardLinks(std::uint32_t own, std::uint32_t shards, const Limits& limits, Port& port, Counters& counters)
    : own_(own), limits_(limits), port_(port), counters_(counters), links_(shards) {
    base::check(own < shards, "hub: shard index past the number of shards");
}

void ShardLinks::publication(std::uint32_t shard, const Record& record) {
    const std::size_t waits = links_[shard].gathered.bytes.size();
    if (waits + record.passing.payload.size() > limits_.shard_backlog_bytes_max) {
        ++counters_.dropped_shard_backlog;
        return;
    }
    if (waits > limits_.shard_backlog_bytes_max / 2) congested_ = true;
    control(shard, record);
}

void ShardLinks::control(std::uint32_t shard, const Record& record) {
    ShardMessage& message = links_[shard].gathered;
    append_record(message.bytes, record);
    ++message.records;
    ++counters_.shard_records_out;
    dirty_ = true;
}

void ShardLinks::control_to_all(const Record& record) {
    for (std::uint32_t shard = 0; shard < links_.size(); ++shard)
        if (shard != own_) control(shard, record);
}

std::uint64_t ShardLinks::fence() {
    control_to_all({.kind = RecordKind::fence, .a = ++last_fence_});
    return last_fence_;
}

bool ShardLinks::all_passed(std::uint64_t number) const {
    for (std::uint32_t shard = 0; shard < links_.size(); ++shard)
        if (shard != own_ && links_[shard].passed < number) return false;
    return true;
}

void ShardLinks::flush() {
    if (!dirty_) return;
    dirty_ = waiting_ = congested_ = false;
    for (std::uint32_t shard = 0; shard < links_.size(); ++shard) {
        ShardMessage& message = links_[shard].gathered;
        if (message.records == 0) continue;
        if (port_.to_shard(data::ShardIndex(static_cast<std::uint16_t>(shard)), std::move(message))) {
            message = ShardMessage{};
        } else {
            dirty_ = waiting_ = true;
            congested_ = congested_ || message.bytes.size() > limits_.shard_backlog_bytes_max / 2;
        }
    }
}

}  // namespace sluice::hub

// What a shard does about limits: whose input waits, and what is done when memory runs out.
#include <utility>

#include "gateway/shard.hpp"

namespace sluice::gateway {
namespace {
constexpr std::chrono::milliseconds kShedEvery{50};  // it looks at every connection
}  // namespace

void Shard::hold_input(hub::ConnectionId of, bool hold) {
    if (hold) return tcp_.hold(of.value(), true);
    released_.push_back(of.value());  // on_bytes() is not called from inside the hub
    loop_.hurry();
}

/// Not while sockets are not read: what they left is input like any other.
void Shard::present_released() {
    if (paused_) return;
    for (const posix::TcpId id : std::exchange(released_, {})) tcp_.hold(id, false);
}

hub::Elsewhere Shard::elsewhere() const {
    using hub::Counters;
    hub::Elsewhere out;
    for (const ShardGauges* peer : links_.peer_gauges) {
        out.memory_bytes += peer->hub_counter(&Counters::memory_bytes);
        out.sessions += peer->hub_counter(&Counters::sessions);
        out.subscriptions += peer->hub_counter(&Counters::subscriptions);
        out.waiting_bytes += peer->hub_counter(&Counters::waiting_bytes);
        out.will_bytes += peer->hub_counter(&Counters::will_bytes);
    }
    return out;
}

/// What clients have sent half of, or do not take, is theirs: at the limit those with the most of it are closed.
void Shard::mind_memory(base::Monotonic now) {
    const std::size_t room = hub_.memory_room();
    tcp_.set_room(room / options_.shards);  // the others take of it at the same time
    if (room == 0 && now >= next_shed_) {
        next_shed_ = now + kShedEvery;
        tcp_.shed_largest(options_.hub.memory_bytes_max / 16);
    }
    gauges_.closed_memory.store(tcp_.shed(), std::memory_order_relaxed);
}

void Shard::set_limits(const ShardLimits& limits) {
    options_.hub = limits.hub;
    hub_.set_limits(limits.hub);
    options_.rules.keys_max = limits.rules.keys_max;
    options_.rules.state_bytes_max = limits.rules.state_bytes_max;
    options_.rules.rule_state_bytes_max = limits.rules.rule_state_bytes_max;
    options_.rules.payload_bytes_max = limits.rules.payload_bytes_max;
    options_.rules.json_depth_max = limits.rules.json_depth_max;
}

}  // namespace sluice::gateway

#include "gateway/limits.hpp"

#include <algorithm>

#include <sys/resource.h>

#include "gateway/descriptors.hpp"

namespace sluice::gateway {
namespace {

/// Of a machine of which nobody knows how much memory it has.
constexpr std::uint64_t kMemoryUnknown = 256 * 1024 * 1024;
/// As long as a turn may take without anybody noticing it beside the naps and wake-ups of a loop.
constexpr std::chrono::microseconds kTurnWork{400};
constexpr std::uint64_t kMemoryMin = 16 * 1024 * 1024;

}  // namespace

hub::Limits hub_limits(const config::Limits& from, std::uint64_t memory_of_machine) {
    hub::Limits out;
    out.connections_max = from.connections;
    out.connect_timeout = std::chrono::ceil<std::chrono::seconds>(from.connect_timeout);
    out.keep_alive_max = std::chrono::floor<std::chrono::seconds>(from.keep_alive_max);
    out.payload_bytes_max = from.payload;
    out.output_bytes_max = from.output_bytes;
    out.output_bytes_hard = from.output_bytes * 8;
    out.turn_work = kTurnWork;
    out.message_rate = from.message_rate;
    out.byte_rate = from.byte_rate;
    out.topic_bytes_max = from.topic_length;
    out.topic_levels_max = from.topic_levels;
    out.receive_maximum = from.receive_maximum;
    out.topic_alias_max = from.topic_aliases;
    out.topic_aliases_out_max = from.topic_aliases_out;
    out.will_payload_bytes_max = from.will_payload;
    out.will_bytes_max = from.will_bytes;
    out.sessions_max = from.sessions;
    out.session_expiry_max = std::chrono::floor<std::chrono::seconds>(from.session_expiry_max);
    out.inflight_max = from.in_flight;
    out.queue_messages_max = from.queue_messages;
    out.queue_bytes_max = from.queue_bytes;
    out.waiting_bytes_max = from.queue_bytes_total;
    out.subscriptions_per_session_max = from.subscriptions;
    out.subscriptions_max = from.subscriptions_total;
    out.retained_messages_max = from.retained_messages;
    out.retained_bytes_max = from.retained_bytes;
    const std::uint64_t machine = memory_of_machine == 0 ? kMemoryUnknown : memory_of_machine;
    out.memory_bytes_max = from.memory != 0 ? from.memory : std::max(kMemoryMin, machine / 2);
    return out;
}

void set_rule_limits(rules::Engine::Options& out, const config::Limits& from, std::uint16_t shards) {
    out.keys_max = from.rule_keys;
    out.state_bytes_max = from.rule_state_bytes / shards;
    out.rule_state_bytes_max = from.rule_state;
    out.payload_bytes_max = from.payload;
    out.json_depth_max = from.json_depth;
}

std::uint32_t connections_max(const config::Limits& from) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return from.connections;
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(from.connections, connection_descriptors(limit.rlim_cur)));
}

}  // namespace sluice::gateway

// What a hub counts. One table of names; the status API and the metrics page are made from it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sluice::hub {

/// Totals since the hub was made, except for the gauges at the end. Plain numbers: the owner thread publishes copies.
struct Counters {
    std::uint64_t connections_opened = 0;
    std::uint64_t connections_refused = 0;  ///< CONNACK with a reason other than success
    std::uint64_t connections_taken_over = 0;
    std::uint64_t connections_lost = 0;  ///< without DISCONNECT
    std::uint64_t connect_timeouts = 0;
    std::uint64_t keep_alive_timeouts = 0;
    std::uint64_t protocol_errors = 0;  ///< malformed packets and violations: the connection was closed
    std::uint64_t slow_closed = 0;      ///< closed at output_bytes_hard
    std::uint64_t readings_in = 0;      ///< publishes of clients that were accepted, wills included
    std::uint64_t bytes_in = 0;         ///< their payloads
    std::uint64_t publishes_local = 0;  ///< Hub::publish()
    std::uint64_t publishes_denied = 0;
    std::uint64_t publishes_invalid = 0;    ///< Hub::publish() with a topic that is none
    std::uint64_t publishes_duplicate = 0;  ///< QoS 2, sent again by the client
    std::uint64_t acks_sent = 0;            ///< PUBACK and PUBREC
    std::uint64_t wills_published = 0;
    std::uint64_t delivered = 0;    ///< PUBLISH packets to subscribers, first sendings
    std::uint64_t bytes_out = 0;    ///< their payloads
    std::uint64_t redelivered = 0;  ///< sent again after a reconnect
    std::uint64_t acked_by_subscribers = 0;
    std::uint64_t dropped_queue_full = 0;     ///< subscriber too slow or away for too long
    std::uint64_t dropped_expired = 0;        ///< message expiry passed while waiting
    std::uint64_t dropped_too_large = 0;      ///< larger than the subscriber's maximum packet size
    std::uint64_t dropped_shard_backlog = 0;  ///< another shard did not take them in time
    std::uint64_t dropped_session_end = 0;    ///< waiting for a session that ended
    std::uint64_t subscribes = 0;             ///< filters, not packets
    std::uint64_t subscribes_refused = 0;
    std::uint64_t sessions_expired = 0;
    std::uint64_t sessions_evicted = 0;  ///< at sessions_max
    std::uint64_t retained_refused = 0;  ///< at the limits of retained messages
    std::uint64_t shard_records_out = 0;
    std::uint64_t shard_records_in = 0;
    // Gauges
    std::uint64_t connections = 0;
    std::uint64_t sessions = 0;  ///< of present and absent clients
    std::uint64_t subscriptions = 0;
    std::uint64_t retained_messages = 0;
    std::uint64_t acks_pending = 0;
    std::uint64_t waiting_bytes = 0;     ///< of those messages, as counted against waiting_bytes_max
    std::uint64_t messages_waiting = 0;  ///< in flight to or queued for subscribers
};

struct CounterInfo {
    std::string_view name;
    std::uint64_t Counters::*value;
    bool gauge;
};

inline constexpr std::array kCounterTable{
    CounterInfo{"connections_opened", &Counters::connections_opened, false},
    CounterInfo{"connections_refused", &Counters::connections_refused, false},
    CounterInfo{"connections_taken_over", &Counters::connections_taken_over, false},
    CounterInfo{"connections_lost", &Counters::connections_lost, false},
    CounterInfo{"connect_timeouts", &Counters::connect_timeouts, false},
    CounterInfo{"keep_alive_timeouts", &Counters::keep_alive_timeouts, false},
    CounterInfo{"protocol_errors", &Counters::protocol_errors, false},
    CounterInfo{"slow_closed", &Counters::slow_closed, false},
    CounterInfo{"readings_in", &Counters::readings_in, false},
    CounterInfo{"bytes_in", &Counters::bytes_in, false},
    CounterInfo{"publishes_local", &Counters::publishes_local, false},
    CounterInfo{"publishes_denied", &Counters::publishes_denied, false},
    CounterInfo{"publishes_invalid", &Counters::publishes_invalid, false},
    CounterInfo{"publishes_duplicate", &Counters::publishes_duplicate, false},
    CounterInfo{"acks_sent", &Counters::acks_sent, false},
    CounterInfo{"wills_published", &Counters::wills_published, false},
    CounterInfo{"delivered", &Counters::delivered, false},
    CounterInfo{"bytes_out", &Counters::bytes_out, false},
    CounterInfo{"redelivered", &Counters::redelivered, false},
    CounterInfo{"acked_by_subscribers", &Counters::acked_by_subscribers, false},
    CounterInfo{"dropped_queue_full", &Counters::dropped_queue_full, false},
    CounterInfo{"dropped_expired", &Counters::dropped_expired, false},
    CounterInfo{"dropped_too_large", &Counters::dropped_too_large, false},
    CounterInfo{"dropped_shard_backlog", &Counters::dropped_shard_backlog, false},
    CounterInfo{"dropped_session_end", &Counters::dropped_session_end, false},
    CounterInfo{"subscribes", &Counters::subscribes, false},
    CounterInfo{"subscribes_refused", &Counters::subscribes_refused, false},
    CounterInfo{"sessions_expired", &Counters::sessions_expired, false},
    CounterInfo{"sessions_evicted", &Counters::sessions_evicted, false},
    CounterInfo{"retained_refused", &Counters::retained_refused, false},
    CounterInfo{"shard_records_out", &Counters::shard_records_out, false},
    CounterInfo{"shard_records_in", &Counters::shard_records_in, false},
    CounterInfo{"connections", &Counters::connections, true},
    CounterInfo{"sessions", &Counters::sessions, true},
    CounterInfo{"subscriptions", &Counters::subscriptions, true},
    CounterInfo{"retained_messages", &Counters::retained_messages, true},
    CounterInfo{"acks_pending", &Counters::acks_pending, true},
    CounterInfo{"waiting_bytes", &Counters::waiting_bytes, true},
    CounterInfo{"messages_waiting", &Counters::messages_waiting, true},
};
static_assert(kCounterTable.size() * sizeof(std::uint64_t) == sizeof(Counters), "a counter has no row, or two");

}  // namespace sluice::hub

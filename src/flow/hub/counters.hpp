// What a hub counts. One table of names; the status API and the metrics page are made from it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace sluice::hub {

/// Totals since the hub was made, except for the gauges at the end. Plain numbers: the owner thread publishes copies. What each counts
/// stands in kCounterTable.
struct Counters {
    std::uint64_t connections_opened = 0;
    std::uint64_t connections_accepted = 0;
    std::uint64_t connections_refused = 0;
    std::uint64_t connections_refused_memory = 0;
    std::uint64_t connections_taken_over = 0;
    std::uint64_t client_ids_refused = 0;
    std::uint64_t sessions_of_others_ended = 0;
    std::uint64_t sessions_revoked = 0;
    std::uint64_t connections_lost = 0;
    std::uint64_t connect_timeouts = 0;
    std::uint64_t keep_alive_timeouts = 0;
    std::uint64_t protocol_errors = 0;
    std::uint64_t slow_closed = 0;
    std::uint64_t packets_in = 0;
    std::uint64_t packets_out = 0;
    std::uint64_t readings_in = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t publishes_local = 0;
    std::uint64_t publishes_denied = 0;
    std::uint64_t publishes_invalid = 0;
    std::uint64_t publishes_duplicate = 0;
    std::uint64_t publishes_topic_refused = 0;
    std::uint64_t clients_throttled = 0;
    std::uint64_t throttled_ms = 0;
    std::uint64_t publishes_looped = 0;
    std::uint64_t acks_sent = 0;
    std::uint64_t wills_published = 0;
    std::uint64_t wills_refused = 0;
    std::uint64_t delivered = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t redelivered = 0;
    std::uint64_t acked_by_subscribers = 0;
    std::uint64_t dropped_queue_full = 0;
    std::uint64_t dropped_memory = 0;
    std::uint64_t dropped_expired = 0;
    std::uint64_t dropped_too_large = 0;
    std::uint64_t dropped_shard_backlog = 0;
    std::uint64_t dropped_session_end = 0;
    std::uint64_t subscribes = 0;
    std::uint64_t subscribes_refused = 0;
    std::uint64_t subscribes_refused_memory = 0;
    std::uint64_t sessions_expired = 0;
    std::uint64_t sessions_evicted = 0;
    std::uint64_t retained_refused = 0;
    std::uint64_t retained_refused_memory = 0;
    std::uint64_t aliases_missed = 0;
    std::uint64_t shard_records_out = 0;
    std::uint64_t shard_records_in = 0;
    // Gauges
    std::uint64_t connections = 0;
    std::uint64_t connections_authenticating = 0;
    std::uint64_t sessions = 0;
    std::uint64_t subscriptions = 0;
    std::uint64_t shared_subscriptions = 0;
    std::uint64_t retained_messages = 0;
    std::uint64_t acks_pending = 0;
    std::uint64_t waiting_bytes = 0;
    std::uint64_t messages_waiting = 0;
    std::uint64_t will_bytes = 0;
    std::uint64_t memory_bytes = 0;
    std::uint64_t memory_bytes_max = 0;
};

struct CounterInfo {
    std::string_view name;
    std::uint64_t Counters::*value;
    bool gauge;
    std::string_view text;  ///< for the metrics page
};

inline constexpr std::array kCounterTable{
    CounterInfo{"connections_opened", &Counters::connections_opened, false,
                "connections accepted (one handed to another shard counts on both)"},
    CounterInfo{"connections_accepted", &Counters::connections_accepted, false, "CONNECTs accepted"},
    CounterInfo{"connections_refused", &Counters::connections_refused, false, "CONNECTs refused: CONNACK with a reason other than success"},
    CounterInfo{"connections_refused_memory", &Counters::connections_refused_memory, false,
                "of these: there was no memory for a new session (limits.memory)"},
    CounterInfo{"connections_taken_over", &Counters::connections_taken_over, false,
                "connections closed because their client id signed in again"},
    CounterInfo{"client_ids_refused", &Counters::client_ids_refused, false,
                "CONNECTs refused because another user is connected with the same client id"},
    CounterInfo{"sessions_of_others_ended", &Counters::sessions_of_others_ended, false,
                "sessions of absent clients ended because another user came with their client id"},
    CounterInfo{"sessions_revoked", &Counters::sessions_revoked, false,
                "connections or sessions ended because a reload took their permissions away"},
    CounterInfo{"connections_lost", &Counters::connections_lost, false, "connections that ended without DISCONNECT"},
    CounterInfo{"connect_timeouts", &Counters::connect_timeouts, false,
                "connections closed because no CONNECT came within limits.connect_timeout"},
    CounterInfo{"keep_alive_timeouts", &Counters::keep_alive_timeouts, false,
                "connections closed because nothing came for one and a half keep-alives"},
    CounterInfo{"protocol_errors", &Counters::protocol_errors, false, "malformed packets and violations: the connection was closed"},
    CounterInfo{"slow_closed", &Counters::slow_closed, false, "connections closed because they did not take their output"},
    CounterInfo{"packets_in", &Counters::packets_in, false, "packets of any kind that clients sent"},
    CounterInfo{"packets_out", &Counters::packets_out, false, "packets of any kind sent to clients"},
    CounterInfo{"readings_in", &Counters::readings_in, false, "publishes of clients that were accepted, wills included"},
    CounterInfo{"bytes_in", &Counters::bytes_in, false, "their payloads"},
    CounterInfo{"publishes_local", &Counters::publishes_local, false, "messages published by rules"},
    CounterInfo{"publishes_denied", &Counters::publishes_denied, false, "publishes of clients that were not allowed"},
    CounterInfo{"publishes_invalid", &Counters::publishes_invalid, false, "messages of rules whose topic is not valid"},
    CounterInfo{"publishes_duplicate", &Counters::publishes_duplicate, false, "QoS 2 publishes that a client sent again"},
    CounterInfo{"publishes_topic_refused", &Counters::publishes_topic_refused, false,
                "publishes whose topic is longer or deeper than limits.topic_length or limits.topic_levels"},
    CounterInfo{"clients_throttled", &Counters::clients_throttled, false,
                "times that a client was not read because of limits.message_rate or limits.byte_rate"},
    CounterInfo{"throttled_ms", &Counters::throttled_ms, false, "milliseconds for which clients were not read because of these"},
    CounterInfo{"publishes_looped", &Counters::publishes_looped, false,
                "publishes that bridges brought here a second time: acknowledged, not taken"},
    CounterInfo{"acks_sent", &Counters::acks_sent, false, "PUBACK and PUBREC sent"},
    CounterInfo{"wills_published", &Counters::wills_published, false, "wills published"},
    CounterInfo{"wills_refused", &Counters::wills_refused, false,
                "CONNECTs refused because of their will: limits.will_payload, will_bytes, topic_length or topic_levels"},
    CounterInfo{"delivered", &Counters::delivered, false, "PUBLISH packets to subscribers, first sendings"},
    CounterInfo{"bytes_out", &Counters::bytes_out, false, "their payloads"},
    CounterInfo{"redelivered", &Counters::redelivered, false, "PUBLISH packets sent again after a reconnect"},
    CounterInfo{"acked_by_subscribers", &Counters::acked_by_subscribers, false, "deliveries that subscribers acknowledged"},
    CounterInfo{"dropped_queue_full", &Counters::dropped_queue_full, false,
                "deliveries dropped: the subscriber was too slow or away for too long"},
    CounterInfo{"dropped_memory", &Counters::dropped_memory, false, "of these: because limits.memory was near"},
    CounterInfo{"dropped_expired", &Counters::dropped_expired, false, "deliveries dropped: the message expired while it waited"},
    CounterInfo{"dropped_too_large", &Counters::dropped_too_large, false, "deliveries dropped: larger than the subscriber takes"},
    CounterInfo{"dropped_shard_backlog", &Counters::dropped_shard_backlog, false, "publications that another shard did not take in time"},
    CounterInfo{"dropped_session_end", &Counters::dropped_session_end, false, "deliveries dropped: they waited for a session that ended"},
    CounterInfo{"subscribes", &Counters::subscribes, false, "filters subscribed to"},
    CounterInfo{"subscribes_refused", &Counters::subscribes_refused, false, "filters refused"},
    CounterInfo{"subscribes_refused_memory", &Counters::subscribes_refused_memory, false, "of these: because limits.memory was near"},
    CounterInfo{"sessions_expired", &Counters::sessions_expired, false, "sessions of absent clients that ended"},
    CounterInfo{"sessions_evicted", &Counters::sessions_evicted, false, "sessions ended early because limits.sessions was reached"},
    CounterInfo{"retained_refused", &Counters::retained_refused, false,
                "messages not retained because limits.retained_* or limits.memory was reached"},
    CounterInfo{"retained_refused_memory", &Counters::retained_refused_memory, false, "of these: because limits.memory was near"},
    CounterInfo{"aliases_missed", &Counters::aliases_missed, false,
                "deliveries with their whole topic to clients that take aliases: all of limits.topic_aliases_out were in use"},
    CounterInfo{"shard_records_out", &Counters::shard_records_out, false, "records sent to other shards"},
    CounterInfo{"shard_records_in", &Counters::shard_records_in, false, "records received from other shards"},
    CounterInfo{"connections", &Counters::connections, true, "clients connected"},
    CounterInfo{"connections_authenticating", &Counters::connections_authenticating, true,
                "of these: waiting for their credentials to be verified"},
    CounterInfo{"sessions", &Counters::sessions, true, "sessions of present and absent clients"},
    CounterInfo{"subscriptions", &Counters::subscriptions, true, "subscriptions of all sessions"},
    CounterInfo{"shared_subscriptions", &Counters::shared_subscriptions, true, "of these: memberships of groups ($share)"},
    CounterInfo{"retained_messages", &Counters::retained_messages, true, "retained messages (each shard holds all of them)"},
    CounterInfo{"acks_pending", &Counters::acks_pending, true, "acknowledgements that wait for storage"},
    CounterInfo{"waiting_bytes", &Counters::waiting_bytes, true, "bytes in flight to or queued for subscribers"},
    CounterInfo{"messages_waiting", &Counters::messages_waiting, true, "messages in flight to or queued for subscribers"},
    CounterInfo{"will_bytes", &Counters::will_bytes, true, "topics, payloads and properties of all wills"},
    CounterInfo{"memory_bytes", &Counters::memory_bytes, true, "what limits.memory bounds: sessions, subscriptions, messages, buffers"},
    CounterInfo{"memory_bytes_max", &Counters::memory_bytes_max, true, "limits.memory, of all shards together; 0: none"},
};
static_assert(kCounterTable.size() * sizeof(std::uint64_t) == sizeof(Counters), "a counter has no row, or two");

}  // namespace sluice::hub

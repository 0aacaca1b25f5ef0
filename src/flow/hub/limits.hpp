// Every limit of the hub, by name. Reaching one is counted (counters.hpp) and has a defined reaction, given here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace sluice::hub {

/// Limits of one hub. Those that are not per client count what the other hubs of the process hold, too, as far as the runtime tells
/// (Port::elsewhere()); what it does not tell each hub may have as much again of.
struct Limits {
    // Connections
    std::size_t connections_max = 20'000;             ///< more: CONNACK "server busy" (3.1.1: 3, unavailable), closed
    std::chrono::seconds connect_timeout{10};         ///< no CONNECT by then: closed
    std::chrono::seconds keep_alive_max{64'800};      ///< 18 h. Version 5 clients that ask for more, or for none, are told this one
    std::size_t payload_bytes_max = 256 * 1024;       ///< a larger PUBLISH: DISCONNECT "packet too large", closed
    std::size_t output_bytes_max = 1024 * 1024;       ///< unsent bytes of a connection from which QoS 0 is dropped and QoS 1, 2 queue up
    std::size_t output_bytes_hard = 8 * 1024 * 1024;  ///< unsent bytes from which a connection is closed as too slow

    // Messages towards the hub
    std::uint32_t message_rate = 0;  ///< PUBLISH packets a second of one client, a second's worth at once; 0: any. Then its socket waits
    std::uint64_t byte_rate = 0;     ///< the same in bytes of these packets
    std::size_t topic_bytes_max = 65'535;   ///< of a topic or filter; a longer one: PUBACK, SUBACK, CONNACK or DISCONNECT say "invalid"
    std::size_t topic_levels_max = 65'536;  ///< the same in levels; filters have at most kLevelsMax
    std::uint16_t receive_maximum = 4096;   ///< QoS 1 and 2 publishes of one client not yet acknowledged; version 5: more is an error
    std::size_t acks_pending_max =
        256 * 1024;  ///< of all clients; from here Hub::wants_input() is false; twice as many: the client is closed
    std::size_t topic_alias_bytes_max =
        32 * 1024;  ///< of all a client's aliases' topics, each way; more from it: DISCONNECT "quota exceeded", to it: no alias
    std::uint16_t topic_alias_max = 16;        ///< per client, inbound
    std::uint16_t topic_aliases_out_max = 32;  ///< per client, outbound, if it offers as many; at most TopicAliases::kAliasesMax

    /// What a turn does beyond plain publishing: TurnWork. More waits for the next turns, its clients are not read meanwhile. 0: any, for
    /// runtimes without Port::hold_input().
    std::chrono::microseconds turn_work{0};

    // Sessions and what waits for them
    std::size_t will_payload_bytes_max = 256 * 1024;  ///< or payload_bytes_max if that is less; more: CONNACK "packet too large"
    std::size_t will_bytes_max = 16 * 1024 * 1024;    ///< topics, payloads and properties of all wills; more: CONNACK "quota exceeded"
    std::size_t sessions_max = 50'000;                ///< with the sessions of absent clients; then the absent ones that end first go
    std::chrono::seconds session_expiry_max{7 * 24 * 3600};  ///< also the life of a 3.1.1 session without "clean session"
    std::uint16_t inflight_max = 256;           ///< sent with QoS 1 or 2 and not yet acknowledged, per session; in bytes: queue_bytes_max
    std::size_t queue_messages_max = 1'000;     ///< QoS 1 and 2 waiting behind those, per session; the oldest goes first
    std::size_t queue_bytes_max = 1024 * 1024;  ///< the same in bytes of topic and payload
    std::size_t waiting_bytes_max = 64 * 1024 * 1024;   ///< in flight and queued, of all sessions; then also a short queue loses its oldest
    std::size_t subscriptions_per_session_max = 1'000;  ///< more: SUBACK "quota exceeded" (3.1.1: failure)
    std::size_t subscriptions_max = 500'000;            ///< of all sessions; the same reaction
    std::size_t subscribes_pending_max = 64 * 1024;     ///< filters of SUBSCRIBEs waiting for other shards; more: "quota exceeded"

    // Memory
    std::size_t memory_bytes_max = 0;  ///< everything above together, of all hubs; 0: any. The reactions: memory_guard.hpp

    // Retained messages (each shard holds all of them)
    std::size_t retained_messages_max = 100'000;        ///< more: delivered, not retained
    std::size_t retained_bytes_max = 64 * 1024 * 1024;  ///< topics, properties and payloads

    // Between shards
    std::size_t shard_backlog_bytes_max =
        16 * 1024 * 1024;  ///< waiting for a full mailbox of another shard; more: publications are dropped
};

/// Levels of a topic or filter. A deeper filter is refused, a deeper topic is matched by `#` at or above this level only.
inline constexpr std::size_t kLevelsMax = 64;
/// What may stand around a payload in a PUBLISH: topic (65,535), properties and headers.
inline constexpr std::size_t kPacketOverheadMax = 192 * 1024;

}  // namespace sluice::hub

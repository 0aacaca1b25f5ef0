// The MQTT broker as a machine without I/O: bytes and time go in, packets and readings come out through the Port.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "data/reading.hpp"
#include "flow/hub/clients.hpp"
#include "flow/hub/counters.hpp"
#include "flow/hub/journal.hpp"
#include "flow/hub/limits.hpp"
#include "flow/hub/ports.hpp"
#include "flow/hub/shard_messages.hpp"

namespace sluice::hub {

struct Options {
    data::ShardIndex shard{0};
    std::uint16_t shards = 1;
    Limits limits{};
    Authenticator* authenticator = nullptr;  ///< nullptr: everybody may do everything
    Authenticator* names = nullptr;          ///< whose sessions are whose, also while nobody is asked anything; nullptr: `authenticator`
    std::uint64_t seed = 0;                  ///< makes assigned client ids unlike those of other runs
    std::string gateway{};                   ///< its id: publishes that have been here already (data::kBridgePath) are not taken again
};

/// The sessions, subscriptions and retained messages of one shard: MQTT 3.1.1 and 5.0 with QoS 0, 1 and 2.
///
/// Owned and called by one thread. All connections of a client id must reach the hub of shard_of(hash64(client id), shards); connections
/// without a client id may go to any shard. Times given must not go backwards. After whatever a turn of the loop brought, call
/// end_of_turn(): messages to other shards leave there.
class Hub {
public:
    Hub(const Options& options, Port& port);
    ~Hub();
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    /// Before anything else is called: from now on what is to survive the process is told to the journal. The sessions and retained
    /// messages that an earlier process left come next, each once; then end_of_turn(), and the messages to other shards must have arrived
    /// before the first connection. Retained messages go to every shard, sessions to the shard of their client. What has expired, or does
    /// not fit the limits any more, goes: of sessions those restored first.
    void open_journal(Journal& journal, const JournalStart& start);
    void restore(const SavedSession& saved, base::Monotonic now);
    void restore_retained(const MessageRow& saved, base::Monotonic now);

    void on_connected(ConnectionId who, const Peer& peer, base::Monotonic now);
    /// More is known of the peer than on_connected() was told (a proxy said whom it speaks for). Before the CONNECT only.
    void on_peer(ConnectionId who, const Peer& peer);

    /// Handles all whole packets in `bytes`; returns how many bytes it consumed, the rest is presented again with more behind it. All is
    /// consumed after the hub has closed the connection. data::kReadablePadding bytes behind `bytes` must be readable.
    std::size_t on_bytes(ConnectionId who, base::ByteView bytes, base::Monotonic now, base::WallTime wall);

    /// on_bytes for this connection probably follows soon: fetches what it will need into the caches. Unknown ids are ignored.
    void on_bytes_soon(ConnectionId who) const;

    /// The connection is gone (by the peer, by an error). Unknown ids are ignored.
    void on_closed(ConnectionId who, base::Monotonic now, base::WallTime wall);

    /// The answer to an Authenticator::authenticate() that said "later". Then present what the connection left unconsumed again: its
    /// CONNECT and what is behind it. Ignored for a connection that is gone or does not wait.
    void on_authenticated(ConnectionId who, const Admission& admission);

    /// All tickets up to this one are durable: releases acknowledgements.
    void on_durable(Ticket ticket);

    void on_shard_message(data::ShardIndex from, const ShardMessage& message, base::Monotonic now, base::WallTime wall);

    /// From rules and other local parties, on any shard: routed to subscribers everywhere and retained if asked; not counted as readings_in
    /// and not handed to accept(). Allowed inside accept(). Errors: none; an invalid topic is ignored (publishers check theirs).
    void publish(const Publication& publication, base::Monotonic now, base::WallTime wall);

    void on_tick(base::Monotonic now, base::WallTime wall);
    /// When on_tick has something to do next.
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const;

    /// Sends what was gathered for other shards and retries slow subscribers. Once a turn.
    void end_of_turn(base::Monotonic now);

    /// False: too many acknowledgements wait for storage; stop reading from sockets until true.
    [[nodiscard]] bool wants_input() const;

    /// Sockets are not read for now (back-pressure): what clients cannot tell us must not be held against their keep-alive. Call it each
    /// turn; after the last one each has a whole period again.
    void on_input_held(base::Monotonic now);

    /// Permissions may have changed: remembered answers are asked for again.
    void forget_permissions();

    /// Permissions have changed; `authenticator` decides from now on (nullptr: everybody may do everything). Goes through all sessions,
    /// some a turn: who is no longer welcome is disconnected with "not authorized"; a session with a subscription that is no longer
    /// permitted ends, whether its client is there or not (its client learns of it: it finds no session and is refused when it subscribes
    /// again).
    void review_permissions(Authenticator* authenticator);

    /// Other limits from now on: also for who is connected, but for what was agreed on at CONNECT (keep-alive, session expiry, receive
    /// maximum, topic aliases, what may be in flight). What is there already above a limit stays until it goes by itself.
    void set_limits(const Limits& limits);
    /// Bytes that may still be taken before limits.memory is reached, by all hubs together; the greatest number where there is no limit.
    [[nodiscard]] std::size_t memory_room() const;

    /// Shows the sessions at so many places from `from` on (0: the first); returns where to go on, nothing at the end. In slices, as a hub
    /// may have very many; who comes or goes between two of them may be missed.
    [[nodiscard]] std::optional<std::uint32_t> clients(std::uint32_t from, std::size_t places, ClientVisitor& visitor) const;

    /// What waits for one client, in flight included; nothing: it has no session here.
    struct Waiting {
        std::uint64_t messages = 0;
        std::uint64_t dropped = 0;  ///< because its queue was full, since the session began or the process started
    };
    [[nodiscard]] std::optional<Waiting> waiting(std::string_view client) const;

    /// Ends one client's connection (administration). False: not connected here.
    bool disconnect(std::string_view client, mqtt::ReasonCode reason, base::Monotonic now, base::WallTime wall);
    /// Tells everybody "server shutting down" and closes; no wills, as the clients come back (MQTT 5.0 §3.14.4 leaves it to us).
    void shut_down(base::Monotonic now);

    [[nodiscard]] const Counters& counters() const;

private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace sluice::hub

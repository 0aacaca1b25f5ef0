// What the hub needs from its surroundings, and the values that cross the border.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/strong.hpp"
#include "base/time.hpp"
#include "data/reading.hpp"
#include "flow/hub/shard_messages.hpp"

namespace sluice::mqtt {
enum class ReasonCode : std::uint8_t;
}

namespace sluice::hub {

/// Low 32 bits: slot, dense from 0; high 32 bits: generation of the slot, never 0 (posix::TcpId fits).
using ConnectionId = base::Strong<struct ConnectionTag, std::uint64_t>;

/// Says when a QoS 1 or 2 publish may be acknowledged. 0: at once.
using Ticket = std::uint64_t;

/// What is known of a connection before its CONNECT.
struct Peer {
    std::uint16_t listener = 0;  ///< the runtime's own number
    bool loopback = false;
    bool encrypted = false;
    bool internal = false;  ///< one of the gateway's own bridges: may do everything, and alone use data::kBridgeClientPrefix
};

/// Chosen by the Authenticator at CONNECT, handed back to it with every question: a user, a gateway, a row of a table.
using Principal = base::Strong<struct PrincipalTag, std::uint32_t>;
/// The gateway's own bridges: never chosen by an Authenticator, which is not asked about them.
inline constexpr Principal kBridgePrincipal{~0U - 1};

/// A publication by a local party: a rule, the API, a connector. Views are valid during the call.
struct Publication {
    std::string_view topic;  ///< a valid topic name
    base::ByteView payload;
    std::uint8_t qos = 0;         ///< 0, 1 or 2: the highest with which subscribers get it
    bool retain = false;          ///< kept for later subscribers; an empty payload removes what was kept
    base::ByteView properties{};  ///< version 5 properties to pass on, encoded without their length; usually none
};

/// What the other hubs of the process hold, for limits of all together; a turn or so old.
struct Elsewhere {
    std::size_t memory_bytes = 0;
    std::size_t sessions = 0;
    std::size_t subscriptions = 0;
    std::size_t waiting_bytes = 0;
    std::size_t will_bytes = 0;
};

/// Implemented by the gateway's shard, by the cloud and by tests. Called only from inside a call of the hub, on its thread.
class Port {
public:
    virtual ~Port() = default;

    /// The connection's output buffer: the hub appends whole packets, they leave at the end of the turn. nullptr: the connection is gone.
    /// Used at once, never kept.
    [[nodiscard]] virtual base::Bytes* output(ConnectionId to) = 0;

    /// Bytes not yet taken by the socket. Asked once in a while, not per packet.
    [[nodiscard]] virtual std::size_t queued_bytes(ConnectionId of) const = 0;

    /// Closes after the output so far has left. The hub has forgotten the connection; Hub::on_closed for it is allowed and ignored.
    virtual void close(ConnectionId connection) = 0;

    /// Hands a client's publication downstream (rules, ingest); wills too. Returns 0 when nothing must be awaited, else a ticket: the
    /// acknowledgement is held until Hub::on_durable(t) with t >= ticket. Tickets never decrease. `acknowledged` is false for QoS 0 and
    /// wills: the ticket is ignored then. May call Hub::publish().
    virtual Ticket accept(const data::Reading& reading, bool acknowledged) = 0;

    /// Passes a message to another shard's Hub::on_shard_message. False when the mailbox is full, the message untouched: the hub keeps
    /// it and tries again at the end of the next turn. Never called with one shard.
    [[nodiscard]] virtual bool to_shard(data::ShardIndex shard, ShardMessage&& message) = 0;

    /// The name in the certificate that the connection's client proved to own; empty: none. Asked at CONNECT; valid during that call.
    [[nodiscard]] virtual std::string_view certificate_name(ConnectionId of) const {
        static_cast<void>(of);
        return {};
    }

    /// Reads nothing more from the connection (`hold`), or goes on: then first what it left unconsumed is presented again, after the call
    /// under way.
    virtual void hold_input(ConnectionId of, bool hold) { (void)of, (void)hold; }

    /// Bytes of memory that the connections of this hub take in the runtime, with what has not left or is not consumed yet.
    [[nodiscard]] virtual std::size_t buffer_bytes() const { return 0; }
    /// Asked once a turn.
    [[nodiscard]] virtual Elsewhere elsewhere() const { return {}; }

    /// A client came on line or went off line (taken over by another connection: off, then on).
    virtual void on_presence(std::string_view client, bool online) { (void)client, (void)online; }
};

/// A CONNECT, as far as admission is concerned. Views are valid during the call.
struct Credentials {
    ConnectionId connection;
    Peer peer;
    std::string_view client;  ///< client id; the assigned one where the client sent none
    bool has_username = false;
    bool has_password = false;
    std::string_view username;
    base::ByteView password;
    std::string_view certificate{};  ///< Port::certificate_name()
};

struct Admission {
    mqtt::ReasonCode reason{};  ///< 0: welcome; else a CONNACK code of version 5, translated for 3.1.1
    Principal principal{};
};

/// Who a permission is asked for.
struct Client {
    std::string_view id;
    Principal principal;
};

/// What a change of permissions means for somebody who came in before it.
enum class Standing : std::uint8_t {
    welcome,        ///< may stay, as far as what they subscribed to is still permitted
    sign_in_again,  ///< the connection ends, the session waits
    gone,           ///< connection and session end
};

/// Decides who may come in and what they may do. Called on the hub's thread; must not block and must not call the hub.
class Authenticator {
public:
    virtual ~Authenticator() = default;
    /// Nothing: the answer comes later, by Hub::on_authenticated(). Until then the connection waits and nothing else does.
    virtual std::optional<Admission> authenticate(const Credentials& credentials) = 0;
    /// False: acknowledged with "not authorized" where the version can say so, counted as denied, not delivered. The answer for a client's
    /// last topic is remembered until forget_permissions().
    virtual bool may_publish(const Client& client, std::string_view topic) = 0;
    /// Filters of shared subscriptions come without `$share/<group>/`.
    virtual bool may_subscribe(const Client& client, std::string_view filter) = 0;
    /// Asked by Hub::review_permissions() for every session, present and absent.
    virtual Standing standing(const Client& client) {
        static_cast<void>(client);
        return Standing::welcome;
    }

    /// A principal as text, for a session that outlives the process; empty: nobody in particular. Valid until the next call.
    [[nodiscard]] virtual std::string_view name_of(Principal principal) const {
        static_cast<void>(principal);
        return {};
    }
    /// Back from text; one that may do nothing where the text means nobody (any more).
    [[nodiscard]] virtual Principal principal_of(std::string_view name) {
        static_cast<void>(name);
        return {};
    }
};

}  // namespace sluice::hub

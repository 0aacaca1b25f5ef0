// What the hub remembers of a connection and of a client. An idle connected client costs about 250 bytes: what it does not use is behind a
// pointer that is null.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "codec/mqtt/packet.hpp"
#include "flow/hub/message.hpp"
#include "flow/hub/ports.hpp"
#include "flow/hub/retained.hpp"
#include "flow/hub/ring.hpp"
#include "flow/hub/subscriptions.hpp"

namespace sluice::hub {

/// A message on its way to one client, QoS 1 or 2.
struct Delivery {
    enum class Phase : std::uint8_t {
        waiting,   ///< in the queue, or in flight of an earlier connection and not sent on this one
        sent,      ///< PUBLISH is out
        released,  ///< QoS 2: PUBREC is in, PUBREL is out
    };
    MessageRef message{};
    std::unique_ptr<std::vector<std::uint32_t>> more_identifiers{};  ///< beyond the first
    std::uint32_t identifier = 0;                                    ///< subscription identifier; 0: none
    mqtt::PacketId packet_id = 0;                                    ///< 0 in the queue
    std::uint8_t qos = 0;
    bool retain = false;
    Phase phase = Phase::waiting;
};

/// A retained message that a new subscription is still to get. It is skipped if another has taken its place: that one was delivered live.
struct RetainedWish {
    RetainStamp stamp;
    NodeIndex node = 0;    ///< of the message
    NodeIndex filter = 0;  ///< of the subscription
    std::uint32_t identifier = 0;
    SubscriptionOptions options{};
};

/// A new subscription whose retained messages are still to be looked up.
struct RetainedSearch {
    NodeIndex filter = 0;
    std::uint32_t identifier = 0;
    SubscriptionOptions options{};
};

/// Towards the client. Made with the first delivery that must wait or be acknowledged.
struct Outbox {
    Ring<Delivery> inflight;  ///< by packet id, in the order of first sending
    std::size_t sent = 0;     ///< of inflight, how many were sent on this connection: the others follow as the client acknowledges
    Ring<Delivery> queue;     ///< behind those in flight
    std::size_t queue_bytes = 0;
    Ring<RetainedWish> wishes;      ///< behind the queue
    Ring<RetainedSearch> searches;  ///< behind the wishes, one at a time
    mqtt::PacketId last_packet_id = 0;
    bool went_round = false;  ///< identifiers began again while some were in flight
    bool listed = false;      ///< among those that are tried again at the end of a turn
};

/// From the client. Made with the first QoS 2 publish or topic alias.
struct Inbox {
    std::vector<mqtt::PacketId> unreleased;  ///< QoS 2 publishes accepted, PUBREL not yet seen
    std::vector<std::string> aliases;        ///< topics by alias - 1
    std::size_t alias_bytes = 0;             ///< of these topics
};

struct Will {
    std::string topic;
    base::Bytes payload;  ///< with data::kReadablePadding zeros behind it
    base::Bytes properties;
    std::chrono::seconds delay{0};
    std::chrono::seconds expires_after = std::chrono::seconds::max();
    std::uint8_t qos = 0;
    bool retain = false;
};

struct Subscribed {
    NodeIndex node = 0;
    GroupIndex group = kNoGroup;
};

struct Session {
    std::string client;
    std::vector<Subscribed> subscriptions;
    std::unique_ptr<Outbox> outbox;
    std::unique_ptr<Inbox> inbox;
    std::unique_ptr<Will> will;
    ConnectionId connection{};      ///< 0: absent
    base::Monotonic ends = kNever;  ///< absent: when the session ends
    base::Monotonic will_at = kNever;
    base::Monotonic timer_at = kNever;  ///< the timer entry that counts
    std::uint64_t serial = 0;           ///< unlike that of any other session of this hub; 0: the place is free
    Principal principal{};
    std::uint32_t expiry_seconds = 0;
    std::uint32_t packet_bytes_max = ~0U;  ///< the client's
    SessionIndex index = kNoSession;       ///< its own
    SessionIndex older_absent = kNoSession;
    SessionIndex newer_absent = kNoSession;
    std::uint32_t target = 0;  ///< place among the targets of the publication `stamp`
    std::uint64_t target_stamp = 0;
    std::uint16_t inflight_max = 0;  ///< the smaller of ours and the client's receive maximum
    mqtt::Version version = mqtt::Version::v311;

    [[nodiscard]] bool online() const { return connection != ConnectionId{}; }
};

struct Connection {
    enum class State : std::uint8_t {
        free,
        greeting,
        refused,
        authenticating,  ///< its CONNECT waits for the authenticator's answer
        admitted,        ///< the answer was good; its CONNECT is to be presented again
        running,
    };
    ConnectionId id{};
    base::Monotonic last_heard{};
    base::Monotonic timer_at = kNever;
    std::uint64_t permitted_topic = 0;  ///< hash of the last topic that this client may publish to
    SessionIndex session = kNoSession;
    std::uint32_t acks_pending = 0;
    std::uint32_t pubrecs_pending = 0;     ///< of them
    Principal principal{};                 ///< while admitted
    std::uint16_t keep_alive_seconds = 0;  ///< 0: none
    Peer peer{};
    State state = State::free;
    mqtt::Version version = mqtt::Version::v311;
};

}  // namespace sluice::hub

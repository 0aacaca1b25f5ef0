// What the hub remembers of a connection and of a client. An idle connected client costs about 250 bytes: what it does not use is behind a
// pointer that is null.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "base/token_bucket.hpp"
#include "codec/mqtt/packet.hpp"
#include "flow/hub/charge.hpp"
#include "flow/hub/message.hpp"
#include "flow/hub/ports.hpp"
#include "flow/hub/retained.hpp"
#include "flow/hub/ring.hpp"
#include "flow/hub/subscriptions.hpp"
#include "flow/hub/topic_aliases.hpp"

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
    std::uint64_t number = 0;                                        ///< order within a kept session (recorder.hpp); 0: not recorded
    std::uint32_t identifier = 0;                                    ///< subscription identifier; 0: none
    mqtt::PacketId packet_id = 0;                                    ///< 0 in the queue
    std::uint8_t qos = 0;
    bool retain = false;
    bool sent_recorded = false;  ///< its packet id stands in a row of its own
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
    NodeIndex next = 0;   ///< in the middle of a long search: RetainedStore::scan() goes on here
    RetainStamp until{};  ///< and this is when it began
    bool again = false;   ///< the subscription was there before: an earlier search of it may wait still
};

/// Towards the client. Made with the first delivery that must wait or be acknowledged.
struct Outbox {
    Ring<Delivery> inflight;  ///< by packet id, in the order of first sending
    std::size_t sent = 0;     ///< of inflight, how many were sent on this connection: the others follow as the client acknowledges
    Ring<Delivery> queue;     ///< behind those in flight
    std::size_t queue_bytes = 0;
    std::size_t bytes = 0;               ///< of all messages, in flight and queued, with what stands beside them
    Charge memory;                       ///< of the rings
    std::size_t queue_messages_max = 0;  ///< 0: the hub's limits; bridges have their own
    std::size_t queue_bytes_max = 0;
    std::uint64_t dropped = 0;      ///< because the queue was full
    Ring<RetainedWish> wishes;      ///< behind the queue
    Ring<RetainedSearch> searches;  ///< behind the wishes, one at a time
    std::uint64_t kept = 0;         ///< Session::kept
    std::uint64_t last_number = 0;  ///< of the deliveries recorded
    mqtt::PacketId last_packet_id = 0;
    bool went_round = false;  ///< identifiers greater than the last one may be in flight
    bool listed = false;      ///< among those that are tried again at the end of a turn
};

/// From the client. Made with the first QoS 2 publish or topic alias.
struct Inbox {
    std::vector<mqtt::PacketId> unreleased;  ///< QoS 2 publishes accepted, PUBREL not yet seen
    std::vector<std::string> aliases;        ///< topics by alias - 1
    std::size_t alias_bytes = 0;             ///< of these topics
    Charge memory;
    void recount() {
        memory.set(sizeof(Inbox) + alias_bytes + aliases.capacity() * sizeof(std::string) + unreleased.capacity() * sizeof(mqtt::PacketId));
    }
};

struct Will {
    std::string topic;
    base::Bytes payload;  ///< with data::kReadablePadding zeros behind it
    base::Bytes properties;
    std::chrono::seconds delay{0};
    std::chrono::seconds expires_after = std::chrono::seconds::max();
    std::uint8_t qos = 0;
    bool retain = false;
    Charge charge;  ///< to the bytes of all wills
    Charge memory;
};

/// How fast a client publishes, where that is limited. Of its session, so that who connects again begins where it was.
struct Pace {
    base::TokenBucket messages;
    base::TokenBucket bytes;
    base::Monotonic held_until{};  ///< the connection is not read before; 0: it is read
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
    std::unique_ptr<Pace> pace;             ///< null: it has not published since its rate was limited
    std::unique_ptr<TopicAliases> aliases;  ///< towards the client, of this connection; null: it offers none
    ConnectionId connection{};              ///< 0: absent
    base::Monotonic ends = kNever;          ///< absent: when the session ends
    base::Monotonic will_at = kNever;
    base::Monotonic timer_at = kNever;  ///< the timer entry that counts
    std::uint64_t messages_out = 0;     ///< PUBLISH packets sent, resent ones included
    std::uint64_t serial = 0;           ///< unlike that of any other session of this hub; 0: the place is free
    std::uint64_t kept = 0;             ///< its name in the journal; 0: it is not to outlive the process
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

/// The answer to a SUBSCRIBE or UNSUBSCRIBE, as far as it is known.
struct PendingSuback {
    std::uint64_t fence = 0;
    Ticket ticket = 0;  ///< of a session that is kept: its subscriptions must be durable
    ConnectionId connection{};
    mqtt::PacketId packet_id = 0;
    base::Bytes codes{};
    std::vector<RetainedSearch> retained_for{};
    std::size_t filters = 0;  ///< counted in Core::filters_pending_
    bool removes = false;     ///< it is an UNSUBACK
};

/// A SUBSCRIBE or UNSUBSCRIBE with more filters than its turn had time for. The packet stays unconsumed.
struct PartlyDone {
    PendingSuback suback{};
    std::size_t room = 0;          ///< filters that may be granted in all
    std::size_t bytes_left = 0;    ///< of the packet, at its end
    std::uint32_t identifier = 0;  ///< of the subscriptions
    Charge memory{};
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
    /// Whose work a turn had no time for waits in a line.
    enum class Turn : std::uint8_t { free, waiting, come };
    ConnectionId id{};
    base::Monotonic last_heard{};
    base::Monotonic since{};  ///< its CONNECT was accepted
    base::Monotonic timer_at = kNever;
    std::uint64_t messages_in = 0;      ///< PUBLISH packets
    std::uint64_t permitted_topic = 0;  ///< hash of the last topic that this client may publish to
    SessionIndex session = kNoSession;
    std::uint32_t acks_pending = 0;
    std::uint32_t pubrecs_pending = 0;     ///< of them
    Principal principal{};                 ///< while admitted
    std::uint16_t keep_alive_seconds = 0;  ///< 0: none
    std::uint16_t receive_maximum = 0;     ///< as it was told: what a reload lowers is for those who come later
    std::uint16_t topic_alias_max = 0;     ///< the same
    std::unique_ptr<PartlyDone> partly{};
    Peer peer{};
    State state = State::free;
    Turn turn = Turn::free;
    mqtt::Version version = mqtt::Version::v311;
    bool bridge = false;                   ///< 3.1.1 with the bridge bit: its subscriptions do not get its own messages
    bool wants_reasons = false;            ///< it asked for problem information: errors carry reason strings
    std::uint32_t packet_bytes_max = ~0U;  ///< the client's
};

}  // namespace sluice::hub

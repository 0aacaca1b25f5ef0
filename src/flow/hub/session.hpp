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
#include "codec/mqtt/packet.hpp"
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
};

/// Towards the client. Made with the first delivery that must wait or be acknowledged.
struct Outbox {
    Ring<Delivery> inflight;  ///< by packet id, in the order of first sending
    std::size_t sent = 0;     ///< of inflight, how many were sent on this connection: the others follow as the client acknowledges
    Ring<Delivery> queue;     ///< behind those in flight
    std::size_t queue_bytes = 0;
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
};

/// A part of a total that is given back when this ends.
class Charge {
public:
    Charge() = default;
    Charge(std::size_t& total, std::size_t amount) : total_(&total), amount_(amount) { total += amount; }
    Charge(Charge&& other) noexcept : total_(std::exchange(other.total_, nullptr)), amount_(other.amount_) {}
    Charge& operator=(Charge other) noexcept {
        std::swap(total_, other.total_);
        std::swap(amount_, other.amount_);
        return *this;
    }
    ~Charge() {
        if (total_ != nullptr) *total_ -= amount_;
    }

private:
    std::size_t* total_ = nullptr;
    std::size_t amount_ = 0;
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
    base::Monotonic since{};  ///< its CONNECT was accepted
    base::Monotonic timer_at = kNever;
    std::uint64_t messages_in = 0;      ///< PUBLISH packets
    std::uint64_t permitted_topic = 0;  ///< hash of the last topic that this client may publish to
    SessionIndex session = kNoSession;
    std::uint32_t acks_pending = 0;
    std::uint32_t pubrecs_pending = 0;     ///< of them
    Principal principal{};                 ///< while admitted
    std::uint16_t keep_alive_seconds = 0;  ///< 0: none
    Peer peer{};
    State state = State::free;
    mqtt::Version version = mqtt::Version::v311;
    bool wants_reasons = false;            ///< it asked for problem information: errors carry reason strings
    std::uint32_t packet_bytes_max = ~0U;  ///< the client's
};

}  // namespace sluice::hub

// Towards subscribers: QoS 0, 1 and 2 with windows, queues and resending; retained messages after a subscription.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "flow/hub/counters.hpp"
#include "flow/hub/limits.hpp"
#include "flow/hub/memory_guard.hpp"
#include "flow/hub/ports.hpp"
#include "flow/hub/recorder.hpp"
#include "flow/hub/session_table.hpp"

namespace sluice::hub {

struct PublishPacket;

/// Never closes a connection and never calls Port::accept(), so it may be used while a publish is being handled.
class Deliverer {
public:
    /// `secret`: of the hash of topics.
    Deliverer(const Limits& limits, Port& port, SessionTable& sessions, const Subscriptions& subscriptions, const RetainedStore& retained,
              Recorder& recorder, Counters& counters, MemoryGuard& memory, std::uint64_t secret)
        : limits_(limits),
          port_(port),
          sessions_(sessions),
          subscriptions_(subscriptions),
          retained_(retained),
          recorder_(recorder),
          counters_(counters),
          memory_(memory),
          secret_(secret) {}

    /// What may wait for one session behind what is in flight; 0: as the hub's limits say.
    struct QueueLimits {
        std::size_t messages = 0;
        std::size_t bytes = 0;
    };
    static constexpr QueueLimits kUnlimited{~std::size_t{0}, ~std::size_t{0} / 2};
    void limit_queue(Session& session, QueueLimits limits);

    /// One publication: begin(), then target() for each matching subscription (several of one session make one copy, §3.3.4), then
    /// deliver().
    void begin();
    void target(SessionIndex session, const Subscriber& subscription);
    void deliver(const Passing& message, base::Monotonic now);
    /// Has the publication under way found anybody here?
    [[nodiscard]] bool has_targets() const { return !targets_.empty(); }

    /// Would a message to this session leave at once?
    [[nodiscard]] bool ready(const Session& session) const;

    /// PUBACK, PUBREC or PUBCOMP of the subscriber. False: not the answer that this message is waiting for, a protocol error.
    [[nodiscard]] bool on_ack(SessionIndex session, mqtt::PacketType type, mqtt::PacketId id, mqtt::ReasonCode reason, base::Monotonic now);

    /// The retained messages of a new subscription are to be looked up and sent; resume() does.
    void send_retained(Session& session, const RetainedSearch& search);
    /// A subscription ended: what was retained for it is not sent any more.
    void forget_retained(Session& session, NodeIndex filter);
    /// The client is back, or new: its packet identifiers begin at 1.
    void begin_connection(Session& session);
    /// Sends what can be sent: in flight from an earlier connection, queued, retained.
    void resume(SessionIndex session, base::Monotonic now);
    /// The connection is gone.
    void suspend(Session& session);
    /// The session ends.
    void discard(Session& session);
    /// What waited for a session in an earlier process, from the oldest on. The queue's limits hold.
    void restore(Session& session, Delivery&& delivery);

    /// Once a turn: those that were held back by unsent output.
    void retry(base::Monotonic now);
    [[nodiscard]] bool holding_back() const { return !held_back_.empty(); }
    /// Bytes of memory, without what sessions hold.
    [[nodiscard]] std::size_t memory() const { return wishes_ * 2 * sizeof(RetainedWish); }

private:
    /// Tree nodes that searches for retained messages may look at in one turn, about: half a millisecond. A longer search is done in
    /// slices.
    static constexpr std::size_t kSearchPerTurn = 8'000;
    static constexpr std::size_t kSearchCost = 8;  ///< what a search takes that finds nothing to look at, in nodes
    /// Retained messages sent in one turn to all who have just subscribed, in bytes; the others wait for the next.
    static constexpr std::size_t kRetainedBytesPerTurn = 128 * 1024;

    struct Target {
        SessionIndex session = kNoSession;
        std::uint32_t identifier = 0;
        std::uint32_t more_identifiers = 0;  // how many of more_identifiers_ are its
        std::uint8_t qos = 0;
        bool retain_as_published = false;
    };

    void deliver_to(const Target& target, const Passing& message, base::Monotonic now);
    void deliver_unacknowledged(Session& session, const Target& target, const Passing& message, base::Monotonic now);
    void gather_identifiers(const Target& target);
    [[nodiscard]] const base::Bytes& encoded(const Passing& message, bool v5, bool retain, base::Monotonic now);
    void enqueue(SessionIndex index, Delivery&& delivery);
    [[nodiscard]] bool affordable(const Delivery& delivery) const;
    [[nodiscard]] bool window_open(const Session& session, const Outbox& box) const;
    void count_unroomy(const Session& session, const base::Bytes& out);
    void waits(Outbox& box, const Delivery& delivery);
    void waits_no_more(Outbox& box, const Delivery& delivery);
    static void recount(Outbox& box) { box.memory.set(sizeof(Outbox) + box.inflight.memory() + box.queue.memory()); }
    Delivery take_queued(Outbox& box);
    void send_new(Session& session, base::Bytes& out, Delivery&& delivery, base::Monotonic now);
    bool send_again(Session& session, base::Bytes& out, Delivery& delivery, base::Monotonic now);
    bool send_next(Session& session, base::Bytes& out, base::Monotonic now);
    bool search(Session& session);
    void grant_wish(Session& session, base::Bytes& out, base::Monotonic now);
    void write(Session& session, base::Bytes& out, const Delivery& delivery, bool dup, base::Monotonic now);
    bool append_publish(Session& session, base::Bytes& out, PublishPacket& packet) const;
    void use_alias(TopicAliases& aliases, std::size_t bytes_max, PublishPacket& packet) const;
    [[nodiscard]] bool fits(const Session& session, const Delivery& delivery) const;
    void finish(Outbox& box, std::size_t place);
    void hold_back(SessionIndex index);
    [[nodiscard]] bool has_room(const Session& session, const base::Bytes& out) const;
    Outbox& outbox(Session& session);
    static mqtt::PacketId next_packet_id(Outbox& box);

    const Limits& limits_;
    Port& port_;
    SessionTable& sessions_;
    const Subscriptions& subscriptions_;
    const RetainedStore& retained_;
    Recorder& recorder_;
    Counters& counters_;
    MemoryGuard& memory_;
    std::uint64_t secret_;

    // Of the publication under way.
    std::vector<Target> targets_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> more_identifiers_;  // target, identifier
    std::vector<std::uint32_t> identifiers_;
    std::array<base::Bytes, 4> encoded_;  // QoS 0 without identifiers, by version and retain flag
    MessageRef kept_;
    std::uint64_t stamp_ = 0;

    std::vector<SessionIndex> held_back_;
    std::vector<SessionIndex> retrying_;
    std::size_t wishes_ = 0;  // of all sessions
    std::size_t search_budget_ = kSearchPerTurn;
    std::size_t retained_budget_ = kRetainedBytesPerTurn;
    std::vector<std::pair<NodeIndex, RetainStamp>> found_;  // of the search under way
};

}  // namespace sluice::hub

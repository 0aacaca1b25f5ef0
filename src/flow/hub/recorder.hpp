// Records what must survive the process: kept sessions, what waits for them, retained messages. Without a journal it does nothing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "flow/hub/journal.hpp"
#include "flow/hub/journal_batch.hpp"
#include "flow/hub/retained.hpp"
#include "flow/hub/session.hpp"
#include "flow/hub/shard_links.hpp"

namespace sluice::hub {

/// A session is *kept* (Session::kept is not 0) while it is to outlive its connection. Of one thread.
class Recorder {
public:
    Recorder(std::uint32_t own, std::uint32_t shards, RetainedStore& retained) : own_(own), shards_(shards), retained_(retained) {}

    void open(Journal& journal, const JournalStart& start);
    /// Who names the owners of sessions from now on; nullptr: nobody.
    void use(const Authenticator* authenticator) { authenticator_ = authenticator; }
    [[nodiscard]] bool on() const { return journal_ != nullptr; }
    [[nodiscard]] bool behind() const { return journal_ != nullptr && journal_->behind(); }
    [[nodiscard]] const AgeClock& clock() const { return start_.clock; }
    [[nodiscard]] Age stopped() const { return start_.stopped; }

    // Sessions
    /// It began, its life or its end changed; a session that is not to outlive its connection any more is forgotten.
    void session_changed(Session& session);
    void session_ended(Session& session);
    /// One that was found on disk and is not to come back.
    void forget(KeptId id);
    /// The QoS 2 publishes that await their PUBREL go into the session's row: at a clean stop only.
    void unreleased(const Session& session) { put_session(session, ChangeKind::put, true); }
    void subscribed(const Session& session, const SubscriptionRow& subscription);
    void unsubscribed(const Session& session, std::string_view group, std::string_view filter);
    /// Acknowledged publishes for this subscription must be durable.
    [[nodiscard]] static bool keeps(const Session& session, SubscriptionOptions options) { return session.kept != 0 && options.qos() != 0; }

    // What waits for a session, in the order of sending. Nothing happens for one that is not kept.
    /// It goes into the queue, or out at once (it has a packet id then).
    void add(Outbox& box, Delivery& delivery) {
        if (box.kept != 0) write_delivery(box, delivery);
    }
    /// From the queue: it went out and has a packet id now.
    void sent(const Outbox& box, Delivery& delivery) {
        if (delivery.number != 0) write_sent(box, delivery, false);
    }
    /// Before its phase says so.
    void released(const Outbox& box, Delivery& delivery) {
        if (delivery.number != 0 && delivery.phase != Delivery::Phase::released) write_released(box, delivery);
    }
    /// Acknowledged, expired or dropped.
    void done(const Outbox& box, const Delivery& delivery) {
        if (delivery.number != 0 && box.kept != 0) write_done(box, delivery);
    }

    // Retained messages: of all shards the owner of a topic records them.
    [[nodiscard]] std::uint32_t owner(std::string_view topic) const;
    /// What is kept for the topic changed to this, which may be nothing.
    void retained(const Passing& passing, const RetainedStore::Change& change, base::Monotonic now);
    void retained_removed(std::string_view topic);

    // Acknowledgements
    /// A publish of QoS 1 or 2 went to a shard where it must be durable.
    void cross(std::uint32_t shard) {
        crossed_ |= std::uint64_t{1} << shard;
        owed_ = true;
    }
    /// The same, on behalf of another shard: what came from there went on.
    void pass_on(std::uint32_t shard) { passed_on_ |= std::uint64_t{1} << shard; }
    /// A publish of a client comes.
    void begin_publish() { owed_ = false; }
    /// It was handled: the ticket that its acknowledgement, if there is to be one, waits for.
    [[nodiscard]] Ticket ticket_of_publish(Ticket accepted, bool acknowledged) {
        return owed_ && acknowledged ? std::max(accepted, ticket()) : accepted;
    }
    /// What was recorded this turn is awaited. 0: nothing was.
    [[nodiscard]] Ticket ticket_of_changes() { return changes_.empty() ? 0 : ticket(); }
    void on_fence(data::ShardIndex from, std::uint64_t number, ShardLinks& links);

    /// Before the links are flushed.
    void end_of_turn(base::Monotonic now, ShardLinks& links);
    /// The process is about to end: retained messages of QoS 0 are recorded now, and at once from now on.
    void close();
    [[nodiscard]] base::Monotonic next_deadline() const { return dirty_.empty() ? kNever : flush_at_; }

    /// A retained message of QoS 0 is recorded after so long, with what became of it meanwhile: a sensor that retains each reading costs
    /// one row a second, not one a reading.
    static constexpr std::chrono::seconds kRetainedDelay{1};

private:
    static constexpr std::chrono::milliseconds kLookAgainAfter{5};  // whether the disk has caught up
    static constexpr std::size_t kRetainedPerTurn = 2000;           // recorded in well under a millisecond

    void put_session(const Session& session, ChangeKind kind, bool with_unreleased);
    void flush_retained(std::size_t most);
    void write_delivery(Outbox& box, Delivery& delivery);
    void write_sent(const Outbox& box, Delivery& delivery, bool released);
    void write_released(const Outbox& box, Delivery& delivery);
    void write_done(const Outbox& box, const Delivery& delivery);
    void write_message(const MessageRef& message);
    void write_retained(const Passing& passing);
    [[nodiscard]] Ticket ticket();

    std::uint32_t own_;
    std::uint32_t shards_;
    RetainedStore& retained_;
    Journal* journal_ = nullptr;
    const Authenticator* authenticator_ = nullptr;
    JournalStart start_;
    base::Bytes changes_;
    base::Bytes body_;
    MessageRef last_message_;       // the one that stands in changes_ last; held, so that no other can have its address
    std::vector<NodeIndex> dirty_;  // retained messages to be recorded at flush_at_
    base::Monotonic flush_at_ = kNever;
    std::uint64_t crossed_ = 0;  // shards, one bit each
    std::uint64_t passed_on_ = 0;
    bool owed_ = false;     // the publish under way must be durable somewhere
    bool awaited_ = false;  // the ticket of this turn was given out
    bool closing_ = false;
};

}  // namespace sluice::hub

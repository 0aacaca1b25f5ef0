#include "flow/hub/recorder.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"
#include "base/hash.hpp"

namespace sluice::hub {

namespace {

/// What tells a subscription of a session from its others: group and filter. A group's name has no slash.
base::Bytes subscription_key(std::string_view group, std::string_view filter) {
    base::Bytes key;
    base::append(key, group);
    key.push_back('/');
    base::append(key, filter);
    return key;
}

}  // namespace

void Recorder::open(Journal& journal, const JournalStart& start) {
    base::check(shards_ <= 64, "hub: more shards than bits in a set of them");
    journal_ = &journal;
    start_ = start;
}

// Sessions

void Recorder::session_changed(Session& session) {
    if (journal_ == nullptr) return;
    if (session.expiry_seconds == 0) {
        session_ended(session);
        return;
    }
    if (session.kept == 0) {
        base::check(session.subscriptions.empty() && !session.outbox, "hub: a session that is kept from its middle");
        session.kept = start_.next_id;
        start_.next_id += shards_;
        return put_session(session, ChangeKind::add, false);
    }
    put_session(session, ChangeKind::put, false);
}

void Recorder::put_session(const Session& session, ChangeKind kind, bool with_unreleased) {
    const auto owner = authenticator_ == nullptr ? std::string_view() : authenticator_->name_of(session.principal);
    SessionRow row{
        .client = session.client, .owner = owner, .expiry_seconds = session.expiry_seconds, .ends = start_.clock.age_of(session.ends)};
    if (with_unreleased && session.inbox) row.unreleased = session.inbox->unreleased;
    body_.clear();
    append_row(body_, row);
    append_change(changes_, {.kind = kind, .row = RowKind::session, .id = session.kept, .body = body_});
}

void Recorder::session_ended(Session& session) {
    if (session.kept == 0) return;
    forget(session.kept);
    session.kept = 0;
    if (session.outbox) session.outbox->kept = 0;
}

void Recorder::forget(KeptId id) { append_change(changes_, {.kind = ChangeKind::end, .id = id}); }

void Recorder::subscribed(const Session& session, const SubscriptionRow& subscription) {
    if (session.kept == 0) return;
    body_.clear();
    append_row(body_, subscription);
    const base::Bytes key = subscription_key(subscription.group, subscription.filter);
    append_change(changes_, {.kind = ChangeKind::put, .row = RowKind::subscription, .id = session.kept, .key = key, .body = body_});
}

void Recorder::unsubscribed(const Session& session, std::string_view group, std::string_view filter) {
    if (session.kept == 0) return;
    const base::Bytes key = subscription_key(group, filter);
    append_change(changes_, {.kind = ChangeKind::remove, .row = RowKind::subscription, .id = session.kept, .key = key});
}

// Deliveries

void Recorder::write_message(const MessageRef& message) {
    if (last_message_.same(message)) return;
    last_message_ = message;
    const Passing passing = message.passing();
    body_.clear();
    append_row(body_, MessageRow{.topic = passing.topic,
                                 .properties = passing.properties,
                                 .payload = passing.payload,
                                 .expires = start_.clock.age_of(passing.expires),
                                 .qos = passing.qos});
    append_change(changes_, {.kind = ChangeKind::message, .body = body_});
}

void Recorder::write_delivery(Outbox& box, Delivery& delivery) {
    write_message(delivery.message);
    delivery.number = ++box.last_number;
    DeliveryRow row{.qos = delivery.qos, .retain = delivery.retain, .packet_id = delivery.packet_id};
    if (delivery.identifier != 0) row.identifiers.push_back(delivery.identifier);
    if (delivery.more_identifiers)
        row.identifiers.insert(row.identifiers.end(), delivery.more_identifiers->begin(), delivery.more_identifiers->end());
    body_.clear();
    append_row(body_, row);
    append_change(changes_, {.kind = ChangeKind::add,
                             .row = RowKind::delivery,
                             .with_message = true,
                             .id = box.kept,
                             .number = delivery.number,
                             .body = body_});
    owed_ = true;
}

void Recorder::write_sent(const Outbox& box, Delivery& delivery, bool released) {
    if (box.kept == 0) return;
    body_.clear();
    append_row(body_, InflightRow{.packet_id = delivery.packet_id, .qos = delivery.qos, .released = released});
    append_change(changes_, {.kind = std::exchange(delivery.sent_recorded, true) ? ChangeKind::put : ChangeKind::add,
                             .row = RowKind::inflight,
                             .id = box.kept,
                             .number = delivery.number,
                             .body = body_});
}

void Recorder::write_released(const Outbox& box, Delivery& delivery) {
    if (box.kept == 0) return;
    write_sent(box, delivery, true);
    append_change(changes_, {.kind = ChangeKind::remove, .row = RowKind::delivery, .id = box.kept, .number = delivery.number});
}

void Recorder::write_done(const Outbox& box, const Delivery& delivery) {
    if (delivery.phase != Delivery::Phase::released)
        append_change(changes_, {.kind = ChangeKind::remove, .row = RowKind::delivery, .id = box.kept, .number = delivery.number});
    if (delivery.sent_recorded)
        append_change(changes_, {.kind = ChangeKind::remove, .row = RowKind::inflight, .id = box.kept, .number = delivery.number});
}

// Retained messages

std::uint32_t Recorder::owner(std::string_view topic) const { return base::shard_of(base::hash64(topic), shards_); }

void Recorder::retained(const Passing& passing, const RetainedStore::Change& change, base::Monotonic now) {
    using enum RetainedStore::Outcome;
    if (journal_ == nullptr || owner(passing.topic) != own_) return;
    if (passing.topic.starts_with("$SYS/")) return;  // the gateway's own figures: made anew by the next process
    if (change.outcome == removed) {
        retained_removed(passing.topic);
    } else if (change.outcome != stored) {
        return;
    } else if (passing.qos != 0 || closing_) {
        write_retained(passing);
    } else if (retained_.mark_unrecorded(change.node)) {
        if (dirty_.empty()) flush_at_ = now + kRetainedDelay;
        dirty_.push_back(change.node);
    }
    owed_ = owed_ || passing.qos != 0;
}

void Recorder::retained_removed(std::string_view topic) {
    if (journal_ == nullptr || owner(topic) != own_) return;
    append_change(changes_, {.kind = ChangeKind::remove, .row = RowKind::retained, .key = base::as_bytes(topic)});
}

void Recorder::write_retained(const Passing& passing) {
    body_.clear();
    append_row(body_, MessageRow{.topic = passing.topic,
                                 .properties = passing.properties,
                                 .payload = passing.payload,
                                 .expires = start_.clock.age_of(passing.expires),
                                 .qos = passing.qos});
    append_change(changes_, {.kind = ChangeKind::put, .row = RowKind::retained, .key = base::as_bytes(passing.topic), .body = body_});
}

void Recorder::close() {
    closing_ = true;
    flush_retained(dirty_.size());
}

void Recorder::flush_retained(std::size_t most) {
    for (; most != 0 && !dirty_.empty(); --most) {
        const MessageRef message = retained_.take_unrecorded(dirty_.back());
        dirty_.pop_back();
        if (message) write_retained(message.passing());  // else: gone meanwhile, which was recorded then
    }
}

// Acknowledgements

Ticket Recorder::ticket() {
    awaited_ = true;
    return journal_->ticket();
}

void Recorder::on_fence(data::ShardIndex from, std::uint64_t number, ShardLinks& links) {
    const auto shards = std::exchange(passed_on_, 0);
    const auto nested = journal_->owe(from, number, !changes_.empty(), static_cast<unsigned>(std::popcount(shards)));
    for (std::uint32_t shard = 0; shard < shards_; ++shard)
        if ((shards >> shard & 1U) != 0) links.control(shard, {.kind = RecordKind::keep, .a = nested});
}

void Recorder::end_of_turn(base::Monotonic now, ShardLinks& links) {
    if (journal_ == nullptr) return;
    if (!dirty_.empty() && now >= flush_at_) {
        if (journal_->behind())
            flush_at_ = now + kLookAgainAfter;
        else
            flush_retained(kRetainedPerTurn);
    }
    // Shards that a publish of this turn crossed to are asked only if somebody waits for the answer.
    const auto shards = awaited_ ? crossed_ : 0;
    crossed_ = 0;
    owed_ = false;
    if (changes_.empty() && shards == 0) return;
    for (std::uint32_t shard = 0; shard < shards_; ++shard)
        if ((shards >> shard & 1U) != 0) links.control(shard, {.kind = RecordKind::keep, .a = journal_->ticket()});
    last_message_ = {};
    journal_->take(std::exchange(changes_, {}), std::exchange(awaited_, false), static_cast<unsigned>(std::popcount(shards)));
}

}  // namespace sluice::hub

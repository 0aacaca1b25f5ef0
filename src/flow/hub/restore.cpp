// What an earlier process left: sessions with what waits for them, retained messages.
#include <algorithm>

#include "data/bridge.hpp"
#include "flow/hub/core.hpp"

namespace sluice::hub {

namespace {

/// Retained messages of an earlier process are older than every change of this one, and the same on every shard.
constexpr RetainStamp kRestored{1, 0};

Passing passing_of(const MessageRow& row, const AgeClock& clock) {
    return {
        .topic = row.topic, .payload = row.payload, .properties = row.properties, .expires = clock.time_of(row.expires), .qos = row.qos};
}

Delivery delivery_of(const SavedSession::Delivery& saved, const AgeClock& clock, std::size_t& account) {
    const bool sent = saved.sent.packet_id != 0;
    Delivery delivery{.number = saved.number, .packet_id = saved.sent.packet_id, .qos = saved.sent.qos};
    delivery.sent_recorded = sent;
    if (sent) delivery.phase = saved.sent.released ? Delivery::Phase::released : Delivery::Phase::sent;
    if (!saved.has_message) return delivery;
    const DeliveryRow& row = saved.row;
    if (!sent && row.packet_id != 0) {
        delivery.packet_id = row.packet_id;
        delivery.phase = Delivery::Phase::sent;
    }
    delivery.message = MessageRef(passing_of(row.message, clock), account);
    delivery.qos = row.qos;
    delivery.retain = row.retain;
    if (!row.identifiers.empty()) delivery.identifier = row.identifiers.front();
    if (row.identifiers.size() > 1)
        delivery.more_identifiers = std::make_unique<std::vector<std::uint32_t>>(row.identifiers.begin() + 1, row.identifiers.end());
    return delivery;
}

}  // namespace

void Hub::Core::restore(const SavedSession& saved, base::Monotonic now) {
    const SessionRow& row = saved.session;
    const bool was_connected = row.ends == 0;
    const Age ends_age = was_connected ? recorder_.stopped() + Age{row.expiry_seconds} * 1000 : row.ends;
    const base::Monotonic ends = recorder_.clock().time_of(ends_age);
    bool expired = ends <= now;
    if (expired) {
        ++counters_.sessions_expired;
    } else if (sessions_.find(row.client) != kNoSession) {
        expired = true;  // two sessions of one client: the journal never says so; the first stays
    }
    if (expired || options_.limits.sessions_max == 0) {
        counters_.dropped_session_end += saved.deliveries.size();
        return recorder_.forget(saved.id);
    }
    if (sessions_.size() >= options_.limits.sessions_max) {
        ++counters_.sessions_evicted;
        end_session(sessions_.oldest_absent(), {now, {}});
    }
    const SessionIndex index = sessions_.create(row.client);
    Session& session = sessions_[index];
    const bool bridge = data::is_bridge_client(row.client);
    if (bridge) {
        session.principal = kBridgePrincipal;
    } else if (Authenticator* names = options_.names != nullptr ? options_.names : options_.authenticator) {
        session.principal = names->principal_of(row.owner);
    }
    session.kept = saved.id;
    if (bridge) deliverer_.limit_queue(session, Deliverer::kUnlimited);  // until it has connected and said its own limits
    session.expiry_seconds = row.expiry_seconds;
    session.ends = bridge ? kNever : std::min(ends, now + options_.limits.session_expiry_max);
    session.inflight_max = options_.limits.inflight_max;
    sessions_.mark_absent(index);
    if (!row.unreleased.empty()) {
        inbox(session).unreleased = row.unreleased;
        session.inbox->recount();
    }
    // Its end, and no publishes that await their PUBREL: after a crash those would swallow new ones.
    if (was_connected || !row.unreleased.empty()) recorder_.session_changed(session);
    for (const SubscriptionRow& subscription : saved.subscriptions) restore_subscription(index, subscription);
    for (const SavedSession::Delivery& delivery : saved.deliveries)
        deliverer_.restore(session, delivery_of(delivery, recorder_.clock(), memory_.messages));
    arm(index);
}

void Hub::Core::restore_subscription(SessionIndex index, const SubscriptionRow& row) {
    const Limits& limits = options_.limits;
    Session& session = sessions_[index];
    if (session.subscriptions.size() >= limits.subscriptions_per_session_max || counters_.subscriptions >= limits.subscriptions_max) {
        ++counters_.subscribes_refused;
        return recorder_.unsubscribed(session, row.group, row.filter);
    }
    const auto added = row.group.empty() ? subscriptions_.add(row.filter, index, row.options, row.identifier)
                                         : subscriptions_.add_to_group(row.filter, row.group, index, row.options, row.identifier);
    if (!added.existed) {
        session.subscriptions.push_back({added.node, added.group});
        ++counters_.subscriptions;
        if (added.group != kNoGroup) ++counters_.shared_subscriptions;
    }
    tell_interest(session, added, row.options, row.filter);
}

void Hub::Core::restore_retained(const MessageRow& saved, base::Monotonic now) {
    const Passing passing = passing_of(saved, recorder_.clock());
    if (passing.payload.empty()) return;
    if (passing.expires <= now) return recorder_.retained_removed(passing.topic);
    const auto change = retained_.set(passing, kRestored, false);
    if (change.outcome == RetainedStore::Outcome::stored) {
        if (passing.expires != kNever) arm_retained(change.node, kRestored, passing.expires);
        return;
    }
    ++counters_.retained_refused;
    recorder_.retained_removed(passing.topic);
}

}  // namespace sluice::hub

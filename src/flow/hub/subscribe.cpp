// SUBSCRIBE and UNSUBSCRIBE (MQTT 5.0 §3.8 to §3.11). With several shards a SUBACK waits until every shard knows the filters.
#include <algorithm>

#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "flow/hub/core.hpp"

namespace sluice::hub {

using mqtt::PacketType;
using mqtt::Property;
using mqtt::ReasonCode;

namespace {

SubscriptionOptions options_of(const mqtt::Subscription& wanted) {
    return {static_cast<std::uint8_t>(static_cast<unsigned>(wanted.qos) | (wanted.no_local ? 4U : 0U) |
                                      (wanted.retain_as_published ? 8U : 0U) | static_cast<unsigned>(wanted.retain_handling) << 4)};
}

/// Bytes of a tree node are about those of two subscriptions: long filters must not multiply the limit of subscriptions.
constexpr std::size_t kNodesPerSubscription = 4;

/// What the first refused filter of a SUBSCRIBE was refused for.
std::string_view words_for(ReasonCode code) {
    switch (code) {
        case ReasonCode::quota_exceeded:
            return "a limit of subscriptions is reached";
        case ReasonCode::topic_filter_invalid:
            return "too many levels in the filter";
        case ReasonCode::not_authorized:
            return "you may not subscribe to this filter";
        default:
            return {};
    }
}

}  // namespace

void Hub::Core::on_subscribe(Connection& from, base::ByteView body, const Moment& moment) {
    mqtt::Subscribe packet;
    if (const auto verdict = mqtt::decode_subscribe(body, from.version, packet); !verdict) return refuse(from, verdict, moment);
    const std::uint32_t identifier = packet.properties.number_or(Property::subscription_identifier, 0);
    PendingSuback pending{.connection = from.id, .packet_id = packet.packet_id, .codes = {}, .retained_for = {}};
    const Limits& limits = options_.limits;
    const std::size_t room = std::min(limits.subscriptions_per_session_max, limits.subscribes_pending_max - filters_pending_);
    for (const mqtt::Subscription wanted : packet.filters) {
        const auto code = pending.codes.size() < room ? subscribe(from.session, wanted, identifier, pending) : ReasonCode::quota_exceeded;
        if (mqtt::is_error(code)) ++counters_.subscribes_refused;
        ++counters_.subscribes;
        pending.codes.push_back(static_cast<base::Byte>(code));
    }
    pending.filters = std::min(room, pending.codes.size());
    if (sessions_[from.session].kept != 0 && room != 0) pending.ticket = recorder_.ticket_of_changes();
    if (links_.alone() || room == 0) return finish_when_durable(std::move(pending), moment);
    pending.fence = links_.fence();
    filters_pending_ += pending.filters;
    subacks_.push_back(std::move(pending));
}

ReasonCode Hub::Core::subscribe(SessionIndex index, const mqtt::Subscription& wanted, std::uint32_t identifier, PendingSuback& pending) {
    const Limits& limits = options_.limits;
    Session& session = sessions_[index];
    mqtt::SharedFilter shared{.group = {}, .filter = wanted.filter};
    const bool to_group = mqtt::split_shared_filter(wanted.filter, shared);
    if (count_levels(shared.filter) > kLevelsMax) return ReasonCode::topic_filter_invalid;
    if (session.subscriptions.size() >= limits.subscriptions_per_session_max || counters_.subscriptions >= limits.subscriptions_max ||
        subscriptions_.nodes() >= limits.subscriptions_max * kNodesPerSubscription)
        return ReasonCode::quota_exceeded;
    if (options_.authenticator != nullptr && !options_.authenticator->may_subscribe({session.client, session.principal}, shared.filter))
        return ReasonCode::not_authorized;

    const SubscriptionOptions options = options_of(wanted);
    const auto added = to_group ? subscriptions_.add_to_group(shared.filter, shared.group, index, options, identifier)
                                : subscriptions_.add(shared.filter, index, options, identifier);
    if (!added.existed) {
        session.subscriptions.push_back({added.node, added.group});
        ++counters_.subscriptions;
    }
    recorder_.subscribed(session, {options, identifier, shared.group, shared.filter});
    tell_interest(session, added, options, shared.filter);
    using enum mqtt::RetainHandling;
    const bool wants_retained = wanted.retain_handling == send || (wanted.retain_handling == send_if_new && !added.existed);
    if (!to_group && wants_retained) pending.retained_for.push_back({added.node, identifier, options});  // §4.8.2: none for groups
    return static_cast<ReasonCode>(wanted.qos);
}

/// What a session that is kept was told of its subscriptions holds after a crash, too.
void Hub::Core::finish_when_durable(PendingSuback&& pending, const Moment& moment) {
    const std::size_t room = options_.limits.subscribes_pending_max - filters_pending_;
    // Where too much waits for a dead disk an UNSUBACK does not (a SUBACK without room grants nothing, so it has no ticket).
    if (pending.ticket <= durable_ || pending.filters > room) return finish_subscribe(pending, moment);
    filters_pending_ += pending.filters;
    kept_subacks_.push_back(std::move(pending));
}

void Hub::Core::finish_subscribe(const PendingSuback& pending, const Moment& moment) {
    Connection* to = find(pending.connection);
    if (to == nullptr ||
        !send_suback(*to, pending.removes ? PacketType::unsuback : PacketType::suback, pending.packet_id, pending.codes, moment))
        return;
    Session& session = sessions_[to->session];
    for (const RetainedSearch& search : pending.retained_for) {
        const bool still = std::any_of(session.subscriptions.begin(), session.subscriptions.end(),
                                       [&](const Subscribed& one) { return one.node == search.filter && one.group == kNoGroup; });
        if (still) deliverer_.send_retained(session, search);  // else: unsubscribed while this waited
    }
    if (!pending.retained_for.empty()) deliverer_.resume(to->session, moment.now);
}

bool Hub::Core::send_suback(Connection& to, PacketType type, mqtt::PacketId id, base::ByteView codes, const Moment& moment) {
    if (port_.output(to.id) == nullptr) return true;
    const std::size_t bytes = mqtt::suback_size(codes.size(), to.version);
    if (bytes > to.packet_bytes_max) {
        refuse(to, {ReasonCode::packet_too_large, "the answer has a code for each filter and is larger than you take"}, moment);
        return false;
    }
    const auto first_error = std::find_if(codes.begin(), codes.end(), [](base::Byte code) { return code >= 0x80; });
    const auto words = first_error == codes.end() ? std::string_view() : words_for(static_cast<ReasonCode>(*first_error));
    base::Bytes* out = answer(to.id);
    const mqtt::Suback packet{.packet_id = id, .codes = codes, .properties = reason_string(to, words, bytes)};
    if (type == PacketType::suback)
        mqtt::encode_suback(*out, packet, to.version);
    else
        mqtt::encode_unsuback(*out, packet, to.version);
    return true;
}

void Hub::Core::on_unsubscribe(Connection& from, base::ByteView body, const Moment& moment) {
    mqtt::Unsubscribe packet;
    if (const auto verdict = mqtt::decode_unsubscribe(body, from.version, packet); !verdict) return refuse(from, verdict, moment);
    scratch_.clear();
    for (const mqtt::Subscription unwanted : packet.filters)
        scratch_.push_back(static_cast<base::Byte>(unsubscribe(from.session, unwanted.filter)));
    PendingSuback pending{.connection = from.id,
                          .packet_id = packet.packet_id,
                          .codes = scratch_,
                          .retained_for = {},
                          .filters = scratch_.size(),
                          .removes = true};
    if (sessions_[from.session].kept != 0) pending.ticket = recorder_.ticket_of_changes();
    finish_when_durable(std::move(pending), moment);
}

ReasonCode Hub::Core::unsubscribe(SessionIndex index, std::string_view filter) {
    mqtt::SharedFilter shared{.group = {}, .filter = filter};
    const bool of_group = mqtt::split_shared_filter(filter, shared);
    const NodeIndex node = count_levels(shared.filter) > kLevelsMax ? 0 : subscriptions_.find(shared.filter);
    const GroupIndex group = of_group && node != 0 ? subscriptions_.find_group(shared.filter, shared.group) : kNoGroup;
    if (node == 0 || (of_group && group == kNoGroup)) return ReasonCode::no_subscription_existed;
    auto& list = sessions_[index].subscriptions;
    const auto at = std::find_if(list.begin(), list.end(), [&](const Subscribed& one) { return one.node == node && one.group == group; });
    if (at == list.end()) return ReasonCode::no_subscription_existed;
    const Subscribed subscribed = *at;
    list.erase(at);
    recorder_.unsubscribed(sessions_[index], shared.group, shared.filter);
    remove_subscription(index, subscribed);
    return ReasonCode::success;
}

void Hub::Core::remove_subscription(SessionIndex index, Subscribed subscribed) {
    --counters_.subscriptions;
    if (subscribed.group != kNoGroup) {
        subscriptions_.remove_from_group(subscribed.group, index);
        tell_members(subscribed.group);
        subscriptions_.release_group(subscribed.group);
        return;
    }
    deliverer_.forget_retained(sessions_[index], subscribed.node);
    const std::string filter = links_.alone() ? std::string() : subscriptions_.filter(subscribed.node);
    const bool last = subscriptions_.remove(subscribed.node, index);
    if (last && !links_.alone()) links_.control_to_all({.kind = RecordKind::interest, .a = 0, .filter = filter});
}

/// What a new or changed subscription means to the other shards.
void Hub::Core::tell_interest(const Session& session, const Subscriptions::Added& added, SubscriptionOptions options,
                              std::string_view filter) {
    const bool keeps = Recorder::keeps(session, options);
    if (added.group != kNoGroup) {
        const bool news = keeps && subscriptions_.mark_group_keeping(added.group);
        if (news || !added.existed) tell_members(added.group);
        return;
    }
    const bool news = keeps && subscriptions_.mark_keeping(added.node);
    if ((!news && !added.first) || links_.alone()) return;
    links_.control_to_all({.kind = RecordKind::interest, .flags = keeps ? Record::kKeeps : std::uint8_t{0}, .a = 1, .filter = filter});
}

void Hub::Core::tell_members(GroupIndex index) {
    if (links_.alone()) return;
    const Group& group = subscriptions_.group(index);
    const std::string filter = subscriptions_.filter(group.node);
    links_.control_to_all({.kind = RecordKind::members,
                           .flags = group.keeps ? Record::kKeeps : std::uint8_t{0},
                           .a = group.members.size(),
                           .group = group.name,
                           .filter = filter});
}

}  // namespace sluice::hub

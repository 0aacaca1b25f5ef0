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
            return "the filter is too long or has too many levels";
        case ReasonCode::not_authorized:
            return "you may not subscribe to this filter";
        default:
            return {};
    }
}

}  // namespace

bool Hub::Core::on_subscribe(Connection& from, base::ByteView body, const Moment& moment) {
    PartlyDone work;
    if (from.partly) {
        work = std::move(*std::exchange(from.partly, nullptr));
    } else {
        mqtt::Subscribe packet;
        work_.spend(body.size() * TurnWork::kByteChecked);
        if (const auto verdict = mqtt::decode_subscribe(body, from.version, packet); !verdict) {
            refuse(from, verdict, moment);
            return true;
        }
        if (from.peer.internal) keep_only(from.session, packet);
        const Limits& limits = options_.limits;
        work.suback.connection = from.id;
        work.suback.packet_id = packet.packet_id;
        work.room = std::min(limits.subscriptions_per_session_max, limits.subscribes_pending_max - filters_pending_);
        work.bytes_left = packet.filters.bytes_from(packet.filters.begin());
        work.identifier = packet.properties.number_or(Property::subscription_identifier, 0);
    }
    PendingSuback& suback = work.suback;
    const mqtt::FilterList<true> filters(body.last(work.bytes_left));
    for (auto next = filters.begin(); next != filters.end(); ++next) {
        if (!work_.left()) {
            work.bytes_left = filters.bytes_from(next);
            go_on_later(from, std::move(work));
            return false;
        }
        mqtt::Subscription wanted = *next;
        if (from.bridge) wanted.no_local = wanted.retain_as_published = true;
        const auto code =
            suback.codes.size() < work.room ? subscribe(from.session, wanted, work.identifier, suback) : ReasonCode::quota_exceeded;
        work_.spend(mqtt::is_error(code) ? TurnWork::kRefusedFilter : TurnWork::kFilter);
        if (mqtt::is_error(code)) ++counters_.subscribes_refused;
        ++counters_.subscribes;
        suback.codes.push_back(static_cast<base::Byte>(code));
    }
    suback.filters = std::min(work.room, suback.codes.size());
    if (suback.filters != 0) await_changes(from, suback);
    if (links_.alone() || suback.filters == 0) {
        finish_when_durable(std::move(suback), moment);
        return true;
    }
    suback.fence = links_.fence();
    filters_pending_ += suback.filters;
    subacks_.push_back(std::move(suback));
    return true;
}

/// What was recorded for it so far must be durable before it is answered.
void Hub::Core::await_changes(const Connection& from, PendingSuback& suback) {
    if (sessions_[from.session].kept != 0) suback.ticket = std::max(suback.ticket, recorder_.ticket_of_changes());
}

/// More filters than the turn has time for: its packet stays unconsumed and is presented again.
void Hub::Core::go_on_later(Connection& from, PartlyDone&& work) {
    await_changes(from, work.suback);
    work.memory = Charge(memory_.messages,
                         sizeof(PartlyDone) + work.suback.codes.capacity() + work.suback.retained_for.capacity() * sizeof(RetainedSearch));
    from.partly = std::make_unique<PartlyDone>(std::move(work));
}

ReasonCode Hub::Core::subscribe(SessionIndex index, const mqtt::Subscription& wanted, std::uint32_t identifier, PendingSuback& pending) {
    const Limits& limits = options_.limits;
    Session& session = sessions_[index];
    mqtt::SharedFilter shared{.group = {}, .filter = wanted.filter};
    const bool to_group = mqtt::split_shared_filter(wanted.filter, shared);
    const std::size_t levels = count_levels(shared.filter);
    if (levels > std::min(kLevelsMax, limits.topic_levels_max) || wanted.filter.size() > limits.topic_bytes_max)
        return ReasonCode::topic_filter_invalid;
    if (session.subscriptions.size() >= limits.subscriptions_per_session_max ||
        counters_.subscriptions + memory_.elsewhere().subscriptions >= limits.subscriptions_max ||
        subscriptions_.nodes() >= limits.subscriptions_max * kNodesPerSubscription)
        return ReasonCode::quota_exceeded;
    if (!affords(wanted.filter.size() + subscriptions_.growth(levels), MemoryGuard::Mark::structures)) {
        ++counters_.subscribes_refused_memory;
        return ReasonCode::quota_exceeded;
    }
    const bool asks = options_.authenticator != nullptr && session.principal != kBridgePrincipal;
    if (asks && !options_.authenticator->may_subscribe({session.client, session.principal}, shared.filter))
        return ReasonCode::not_authorized;

    const SubscriptionOptions options = options_of(wanted);
    const auto added = to_group ? subscriptions_.add_to_group(shared.filter, shared.group, index, options, identifier)
                                : subscriptions_.add(shared.filter, index, options, identifier);
    if (!added.existed) {
        session.subscriptions.push_back({added.node, added.group});
        ++counters_.subscriptions;
        if (to_group) ++counters_.shared_subscriptions;
    }
    recorder_.subscribed(session, {options, identifier, shared.group, shared.filter});
    tell_interest(session, added, options, shared.filter);
    using enum mqtt::RetainHandling;
    const bool wants_retained = wanted.retain_handling == send || (wanted.retain_handling == send_if_new && !added.existed);
    if (!to_group && wants_retained)  // §4.8.2: none for groups
        pending.retained_for.push_back({.filter = added.node, .identifier = identifier, .options = options, .again = added.existed});
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
    if (retained_.size() == 0) return;
    Session& session = sessions_[to->session];
    for (const RetainedSearch& search : pending.retained_for)  // some may be unsubscribed while this waited
        if (subscriptions_.entry(search.filter, session.index) != nullptr) deliverer_.send_retained(session, search);
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

/// The SUBSCRIBE of one of our own bridges is the whole list: what its settings had when it subscribed before, and have no more, ends.
void Hub::Core::keep_only(SessionIndex index, const mqtt::Subscribe& packet) {
    const std::vector<Subscribed> before = sessions_[index].subscriptions;
    for (const Subscribed& subscribed : before) {
        const std::string filter = subscriptions_.filter(subscribed.node);
        const bool stays = std::any_of(packet.filters.begin(), packet.filters.end(),
                                       [&filter](const mqtt::Subscription& wanted) { return wanted.filter == filter; });
        if (!stays) static_cast<void>(unsubscribe(index, filter));
    }
}

bool Hub::Core::on_unsubscribe(Connection& from, base::ByteView body, const Moment& moment) {
    PartlyDone work;
    if (from.partly) {
        work = std::move(*std::exchange(from.partly, nullptr));
    } else {
        mqtt::Unsubscribe packet;
        work_.spend(body.size() * TurnWork::kByteChecked);
        if (const auto verdict = mqtt::decode_unsubscribe(body, from.version, packet); !verdict) {
            refuse(from, verdict, moment);
            return true;
        }
        work.suback.connection = from.id;
        work.suback.packet_id = packet.packet_id;
        work.suback.removes = true;
        work.bytes_left = packet.filters.bytes_from(packet.filters.begin());
    }
    PendingSuback& suback = work.suback;
    const mqtt::FilterList<false> filters(body.last(work.bytes_left));
    for (auto next = filters.begin(); next != filters.end(); ++next) {
        if (!work_.left()) {
            work.bytes_left = filters.bytes_from(next);
            go_on_later(from, std::move(work));
            return false;
        }
        const mqtt::Subscription unwanted = *next;
        work_.spend(TurnWork::kFilter + sessions_[from.session].subscriptions.size());  // it is looked for among all of the session
        suback.codes.push_back(static_cast<base::Byte>(unsubscribe(from.session, unwanted.filter)));
    }
    suback.filters = suback.codes.size();
    await_changes(from, suback);
    finish_when_durable(std::move(suback), moment);
    return true;
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
        --counters_.shared_subscriptions;
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

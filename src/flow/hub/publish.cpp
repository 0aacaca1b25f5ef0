// PUBLISH from clients and the acknowledgements of QoS 1 and 2, both ways (MQTT 5.0 §3.3 to §3.7, §4.3).
#include <algorithm>

#include "base/hash.hpp"
#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "data/bridge.hpp"
#include "data/topic.hpp"
#include "flow/hub/core.hpp"

namespace sluice::hub {

using mqtt::PacketType;
using mqtt::Property;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Verdict;
using mqtt::Version;

namespace {
constexpr Verdict kOverlong{ReasonCode::malformed_packet, "the remaining length takes more bytes than it needs"};
constexpr Verdict kWindowFull{ReasonCode::receive_maximum_exceeded, "more unacknowledged publishes than the receive maximum in CONNACK"};
}  // namespace

void Hub::Core::on_publish(Connection& from, const mqtt::Framed& framed, base::ByteView body, const Moment& moment) {
    ++from.messages_in;
    mqtt::Publish packet;
    if (const auto verdict = mqtt::decode_publish(framed.first, body, from.version, packet); !verdict) [[unlikely]]
        return refuse(from, verdict, moment);
    if (packet.payload.size() > options_.limits.payload_bytes_max)
        return refuse(from, {ReasonCode::packet_too_large, "the payload is above limits.payload"}, moment);
    Passing passing{.payload = packet.payload, .qos = static_cast<std::uint8_t>(packet.qos), .retain = packet.retain};
    if (from.version == Version::v5) {
        if (framed.overlong) return refuse(from, kOverlong, moment);
        if (!packet.properties.empty())
            if (const auto verdict = take_properties(from, packet, passing, moment.now); !verdict) return refuse(from, verdict, moment);
    }
    passing.topic = packet.topic;
    if (!topic_fits(packet.topic)) [[unlikely]]
        return refuse_topic(from, packet, moment);
    if (!packet.properties.empty() && has_been_here(packet.properties)) [[unlikely]]
        return on_loop(from, packet);

    const bool permitted = may_publish(from, packet.topic);
    if (!permitted) ++counters_.publishes_denied;
    if (packet.qos == Qos::at_most_once) {
        if (permitted) static_cast<void>(take_in(from.session, passing, false, moment));  // nothing to acknowledge
        return;
    }
    if (packet.qos == Qos::exactly_once) return on_publish_once(from, packet, passing, permitted, moment);
    if (from.version == Version::v5 && window_full(from, sessions_[from.session])) return refuse(from, kWindowFull, moment);
    const Taken taken = permitted ? take_in(from.session, passing, true, moment) : Taken{};
    const auto reason = !permitted ? ReasonCode::not_authorized : taken.matched ? ReasonCode::success : ReasonCode::no_matching_subscribers;
    acknowledge(
        from, {.ticket = taken.ticket, .connection = from.id, .packet_id = packet.packet_id, .type = PacketType::puback, .reason = reason});
}

/// Every level but the last has its slash: most topics are too short to have too many.
bool Hub::Core::topic_fits(std::string_view topic) const {
    const Limits& limits = options_.limits;
    if (topic.size() > limits.topic_bytes_max) return false;
    return topic.size() < limits.topic_levels_max || count_levels(topic) <= limits.topic_levels_max;
}

/// Well formed, but not for us (0x90). Who waits for no acknowledgement that could say so is closed, a bridge excepted: it brings what
/// others have published, and would bring it again.
void Hub::Core::refuse_topic(Connection& from, const mqtt::Publish& packet, const Moment& moment) {
    ++counters_.publishes_topic_refused;
    constexpr ReasonCode kReason = ReasonCode::topic_name_invalid;
    if (from.peer.internal && packet.qos == Qos::at_most_once) return;
    if (from.version != Version::v5 || packet.qos == Qos::at_most_once)
        return refuse(from, {kReason, "the topic is too long or has too many levels"}, moment);
    const auto type = packet.qos == Qos::at_least_once ? PacketType::puback : PacketType::pubrec;
    acknowledge(from, {.connection = from.id, .packet_id = packet.packet_id, .type = type, .reason = kReason});
}

/// Does the path that bridges write into a message say that it comes round again?
bool Hub::Core::has_been_here(const mqtt::Properties& properties) const {
    if (options_.gateway.empty() || !properties.has(Property::user_property)) return false;
    std::size_t gateways = 0;
    bool here = false;
    properties.for_each([&](const mqtt::PropertyItem& item) {
        if (item.id != Property::user_property || item.name != data::kBridgePath) return;
        ++gateways;
        here = here || item.text == options_.gateway;
    });
    return here || gateways > data::kBridgePathMax;
}

/// Acknowledged, as its sender has done nothing wrong, and not taken.
void Hub::Core::on_loop(Connection& from, const mqtt::Publish& packet) {
    ++counters_.publishes_looped;
    if (packet.qos == Qos::at_most_once) return;
    const bool once = packet.qos == Qos::exactly_once;
    acknowledge(from, {.connection = from.id, .packet_id = packet.packet_id, .type = once ? PacketType::pubrec : PacketType::puback});
}

/// QoS 2, method A of figure 4.3: passed on when it comes, its identifier remembered until PUBREL.
void Hub::Core::on_publish_once(Connection& from, const mqtt::Publish& packet, const Passing& passing, bool permitted,
                                const Moment& moment) {
    Session& session = sessions_[from.session];
    auto& unreleased = inbox(session).unreleased;
    PendingAck ack{.connection = from.id, .packet_id = packet.packet_id, .type = PacketType::pubrec};
    if (std::find(unreleased.begin(), unreleased.end(), packet.packet_id) != unreleased.end()) {
        ++counters_.publishes_duplicate;
        ack.ticket = acks_.last();  // its first copy may still be on its way to the disk
        return acknowledge(from, ack);
    }
    if (window_full(from, session)) return refuse(from, kWindowFull, moment);
    if (!permitted && from.version == Version::v5) {
        ack.reason = ReasonCode::not_authorized;
        return acknowledge(from, ack);
    }
    unreleased.push_back(packet.packet_id);
    session.inbox->recount();
    if (permitted) ack.ticket = take_in(from.session, passing, true, moment).ticket;
    acknowledge(from, ack);
}

/// Publishes that the client has sent and that are not yet through, against our receive maximum. Of a bridge, those that we have still to
/// answer: what is to be released comes from the remote broker, of which a bridge holds nothing back, as a release would wait behind it.
bool Hub::Core::window_full(const Connection& from, const Session& session) const {
    if (from.peer.internal) return from.acks_pending >= from.receive_maximum;
    const std::size_t once = session.inbox ? session.inbox->unreleased.size() : 0;
    return from.acks_pending - from.pubrecs_pending + once >= from.receive_maximum;
}

Inbox& Hub::Core::inbox(Session& session) {
    if (!session.inbox) {
        session.inbox = std::make_unique<Inbox>();
        session.inbox->memory = Charge(memory_.messages, sizeof(Inbox));
    }
    return *session.inbox;
}

/// Moves alias and expiry out of the properties; what is left is passed on.
Verdict Hub::Core::take_properties(Connection& from, mqtt::Publish& packet, Passing& passing, base::Monotonic now) {
    const mqtt::Properties& properties = packet.properties;
    if (properties.has(Property::subscription_identifier))  // §3.3.4: only servers send them
        return {ReasonCode::protocol_error, "a subscription identifier in a client's PUBLISH"};
    const bool alias = properties.has(Property::topic_alias);
    const bool expiry = properties.has(Property::message_expiry_interval);
    if (alias)
        if (const auto verdict = resolve_alias(from, packet); !verdict) return verdict;
    if (expiry) passing.expires = now + std::chrono::seconds(properties.number_or(Property::message_expiry_interval, 0));
    passing.properties = properties.raw();
    if (!alias && !expiry) return {};
    properties_.clear();
    mqtt::PropertyWriter writer(properties_);
    properties.for_each([&](const mqtt::PropertyItem& item) {
        if (item.id != Property::topic_alias && item.id != Property::message_expiry_interval) writer.item(item);
    });
    passing.properties = properties_;
    return {};
}

Verdict Hub::Core::resolve_alias(Connection& from, mqtt::Publish& packet) {
    Session& session = sessions_[from.session];
    const std::uint32_t alias = packet.properties.number_or(Property::topic_alias, 0);
    if (alias == 0 || alias > from.topic_alias_max) return {ReasonCode::topic_alias_invalid, "topic alias above the maximum in CONNACK"};
    auto& aliases = inbox(session).aliases;
    if (aliases.size() < alias) aliases.resize(alias);
    std::string& known = aliases[alias - 1];
    if (packet.topic.empty()) {
        if (known.empty()) return {ReasonCode::protocol_error, "a topic alias that was not set on this connection"};
    } else {
        session.inbox->alias_bytes += packet.topic.size() - known.size();
        if (session.inbox->alias_bytes > options_.limits.topic_alias_bytes_max)
            return {ReasonCode::quota_exceeded, "the topics of all aliases are too long together"};
        known = packet.topic;
        session.inbox->recount();
    }
    packet.topic = known;
    return {};
}

bool Hub::Core::may_publish(Connection& from, std::string_view topic) {
    if (topic[0] == '$' && topic.starts_with("$SYS/")) return false;
    if (options_.authenticator == nullptr || from.peer.internal) return true;
    const std::uint64_t hash = base::hash64(topic, secret_) | 1U;  // 0: none is remembered
    if (hash == from.permitted_topic) return true;
    const Session& session = sessions_[from.session];
    if (!options_.authenticator->may_publish({session.client, session.principal}, topic)) return false;
    from.permitted_topic = hash;
    return true;
}

/// A client's publication, by whatever way: counted, passed to subscribers, handed downstream.
Hub::Core::Taken Hub::Core::take_in(SessionIndex from, const Passing& passing, bool acknowledged, const Moment& moment) {
    ++counters_.readings_in;
    counters_.bytes_in += passing.payload.size();
    recorder_.begin_publish();
    const bool matched = spread(passing, from, moment.now);
    const Ticket accepted = port_.accept(
        {.topic = passing.topic, .payload = passing.payload, .client = sessions_[from].client, .arrived = moment.wall, .at = moment.now},
        acknowledged);
    return {recorder_.ticket_of_publish(accepted, acknowledged), matched || accepted != 0};
}

void Hub::Core::acknowledge(Connection& to, PendingAck ack) {
    if (ack.ticket <= durable_ && to.acks_pending == 0) return send_ack(ack, to.version);
    ++to.acks_pending;
    if (ack.type == PacketType::pubrec) ++to.pubrecs_pending;
    acks_.push(ack);
}

void Hub::Core::send_ack(const PendingAck& ack, Version version) {
    base::Bytes* out = answer(ack.connection);
    if (out == nullptr) return;
    ++counters_.acks_sent;
    if (ack.reason == ReasonCode::success) {
        const auto packet = mqtt::short_ack(ack.type, ack.packet_id);
        out->insert(out->end(), packet.begin(), packet.end());
    } else {
        mqtt::encode_ack(*out, ack.type, {.packet_id = ack.packet_id, .reason = ack.reason, .properties = {}}, version);
    }
}

void Hub::Core::on_pubrel(Connection& from, const mqtt::Framed& framed, base::ByteView body, const Moment& moment) {
    mqtt::Ack packet;
    if (const auto verdict = mqtt::decode_ack(framed.first, body, from.version, packet); !verdict) return refuse(from, verdict, moment);
    Session& session = sessions_[from.session];
    if (session.inbox) std::erase(session.inbox->unreleased, packet.packet_id);  // one that is not there is done already: the same answer
    base::Bytes* out = answer(from.id);
    if (out == nullptr) return;
    const auto packet_out = mqtt::short_ack(PacketType::pubcomp, packet.packet_id);
    base::append(*out, base::ByteView(packet_out));
}

void Hub::Core::on_subscriber_ack(Connection& from, const mqtt::Framed& framed, base::ByteView body, const Moment& moment) {
    mqtt::Ack packet;
    if (const auto verdict = mqtt::decode_ack(framed.first, body, from.version, packet); !verdict) return refuse(from, verdict, moment);
    if (!deliverer_.on_ack(from.session, framed.type(), packet.packet_id, packet.reason, moment.now))
        refuse(from, {ReasonCode::protocol_error, "not the acknowledgement that this message waits for"}, moment);
}

void Hub::Core::publish(const Publication& publication, base::Monotonic now) {
    if (!data::is_topic_name(publication.topic)) {
        ++counters_.publishes_invalid;
        return;
    }
    ++counters_.publishes_local;
    static_cast<void>(spread({.topic = publication.topic,
                              .payload = publication.payload,
                              .properties = publication.properties,
                              .qos = publication.qos,
                              .retain = publication.retain},
                             kNoSession, now));  // nobody is told whether anybody wants it
}

}  // namespace sluice::hub

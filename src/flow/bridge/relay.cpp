// Messages and acknowledgements from one end to the other. Packet identifiers pass unchanged: what the two ends remember of a message after
// a break, each by itself, fits together again, and the bridge has nothing to remember.
#include "codec/mqtt/encode.hpp"
#include "data/topic.hpp"
#include "flow/bridge/bridge.hpp"
#include "flow/bridge/path.hpp"

namespace sluice::bridge {

using mqtt::PacketId;
using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;

/// Towards the remote the hub keeps to the window that we have told it; the hub's own window is ours to keep. Only what the hub itself has
/// still to answer counts: a publish held back for one that the remote has to release would hold back the release, too.
bool Bridge::takes_publish(const Leg& from) {
    const End end = end_of(from);
    held_[index(end)] = end == End::remote && (phase_ != Phase::running || hub_is_full());
    return !held_[index(end)];
}

void Bridge::on_publish(Leg& from, const mqtt::Publish& packet) {
    const End end = end_of(from);
    if (phase_ != Phase::running) return;  // arming: it stays unacknowledged, and comes again
    if (!data::is_topic_name(packet.topic)) return drop(end, packet, Drop::topic_invalid);
    const bool outwards = end == End::local;
    const Leg& to = leg(other(end));
    const auto topic = outwards ? topics_.to_remote(packet.topic, topic_) : topics_.to_local(packet.topic, topic_);
    if (!topic) return drop(end, packet, Drop::unmapped);
    if (has_been_at(packet.properties, outwards ? remote_gateway_ : options_.gateway) || is_path_full(packet.properties))
        return drop(end, packet, Drop::looped);
    if (!outwards && echoes_.take(packet.topic, packet.payload, now_)) {
        ++stats_.echoes;
        return answer(end, packet);
    }
    if (!outwards && packet.payload.size() > options_.payload_bytes_max) return drop(end, packet, Drop::too_large);
    mqtt::Publish changed = packet;
    changed.topic = *topic;
    changed.qos = std::min(packet.qos, to.qos_max());
    changed.packet_id = changed.qos == Qos::at_most_once ? PacketId{0} : packet.packet_id;
    changed.dup = packet.dup && changed.packet_id != 0;
    changed.retain = packet.retain && to.retain_available();
    changed.properties = passed_on(packet.properties, outwards ? std::string_view(options_.gateway) : remote_gateway_, properties_);
    if (mqtt::publish_size(changed, to.version()) > to.packet_bytes_max()) return drop(end, packet, Drop::too_large);
    pass(end, packet, changed);
}

void Bridge::on_too_large(Leg& from, const mqtt::Publish& packet) {
    if (phase_ == Phase::running) drop(end_of(from), packet, Drop::too_large);
}

void Bridge::pass(End from, const mqtt::Publish& packet, const mqtt::Publish& changed) {
    Leg& to = leg(other(from));
    mqtt::encode_publish(out(other(from)), changed, to.version());
    to.wrote(now_);
    const bool blind = to.version() != mqtt::Version::v5 && !stats_.bridge_bit;
    if (from == End::local && blind && topics_.comes_back(changed.topic)) echoes_.expect(changed.topic, changed.payload, now_);
    if (changed.qos == Qos::at_most_once) {
        count(from);
        return answer(from, packet);
    }
    if (from == End::local && flows(from).waiting() == 0) progress_ = now_;
    flows(from).set(packet.packet_id, packet.qos == Qos::at_least_once   ? Flow::published
                                      : changed.qos == Qos::exactly_once ? Flow::once
                                                                         : Flow::lowered);
}

void Bridge::drop(End from, const mqtt::Publish& packet, Drop why) {
    ++(from == End::local ? stats_.dropped_out : stats_.dropped_in)[static_cast<std::size_t>(why)];
    answer(from, packet);
}

/// Acknowledges a message that does not go over, or goes over without an acknowledgement.
void Bridge::answer(End from, const mqtt::Publish& packet) {
    if (packet.qos == Qos::at_most_once) return;
    const bool once = packet.qos == Qos::exactly_once;
    if (once) flows(from).set(packet.packet_id, Flow::settled);
    send_ack(from, once ? PacketType::pubrec : PacketType::puback, packet.packet_id);
}

void Bridge::on_ack(Leg& from, PacketType type, const mqtt::Ack& packet) {
    if (phase_ != Phase::running) return;
    if (type == PacketType::pubrel) return release(end_of(from), packet);
    if (end_of(from) == End::remote) progress_ = now_;
    taken(end_of(from), type, packet);
}

/// PUBREL: of a message that has gone over, perhaps on an earlier connection, or of one that we have answered ourselves.
void Bridge::release(End from, const mqtt::Ack& packet) {
    const bool ours = flows(from).of(packet.packet_id) == Flow::settled || leg(other(from)).qos_max() != Qos::exactly_once;
    if (ours) {
        flows(from).set(packet.packet_id, Flow::none);
        return send_ack(from, PacketType::pubcomp, packet.packet_id);
    }
    if (from == End::local && flows(from).waiting() == 0) progress_ = now_;
    flows(from).set(packet.packet_id, Flow::released);
    send_ack(other(from), PacketType::pubrel, packet.packet_id);
}

/// An acknowledgement of the end that a message went to. One that nothing waits for is left over from an earlier connection.
void Bridge::taken(End by, PacketType type, const mqtt::Ack& packet) {
    const End from = other(by);
    const PacketId id = packet.packet_id;
    const Flow flow = flows(from).of(id);
    const bool error = mqtt::is_error(packet.reason);
    const bool first = (type == PacketType::puback && (flow == Flow::published || flow == Flow::lowered)) ||
                       (type == PacketType::pubrec && flow == Flow::once);
    if (first) {
        if (error)
            ++(from == End::local ? stats_.dropped_out : stats_.dropped_in)[static_cast<std::size_t>(Drop::refused)];
        else
            count(from);
    }
    if (type == PacketType::puback && flow == Flow::published) {
        flows(from).set(id, Flow::none);
        send_ack(from, PacketType::puback, id, error ? packet.reason : ReasonCode::success);
    } else if (type == PacketType::puback && flow == Flow::lowered) {
        flows(from).set(id, Flow::settled);
        send_ack(from, PacketType::pubrec, id);
    } else if (type == PacketType::pubrec && flow == Flow::once) {
        // An error ends the exchange (MQTT 5.0 §4.3.3), where the sender's version can be told of one.
        const bool ends = error && leg(from).version() == mqtt::Version::v5;
        flows(from).set(id, ends ? Flow::none : error ? Flow::settled : Flow::received);
        send_ack(from, PacketType::pubrec, id, ends ? packet.reason : ReasonCode::success);
    } else if (type == PacketType::pubcomp && flow == Flow::released) {
        flows(from).set(id, Flow::none);
        send_ack(from, PacketType::pubcomp, id);
    }
}

void Bridge::send_ack(End to, PacketType type, PacketId id, ReasonCode reason) {
    mqtt::encode_ack(out(to), type, {.packet_id = id, .reason = reason, .properties = {}}, leg(to).version());
    leg(to).wrote(now_);
    if (held_[index(to)] && !hub_is_full()) held_[index(to)] = false;
}

}  // namespace sluice::bridge

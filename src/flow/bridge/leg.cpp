#include "flow/bridge/leg.hpp"

#include <algorithm>

#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"

namespace sluice::bridge {

using mqtt::PacketType;
using mqtt::Property;
using mqtt::ReasonCode;
using mqtt::Version;

void Leg::connect(const mqtt::Connect& packet, std::chrono::seconds answer_timeout, std::uint32_t packet_bytes_max, base::Monotonic now,
                  base::Bytes& out) {
    state_ = State::greeting;
    version_ = packet.version;
    answer_timeout_ = answer_timeout;
    keep_alive_ = std::chrono::seconds(packet.keep_alive.count());
    packet_bytes_max_ = packet_bytes_max;
    pinging_ = false;
    skip_left_ = 0;
    last_in_ = last_out_ = now;
    answer_due_ = now + answer_timeout_;
    mqtt::encode_connect(out, packet);
}

std::size_t Leg::on_bytes(base::ByteView in, base::Monotonic now, base::Bytes& out, LegListener& listener) {
    if (state_ == State::closed) return in.size();
    last_in_ = now;
    pinging_ = false;  // it speaks
    std::size_t used = 0;
    while (state_ != State::closed) {
        if (skip_left_ != 0) {
            const auto gone = std::min<std::size_t>(skip_left_, in.size() - used);
            used += gone;
            skip_left_ -= static_cast<std::uint32_t>(gone);
            if (skip_left_ != 0) return used;
            listener.on_too_large(*this, skipped_);
            continue;
        }
        const auto rest = in.subspan(used);
        const mqtt::Framed framed = mqtt::frame(rest, packet_bytes_max_);
        if (framed.status == mqtt::FrameStatus::incomplete) return used;
        const bool message = framed.type() == PacketType::publish && state_ == State::running;
        const bool legal = framed.status != mqtt::FrameStatus::malformed && !(framed.overlong && version_ == Version::v5);
        if (message && legal && !listener.takes_publish(*this)) return used;
        auto reason = ReasonCode::malformed_packet;
        if (legal && framed.status == mqtt::FrameStatus::too_large) {
            reason = ReasonCode::packet_too_large;
            if (message && !begin_skipping(framed, rest, reason)) return used;
        } else if (legal) {
            used += framed.total;
            const auto body = framed.body(rest);
            reason = state_ == State::greeting && framed.type() == PacketType::connack ? take_connack(body, listener)
                     : state_ == State::greeting                                       ? ReasonCode::protocol_error
                                                                                       : take_packet(framed, body, listener);
        }
        if (reason == ReasonCode::success || state_ == State::closed) continue;
        if (running() && version_ == Version::v5 && mqtt::may_carry(PacketType::disconnect, reason))
            mqtt::encode_disconnect(out, {.reason = reason, .properties = {}}, version_);
        end(reason, listener);
    }
    return in.size();
}

/// A PUBLISH that we would not hold in memory: whoever sends one (3.1.1 has no word for what we take) would send it again on the next
/// connection, and for ever. Only what its acknowledgement needs is read.
bool Leg::begin_skipping(const mqtt::Framed& framed, base::ByteView in, ReasonCode& reason) {
    const auto body = in.subspan(framed.body_offset);
    if (body.size() < 2) return false;
    const bool acknowledged = ((framed.first >> 1) & 3U) != 0;
    const std::size_t head = 2U + (std::size_t{body[0]} << 8 | body[1]) + (acknowledged ? 2U : 0U);
    if (body.size() < head && head <= framed.total - framed.body_offset) return false;
    mqtt::Publish packet;
    const auto verdict = mqtt::read_publish(framed.first, body.first(std::min(head, body.size())), Version::v311, packet);
    reason = verdict.reason;
    if (!verdict) return true;
    skipped_ = {.packet_id = packet.packet_id, .qos = packet.qos, .dup = packet.dup};
    skip_left_ = framed.total;
    return true;
}

/// Returns what the server did wrong, or success.
ReasonCode Leg::take_connack(base::ByteView body, LegListener& listener) {
    mqtt::Connack connack;
    // A broker that knows no version 5 answers as 3.1.1 has it, without properties.
    const bool old = version_ == Version::v5 && body.size() == 2;
    if (const auto verdict = mqtt::decode_connack(body, old ? Version::v311 : version_, connack); !verdict) return verdict.reason;
    if (old && !mqtt::is_error(connack.reason)) return ReasonCode::protocol_error;
    if (mqtt::is_error(connack.reason)) {
        end(connack.reason, listener);
        return ReasonCode::success;
    }
    state_ = State::running;
    const auto& properties = connack.properties;
    receive_maximum_ = static_cast<std::uint16_t>(properties.number_or(Property::receive_maximum, 65'535));
    their_packet_bytes_max_ = properties.number_or(Property::maximum_packet_size, mqtt::kPacketBytesMax);
    qos_max_ = static_cast<mqtt::Qos>(properties.number_or(Property::maximum_qos, 2));
    retain_available_ = properties.number_or(Property::retain_available, 1) != 0;
    keep_alive_ = std::chrono::seconds(properties.number_or(Property::server_keep_alive, static_cast<std::uint32_t>(keep_alive_.count())));
    listener.on_connack(*this, connack);
    return ReasonCode::success;
}

ReasonCode Leg::take_packet(const mqtt::Framed& framed, base::ByteView body, LegListener& listener) {
    const PacketType type = framed.type();
    switch (type) {
        case PacketType::publish: {
            mqtt::Publish packet;
            if (const auto verdict = mqtt::read_publish(framed.first, body, version_, packet); !verdict) return verdict.reason;
            if (packet.properties.has(Property::topic_alias)) return ReasonCode::topic_alias_invalid;  // we have allowed none
            listener.on_publish(*this, packet);
            return ReasonCode::success;
        }
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp: {
            mqtt::Ack packet;
            if (const auto verdict = mqtt::decode_ack(framed.first, body, version_, packet); !verdict) return verdict.reason;
            listener.on_ack(*this, type, packet);
            return ReasonCode::success;
        }
        case PacketType::suback:
        case PacketType::unsuback: {
            mqtt::Suback packet;
            const auto verdict =
                type == PacketType::suback ? mqtt::decode_suback(body, version_, packet) : mqtt::decode_unsuback(body, version_, packet);
            if (!verdict) return verdict.reason;
            listener.on_suback(*this, packet);
            return ReasonCode::success;
        }
        case PacketType::pingresp:
            return mqtt::decode_ping(body).reason;
        case PacketType::disconnect: {
            mqtt::Disconnect packet;
            if (version_ != Version::v5) return ReasonCode::protocol_error;
            if (const auto verdict = mqtt::decode_disconnect(body, version_, packet); !verdict) return verdict.reason;
            end(packet.reason, listener);
            return ReasonCode::success;
        }
        default:
            return ReasonCode::protocol_error;  // what only clients send, a second CONNACK, AUTH
    }
}

void Leg::end(ReasonCode why, LegListener& listener) {
    state_ = State::closed;
    listener.on_over(*this, why);
}

void Leg::on_tick(base::Monotonic now, base::Bytes& out, LegListener& listener) {
    const auto due = next_deadline();
    if (!due || now < *due) return;
    if (state_ == State::greeting || pinging_) {
        state_ = State::closed;
        return listener.on_silence(*this);
    }
    base::append(out, base::ByteView(mqtt::kPingreq));
    last_out_ = now;
    pinging_ = true;
    answer_due_ = now + answer_timeout_;
}

/// A silence of either direction ends in a ping: the server must hear of us, and we of a server that is gone.
std::optional<base::Monotonic> Leg::next_deadline() const {
    if (state_ == State::closed) return std::nullopt;
    if (state_ == State::greeting || pinging_) return answer_due_;
    if (keep_alive_.count() == 0) return std::nullopt;
    return std::min(last_in_, last_out_) + keep_alive_;
}

}  // namespace sluice::bridge

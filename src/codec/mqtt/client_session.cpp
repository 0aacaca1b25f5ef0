#include "codec/mqtt/client_session.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"
#include "data/topic.hpp"

namespace sluice::mqtt {
namespace {

constexpr std::uint32_t kPacketIds = 65'535;
constexpr std::uint32_t kCompactAt = 64;  // settled entries before the front of pending_ is cut: moves few bytes, seldom

static_assert(sizeof(ClientSession) <= 150, "ten thousand of them live in one process");

constexpr PacketId after(PacketId id) { return id == kPacketIds ? PacketId{1} : static_cast<PacketId>(id + 1); }

/// Steps from one packet id to another along the circle 1, 2, …, 65,535, 1.
constexpr std::uint32_t steps(PacketId from, PacketId to) { return to >= from ? to - from : kPacketIds - from + to; }

std::uint16_t clamp_seconds(std::chrono::seconds time) {
    return static_cast<std::uint16_t>(std::clamp<std::chrono::seconds::rep>(time.count(), 0, 65'535));
}

Publish packet_of(const ClientSession::Message& message) {
    return {.topic = message.topic,
            .payload = message.payload,
            .packet_id = 0,
            .qos = message.qos,
            .retain = message.retain,
            .dup = message.dup && message.qos != Qos::at_most_once,
            .properties = message.properties};
}

void append_short_ack(base::Bytes& out, PacketType type, PacketId id) {
    const auto ack = short_ack(type, id);
    out.insert(out.end(), ack.begin(), ack.end());
}

}  // namespace

void ClientSession::connect(const Options& options, base::Monotonic now, base::Bytes& out) {
    reset();
    if (options.clean_start) received_.clear();
    version_ = options.version;
    state_ = State::connecting;
    keep_alive_s_ = clamp_seconds(options.keep_alive);
    answer_timeout_s_ = clamp_seconds(options.answer_timeout);
    packet_bytes_max_ = options.packet_bytes_max;
    server_packet_bytes_max_ = kPacketBytesMax;
    window_ = options.in_flight_max;
    receive_maximum_ = options.receive_maximum;
    qos_max_ = Qos::exactly_once;
    retain_available_ = true;
    last_in_ = last_out_ = now;
    answer_due_ = now + std::chrono::seconds(answer_timeout_s_);

    base::Bytes scratch;
    PropertyWriter properties(scratch);
    if (version_ == Version::v5) {
        if (options.session_expiry_s != 0) properties.number(Property::session_expiry_interval, options.session_expiry_s);
        if (options.receive_maximum != 65'535) properties.number(Property::receive_maximum, options.receive_maximum);
        if (options.packet_bytes_max < kPacketBytesMax) properties.number(Property::maximum_packet_size, options.packet_bytes_max);
        properties.copy(options.more);
    }
    encode_connect(out, {.version = version_,
                         .clean_start = options.clean_start,
                         .keep_alive = std::chrono::duration<std::uint16_t>(keep_alive_s_),
                         .client_id = options.client_id,
                         .will = options.will,
                         .user = options.user,
                         .password = options.password,
                         .properties = properties.done()});
}

base::Result<PacketId> ClientSession::publish(const Message& message, base::Monotonic now, base::Bytes& out) {
    if (state_ != State::connected) return base::Error{base::Errc::closed};
    if (message.qos > qos_max_ || (message.retain && !retain_available_)) return base::Error{base::Errc::unsupported};
    if (!data::is_topic_name(message.topic)) return base::Error{base::Errc::invalid};
    const bool acked = message.qos != Qos::at_most_once;
    Publish packet = packet_of(message);
    if (publish_size(packet, version_) > server_packet_bytes_max_) return base::Error{base::Errc::too_large};
    if (acked) {
        if (window_free() == 0) return base::Error{base::Errc::limit};
        const auto id = reserve(message.qos == Qos::at_least_once ? Pending::puback : Pending::pubrec);
        if (!id) return id.error();
        packet.packet_id = *id;
        ++in_flight_;
    }
    encode_publish(out, packet, version_);
    last_out_ = now;
    return packet.packet_id;
}

std::size_t ClientSession::packet_bytes(const Message& message) const { return publish_size(packet_of(message), version_); }

base::Result<PacketId> ClientSession::subscribe(std::span<const Subscription> filters, base::Monotonic now, base::Bytes& out,
                                                const Properties& properties) {
    if (state_ != State::connected) return base::Error{base::Errc::closed};
    SharedFilter shared;
    const auto valid = [&](const Subscription& each) {
        return is_shared(each.filter) ? split_shared_filter(each.filter, shared) : data::is_topic_filter(each.filter);
    };
    if (filters.empty() || !std::all_of(filters.begin(), filters.end(), valid)) return base::Error{base::Errc::invalid};
    const auto id = reserve(Pending::suback);
    if (!id) return id.error();
    encode_subscribe(out, *id, filters, version_, properties);
    last_out_ = now;
    return *id;
}

base::Result<PacketId> ClientSession::unsubscribe(std::span<const std::string_view> filters, base::Monotonic now, base::Bytes& out) {
    if (state_ != State::connected) return base::Error{base::Errc::closed};
    if (filters.empty() || !std::all_of(filters.begin(), filters.end(), data::is_topic_filter)) return base::Error{base::Errc::invalid};
    const auto id = reserve(Pending::unsuback);
    if (!id) return id.error();
    encode_unsubscribe(out, *id, filters, version_);
    last_out_ = now;
    return *id;
}

void ClientSession::ping(base::Monotonic now, base::Bytes& out) {
    if (state_ != State::connected) return;
    barrier_ = true;
    send_ping(now, out);
}

void ClientSession::send_ping(base::Monotonic now, base::Bytes& out) {
    if (pings_ == 0) answer_due_ = now + std::chrono::seconds(answer_timeout_s_);
    ++pings_;
    out.insert(out.end(), kPingreq.begin(), kPingreq.end());
    last_out_ = now;
}

void ClientSession::disconnect(base::Bytes& out, ReasonCode why) {
    if (state_ == State::connected) encode_disconnect(out, {.reason = why, .properties = {}}, version_);
    on_lost();
}

void ClientSession::on_lost() {
    state_ = State::closed;
    reset();
}

void ClientSession::reset() {
    pending_.clear();
    pending_head_ = 0;
    oldest_ = next_;  // goes on counting: a resumed session may still know older ids
    in_flight_ = 0;
    pings_ = 0;
    barrier_ = false;
}

base::Result<PacketId> ClientSession::reserve(Pending what) {
    if (pending_head_ == pending_.size()) {
        pending_.clear();
        pending_head_ = 0;
        oldest_ = next_;
    } else if (next_ == oldest_) {
        return base::Error{base::Errc::limit};  // the arc of ids in use has gone once around
    }
    if (pending_head_ >= kCompactAt && pending_head_ * 2 >= pending_.size()) {
        pending_.erase(pending_.begin(), pending_.begin() + pending_head_);
        pending_head_ = 0;
    }
    pending_.push_back(what);
    const PacketId id = next_;
    next_ = after(next_);
    return id;
}

ClientSession::Pending* ClientSession::find_pending(PacketId id) {
    const std::size_t at = pending_head_ + steps(oldest_, id);
    return at < pending_.size() ? &pending_[at] : nullptr;
}

void ClientSession::settle(PacketId id) {
    auto* entry = find_pending(id);
    base::check(entry && *entry != Pending::none, "mqtt: a packet id settled twice");
    *entry = Pending::none;
    while (pending_head_ < pending_.size() && pending_[pending_head_] == Pending::none) {
        ++pending_head_;
        oldest_ = after(oldest_);
    }
}

std::size_t ClientSession::on_bytes(base::ByteView in, base::Monotonic now, base::Bytes& out, ClientListener& listener) {
    if (state_ == State::closed) return in.size();
    last_in_ = now;
    if (pings_ != 0) answer_due_ = now + std::chrono::seconds(answer_timeout_s_);  // it speaks: its answer is behind what it sends
    std::size_t used = 0;
    while (state_ != State::closed) {
        const auto rest = in.subspan(used);
        const Framed framed = frame(rest, packet_bytes_max_);
        if (framed.status == FrameStatus::incomplete) return used;
        auto reason = ReasonCode::malformed_packet;
        if (framed.status == FrameStatus::too_large) reason = ReasonCode::packet_too_large;
        if (framed.status == FrameStatus::complete && !(framed.overlong && version_ == Version::v5)) {
            const std::size_t before = out.size();
            reason = take_packet(framed.first, framed.body(rest), out, listener);
            if (out.size() != before) last_out_ = now;
            used += framed.total;
        }
        if (reason != ReasonCode::success) {
            fail(reason, true, out, listener);
            return in.size();
        }
    }
    return in.size();
}

/// Returns what the server did wrong, or success.
ReasonCode ClientSession::take_packet(base::Byte first, base::ByteView body, base::Bytes& out, ClientListener& listener) {
    const auto type = static_cast<PacketType>(first >> 4);
    if (state_ == State::connecting) {
        Connack connack;
        if (type != PacketType::connack) return ReasonCode::protocol_error;  // we do not offer extended authentication, so no AUTH either
        if (const auto verdict = decode_connack(body, version_, connack); !verdict) return verdict.reason;
        take_connack(connack, out, listener);
        return ReasonCode::success;
    }
    switch (type) {
        case PacketType::publish:
            return take_publish(first, body, out, listener);
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp:
            return take_ack(type, first, body, out, listener);
        case PacketType::suback:
        case PacketType::unsuback:
            return take_suback(type, body, listener);
        case PacketType::pingresp: {
            if (const auto verdict = decode_ping(body); !verdict) return verdict.reason;
            if (pings_ != 0) --pings_;
            if (pings_ == 0 && barrier_) {
                barrier_ = false;
                listener.on_pong();
            }
            return ReasonCode::success;
        }
        case PacketType::disconnect: {
            Disconnect packet;
            if (version_ != Version::v5) return ReasonCode::protocol_error;
            if (const auto verdict = decode_disconnect(body, version_, packet); !verdict) return verdict.reason;
            fail(packet.reason, false, out, listener);
            return ReasonCode::success;
        }
        default:
            return ReasonCode::protocol_error;  // what only clients send
    }
}

void ClientSession::take_connack(const Connack& connack, base::Bytes& out, ClientListener& listener) {
    if (is_error(connack.reason)) {
        fail(connack.reason, false, out, listener);
        return;
    }
    state_ = State::connected;
    if (!connack.session_present) received_.clear();
    const auto& properties = connack.properties;
    window_ = static_cast<std::uint16_t>(std::min<std::uint32_t>(window_, properties.number_or(Property::receive_maximum, window_)));
    server_packet_bytes_max_ = properties.number_or(Property::maximum_packet_size, kPacketBytesMax);
    qos_max_ = static_cast<Qos>(properties.number_or(Property::maximum_qos, 2));
    retain_available_ = properties.number_or(Property::retain_available, 1) != 0;
    keep_alive_s_ = static_cast<std::uint16_t>(properties.number_or(Property::server_keep_alive, keep_alive_s_));
    listener.on_connected(connack);
}

ReasonCode ClientSession::take_publish(base::Byte first, base::ByteView body, base::Bytes& out, ClientListener& listener) {
    Publish packet;
    if (const auto verdict = decode_publish(first, body, version_, packet); !verdict) return verdict.reason;
    if (packet.properties.has(Property::topic_alias)) return ReasonCode::topic_alias_invalid;  // we have allowed none (MQTT-3.3.2-9)
    if (packet.qos != Qos::exactly_once) {
        listener.on_message(packet);
        const bool still_here = state_ == State::connected;  // the listener may have disconnected
        if (packet.qos == Qos::at_least_once && still_here) append_short_ack(out, PacketType::puback, packet.packet_id);
        return ReasonCode::success;
    }
    const bool known = std::find(received_.begin(), received_.end(), packet.packet_id) != received_.end();
    if (!known) {
        if (received_.size() >= receive_maximum_) return ReasonCode::receive_maximum_exceeded;
        received_.push_back(packet.packet_id);
        listener.on_message(packet);
    }
    if (state_ == State::connected) append_short_ack(out, PacketType::pubrec, packet.packet_id);
    return ReasonCode::success;
}

ReasonCode ClientSession::take_ack(PacketType type, base::Byte first, base::ByteView body, base::Bytes& out, ClientListener& listener) {
    Ack packet;
    if (const auto verdict = decode_ack(first, body, version_, packet); !verdict) return verdict.reason;
    const Ack not_found{.packet_id = packet.packet_id, .reason = ReasonCode::packet_identifier_not_found, .properties = {}};
    if (type == PacketType::pubrel) {
        const auto at = std::find(received_.begin(), received_.end(), packet.packet_id);
        if (at == received_.end()) {
            encode_ack(out, PacketType::pubcomp, not_found, version_);
        } else {
            received_.erase(at);
            append_short_ack(out, PacketType::pubcomp, packet.packet_id);
        }
        return ReasonCode::success;
    }
    auto* pending = find_pending(packet.packet_id);
    const auto expected = pending ? *pending : Pending::none;
    const auto matches = type == PacketType::puback   ? expected == Pending::puback
                         : type == PacketType::pubrec ? expected == Pending::pubrec || expected == Pending::pubcomp
                                                      : expected == Pending::pubcomp;
    if (!matches) {  // left over from an earlier connection; a wrong kind of answer is a violation
        if (expected != Pending::none) return ReasonCode::protocol_error;
        if (type == PacketType::pubrec && !is_error(packet.reason)) encode_ack(out, PacketType::pubrel, not_found, version_);
        return ReasonCode::success;
    }
    if (type == PacketType::pubrec && !is_error(packet.reason)) {
        *pending = Pending::pubcomp;
        append_short_ack(out, PacketType::pubrel, packet.packet_id);
        return ReasonCode::success;
    }
    settle(packet.packet_id);
    --in_flight_;
    const auto code = static_cast<base::Byte>(packet.reason);
    listener.on_acked(packet.packet_id, {&code, 1});
    return ReasonCode::success;
}

ReasonCode ClientSession::take_suback(PacketType type, base::ByteView body, ClientListener& listener) {
    Suback packet;
    const bool subscribed = type == PacketType::suback;
    if (const auto verdict = subscribed ? decode_suback(body, version_, packet) : decode_unsuback(body, version_, packet); !verdict)
        return verdict.reason;
    const auto* pending = find_pending(packet.packet_id);
    if (!pending || *pending != (subscribed ? Pending::suback : Pending::unsuback)) return ReasonCode::protocol_error;
    settle(packet.packet_id);
    listener.on_acked(packet.packet_id, packet.codes);
    return ReasonCode::success;
}

void ClientSession::fail(ReasonCode why, bool tell_server, base::Bytes& out, ClientListener& listener) {
    const bool can_tell = state_ == State::connected && version_ == Version::v5 && may_carry(PacketType::disconnect, why);
    if (tell_server && can_tell) encode_disconnect(out, {.reason = why, .properties = {}}, version_);
    on_lost();
    listener.on_closed(why);
}

void ClientSession::on_tick(base::Monotonic now, base::Bytes& out, ClientListener& listener) {
    const auto deadline = next_deadline();
    if (!deadline || now < *deadline) return;
    if (state_ == State::connecting || pings_ != 0)
        fail(ReasonCode::keep_alive_timeout, false, out, listener);
    else
        send_ping(now, out);
}

std::optional<base::Monotonic> ClientSession::next_deadline() const {
    if (state_ == State::closed) return std::nullopt;
    if (state_ == State::connecting || pings_ != 0) return answer_due_;
    if (keep_alive_s_ == 0) return std::nullopt;
    return std::min(last_in_, last_out_) + std::chrono::seconds(keep_alive_s_);
}

}  // namespace sluice::mqtt

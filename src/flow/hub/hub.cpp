#include "flow/hub/hub.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/hash.hpp"
#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "flow/hub/core.hpp"

namespace sluice::hub {

using mqtt::PacketType;
using mqtt::ReasonCode;
using mqtt::Version;
using State = Connection::State;

namespace {

constexpr std::uint32_t slot_of(ConnectionId id) { return static_cast<std::uint32_t>(id.value()); }
constexpr std::uint32_t kSlotsMax = 1U << 24;  // far more than descriptors of a process: a wrong id is found before it takes all memory
constexpr std::chrono::milliseconds kRetryAfter{5};      // held-back output and full mailboxes, when nothing else wakes the hub
constexpr std::chrono::milliseconds kLookAgainAfter{1};  // whether those who are behind have caught up

/// Not retained: what there are most of, and what costs least.
constexpr bool is_plain_publish(std::uint8_t first) { return (first & 0xF1U) == static_cast<unsigned>(PacketType::publish) << 4; }

std::uint32_t packet_bytes_max(const Limits& limits) {
    return static_cast<std::uint32_t>(std::min<std::size_t>(limits.payload_bytes_max + kPacketOverheadMax, mqtt::kPacketBytesMax));
}

}  // namespace

Hub::Core::Core(const Options& options, Port& port)
    : options_(options),
      port_(port),
      memory_(options_.limits, port),
      secret_(base::hash64("hub tables", options.seed)),
      sessions_(secret_),
      subscriptions_(secret_),
      retained_(secret_, {options.limits.retained_messages_max, options.limits.retained_bytes_max}, memory_.messages),
      links_(options.shard.value(), options.shards, options_.limits, port, counters_),
      recorder_(options.shard.value(), options.shards, retained_),
      deliverer_(options_.limits, port, sessions_, subscriptions_, retained_, recorder_, counters_, memory_, secret_),
      packet_bytes_max_(packet_bytes_max(options.limits)) {
    recorder_.use(options.names != nullptr ? options.names : options.authenticator);
    set_limits(options.limits);
}

void Hub::Core::set_limits(const Limits& limits) {
    base::check(limits.receive_maximum != 0 && limits.inflight_max != 0, "hub: a window of 0");
    const bool other_rates = limits.message_rate != options_.limits.message_rate || limits.byte_rate != options_.limits.byte_rate;
    options_.limits = limits;
    if (other_rates) begin_paces_anew();
    packet_bytes_max_ = packet_bytes_max(limits);
    work_.set_limit(limits.turn_work);
    retained_.set_limits({limits.retained_messages_max, limits.retained_bytes_max});
    paced_ = limits.message_rate != 0 || limits.byte_rate != 0;
    counters_.memory_bytes_max = limits.memory_bytes_max;
}

Connection* Hub::Core::find(ConnectionId who) {
    const std::uint32_t slot = slot_of(who);
    if (slot >= connections_.size() || connections_[slot].id != who || connections_[slot].state == State::free) return nullptr;
    return &connections_[slot];
}

void Hub::Core::on_connected(ConnectionId who, const Peer& peer, base::Monotonic now) {
    const std::uint32_t slot = slot_of(who);
    base::check(slot < kSlotsMax && (who.value() >> 32) != 0, "hub: connection id out of range");
    if (slot >= connections_.size()) connections_.resize(slot + 1);
    Connection& connection = connections_[slot];
    base::check(connection.state == State::free, "hub: slot of a connection is in use");
    connection.id = who;
    connection.peer = peer;
    connection.last_heard = now;
    connection.state = counters_.connections >= options_.limits.connections_max && !peer.internal ? State::refused : State::greeting;
    ++counters_.connections;
    ++counters_.connections_opened;
    arm(connection);
}

void Hub::Core::on_peer(ConnectionId who, const Peer& peer) {
    if (Connection* connection = find(who)) connection->peer = peer;
}

void Hub::Core::on_bytes_soon(ConnectionId who) const {
    const std::uint32_t slot = slot_of(who);
    if (slot >= connections_.size()) return;
    const SessionIndex session = connections_[slot].session;
    if (session != kNoSession) __builtin_prefetch(&sessions_[session]);
}

std::size_t Hub::Core::on_bytes(ConnectionId who, base::ByteView bytes, base::Monotonic now, base::WallTime wall) {
    Connection* from = find(who);
    if (from == nullptr) return bytes.size();
    wall_ = wall;
    const Moment moment{now, wall};
    if (from->state == State::running) [[likely]]
        from->last_heard = now;
    else if (from->state == State::authenticating)
        return keep_waiting(*from, bytes);
    work_.begin();
    std::size_t at = 0;
    while (at < bytes.size()) {
        const auto rest = bytes.subspan(at);
        const mqtt::Framed framed = mqtt::frame(rest, packet_bytes_max_);
        if (framed.status != mqtt::FrameStatus::complete) [[unlikely]] {
            if (framed.status == mqtt::FrameStatus::incomplete) break;
            on_unframed(*from, framed, moment);
            return bytes.size();
        }
        const auto body = framed.body(rest);
        if (is_plain_publish(framed.first) && from->state == State::running) [[likely]] {
            if (paced_ && !in_pace(*from, framed.total, moment)) [[unlikely]]
                return at;
            at += framed.total;
            ++counters_.packets_in;
            on_publish(*from, framed, body, moment);
        } else {
            const bool timely = has_time(*from, framed.first);
            if (timely && paced_ && framed.type() == PacketType::publish && from->state == State::running &&
                !in_pace(*from, framed.total, moment))
                return at;
            if (!timely || !on_packet(*from, framed, body, moment)) {
                wait_for_turn(*from);
                break;
            }
            if (from->state == State::authenticating) return at;  // the CONNECT is presented again when the answer is there
            at += framed.total;
            ++counters_.packets_in;
        }
        if (from->id != who) return bytes.size();  // closed
        if ((memory_.turn_is_full() || work_.used_up()) && at < bytes.size()) [[unlikely]] {
            memory_.turn_is_full() ? wait_for_output(*from) : wait_for_turn(*from);
            break;
        }
    }
    if (from->turn == Connection::Turn::come) from->turn = Connection::Turn::free;
    const base::Bytes* out = port_.output(who);
    const std::size_t hard = options_.limits.output_bytes_hard;
    if (out != nullptr && out->size() > hard && port_.queued_bytes(who) > hard) {
        ++counters_.slow_closed;
        close(*from, false, moment);
        return bytes.size();
    }
    if (acks_.size() > 2 * options_.limits.acks_pending_max && from->acks_pending != 0) {
        refuse(*from, {ReasonCode::quota_exceeded, "too many acknowledgements wait for storage"}, moment);
        return bytes.size();
    }
    return at;
}

/// Where one packet is to be written, which counts it.
base::Bytes* Hub::Core::answer(ConnectionId to) {
    base::Bytes* out = port_.output(to);
    if (out != nullptr) ++counters_.packets_out;
    return out;
}

/// A packet that cannot be told from what follows it. A fifth length byte: whoever sends that would not find an answer either.
void Hub::Core::on_unframed(Connection& from, const mqtt::Framed& framed, const Moment& moment) {
    if (framed.status == mqtt::FrameStatus::too_large)
        return refuse(from, {ReasonCode::packet_too_large, "above the maximum packet size in CONNACK"}, moment);
    if (mqtt::is_first_byte(framed.first)) {
        ++counters_.protocol_errors;
        return close(from, false, moment);
    }
    // Type 0 is forbidden, AUTH was not agreed on: whatever their flags, they must not come at all.
    const bool unasked = framed.type() == PacketType::will || framed.type() == PacketType::auth;
    refuse(from, {unasked ? ReasonCode::protocol_error : ReasonCode::malformed_packet, "packet type or its flags"}, moment);
}

bool Hub::Core::on_packet(Connection& from, const mqtt::Framed& framed, base::ByteView body, const Moment& moment) {
    const PacketType type = framed.type();
    if (from.state != State::running) {
        if (type == PacketType::connect && mqtt::has_legal_flags(framed.first, body)) {
            on_connect(from, body, moment);
        } else {
            ++counters_.protocol_errors;
            close(from, true, moment);  // whoever it is does not speak MQTT: no answer
        }
        return true;
    }
    if (framed.overlong && from.version == Version::v5) {
        refuse(from, {ReasonCode::malformed_packet, "the remaining length takes more bytes than it needs"}, moment);
        return true;
    }
    switch (type) {
        case PacketType::subscribe:
            return on_subscribe(from, body, moment);
        case PacketType::unsubscribe:
            return on_unsubscribe(from, body, moment);
        case PacketType::publish:  // with the retain flag
            on_publish(from, framed, body, moment);
            break;
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubcomp:
            on_subscriber_ack(from, framed, body, moment);
            break;
        case PacketType::pubrel:
            on_pubrel(from, framed, body, moment);
            break;
        case PacketType::pingreq:
            on_ping(from, body, moment);
            break;
        case PacketType::disconnect:
            on_disconnect(from, body, moment);
            break;
        default:  // a second CONNECT, what only servers send, AUTH (no method was agreed on)
            refuse(from, {ReasonCode::protocol_error, "a packet that must not come now, or never from a client"}, moment);
    }
    return true;
}

void Hub::Core::on_ping(Connection& from, base::ByteView body, const Moment& moment) {
    if (const auto verdict = mqtt::decode_ping(body); !verdict) return refuse(from, verdict, moment);
    if (base::Bytes* out = answer(from.id)) base::append(*out, base::ByteView(mqtt::kPingresp));
}

void Hub::Core::on_disconnect(Connection& from, base::ByteView body, const Moment& moment) {
    mqtt::Disconnect packet;
    if (const auto verdict = mqtt::decode_disconnect(body, from.version, packet); !verdict) {
        const bool no_reason = packet.reason != ReasonCode::success && !mqtt::may_carry(PacketType::disconnect, packet.reason);
        if (!no_reason) return refuse(from, verdict, moment);
        ++counters_.protocol_errors;  // whatever it meant to say, it has left
        return close(from, false, moment);
    }
    Session& session = sessions_[from.session];
    if (packet.properties.has(mqtt::Property::session_expiry_interval)) {
        const auto seconds = packet.properties.number_or(mqtt::Property::session_expiry_interval, 0);
        if (session.expiry_seconds == 0 && seconds != 0)  // §3.14.2.2.2
            return refuse(from, {ReasonCode::protocol_error, "a session that was to end with its connection cannot be prolonged"}, moment);
        session.expiry_seconds = std::min<std::uint32_t>(seconds, static_cast<std::uint32_t>(options_.limits.session_expiry_max.count()));
    }
    close(from, packet.reason == ReasonCode::success, moment);
}

void Hub::Core::refuse(Connection& connection, mqtt::Verdict verdict, const Moment& moment) {
    ++counters_.protocol_errors;
    if (connection.state == State::running) send_disconnect(connection, verdict.reason, verdict.words);
    close(connection, false, moment);
}

void Hub::Core::send_disconnect(const Connection& to, ReasonCode reason, std::string_view words) {
    if (to.version != Version::v5) return;
    constexpr std::size_t kBytes = 3;  // never above what a client takes: its CONNACK was longer
    if (base::Bytes* out = answer(to.id))
        mqtt::encode_disconnect(*out, {.reason = reason, .properties = reason_string(to, words, kBytes)}, Version::v5);
}

mqtt::Properties Hub::Core::reason_string(const Connection& to, std::string_view words, std::size_t bytes) {
    words_.clear();
    mqtt::PropertyWriter writer(words_);
    constexpr std::size_t kAround = 5;  // identifier, length, and a byte more for each of two variable lengths
    if (to.wants_reasons && !words.empty() && bytes + kAround + words.size() <= to.packet_bytes_max)
        writer.text(mqtt::Property::reason_string, words);
    return writer.done();
}

void Hub::Core::close(Connection& connection, bool withdraw_will, const Moment& moment) {
    port_.close(connection.id);
    end_connection(connection, withdraw_will, moment);
}

void Hub::Core::end_connection(Connection& connection, bool withdraw_will, const Moment& moment) {
    const SessionIndex index = connection.session;
    if (connection.state == State::authenticating) --counters_.connections_authenticating;
    connection = Connection{};
    --counters_.connections;
    if (index == kNoSession) return;
    Session& session = sessions_[index];
    session.connection = {};
    session.aliases.reset();
    deliverer_.suspend(session);
    if (session.inbox) {
        session.inbox->aliases = std::vector<std::string>();
        session.inbox->alias_bytes = 0;
        session.inbox->recount();
    }
    port_.on_presence(session.client, false);
    if (withdraw_will) session.will.reset();
    const bool lasts = session.expiry_seconds != 0;
    if (session.will) {
        session.will_at = lasts ? moment.now + session.will->delay : moment.now;
        if (session.will_at <= moment.now && work_.left_for_endings()) publish_will(index, moment);  // else soon, by its timer
    }
    if (!lasts && !session.will) return end_session(index, moment);
    session.ends = moment.now + std::chrono::seconds(session.expiry_seconds);
    sessions_.mark_absent(index);
    recorder_.session_changed(session);
    arm(index);
}

void Hub::Core::on_closed(ConnectionId who, base::Monotonic now, base::WallTime wall) {
    Connection* connection = find(who);
    if (connection == nullptr) return;
    if (connection->state == State::running) ++counters_.connections_lost;
    end_connection(*connection, false, {now, wall});
}

void Hub::Core::on_durable(Ticket ticket) {
    durable_ = std::max(durable_, ticket);
    acks_.release(durable_, [&](const PendingAck& ack) {
        Connection* to = find(ack.connection);
        if (to == nullptr) return;  // it will send the publish again
        --to->acks_pending;
        if (ack.type == PacketType::pubrec) --to->pubrecs_pending;
        send_ack(ack, to->version);
    });
    while (!kept_subacks_.empty() && kept_subacks_.front().ticket <= durable_) {
        const PendingSuback pending = kept_subacks_.pop_front();
        filters_pending_ -= pending.filters;
        finish_subscribe(pending, {turn_, wall_});
    }
}

std::optional<Hub::Waiting> Hub::Core::waiting(std::string_view client) const {
    const SessionIndex index = sessions_.find(client);
    if (index == kNoSession) return std::nullopt;
    const Outbox* box = sessions_[index].outbox.get();
    return box == nullptr ? Waiting{} : Waiting{box->inflight.size() + box->queue.size(), box->dropped};
}

bool Hub::Core::disconnect(std::string_view client, ReasonCode reason, base::Monotonic now, base::WallTime wall) {
    const SessionIndex index = sessions_.find(client);
    if (index == kNoSession || !sessions_[index].online()) return false;
    Connection* connection = find(sessions_[index].connection);
    send_disconnect(*connection, reason);
    close(*connection, false, {now, wall});
    return true;
}

void Hub::Core::shut_down() {
    for (Connection& connection : connections_) {
        if (connection.state == State::free) continue;
        if (connection.state == State::running) send_disconnect(connection, ReasonCode::server_shutting_down);
        if (connection.state == State::authenticating) --counters_.connections_authenticating;
        port_.close(connection.id);
        if (connection.session != kNoSession) {
            sessions_[connection.session].will.reset();
            sessions_[connection.session].connection = {};
        }
        connection = Connection{};
        --counters_.connections;
    }
    if (!recorder_.on()) return;
    sessions_.for_each([this](const Session& session) {
        if (session.kept != 0 && session.inbox && !session.inbox->unreleased.empty()) recorder_.unreleased(session);
    });
    recorder_.close();
}

void Hub::Core::forget_permissions() {
    for (Connection& connection : connections_) connection.permitted_topic = 0;
}

bool Hub::Core::wants_input() const { return acks_.size() < options_.limits.acks_pending_max && !links_.congested(); }

void Hub::Core::end_of_turn(base::Monotonic now) {
    turn_ = now;
    work_off_endings();
    work_.end_of_turn();
    if (!links_.alone()) retained_.forget_old_removals(next_stamp(now).time);
    deliverer_.retry(now);
    recorder_.end_of_turn(now, links_);
    links_.flush();
    memory_.end_of_turn(structure_bytes(), sessions_.size());
    for (const ConnectionId id : std::exchange(full_, {})) port_.hold_input(id, false);
    let_next_come();
}

const Counters& Hub::Core::counters() {
    counters_.sessions = sessions_.size();
    counters_.retained_messages = retained_.size();
    counters_.acks_pending = acks_.size();
    counters_.will_bytes = will_bytes_;
    counters_.memory_bytes = memory_.here();
    return counters_;
}

// Time

base::Monotonic Hub::Core::deadline(const Connection& connection) const {
    base::Monotonic heard = std::max(connection.last_heard, held_);
    if (const Pace* its = pace(connection); its != nullptr) heard = std::max(heard, its->held_until);  // we did not listen
    if (connection.turn != Connection::Turn::free) heard = std::max(heard, turn_);                     // the same
    if (connection.state != State::running) return heard + options_.limits.connect_timeout;
    if (connection.keep_alive_seconds == 0) return kNever;
    return heard + std::chrono::milliseconds(1500) * connection.keep_alive_seconds;  // §3.1.2.10: one and a half times
}

void Hub::Core::arm(Connection& connection) {
    const base::Monotonic at = deadline(connection);
    if (at >= connection.timer_at) return;  // the entry that is there looks again when its time comes
    connection.timer_at = at;
    push_timer({.at = at, .identity = connection.id.value(), .index = slot_of(connection.id)});
}

void Hub::Core::arm(SessionIndex index) {
    Session& session = sessions_[index];
    const base::Monotonic at = std::min(session.ends, session.will_at);
    if (at >= session.timer_at) return;
    session.timer_at = at;
    push_timer({.at = at, .identity = session.serial, .index = index, .kind = Timer::Kind::session});
}

void Hub::Core::arm_retained(NodeIndex node, RetainStamp stamp, base::Monotonic expires) {
    push_timer({.at = expires,
                .identity = stamp.time,
                .index = node,
                .shard = static_cast<std::uint16_t>(stamp.shard),
                .kind = Timer::Kind::retained});
}

void Hub::Core::push_timer(const Timer& timer) {
    timers_.push(timer, counters_.connections + sessions_.size() + retained_.size(), [this](const Timer& one) { return counts(one); });
}

bool Hub::Core::counts(const Timer& timer) const {
    switch (timer.kind) {
        case Timer::Kind::connection: {
            const Connection& connection = connections_[timer.index];
            return connection.id.value() == timer.identity && connection.timer_at == timer.at;
        }
        case Timer::Kind::pace: {
            const Connection& connection = connections_[timer.index];
            const Pace* its = connection.id.value() == timer.identity ? pace(connection) : nullptr;
            return its != nullptr && its->held_until == timer.at;
        }
        case Timer::Kind::session: {
            const Session& session = sessions_[timer.index];
            return session.serial == timer.identity && session.timer_at == timer.at;
        }
        case Timer::Kind::retained:
            return retained_.current(timer.index, {timer.identity, timer.shard});
    }
    return false;
}

void Hub::Core::on_tick(base::Monotonic now, base::WallTime wall) {
    wall_ = wall;
    do {
        const auto timer = timers_.pop_due(now);
        if (!timer) break;
        if (counts(*timer)) on_timer(*timer, {now, wall});
    } while (work_.left_for_endings());
    if (review_next_ != kNoSession) review_some({now, wall});
}

void Hub::Core::on_timer(const Timer& timer, const Moment& moment) {
    switch (timer.kind) {
        case Timer::Kind::connection:
            return on_connection_timer(connections_[timer.index], moment);
        case Timer::Kind::pace:
            return on_pace_timer(connections_[timer.index]);
        case Timer::Kind::session:
            return on_session_timer(timer.index, moment);
        case Timer::Kind::retained:
            recorder_.retained_removed(retained_.get(timer.index, {timer.identity, timer.shard}).topic());
            retained_.expire(timer.index, {timer.identity, timer.shard});
            return;
    }
}

void Hub::Core::on_connection_timer(Connection& connection, const Moment& moment) {
    connection.timer_at = kNever;
    if (deadline(connection) > moment.now) return arm(connection);
    if (connection.state == State::running) {
        ++counters_.keep_alive_timeouts;
        send_disconnect(connection, ReasonCode::keep_alive_timeout, "nothing came for one and a half keep-alives");
    } else {
        ++counters_.connect_timeouts;
        if (connection.state == State::authenticating) return refuse_connect(connection, ReasonCode::server_busy);
    }
    close(connection, false, moment);
}

void Hub::Core::on_session_timer(SessionIndex index, const Moment& moment) {
    Session& session = sessions_[index];
    session.timer_at = kNever;
    if (session.online()) return;
    if (session.ends <= moment.now) {
        if (session.expiry_seconds != 0) ++counters_.sessions_expired;
        return end_session(index, moment);
    }
    if (session.will_at <= moment.now) publish_will(index, moment);
    arm(index);
}

std::optional<base::Monotonic> Hub::Core::next_deadline() const {
    auto next = timers_.next();
    if (review_next_ != kNoSession || (!endings_.empty() && !links_.behind())) return turn_;
    if (const auto at = recorder_.next_deadline(); at != kNever) next = std::min(next.value_or(kNever), at);
    if (!line_.empty() || !endings_.empty()) next = std::min(next.value_or(kNever), turn_ + kLookAgainAfter);
    if (deliverer_.holding_back() || links_.waiting()) next = std::min(next.value_or(kNever), turn_ + kRetryAfter);
    return next;
}

// The façade

Hub::Hub(const Options& options, Port& port) : core_(std::make_unique<Core>(options, port)) {}
Hub::~Hub() = default;
void Hub::on_connected(ConnectionId who, const Peer& peer, base::Monotonic now) { core_->on_connected(who, peer, now); }
void Hub::on_peer(ConnectionId who, const Peer& peer) { core_->on_peer(who, peer); }
std::size_t Hub::on_bytes(ConnectionId who, base::ByteView bytes, base::Monotonic now, base::WallTime wall) {
    return core_->on_bytes(who, bytes, now, wall);
}
void Hub::on_bytes_soon(ConnectionId who) const { core_->on_bytes_soon(who); }
void Hub::on_closed(ConnectionId who, base::Monotonic now, base::WallTime wall) { core_->on_closed(who, now, wall); }
void Hub::on_authenticated(ConnectionId who, const Admission& admission) { core_->on_authenticated(who, admission); }
void Hub::on_durable(Ticket ticket) { core_->on_durable(ticket); }
void Hub::on_shard_message(data::ShardIndex from, const ShardMessage& message, base::Monotonic now, base::WallTime wall) {
    core_->on_shard_message(from, message, now, wall);
}
void Hub::publish(const Publication& publication, base::Monotonic now, base::WallTime) { core_->publish(publication, now); }
void Hub::on_tick(base::Monotonic now, base::WallTime wall) { core_->on_tick(now, wall); }
void Hub::on_input_held(base::Monotonic now) { core_->on_input_held(now); }
std::optional<base::Monotonic> Hub::next_deadline() const { return core_->next_deadline(); }
void Hub::end_of_turn(base::Monotonic now) { core_->end_of_turn(now); }
bool Hub::wants_input() const { return core_->wants_input(); }
void Hub::forget_permissions() { core_->forget_permissions(); }
void Hub::review_permissions(Authenticator* authenticator) { core_->review_permissions(authenticator); }
void Hub::set_limits(const Limits& limits) { core_->set_limits(limits); }
std::size_t Hub::memory_room() const { return core_->memory_room(); }
std::optional<Hub::Waiting> Hub::waiting(std::string_view client) const { return core_->waiting(client); }
bool Hub::disconnect(std::string_view client, ReasonCode reason, base::Monotonic now, base::WallTime wall) {
    return core_->disconnect(client, reason, now, wall);
}
void Hub::open_journal(Journal& journal, const JournalStart& start) { core_->open_journal(journal, start); }
void Hub::restore(const SavedSession& saved, base::Monotonic now) { core_->restore(saved, now); }
void Hub::restore_retained(const MessageRow& saved, base::Monotonic now) { core_->restore_retained(saved, now); }
void Hub::shut_down(base::Monotonic) { core_->shut_down(); }
const Counters& Hub::counters() const { return core_->counters(); }

}  // namespace sluice::hub

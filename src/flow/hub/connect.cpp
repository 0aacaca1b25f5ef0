// CONNECT, the life of sessions, wills (MQTT 5.0 §3.1, §3.2, §4.1).
#include <algorithm>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "flow/hub/core.hpp"

namespace sluice::hub {

using mqtt::Property;
using mqtt::ReasonCode;
using mqtt::Version;
using State = Connection::State;

namespace {

/// The standard asks for 23 (3.1.1 §3.1.3.1); clouds allow 128. Longer ones only cost memory.
constexpr std::size_t kClientIdBytesMax = 1024;

/// Of a CONNACK without properties; those we send need no second byte for their length.
constexpr std::size_t kConnackBytes = 5;

/// Properties of a will that go out with it: all but those that are for us.
base::Bytes will_properties(const mqtt::Properties& properties) {
    base::Bytes kept;
    mqtt::PropertyWriter writer(kept);
    properties.for_each([&](const mqtt::PropertyItem& item) {
        if (item.id != Property::will_delay_interval && item.id != Property::message_expiry_interval) writer.item(item);
    });
    return kept;
}

std::size_t bytes_of(const mqtt::Will& will) { return will.topic.size() + will.payload.size() + will.properties.raw().size(); }

/// `total`: of the bytes of all wills.
std::unique_ptr<Will> keep(const mqtt::Will& from, std::size_t& total) {
    auto will = std::make_unique<Will>();
    will->charge = Charge(total, bytes_of(from));
    will->topic = from.topic;
    will->payload.assign(from.payload.begin(), from.payload.end());
    will->payload.resize(from.payload.size() + data::kReadablePadding);
    will->properties = will_properties(from.properties);
    will->delay = std::chrono::seconds(from.properties.number_or(Property::will_delay_interval, 0));
    if (from.properties.has(Property::message_expiry_interval))
        will->expires_after = std::chrono::seconds(from.properties.number_or(Property::message_expiry_interval, 0));
    will->qos = static_cast<std::uint8_t>(from.qos);
    will->retain = from.retain;
    return will;
}

/// Is a client told why its CONNECT could not be read? 3.1.1 has no words for a malformed one (MQTT-3.1.4-1 there); at 5.0 we are silent,
/// as mosquitto is, about credentials that cannot be read.
bool is_told(ReasonCode reason, Version version) {
    if (version == Version::v5) return reason != ReasonCode::bad_user_name_or_password;
    return reason == ReasonCode::unsupported_protocol_version || reason == ReasonCode::client_identifier_not_valid;
}

}  // namespace

void Hub::Core::on_connect(Connection& from, base::ByteView body, const Moment& moment) {
    mqtt::Connect packet;
    const auto verdict = mqtt::decode_connect(body, packet);
    from.version = packet.version;
    from.wants_reasons = packet.properties.number_or(Property::request_problem_information, 0) == 1;
    from.packet_bytes_max = packet.properties.number_or(Property::maximum_packet_size, ~0U);
    if (!verdict) {
        ++counters_.protocol_errors;
        return is_told(verdict.reason, from.version) ? refuse_connect(from, verdict) : end_refused(from);
    }
    if (from.state == State::refused) return refuse_connect(from, {ReasonCode::server_busy, "limits.connections is reached"});
    const bool assigned = packet.client_id.empty();
    const std::string client = assigned ? assign_client_id() : std::string(packet.client_id);
    if (const auto verdict_of = acceptable(packet, client); !verdict_of) return refuse_connect(from, verdict_of);
    const auto admission = admit(from, packet, client);
    if (!admission) {
        from.state = State::authenticating;
        from.last_heard = moment.now;  // the client has done its part: its time begins anew
        ++counters_.connections_authenticating;
        return;
    }
    if (admission->reason != ReasonCode::success) return refuse_connect(from, admission->reason);
    const Principal principal = admission->principal;
    if (!may_leave_will(client, principal, packet)) return refuse_connect(from, {ReasonCode::not_authorized, "the will's topic"});
    if (const auto reason = claim(client, principal, moment); reason != ReasonCode::success) return refuse_connect(from, reason);

    const Welcome words = welcome(packet, assigned ? std::string_view(client) : std::string_view());
    if (kConnackBytes + words.needed.size() > from.packet_bytes_max) return refuse_connect(from, ReasonCode::packet_too_large);
    bool present = false;
    const SessionIndex index = open_session(client, packet.clean_start, present, moment);
    if (index == kNoSession) return refuse_connect(from, {ReasonCode::quota_exceeded, "limits.sessions is reached"});
    sessions_[index].principal = principal;
    set_up(from, index, packet, moment);
    send_connack(from, words, present);
    deliverer_.resume(index, moment.now);
}

void Hub::Core::refuse_connect(Connection& connection, mqtt::Verdict verdict) {
    base::Bytes* out = kConnackBytes <= connection.packet_bytes_max ? answer(connection.id) : nullptr;
    if (out != nullptr)
        mqtt::encode_connack(*out, {.reason = verdict.reason, .properties = reason_string(connection, verdict.words, kConnackBytes)},
                             connection.version);
    end_refused(connection);
}

void Hub::Core::end_refused(Connection& connection) {
    ++counters_.connections_refused;
    port_.close(connection.id);
    if (connection.state == State::authenticating) --counters_.connections_authenticating;
    connection = Connection{};
    --counters_.connections;
}

mqtt::Verdict Hub::Core::acceptable(const mqtt::Connect& packet, std::string_view client) const {
    if (packet.properties.has(Property::authentication_method))
        return {ReasonCode::bad_authentication_method, "no authentication method is supported but user name and password"};
    if (client.size() > kClientIdBytesMax) return {ReasonCode::client_identifier_not_valid, "longer than 1,024 bytes"};
    if (packet.will && packet.will->payload.size() > options_.limits.payload_bytes_max)
        return {ReasonCode::packet_too_large, "the will's payload is above limits.payload"};
    if (packet.will && will_bytes_ + bytes_of(*packet.will) > options_.limits.will_bytes_max)
        return {ReasonCode::quota_exceeded, "the wills of all clients together are too large"};
    if (packet.will && packet.will->topic.starts_with("$SYS/")) return {ReasonCode::not_authorized, "the will's topic"};
    return ReasonCode::success;
}

std::optional<Admission> Hub::Core::admit(const Connection& from, const mqtt::Connect& packet, std::string_view client) {
    if (from.state == State::admitted) return Admission{.reason = ReasonCode::success, .principal = from.principal};
    if (options_.authenticator == nullptr) return Admission{};
    return options_.authenticator->authenticate({.connection = from.id,
                                                 .peer = from.peer,
                                                 .client = client,
                                                 .has_username = packet.user.has_value(),
                                                 .has_password = packet.password.has_value(),
                                                 .username = packet.user.value_or(std::string_view{}),
                                                 .password = packet.password.value_or(base::ByteView{}),
                                                 .certificate = port_.certificate_name(from.id)});
}

/// Unused here, unlikely to be anywhere, and placed on this shard, so that a client that comes back with it finds its session.
std::string Hub::Core::assign_client_id() {
    for (;;) {
        std::string id = fmt::format("auto-{:016x}", base::hash64(fmt::format("{}.{}", options_.shard.value(), ++assigned_ids_), secret_));
        const bool ours = base::shard_of(base::hash64(id), options_.shards) == options_.shard.value();
        if (ours && sessions_.find(id) == kNoSession) return id;
    }
}

/// Finds or makes the client's session and takes it from a connection that still has it. kNoSession: no room.
SessionIndex Hub::Core::open_session(std::string_view client, bool clean_start, bool& present, const Moment& moment) {
    SessionIndex index = sessions_.find(client);
    if (index != kNoSession && sessions_[index].online()) {
        Connection* other = find(sessions_[index].connection);
        ++counters_.connections_taken_over;
        send_disconnect(*other, ReasonCode::session_taken_over, "your client id has connected again");
        close(*other, false, moment);  // its session ends with it if that is its life
        index = sessions_.find(client);
    }
    if (index != kNoSession && clean_start) {
        end_session(index, moment);
        index = kNoSession;
    }
    present = index != kNoSession;
    if (present) return index;
    if (sessions_.size() >= options_.limits.sessions_max) {
        if (sessions_.oldest_absent() == kNoSession) return kNoSession;
        ++counters_.sessions_evicted;
        end_session(sessions_.oldest_absent(), moment);
    }
    return sessions_.create(client);
}

std::uint32_t Hub::Core::session_life(const mqtt::Connect& packet) const {
    const auto longest = static_cast<std::uint32_t>(options_.limits.session_expiry_max.count());
    if (packet.version == Version::v5) return std::min(longest, packet.properties.number_or(Property::session_expiry_interval, 0));
    return packet.clean_start ? 0 : longest;
}

void Hub::Core::set_up(Connection& from, SessionIndex index, const mqtt::Connect& packet, const Moment& moment) {
    Session& session = sessions_[index];
    sessions_.mark_present(index);
    session.connection = from.id;
    session.version = packet.version;
    session.ends = session.will_at = kNever;  // a delayed will of an earlier connection is withdrawn (§3.1.3.2.2)
    session.will = packet.will ? keep(*packet.will, will_bytes_) : nullptr;
    session.expiry_seconds = session_life(packet);
    set_up_receiver(session, packet);
    recorder_.session_changed(session);

    from.keep_alive_seconds = keep_alive(packet);
    from.session = index;
    from.state = State::running;
    from.last_heard = from.since = moment.now;
    ++counters_.connections_accepted;
    arm(from);
    port_.on_presence(session.client, true);
}

/// What the client takes.
void Hub::Core::set_up_receiver(Session& session, const mqtt::Connect& packet) {
    const Limits& limits = options_.limits;
    session.inflight_max = static_cast<std::uint16_t>(
        std::min<std::uint32_t>(limits.inflight_max, packet.properties.number_or(Property::receive_maximum, 0xFFFF)));
    session.packet_bytes_max = packet.properties.number_or(Property::maximum_packet_size, ~0U);
    const auto aliases = static_cast<std::uint16_t>(packet.properties.number_or(Property::topic_alias_maximum, 0));
    session.aliases = aliases != 0 ? std::make_unique<TopicAliases>(aliases, limits.topic_alias_bytes_max) : nullptr;
    deliverer_.begin_connection(session);
}

std::uint16_t Hub::Core::keep_alive(const mqtt::Connect& packet) const {
    const auto longest = static_cast<std::uint16_t>(std::min<std::int64_t>(options_.limits.keep_alive_max.count(), 0xFFFF));
    const std::uint16_t asked = packet.keep_alive.count();
    return packet.version == Version::v5 && (asked == 0 || asked > longest) ? longest : asked;
}

Hub::Core::Welcome Hub::Core::welcome(const mqtt::Connect& packet, std::string_view assigned) const {
    const Limits& limits = options_.limits;
    Welcome result;
    if (packet.version != Version::v5) return result;
    mqtt::PropertyWriter needed(result.needed);
    const std::uint32_t expiry = session_life(packet);
    if (expiry != packet.properties.number_or(Property::session_expiry_interval, 0))
        needed.number(Property::session_expiry_interval, expiry);
    if (limits.receive_maximum != 0xFFFF) needed.number(Property::receive_maximum, limits.receive_maximum);
    if (!assigned.empty()) needed.text(Property::assigned_client_identifier, assigned);
    if (keep_alive(packet) != packet.keep_alive.count()) needed.number(Property::server_keep_alive, keep_alive(packet));
    mqtt::PropertyWriter optional(result.optional);
    optional.number(Property::maximum_packet_size, packet_bytes_max_);
    if (limits.topic_alias_max != 0) optional.number(Property::topic_alias_maximum, limits.topic_alias_max);
    return result;
}

void Hub::Core::send_connack(const Connection& to, const Welcome& words, bool present) {
    base::Bytes* out = answer(to.id);
    if (out == nullptr) return;
    scratch_.clear();
    mqtt::PropertyWriter properties(scratch_);
    base::append(scratch_, base::ByteView(words.needed));
    if (kConnackBytes + words.needed.size() + words.optional.size() <= to.packet_bytes_max)
        base::append(scratch_, base::ByteView(words.optional));
    mqtt::encode_connack(*out, {.session_present = present, .properties = properties.done()}, to.version);
}

void Hub::Core::end_session(SessionIndex index, const Moment& moment) {
    if (sessions_[index].will) publish_will(index, moment);
    Session& session = sessions_[index];
    recorder_.session_ended(session);
    for (const Subscribed& subscribed : std::exchange(session.subscriptions, {})) remove_subscription(index, subscribed);
    deliverer_.discard(session);
    sessions_.erase(index);
}

void Hub::Core::publish_will(SessionIndex index, const Moment& moment) {
    Session& session = sessions_[index];
    session.will_at = kNever;
    const auto will = std::exchange(session.will, nullptr);
    if (options_.authenticator != nullptr && !options_.authenticator->may_publish({session.client, session.principal}, will->topic)) {
        ++counters_.publishes_denied;
        return;
    }
    ++counters_.wills_published;
    const bool expires = will->expires_after != std::chrono::seconds::max();
    static_cast<void>(take_in(index,
                              {.topic = will->topic,
                               .payload = base::ByteView(will->payload).first(will->payload.size() - data::kReadablePadding),
                               .properties = will->properties,
                               .expires = expires ? moment.now + will->expires_after : kNever,
                               .qos = will->qos,
                               .retain = will->retain},
                              false, moment));  // nobody waits for an acknowledgement of a will
}

}  // namespace sluice::hub

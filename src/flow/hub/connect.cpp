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

/// Properties of a will that go out with it: all but those that are for us.
base::Bytes will_properties(const mqtt::Properties& properties) {
    base::Bytes kept;
    mqtt::PropertyWriter writer(kept);
    properties.for_each([&](const mqtt::PropertyItem& item) {
        if (item.id != Property::will_delay_interval && item.id != Property::message_expiry_interval) writer.item(item);
    });
    return kept;
}

std::unique_ptr<Will> keep(const mqtt::Will& from) {
    auto will = std::make_unique<Will>();
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

}  // namespace

void Hub::Core::on_connect(Connection& from, base::ByteView body, const Moment& moment) {
    mqtt::Connect packet;
    const auto verdict = mqtt::decode_connect(body, packet);
    from.version = packet.version;
    if (!verdict) {
        ++counters_.protocol_errors;
        return refuse_connect(from, verdict.reason);
    }
    if (from.state == State::refused) return refuse_connect(from, ReasonCode::server_busy);
    const bool assigned = packet.client_id.empty();
    const std::string client = assigned ? assign_client_id() : std::string(packet.client_id);
    if (const auto reason = acceptable(packet, client); reason != ReasonCode::success) return refuse_connect(from, reason);
    const auto admission = admit(from, packet, client);
    if (!admission) {
        from.state = State::authenticating;
        from.last_heard = moment.now;  // the client has done its part: its time begins anew
        ++counters_.connections_authenticating;
        return;
    }
    if (admission->reason != ReasonCode::success) return refuse_connect(from, admission->reason);
    const Principal principal = admission->principal;
    if (!may_leave_will(client, principal, packet)) return refuse_connect(from, ReasonCode::not_authorized);
    if (const auto reason = claim(client, principal, moment); reason != ReasonCode::success) return refuse_connect(from, reason);

    bool present = false;
    const SessionIndex index = open_session(client, packet.clean_start, present, moment);
    if (index == kNoSession) return refuse_connect(from, ReasonCode::quota_exceeded);
    sessions_[index].principal = principal;
    set_up(from, index, packet, moment);
    send_connack(from, packet, assigned, present);
    deliverer_.resume(index, moment.now);
}

void Hub::Core::refuse_connect(Connection& connection, ReasonCode reason) {
    ++counters_.connections_refused;
    // 3.1.1 has no words for a malformed CONNECT: the connection is just closed (§3.1.4).
    const bool silent =
        connection.version != Version::v5 && (reason == ReasonCode::malformed_packet || reason == ReasonCode::protocol_error);
    if (base::Bytes* out = port_.output(connection.id); out != nullptr && !silent)
        mqtt::encode_connack(*out, {.reason = reason, .properties = {}}, connection.version);
    port_.close(connection.id);
    if (connection.state == State::authenticating) --counters_.connections_authenticating;
    connection = Connection{};
    --counters_.connections;
}

ReasonCode Hub::Core::acceptable(const mqtt::Connect& packet, std::string_view client) const {
    if (packet.properties.has(Property::authentication_method)) return ReasonCode::bad_authentication_method;
    if (client.size() > kClientIdBytesMax) return ReasonCode::client_identifier_not_valid;
    if (packet.will && packet.will->payload.size() > options_.limits.payload_bytes_max) return ReasonCode::packet_too_large;
    if (packet.will && packet.will->topic.starts_with("$SYS/")) return ReasonCode::not_authorized;
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
        send_disconnect(*other, ReasonCode::session_taken_over);
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
    const Limits& limits = options_.limits;
    Session& session = sessions_[index];
    sessions_.mark_present(index);
    session.connection = from.id;
    session.version = packet.version;
    session.ends = session.will_at = kNever;  // a delayed will of an earlier connection is withdrawn (§3.1.3.2.2)
    session.will = packet.will ? keep(*packet.will) : nullptr;
    session.expiry_seconds = session_life(packet);
    session.inflight_max = static_cast<std::uint16_t>(
        std::min<std::uint32_t>(limits.inflight_max, packet.properties.number_or(Property::receive_maximum, 0xFFFF)));
    session.packet_bytes_max = packet.properties.number_or(Property::maximum_packet_size, ~0U);

    const auto longest = static_cast<std::uint16_t>(std::min<std::int64_t>(limits.keep_alive_max.count(), 0xFFFF));
    from.keep_alive_seconds = packet.keep_alive.count();
    if (packet.version == Version::v5 && (from.keep_alive_seconds == 0 || from.keep_alive_seconds > longest))
        from.keep_alive_seconds = longest;
    from.session = index;
    from.state = State::running;
    from.last_heard = moment.now;
    arm(from);
    port_.on_presence(session.client, true);
}

void Hub::Core::send_connack(const Connection& to, const mqtt::Connect& packet, bool assigned, bool present) {
    base::Bytes* out = port_.output(to.id);
    if (out == nullptr) return;
    const Limits& limits = options_.limits;
    const Session& session = sessions_[to.session];
    scratch_.clear();
    mqtt::PropertyWriter properties(scratch_);
    if (to.version == Version::v5) {
        if (session.expiry_seconds != packet.properties.number_or(Property::session_expiry_interval, 0))
            properties.number(Property::session_expiry_interval, session.expiry_seconds);
        if (limits.receive_maximum != 0xFFFF) properties.number(Property::receive_maximum, limits.receive_maximum);
        properties.number(Property::maximum_packet_size, packet_bytes_max_);
        if (assigned) properties.text(Property::assigned_client_identifier, session.client);
        if (limits.topic_alias_max != 0) properties.number(Property::topic_alias_maximum, limits.topic_alias_max);
        if (to.keep_alive_seconds != packet.keep_alive.count()) properties.number(Property::server_keep_alive, to.keep_alive_seconds);
    }
    mqtt::encode_connack(*out, {.session_present = present, .properties = properties.done()}, to.version);
}

void Hub::Core::end_session(SessionIndex index, const Moment& moment) {
    if (sessions_[index].will) publish_will(index, moment);
    Session& session = sessions_[index];
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

// CONNECT, the life of sessions, wills (MQTT 5.0 §3.1, §3.2, §4.1).
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "data/bridge.hpp"
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
std::unique_ptr<Will> keep(const mqtt::Will& from, std::size_t& total, std::size_t& memory) {
    auto will = std::make_unique<Will>();
    will->charge = Charge(total, bytes_of(from));
    will->memory = Charge(memory, sizeof(Will) + data::kReadablePadding);
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

/// 0 where it is no number: the hub's own limit.
std::size_t number_in(std::string_view text) {
    std::size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

bool has_user_property(const mqtt::Properties& properties, std::string_view name) {
    bool found = false;
    properties.for_each(
        [&](const mqtt::PropertyItem& item) { found = found || (item.id == Property::user_property && item.name == name); });
    return found;
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
    if (const auto verdict_of = acceptable(from, packet, client); !verdict_of) return refuse_connect(from, verdict_of);
    if (const auto verdict_of = packet.will ? acceptable(*packet.will) : mqtt::Verdict{}; !verdict_of) {
        ++counters_.wills_refused;
        return refuse_connect(from, verdict_of);
    }
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
    mqtt::Verdict why;
    const SessionIndex index = open_session(client, packet.clean_start, present, why, moment);
    if (index == kNoSession) return refuse_connect(from, why);
    // Where nobody is asked anything a session stays whose it was, for the day when somebody is asked again.
    if (!present || options_.authenticator != nullptr) sessions_[index].principal = principal;
    work_.spend(TurnWork::kSession);
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

mqtt::Verdict Hub::Core::acceptable(const Connection& from, const mqtt::Connect& packet, std::string_view client) {
    if (packet.properties.has(Property::authentication_method))
        return {ReasonCode::bad_authentication_method, "no authentication method is supported but user name and password"};
    if (client.size() > kClientIdBytesMax) return {ReasonCode::client_identifier_not_valid, "longer than 1,024 bytes"};
    if (data::is_bridge_client(client) && !from.peer.internal)
        return {ReasonCode::client_identifier_not_valid, "$bridge/ belongs to this gateway's own bridges"};
    if (packet.will && packet.will->topic.starts_with("$SYS/")) return {ReasonCode::not_authorized, "the will's topic"};
    return ReasonCode::success;
}

mqtt::Verdict Hub::Core::acceptable(const mqtt::Will& will) const {
    const Limits& limits = options_.limits;
    if (!topic_fits(will.topic)) return {ReasonCode::topic_name_invalid, "the will's topic is too long or has too many levels"};
    if (will.payload.size() > std::min(limits.payload_bytes_max, limits.will_payload_bytes_max))
        return {ReasonCode::packet_too_large, "the will's payload is above limits.will_payload or limits.payload"};
    if (will_bytes_ + memory_.elsewhere().will_bytes + bytes_of(will) > limits.will_bytes_max)
        return {ReasonCode::quota_exceeded, "the wills of all clients together are too large"};
    return ReasonCode::success;
}

std::optional<Admission> Hub::Core::admit(const Connection& from, const mqtt::Connect& packet, std::string_view client) {
    if (from.state == State::admitted) return Admission{.reason = ReasonCode::success, .principal = from.principal};
    if (from.peer.internal) return Admission{.reason = ReasonCode::success, .principal = kBridgePrincipal};
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
SessionIndex Hub::Core::open_session(std::string_view client, bool clean_start, bool& present, mqtt::Verdict& why, const Moment& moment) {
    SessionIndex index = sessions_.find(client);
    if (index != kNoSession && sessions_[index].online()) {
        Connection* other = find(sessions_[index].connection);
        ++counters_.connections_taken_over;
        send_disconnect(*other, ReasonCode::session_taken_over, "your client id has connected again");
        close(*other, false, moment);  // its session ends with it if that is its life
        index = sessions_.find(client);
    }
    if (index != kNoSession && sessions_[index].will && sessions_[index].will_at <= moment.now) publish_will(index, moment);
    if (index != kNoSession && (clean_start || sessions_[index].ends <= moment.now)) {
        end_session(index, moment);
        index = kNoSession;
    }
    present = index != kNoSession;
    if (present) return index;
    if (!affords(2 * sizeof(Session) + client.size(), MemoryGuard::Mark::sessions)) {
        ++counters_.connections_refused_memory;
        why = {ReasonCode::quota_exceeded, "limits.memory is near"};
        return kNoSession;
    }
    if (sessions_.size() + memory_.elsewhere().sessions >= options_.limits.sessions_max) {
        why = {ReasonCode::quota_exceeded, "limits.sessions is reached"};
        if (sessions_.oldest_absent() == kNoSession) return kNoSession;
        ++counters_.sessions_evicted;
        end_session(sessions_.oldest_absent(), moment);
    }
    index = sessions_.create(client);
    if (paced_) sessions_[index].pace = parted_.take(base::hash64(client, secret_));
    return index;
}

std::uint32_t Hub::Core::session_life(const mqtt::Connect& packet) const {
    if (data::is_bridge_client(packet.client_id)) return packet.properties.number_or(Property::session_expiry_interval, 0);
    const auto longest = static_cast<std::uint32_t>(options_.limits.session_expiry_max.count());
    if (packet.version == Version::v5) return std::min(longest, packet.properties.number_or(Property::session_expiry_interval, 0));
    return packet.clean_start ? 0 : longest;
}

void Hub::Core::set_up(Connection& from, SessionIndex index, const mqtt::Connect& packet, const Moment& moment) {
    Session& session = sessions_[index];
    sessions_.mark_present(index);
    session.connection = from.id;
    session.version = packet.version;
    if (session.pace) session.pace->held_until = {};  // that was another connection
    session.ends = session.will_at = kNever;          // a delayed will of an earlier connection is withdrawn (§3.1.3.2.2)
    session.will = packet.will ? keep(*packet.will, will_bytes_, memory_.messages) : nullptr;
    session.expiry_seconds = session_life(packet);
    set_up_receiver(session, packet);
    recorder_.session_changed(session);
    if (from.peer.internal) set_up_bridge(session, packet);

    from.receive_maximum = options_.limits.receive_maximum;
    from.topic_alias_max = options_.limits.topic_alias_max;
    from.keep_alive_seconds = keep_alive(packet);
    from.session = index;
    from.bridge = packet.bridge;
    from.state = State::running;
    from.last_heard = from.since = moment.now;
    ++counters_.connections_accepted;
    arm(from);
    port_.on_presence(session.client, true);
}

/// What only one of our own bridges can ask for.
void Hub::Core::set_up_bridge(Session& session, const mqtt::Connect& packet) {
    Deliverer::QueueLimits queue;
    packet.properties.for_each([&](const mqtt::PropertyItem& item) {
        if (item.id != Property::user_property) return;
        if (item.name == data::kBridgeQueueMessages) queue.messages = number_in(item.text);
        if (item.name == data::kBridgeQueueBytes) queue.bytes = number_in(item.text);
        if (item.name == data::kBridgeForget) session.inbox.reset();
        if (item.name == data::kBridgeInwards) keep_only(session.index, {});
    });
    deliverer_.limit_queue(session, queue);
}

/// What the client takes.
void Hub::Core::set_up_receiver(Session& session, const mqtt::Connect& packet) {
    const Limits& limits = options_.limits;
    session.inflight_max = static_cast<std::uint16_t>(
        std::min<std::uint32_t>(limits.inflight_max, packet.properties.number_or(Property::receive_maximum, 0xFFFF)));
    session.packet_bytes_max = packet.properties.number_or(Property::maximum_packet_size, ~0U);
    const auto aliases = std::min<std::size_t>(limits.topic_aliases_out_max, packet.properties.number_or(Property::topic_alias_maximum, 0));
    session.aliases = aliases != 0 ? std::make_unique<TopicAliases>(aliases, limits.topic_alias_bytes_max, memory_.messages) : nullptr;
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
    if (!options_.gateway.empty() && has_user_property(packet.properties, data::kBridgeFrom))
        optional.user(data::kBridgeGateway, options_.gateway);
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
    if (session.pace) parted_.keep(base::hash64(session.client, secret_), std::move(session.pace), moment.now);
    deliverer_.discard(session);
    work_.spend_on_endings(TurnWork::kSession);
    endings_.push_back({index, std::move(session.subscriptions)});
    sessions_.retire(index);
    if (endings_.size() == 1) work_off_endings();
}

/// Takes the filters of ended sessions out of the trees, as many as the turn has time for and always some.
void Hub::Core::work_off_endings() {
    while (!endings_.empty()) {
        Ending& ending = endings_.front();
        while (!ending.subscriptions.empty()) {
            remove_subscription(ending.index, ending.subscriptions.back());
            ending.subscriptions.pop_back();
            work_.spend_on_endings(TurnWork::kFilter);
            if (!work_.left_for_endings() || links_.behind()) return;
        }
        sessions_.release(ending.index);
        endings_.pop_front();
    }
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
    work_.spend_on_endings(TurnWork::kWill);
    const std::uint64_t before = counters_.packets_out;
    const bool expires = will->expires_after != std::chrono::seconds::max();
    static_cast<void>(take_in(index,
                              {.topic = will->topic,
                               .payload = base::ByteView(will->payload).first(will->payload.size() - data::kReadablePadding),
                               .properties = will->properties,
                               .expires = expires ? moment.now + will->expires_after : kNever,
                               .qos = will->qos,
                               .retain = will->retain},
                              false, moment));  // nobody waits for an acknowledgement of a will
    work_.spend_on_endings((counters_.packets_out - before) * TurnWork::kCopy);
}

}  // namespace sluice::hub

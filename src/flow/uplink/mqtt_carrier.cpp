#include "flow/uplink/mqtt_carrier.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sluice::uplink {

using base::Monotonic;

namespace {

std::span<const mqtt::VersionChoice::Attempt> attempts(Protocol protocol) {
    using Attempt = mqtt::VersionChoice::Attempt;
    static constexpr std::array kAll{Attempt{.version = mqtt::Version::v5}, Attempt{.version = mqtt::Version::v311}};
    const std::span<const Attempt> all(kAll);
    return protocol == Protocol::v5 ? all.first(1) : protocol == Protocol::v311 ? all.last(1) : all;
}

/// A broker's reasons to end a connection that no message of ours can be.
constexpr bool passes(mqtt::ReasonCode why) {
    using enum mqtt::ReasonCode;
    return why == server_busy || why == server_shutting_down || why == administrative_action || why == use_another_server ||
           why == server_moved;
}

constexpr bool is_error(std::uint8_t code) { return code >= 0x80; }

}  // namespace

MqttCarrier::MqttCarrier(Options options, std::function<MqttSignIn()> sign_in, Transport& transport)
    : options_(options), sign_in_(std::move(sign_in)), transport_(transport), versions_(attempts(options.protocol)) {}

void MqttCarrier::open(Monotonic) {
    out_.clear();
    open_ = true;
    transport_.open();
}

void MqttCarrier::close(bool flush_first) {
    if (!greeting_) versions_.begin_again();  // a broker that is another one now may know more
    if (flush_first) flush();
    out_.clear();
    session_.on_lost();
    renew_at_.reset();
    reached_ = greeting_ = renewing_ = false;
    if (std::exchange(open_, false)) transport_.close(flush_first);
}

void MqttCarrier::farewell() { session_.disconnect(out_); }

void MqttCarrier::on_connected(Monotonic now) {
    if (!open_ || reached_) return;
    reached_ = greeting_ = true;
    const MqttSignIn who = sign_in_();
    mqtt::ClientSession::Options connect;
    connect.client_id = who.client_id;
    if (!who.user.empty()) connect.user = who.user;
    if (!who.password.empty()) connect.password = base::as_bytes(who.password);
    if (!who.will_topic.empty()) {
        mqtt::Will will;
        will.topic = who.will_topic;
        will.payload = base::as_bytes(who.will_payload);
        will.qos = mqtt::Qos::at_least_once;
        will.retain = who.will_retain;
        connect.will = will;
    }
    connect.version = versions_.current().version;
    connect.keep_alive = std::chrono::duration_cast<std::chrono::seconds>(options_.keep_alive);
    connect.answer_timeout = std::max(std::chrono::seconds(1), std::chrono::duration_cast<std::chrono::seconds>(options_.answer_timeout));
    connect.in_flight_max = options_.in_flight;
    valid_for_ = who.valid_for;
    session_.connect(connect, now, out_);
    flush();
}

std::size_t MqttCarrier::on_bytes(base::ByteView bytes, Monotonic now) {
    if (!reached_) return bytes.size();
    now_ = now;
    const auto used = session_.on_bytes(bytes, now, out_, *this);
    bytes_down_ += used;
    renew_if_due(now);
    listener_->settle(now);
    return used;
}

void MqttCarrier::on_closed(Monotonic now) {
    if (!std::exchange(open_, false)) return;
    if (greeting_) versions_.hung_up();
    listener_->on_over({.trouble = reached_ ? Trouble::closed : Trouble::unreachable});
    listener_->settle(now);
}

/// Valid until the next call.
mqtt::ClientSession::Message MqttCarrier::publish_of(const Outgoing& message) {
    mqtt::ClientSession::Message publish{
        .topic = message.topic, .payload = message.payload, .qos = mqtt::Qos::at_least_once, .retain = message.retain, .properties = {}};
    if (!message.headers.empty() && session_.version() == mqtt::Version::v5) {
        properties_.clear();
        mqtt::PropertyWriter writer(properties_);
        writer.text(mqtt::Property::content_type, "application/json");
        for (const auto& [name, value] : message.headers) writer.user(name, value);
        publish.properties = writer.done();
    }
    return publish;
}

base::Result<Ticket> MqttCarrier::send(const Outgoing& message, Monotonic now) { return session_.publish(publish_of(message), now, out_); }

MessageSize MqttCarrier::size_of(const Outgoing& message) {
    return {.bytes = session_.packet_bytes(publish_of(message)), .bytes_max = session_.server_packet_bytes_max()};
}

void MqttCarrier::flush() {
    if (out_.empty() || !open_) return;
    bytes_up_ += out_.size();
    transport_.send(out_);
    out_.clear();
}

void MqttCarrier::on_tick(Monotonic now) {
    now_ = now;
    if (const auto at = session_.next_deadline(); at && now >= *at) session_.on_tick(now, out_, *this);
    renew_if_due(now);
}

std::optional<Monotonic> MqttCarrier::next_deadline() const {
    auto next = session_.next_deadline();
    if (renew_at_ && !renewing_) next = next ? std::min(*next, *renew_at_) : *renew_at_;
    return next;
}

void MqttCarrier::renew_if_due(Monotonic now) {
    if (!renew_at_ || now < *renew_at_) return;
    renewing_ = true;
    if (session_.in_flight() != 0) return;
    renew_at_.reset();
    session_.disconnect(out_);
    listener_->on_over({.trouble = Trouble::none, .at_once = true});
}

std::string_view MqttCarrier::protocol() const { return session_.version() == mqtt::Version::v5 ? "MQTT 5.0" : "MQTT 3.1.1"; }

void MqttCarrier::on_connected(const mqtt::Connack& connack) {
    (void)connack;  // its limits are kept by the session; a refusal comes as on_closed()
    if (!versions_.answered()) return listener_->on_over({.trouble = Trouble::closed, .at_once = true});  // the best version once more
    greeting_ = false;
    if (valid_for_) renew_at_ = now_ + *valid_for_;
    listener_->on_ready(now_);
}

void MqttCarrier::on_message(const mqtt::Publish& message) {
    (void)message;  // nothing is subscribed to; a cloud that publishes all the same is not listened to
}

void MqttCarrier::on_acked(mqtt::PacketId id, base::ByteView codes) {
    if (codes.empty() || !is_error(codes[0])) return listener_->on_taken(id, now_);
    listener_->on_refused(id, codes[0], Refusal::other);  // how much a server takes it says in CONNACK
}

void MqttCarrier::on_closed(mqtt::ReasonCode why) {
    Over over{.trouble = greeting_ ? Trouble::refused : Trouble::closed};
    if (greeting_ || is_error(static_cast<std::uint8_t>(why))) over.refusal = static_cast<std::uint8_t>(why);
    const bool version = why == mqtt::ReasonCode::unsupported_protocol_version || why == mqtt::ReasonCode::protocol_error;
    over.at_once = greeting_ && version && versions_.refused();  // it is there, and was not asked for the next yet
    over.taken_over = why == mqtt::ReasonCode::session_taken_over;
    over.passing = passes(why);
    if (why == mqtt::ReasonCode::keep_alive_timeout) over.trouble = greeting_ ? Trouble::no_answer : Trouble::stalled;
    listener_->on_over(over);
}

}  // namespace sluice::uplink

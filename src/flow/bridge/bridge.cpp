// Phases of a bridge: arming in the hub, then the remote, then the hub again with the remote's limits, and how each one ends.
#include "flow/bridge/bridge.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "codec/mqtt/encode.hpp"
#include "data/bridge.hpp"

namespace sluice::bridge {

using base::Monotonic;
using mqtt::Property;
using mqtt::ReasonCode;
using mqtt::Version;

namespace {

/// A connection that stood so long was a good one: the next attempts begin with short pauses again.
constexpr std::chrono::seconds kStableAfter{10};
/// Of the remote, where our hub takes more: as many as it sends itself.
constexpr std::uint16_t kWindowMax = 256;
/// 3.1.1 has no word for how many publishes a server takes unacknowledged; mosquitto's default for a client.
constexpr std::uint16_t kWindowUntold = 20;
/// Greatest packet taken from the remote: a payload that our hub takes, the greatest topic and properties around it.
constexpr std::size_t kAroundPayload = 192 * 1024;
/// Never ends by itself (MQTT 5.0 §3.1.2.11.2): the hub keeps what waits for a bridge for as long as it takes.
constexpr std::uint32_t kHubExpiry = 0xFFFF'FFFF;

/// Publishes keep the identifiers that they come with, which both sides give out from 1 on: these are far away.
constexpr mqtt::PacketId kSubscribeId = 0xFFFF;
constexpr mqtt::PacketId kUnsubscribeId = 0xFFFE;

std::uint32_t packet_bytes_max(const Options& options) {
    return static_cast<std::uint32_t>(std::min<std::size_t>(options.payload_bytes_max + kAroundPayload, mqtt::kPacketBytesMax));
}

std::string_view user_property(const mqtt::Properties& properties, std::string_view name) {
    std::string_view found;
    properties.for_each([&](const mqtt::PropertyItem& item) {
        if (item.id == Property::user_property && item.name == name) found = item.text;
    });
    return found;
}

}  // namespace

Bridge::Bridge(Options options, Transport& transport, env::Entropy& entropy)
    : options_(std::move(options)),
      topics_(options_.topics),
      transport_(transport),
      entropy_(entropy),
      hub_client_id_(std::string(data::kBridgeClientPrefix) + options_.name),
      versions_(attempts(options_.version)),
      back_off_(options_.retry_min, options_.retry_max) {}

base::Bytes& Bridge::out(End end) {
    base::Bytes* to = transport_.output(end);
    if (to != nullptr) return *to;
    nowhere_.clear();  // its on_closed() is on the way
    return nowhere_;
}

void Bridge::start(Monotonic now) {
    if (phase_ != Phase::stopped || finished_) return;
    now_ = now;
    arm(now);
}

void Bridge::stop() {
    for (const End end : {End::remote, End::local}) {
        Leg& each = leg(end);
        if (each.running()) mqtt::encode_disconnect(out(end), {}, each.version());
        each.lost();
        transport_.close(end, true);
    }
    phase_ = Phase::stopped;
    stats_.connected = false;
}

// ---- what happens

void Bridge::on_open(End end, Monotonic now) {
    now_ = now;
    if (end == End::local && (phase_ == Phase::arming || phase_ == Phase::attaching)) greet_hub();
    if (end == End::remote && phase_ == Phase::opening) greet_remote();
}

std::size_t Bridge::on_bytes(End end, base::ByteView bytes, Monotonic now) {
    now_ = now;
    held_[index(end)] = false;
    const std::size_t used = leg(end).on_bytes(bytes, now, out(end), *this);
    settle();
    return used;
}

void Bridge::on_closed(End end, Monotonic now) {
    now_ = now;
    if (phase_ == Phase::stopped || phase_ == Phase::pausing) return;
    leg(end).lost();
    if (end == End::local) return lose(Trouble::hub);
    if (phase_ == Phase::greeting) versions_.hung_up();
    lose(phase_ == Phase::opening ? Trouble::unreachable : Trouble::closed);
}

void Bridge::on_tick(Monotonic now) {
    now_ = now;
    switch (phase_) {
        case Phase::stopped:
            return;
        case Phase::pausing:
            if (now >= due_) armed_ ? open_remote() : arm(now);
            return;
        case Phase::arming:
        case Phase::attaching:
            if (now >= due_) return lose(Trouble::hub);
            break;
        case Phase::opening:
            if (now >= due_) return lose(Trouble::unreachable);
            return;
        case Phase::greeting:
            if (now >= due_) return lose(Trouble::no_answer);
            break;
        case Phase::running:
            if (subacks_awaited_ != 0 && now >= due_) return lose(Trouble::no_answer);
            if (flows(End::local).waiting() != 0 && now >= progress_ + options_.ack_timeout) return lose(Trouble::stalled);
            break;
    }
    for (const End end : {End::local, End::remote}) {
        if (const auto at = leg(end).next_deadline(); at && now >= *at && noted_ == Trouble::none) leg(end).on_tick(now, out(end), *this);
    }
    settle();
}

std::optional<Monotonic> Bridge::next_deadline() const {
    if (phase_ == Phase::stopped) return std::nullopt;
    std::optional<Monotonic> next;
    const auto take = [&next](std::optional<Monotonic> at) {
        if (at && (!next || *at < *next)) next = at;
    };
    if (phase_ != Phase::running || subacks_awaited_ != 0) take(due_);
    if (phase_ == Phase::running && flows_[index(End::local)].waiting() != 0) take(progress_ + options_.ack_timeout);
    for (const Leg& each : legs_) take(each.next_deadline());
    return next;
}

/// A leg that reads is not taken away under its hands: what is noted is acted on when its call has returned.
void Bridge::note(Trouble trouble, ReasonCode reason) {
    noted_ = trouble;
    noted_reason_ = reason;
}

void Bridge::settle() {
    if (noted_ != Trouble::none) lose(std::exchange(noted_, Trouble::none), noted_reason_);
}

void Bridge::on_over(Leg& from, ReasonCode why) {
    if (end_of(from) == End::local) return note(Trouble::hub, why);
    note(phase_ == Phase::greeting ? Trouble::refused : Trouble::closed, why);
    const bool version = why == ReasonCode::unsupported_protocol_version || why == ReasonCode::protocol_error;
    if (phase_ == Phase::greeting && version && versions_.refused()) back_off_.reset();  // it is there, and was not asked for the next yet
}

void Bridge::on_silence(Leg& from) { note(end_of(from) == End::local ? Trouble::hub : Trouble::no_answer); }

void Bridge::lose(Trouble trouble, ReasonCode reason) {
    if (stats_.connected && now_ - connected_since_ >= kStableAfter) back_off_.reset();
    for (const End end : {End::local, End::remote}) {
        leg(end).lost();
        transport_.close(end, true);
        flows(end).clear();
        held_[index(end)] = false;
    }
    if (phase_ != Phase::greeting) versions_.begin_again();  // a broker that is another one now may know more
    stats_.connected = false;
    stats_.trouble = trouble;
    stats_.reason = static_cast<std::uint8_t>(reason);
    ++stats_.failures;
    subacks_awaited_ = 0;
    phase_ = Phase::pausing;
    std::uint64_t random = 0;
    std::array<base::Byte, sizeof random> bytes{};
    entropy_.fill(bytes);
    random = base::load_le<std::uint64_t>(bytes.data());
    due_ = now_ + back_off_.next(random);
}

// ---- the hub

/// Makes the session in the hub and its subscriptions before the remote is asked: what is published while it is away waits.
void Bridge::arm(Monotonic now) {
    phase_ = Phase::arming;
    due_ = now + options_.answer_timeout;
    transport_.open(End::local);
}

void Bridge::greet_hub() {
    base::Bytes scratch;
    mqtt::PropertyWriter properties(scratch);
    const bool arming = phase_ == Phase::arming;
    if (!options_.retired) properties.number(Property::session_expiry_interval, kHubExpiry);
    const std::uint16_t told = leg(End::remote).version() == Version::v5 ? leg(End::remote).receive_maximum() : kWindowUntold;
    properties.number(Property::receive_maximum, arming ? std::uint16_t{1} : told);
    properties.user(data::kBridgeQueueMessages, std::to_string(options_.queue_messages));
    properties.user(data::kBridgeQueueBytes, std::to_string(options_.queue_bytes));
    if (!arming && !remote_present_) properties.user(data::kBridgeForget, "1");
    if (topics_.local_filters().empty()) properties.user(data::kBridgeInwards, "1");
    leg(End::local)
        .connect({.version = Version::v5, .clean_start = options_.retired, .client_id = hub_client_id_, .properties = properties.done()},
                 options_.answer_timeout, mqtt::kPacketBytesMax, now_, out(End::local));
}

/// The whole list: the hub ends what an earlier bridge of this name had and this one has not.
void Bridge::subscribe_in_hub(mqtt::RetainHandling retained) {
    std::vector<mqtt::Subscription> wanted;
    for (const auto& each : topics_.local_filters()) {
        wanted.push_back({.filter = each.filter,
                          .qos = static_cast<mqtt::Qos>(each.qos),
                          .no_local = true,
                          .retain_as_published = true,
                          .retain_handling = retained});
    }
    if (wanted.empty()) return;
    mqtt::encode_subscribe(out(End::local), kSubscribeId, wanted, Version::v5);
    ++subacks_awaited_;
}

// ---- the remote

void Bridge::open_remote() {
    phase_ = Phase::opening;
    due_ = now_ + options_.answer_timeout;
    transport_.open(End::remote);
}

void Bridge::greet_remote() {
    phase_ = Phase::greeting;
    due_ = now_ + options_.answer_timeout;
    const mqtt::VersionChoice::Attempt attempt = versions_.current();
    base::Bytes scratch;
    mqtt::PropertyWriter properties(scratch);
    const std::uint32_t bytes_max = packet_bytes_max(options_);
    const bool clean = options_.clean_start || fresh_;
    if (attempt.version == Version::v5) {
        if (!options_.clean_start) properties.number(Property::session_expiry_interval, kRemoteExpiry);
        properties.number(Property::receive_maximum, std::min(leg(End::local).receive_maximum(), kWindowMax));
        properties.number(Property::maximum_packet_size, bytes_max);
        properties.user(data::kBridgeFrom, options_.gateway);
    }
    const auto keep_alive = std::clamp<std::int64_t>(options_.keep_alive.count(), 0, 0xFFFF);
    mqtt::Connect packet{.version = attempt.version,
                         .bridge = attempt.bridge_bit,
                         .clean_start = clean,
                         .keep_alive = std::chrono::duration<std::uint16_t>(static_cast<std::uint16_t>(keep_alive)),
                         .client_id = options_.client_id,
                         .properties = properties.done()};
    if (options_.user) packet.user = *options_.user;
    if (options_.password) packet.password = base::as_bytes(*options_.password);
    leg(End::remote).connect(packet, options_.answer_timeout, bytes_max, now_, out(End::remote));
}

void Bridge::on_connack(Leg& from, const mqtt::Connack& connack) {
    if (end_of(from) == End::remote) return attach(connack);
    if (phase_ == Phase::attaching) return run(connack.session_present);
    if (options_.retired) {
        stop();
        finished_ = true;
        return;
    }
    const auto twice = [](const TopicMap::Filter& each) { return each.qos == 2; };
    fresh_ = !connack.session_present && std::any_of(topics_.local_filters().begin(), topics_.local_filters().end(), twice);
    subscribe_in_hub(mqtt::RetainHandling::do_not_send);
    if (subacks_awaited_ == 0) finish_arming();
}

void Bridge::finish_arming() {
    mqtt::encode_disconnect(out(End::local), {}, Version::v5);
    leg(End::local).lost();
    transport_.close(End::local, true);
    armed_ = true;
    open_remote();
}

/// The remote has let us in.
void Bridge::attach(const mqtt::Connack& connack) {
    const mqtt::VersionChoice::Attempt attempt = versions_.current();
    if (!versions_.answered()) return ask_remote_again();
    stats_.version = attempt.version;
    stats_.bridge_bit = attempt.bridge_bit;
    stats_.fallback = versions_.fallback();
    remote_present_ = connack.session_present;
    remote_gateway_ = user_property(connack.properties, data::kBridgeGateway);
    // Each of the two would take the other's messages for its own come back, and drop them.
    if (!remote_gateway_.empty() && remote_gateway_ == options_.gateway) {
        mqtt::encode_disconnect(out(End::remote), {}, attempt.version);
        return note(Trouble::same_id);
    }
    if (fresh_ && !options_.clean_start && attempt.version != Version::v5) {
        // 3.1.1 keeps no session that began clean: now that the old one is forgotten, one that stays.
        fresh_ = false;
        return ask_remote_again();
    }
    phase_ = Phase::attaching;
    due_ = now_ + options_.answer_timeout;
    transport_.open(End::local);
}

/// The connection has shown what it was for.
void Bridge::ask_remote_again() {
    mqtt::encode_disconnect(out(End::remote), {}, leg(End::remote).version());
    leg(End::remote).lost();
    transport_.close(End::remote, true);
    open_remote();
}

/// Both ends are there: messages pass from now on.
void Bridge::run(bool hub_session_present) {
    phase_ = Phase::running;
    held_ = {};  // what came meanwhile is taken now
    due_ = now_ + options_.answer_timeout;
    fresh_ = false;
    subacks_awaited_ = 0;
    stats_.filters_refused = 0;
    const bool again = asked_retained_ && hub_session_present;
    subscribe_in_hub(again ? mqtt::RetainHandling::do_not_send : mqtt::RetainHandling::send);
    asked_retained_ = true;
    subscribe_at_remote();
    if (subacks_awaited_ == 0) stand();
}

/// Both sides have acknowledged what we subscribe to: nothing published from now on misses the bridge.
void Bridge::stand() {
    connected_since_ = now_;
    stats_.connected = true;
    stats_.trouble = Trouble::none;
    stats_.reason = 0;
    ++stats_.connections;
}

void Bridge::subscribe_at_remote() {
    const Version version = leg(End::remote).version();
    const auto& filters = topics_.remote_filters();
    base::Bytes& to = out(End::remote);
    std::vector<std::string_view> unwanted;
    for (const auto& former : options_.former_filters) {
        const bool stays = std::any_of(filters.begin(), filters.end(), [&](const auto& each) { return each.filter == former; });
        if (!stays) unwanted.emplace_back(former);
    }
    if (!unwanted.empty() && remote_present_) {
        mqtt::encode_unsubscribe(to, kUnsubscribeId, unwanted, version);
        ++subacks_awaited_;
    }
    // A session that was kept has its subscriptions; to 3.1.1 asking again would mean all retained messages again.
    const bool known = remote_present_ && asked_remote_;
    if (!filters.empty() && !(known && version != Version::v5)) {
        std::vector<mqtt::Subscription> wanted;
        wanted.reserve(filters.size());
        for (const auto& each : filters) {
            wanted.push_back({.filter = each.filter,
                              .qos = std::min(static_cast<mqtt::Qos>(each.qos), leg(End::remote).qos_max()),
                              .no_local = version == Version::v5,
                              .retain_as_published = version == Version::v5,
                              .retain_handling = known ? mqtt::RetainHandling::send_if_new : mqtt::RetainHandling::send});
        }
        mqtt::encode_subscribe(to, kSubscribeId, wanted, version);
        ++subacks_awaited_;
    }
    asked_remote_ = true;
    leg(End::remote).wrote(now_);
}

void Bridge::on_suback(Leg& from, const mqtt::Suback& packet) {
    if (subacks_awaited_ == 0) return;
    --subacks_awaited_;
    const auto refused = std::count_if(packet.codes.begin(), packet.codes.end(), [](base::Byte code) { return code >= 0x80; });
    stats_.filters_refused += static_cast<std::uint32_t>(refused);
    if (end_of(from) == End::remote && packet.packet_id == kUnsubscribeId) options_.former_filters.clear();
    if (subacks_awaited_ != 0) return;
    phase_ == Phase::arming ? finish_arming() : stand();
}

}  // namespace sluice::bridge

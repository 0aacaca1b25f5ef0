#include "cli/mqtt_link.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "env/posix/entropy.hpp"

namespace sluice::cli {
namespace {

constexpr std::chrono::milliseconds kBackoffMin{200};
constexpr std::chrono::milliseconds kBackoffMax{5000};
constexpr std::chrono::seconds kConnectMax{10};  // the kernel would try for two minutes

/// Refusals that trying again will not change.
bool is_final(mqtt::ReasonCode why) {
    using enum mqtt::ReasonCode;
    switch (why) {
        case server_unavailable:
        case server_busy:
        case server_shutting_down:
        case quota_exceeded:
        case connection_rate_exceeded:
        case maximum_connect_time:
        case keep_alive_timeout:
            return false;
        default:
            return true;
    }
}

std::string advice(mqtt::ReasonCode why) {
    using enum mqtt::ReasonCode;
    switch (why) {
        case not_authorized:
        case bad_user_name_or_password:
            return "; give --user and --password-file";
        case keep_alive_timeout:
            return "; is that an MQTT port?";
        case session_taken_over:
            return "; another client uses our client id";
        default:
            return "";
    }
}

}  // namespace

MqttLink::MqttLink(posix::EventLoop& loop, MqttLinkOptions options, MqttLinkUser& user)
    : loop_(loop), options_(std::move(options)), user_(user), connections_(loop, *this) {
    loop_.add_task(*this);
    loop_.add_task(connections_);
}

std::string MqttLink::address() const { return options_.to.target.text(); }

void MqttLink::open() { start_connection(); }

void MqttLink::start_connection() {
    said_.reset();
    layer_failure_.clear();
    const auto id = options_.to.connect(connections_);
    if (id) {
        connection_ = *id;
        open_by_ = loop_.clock().now() + kConnectMax;
    } else {
        lost(load::explain_failure(id.error(), options_.to.target));
    }
}

base::Bytes& MqttLink::output() {
    if (auto* out = connections_.output(connection_)) return *out;
    nowhere_.clear();
    return nowhere_;
}

base::Result<mqtt::PacketId> MqttLink::publish(const mqtt::ClientSession::Message& message) {
    return session_.publish(message, loop_.now(), output());
}

base::Result<mqtt::PacketId> MqttLink::subscribe(std::span<const mqtt::Subscription> filters) {
    return session_.subscribe(filters, loop_.now(), output());
}

void MqttLink::ping() { session_.ping(loop_.now(), output()); }

void MqttLink::close() {
    leaving_ = true;
    retry_at_.reset();
    if (connection_ == 0) return;
    session_.disconnect(output());
    connections_.close(connection_);
}

void MqttLink::on_open(posix::TcpId, const posix::PeerAddress&) {
    open_by_.reset();
    if (leaving_) return;
    mqtt::ClientSession::Options options{.client_id = options_.client_id, .version = version_, .in_flight_max = options_.in_flight_max};
    if (options_.to.user) options.user = *options_.to.user;
    if (options_.to.password) options.password = base::as_bytes(*options_.to.password);
    session_.connect(options, loop_.now(), output());
}

std::size_t MqttLink::on_bytes(posix::TcpId, base::ByteView bytes) { return session_.on_bytes(bytes, loop_.now(), output(), *this); }

void MqttLink::on_layer(posix::TcpId, const posix::StreamLayer&, std::string_view failure) {
    if (!failure.empty()) layer_failure_ = failure;
}

void MqttLink::on_connected(const mqtt::Connack&) {
    was_up_ = true;
    backoff_ = {};
    give_up_at_.reset();
    user_.on_up();
}

void MqttLink::on_closed(mqtt::ReasonCode why) {
    said_ = why;
    connections_.close(connection_);
}

void MqttLink::on_closed(posix::TcpId, const base::Error& why) {
    connection_ = 0;
    session_.on_lost();
    const bool no_answer = open_by_ && loop_.clock().now() >= *open_by_;
    open_by_.reset();
    if (leaving_) return;
    if (no_answer) {
        lost(fmt::format("{} does not answer", address()));
    } else if (!said_) {
        const bool broke = was_up_ && why.code == base::Errc::closed && layer_failure_.empty();
        lost(broke ? fmt::format("the connection to {} was closed", address())
                   : load::explain_failure(why, options_.to.target, layer_failure_));
    } else if (*said_ == mqtt::ReasonCode::unsupported_protocol_version && version_ == mqtt::Version::v5) {
        version_ = mqtt::Version::v311;
        start_connection();
    } else {
        const auto text = fmt::format("{} ended the session: {}{}", address(), mqtt::name(*said_), advice(*said_));
        if (is_final(*said_))
            failure_ = text;
        else
            lost(text);
    }
}

void MqttLink::lost(const std::string& why) {
    const auto now = loop_.clock().now();
    if (!was_up_) {
        failure_ = why;
        return;
    }
    if (!give_up_at_ && options_.patience) give_up_at_ = now + *options_.patience;
    if (give_up_at_ && now >= *give_up_at_) {
        failure_ = fmt::format("{} (tried again for {} s)", why, options_.patience->count());
        return;
    }
    const bool first = backoff_ == std::chrono::milliseconds{0};
    backoff_ = first ? kBackoffMin : std::min(backoff_ * 2, kBackoffMax);
    retry_at_ = now + backoff_;
    if (first) user_.on_down(why);
}

void MqttLink::on_turn(base::Monotonic now) {
    if (retry_at_ && now >= *retry_at_) {
        retry_at_.reset();
        start_connection();
    }
    if (open_by_ && now >= *open_by_) connections_.abort(connection_);
    if (const auto deadline = session_.next_deadline(); deadline && now >= *deadline) session_.on_tick(now, output(), *this);
}

std::optional<base::Monotonic> MqttLink::next_deadline() const {
    if (retry_at_) return retry_at_;
    return open_by_ ? open_by_ : session_.next_deadline();
}

std::string make_client_id(std::string_view command) {
    posix::PosixEntropy entropy;
    std::array<base::Byte, 4> random{};
    entropy.fill(random);
    return fmt::format("sluice-{}-{:02x}{:02x}{:02x}{:02x}", command, random[0], random[1], random[2], random[3]);
}

}  // namespace sluice::cli

#include "cli/load/fan_out.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/check.hpp"
#include "cli/load/packets.hpp"

namespace sluice::load {
namespace {

constexpr std::string_view kTopic = "broadcast/line-1/setpoint";
constexpr std::uint16_t kNoKeepAlive = 0;  // a run ends by itself
constexpr std::uint16_t kSubscribeId = 1;
constexpr std::uint32_t kConnectingMax = 100;  // as a Fleet's
constexpr std::size_t kNumberDigits = 16;

}  // namespace

FanOut::FanOut(posix::EventLoop& loop, const FanOutOptions& options)
    : loop_(loop),
      options_(options),
      connections_(loop, *this),
      clients_(options.subscribers + 1),
      pending_(options.window),
      payload_(kFanOutPayloadBytes, '.') {
    base::check(options.qos <= 1 && options.window != 0 && options.subscribers != 0, "fan-out: options out of range");
    loop_.add_task(*this);
    loop_.add_task(connections_);
}

void FanOut::connect() { connect_more(); }

void FanOut::connect_more() {
    while (asked_ < clients_.size() && asked_ - ready_ < kConnectingMax && !failure_) {
        const auto id = options_.to.connect(connections_);
        if (!id) return fail(id.error());
        clients_[asked_].connection = id.value();
        const auto slot = static_cast<std::uint32_t>(id.value());
        if (client_of_.size() <= slot) client_of_.resize(slot + 1);
        client_of_[slot] = asked_++;
    }
}

void FanOut::on_open(posix::TcpId id, const posix::PeerAddress&) {
    const std::uint32_t client = client_of_[static_cast<std::uint32_t>(id)];
    base::Bytes* out = connections_.output(id);
    if (out == nullptr) return;
    append_connect(*out, fmt::format("fan-out-{:06}", client), kNoKeepAlive, options_.to.user, options_.to.password);
    if (!is_publisher(client)) append_subscribe(*out, kSubscribeId, kTopic, options_.qos);
}

void FanOut::on_closed(posix::TcpId, const base::Error& why) {
    if (!leaving_) fail(why);
}

void FanOut::fail(const base::Error& why) {
    if (!failure_) failure_ = why;
    running_ = false;
}

std::size_t FanOut::on_bytes(posix::TcpId id, base::ByteView bytes) {
    const std::uint32_t index = client_of_[static_cast<std::uint32_t>(id)];
    Client& client = clients_[index];
    std::size_t used = 0;
    while (const auto packet = next_packet(bytes.subspan(used))) {
        if (packet->size == 0) {
            fail(base::Error{base::Errc::malformed});
            return bytes.size();
        }
        used += packet->size;
        switch (static_cast<PacketType>(packet->type)) {
            case PacketType::publish: {
                const auto message = read_publish(*packet);
                if (!message || message->duplicate || message->qos != options_.qos) {
                    fail(base::Error{base::Errc::malformed});
                    break;
                }
                arrived(client, message->payload);
                base::Bytes* out = message->qos == 1 ? connections_.output(id) : nullptr;
                if (out != nullptr) append_puback(*out, message->packet_id);
                break;
            }
            case PacketType::puback:
                ++counters_.acknowledged;
                break;
            case PacketType::connack:
                if (packet->body.size() < 2 || packet->body[1] != 0) fail(base::Error{base::Errc::denied});
                if (is_publisher(index)) ++ready_;
                break;
            case PacketType::suback:
                if (packet->body.size() < 3 || packet->body[2] != options_.qos) fail(base::Error{base::Errc::denied});
                ++ready_;
                break;
            default:
                break;
        }
    }
    return used;
}

void FanOut::arrived(Client& client, std::string_view payload) {
    std::uint64_t number = 0;
    const auto digits = payload.substr(0, kNumberDigits);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    if (payload.size() != kFanOutPayloadBytes || read.ec != std::errc{} || number != client.next || number >= counters_.published)
        return fail(base::Error{base::Errc::corrupt});
    ++client.next;
    ++counters_.delivered;
    loop_.count_work(1);
    Pending& pending = pending_[number % pending_.size()];
    if (--pending.missing != 0) return;
    // Each subscriber has what came before: messages get complete in their order.
    ++counters_.complete;
    latency_.record(loop_.clock().now() - pending.since);
}

void FanOut::start(double rate) {
    rate_ = rate;
    before_ = counters_.published;
    started_ = loop_.clock().now();
    running_ = true;
}

bool FanOut::finished() const {
    if (running_ || counters_.complete != counters_.published) return false;
    return options_.qos == 0 || counters_.acknowledged == counters_.published;
}

base::Monotonic FanOut::due_at(std::uint64_t number) const {
    return started_ + std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(number - before_) * 1e9 / rate_));
}

void FanOut::publish(base::Monotonic since) {
    base::Bytes* out = connections_.output(clients_.back().connection);
    if (out == nullptr) return;
    const std::uint64_t number = counters_.published++;
    pending_[number % pending_.size()] = {since, options_.subscribers};
    fmt::format_to_n(payload_.data(), kNumberDigits, "{:016x}", number);
    const auto packet_id = static_cast<std::uint16_t>(number % 0xffffU + 1);
    append_publish(*out, {.topic = kTopic, .payload = payload_, .qos = options_.qos, .packet_id = packet_id});
}

void FanOut::on_turn(base::Monotonic now) {
    connect_more();
    while (running_ && has_room()) {
        const base::Monotonic due = rate_ > 0 ? due_at(counters_.published) : now;
        if (due > now) break;
        publish(due);
    }
}

std::optional<base::Monotonic> FanOut::next_deadline() const {
    if (!running_ || !has_room()) return std::nullopt;
    return rate_ > 0 ? due_at(counters_.published) : loop_.now();
}

void FanOut::disconnect() {
    leaving_ = true;
    running_ = false;
    for (const Client& client : clients_) {
        if (base::Bytes* out = connections_.output(client.connection)) append_disconnect(*out);
        connections_.close(client.connection);
    }
}

}  // namespace sluice::load

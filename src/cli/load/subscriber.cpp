#include "cli/load/subscriber.hpp"

#include <utility>

#include "cli/load/packets.hpp"

namespace sluice::load {
namespace {

constexpr std::uint16_t kSubscribeId = 1;
constexpr std::uint16_t kNoKeepAlive = 0;  // a quiet filter is not a dead connection, and both ends are ours
constexpr std::uint8_t kSubscribeRefused = 0x80;

}  // namespace

Subscriber::Subscriber(posix::EventLoop& loop, SubscriberOptions options, OnMessage on_message)
    : loop_(loop), options_(std::move(options)), on_message_(std::move(on_message)), connections_(loop, *this) {
    loop_.add_task(connections_);
}

void Subscriber::connect() {
    const auto id = options_.at.connect(connections_);
    if (id) {
        connection_ = id.value();
    } else {
        failure_ = id.error();
    }
}

void Subscriber::disconnect() {
    leaving_ = true;
    if (base::Bytes* out = connections_.output(connection_)) append_disconnect(*out);
    connections_.close(connection_);
}

void Subscriber::on_open(posix::TcpId id, const posix::PeerAddress&) {
    base::Bytes* out = connections_.output(id);
    if (out == nullptr) return;
    append_connect(*out, options_.client_id, kNoKeepAlive, options_.at.user, options_.at.password);
    append_subscribe(*out, kSubscribeId, options_.filter, options_.qos);  // a client may send before the CONNACK (MQTT 3.1.1, 3.1.4)
}

std::size_t Subscriber::on_bytes(posix::TcpId id, base::ByteView bytes) {
    std::size_t used = 0;
    while (const auto packet = next_packet(bytes.subspan(used))) {
        if (packet->size == 0) {
            failure_ = base::Error{base::Errc::malformed};
            connections_.abort(id);
            return bytes.size();
        }
        used += packet->size;
        switch (static_cast<PacketType>(packet->type)) {
            case PacketType::connack:
                if (packet->body.size() < 2 || packet->body[1] != 0) failure_ = base::Error{base::Errc::denied};
                break;
            case PacketType::suback:
                if (packet->body.size() < 3 || packet->body[2] == kSubscribeRefused) {
                    failure_ = base::Error{base::Errc::denied};
                } else {
                    subscribed_ = true;
                }
                break;
            case PacketType::publish: {
                const auto message = read_publish(*packet);
                if (!message) {
                    failure_ = base::Error{base::Errc::malformed};
                    break;
                }
                ++messages_;
                on_message_(message->topic, message->payload, loop_.now());
                base::Bytes* out = message->qos == 1 ? connections_.output(id) : nullptr;
                if (out != nullptr) append_puback(*out, message->packet_id);
                break;
            }
            default:
                break;
        }
    }
    return used;
}

void Subscriber::on_closed(posix::TcpId, const base::Error& why) {
    connection_ = 0;
    subscribed_ = false;
    if (!leaving_ && !failure_) failure_ = why;
}

}  // namespace sluice::load

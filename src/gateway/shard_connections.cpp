// A shard's connections: taken over, placed on the shard of their client id, let in.
#include <spdlog/spdlog.h>

#include "base/bytes.hpp"
#include "base/hash.hpp"
#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/framing.hpp"
#include "gateway/bridge_board.hpp"
#include "gateway/shard.hpp"
#include "gateway/source_address.hpp"

namespace sluice::gateway {
namespace {

/// The client id stands within the first bytes of a CONNECT, behind its properties (at most 64 KiB of them make sense).
constexpr std::size_t kPeekBytesMax = 128 * 1024;

}  // namespace

void Shard::adopt(posix::DetachedConnection&& connection, std::uint16_t listener) {
    adopting_listener_ = listener;
    adopting_placed_ = options_.shards == 1;
    tcp_.adopt(std::move(connection));
}

void Shard::adopt_somewhere(posix::DetachedConnection&& connection, std::uint16_t listener) {
    handshakes_to_ = static_cast<std::uint16_t>((handshakes_to_ + 1) % options_.shards);
    if (handshakes_to_ == options_.index.value()) return adopt(std::move(connection), listener);
    peer_outboxes_[handshakes_to_].emplace_back(Handover{std::move(connection), listener, false});
}

void Shard::take_over(Handover&& handover) {
    adopting_listener_ = handover.listener;
    adopting_placed_ = handover.placed;
    tcp_.adopt(std::move(handover.connection));
}

hub::Peer Shard::hub_peer(std::uint16_t listener, const posix::PeerAddress& peer) const {
    if (listener == kBridgeListener) return {.listener = listener, .loopback = true, .encrypted = true, .internal = true};
    return {listener, peer.loopback(), listener < options_.encrypted_listeners.size() && options_.encrypted_listeners[listener]};
}

void Shard::on_open(posix::TcpId id, const posix::PeerAddress& peer) {
    const auto slot = static_cast<std::uint32_t>(id);
    if (placed_.size() <= slot) {
        placed_.resize(slot + 1);
        listener_.resize(slot + 1);
        source_.resize(slot + 1);
    }
    placed_[slot] = adopting_placed_ ? 1 : 0;
    listener_[slot] = adopting_listener_;
    source_[slot] = source_address(peer);
    hub_.on_connected(hub::ConnectionId(id), hub_peer(adopting_listener_, peer), loop_.now());
}

void Shard::on_layer(posix::TcpId id, const posix::StreamLayer& layer, std::string_view failure) {
    using Kind = posix::StreamLayer::Kind;
    const auto count = [](std::atomic<std::uint64_t>& gauge) { gauge.fetch_add(1, std::memory_order_relaxed); };
    const std::uint16_t listener = listener_[static_cast<std::uint32_t>(id)];
    if (!failure.empty()) {
        const bool tls = layer.kind() == Kind::tls;
        count(tls ? gauges_.tls_failed : layer.kind() == Kind::proxy ? gauges_.proxy_failed : gauges_.websocket_failed);
        const std::string_view what = tls ? "TLS" : layer.kind() == Kind::proxy ? "PROXY header" : "WebSocket";
        spdlog::debug("listen.mqtt[{}]: {} closed: {}: {}", listener, tcp_.peer(id).text(), what, failure);
        return;
    }
    if (layer.kind() == Kind::tls) {
        count(gauges_.tls_handshakes);
        if (layer.resumed()) count(gauges_.tls_resumed);
    } else if (const posix::PeerAddress* peer = layer.peer()) {
        source_[static_cast<std::uint32_t>(id)] = source_address(*peer);
        hub_.on_peer(hub::ConnectionId(id), hub_peer(listener, *peer));
    }
}

std::size_t Shard::on_bytes(posix::TcpId id, base::ByteView bytes) {
    const auto slot = static_cast<std::uint32_t>(id);
    now_ = loop_.now();
    if (placed_[slot] == 0) {
        const auto peek = mqtt::peek_client_id(bytes);
        // A CONNECT that keeps its client id for so long is the hub's to refuse: its limits hold, here nothing does.
        if (peek.status == mqtt::PeekStatus::incomplete && bytes.size() < kPeekBytesMax) return 0;
        placed_[slot] = 1;
        if (peek.status == mqtt::PeekStatus::found && !peek.client_id.empty()) {
            const unsigned owner = base::shard_of(base::hash64(peek.client_id), options_.shards);
            if (owner != options_.index.value()) {
                Handover mail{tcp_.detach(id, 0), listener_[slot]};
                hub_.on_closed(hub::ConnectionId(id), now_, wall());
                peer_outboxes_[owner].emplace_back(std::move(mail));
                return 0;
            }
        }
    }
    const std::size_t consumed = hub_.on_bytes(hub::ConnectionId(id), bytes, now_, wall());
    if (consumed < bytes.size()) {
        const auto rest = mqtt::frame(bytes.subspan(consumed));
        if (rest.status == mqtt::FrameStatus::incomplete && rest.total != 0) tcp_.expect(id, rest.total);
    }
    return consumed;
}

/// Not before: a flood of connections that we have closed and their peers have not would take all descriptors uncounted.
void Shard::on_released() { links_.connections->fetch_sub(1, std::memory_order_relaxed); }

void Shard::on_closed(posix::TcpId id, const base::Error&) {
    now_ = loop_.now();
    hub_.on_closed(hub::ConnectionId(id), now_, wall());
    turn_again_ = true;  // connections end behind this turn: a will for subscribers of other shards would wait for the next one
}

// ---- who comes in

/// Empty: none. The sockets of this version are plain: nobody has shown a certificate.
std::string_view Shard::certificate_name(hub::ConnectionId of) const { return tcp_.certificate_name(of.value()); }

access::SourceAddress Shard::source_of(hub::ConnectionId connection) const {
    return source_[static_cast<std::uint32_t>(connection.value())];
}

bool Shard::submit(access::SignIn&& sign_in) { return access_.to_verifier != nullptr && access_.to_verifier->push(std::move(sign_in)); }

void Shard::use_access(ShardAccess access) {
    access_ = std::move(access);
    if (access_.rules != nullptr) doorkeeper_.use(access_.rules);
    hub_.review_permissions(access_.rules == nullptr ? nullptr : &doorkeeper_);
}

/// Not while sockets are not read: what stands behind a CONNECT is input like any other.
void Shard::take_sign_ins() {
    if (access_.from_verifier == nullptr || phase_ != Phase::running) return;
    for (SignInReply reply; access_.from_verifier->pop(reply);) {
        hub_.on_authenticated(hub::ConnectionId(reply.connection), doorkeeper_.admission(reply));
        tcp_.present_again(reply.connection);
    }
}

}  // namespace sluice::gateway

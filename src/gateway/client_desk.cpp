#include "gateway/client_desk.hpp"

#include <utility>

#include "codec/mqtt/packet.hpp"

namespace sluice::gateway {

void ClientDesk::work(base::Monotonic now, base::WallTime wall) {
    if (query_ == nullptr) {
        if (!questions_->pop(query_)) return;
        place_ = 0;
        rows_.clear();
        if (query_->kind() == ClientQuery::Kind::kick) {
            const bool kicked = hub_.disconnect(query_->client(), mqtt::ReasonCode::administrative_action, now, wall);
            return std::exchange(query_, nullptr)->answer({}, kicked);
        }
    }
    now_ = now;
    if (const auto next = hub_.clients(place_, kPlacesPerTurn, *this)) {
        place_ = *next;
        return;
    }
    std::exchange(query_, nullptr)->answer(std::exchange(rows_, {}), false);
}

void ClientDesk::client(const hub::ClientInfo& info) {
    ClientRow row;
    row.client = info.client;
    row.online = info.connection != hub::ConnectionId{};
    row.protocol = info.protocol;
    row.keep_alive_s = info.keep_alive_seconds;
    row.expiry_s = info.expiry_seconds;
    if (row.online) {
        row.address = tcp_.peer(info.connection.value()).text();
        row.connected_s = std::chrono::duration<double>(now_ - info.since).count();
    }
    row.messages_in = info.messages_in;
    row.messages_out = info.messages_out;
    row.subscriptions = info.subscriptions;
    row.in_flight = info.in_flight;
    row.queued = info.queued;
    row.queued_bytes = info.queued_bytes;
    row.shard = shard_;
    rows_.push_back(std::move(row));
}

}  // namespace sluice::gateway

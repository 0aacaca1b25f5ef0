// The rows of clients.hpp.
#include "flow/hub/clients.hpp"

#include <algorithm>

#include "flow/hub/core.hpp"

namespace sluice::hub {

SessionIndex Hub::Core::clients(SessionIndex from, std::size_t places, ClientVisitor& visitor) const {
    const std::size_t end = std::min<std::size_t>(sessions_.places(), from + places);
    for (std::size_t index = from; index < end; ++index) {
        const Session& session = sessions_[static_cast<SessionIndex>(index)];
        if (session.serial == 0) continue;
        ClientInfo info{.client = session.client, .connection = session.connection};
        info.protocol = static_cast<std::uint8_t>(session.version);
        info.expiry_seconds = session.expiry_seconds;
        info.messages_out = session.messages_out;
        info.subscriptions = session.subscriptions.size();
        if (session.outbox) {
            info.in_flight = session.outbox->inflight.size();
            info.queued = session.outbox->queue.size();
            info.queued_bytes = session.outbox->queue_bytes;
        }
        if (session.online()) {
            const Connection& connection = connections_[static_cast<std::uint32_t>(session.connection.value())];
            info.peer = connection.peer;
            info.since = connection.since;
            info.keep_alive_seconds = connection.keep_alive_seconds;
            info.messages_in = connection.messages_in;
        }
        visitor.client(info);
    }
    return end == sessions_.places() ? kNoSession : static_cast<SessionIndex>(end);
}

std::optional<std::uint32_t> Hub::clients(std::uint32_t from, std::size_t places, ClientVisitor& visitor) const {
    const SessionIndex next = core_->clients(from, places, visitor);
    if (next == kNoSession) return std::nullopt;
    return next;
}

}  // namespace sluice::hub

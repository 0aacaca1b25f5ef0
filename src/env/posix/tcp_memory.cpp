// What connections hold in memory, and who must go when that is too much.
#include <algorithm>
#include <functional>
#include <utility>

#include "env/posix/tcp_connection.hpp"

namespace sluice::posix {

/// Its buffers have changed.
void TcpConnections::recount(Connection& connection) {
    std::size_t now = connection.output.capacity() + connection.unread.capacity();
    if (connection.layers) now += connection.layers->memory();
    memory_ += now - std::exchange(connection.counted, now);
}

/// What it has not consumed has grown, perhaps beyond the room that there is.
void TcpConnections::keep_unread(Connection& connection) {
    const std::size_t before = connection.counted;
    recount(connection);
    const std::size_t more = connection.counted > before ? connection.counted - before : 0;
    if (more > room_ && connection.unread.size() > kSmallUnread && connection.alive()) {
        ++shed_;
        return schedule_close(connection, base::Error{base::Errc::too_large});
    }
    room_ -= std::min(more, room_);
}

void TcpConnections::shed_largest(std::size_t bytes) {
    std::vector<std::pair<std::size_t, std::uint32_t>> large;
    for (const auto& connection : slots_) {
        if (!connection || connection->fd < 0 || !connection->alive()) continue;
        for (base::Bytes* buffer : {&connection->output, &connection->unread})
            if (buffer->empty()) *buffer = base::Bytes();
        recount(*connection);
        if (connection->counted > kSmallUnread) large.emplace_back(connection->counted, connection->slot);
    }
    std::sort(large.begin(), large.end(), std::greater<>());
    std::size_t freed = 0;
    for (const auto& [size, slot] : large) {
        if (freed >= bytes) return;
        freed += size;
        ++shed_;
        schedule_close(*slots_[slot], base::Error{base::Errc::too_large});
    }
}

}  // namespace sluice::posix

#include "env/posix/tcp.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.hpp"
#include "data/reading.hpp"
#include "env/posix/tcp_connection.hpp"

namespace sluice::posix {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;  // one read a connection and turn; larger than a default receive buffer's first window
constexpr std::size_t kLayeredPieceBytes = 64 * 1024;  // four TLS records; what is made for the socket before it takes it
constexpr std::size_t kKeptPlainBytes = 1024 * 1024;   // the buffer for what layers read; larger ones are of one large packet

/// Edge-triggered: level-triggered epoll looks at each socket a second time, a tenth of what a small reading costs at 10,000 sockets. Who
/// leaves bytes unread has to rearm(). EPOLLRDHUP tells of an end that stands behind the bytes.
constexpr std::uint32_t kReadEvents = EPOLLIN | EPOLLRDHUP;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace

TcpConnections::TcpConnections(EventLoop& loop, TcpHandler& handler) : loop_(loop), handler_(handler) {
    buffer_.resize(kReadBytes + data::kReadablePadding);
}

TcpConnections::~TcpConnections() {
    for (const auto& connection : slots_) {
        if (connection == nullptr || connection->fd < 0) continue;
        loop_.unwatch(connection->fd);
        ::close(connection->fd);
    }
}

TcpConnections::Connection* TcpConnections::find(TcpId id) {
    const auto slot = static_cast<std::uint32_t>(id);
    if (slot >= slots_.size()) return nullptr;
    Connection* connection = slots_[slot].get();
    if (connection == nullptr || connection->generation != id >> 32 || !connection->alive()) return nullptr;
    return connection;
}

const TcpConnections::Connection* TcpConnections::find(TcpId id) const { return const_cast<TcpConnections*>(this)->find(id); }

TcpId TcpConnections::place(int fd, const PeerAddress& peer, std::uint32_t events) {
    std::uint32_t slot;
    if (free_.empty()) {
        slot = static_cast<std::uint32_t>(slots_.size());
        slots_.push_back(std::make_unique<Connection>());
    } else {
        slot = free_.back();
        free_.pop_back();
    }
    Connection& connection = *slots_[slot];
    const auto generation = connection.generation + 1;
    connection = Connection{};
    connection.fd = fd;
    connection.slot = slot;
    connection.generation = generation == 0 ? 1 : generation;
    connection.peer = peer;
    ++open_;
    loop_.watch(fd, events, *this, connection.id());
    return connection.id();
}

void TcpConnections::adopt(DetachedConnection&& from) {
    no_delay(from.fd);
    const TcpId id = place(from.fd, from.peer, kReadEvents | EPOLLET);
    if (Connection* connection = find(id); from.layers) {
        connection->layers = std::move(from.layers);
        if (connection->layers->wire_left() != 0) mark_dirty(*connection);
    }
    handler_.on_open(id, from.peer);
    if (Connection* connection = find(id); connection != nullptr && !from.unread.empty()) {
        connection->unread = std::move(from.unread);
        present_again(id);
    }
    if (Connection* connection = find(id); connection != nullptr && connection->over()) close(id);
}

void TcpConnections::present_again(TcpId id) {
    Connection* connection = find(id);
    if (connection == nullptr || connection->state != Connection::State::open || connection->unread.empty()) return;
    present_unread(*connection);
}

base::Result<TcpId> TcpConnections::connect(const std::string& host, std::uint16_t port, std::unique_ptr<LayerStack> layers) {
    auto candidates = Candidates::of_host(host, port);
    if (!candidates) return candidates.error();
    return start_connecting(std::make_unique<Candidates>(std::move(*candidates)), std::move(layers));
}

base::Result<TcpId> TcpConnections::connect_unix(const std::string& path, std::unique_ptr<LayerStack> layers) {
    auto candidates = Candidates::of_unix(path);
    if (!candidates) return candidates.error();
    return start_connecting(std::make_unique<Candidates>(std::move(*candidates)), std::move(layers));
}

base::Result<TcpId> TcpConnections::start_connecting(std::unique_ptr<Candidates> candidates, std::unique_ptr<LayerStack> layers) {
    PeerAddress peer;
    const auto fd = candidates->start_next(peer);
    if (!fd) return fd.error();
    const TcpId id = place(*fd, peer, EPOLLOUT | EPOLLET);
    Connection& connection = *find(id);
    connection.state = Connection::State::connecting;
    connection.reading = false;
    connection.writing = true;
    connection.layers = std::move(layers);
    if (!candidates->empty()) connection.others = std::move(candidates);
    return id;
}

/// A connection could not be made: tries the host's next address in the same slot.
void TcpConnections::try_next_address(Connection& connection, const base::Error& why) {
    if (!connection.others) return schedule_close(connection, why);
    const auto fd = connection.others->start_next(connection.peer);
    if (!fd) {
        connection.others.reset();
        return schedule_close(connection, why);
    }
    loop_.unwatch(connection.fd);
    ::close(connection.fd);
    connection.fd = *fd;
    loop_.watch(connection.fd, EPOLLOUT | EPOLLET, *this, connection.id());
}

void TcpConnections::mark_dirty(Connection& connection) {
    if (connection.dirty) return;
    connection.dirty = true;
    dirty_.push_back(connection.slot);
}

void TcpConnections::send(TcpId id, base::ByteView bytes) {
    if (base::Bytes* out = output(id)) base::append(*out, bytes);
}

base::Bytes* TcpConnections::output(TcpId id) {
    Connection* connection = find(id);
    if (connection == nullptr || connection->state == Connection::State::draining) return nullptr;
    mark_dirty(*connection);
    return &connection->output;
}

std::size_t TcpConnections::queued_bytes(TcpId id) const {
    const Connection* connection = find(id);
    return connection == nullptr ? 0 : connection->queued();
}

PeerAddress TcpConnections::peer(TcpId id) const {
    const Connection* connection = find(id);
    return connection == nullptr ? PeerAddress{} : connection->peer;
}

std::string_view TcpConnections::certificate_name(TcpId id) const {
    const Connection* connection = find(id);
    return connection == nullptr || !connection->layers ? std::string_view() : connection->layers->certificate_name();
}

std::vector<base::Bytes> TcpConnections::certificates(TcpId id) const {
    const Connection* connection = find(id);
    return connection == nullptr || !connection->layers ? std::vector<base::Bytes>() : connection->layers->certificates();
}

void TcpConnections::expect(TcpId id, std::size_t bytes) {
    if (Connection* connection = find(id)) connection->expected = bytes;
}

void TcpConnections::close(TcpId id) {
    Connection* connection = find(id);
    if (connection == nullptr || connection->state == Connection::State::draining) return;
    if (connection->state == Connection::State::connecting) return abort(id);
    connection->state = Connection::State::draining;
    connection->linger_until = loop_.now() + kLingerMax;
    lingering_.push_back(id);
    mark_dirty(*connection);
}

void TcpConnections::abort(TcpId id) {
    if (Connection* connection = find(id)) schedule_close(*connection, base::Error{base::Errc::closed});
}

void TcpConnections::schedule_close(Connection& connection, const base::Error& why) {
    if (connection.state == Connection::State::failed) return;
    connection.state = Connection::State::failed;
    connection.why = why;
    closing_.push_back(connection.slot);
}

DetachedConnection TcpConnections::detach(TcpId id, std::size_t consumed) {
    Connection* connection = find(id);
    base::check(connection != nullptr, "tcp: detaching a connection that is gone");
    DetachedConnection out;
    out.fd = connection->fd;
    out.peer = connection->peer;
    const auto rest = presented_.subspan(std::min(consumed, presented_.size()));
    out.unread.assign(rest.begin(), rest.end());
    out.layers = std::move(connection->layers);
    loop_.unwatch(connection->fd);
    connection->fd = -1;
    connection->detached = true;
    schedule_close(*connection, base::Error{base::Errc::closed});
    return out;
}

void TcpConnections::pause_reading(bool pause) {
    if (pause == paused_) return;
    paused_ = pause;
    if (pause) return;  // each socket is taken out of the watch when it has something to say, not before
    for (const auto& connection : slots_) {
        if (connection && connection->fd >= 0 && connection->state == Connection::State::open && !connection->reading)
            update_interest(*connection);
    }
}

void TcpConnections::hold(TcpId id, bool hold) {
    Connection* connection = find(id);
    if (connection == nullptr || std::exchange(connection->held, hold) == hold || hold) return;  // it stops when it has something to say
    present_again(id);
    if (connection->over()) close(id);
    if (connection->alive() && !connection->held) update_interest(*connection);
}

void TcpConnections::update_interest(Connection& connection) {
    const bool read =
        connection.state == Connection::State::lingering || (connection.state == Connection::State::open && !paused_ && !connection.held);
    const bool write = connection.state == Connection::State::connecting || (connection.alive() && connection.sendable());
    if (read == connection.reading && write == connection.writing) return;
    connection.reading = read;
    connection.writing = write;
    arm(connection);
}

/// Watches for what the connection waits for; what is there already is told in the next turn.
void TcpConnections::arm(const Connection& connection) {
    const auto events = (connection.reading ? kReadEvents : 0U) | (connection.writing ? EPOLLOUT : 0U) | EPOLLET;
    loop_.rewatch(connection.fd, events, *this, connection.id());
}

void TcpConnections::on_ready_soon(std::uint64_t tag) const {
    const auto* first = reinterpret_cast<const char*>(slots_[static_cast<std::uint32_t>(tag)].get());
    for (std::size_t at = 0; at < sizeof(Connection); at += 64) __builtin_prefetch(first + at);
    handler_.on_bytes_soon(tag);
}

void TcpConnections::on_ready(std::uint32_t events, std::uint64_t tag) {
    const auto slot = static_cast<std::uint32_t>(tag);
    Connection* connection = slots_[slot].get();
    if (connection == nullptr || connection->generation != tag >> 32 || connection->fd < 0) return;
    switch (connection->state) {
        case Connection::State::failed:
            return;
        case Connection::State::lingering: {
            const auto count = ::recv(connection->fd, buffer_.data(), kReadBytes, MSG_DONTWAIT);
            if (count == 0 || (count < 0 && !would_block(errno) && errno != EINTR)) return finish(*connection);
            return rearm_if_more(*connection, count, kReadBytes, events);
        }
        case Connection::State::connecting: {
            int error = 0;
            socklen_t size = sizeof error;
            if (::getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
            if (error != 0) return try_next_address(*connection, base::from_errno(error));
            connection->others.reset();
            connection->state = Connection::State::open;
            if (connection->layers) {
                connection->layers->start();
                mark_dirty(*connection);
            }
            update_interest(*connection);
            return handler_.on_open(connection->id(), connection->peer);
        }
        case Connection::State::open:
        case Connection::State::draining:
            break;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        const bool gone = (events & (EPOLLHUP | EPOLLERR)) != 0;
        if (connection->state == Connection::State::draining) {
            if (gone) return schedule_close(*connection, base::Error{base::Errc::closed});
            update_interest(*connection);
        } else if (paused_ || connection->held) {
            update_interest(*connection);  // also when the peer has gone: its end stands behind what it sent, and is told again
        } else {
            read_from(*connection, events);
        }
    }
    if ((events & EPOLLOUT) != 0 && connection->alive()) mark_dirty(*connection);
}

/// After a read of `count` of at most `wanted` bytes: is there, or may there be, more that no new event will tell of?
void TcpConnections::rearm_if_more(Connection& connection, ssize_t count, std::size_t wanted, std::uint32_t events) {
    const bool interrupted = count < 0 && errno == EINTR;
    const bool full = count > 0 && static_cast<std::size_t>(count) == wanted;
    const bool end_behind = count > 0 && (events & EPOLLRDHUP) != 0;
    if (interrupted || full || end_behind) arm(connection);
}

void TcpConnections::read_from(Connection& connection, std::uint32_t events) {
    if (connection.layers) return read_layered(connection, events);
    // A rest that is small is put in front of what is read, so that the handler sees one piece; a large one grows where it is.
    const std::size_t rest = connection.unread.size() > kReadBytes / 2 ? 0 : connection.unread.size();
    const bool large = rest != connection.unread.size();
    const auto count = ::recv(connection.fd, buffer_.data() + rest, kReadBytes - rest, MSG_DONTWAIT);
    if (count == 0) return schedule_close(connection, base::Error{base::Errc::closed});
    if (count < 0 && !would_block(errno) && errno != EINTR) return schedule_close(connection, base::from_errno(errno));
    rearm_if_more(connection, count, kReadBytes - rest, events);
    if (count < 0) return;
    const auto size = static_cast<std::size_t>(count);
    bytes_read_ += size;
    if (size == kReadBytes - rest) loop_.hurry();
    if (large) return append_large(connection, {buffer_.data(), size});
    if (rest + size < connection.expected) {
        base::append(connection.unread, base::ByteView(buffer_).subspan(rest, size));
        return keep_unread(connection);
    }
    if (rest != 0) {
        std::memcpy(buffer_.data(), connection.unread.data(), rest);
        connection.unread.clear();
    }
    present(connection, {buffer_.data(), rest + size});
}

/// What is not consumed and large grows where it is; it is presented when the rest of its packet is there.
void TcpConnections::append_large(Connection& connection, base::ByteView bytes) {
    base::append(connection.unread, bytes);
    if (connection.unread.size() < connection.expected) return keep_unread(connection);
    present_unread(connection);
}

/// What came through layers is gathered in `plain_`, behind what was not consumed before.
void TcpConnections::read_layered(Connection& connection, std::uint32_t events) {
    const auto count = ::recv(connection.fd, buffer_.data(), kReadBytes, MSG_DONTWAIT);
    if (count == 0) return schedule_close(connection, base::Error{base::Errc::closed});
    if (count < 0 && !would_block(errno) && errno != EINTR) return schedule_close(connection, base::from_errno(errno));
    rearm_if_more(connection, count, kReadBytes, events);
    if (count < 0) return;
    bytes_read_ += static_cast<std::size_t>(count);
    if (static_cast<std::size_t>(count) == kReadBytes) loop_.hurry();
    plain_.clear();
    const std::size_t rest = connection.unread.size();
    if (rest != 0) plain_.swap(connection.unread);
    connection.layers->receive({buffer_.data(), static_cast<std::size_t>(count)}, plain_, events_);
    if (connection.queued() != 0) mark_dirty(connection);
    if (!events_.empty()) tell_events(connection);
    if (connection.state != Connection::State::open) return;
    if (connection.layers->empty()) connection.layers.reset();
    const std::size_t size = plain_.size();
    if (size == rest || size < connection.expected) {
        if (size != 0) connection.unread.swap(plain_);
        keep_unread(connection);
    } else {
        plain_.resize(size + data::kReadablePadding);
        present(connection, {plain_.data(), size});
    }
    if (plain_.capacity() > kKeptPlainBytes) plain_ = base::Bytes();  // `{}` would keep its memory
    if (connection.over()) close(connection.id());
}

void TcpConnections::tell_events(Connection& connection) {
    for (const LayerStack::Event& event : events_) {
        if (const PeerAddress* peer = event.layer->peer(); peer != nullptr && event.failure.empty()) connection.peer = *peer;
        handler_.on_layer(connection.id(), *event.layer, event.failure);
    }
    events_.clear();
}

/// How many bytes the handler consumed; all when the connection is gone.
std::size_t TcpConnections::offer(Connection& connection, base::ByteView bytes) {
    connection.expected = 0;
    presented_ = bytes;
    const std::size_t consumed = handler_.on_bytes(connection.id(), bytes);
    presented_ = {};
    if (!connection.alive()) return bytes.size();
    base::check(consumed <= bytes.size(), "tcp: a handler consumed more than it was given");
    return consumed;
}

void TcpConnections::present(Connection& connection, base::ByteView bytes) {
    const std::size_t consumed = offer(connection, bytes);
    if (consumed == bytes.size()) {
        if (!may_keep(connection.unread, memory_)) connection.unread = base::Bytes();
        if (connection.counted > 2 * kKeptOutputBytes) recount(connection);
        return;
    }
    connection.unread.reserve(bytes.size() - consumed + data::kReadablePadding);
    connection.unread.assign(bytes.begin() + static_cast<std::ptrdiff_t>(consumed), bytes.end());
    keep_unread(connection);
}

/// What was not consumed, where it is: a connection that is held again and again does not copy it each time.
void TcpConnections::present_unread(Connection& connection) {
    base::Bytes whole = std::exchange(connection.unread, base::Bytes());
    const std::size_t size = whole.size();
    whole.resize(size + data::kReadablePadding);
    const std::size_t consumed = offer(connection, {whole.data(), size});
    if (!connection.alive()) return;
    whole.resize(size);
    whole.erase(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(consumed));
    if (!whole.empty() || may_keep(whole, memory_)) connection.unread = std::move(whole);
    keep_unread(connection);
}

void TcpConnections::write_to(Connection& connection) {
    if (connection.mute) return throw_away_output(connection);
    if (connection.layers) return write_layered(connection);
    while (connection.sent < connection.output.size()) {
        const auto left = connection.output.size() - connection.sent;
        const auto count = ::send(connection.fd, connection.output.data() + connection.sent, left, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0) {
            if (errno == EINTR) continue;
            if (would_block(errno)) break;
            return write_failed(connection, errno);
        }
        connection.sent += static_cast<std::size_t>(count);
        bytes_written_ += static_cast<std::size_t>(count);
        if (static_cast<std::size_t>(count) < left) break;
    }
    after_write(connection);
}

/// Output goes through the layers piece by piece, as the socket takes it: what waits is not held twice.
void TcpConnections::write_layered(Connection& connection) {
    LayerStack& layers = *connection.layers;
    const bool draining = connection.state == Connection::State::draining;
    while (true) {
        if (layers.wire_left() == 0) {
            const std::size_t left = connection.output.size() - connection.sent;
            if (left != 0 && !layers.over() && layers.ready()) {
                const std::size_t piece = std::min(left, kLayeredPieceBytes);
                layers.send({connection.output.data() + connection.sent, piece});
                connection.sent += piece;
            } else if (draining && !connection.finished) {
                connection.finished = true;
                connection.sent = connection.output.size();  // the rest cannot leave: no handshake, or the peer is gone
                layers.finish();
            }
            if (layers.wire_left() == 0) break;
        }
        const base::ByteView wire = layers.wire();
        const auto count = ::send(connection.fd, wire.data(), wire.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0) {
            if (errno == EINTR) continue;
            if (would_block(errno)) break;
            return write_failed(connection, errno);
        }
        layers.wire_taken(static_cast<std::size_t>(count));
        bytes_written_ += static_cast<std::size_t>(count);
        if (static_cast<std::size_t>(count) < wire.size()) break;
    }
    after_write(connection);
}

/// The peer has gone, perhaps with its last words not yet read: the end behind them closes the connection.
void TcpConnections::write_failed(Connection& connection, int error) {
    const bool peer_gone = error == EPIPE || error == ECONNRESET;
    if (!peer_gone || connection.state != Connection::State::open) return schedule_close(connection, base::from_errno(error));
    connection.mute = true;
    throw_away_output(connection);
    if (connection.reading) arm(connection);  // the event that told of it may have come and gone
}

void TcpConnections::throw_away_output(Connection& connection) {
    connection.sent = connection.output.size();
    if (connection.layers) connection.layers->wire_taken(connection.layers->wire_left());
    after_write(connection);
}

void TcpConnections::after_write(Connection& connection) {
    if (connection.queued() == 0) {
        connection.sent = 0;
        connection.output.clear();
        if (!may_keep(connection.output, memory_)) connection.output = base::Bytes();
        if (connection.state == Connection::State::draining) {
            ::shutdown(connection.fd, SHUT_WR);
            return schedule_close(connection, base::Error{base::Errc::closed});
        }
    } else if (connection.sent > connection.output.size() / 2) {
        connection.output.erase(connection.output.begin(), connection.output.begin() + static_cast<std::ptrdiff_t>(connection.sent));
        connection.sent = 0;
    }
    recount(connection);
    update_interest(connection);
}

void TcpConnections::finish(Connection& connection) {
    if (connection.fd >= 0) {
        loop_.unwatch(connection.fd);
        ::close(connection.fd);
    }
    connection.fd = -1;
    connection.output = base::Bytes();
    connection.unread = base::Bytes();
    connection.layers.reset();
    recount(connection);
    free_.push_back(connection.slot);
    if (!connection.detached) handler_.on_released();
}

void TcpConnections::on_turn(base::Monotonic now) {
    // Closing one connection can produce output for others (wills), which can close others: until nothing is left.
    while (!dirty_.empty() || !closing_.empty()) {
        const auto dirty = std::exchange(dirty_, {});
        for (const std::uint32_t slot : dirty) {
            Connection& connection = *slots_[slot];
            connection.dirty = false;
            if (connection.fd >= 0 && (connection.state == Connection::State::open || connection.state == Connection::State::draining)) {
                write_to(connection);
            }
        }
        const auto closing = std::exchange(closing_, {});
        for (const std::uint32_t slot : closing) {
            Connection& connection = *slots_[slot];
            --open_;
            const bool linger = connection.fd >= 0 && connection.linger_until != base::Monotonic{} &&
                                connection.why.code == base::Errc::closed && connection.output.empty();
            if (linger) {
                connection.state = Connection::State::lingering;
                update_interest(connection);
            }
            if (!connection.detached) handler_.on_closed(connection.id(), connection.why);
            if (!linger) finish(connection);
        }
    }
    while (!lingering_.empty()) {
        const TcpId id = lingering_.front();
        Connection& connection = *slots_[static_cast<std::uint32_t>(id)];
        const bool same = connection.generation == id >> 32 && connection.fd >= 0;
        if (same && connection.linger_until > now) break;
        lingering_.erase(lingering_.begin());
        if (!same) continue;
        if (connection.state == Connection::State::lingering) {
            finish(connection);
        } else if (connection.state == Connection::State::draining) {
            schedule_close(connection, base::Error{base::Errc::timeout});
        }
    }
}

std::optional<base::Monotonic> TcpConnections::next_deadline() const {
    if (!dirty_.empty() || !closing_.empty()) return loop_.now();
    if (lingering_.empty()) return std::nullopt;
    return slots_[static_cast<std::uint32_t>(lingering_.front())]->linger_until;
}

}  // namespace sluice::posix

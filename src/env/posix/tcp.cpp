#include "env/posix/tcp.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.hpp"
#include "data/reading.hpp"

namespace sluice::posix {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;  // one read a connection and turn; larger than a default receive buffer's first window
constexpr std::size_t kLayeredPieceBytes = 64 * 1024;  // four TLS records; what is made for the socket before it takes it
constexpr std::size_t kKeptPlainBytes = 1024 * 1024;   // the buffer for what layers read; larger ones are of one large packet
constexpr std::size_t kKeptOutputBytes = 4 * 1024;     // a sent output buffer larger than this is given back

/// Edge-triggered: level-triggered epoll looks at each socket a second time, a tenth of what a small reading costs at 10,000 sockets. Who
/// leaves bytes unread has to rearm(). EPOLLRDHUP tells of an end that stands behind the bytes.
constexpr std::uint32_t kReadEvents = EPOLLIN | EPOLLRDHUP;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

void no_delay(int fd) {
    const int on = 1;
    // Only latency suffers where it is refused (a Unix socket, say).
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

/// The addresses of a host that are still to be tried: "localhost" is often ::1 first, where a listener on 127.0.0.1 is not.
struct Candidates {
    struct Address {
        sockaddr_storage storage{};
        socklen_t size = 0;
    };
    std::vector<Address> left;  // the next one is at the back

    /// Starts the next connection that can be started. Errors: that of the last try.
    base::Result<int> start_next(PeerAddress& peer) {
        base::Error last{base::Errc::not_found};
        while (!left.empty()) {
            const Address at = left.back();
            left.pop_back();
            const int fd = ::socket(at.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            if (fd >= 0) {
                no_delay(fd);
                if (::connect(fd, reinterpret_cast<const sockaddr*>(&at.storage), at.size) == 0 || errno == EINPROGRESS) {
                    peer.v6 = at.storage.ss_family == AF_INET6;
                    if (peer.v6) {
                        std::memcpy(peer.ip.data(), &reinterpret_cast<const sockaddr_in6*>(&at.storage)->sin6_addr, 16);
                    } else {
                        std::memcpy(peer.ip.data(), &reinterpret_cast<const sockaddr_in*>(&at.storage)->sin_addr, 4);
                    }
                    return fd;
                }
            }
            last = base::from_errno(errno);
            if (fd >= 0) ::close(fd);
        }
        return last;
    }
};

struct TcpConnections::Connection {
    enum class State : std::uint8_t {
        connecting,
        open,
        draining,   // close() was called; output is still leaving
        failed,     // to be finished at the end of the turn
        lingering,  // on_closed was called; what the peer still sends is thrown away until it closes, so that no reset overtakes our last
                    // bytes
    };
    int fd = -1;
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
    State state = State::open;
    bool dirty = false;
    bool reading = true;   // EPOLLIN is set
    bool writing = false;  // EPOLLOUT is set
    bool detached = false;
    bool finished = false;     // the layers have said their last words
    std::size_t sent = 0;      // of output
    std::size_t expected = 0;  // of unread: not presented before it is as long as this
    base::Bytes output;
    base::Bytes unread;
    PeerAddress peer;
    base::Error why{base::Errc::closed};
    base::Monotonic linger_until{};
    std::unique_ptr<LayerStack> layers;  // nullptr: what the socket has is what the handler sees
    std::unique_ptr<Candidates> others;  // while connecting, when the host has more than one address
    [[nodiscard]] TcpId id() const { return (static_cast<TcpId>(generation) << 32) | slot; }
    [[nodiscard]] std::size_t queued() const { return output.size() - sent + (layers ? layers->wire_left() : 0); }
    /// Something of it can be written now.
    [[nodiscard]] bool sendable() const {
        return sent < output.size() ? !layers || layers->ready() || layers->wire_left() != 0 : queued() != 0;
    }
    [[nodiscard]] bool alive() const { return state != State::failed && state != State::lingering; }
};

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
    if (Connection* connection = find(id); connection != nullptr && connection->layers && connection->layers->over()) close(id);
}

void TcpConnections::present_again(TcpId id) {
    Connection* connection = find(id);
    if (connection == nullptr || connection->state != Connection::State::open || connection->unread.empty()) return;
    base::Bytes whole = std::move(connection->unread);
    connection->unread.clear();
    const std::size_t size = whole.size();
    whole.resize(size + data::kReadablePadding);
    present(*connection, {whole.data(), size});
}

base::Result<TcpId> TcpConnections::connect(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return base::Error{base::Errc::not_found};
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    auto candidates = std::make_unique<Candidates>();
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
        Candidates::Address address;
        address.size = at->ai_addrlen;
        std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
        candidates->left.insert(candidates->left.begin(), address);
    }
    PeerAddress peer;
    peer.port = port;
    const auto fd = candidates->start_next(peer);
    if (!fd) return fd.error();
    const TcpId id = place(*fd, peer, EPOLLOUT | EPOLLET);
    Connection& connection = *find(id);
    connection.state = Connection::State::connecting;
    connection.reading = false;
    connection.writing = true;
    if (!candidates->left.empty()) connection.others = std::move(candidates);
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

void TcpConnections::update_interest(Connection& connection) {
    const bool read = connection.state == Connection::State::lingering || (connection.state == Connection::State::open && !paused_);
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
            update_interest(*connection);
            return handler_.on_open(connection->id(), connection->peer);
        }
        case Connection::State::open:
        case Connection::State::draining:
            break;
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        if (paused_ || connection->state == Connection::State::draining) {
            if ((events & (EPOLLHUP | EPOLLERR)) != 0) return schedule_close(*connection, base::Error{base::Errc::closed});
            update_interest(*connection);
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
        return;
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
    if (connection.unread.size() < connection.expected) return;
    base::Bytes whole = std::move(connection.unread);
    connection.unread.clear();
    const std::size_t size = whole.size();
    whole.resize(size + data::kReadablePadding);
    present(connection, {whole.data(), size});
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
    const bool over = connection.layers->over();
    if (connection.layers->empty()) connection.layers.reset();
    const std::size_t size = plain_.size();
    if (size == rest || size < connection.expected) {
        if (size != 0) connection.unread.swap(plain_);
    } else {
        plain_.resize(size + data::kReadablePadding);
        present(connection, {plain_.data(), size});
    }
    if (plain_.capacity() > kKeptPlainBytes) plain_ = {};
    if (over && connection.alive()) close(connection.id());
}

void TcpConnections::tell_events(Connection& connection) {
    for (const LayerStack::Event& event : events_) {
        if (const PeerAddress* peer = event.layer->peer(); peer != nullptr && event.failure.empty()) connection.peer = *peer;
        handler_.on_layer(connection.id(), *event.layer, event.failure);
    }
    events_.clear();
}

void TcpConnections::present(Connection& connection, base::ByteView bytes) {
    connection.expected = 0;
    presented_ = bytes;
    const std::size_t consumed = handler_.on_bytes(connection.id(), bytes);
    presented_ = {};
    if (!connection.alive()) return;
    base::check(consumed <= bytes.size(), "tcp: a handler consumed more than it was given");
    if (consumed == bytes.size()) {
        if (connection.unread.capacity() > kKeptOutputBytes) connection.unread = {};
        return;
    }
    connection.unread.assign(bytes.begin() + static_cast<std::ptrdiff_t>(consumed), bytes.end());
}

void TcpConnections::write_to(Connection& connection) {
    if (connection.layers) return write_layered(connection);
    while (connection.sent < connection.output.size()) {
        const auto left = connection.output.size() - connection.sent;
        const auto count = ::send(connection.fd, connection.output.data() + connection.sent, left, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0) {
            if (errno == EINTR) continue;
            if (would_block(errno)) break;
            return schedule_close(connection, base::from_errno(errno));
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
            return schedule_close(connection, base::from_errno(errno));
        }
        layers.wire_taken(static_cast<std::size_t>(count));
        bytes_written_ += static_cast<std::size_t>(count);
        if (static_cast<std::size_t>(count) < wire.size()) break;
    }
    after_write(connection);
}

void TcpConnections::after_write(Connection& connection) {
    if (connection.queued() == 0) {
        connection.sent = 0;
        if (connection.output.capacity() > kKeptOutputBytes) {
            connection.output = {};
        } else {
            connection.output.clear();
        }
        if (connection.state == Connection::State::draining) {
            ::shutdown(connection.fd, SHUT_WR);
            return schedule_close(connection, base::Error{base::Errc::closed});
        }
    } else if (connection.sent > connection.output.size() / 2) {
        connection.output.erase(connection.output.begin(), connection.output.begin() + static_cast<std::ptrdiff_t>(connection.sent));
        connection.sent = 0;
    }
    update_interest(connection);
}

void TcpConnections::finish(Connection& connection) {
    if (connection.fd >= 0) {
        loop_.unwatch(connection.fd);
        ::close(connection.fd);
    }
    connection.fd = -1;
    connection.output = {};
    connection.unread = {};
    connection.layers.reset();
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

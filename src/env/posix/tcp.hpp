// TCP connections (and those of Unix sockets) of one event loop: accepted, made, handed over. Reads once a turn into a shared buffer,
// writes once a turn.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/layer_stack.hpp"
#include "env/posix/peer_address.hpp"

namespace sluice::posix {

class Candidates;

/// Low 32 bits: slot, dense from 0; high 32 bits: generation of the slot, never 0.
using TcpId = std::uint64_t;

class TcpHandler {
public:
    virtual ~TcpHandler() = default;
    /// A connection stands: accepted, adopted, or made by connect().
    virtual void on_open(TcpId id, const PeerAddress& peer) = 0;
    /// All bytes that are there and not yet consumed. Returns how many were consumed; the rest is presented again, with more behind it. The
    /// view is valid during the call; data::kReadablePadding bytes behind it may be read.
    virtual std::size_t on_bytes(TcpId id, base::ByteView bytes) = 0;
    /// A layer of the connection has opened, or failed (then `failure` says how, and the connection is closed). peer(), where the layer has
    /// one, replaces the address that on_open told.
    virtual void on_layer(TcpId /*id*/, const StreamLayer& /*layer*/, std::string_view /*failure*/) {}
    /// The connection is gone (not called after detach()). For a connection that never stood, too: a connect() that failed.
    virtual void on_closed(TcpId id, const base::Error& why) = 0;
    /// After on_closed: its descriptor is free, too. A closed connection can linger for up to TcpConnections::kLingerMax until its peer has
    /// closed, so whoever counts descriptors counts here. Not called after detach().
    virtual void on_released() {}
    /// on_bytes for it probably follows soon: time to fetch memory. The connection may be gone.
    virtual void on_bytes_soon(TcpId id) const { static_cast<void>(id); }
};

/// A connection between two loops: its descriptor, its layers if there are any, and what was read but not consumed.
struct DetachedConnection {
    int fd = -1;
    PeerAddress peer;
    base::Bytes unread;
    std::unique_ptr<LayerStack> layers{};  ///< nullptr: the handler sees what the socket has
};

/// Owned by one loop's thread. Add it to the loop as the last task: its turn sends what the others produced.
class TcpConnections final : public Watcher, public TurnTask {
public:
    TcpConnections(EventLoop& loop, TcpHandler& handler);
    ~TcpConnections() override;
    TcpConnections(const TcpConnections&) = delete;
    TcpConnections& operator=(const TcpConnections&) = delete;

    /// Takes an accepted socket over (non-blocking).
    void adopt(DetachedConnection&& connection);
    /// Starts a connection; on_open or on_closed tells how it went. `host` is a name or an address; names are looked up at once (may block;
    /// data paths use addresses, from a Resolver), and all their addresses are tried in turn. With `layers` (a TlsClient's, say) on_open
    /// still comes when the socket stands: output waits until the layers are open, on_layer tells of each. Errors: not_found (name), io.
    base::Result<TcpId> connect(const std::string& host, std::uint16_t port, std::unique_ptr<LayerStack> layers = nullptr);
    /// The same to a Unix socket. Errors: not_found (no such file), refused (nobody listens), too_large (path longer than
    /// TcpListener::kUnixPathMax), permission, io.
    base::Result<TcpId> connect_unix(const std::string& path, std::unique_ptr<LayerStack> layers = nullptr);

    /// Appends to the output; it leaves at the end of the turn. Nothing happens for a connection that is gone.
    void send(TcpId id, base::ByteView bytes);
    /// The output buffer itself, for encoders that append; nullptr for a connection that is gone. Valid until the turn ends.
    [[nodiscard]] base::Bytes* output(TcpId id);
    /// What the socket has not taken yet, before and behind the layers.
    [[nodiscard]] std::size_t queued_bytes(TcpId id) const;
    /// Where it is, as the latest that on_open or a layer told. Zeroes for a connection that is gone.
    [[nodiscard]] PeerAddress peer(TcpId id) const;
    /// Name in the verified certificate of the peer (TLS); empty: none. Valid until the connection is closed or detached.
    [[nodiscard]] std::string_view certificate_name(TcpId id) const;
    /// StreamLayer::certificates() of the layer that has some.
    [[nodiscard]] std::vector<base::Bytes> certificates(TcpId id) const;
    /// Inside on_bytes: what is left unconsumed is of no use before it has grown to `bytes`. Until then it is only gathered, so that a
    /// packet that trickles in costs its bytes, not its bytes squared.
    void expect(TcpId id, std::size_t bytes);
    /// Hands on_bytes() again what it left unconsumed, as when more had come: what it waited for is there. Not inside on_bytes().
    void present_again(TcpId id);
    /// Closes after the output so far has left (at most kLingerMax later). No more bytes are read. on_closed is called.
    void close(TcpId id);
    /// Closes now, at the end of the turn; unsent output is lost.
    void abort(TcpId id);
    /// Takes a connection out: no on_closed. `consumed` of the bytes of the on_bytes call under way are left out of `unread`.
    [[nodiscard]] DetachedConnection detach(TcpId id, std::size_t consumed);

    /// Back-pressure: stops or resumes reading from all sockets. Outputs go on.
    void pause_reading(bool pause);
    /// The same for one: nothing more is presented; afterwards first what was left unconsumed, at once (so not inside on_bytes()). A peer
    /// that goes meanwhile is found out behind its last bytes.
    void hold(TcpId id, bool hold);

    /// Bytes of memory of all connections: buffers of what has not left or is not consumed yet, and a fixed part for each.
    [[nodiscard]] std::size_t memory() const { return memory_ + slots_.size() * kBytesOfOne; }
    /// From now on connections may keep so many more bytes that are not consumed yet. One that would need more, and more than kSmallUnread
    /// itself, is closed: shed() counts it.
    void set_room(std::size_t bytes) { room_ = bytes; }
    /// Closes those with the largest buffers, down to kSmallUnread, until about so many bytes are free. Looks at every connection.
    void shed_largest(std::size_t bytes);
    [[nodiscard]] std::uint64_t shed() const { return shed_; }
    static constexpr std::size_t kSmallUnread = 16 * 1024;
    [[nodiscard]] std::size_t count() const { return open_; }
    /// Of all connections, since the beginning.
    [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
    [[nodiscard]] std::uint64_t bytes_written() const { return bytes_written_; }

    void on_ready(std::uint32_t events, std::uint64_t tag) override;
    void on_ready_soon(std::uint64_t tag) const override;
    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;

    static constexpr std::chrono::seconds kLingerMax{5};

private:
    struct Connection;
    Connection* find(TcpId id);
    [[nodiscard]] const Connection* find(TcpId id) const;
    TcpId place(int fd, const PeerAddress& peer, std::uint32_t events);
    base::Result<TcpId> start_connecting(std::unique_ptr<Candidates> candidates, std::unique_ptr<LayerStack> layers);
    void try_next_address(Connection& connection, const base::Error& why);
    void read_from(Connection& connection, std::uint32_t events);
    void append_large(Connection& connection, base::ByteView bytes);
    void rearm_if_more(Connection& connection, ssize_t count, std::size_t wanted, std::uint32_t events);
    void read_layered(Connection& connection, std::uint32_t events);
    std::size_t offer(Connection& connection, base::ByteView bytes);
    void present(Connection& connection, base::ByteView bytes);
    void present_unread(Connection& connection);
    void tell_events(Connection& connection);
    void write_to(Connection& connection);
    void write_layered(Connection& connection);
    void write_failed(Connection& connection, int error);
    void throw_away_output(Connection& connection);
    void after_write(Connection& connection);
    void update_interest(Connection& connection);
    void arm(const Connection& connection);
    void mark_dirty(Connection& connection);
    void schedule_close(Connection& connection, const base::Error& why);
    void finish(Connection& connection);
    void recount(Connection& connection);
    void keep_unread(Connection& connection);

    static constexpr std::size_t kBytesOfOne = 400;  // Connection with its place and its descriptor's; a test compares

    EventLoop& loop_;
    TcpHandler& handler_;
    std::vector<std::unique_ptr<Connection>> slots_;
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> dirty_;    // with output to send, once each
    std::vector<std::uint32_t> closing_;  // to be finished at the end of the turn
    std::vector<TcpId> lingering_;        // in the order of their time limits
    base::Bytes buffer_;
    base::Bytes plain_;  // what layers made of one read
    std::vector<LayerStack::Event> events_;
    base::ByteView presented_;  // what the on_bytes call under way was given
    std::size_t open_ = 0;
    std::uint64_t bytes_read_ = 0;
    std::uint64_t bytes_written_ = 0;
    std::size_t memory_ = 0;
    std::size_t room_ = ~std::size_t{0};
    std::uint64_t shed_ = 0;
    bool paused_ = false;
};

/// Listens on one address and hands accepted sockets on. `port` 0: the system chooses; port() tells. `unix_listener.cpp` has the part for
/// Unix sockets.
class TcpListener final : public Watcher {
public:
    class Sink {
    public:
        virtual ~Sink() = default;
        /// A new, non-blocking socket; the sink owns it.
        virtual void on_accept(DetachedConnection&& connection) = 0;
        /// One was closed at once: the process has no descriptor left.
        virtual void on_refused() {}
    };
    /// Errors: in_use (port taken), permission, not_found (no such address), io.
    static base::Result<std::unique_ptr<TcpListener>> open(EventLoop& loop, Sink& sink, const std::string& host, std::uint16_t port);
    /// A Unix socket at `path` with these permissions. A socket file that nobody listens on any more is replaced; ours is removed at the
    /// end. Errors: in_use (somebody listens there), exists (a file that is no socket), not_found (no such folder), permission, too_large
    /// (path longer than kUnixPathMax), io.
    static base::Result<std::unique_ptr<TcpListener>> open_unix(EventLoop& loop, Sink& sink, const std::string& path, unsigned mode);
    static constexpr std::size_t kUnixPathMax = 107;  // sockaddr_un has 108 bytes, with the end
    ~TcpListener() override;
    [[nodiscard]] std::uint16_t port() const { return port_; }
    /// Accepts nothing: who connects waits in the system's queue. Also inside on_accept().
    void pause(bool pause);
    void on_ready(std::uint32_t events, std::uint64_t tag) override;

private:
    void begin();
    TcpListener(EventLoop& loop, Sink& sink, int fd, std::uint16_t port) : loop_(loop), sink_(sink), fd_(fd), port_(port) {}
    EventLoop& loop_;
    Sink& sink_;
    int fd_;
    std::string socket_file_;  // to be removed, if it is still the one with this number
    std::uint64_t socket_inode_ = 0;
    int reserve_ = -1;  // a descriptor kept back, so that connections can be refused when all others are used up
    bool paused_ = false;
    std::uint16_t port_;
};

}  // namespace sluice::posix

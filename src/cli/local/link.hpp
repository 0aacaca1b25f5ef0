// The line between a gateway and its cloud, with a pair of scissors.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "base/error.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/tcp.hpp"

namespace sluice::local {

/// Forwards TCP connections on 127.0.0.1 from a port of its own to another. One thread: the loop's.
/// The port stays open while the link is cut (connections are closed as they arrive), so that nobody else can take it.
class Link final : private posix::TcpListener::Sink, private posix::TcpHandler {
public:
    static base::Result<std::unique_ptr<Link>> open(posix::EventLoop& loop, std::uint16_t to_port);
    ~Link() override;

    [[nodiscard]] std::uint16_t port() const { return listener_->port(); }
    /// Breaks all connections now, bytes under way in both directions are lost, and lets none through until restore().
    void cut();
    void restore() { up_ = true; }
    [[nodiscard]] bool up() const { return up_; }

    struct Counters {
        std::uint64_t connections = 0;  ///< let through
        std::uint64_t cuts = 0;
        std::uint64_t broken = 0;   ///< by cut()
        std::uint64_t refused = 0;  ///< while cut
        std::uint64_t bytes = 0;    ///< both directions
    };
    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    Link(posix::EventLoop& loop, std::uint16_t to_port);
    void on_accept(posix::DetachedConnection&& connection) override;
    void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
    void on_closed(posix::TcpId id, const base::Error& why) override;

    posix::TcpConnections connections_;
    std::uint16_t to_port_;
    std::unique_ptr<posix::TcpListener> listener_;
    std::unordered_map<posix::TcpId, posix::TcpId> other_end_;  // both ways
    bool up_ = true;
    Counters counters_;
};

}  // namespace sluice::local

// The inside of TcpConnections: one connection.
#pragma once

#include <memory>

#include "env/posix/candidates.hpp"
#include "env/posix/tcp.hpp"

namespace sluice::posix {

inline constexpr std::size_t kKeptOutputBytes = 4 * 1024;  // what a connection keeps of an empty buffer

/// A busy connection does not ask for the memory of its buffers every turn; many idle ones do not hold it: until all together have
/// kKeptOfAll, larger empty buffers are kept, too.
inline bool may_keep(const base::Bytes& empty, std::size_t all) {
    constexpr std::size_t kKeptOfAll = 4 * 1024 * 1024;
    return empty.capacity() <= kKeptOutputBytes || all <= kKeptOfAll;
}

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
    bool held = false;
    bool mute = false;         // nobody takes what we write: it is thrown away, what the peer sent before it left is still read
    bool finished = false;     // the layers have said their last words
    std::size_t sent = 0;      // of output
    std::size_t expected = 0;  // of unread: not presented before it is as long as this
    std::size_t counted = 0;   // of memory_
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
    /// Its layers have seen the peer's goodbye, and all that came before it was consumed or is of no use.
    [[nodiscard]] bool over() const { return state == State::open && !held && layers && layers->over(); }
    [[nodiscard]] bool alive() const { return state != State::failed && state != State::lingering; }
};

}  // namespace sluice::posix

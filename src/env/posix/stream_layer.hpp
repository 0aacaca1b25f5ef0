// What may stand between a socket and its handler: TLS, WebSocket, the header of a proxy. Pure: bytes in, bytes out.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "env/posix/peer_address.hpp"

namespace sluice::posix {

/// One transformer of a connection's bytes. "Up" is towards the handler, "down" towards the socket. Moves between threads with its
/// connection; used by one thread at a time.
class StreamLayer {
public:
    enum class Kind : std::uint8_t { proxy, tls, websocket };
    enum class State : std::uint8_t {
        opening,  ///< its handshake is under way: nothing goes up, nothing may be sent
        open,
        passed,  ///< its work is done, all further bytes pass unchanged: it may be taken out
        ended,   ///< the peer said goodbye: what went up before it counts, nothing comes any more
        failed,  ///< the peer broke the rules: failure() says how; what `down` holds still leaves
    };

    virtual ~StreamLayer() = default;
    [[nodiscard]] virtual Kind kind() const = 0;

    /// What is below is open (on a connection that we made, not one that came to us): first words to the peer. Once, before receive().
    virtual void begin(base::Bytes& /*down*/) {}
    /// Takes all of `in` (keeping what is incomplete), appends to `up` and to `down`. Not called in `ended` and `failed`.
    virtual State receive(base::ByteView in, base::Bytes& up, base::Bytes& down) = 0;
    /// Only in `open`. Takes all of `plain`.
    virtual void send(base::ByteView plain, base::Bytes& down) = 0;
    /// The handler closes: last words to the peer. Nothing is called afterwards.
    virtual void finish(base::Bytes& down) = 0;

    /// Of `failed`: a reason for the log, without line breaks.
    [[nodiscard]] virtual std::string_view failure() const = 0;

    /// Name in the peer's verified certificate; empty: none. Stays valid as long as the layer.
    [[nodiscard]] virtual std::string_view certificate_name() const { return {}; }
    /// The peer's verified certificate, then what it showed beside it, as DER; empty: none. What was shown beside is not known of a session
    /// that was taken up.
    [[nodiscard]] virtual std::vector<base::Bytes> certificates() const { return {}; }
    /// The handshake took up an earlier session.
    [[nodiscard]] virtual bool resumed() const { return false; }
    /// The peer as the layer knows it better than the socket, once it is no longer `opening`; nullptr: it does not.
    [[nodiscard]] virtual const PeerAddress* peer() const { return nullptr; }
    /// Bytes of memory, about.
    [[nodiscard]] virtual std::size_t memory() const { return 256; }
};

}  // namespace sluice::posix

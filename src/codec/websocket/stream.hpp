// The frames of one WebSocket, behind its handshake: bytes of the socket in, payload out, and back. Either side.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/bytes.hpp"
#include "codec/websocket/frame.hpp"

namespace sluice::websocket {

/// Fills what it is given with unpredictable bytes (masks, §5.3).
using Random = std::function<void(std::span<base::Byte>)>;

class Stream {
public:
    enum class State : std::uint8_t {
        open,
        closed,  ///< the peer's close frame came (the answer is in `down`), or we said goodbye: nothing more comes
        failed,  ///< problem() says why; a close frame is in `down`
    };

    /// `side`: ours. A client needs `random`.
    explicit Stream(Side side, Random random = {});

    /// Takes all of `in`; appends payload to `up` and what must be sent to `down`. Only when open.
    State receive(base::ByteView in, base::Bytes& up, base::Bytes& down);
    /// One binary frame. Only when open; nothing for no bytes.
    void send(base::ByteView payload, base::Bytes& down);
    /// We close: a close frame, if the peer is still there.
    void finish(base::Bytes& down);

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] std::string_view problem() const { return problem_; }

private:
    bool begin_frame(const FrameHeader& header, base::Bytes& down);
    void end_control(base::Bytes& down);
    void end_close(base::Bytes& down);
    void fail(CloseCode code, std::string_view problem, base::Bytes& down);
    void write(Opcode opcode, base::ByteView payload, base::Bytes& down);
    void write_close(CloseCode code, base::Bytes& down);

    Side side_;
    Random random_;
    State state_ = State::open;
    std::string_view problem_{};  // literals only
    base::Bytes kept_;            // an unfinished frame header, or the payload of a control frame
    FrameHeader frame_{};         // the one under way
    std::uint64_t left_ = 0;      // of its payload
    bool in_frame_ = false;
    bool in_message_ = false;  // a fragmented one: continuations are expected
};

}  // namespace sluice::websocket

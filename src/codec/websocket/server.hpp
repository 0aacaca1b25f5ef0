// The server's side of one WebSocket: bytes of the socket in, payload out, and back.
#pragma once

#include <memory>
#include <string_view>

#include "base/bytes.hpp"
#include "codec/websocket/frame.hpp"
#include "codec/websocket/upgrade.hpp"

namespace sluice::websocket {

class Server {
public:
    enum class State : std::uint8_t {
        opening,  ///< waits for the request
        open,
        closed,  ///< the client's close frame came (the answer is in `down`): nothing more comes
        failed,  ///< problem() says why; the answer or close frame is in `down`
    };

    /// `policy` is shared by all connections of a listener.
    explicit Server(std::shared_ptr<const OriginPolicy> policy) : policy_(std::move(policy)) {}

    /// Takes all of `in`; appends payload to `up` and what must be sent to `down`. Not to be called in `closed` and `failed`.
    State receive(base::ByteView in, base::Bytes& up, base::Bytes& down);
    /// One binary frame. Only when open; nothing for no bytes.
    void send(base::ByteView payload, base::Bytes& down) const;
    /// The server closes: a close frame, if the client is still there.
    void finish(base::Bytes& down);

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] std::string_view problem() const { return problem_; }

private:
    void take_request(base::ByteView& in, base::Bytes& down);
    void take_frames(base::ByteView in, base::Bytes& up, base::Bytes& down);
    bool begin_frame(const FrameHeader& header, base::Bytes& down);
    void end_control(base::Bytes& down);
    void end_close(base::Bytes& down);
    void fail(CloseCode code, std::string_view problem, base::Bytes& down);

    std::shared_ptr<const OriginPolicy> policy_;
    State state_ = State::opening;
    std::string_view problem_{};  // literals only
    base::Bytes kept_;            // an unfinished request or frame header; or the payload of a control frame
    FrameHeader frame_{};         // the one under way
    std::uint64_t left_ = 0;      // of its payload
    bool in_frame_ = false;
    bool in_message_ = false;  // a fragmented one: continuations are expected
};

}  // namespace sluice::websocket

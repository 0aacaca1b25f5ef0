// The client's side of one WebSocket: bytes of the socket in, payload out, and back.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "codec/websocket/stream.hpp"
#include "codec/websocket/upgrade.hpp"

namespace sluice::websocket {

class Client {
public:
    enum class State : std::uint8_t {
        opening,  ///< waits for the answer to its request
        open,
        closed,  ///< the server's close frame came (the answer is in `down`): nothing more comes
        failed,  ///< problem() says why; a close frame may be in `down`
    };

    /// `authority` is `host` or `host:port` and `path` begins with a slash; neither has white space or control characters.
    Client(std::string authority, std::string path, Random random);

    /// The request. Once, before anything else.
    void begin(base::Bytes& down);
    /// Takes all of `in`; appends payload to `up` and what must be sent to `down`. Not to be called in `closed` and `failed`.
    State receive(base::ByteView in, base::Bytes& up, base::Bytes& down);
    /// One binary frame. Only when open; nothing for no bytes.
    void send(base::ByteView payload, base::Bytes& down) { stream_.send(payload, down); }
    /// The client closes: a close frame, if the server is still there.
    void finish(base::Bytes& down);

    [[nodiscard]] State state() const;
    [[nodiscard]] std::string_view problem() const { return refusal_.empty() ? stream_.problem() : std::string_view(refusal_); }

private:
    void take_answer(base::ByteView& in);

    std::string authority_;
    std::string path_;
    Random random_;
    std::string key_;
    State handshake_ = State::opening;  // then open, and the stream's state counts
    std::string refusal_;
    base::Bytes kept_;  // an unfinished answer
    Stream stream_;
};

}  // namespace sluice::websocket

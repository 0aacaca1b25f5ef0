// The server's side of one WebSocket: bytes of the socket in, payload out, and back.
#pragma once

#include <memory>
#include <string_view>

#include "base/bytes.hpp"
#include "codec/websocket/stream.hpp"
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
    void send(base::ByteView payload, base::Bytes& down) { stream_.send(payload, down); }
    /// The server closes: a close frame, if the client is still there.
    void finish(base::Bytes& down);

    [[nodiscard]] State state() const;
    [[nodiscard]] std::string_view problem() const { return refusal_.empty() ? stream_.problem() : refusal_; }

private:
    void take_request(base::ByteView& in, base::Bytes& down);

    std::shared_ptr<const OriginPolicy> policy_;
    State handshake_ = State::opening;  // then open, and the stream's state counts
    std::string_view refusal_{};        // literals only
    base::Bytes kept_;                  // an unfinished request
    Stream stream_{Side::server};
};

/// What both sides make of a stream's state.
template <class State>
[[nodiscard]] constexpr State state_of(Stream::State state) {
    switch (state) {
        case Stream::State::open:
            return State::open;
        case Stream::State::closed:
            return State::closed;
        case Stream::State::failed:
            break;
    }
    return State::failed;
}

}  // namespace sluice::websocket

// codec/websocket as a layer of a connection.
#pragma once

#include <memory>
#include <utility>

#include "codec/websocket/server.hpp"
#include "env/posix/stream_layer.hpp"

namespace sluice::gateway {

class WebSocketLayer final : public posix::StreamLayer {
public:
    explicit WebSocketLayer(std::shared_ptr<const websocket::OriginPolicy> policy) : server_(std::move(policy)) {}

    [[nodiscard]] Kind kind() const override { return Kind::websocket; }
    State receive(base::ByteView in, base::Bytes& up, base::Bytes& down) override {
        switch (server_.receive(in, up, down)) {
            case websocket::Server::State::opening:
                return State::opening;
            case websocket::Server::State::open:
                return State::open;
            case websocket::Server::State::closed:
                return State::ended;
            case websocket::Server::State::failed:
                break;
        }
        return State::failed;
    }
    void send(base::ByteView plain, base::Bytes& down) override { server_.send(plain, down); }
    void finish(base::Bytes& down) override { server_.finish(down); }
    [[nodiscard]] std::string_view failure() const override { return server_.problem(); }

private:
    websocket::Server server_;
};

}  // namespace sluice::gateway

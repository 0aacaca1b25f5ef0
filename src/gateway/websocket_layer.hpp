// codec/websocket as a layer of a connection.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>

#include "codec/websocket/server.hpp"
#include "env/posix/stream_layer.hpp"

namespace sluice::gateway {

/// Finds where the MQTT packets of a stream end that comes in pieces of any size. What it is given is our own output: well-formed.
class PacketEnds {
public:
    /// How many of these bytes (at least one of them) belong to the packet that is under way or begins with them.
    std::size_t take(base::ByteView bytes) {
        std::size_t at = 0;
        while (at < bytes.size() && stage_ != Stage::body) read_header(bytes[at++]);
        const std::size_t count = std::min(left_, bytes.size() - at);
        left_ -= count;
        if (stage_ == Stage::body && left_ == 0) *this = {};
        return at + count;
    }

private:
    enum class Stage : std::uint8_t { type, length, body };
    void read_header(base::Byte byte) {
        if (stage_ == Stage::type) {
            stage_ = Stage::length;
            return;
        }
        left_ |= static_cast<std::size_t>(byte & 0x7FU) << shift_;
        shift_ += 7;
        if ((byte & 0x80U) == 0) stage_ = Stage::body;
    }
    std::size_t left_ = 0;  // of the body; in the header: what of its length is known
    unsigned shift_ = 0;
    Stage stage_ = Stage::type;
};

/// Sends a frame for each packet. The standard lets a frame hold several (MQTT 5.0 §6), but some clients (paho's for C, up to 1.3.12 at
/// least) lose sight of those behind the first.
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
    void send(base::ByteView plain, base::Bytes& down) override {
        while (!plain.empty()) {
            const std::size_t count = ends_.take(plain);
            server_.send(plain.first(count), down);
            plain = plain.subspan(count);
        }
    }
    void finish(base::Bytes& down) override { server_.finish(down); }
    [[nodiscard]] std::string_view failure() const override { return server_.problem(); }

private:
    websocket::Server server_;
    PacketEnds ends_;
};

}  // namespace sluice::gateway

// codec/proxy as a layer of a connection: takes the header off, then steps aside.
#pragma once

#include "env/posix/stream_layer.hpp"

namespace sluice::gateway {

class ProxyLayer final : public posix::StreamLayer {
public:
    /// `socket`: the proxy, as the socket knows it.
    explicit ProxyLayer(const posix::PeerAddress& socket) : peer_(socket) {}

    [[nodiscard]] Kind kind() const override { return Kind::proxy; }
    State receive(base::ByteView in, base::Bytes& up, base::Bytes& down) override;
    void send(base::ByteView plain, base::Bytes& down) override { base::append(down, plain); }
    void finish(base::Bytes&) override {}
    [[nodiscard]] std::string_view failure() const override { return failure_; }
    [[nodiscard]] const posix::PeerAddress* peer() const override { return &peer_; }

private:
    posix::PeerAddress peer_;
    base::Bytes kept_;  // an unfinished header
    std::string_view failure_{};
};

}  // namespace sluice::gateway

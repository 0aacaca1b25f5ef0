// The connection to the cloud: the name looked up, its addresses tried in turn, TLS where there is some.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "env/posix/event_loop.hpp"
#include "env/posix/resolver.hpp"
#include "env/posix/tcp.hpp"
#include "env/posix/tls_client.hpp"
#include "flow/uplink/uplink.hpp"
#include "gateway/address_turns.hpp"

namespace sluice::gateway {

/// One thread, that of the loop.
class CloudLink final : public uplink::Transport, private posix::TcpHandler {
public:
    struct Options {
        std::string host;
        std::uint16_t port = 0;
        std::shared_ptr<posix::TlsClient> tls;              ///< null: none
        std::chrono::milliseconds connect_timeout{10'000};  ///< of an attempt, all addresses together
    };

    CloudLink(Options options, posix::EventLoop& loop);
    /// Before the loop runs: who is told. Its sockets are written behind all tasks that were added before.
    void wire(uplink::Uplink& to);

    // uplink::Transport
    void open() override;
    void send(base::ByteView bytes) override { tcp_.send(connection_, bytes); }
    void close(bool flush) override;

    void on_turn(base::Monotonic now);
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const;

    /// From here on nothing is told to the uplink; what is queued still leaves.
    void say_goodbye() { saying_goodbye_ = true; }
    /// Nothing is open (any more).
    [[nodiscard]] bool is_closed() const { return connection_ == 0; }
    /// Why the last attempt came to nothing, or the connection ended, in words; empty: nothing more is known.
    [[nodiscard]] const std::string& failure() const { return failure_; }
    /// Something happened since the last call.
    [[nodiscard]] bool take_news() { return std::exchange(news_, false); }

private:
    void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
    void on_layer(posix::TcpId id, const posix::StreamLayer& layer, std::string_view failure) override;
    void on_closed(posix::TcpId id, const base::Error& why) override;
    bool connect_next();
    void connected();

    Options options_;
    posix::EventLoop& loop_;
    posix::TcpConnections tcp_;
    posix::Resolver resolver_;
    uplink::Uplink* uplink_ = nullptr;
    AddressTurns addresses_;
    base::Monotonic attempt_until_{};
    posix::TcpId connection_ = 0;
    std::string failure_;
    bool saying_goodbye_ = false;
    bool news_ = false;
};

}  // namespace sluice::gateway

// A stream to the cloud: the name looked up, its addresses tried in turn, TLS where there is some.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "env/posix/event_loop.hpp"
#include "env/posix/resolver.hpp"
#include "env/posix/tcp.hpp"
#include "env/posix/tls_client.hpp"
#include "flow/uplink/ports.hpp"
#include "gateway/address_turns.hpp"
#include "gateway/cloud_connection.hpp"

namespace sluice::gateway {

class CloudLink final : public CloudConnection, private uplink::Transport, private posix::TcpHandler {
public:
    using MakeCarrier = std::function<std::unique_ptr<uplink::StreamCarrier>(uplink::Transport& over)>;
    struct Options {
        std::string host;
        std::uint16_t port = 0;
        std::shared_ptr<posix::TlsClient> tls;              ///< null: none
        std::chrono::milliseconds connect_timeout{10'000};  ///< of an attempt, all addresses together
    };

    CloudLink(Options options, const MakeCarrier& make_carrier, posix::EventLoop& loop);

    [[nodiscard]] uplink::Carrier& carrier() override { return *carrier_; }
    void attach() override { loop_.add_task(tcp_); }
    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;
    void say_goodbye() override { saying_goodbye_ = true; }
    [[nodiscard]] bool is_closed() const override { return connection_ == 0; }
    [[nodiscard]] const std::string& failure() const override { return failure_; }
    [[nodiscard]] bool take_news() override { return std::exchange(news_, false); }

private:
    // uplink::Transport
    void open() override;
    void send(base::ByteView bytes) override { tcp_.send(connection_, bytes); }
    void close(bool flush) override;
    // posix::TcpHandler
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
    std::unique_ptr<uplink::StreamCarrier> carrier_;
    AddressTurns addresses_;
    base::Monotonic attempt_until_{};
    posix::TcpId connection_ = 0;
    std::string failure_;
    bool saying_goodbye_ = false;
    bool news_ = false;
};

}  // namespace sluice::gateway

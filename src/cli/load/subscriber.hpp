// One MQTT connection that listens to one topic filter.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/load/target.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/tcp.hpp"

namespace sluice::load {

struct SubscriberOptions {
    Endpoint at;
    std::string client_id;
    std::string filter;
    std::uint8_t qos = 1;
};

/// Connects at once and does not reconnect: a listener that was away cannot say that nothing was missed. One thread.
class Subscriber final : private posix::TcpHandler {
public:
    /// Topic and payload are valid during the call; `now` is the time of the loop's turn in which the message arrived.
    using OnMessage = std::function<void(std::string_view topic, std::string_view payload, base::Monotonic now)>;

    Subscriber(posix::EventLoop& loop, SubscriberOptions options, OnMessage on_message);

    void connect();
    [[nodiscard]] bool ready() const { return subscribed_; }
    [[nodiscard]] const std::optional<base::Error>& failure() const { return failure_; }
    [[nodiscard]] std::uint64_t messages() const { return messages_; }
    void disconnect();

private:
    void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
    void on_closed(posix::TcpId id, const base::Error& why) override;

    posix::EventLoop& loop_;
    SubscriberOptions options_;
    OnMessage on_message_;
    posix::TcpConnections connections_;
    posix::TcpId connection_ = 0;
    bool subscribed_ = false;
    bool leaving_ = false;
    std::optional<base::Error> failure_;
    std::uint64_t messages_ = 0;
};

}  // namespace sluice::load

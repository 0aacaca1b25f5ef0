// One MQTT client on an event loop, for commands: connects, says in words what went wrong, connects again when the connection is lost.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "cli/load/target.hpp"
#include "codec/mqtt/client_session.hpp"
#include "env/posix/event_loop.hpp"
#include "env/posix/tcp.hpp"

namespace sluice::cli {

/// What the command hears. Views are valid during the call.
class MqttLinkUser {
public:
    virtual ~MqttLinkUser() = default;
    /// Connected, for the first time or again; nothing is subscribed and nothing in flight.
    virtual void on_up() = 0;
    virtual void on_message(const mqtt::Publish& message) = 0;
    /// See mqtt::ClientListener::on_acked.
    virtual void on_acked(mqtt::PacketId id, base::ByteView codes) = 0;
    /// The server has read everything that was sent before ping().
    virtual void on_pong() = 0;
    /// The connection is lost and will be tried again; `why` is a sentence.
    virtual void on_down(const std::string& why) = 0;
};

struct MqttLinkOptions {
    load::Endpoint to;
    std::string client_id;
    std::uint16_t in_flight_max = 1000;
    /// How long a lost connection is tried again; the first one is tried once. Nothing: for ever.
    std::optional<std::chrono::seconds> patience;
};

/// Speaks 5.0, or 3.1.1 to a server that does not know 5.0. Add nothing to the loop behind it: it adds itself and its sockets. One thread.
class MqttLink final : public posix::TurnTask, private posix::TcpHandler, private mqtt::ClientListener {
public:
    MqttLink(posix::EventLoop& loop, MqttLinkOptions options, MqttLinkUser& user);

    /// Starts the first connection; the outcome comes as on_up() or as failure().
    void open();
    /// See mqtt::ClientSession.
    base::Result<mqtt::PacketId> publish(const mqtt::ClientSession::Message& message);
    base::Result<mqtt::PacketId> subscribe(std::span<const mqtt::Subscription> filters);
    void ping();
    /// Says goodbye; `closed()` once everything has left.
    void close();

    [[nodiscard]] bool up() const { return session_.connected(); }
    [[nodiscard]] bool closed() const { return leaving_ && connection_ == 0; }
    /// Set when the link has given up: a sentence that says what to do.
    [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }
    [[nodiscard]] std::uint16_t window_free() const { return session_.window_free(); }
    [[nodiscard]] std::size_t queued_bytes() const { return connections_.queued_bytes(connection_); }
    [[nodiscard]] std::string address() const;

    void on_turn(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;

private:
    void start_connection();
    void lost(const std::string& why);
    [[nodiscard]] base::Bytes& output();

    void on_open(posix::TcpId id, const posix::PeerAddress& peer) override;
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override;
    void on_layer(posix::TcpId id, const posix::StreamLayer& layer, std::string_view failure) override;
    void on_closed(posix::TcpId id, const base::Error& why) override;
    void on_connected(const mqtt::Connack& connack) override;
    void on_message(const mqtt::Publish& message) override { user_.on_message(message); }
    void on_acked(mqtt::PacketId id, base::ByteView codes) override { user_.on_acked(id, codes); }
    void on_pong() override { user_.on_pong(); }
    void on_closed(mqtt::ReasonCode why) override;

    posix::EventLoop& loop_;
    MqttLinkOptions options_;
    MqttLinkUser& user_;
    mqtt::ClientSession session_;
    posix::TcpConnections connections_;
    posix::TcpId connection_ = 0;
    mqtt::Version version_ = mqtt::Version::v5;
    base::Bytes nowhere_;  // output for a connection that is gone
    std::optional<std::string> failure_;
    std::string layer_failure_;               // what TLS or WebSocket had against this connection
    std::optional<mqtt::ReasonCode> said_;    // why the session ended, when the protocol told
    std::optional<base::Monotonic> open_by_;  // while the connection is being made
    std::optional<base::Monotonic> retry_at_;
    std::optional<base::Monotonic> give_up_at_;
    std::chrono::milliseconds backoff_{0};
    bool was_up_ = false;
    bool leaving_ = false;
};

/// A client id of its own for each run: "sluice-tap-5f2c8e01".
[[nodiscard]] std::string make_client_id(std::string_view command);

}  // namespace sluice::cli

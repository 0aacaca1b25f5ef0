// The client side of MQTT 3.1.1 and 5.0 as a machine without I/O: bytes and time in, bytes out. QoS 0, 1 and 2 both ways.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/time.hpp"
#include "codec/mqtt/packets.hpp"

namespace sluice::mqtt {

class ClientSession;

/// What a client hears. Views are valid during the call. Callbacks may call the session's publish(), subscribe(), disconnect() and so on,
/// but not connect(), on_bytes() or on_tick(), and they may not destroy the session.
class ClientListener {
public:
    virtual ~ClientListener() = default;
    /// The server has accepted us. A refusal comes as on_closed().
    virtual void on_connected(const Connack& connack) = 0;
    /// A message. With QoS 1 and 2 it is acknowledged when the call returns; with QoS 2 repetitions are filtered out.
    virtual void on_message(const Publish& message) = 0;
    /// Our publish (QoS 1 or 2), subscribe or unsubscribe was answered; `codes` has a ReasonCode for each filter of the latter two
    /// (in 3.1.1 none for unsubscribe), else exactly one. An error code for a publish means that the server has not taken it.
    virtual void on_acked(PacketId id, base::ByteView codes) = 0;
    /// The server's answer to ping(): everything sent before it has been read by the server.
    virtual void on_pong() {}
    /// The session is over: refused, a DISCONNECT of the server, a violation by the server, no answer in time (keep_alive_timeout). Close
    /// the socket after sending what is in `out`. Publishes not acked must be published again on the next connection if they matter.
    virtual void on_closed(ReasonCode why) = 0;
};

/// 10,000 of these live in one process: under 150 bytes when idle. One thread. `out` is always the caller's output buffer, appended to.
/// Payloads are not kept: after a lost connection the owner publishes again what was not acked (`dup`), under new packet ids. So QoS 1 is
/// "at least once" across connections; QoS 2 is exactly once within a connection, and for what we receive also across a resumed session.
class ClientSession {
public:
    struct Options {
        std::string_view client_id{};  ///< empty: the server assigns one
        Version version = Version::v5;
        bool clean_start = true;
        std::chrono::seconds keep_alive{60};                ///< 0: none; at most 65,535
        std::chrono::seconds answer_timeout{10};            ///< for CONNACK and PINGRESP
        std::uint16_t in_flight_max = 64;                   ///< QoS 1 and 2 publishes not yet acknowledged; the server may want fewer
        std::uint16_t receive_maximum = 65'535;             ///< 5.0: the same for the other direction; at least 1
        std::uint32_t packet_bytes_max = 16 * 1024 * 1024;  ///< of the server's packets
        std::uint32_t session_expiry_s = 0;                 ///< 5.0
        std::optional<std::string_view> user{};
        std::optional<base::ByteView> password{};
        std::optional<Will> will{};
        Properties more{};  ///< 5.0: further properties of the CONNECT (user properties, …)
    };

    enum class State : std::uint8_t { closed, connecting, connected };

    ClientSession() = default;

    /// Begins a session on a fresh connection: writes CONNECT, forgets what was in flight before.
    void connect(const Options& options, base::Monotonic now, base::Bytes& out);

    struct Message {
        std::string_view topic{};
        base::ByteView payload{};
        Qos qos = Qos::at_most_once;
        bool retain = false;
        bool dup = false;  ///< a repetition of a publish that an earlier connection left without ack
        Properties properties{};
    };
    /// Writes a PUBLISH. Returns its packet id (0 for QoS 0). Errors: closed (not connected), limit (window full: wait for an on_acked),
    /// too_large (for the server), unsupported (QoS or retain that the server has ruled out), invalid (not a topic name).
    base::Result<PacketId> publish(const Message& message, base::Monotonic now, base::Bytes& out);

    /// Of the PUBLISH that publish() would write.
    [[nodiscard]] std::size_t packet_bytes(const Message& message) const;
    /// What the server has said that it takes, or what the protocol allows.
    [[nodiscard]] std::uint32_t server_packet_bytes_max() const { return server_packet_bytes_max_; }

    /// Errors: closed, limit (all packet ids in use), invalid (no filter, or one that is none).
    base::Result<PacketId> subscribe(std::span<const Subscription> filters, base::Monotonic now, base::Bytes& out,
                                     const Properties& properties = {});
    base::Result<PacketId> unsubscribe(std::span<const std::string_view> filters, base::Monotonic now, base::Bytes& out);

    /// A PINGREQ now, beside those of the keep-alive. Does nothing unless connected.
    void ping(base::Monotonic now, base::Bytes& out);

    /// Says goodbye (the server drops the will). The session is closed; on_closed() is not called.
    void disconnect(base::Bytes& out, ReasonCode why = ReasonCode::success);

    /// The connection broke: forgets the session without a word. on_closed() is not called.
    void on_lost();

    /// Takes received bytes; returns how many were used. Show the rest again with more behind it.
    std::size_t on_bytes(base::ByteView in, base::Monotonic now, base::Bytes& out, ClientListener& listener);

    /// Call at or after next_deadline(): sends PINGREQ, or closes when the server does not answer.
    void on_tick(base::Monotonic now, base::Bytes& out, ClientListener& listener);
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const;

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] bool connected() const { return state_ == State::connected; }
    /// Publishes (QoS 1 and 2) that may be sent now without an ack coming first.
    [[nodiscard]] std::uint16_t window_free() const {
        return in_flight_ < window_ ? static_cast<std::uint16_t>(window_ - in_flight_) : std::uint16_t{0};
    }
    [[nodiscard]] std::uint16_t in_flight() const { return in_flight_; }
    [[nodiscard]] Version version() const { return version_; }

private:
    enum class Pending : std::uint8_t { none, puback, pubrec, pubcomp, suback, unsuback };

    base::Result<PacketId> reserve(Pending what);
    [[nodiscard]] Pending* find_pending(PacketId id);
    void settle(PacketId id);
    void take_connack(const Connack& connack, base::Bytes& out, ClientListener& listener);
    void send_ping(base::Monotonic now, base::Bytes& out);
    ReasonCode take_packet(base::Byte first, base::ByteView body, base::Bytes& out, ClientListener& listener);
    ReasonCode take_publish(base::Byte first, base::ByteView body, base::Bytes& out, ClientListener& listener);
    ReasonCode take_ack(PacketType type, base::Byte first, base::ByteView body, base::Bytes& out, ClientListener& listener);
    ReasonCode take_suback(PacketType type, base::ByteView body, ClientListener& listener);
    void fail(ReasonCode why, bool tell_server, base::Bytes& out, ClientListener& listener);
    void reset();

    // Packet ids are handed out in a circle, so the ids in use lie in one arc that starts at oldest_: one byte for each id of it.
    std::vector<Pending> pending_;
    std::vector<PacketId> received_;  // QoS 2 messages taken but not yet released
    base::Monotonic last_in_{};
    base::Monotonic last_out_{};
    base::Monotonic answer_due_{};  // of CONNECT or the oldest PINGREQ; meaningful while connecting or pings_ > 0
    std::uint32_t packet_bytes_max_ = 0;
    std::uint32_t server_packet_bytes_max_ = 0;
    std::uint32_t pending_head_ = 0;  // entries of pending_ before it are settled
    PacketId oldest_ = 1;             // id of pending_[pending_head_]
    PacketId next_ = 1;
    std::uint16_t in_flight_ = 0;
    std::uint16_t window_ = 0;
    std::uint16_t receive_maximum_ = 0;
    std::uint16_t keep_alive_s_ = 0;
    std::uint16_t answer_timeout_s_ = 0;
    std::uint16_t pings_ = 0;  // PINGREQs without an answer
    State state_ = State::closed;
    Version version_ = Version::v5;
    Qos qos_max_ = Qos::exactly_once;
    bool retain_available_ = true;
    bool barrier_ = false;  // ping() waits for its pong
};

}  // namespace sluice::mqtt

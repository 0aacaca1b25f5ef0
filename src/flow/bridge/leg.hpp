// The client's end of one MQTT connection whose messages somebody else answers: handshake, keep-alive and framing here; PUBLISH, SUBACK and
// the acknowledgements are handed on as they come.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "codec/mqtt/framing.hpp"
#include "codec/mqtt/packets.hpp"

namespace sluice::bridge {

class Leg;

/// What the owner of a leg hears. Views are valid during the call. It may not call the leg's connect(), on_bytes() or on_tick() from here.
class LegListener {
public:
    virtual ~LegListener() = default;
    virtual void on_connack(Leg& leg, const mqtt::Connack& connack) = 0;
    /// May the next PUBLISH be handed over? False: it, and all behind it, stays unconsumed.
    [[nodiscard]] virtual bool takes_publish(const Leg& leg) = 0;
    /// The topic may be no topic name: brokers differ in what they let pass.
    virtual void on_publish(Leg& leg, const mqtt::Publish& packet) = 0;
    /// A PUBLISH above what we take has gone by unread. Of `packet` only QoS and identifier are known.
    virtual void on_too_large(Leg& leg, const mqtt::Publish& packet) = 0;
    /// PUBACK, PUBREC, PUBREL, PUBCOMP.
    virtual void on_ack(Leg& leg, mqtt::PacketType type, const mqtt::Ack& packet) = 0;
    /// SUBACK or UNSUBACK.
    virtual void on_suback(Leg& leg, const mqtt::Suback& packet) = 0;
    /// Refused, told to go, or a violation. The leg is closed.
    virtual void on_over(Leg& leg, mqtt::ReasonCode why) = 0;
    /// No answer in time. The leg is closed.
    virtual void on_silence(Leg& leg) = 0;
};

/// One thread. `out` is always the buffer of this leg's connection, appended to.
class Leg {
public:
    enum class State : std::uint8_t { closed, greeting, running };

    /// Writes the CONNECT. `packet.keep_alive` 0: none is asked for; the server may want one.
    void connect(const mqtt::Connect& packet, std::chrono::seconds answer_timeout, std::uint32_t packet_bytes_max, base::Monotonic now,
                 base::Bytes& out);
    /// The connection is gone.
    void lost() { state_ = State::closed; }

    /// Takes received bytes; returns how many were used: all whole packets, up to a PUBLISH that the listener does not take now.
    std::size_t on_bytes(base::ByteView in, base::Monotonic now, base::Bytes& out, LegListener& listener);
    /// At or after next_deadline(): PINGREQ, or the end where no answer came.
    void on_tick(base::Monotonic now, base::Bytes& out, LegListener& listener);
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const;
    /// Something was written that the other side hears.
    void wrote(base::Monotonic now) { last_out_ = now; }
    /// Nothing is read for now, by our own choice: silence is not held against the other side.
    void held(base::Monotonic now) {
        last_in_ = now;
        answer_due_ = now + answer_timeout_;
    }

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] bool running() const { return state_ == State::running; }
    [[nodiscard]] mqtt::Version version() const { return version_; }
    // What the server has said in its latest CONNACK.
    [[nodiscard]] std::uint16_t receive_maximum() const { return receive_maximum_; }
    [[nodiscard]] std::uint32_t packet_bytes_max() const { return their_packet_bytes_max_; }
    [[nodiscard]] mqtt::Qos qos_max() const { return qos_max_; }
    [[nodiscard]] bool retain_available() const { return retain_available_; }

private:
    /// False: the identifier is not there yet.
    [[nodiscard]] bool begin_skipping(const mqtt::Framed& framed, base::ByteView in, mqtt::ReasonCode& reason);
    mqtt::ReasonCode take_connack(base::ByteView body, LegListener& listener);
    mqtt::ReasonCode take_packet(const mqtt::Framed& framed, base::ByteView body, LegListener& listener);
    void end(mqtt::ReasonCode why, LegListener& listener);

    base::Monotonic last_in_{};
    base::Monotonic last_out_{};
    base::Monotonic answer_due_{};  // while greeting or pinging_
    std::chrono::seconds answer_timeout_{10};
    std::chrono::seconds keep_alive_{0};
    mqtt::Publish skipped_;        // whose bytes go by
    std::uint32_t skip_left_ = 0;  // as many are still to come
    std::uint32_t packet_bytes_max_ = 0;
    std::uint32_t their_packet_bytes_max_ = mqtt::kPacketBytesMax;
    std::uint16_t receive_maximum_ = 65'535;
    mqtt::Version version_ = mqtt::Version::v5;
    mqtt::Qos qos_max_ = mqtt::Qos::exactly_once;
    State state_ = State::closed;
    bool retain_available_ = true;
    bool pinging_ = false;
};

}  // namespace sluice::bridge

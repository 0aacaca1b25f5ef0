// Messages as PUBLISH of MQTT 5.0 or 3.1.1 with QoS 1: Sluice clouds, brokers, AWS IoT Core, Azure IoT Hub.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "codec/mqtt/client_session.hpp"
#include "codec/mqtt/version_choice.hpp"
#include "flow/uplink/carrier.hpp"
#include "flow/uplink/ports.hpp"

namespace sluice::uplink {

/// Which versions of MQTT the cloud is asked for, in which order.
enum class Protocol : std::uint8_t { automatic, v5, v311 };

/// Who we say that we are in CONNECT.
struct MqttSignIn {
    std::string client_id;
    std::string user;        ///< empty: none
    std::string password;    ///< empty: none
    std::string will_topic;  ///< empty: no will
    std::string will_payload;
    bool will_retain = false;
    /// A password that ends some time: before that, when nothing is on its way, the connection is remade with a new one.
    std::optional<std::chrono::milliseconds> valid_for{};
};

class MqttCarrier final : public StreamCarrier, private mqtt::ClientListener {
public:
    struct Options {
        Protocol protocol = Protocol::v5;
        std::chrono::milliseconds keep_alive{30'000};
        std::chrono::milliseconds answer_timeout{20'000};  ///< for CONNACK and PINGRESP
        std::uint16_t in_flight = 17;                      ///< PUBLISH without PUBACK
    };
    /// `sign_in` is called for each connection.
    MqttCarrier(Options options, std::function<MqttSignIn()> sign_in, Transport& transport);

    void join(CarrierListener& listener) override { listener_ = &listener; }
    void open(base::Monotonic now) override;
    void close(bool flush) override;
    void farewell() override;
    [[nodiscard]] bool reached() const override { return reached_; }
    [[nodiscard]] std::size_t window_free() const override { return renewing_ ? 0 : session_.window_free(); }
    base::Result<Ticket> send(const Outgoing& message, base::Monotonic now) override;
    [[nodiscard]] MessageSize size_of(const Outgoing& message) override;
    void flush() override;
    void on_tick(base::Monotonic now) override;
    [[nodiscard]] std::optional<base::Monotonic> next_deadline() const override;
    [[nodiscard]] std::uint64_t bytes_up() const override { return bytes_up_; }
    [[nodiscard]] std::uint64_t bytes_down() const override { return bytes_down_; }
    [[nodiscard]] std::string_view protocol() const override;

    // From the transport
    void on_connected(base::Monotonic now) override;
    std::size_t on_bytes(base::ByteView bytes, base::Monotonic now) override;
    void on_closed(base::Monotonic now) override;

private:
    // mqtt::ClientListener
    void on_connected(const mqtt::Connack& connack) override;
    void on_message(const mqtt::Publish& message) override;
    void on_acked(mqtt::PacketId id, base::ByteView codes) override;
    void on_closed(mqtt::ReasonCode why) override;

    [[nodiscard]] mqtt::ClientSession::Message publish_of(const Outgoing& message);
    void renew_if_due(base::Monotonic now);

    Options options_;
    std::function<MqttSignIn()> sign_in_;
    Transport& transport_;
    CarrierListener* listener_ = nullptr;
    mqtt::ClientSession session_;
    mqtt::VersionChoice versions_;
    base::Bytes out_;
    base::Bytes properties_;
    base::Monotonic now_{};  // of the call under way
    std::optional<std::chrono::milliseconds> valid_for_;
    std::optional<base::Monotonic> renew_at_;
    bool open_ = false;      // the transport has been asked for a connection and has not said that it ended
    bool reached_ = false;   // it is connected
    bool greeting_ = false;  // CONNECT is out, CONNACK is awaited
    bool renewing_ = false;  // nothing more is sent on this connection
    std::uint64_t bytes_up_ = 0;
    std::uint64_t bytes_down_ = 0;
};

}  // namespace sluice::uplink

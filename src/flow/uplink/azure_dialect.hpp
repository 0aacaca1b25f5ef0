// Azure IoT Hub over MQTT: events as a broker gets them, on the topic of a device's messages, with properties in the topic's name.
#pragma once

#include <string>

#include "flow/uplink/broker_dialect.hpp"

namespace sluice::uplink {

/// `devices/{device}/messages/events/{bag}`; the bag is URL-encoded: `$.ct` and `$.ce` (so that the hub's routes can look into the body),
/// `$.mid` (the message's id), `gateway` and `class`, and with Payload::data what the row does not say. Source: Microsoft, "Use MQTT to
/// communicate with an IoT hub".
class AzureDialect final : public Dialect {
public:
    /// `options.topic` and `status_topic` have no meaning here.
    AzureDialect(BrokerDialect::Options options, std::string_view device);

    void begin(std::string_view class_name, data::Sequence first) override;
    bool add_event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) override {
        return inner_.add_event(sequence, rule, ts_ms, json);
    }
    bool add_gap(data::Sequence first, data::Sequence last, base::DropReason reason) override {
        return inner_.add_gap(first, last, reason);
    }
    [[nodiscard]] std::size_t bytes() const override { return inner_.bytes(); }
    Outgoing finish(data::Epoch epoch) override;
    [[nodiscard]] std::size_t fill_bytes_max() const override { return inner_.fill_bytes_max(); }
    [[nodiscard]] std::size_t items_max() const override { return inner_.items_max(); }
    std::optional<Outgoing> status(bool, StatusSource&) override { return std::nullopt; }

private:
    std::string gateway_;
    std::string prefix_;
    std::string class_;
    std::string topic_;
    BrokerDialect inner_;
};

/// For a place in a URL (RFC 3986): all but letters, digits and `-._~` as %XX.
[[nodiscard]] std::string percent_encoded(std::string_view text);

}  // namespace sluice::uplink

// A Sluice cloud: docs/formats/wire.md.
#pragma once

#include <string>

#include "codec/wire/batch.hpp"
#include "flow/uplink/dialect.hpp"
#include "flow/uplink/mqtt_carrier.hpp"

namespace sluice::uplink {

/// An empty token: sign in without one.
[[nodiscard]] MqttSignIn sluice_sign_in(const std::string& gateway, const std::string& token);

class SluiceDialect final : public Dialect {
public:
    /// `gateway`: its id.
    explicit SluiceDialect(const std::string& gateway);

    void begin(std::string_view class_name, data::Sequence first) override { encoder_.begin(class_name, first); }
    bool add_event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) override;
    bool add_gap(data::Sequence first, data::Sequence last, base::DropReason reason) override;
    [[nodiscard]] std::size_t bytes() const override { return encoder_.body_bytes(); }
    Outgoing finish(data::Epoch epoch) override;
    [[nodiscard]] std::size_t fill_bytes_max() const override { return wire::kFillBytesMax; }
    [[nodiscard]] std::size_t items_max() const override { return wire::kItemsMax; }
    std::optional<Outgoing> status(bool online, StatusSource& source) override;

private:
    std::string events_topic_;
    std::string status_topic_;
    wire::Encoder encoder_;
    base::Bytes message_;
};

}  // namespace sluice::uplink

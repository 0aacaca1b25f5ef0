// Brokers and receivers that know nothing of Sluice: events as JSON, many in a message or one. Format: docs/uplinks.md.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "flow/uplink/dialect.hpp"

namespace sluice::uplink {

/// How an event is written.
enum class Payload : std::uint8_t {
    batch,     ///< {"gateway","epoch","class","events":[…]}: as many as fit
    envelope,  ///< {"gateway","epoch","class","seq","rule","ts","data":{…}}: one
    data,      ///< the rule's row alone; with 5.0 the rest goes beside it, in user properties
};

/// With its gateway's id in place of `{gateway}`.
[[nodiscard]] std::string with_gateway(std::string topic, std::string_view gateway);
/// What the status topic says of a gateway that has gone.
inline constexpr std::string_view kOfflineStatus = R"({"online":false})";

class BrokerDialect final : public Dialect {
public:
    struct Options {
        std::string gateway;
        std::string topic;         ///< {gateway}, {class}, and {rule} where a message holds one event
        std::string status_topic;  ///< {gateway}; empty: no status. Retained
        Payload payload = Payload::batch;
        std::size_t message_bytes_max = 128 * 1024;  ///< of a message's payload, but for an event that is larger alone
    };
    explicit BrokerDialect(Options options);

    void begin(std::string_view class_name, data::Sequence first) override;
    bool add_event(data::Sequence sequence, std::string_view rule, std::int64_t ts_ms, base::ByteView json) override;
    bool add_gap(data::Sequence first, data::Sequence last, base::DropReason reason) override;
    [[nodiscard]] std::size_t bytes() const override { return items_.size(); }
    Outgoing finish(data::Epoch epoch) override;
    [[nodiscard]] std::size_t fill_bytes_max() const override;
    [[nodiscard]] std::size_t items_max() const override;
    std::optional<Outgoing> status(bool online, StatusSource& source) override;

private:
    void append_head(data::Epoch epoch);
    void append_identity(data::Epoch epoch);

    Options options_;
    std::string class_;
    base::Bytes items_;    // of the message under way, as JSON
    base::Bytes message_;  // finished
    std::string topic_;
    std::string id_;
    std::string key_;
    data::Sequence first_;
    data::Sequence last_;
    // Of the last item: what stands beside the data of a message that holds one
    std::string rule_;
    data::Sequence sequence_;
    std::int64_t ts_ms_ = 0;
    bool is_gap_ = false;
    std::array<std::string, 3> numbers_;  // epoch, seq and ts as text
    std::array<Header, 6> identity_;
};

}  // namespace sluice::uplink

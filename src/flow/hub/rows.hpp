// What is kept of sessions and retained messages, as rows of bytes: docs/formats/sessions.md. Written by the recorder, read at start.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/time.hpp"
#include "codec/mqtt/packet.hpp"
#include "flow/hub/message.hpp"
#include "flow/hub/subscriptions.hpp"

namespace sluice::hub {

enum class RowKind : std::uint8_t { session = 1, subscription = 2, delivery = 3, inflight = 4, retained = 5 };

/// Milliseconds of the data directory's life: counts while a gateway runs on it and, as far as the wall clock can be trusted, between runs.
/// Deadlines are stored in it, so a wall clock that jumps moves none of them. 0: none.
using Age = std::uint64_t;

/// What `now` is as an age, and so any other moment of this run.
struct AgeClock {
    base::Monotonic now{};
    Age age = 1;
    /// kNever is 0. At least 1 else.
    [[nodiscard]] Age age_of(base::Monotonic at) const;
    /// 0 is kNever, as is anything more than a century away.
    [[nodiscard]] base::Monotonic time_of(Age at) const;
};

struct SessionRow {
    std::string_view client{};
    std::string_view owner{};  ///< Authenticator::name_of() of who made it
    std::uint32_t expiry_seconds = 0;
    Age ends = 0;                              ///< 0: its client was connected
    std::vector<mqtt::PacketId> unreleased{};  ///< QoS 2 publishes whose PUBREL is to come: written at a clean stop only
};
struct SubscriptionRow {
    SubscriptionOptions options{};
    std::uint32_t identifier = 0;
    std::string_view group{};  ///< empty: not shared
    std::string_view filter{};
};
struct MessageRow {
    std::string_view topic{};
    base::ByteView properties{};
    base::ByteView payload{};
    Age expires = 0;
    std::uint8_t qos = 0;
};
struct DeliveryRow {
    std::uint8_t qos = 1;
    bool retain = false;
    mqtt::PacketId packet_id = 0;  ///< 0: not sent when this was written
    std::vector<std::uint32_t> identifiers{};
    MessageRow message{};
};
struct InflightRow {
    mqtt::PacketId packet_id = 0;
    std::uint8_t qos = 1;
    bool released = false;  ///< QoS 2: PUBREC is in
};

void append_row(base::Bytes& to, const SessionRow& row);
void append_row(base::Bytes& to, const SubscriptionRow& row);
void append_row(base::Bytes& to, const MessageRow& row);
/// Without its message: that follows, as its own row has it.
void append_row(base::Bytes& to, const DeliveryRow& row);
void append_row(base::Bytes& to, const InflightRow& row);

// Views are into `bytes`. Errors: corrupt (cut short, a value out of its range, a topic or filter that is none), version.
base::Result<SessionRow> read_session_row(base::ByteView bytes);
base::Result<SubscriptionRow> read_subscription_row(base::ByteView bytes);
base::Result<MessageRow> read_message_row(base::ByteView bytes);
base::Result<DeliveryRow> read_delivery_row(base::ByteView bytes);
base::Result<InflightRow> read_inflight_row(base::ByteView bytes);

}  // namespace sluice::hub

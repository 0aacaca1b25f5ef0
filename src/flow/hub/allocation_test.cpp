// No allocation per message once buffers have their size.
#include <array>

#include <gtest/gtest.h>

#include "codec/mqtt/encode.hpp"
#include "flow/hub/allocation_count_test.hpp"
#include "flow/hub/hub.hpp"

namespace sluice::hub::test {
namespace {

constexpr std::size_t kSlots = 3;
constexpr ConnectionId id_of(std::size_t slot) { return ConnectionId((std::uint64_t{1} << 32) | slot); }

/// Two publishers (3.1.1 and 5.0) and a subscriber; outputs are emptied but keep their memory.
class Rig final : public Port {
public:
    explicit Rig(std::string_view filter, std::uint8_t qos) : hub_({}, *this) {
        for (std::size_t slot = 0; slot < kSlots; ++slot) {
            hub_.on_connected(id_of(slot), {}, now_);
            const std::string client = "client-" + std::to_string(slot);
            base::Bytes packet;
            mqtt::encode_connect(packet, {.version = slot == 1 ? mqtt::Version::v5 : mqtt::Version::v311,
                                          .client_id = client,
                                          .will = {},
                                          .user = {},
                                          .password = {},
                                          .properties = {}});
            send(slot, packet);
        }
        base::Bytes packet;
        const mqtt::Subscription one{.filter = filter, .qos = static_cast<mqtt::Qos>(qos)};
        mqtt::encode_subscribe(packet, 1, std::span(&one, 1), mqtt::Version::v311);
        send(2, packet);
    }

    base::Bytes publish(std::size_t slot, std::uint8_t qos, bool retain) {
        base::Bytes packet;
        mqtt::encode_publish(packet,
                             {.topic = "sensors/sensor-00042/vibration",
                              .payload = base::as_bytes(std::string_view(R"({"vibration":0.731})")),
                              .packet_id = static_cast<mqtt::PacketId>(qos == 0 ? 0 : 7),
                              .qos = static_cast<mqtt::Qos>(qos),
                              .retain = retain,
                              .properties = {}},
                             slot == 1 ? mqtt::Version::v5 : mqtt::Version::v311);
        return packet;
    }

    /// A turn: the packet arrives, everything durable, the subscriber acknowledges what it got, outputs leave.
    void turn(std::size_t slot, base::Bytes& padded, std::size_t size) {
        hub_.on_bytes(id_of(slot), base::ByteView(padded).first(size), now_, {});
        hub_.on_durable(ticket_);
        const auto& got = outputs_[2];
        if (!got.empty() && (got[0] & 6U) == 2) {  // QoS 1: the identifier stands behind the topic
            const std::size_t topic = 2U + static_cast<std::size_t>(got[2]) * 256U + got[3];
            ack_ = mqtt::short_ack(mqtt::PacketType::puback, static_cast<mqtt::PacketId>(got[2 + topic] << 8 | got[3 + topic]));
            std::copy(ack_.begin(), ack_.end(), ack_padded_.begin());
            hub_.on_bytes(id_of(2), base::ByteView(ack_padded_).first(ack_.size()), now_, {});
        }
        if (!got.empty()) ++delivered;
        for (auto& output : outputs_) output.clear();
        hub_.end_of_turn(now_);
        now_ += std::chrono::milliseconds(1);
    }

    base::Bytes* output(ConnectionId to) override { return &outputs_[static_cast<std::uint32_t>(to.value())]; }
    [[nodiscard]] std::size_t queued_bytes(ConnectionId) const override { return 0; }
    void close(ConnectionId) override { FAIL(); }
    Ticket accept(const data::Reading&, bool acknowledged) override { return acknowledged ? ++ticket_ : 0; }
    bool to_shard(data::ShardIndex, ShardMessage&&) override { return false; }

    std::size_t delivered = 0;

private:
    void send(std::size_t slot, base::Bytes packet) {
        const auto size = packet.size();
        packet.resize(size + data::kReadablePadding);
        ASSERT_EQ(hub_.on_bytes(id_of(slot), base::ByteView(packet).first(size), now_, {}), size);
        outputs_[slot].clear();
    }
    std::array<base::Bytes, kSlots> outputs_;
    std::array<base::Byte, 4> ack_{};
    std::array<base::Byte, 4 + data::kReadablePadding> ack_padded_{};
    base::Monotonic now_{std::chrono::seconds(1)};
    Ticket ticket_ = 0;
    Hub hub_;
};

/// Allocations of 1,000 turns after 100 that grow the buffers.
std::size_t allocations_of(Rig& rig, std::size_t slot, std::uint8_t qos, bool retain) {
    base::Bytes packet = rig.publish(slot, qos, retain);
    const auto size = packet.size();
    packet.resize(size + data::kReadablePadding);
    for (int i = 0; i < 100; ++i) rig.turn(slot, packet, size);
    rig.delivered = 0;
    const auto before = allocations_so_far();
    for (int i = 0; i < 1000; ++i) rig.turn(slot, packet, size);
    return allocations_so_far() - before;
}

TEST(Allocation, a_publish_that_nobody_wants_allocates_nothing) {
    Rig rig("alerts/#", 0);
    for (std::size_t slot = 0; slot < 2; ++slot)
        for (std::uint8_t qos = 0; qos <= 1; ++qos)
            EXPECT_EQ(allocations_of(rig, slot, qos, false), 0U) << "slot " << slot << " QoS " << int{qos};
    EXPECT_EQ(rig.delivered, 0U);
}

TEST(Allocation, a_publish_delivered_with_qos_0_allocates_nothing) {
    Rig rig("sensors/+/vibration", 0);
    for (std::size_t slot = 0; slot < 2; ++slot) {
        EXPECT_EQ(allocations_of(rig, slot, 0, false), 0U);
        EXPECT_EQ(rig.delivered, 1000U);
    }
}

TEST(Allocation, a_retained_reading_of_the_same_size_allocates_nothing) {
    Rig rig("sensors/#", 0);
    EXPECT_EQ(allocations_of(rig, 0, 0, true), 0U);
    EXPECT_EQ(rig.delivered, 1000U);
}

TEST(Allocation, a_publish_delivered_with_qos_1_allocates_the_message_only) {
    Rig rig("sensors/#", 1);
    EXPECT_EQ(allocations_of(rig, 0, 1, false), 1000U);
    EXPECT_EQ(rig.delivered, 1000U);
}

}  // namespace
}  // namespace sluice::hub::test

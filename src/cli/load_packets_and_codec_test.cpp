// The load generator's hand-made packets, as our codec reads them: two readings of the standard that must agree.
#include <string>

#include <gtest/gtest.h>

#include "cli/load/packets.hpp"
#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/framing.hpp"

namespace sluice::load {
namespace {

mqtt::Framed framed(const base::Bytes& bytes) {
    const auto frame = mqtt::frame(bytes);
    EXPECT_EQ(frame.status, mqtt::FrameStatus::complete);
    EXPECT_EQ(frame.total, bytes.size());
    return frame;
}

TEST(LoadPacketsAndCodec, connect_means_the_same_to_both) {
    base::Bytes bytes;
    append_connect(bytes, "sensor-00042", 300);
    mqtt::Connect connect;
    ASSERT_TRUE(mqtt::decode_connect(framed(bytes).body(bytes), connect).good());
    EXPECT_EQ(connect.version, mqtt::Version::v311);
    EXPECT_TRUE(connect.clean_start);
    EXPECT_EQ(connect.client_id, "sensor-00042");
    EXPECT_EQ(connect.keep_alive.count(), 300);
    EXPECT_FALSE(connect.will || connect.user || connect.password);
}

TEST(LoadPacketsAndCodec, publish_means_the_same_to_both) {
    for (const std::size_t size : {0U, 100U, 200U, 20'000U}) {
        const std::string payload(size, 'x');
        base::Bytes bytes;
        append_publish(bytes,
                       {.topic = "sensors/sensor-00042/vibration", .payload = payload, .qos = 1, .packet_id = 513, .duplicate = true});
        const auto frame = framed(bytes);
        mqtt::Publish publish;
        ASSERT_TRUE(mqtt::decode_publish(frame.first, frame.body(bytes), mqtt::Version::v311, publish).good());
        EXPECT_EQ(publish.topic, "sensors/sensor-00042/vibration");
        EXPECT_EQ(base::as_text(publish.payload), payload);
        EXPECT_EQ(publish.qos, mqtt::Qos::at_least_once);
        EXPECT_EQ(publish.packet_id, 513);
        EXPECT_TRUE(publish.dup);
        EXPECT_FALSE(publish.retain);
    }
}

TEST(LoadPacketsAndCodec, subscribe_puback_ping_and_disconnect_mean_the_same_to_both) {
    base::Bytes bytes;
    append_subscribe(bytes, 7, "alerts/#", 1);
    mqtt::Subscribe subscribe;
    ASSERT_TRUE(mqtt::decode_subscribe(framed(bytes).body(bytes), mqtt::Version::v311, subscribe).good());
    EXPECT_EQ(subscribe.packet_id, 7);

    bytes.clear();
    append_puback(bytes, 4660);
    mqtt::Ack ack;
    const auto frame = framed(bytes);
    ASSERT_TRUE(mqtt::decode_ack(frame.first, frame.body(bytes), mqtt::Version::v311, ack).good());
    EXPECT_EQ(ack.packet_id, 4660);

    bytes.clear();
    append_pingreq(bytes);
    EXPECT_EQ(framed(bytes).type(), mqtt::PacketType::pingreq);
    bytes.clear();
    append_disconnect(bytes);
    EXPECT_EQ(framed(bytes).type(), mqtt::PacketType::disconnect);
}

}  // namespace
}  // namespace sluice::load

// The carrier over MQTT against brokers of both versions.
#include "flow/uplink/mqtt_carrier.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"
#include "flow/uplink/uplink_rig.hpp"

namespace sluice::uplink::testing {
namespace {

/// A broker that takes what comes, in one version of MQTT.
class Broker {
public:
    Broker(MqttCarrier& carrier, mqtt::Version speaks) : carrier_(carrier), speaks_(speaks) {}

    /// Answers everything in `in`; false: it hangs up.
    bool take(base::Bytes& in, Monotonic now) {
        base::Bytes bytes;
        bytes.swap(in);
        for (std::size_t at = 0; at < bytes.size();) {
            const auto rest = base::ByteView(bytes).subspan(at);
            const auto framed = mqtt::frame(rest);
            if (framed.status != mqtt::FrameStatus::complete) return false;
            at += framed.total;
            base::Bytes answer;
            if (framed.type() == mqtt::PacketType::connect) {
                mqtt::Connect packet;
                if (!mqtt::decode_connect(framed.body(rest), packet)) return false;
                asked.push_back(packet.version);
                if (packet.will) wills.emplace_back(packet.will->topic, packet.will->retain);
                users.push_back(fmt::format("{}/{}/{}", packet.client_id, packet.user.value_or("-"),
                                            packet.password ? base::as_text(*packet.password) : "-"));
                const bool known = packet.version == speaks_;
                mqtt::encode_connack(answer, {.reason = known ? mqtt::ReasonCode::success : mqtt::ReasonCode::unsupported_protocol_version},
                                     speaks_);
            } else if (framed.type() == mqtt::PacketType::publish) {
                mqtt::Publish packet;
                if (!mqtt::decode_publish(framed.first, framed.body(rest), speaks_, packet)) return false;
                topics.emplace_back(packet.topic);
                beside.emplace_back();
                packet.properties.for_each([&](const mqtt::PropertyItem& item) {
                    if (item.id == mqtt::Property::user_property) beside.back()[std::string(item.name)] = item.text;
                });
                mqtt::encode_ack(answer, mqtt::PacketType::puback, {.packet_id = packet.packet_id}, speaks_);
            }
            if (!answer.empty()) (void)carrier_.on_bytes(answer, now);
        }
        return true;
    }
    std::vector<mqtt::Version> asked;
    std::vector<std::string> topics, users;
    std::vector<std::pair<std::string, bool>> wills;
    std::vector<std::map<std::string, std::string>> beside;

private:
    MqttCarrier& carrier_;
    mqtt::Version speaks_;
};

class MqttCarrierTest : public ::testing::TestWithParam<mqtt::Version> {};

TEST_P(MqttCarrierTest, says_who_we_are_and_what_stands_beside_a_payload_in_the_version_that_the_broker_speaks) {
    const mqtt::Version speaks = GetParam();
    FakeSpool spool;
    FakeStatus status;
    FakeTransport transport;
    FixedEntropy entropy;
    MqttCarrier carrier(
        {.protocol = Protocol::automatic},
        [] {
            return MqttSignIn{.client_id = "line-1",
                              .user = "ana",
                              .password = "secret",
                              .will_topic = "plants/plant-7/status",
                              .will_payload = std::string(kOfflineStatus),
                              .will_retain = true};
        },
        transport);
    Options plan;
    plan.classes = {{data::ClassIndex(0), "alert", 0}};
    auto dialect = std::make_unique<BrokerDialect>(BrokerDialect::Options{
        .gateway = "plant-7", .topic = "plants/{gateway}/{class}/{rule}", .status_topic = "", .payload = Payload::data});
    Uplink uplink(plan, std::move(dialect), carrier, spool, status, entropy);
    Broker broker(carrier, speaks);
    spool.add(0, R"({"n":1})");
    Monotonic now{seconds(1000)};
    uplink.start(now);
    for (int i = 0; i < 40 && broker.topics.empty(); ++i) {
        if (transport.is_open) carrier.on_connected(now);
        while (!transport.sent.empty() && broker.take(transport.sent, now)) {
        }
        now = std::max(now, uplink.next_deadline().value_or(now));
        uplink.on_tick(now);
    }
    const bool old = speaks == mqtt::Version::v311;
    EXPECT_EQ(broker.asked, old ? (std::vector{mqtt::Version::v5, mqtt::Version::v311}) : std::vector{mqtt::Version::v5});
    EXPECT_EQ(broker.users.back(), "line-1/ana/secret");
    EXPECT_EQ(broker.wills.back(), (std::pair<std::string, bool>("plants/plant-7/status", true)));
    EXPECT_EQ(carrier.protocol(), old ? "MQTT 3.1.1" : "MQTT 5.0");
    EXPECT_TRUE(uplink.stats().connected);
    ASSERT_EQ(broker.topics, std::vector<std::string>{"plants/plant-7/alert/rule"});
    const std::map<std::string, std::string> all{{"gateway", "plant-7"}, {"epoch", "9"},   {"class", "alert"},
                                                 {"seq", "1"},           {"rule", "rule"}, {"ts", "7"}};
    EXPECT_EQ(broker.beside.back(), old ? (std::map<std::string, std::string>{}) : all);
    EXPECT_EQ(spool.acked[0], 1U);
}
INSTANTIATE_TEST_SUITE_P(versions, MqttCarrierTest, ::testing::Values(mqtt::Version::v5, mqtt::Version::v311),
                         [](const auto& row) { return row.param == mqtt::Version::v5 ? "v5" : "v311"; });

}  // namespace
}  // namespace sluice::uplink::testing

#include "flow/uplink/broker_dialect.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"
#include "flow/uplink/uplink.hpp"
#include "flow/uplink/uplink_rig.hpp"

namespace sluice::uplink::testing {
namespace {

BrokerDialect::Options options(Payload payload) {
    return {.gateway = "plant-7",
            .client_id = "line-1",
            .user = "ana",
            .password = "secret",
            .topic = payload == Payload::batch ? "plants/{gateway}/{class}" : "plants/{gateway}/{class}/{rule}",
            .status_topic = "plants/{gateway}/status",
            .payload = payload};
}

std::string text(base::ByteView bytes) { return std::string(base::as_text(bytes)); }

TEST(BrokerDialect, says_who_we_are_with_a_retained_will) {
    BrokerDialect dialect(options(Payload::batch));
    mqtt::ClientSession::Options connect;
    dialect.greet(connect);
    EXPECT_EQ(connect.client_id, "line-1");
    EXPECT_EQ(*connect.user, "ana");
    EXPECT_EQ(text(*connect.password), "secret");
    EXPECT_EQ(connect.will->topic, "plants/plant-7/status");
    EXPECT_TRUE(connect.will->retain);
    FakeStatus source;
    EXPECT_EQ(text(dialect.status(true, source)->payload), R"({"online":true,"ledger":{"readings_in":1}})");
    EXPECT_EQ(text(dialect.status(false, source)->payload), R"({"online":false})");
}

TEST(BrokerDialect, a_batch_is_one_object_with_events_and_gaps_in_order) {
    BrokerDialect dialect(options(Payload::batch));
    dialect.begin("alert", data::Sequence(5));
    EXPECT_TRUE(dialect.add_event(data::Sequence(5), "hot", 1700, base::as_bytes(R"({"t":1})")));
    EXPECT_TRUE(dialect.add_gap(data::Sequence(6), data::Sequence(8), base::DropReason::ttl));
    EXPECT_TRUE(dialect.add_event(data::Sequence(9), "hot", 1701, base::as_bytes(R"({"t":2})")));
    const Outgoing out = dialect.finish(mqtt::Version::v5, data::Epoch(3));
    EXPECT_EQ(out.topic, "plants/plant-7/alert");
    EXPECT_EQ(text(out.payload),
              R"({"gateway":"plant-7","epoch":3,"class":"alert","events":[{"seq":5,"rule":"hot","ts":1700,"data":{"t":1}},)"
              R"({"gap":{"first":6,"last":8,"reason":"ttl"}},{"seq":9,"rule":"hot","ts":1701,"data":{"t":2}}]})");
    EXPECT_FALSE(out.retain);
}

TEST(BrokerDialect, an_envelope_is_one_event_with_its_number) {
    BrokerDialect dialect(options(Payload::envelope));
    dialect.begin("alert", data::Sequence(5));
    EXPECT_TRUE(dialect.add_event(data::Sequence(5), "hot", 1700, base::as_bytes(R"({"t":1})")));
    const Outgoing out = dialect.finish(mqtt::Version::v311, data::Epoch(3));
    EXPECT_EQ(out.topic, "plants/plant-7/alert/hot");
    EXPECT_EQ(text(out.payload), R"({"gateway":"plant-7","epoch":3,"class":"alert","seq":5,"rule":"hot","ts":1700,"data":{"t":1}})");
    EXPECT_EQ(dialect.items_max(), 1U);
}

TEST(BrokerDialect, bare_data_has_its_number_beside_it_where_the_version_can_say_so) {
    BrokerDialect dialect(options(Payload::data));
    for (const mqtt::Version version : {mqtt::Version::v5, mqtt::Version::v311}) {
        dialect.begin("alert", data::Sequence(5));
        EXPECT_TRUE(dialect.add_event(data::Sequence(5), "a/+#b", 1700, base::as_bytes(R"({"t":1})")));
        const Outgoing out = dialect.finish(version, data::Epoch(3));
        EXPECT_EQ(out.topic, "plants/plant-7/alert/a___b") << "a rule's name is one level";
        EXPECT_EQ(text(out.payload), R"({"t":1})");
        std::map<std::string, std::string> user;
        out.properties.for_each([&](const mqtt::PropertyItem& item) {
            if (item.id == mqtt::Property::user_property) user[std::string(item.name)] = item.text;
        });
        if (version == mqtt::Version::v311) {
            EXPECT_TRUE(user.empty());
        } else {
            EXPECT_EQ(user,
                      (std::map<std::string, std::string>{
                          {"gateway", "plant-7"}, {"epoch", "3"}, {"class", "alert"}, {"seq", "5"}, {"rule", "a/+#b"}, {"ts", "1700"}}));
        }
        dialect.begin("alert", data::Sequence(6));
        EXPECT_TRUE(dialect.add_gap(data::Sequence(6), data::Sequence(8), base::DropReason::ttl));
        EXPECT_EQ(text(dialect.finish(version, data::Epoch(3)).payload),
                  R"({"gateway":"plant-7","epoch":3,"class":"alert","gap":{"first":6,"last":8,"reason":"ttl"}})");
    }
}

TEST(BrokerDialect, a_batch_of_the_smallest_events_keeps_the_limit_of_a_message) {
    BrokerDialect::Options small = options(Payload::batch);
    small.message_bytes_max = 4096;
    BrokerDialect dialect(small);
    constexpr std::uint64_t kLargest = (std::uint64_t{1} << 53) - 1;
    dialect.begin("alert", data::Sequence(kLargest - dialect.items_max()));
    std::size_t filled = 0;
    for (std::size_t i = 0; i < dialect.items_max() && filled < dialect.fill_bytes_max(); ++i) {
        EXPECT_TRUE(dialect.add_event(data::Sequence(kLargest - dialect.items_max() + i), "r", 1'900'000'000'000, base::as_bytes("{}")));
        filled += 3;
    }
    EXPECT_LE(dialect.finish(mqtt::Version::v5, data::Epoch(kLargest)).payload.size(), 4096 + 256U);
}

/// A broker that takes what comes, in one version of MQTT.
class Broker {
public:
    explicit Broker(std::unique_ptr<Uplink>& uplink, mqtt::Version speaks) : uplink_(uplink), speaks_(speaks) {}

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
                const bool known = packet.version == speaks_;
                mqtt::encode_connack(answer, {.reason = known ? mqtt::ReasonCode::success : mqtt::ReasonCode::unsupported_protocol_version},
                                     speaks_);
            } else if (framed.type() == mqtt::PacketType::publish) {
                mqtt::Publish packet;
                if (!mqtt::decode_publish(framed.first, framed.body(rest), speaks_, packet)) return false;
                topics.emplace_back(packet.topic);
                payloads.emplace_back(base::as_text(packet.payload));
                mqtt::encode_ack(answer, mqtt::PacketType::puback, {.packet_id = packet.packet_id}, speaks_);
            }
            if (!answer.empty()) (void)uplink_->on_bytes(answer, now);
        }
        return true;
    }
    std::vector<mqtt::Version> asked;
    std::vector<std::string> topics, payloads;

private:
    std::unique_ptr<Uplink>& uplink_;
    mqtt::Version speaks_;
};

TEST(BrokerDialect, a_broker_that_knows_only_the_old_version_gets_everything_in_that) {
    FakeSpool spool;
    FakeStatus status;
    FakeTransport transport;
    FixedEntropy entropy;
    Options plan;
    plan.protocol = Protocol::automatic;
    plan.classes = {{data::ClassIndex(0), "alert", 0}};
    std::unique_ptr<Uplink> uplink;
    Broker broker(uplink, mqtt::Version::v311);
    uplink = std::make_unique<Uplink>(plan, std::make_unique<BrokerDialect>(options(Payload::envelope)), spool, status, transport, entropy);
    spool.add(0, R"({"n":1})");
    Monotonic now{seconds(1000)};
    uplink->start(now);
    for (int i = 0; i < 40 && broker.topics.empty(); ++i) {
        if (transport.is_open) uplink->on_connected(now);
        while (!transport.sent.empty() && broker.take(transport.sent, now)) {
        }
        now = std::max(now, uplink->next_deadline().value_or(now));
        uplink->on_tick(now);
    }
    EXPECT_EQ(broker.asked, (std::vector{mqtt::Version::v5, mqtt::Version::v311}));
    EXPECT_EQ(uplink->stats().version, mqtt::Version::v311);
    EXPECT_TRUE(uplink->stats().connected);
    EXPECT_NE(std::find(broker.topics.begin(), broker.topics.end(), "plants/plant-7/alert/rule"), broker.topics.end());
    EXPECT_EQ(spool.acked[0], 1U);
}

}  // namespace
}  // namespace sluice::uplink::testing

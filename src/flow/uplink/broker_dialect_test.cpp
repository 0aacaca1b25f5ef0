#include "flow/uplink/broker_dialect.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "flow/uplink/uplink_rig.hpp"

namespace sluice::uplink::testing {
namespace {

BrokerDialect::Options options(Payload payload) {
    return {.gateway = "plant-7",
            .topic = payload == Payload::batch ? "plants/{gateway}/{class}" : "plants/{gateway}/{class}/{rule}",
            .status_topic = "plants/{gateway}/status",
            .payload = payload};
}

std::string text(base::ByteView bytes) { return std::string(base::as_text(bytes)); }

TEST(BrokerDialect, its_status_is_retained) {
    BrokerDialect dialect(options(Payload::batch));
    FakeStatus source;
    EXPECT_EQ(dialect.status(true, source)->topic, "plants/plant-7/status");
    EXPECT_TRUE(dialect.status(true, source)->retain);
    EXPECT_EQ(text(dialect.status(true, source)->payload), R"({"online":true,"ledger":{"readings_in":1}})");
    EXPECT_EQ(text(dialect.status(false, source)->payload), R"({"online":false})");
}

TEST(BrokerDialect, a_batch_is_one_object_with_events_and_gaps_in_order) {
    BrokerDialect dialect(options(Payload::batch));
    dialect.begin("alert", data::Sequence(5));
    EXPECT_TRUE(dialect.add_event(data::Sequence(5), "hot", 1700, base::as_bytes(R"({"t":1})")));
    EXPECT_TRUE(dialect.add_gap(data::Sequence(6), data::Sequence(8), base::DropReason::ttl));
    EXPECT_TRUE(dialect.add_event(data::Sequence(9), "hot", 1701, base::as_bytes(R"({"t":2})")));
    const Outgoing out = dialect.finish(data::Epoch(3));
    EXPECT_EQ(out.topic, "plants/plant-7/alert");
    EXPECT_EQ(out.id, "plant-7/3/alert/5-9") << "a copy with one event more is another message";
    EXPECT_EQ(out.key, "plant-7/alert") << "what has to stay in order";
    EXPECT_TRUE(out.headers.empty());
    EXPECT_EQ(text(out.payload),
              R"({"gateway":"plant-7","epoch":3,"class":"alert","events":[{"seq":5,"rule":"hot","ts":1700,"data":{"t":1}},)"
              R"({"gap":{"first":6,"last":8,"reason":"ttl"}},{"seq":9,"rule":"hot","ts":1701,"data":{"t":2}}]})");
    EXPECT_FALSE(out.retain);
}

TEST(BrokerDialect, an_envelope_is_one_event_with_its_number) {
    BrokerDialect dialect(options(Payload::envelope));
    dialect.begin("alert", data::Sequence(5));
    EXPECT_TRUE(dialect.add_event(data::Sequence(5), "hot", 1700, base::as_bytes(R"({"t":1})")));
    const Outgoing out = dialect.finish(data::Epoch(3));
    EXPECT_EQ(out.topic, "plants/plant-7/alert/hot");
    EXPECT_EQ(out.id, "plant-7/3/alert/5-5");
    EXPECT_EQ(text(out.payload), R"({"gateway":"plant-7","epoch":3,"class":"alert","seq":5,"rule":"hot","ts":1700,"data":{"t":1}})");
    EXPECT_EQ(dialect.items_max(), 1U);
}

TEST(BrokerDialect, bare_data_has_its_number_beside_it) {
    BrokerDialect dialect(options(Payload::data));
    dialect.begin("alert", data::Sequence(5));
    EXPECT_TRUE(dialect.add_event(data::Sequence(5), "a/+#b", 1700, base::as_bytes(R"({"t":1})")));
    const Outgoing out = dialect.finish(data::Epoch(3));
    EXPECT_EQ(out.topic, "plants/plant-7/alert/a___b") << "a rule's name is one level";
    EXPECT_EQ(text(out.payload), R"({"t":1})");
    std::map<std::string, std::string> beside;
    for (const auto& [name, value] : out.headers) beside[std::string(name)] = value;
    EXPECT_EQ(beside, (std::map<std::string, std::string>{
                          {"gateway", "plant-7"}, {"epoch", "3"}, {"class", "alert"}, {"seq", "5"}, {"rule", "a/+#b"}, {"ts", "1700"}}));
    dialect.begin("alert", data::Sequence(6));
    EXPECT_TRUE(dialect.add_gap(data::Sequence(6), data::Sequence(8), base::DropReason::ttl));
    EXPECT_EQ(text(dialect.finish(data::Epoch(3)).payload),
              R"({"gateway":"plant-7","epoch":3,"class":"alert","gap":{"first":6,"last":8,"reason":"ttl"}})");
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
    EXPECT_LE(dialect.finish(data::Epoch(kLargest)).payload.size(), 4096 + 256U);
}

}  // namespace
}  // namespace sluice::uplink::testing

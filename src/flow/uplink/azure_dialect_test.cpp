#include "flow/uplink/azure_dialect.hpp"

#include <gtest/gtest.h>

namespace sluice::uplink {
namespace {

BrokerDialect::Options options(Payload payload) {
    return {.gateway = "plant-7", .topic = "ignored/{class}", .status_topic = "ignored", .payload = payload};
}

TEST(AzureDialect, a_batch_goes_to_the_topic_of_the_devices_messages_with_its_properties_in_the_name) {
    AzureDialect dialect(options(Payload::batch), "line-1");
    dialect.begin("alert", data::Sequence(5));
    EXPECT_TRUE(dialect.add_event(data::Sequence(5), "hot", 1700, base::as_bytes(R"({"t":1})")));
    const Outgoing out = dialect.finish(data::Epoch(3));
    EXPECT_EQ(
        out.topic,
        "devices/line-1/messages/events/$.ct=application%2Fjson&$.ce=utf-8&$.mid=plant-7%2F3%2Falert%2F5-5&gateway=plant-7&class=alert");
    EXPECT_EQ(base::as_text(out.payload),
              R"({"gateway":"plant-7","epoch":3,"class":"alert","events":[{"seq":5,"rule":"hot","ts":1700,"data":{"t":1}}]})");
    EXPECT_FALSE(out.retain) << "the hub knows none";
}

TEST(AzureDialect, what_a_bare_row_does_not_say_is_in_the_name_too) {
    AzureDialect dialect(options(Payload::data), "line-1");
    dialect.begin("alert", data::Sequence(5));
    EXPECT_TRUE(dialect.add_event(data::Sequence(5), "hot & dry", 1700, base::as_bytes(R"({"t":1})")));
    EXPECT_EQ(dialect.finish(data::Epoch(3)).topic,
              "devices/line-1/messages/events/$.ct=application%2Fjson&$.ce=utf-8&$.mid=plant-7%2F3%2Falert%2F5-5&gateway=plant-7&epoch=3"
              "&class=alert&seq=5&rule=hot%20%26%20dry&ts=1700");
}

TEST(AzureDialect, tells_the_hub_no_status) {
    AzureDialect dialect(options(Payload::batch), "line-1");
    class Nothing final : public StatusSource {
        void append_ledger(base::Bytes&) override {}
    } source;
    EXPECT_FALSE(dialect.status(true, source));
}

}  // namespace
}  // namespace sluice::uplink

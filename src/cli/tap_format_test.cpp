#include "cli/tap_format.hpp"

#include <string_view>

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

TEST(TapFormat, a_line_has_time_topic_and_what_is_shown) {
    const mqtt::Publish packet{.topic = "a/b\x1B"};
    const mqtt::Publish retained{.topic = "a/b", .retain = true};
    const auto at = base::from_ms(86'400'000 + 3'723'004);
    EXPECT_EQ(tap_line({.packet = packet, .arrived = at, .shown = "{\"x\":1}"}), "01:02:03.004 a/b\\x1b {\"x\":1}");
    EXPECT_EQ(tap_line({.packet = retained, .arrived = at}), "01:02:03.004 a/b (retained) ");
}

std::string json(std::string_view payload, std::optional<std::string_view> value = {}) {
    const mqtt::Publish packet{.topic = "a\"b", .payload = base::as_bytes(payload)};
    return tap_json({.packet = packet, .arrived = base::from_ms(1234), .value = value});
}

TEST(TapFormat, json_carries_any_payload) {
    EXPECT_EQ(json("{\"x\":1}"), R"({"ts":1234,"topic":"a\"b","qos":0,"retain":false,"payload":"{\"x\":1}"})");
    EXPECT_EQ(json("\xFF"), R"({"ts":1234,"topic":"a\"b","qos":0,"retain":false,"payload_base64":"/w=="})");
    EXPECT_EQ(json("\xFF\xFE"), R"({"ts":1234,"topic":"a\"b","qos":0,"retain":false,"payload_base64":"//4="})");
    EXPECT_EQ(json(std::string_view("\xFF\xFE\x00", 3)), R"({"ts":1234,"topic":"a\"b","qos":0,"retain":false,"payload_base64":"//4A"})");
    EXPECT_EQ(json("1", "[1]"), R"({"ts":1234,"topic":"a\"b","qos":0,"retain":false,"payload":"1","value":[1]})");
}

TEST(TapFormat, verbose_shows_quality_of_service_and_properties) {
    base::Bytes buffer;
    mqtt::PropertyWriter writer(buffer);
    writer.text(mqtt::Property::content_type, "text/plain").number(mqtt::Property::message_expiry_interval, 60);
    writer.text(mqtt::Property::correlation_data, "\xFF").user("site", "a\x1B").user("site", "b");
    const mqtt::Publish packet{.topic = "t", .payload = base::as_bytes("x"), .qos = mqtt::Qos::at_least_once, .properties = writer.done()};
    const TapMessage message{.packet = packet, .arrived = base::from_ms(0), .shown = "x", .verbose = true};
    EXPECT_EQ(
        tap_line(message),
        "00:00:00.000 t (qos 1, content-type text/plain, message-expiry-interval 60, correlation-data base64 /w==, site=a\\x1b, site=b) x");
    EXPECT_EQ(tap_json(message),
              R"({"ts":0,"topic":"t","qos":1,"retain":false,"payload":"x","properties":{"content_type":"text/plain",)"
              R"("message_expiry_interval":60,"correlation_data_base64":"/w==","user_properties":[["site","a\u001b"],["site","b"]]}})");
}

}  // namespace
}  // namespace sluice::cli

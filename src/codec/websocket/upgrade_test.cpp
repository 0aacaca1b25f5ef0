#include "codec/websocket/upgrade.hpp"

#include <gtest/gtest.h>

#include "codec/websocket/test_frames.hpp"

namespace sluice::websocket {
namespace {

Upgrade judge(const std::string& text, const OriginPolicy& policy = {}) { return upgrade(base::as_bytes(text), policy); }

/// The request with one piece of its text replaced.
std::string with(const std::string& what, const std::string& by) {
    std::string out = kRequest;
    out.replace(out.find(what), what.size(), by);
    return out;
}

std::string status_of(const std::string& text, const OriginPolicy& policy = {}) {
    const Upgrade judged = judge(text, policy);
    if (judged.status == UpgradeStatus::incomplete) return "incomplete";
    return judged.answer.substr(9, 3);
}

TEST(WebSocketUpgrade, the_key_of_the_standards_example_gets_the_standards_answer) {
    EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocketUpgrade, a_good_request_is_answered_with_101_and_the_subprotocol) {
    const Upgrade judged = judge(kRequest + "frames");
    ASSERT_EQ(judged.status, UpgradeStatus::accepted);
    EXPECT_EQ(judged.size, kRequest.size());
    EXPECT_EQ(judged.answer,
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n");
    EXPECT_NE(judge(with("chat, mqtt", "mqttv3.1")).answer.find("Sec-WebSocket-Protocol: mqttv3.1\r\n"), std::string::npos);
}

TEST(WebSocketUpgrade, every_beginning_of_a_good_request_is_incomplete) {
    for (std::size_t cut = 0; cut < kRequest.size(); ++cut) ASSERT_EQ(status_of(kRequest.substr(0, cut)), "incomplete") << cut;
}

TEST(WebSocketUpgrade, names_and_words_of_fields_are_read_in_any_case_and_in_several_lines) {
    EXPECT_EQ(status_of(with("Upgrade: websocket", "UPGRADE: h2c, WebSocket")), "101");
    EXPECT_EQ(status_of(with("Connection: keep-alive, Upgrade", "Connection: keep-alive\r\nconnection: uPGRADE")), "101");
    EXPECT_EQ(status_of(with("Sec-WebSocket-Protocol: chat, mqtt", "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: mqtt")), "101");
}

TEST(WebSocketUpgrade, other_requests_get_an_answer_that_says_what_was_expected) {
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "426");
    EXPECT_EQ(status_of(with("Upgrade: websocket\r\n", "")), "426");
    EXPECT_EQ(status_of(with("keep-alive, Upgrade", "keep-alive")), "426");
    EXPECT_EQ(status_of(with("Version: 13", "Version: 8")), "426");
    EXPECT_EQ(status_of("POST / HTTP/1.1\r\nHost: x\r\n\r\n"), "400");
    EXPECT_EQ(status_of(with("HTTP/1.1", "HTTP/1.0")), "400");
    EXPECT_EQ(status_of(with("GET /mqtt", "GET")), "400");
    EXPECT_EQ(status_of(with("Host: 127.0.0.1:9001\r\n", "")), "400");
    EXPECT_EQ(status_of(with("Host: 127.0.0.1:9001", "Host: a\r\nHost: b")), "400");
    EXPECT_EQ(status_of(with("dGhlIHNhbXBsZSBub25jZQ==", "short")), "400");
    EXPECT_EQ(status_of(with("chat, mqtt", "chat")), "400");
    EXPECT_EQ(status_of(with("Upgrade: websocket\r\n", "Upgrade: websocket\r\n folded: x\r\n")), "400");
    EXPECT_EQ(status_of(with("Upgrade: websocket\r\n", "Upgrade: websocket\r\nContent-Length: 5\r\n")), "400");
    EXPECT_EQ(status_of(with("Upgrade: websocket\r\n", "Upgrade: websocket\r\nTransfer-Encoding: chunked\r\n")), "400");
    EXPECT_EQ(status_of("\x10\x0c"), "400") << "MQTT without WebSocket";
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\n\r\n"), "400");
    EXPECT_EQ(status_of("GET /" + std::string(kHeadBytesMax, 'x')), "431");
}

TEST(WebSocketUpgrade, a_page_may_connect_to_its_own_host_if_that_is_an_address) {
    const OriginPolicy policy;
    EXPECT_TRUE(origin_allowed("http://127.0.0.1:3000", "127.0.0.1:9001", policy));
    EXPECT_TRUE(origin_allowed("http://localhost", "LocalHost:9001", policy));
    EXPECT_TRUE(origin_allowed("http://[::1]:3000", "[::1]:9001", policy));
    EXPECT_FALSE(origin_allowed("http://127.0.0.1:3000", "127.0.0.2:9001", policy));
    EXPECT_FALSE(origin_allowed("https://evil.example", "127.0.0.1:9001", policy));
    EXPECT_FALSE(origin_allowed("https://evil.example", "evil.example:9001", policy)) << "DNS rebinding";
    EXPECT_FALSE(origin_allowed("https://1.evil", "1.evil:9001", policy));
    EXPECT_FALSE(origin_allowed("null", "127.0.0.1:9001", policy));
    EXPECT_FALSE(origin_allowed("", "", policy));
    EXPECT_FALSE(origin_allowed("http://", "", policy));
}

TEST(WebSocketUpgrade, a_name_that_a_certificate_proves_is_as_good_as_an_address) {
    OriginPolicy policy;
    policy.name_is_proved = true;
    EXPECT_TRUE(origin_allowed("https://plant.example", "plant.example:9443", policy));
    EXPECT_FALSE(origin_allowed("https://evil.example", "plant.example:9443", policy));
}

TEST(WebSocketUpgrade, a_list_of_origins_is_all_that_counts) {
    OriginPolicy policy;
    policy.origins = {"https://dash.example"};
    EXPECT_TRUE(origin_allowed("https://dash.example", "plant:9001", policy));
    EXPECT_FALSE(origin_allowed("http://dash.example", "plant:9001", policy));
    EXPECT_FALSE(origin_allowed("http://127.0.0.1", "127.0.0.1:9001", policy));
    OriginPolicy everyone;
    everyone.origins = {"*"};
    EXPECT_TRUE(origin_allowed("null", "plant:9001", everyone));
    EXPECT_EQ(status_of(with("Host:", "Origin: https://other.example\r\nHost:"), policy), "403");
    EXPECT_EQ(status_of(with("Host:", "Origin: https://dash.example\r\nHost:"), policy), "101");
    EXPECT_EQ(status_of(kRequest, policy), "101") << "no browser";
}

}  // namespace
}  // namespace sluice::websocket

// The client's side against the server's, and against servers that answer badly.
#include "codec/websocket/client.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "codec/websocket/server.hpp"

namespace sluice::websocket {
namespace {

using State = Client::State;

/// "Random": the sample nonce of RFC 6455 §1.3, then a mask.
Random counted(int& calls) {
    return [&calls](std::span<base::Byte> out) {
        const std::string_view from = calls++ == 0 ? "the sample nonce" : "mask";
        std::copy_n(from.begin(), out.size(), out.begin());
    };
}

class WebSocketClient : public testing::Test {
protected:
    WebSocketClient() : client("plant-7:9001", "/mqtt", counted(calls)) { client.begin(to_server); }
    /// Passes everything on until nobody says anything.
    void talk() {
        while (!to_server.empty() || !to_client.empty()) {
            const base::Bytes there = std::exchange(to_server, {});
            if (!there.empty() && server.state() <= Server::State::open) server.receive(there, server_got, to_client);
            const base::Bytes back = std::exchange(to_client, {});
            if (!back.empty() && client.state() <= State::open) client.receive(back, client_got, to_server);
        }
    }
    State answer(const std::string& text) { return client.receive(base::as_bytes(text), client_got, to_server); }

    int calls = 0;
    Client client;
    Server server{std::make_shared<const OriginPolicy>()};
    base::Bytes to_server;
    base::Bytes to_client;
    base::Bytes server_got;
    base::Bytes client_got;
};

TEST_F(WebSocketClient, asks_for_mqtt_with_a_key_of_its_own) {
    EXPECT_EQ(base::as_text(to_server),
              "GET /mqtt HTTP/1.1\r\nHost: plant-7:9001\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    EXPECT_EQ(client.state(), State::opening);
}

TEST_F(WebSocketClient, bytes_of_both_sides_arrive_masked_one_way_only) {
    talk();
    ASSERT_EQ(client.state(), State::open) << client.problem();
    std::string all;
    for (const std::size_t size : {1UL, 125UL, 126UL, 65535UL, 65536UL, 200'000UL}) {
        const std::string payload(size, 'x');
        all += payload;
        client.send(base::as_bytes(payload), to_server);
        EXPECT_EQ(base::as_text(to_server).find(std::string(2, 'x')), std::string::npos) << "masked";
        server.send(base::as_bytes(payload), to_client);
        talk();
    }
    EXPECT_EQ(base::as_text(server_got), all);
    EXPECT_EQ(base::as_text(client_got), all);
    client.send({}, to_server);
    EXPECT_TRUE(to_server.empty());
}

TEST_F(WebSocketClient, what_comes_byte_by_byte_is_put_together) {
    server.receive(std::exchange(to_server, {}), server_got, to_client);
    server.send(base::as_bytes("hello"), to_client);
    base::Bytes none;
    for (const base::Byte each : to_client) client.receive({&each, 1}, client_got, none);
    EXPECT_EQ(base::as_text(client_got), "hello");
}

TEST_F(WebSocketClient, a_goodbye_of_either_side_is_answered) {
    talk();
    client.finish(to_server);
    talk();
    EXPECT_EQ(server.state(), Server::State::closed);
    EXPECT_EQ(client.state(), State::closed);
}

TEST_F(WebSocketClient, a_ping_is_answered_with_a_masked_pong) {
    talk();
    EXPECT_EQ(answer("\x89\x02hi"), State::open);
    EXPECT_EQ(base::as_text(to_server), std::string("\x8A\x82mask") + static_cast<char>('h' ^ 'm') + static_cast<char>('i' ^ 'a'));
}

TEST_F(WebSocketClient, a_masked_frame_of_a_server_breaks_the_protocol) {
    talk();
    EXPECT_EQ(answer(std::string("\x82\x81") + "mask" + "x"), State::failed);
    EXPECT_EQ(client.problem(), "a frame breaks the protocol");
}

std::string refused(const std::string& text) {
    int calls = 0;
    Client client("a", "/", counted(calls));
    base::Bytes bytes;
    client.begin(bytes);
    return client.receive(base::as_bytes(text), bytes, bytes) == State::failed ? std::string(client.problem()) : "";
}

TEST(WebSocketAnswer, one_that_is_no_consent_is_refused_with_a_reason) {
    const std::string good =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    EXPECT_EQ(refused(good + "Sec-WebSocket-Protocol: mqtt\r\n\r\n"), "");
    EXPECT_EQ(refused(good + "\r\n"), "") << "some servers do not say which";
    EXPECT_EQ(refused(good + "Sec-WebSocket-Protocol: chat\r\n\r\n"), "a WebSocket server for something other than mqtt");
    EXPECT_EQ(refused("HTTP/1.1 404 Not Found\r\n\r\n"), "the WebSocket request was answered with HTTP status 404");
    EXPECT_EQ(refused("HTTP/1.1 \x1b[2 Gone\r\n\r\n"), "not a WebSocket server: no HTTP/1.1") << "what is shown cannot steer a terminal";
    EXPECT_EQ(refused("HTTP/1.1 101\r\n\r\n"), "not a WebSocket server: a wrong answer");
    std::string other = good;
    other[other.find("s3p")] = 'S';
    EXPECT_EQ(refused(other + "\r\n"), "not a WebSocket server: a wrong answer");
    EXPECT_EQ(refused(good + good.substr(good.find("Sec-")) + "\r\n"), "a header field that may come only once came twice");
    EXPECT_EQ(refused("\x20\x02"), "not a WebSocket server: no HTTP/1.1") << "MQTT without WebSocket";
    EXPECT_EQ(refused("HTTP/1.1 101 " + std::string(kHeadBytesMax, 'x')), "the answer to the WebSocket request is longer than 8192 bytes");
}

}  // namespace
}  // namespace sluice::websocket

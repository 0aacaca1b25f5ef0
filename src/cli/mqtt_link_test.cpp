// The link against a scripted server on the same loop; time is turned by hand.
#include "cli/mqtt_link.hpp"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;

class HandClock final : public env::Clock {
public:
    [[nodiscard]] base::Monotonic now() const override { return time; }
    [[nodiscard]] env::WallReading wall() const override { return {base::from_ms(0), true}; }
    base::Monotonic time{std::chrono::hours(1)};
};

/// Answers CONNECTs as told, acknowledges publishes unless told not to.
class Server final : public posix::TcpHandler, public posix::TcpListener::Sink {
public:
    explicit Server(posix::EventLoop& loop) : connections(loop, *this) {}
    void on_accept(posix::DetachedConnection&& connection) override { connections.adopt(std::move(connection)); }
    void on_open(posix::TcpId id, const posix::PeerAddress&) override { client = id; }
    void on_closed(posix::TcpId, const base::Error&) override {}

    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override {
        std::size_t used = 0;
        for (auto framed = mqtt::frame(bytes); framed.status == mqtt::FrameStatus::complete; framed = mqtt::frame(bytes.subspan(used))) {
            take(id, framed, framed.body(bytes.subspan(used)));
            used += framed.total;
        }
        return used;
    }

    void take(posix::TcpId id, const mqtt::Framed& framed, base::ByteView body) {
        auto* out = connections.output(id);
        if (out == nullptr) return;
        if (framed.type() == mqtt::PacketType::connect) {
            mqtt::Connect packet;
            ASSERT_TRUE(mqtt::decode_connect(body, packet));
            versions.push_back(packet.version);
            const bool too_new = only_311 && packet.version == mqtt::Version::v5;
            const auto answer = too_new ? mqtt::ReasonCode::unsupported_protocol_version : reason;
            mqtt::encode_connack(*out, {.reason = answer}, too_new ? mqtt::Version::v311 : packet.version);
            version = packet.version;
        } else if (framed.type() == mqtt::PacketType::publish) {
            mqtt::Publish packet;
            ASSERT_TRUE(mqtt::decode_publish(framed.first, body, version, packet));
            topics.emplace_back(packet.topic);
            if (acks) mqtt::encode_ack(*out, mqtt::PacketType::puback, {.packet_id = packet.packet_id}, version);
        } else if (framed.type() == mqtt::PacketType::pingreq) {
            base::append(*out, base::ByteView(mqtt::kPingresp));
        } else if (framed.type() == mqtt::PacketType::disconnect) {
            ++goodbyes;
        }
    }

    posix::TcpConnections connections;
    posix::TcpId client = 0;
    mqtt::ReasonCode reason = mqtt::ReasonCode::success;
    mqtt::Version version = mqtt::Version::v5;
    bool only_311 = false;
    bool acks = true;
    int goodbyes = 0;
    std::vector<mqtt::Version> versions;
    std::vector<std::string> topics;
};

class Link : public ::testing::Test, public MqttLinkUser {
protected:
    Link() : loop(clock, 0us), server(loop) {
        loop.add_task(server.connections);
        auto opened = posix::TcpListener::open(loop, server, "127.0.0.1", 0);
        EXPECT_TRUE(opened);
        listener = std::move(*opened);
        port = listener->port();
        make(5s);
    }
    void make(std::optional<std::chrono::seconds> patience) {
        link = std::make_unique<MqttLink>(
            loop, MqttLinkOptions{.to = {.target = {.host = "127.0.0.1", .port = port}}, .client_id = "c", .patience = patience}, *this);
    }
    /// Turns until it holds; the bound is far above what any case needs.
    template <class Condition>
    bool turn_until(Condition holds) {
        for (int i = 0; i < 20'000; ++i) {
            if (holds()) return true;
            loop.run_once(loop.now());
        }
        return false;
    }

    void on_up() override { ++ups; }
    void on_message(const mqtt::Publish&) override {}
    void on_acked(mqtt::PacketId, base::ByteView codes) override { acked += codes.size(); }
    void on_pong() override { ++pongs; }
    void on_down(const std::string& why) override { downs.push_back(why); }

    HandClock clock;
    posix::EventLoop loop;
    Server server;
    std::unique_ptr<posix::TcpListener> listener;
    std::uint16_t port = 0;
    std::unique_ptr<MqttLink> link;
    int ups = 0;
    int pongs = 0;
    std::size_t acked = 0;
    std::vector<std::string> downs;
};

TEST_F(Link, publishes_and_says_goodbye) {
    link->open();
    ASSERT_TRUE(turn_until([&] { return ups == 1; }));
    ASSERT_TRUE(link->publish({.topic = "a", .payload = {}, .qos = mqtt::Qos::at_least_once}));
    link->ping();
    ASSERT_TRUE(turn_until([&] { return acked == 1 && pongs == 1; }));
    link->close();
    ASSERT_TRUE(turn_until([&] { return link->closed() && server.goodbyes == 1; }));
    EXPECT_FALSE(link->failure());
    EXPECT_EQ(server.versions, std::vector{mqtt::Version::v5});
}

TEST_F(Link, a_server_that_knows_only_3_1_1_is_spoken_to_in_3_1_1) {
    server.only_311 = true;
    link->open();
    ASSERT_TRUE(turn_until([&] { return ups == 1; }));
    EXPECT_EQ(server.versions, (std::vector{mqtt::Version::v5, mqtt::Version::v311}));
    ASSERT_TRUE(link->publish({.topic = "a", .payload = {}, .qos = mqtt::Qos::at_least_once}));
    ASSERT_TRUE(turn_until([&] { return acked == 1; }));
}

TEST_F(Link, a_lost_connection_is_made_again_and_told_once) {
    link->open();
    ASSERT_TRUE(turn_until([&] { return ups == 1; }));
    server.connections.abort(server.client);
    ASSERT_TRUE(turn_until([&] { return downs.size() == 1; }));
    EXPECT_EQ(link->publish({.topic = "a"}).error().code, base::Errc::closed);
    EXPECT_EQ(ups, 1);
    clock.time += 200ms;
    ASSERT_TRUE(turn_until([&] { return ups == 2; }));
    EXPECT_EQ(downs.size(), 1U);
    EXPECT_FALSE(link->failure());
}

TEST_F(Link, patience_ends) {
    link->open();
    ASSERT_TRUE(turn_until([&] { return ups == 1; }));
    listener.reset();
    server.connections.abort(server.client);
    ASSERT_TRUE(turn_until([&] {
        clock.time += 10ms;
        return link->failure().has_value();
    }));
    EXPECT_NE(link->failure()->find("tried again for 5 s"), std::string::npos) << *link->failure();
    EXPECT_EQ(downs.size(), 1U);
}

TEST_F(Link, nothing_listening_is_said_at_once) {
    listener.reset();
    link->open();
    ASSERT_TRUE(turn_until([&] { return link->failure().has_value(); }));
    EXPECT_NE(link->failure()->find("nothing listens at mqtt://127.0.0.1:"), std::string::npos) << *link->failure();
}

TEST_F(Link, a_refusal_says_what_to_do_and_is_not_tried_again) {
    server.reason = mqtt::ReasonCode::not_authorized;
    link->open();
    ASSERT_TRUE(turn_until([&] { return link->failure().has_value(); }));
    EXPECT_NE(link->failure()->find("Not authorized; give --user and --password-file"), std::string::npos) << *link->failure();
    EXPECT_EQ(server.versions.size(), 1U);
}

TEST_F(Link, a_server_that_never_answers_is_given_up) {
    link->open();
    ASSERT_TRUE(turn_until([&] { return server.client != 0; }));
    server.connections.pause_reading(true);
    // Accepted, but its CONNECT is never read: the client machine's own limit ends it.
    ASSERT_TRUE(turn_until([&] {
        clock.time += 100ms;
        return link->failure().has_value();
    }));
    EXPECT_NE(link->failure()->find("Keep Alive timeout; is that an MQTT port?"), std::string::npos) << *link->failure();
}

TEST_F(Link, each_run_has_a_client_id_of_its_own) {
    EXPECT_NE(make_client_id("tap"), make_client_id("tap"));
    EXPECT_TRUE(make_client_id("tap").starts_with("sluice-tap-"));
}

}  // namespace
}  // namespace sluice::cli

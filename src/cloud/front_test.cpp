// The cloud's threads with real sockets and a real database, against a client machine.
#include "cloud/front.hpp"

#include <cstdlib>
#include <filesystem>
#include <functional>

#include <gtest/gtest.h>

#include "cloud/event_query.hpp"
#include "codec/mqtt/client_session.hpp"
#include "codec/wire/topics.hpp"
#include "env/posix/clock.hpp"

namespace sluice::cloud {
namespace {

/// A gateway's connection on the test's own thread.
class Client final : public posix::TcpHandler, public mqtt::ClientListener {
public:
    Client(const env::Clock& clock, std::uint16_t port) : loop_(clock, std::chrono::microseconds(0)), tcp_(loop_, *this) {
        loop_.add_task(tcp_);
        id_ = *tcp_.connect("127.0.0.1", port);
    }
    void run_until(const std::function<bool()>& done) {
        while (!done()) loop_.run_once(std::nullopt);
    }
    void publish(const base::Bytes& payload) {
        base::Bytes out;
        mqtt::ClientSession::Message message;
        message.topic = topic_;
        message.payload = payload;
        message.qos = mqtt::Qos::at_least_once;
        ASSERT_TRUE(session_.publish(message, loop_.now(), out));
        tcp_.send(id_, out);
        ++published;
    }

    void on_open(posix::TcpId id, const posix::PeerAddress&) override {
        base::Bytes out;
        mqtt::ClientSession::Options options;
        options.client_id = "gw:plant-7";
        options.user = "plant-7";
        session_.connect(options, loop_.now(), out);
        tcp_.send(id, out);
    }
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override {
        base::Bytes out;
        const auto used = session_.on_bytes(bytes, loop_.now(), out, *this);
        tcp_.send(id, out);
        return used;
    }
    void on_closed(posix::TcpId, const base::Error&) override { lost = true; }
    void on_connected(const mqtt::Connack&) override { connected = true; }
    void on_message(const mqtt::Publish&) override {}
    void on_acked(mqtt::PacketId, base::ByteView codes) override {
        EXPECT_TRUE(codes.empty() || codes[0] < 0x80);
        ++acked;
    }
    void on_closed(mqtt::ReasonCode why) override { farewell = why; }

    bool connected = false;
    bool lost = false;
    std::size_t published = 0;
    std::size_t acked = 0;
    std::optional<mqtt::ReasonCode> farewell;

private:
    posix::EventLoop loop_;
    posix::TcpConnections tcp_;
    posix::TcpId id_ = 0;
    mqtt::ClientSession session_;
    std::string topic_ = wire::topic("plant-7", wire::Channel::events);
};

class FrontTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto pattern = (std::filesystem::temp_directory_path() / "sluice-front-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        start();
    }
    void TearDown() override {
        stop();
        std::filesystem::remove_all(folder_);
    }
    void start() {
        store_ = std::make_unique<StoreThread>(clock_, std::move(*SqliteStore::open(path())));
        front_ = std::make_unique<Front>(Front::Options{}, clock_, admission_, gateways_);
        config::MqttListener where;
        where.host = "127.0.0.1";
        port_ = *front_->listen(where);
        store_->start(front_->loop());
        front_->start(*store_);
    }
    void stop() {
        front_->stop();
        store_->stop();
    }
    [[nodiscard]] std::string path() const { return folder_ + "/events.db"; }
    [[nodiscard]] std::uint64_t stored() const { return *(*EventQuery::open(path()))->count({}); }
    static base::Bytes batch(std::uint64_t first, std::size_t events) {
        wire::Encoder encoder;
        encoder.begin("sample", data::Sequence(first));
        for (std::size_t i = 0; i < events; ++i) EXPECT_TRUE(encoder.add_event("raw", 1, base::as_bytes(R"({"vibration":0.5})")));
        base::Bytes out;
        encoder.finish(data::Epoch(1), out);
        return out;
    }

    posix::PosixClock clock_;
    std::string folder_;
    Gateways gateways_;
    Admission admission_{{}, false};
    std::unique_ptr<StoreThread> store_;
    std::unique_ptr<Front> front_;
    std::uint16_t port_ = 0;
};

TEST_F(FrontTest, what_is_acknowledged_is_in_the_database_and_resends_change_nothing) {
    constexpr std::size_t kBatches = 50;
    {
        Client client(clock_, port_);
        client.run_until([&] { return client.connected; });
        for (std::size_t i = 0; i < kBatches; ++i) client.publish(batch(1 + i * 100, 100));
        client.run_until([&] { return client.acked == kBatches; });
        EXPECT_EQ(stored(), kBatches * 100);
        EXPECT_EQ(gateways_.online(), 1U);
    }
    Client again(clock_, port_);
    again.run_until([&] { return again.connected; });
    for (std::size_t i = kBatches - 10; i <= kBatches; ++i) again.publish(batch(1 + i * 100, 100));
    again.run_until([&] { return again.acked == again.published; });
    EXPECT_EQ(stored(), (kBatches + 1) * 100);
    const auto view = store_->view();
    EXPECT_EQ(view.applied.duplicates, 1000U);
    EXPECT_EQ(view.applied.unexplained, 0U);
    EXPECT_EQ(view.queued_bytes, 0U);
}

TEST_F(FrontTest, a_restart_goes_on_where_it_was) {
    {
        Client client(clock_, port_);
        client.run_until([&] { return client.connected; });
        client.publish(batch(1, 10));
        client.run_until([&] { return client.acked == 1; });
    }
    stop();
    start();
    Client client(clock_, port_);
    client.run_until([&] { return client.connected; });
    client.publish(batch(5, 10));
    client.run_until([&] { return client.acked == 1; });
    EXPECT_EQ(stored(), 14U);
    EXPECT_EQ(store_->view().applied.duplicates, 6U);
}

TEST_F(FrontTest, gateways_are_told_when_the_cloud_stops) {
    Client client(clock_, port_);
    client.run_until([&] { return client.connected; });
    stop();
    client.run_until([&] { return client.lost; });
    EXPECT_EQ(client.farewell, mqtt::ReasonCode::server_shutting_down);
    start();
}

}  // namespace
}  // namespace sluice::cloud

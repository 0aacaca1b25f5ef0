#include "cli/load/fan_out.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cli/load/packets.hpp"

namespace sluice::load {
namespace {

using std::chrono::milliseconds;

class ManualClock final : public env::Clock {
public:
    [[nodiscard]] base::Monotonic now() const override { return now_; }
    [[nodiscard]] env::WallReading wall() const override { return {base::from_ms(1'700'000'000'000), true}; }
    void advance(std::chrono::nanoseconds by) { now_ += by; }

private:
    base::Monotonic now_{std::chrono::seconds(1)};
};

/// Passes each publication on to everybody who has subscribed, as told: how often each gets it.
class Relay final : public posix::TcpListener::Sink, private posix::TcpHandler {
public:
    explicit Relay(posix::EventLoop& loop) : connections_(loop, *this) {
        auto listener = posix::TcpListener::open(loop, *this, "127.0.0.1", 0);
        EXPECT_TRUE(listener);
        listener_ = std::move(listener.value());
        loop.add_task(connections_);
    }
    [[nodiscard]] std::uint16_t port() const { return listener_->port(); }
    void on_accept(posix::DetachedConnection&& connection) override { connections_.adopt(std::move(connection)); }

    std::function<int(std::size_t subscriber, std::uint64_t message)> copies = [](std::size_t, std::uint64_t) { return 1; };
    std::uint8_t granted = 0;
    int pubacks = 0;
    bool hold = false;
    std::uint64_t published = 0;
    void release() {
        for (const auto& [id, packet] : held_) base::append(*connections_.output(id), packet);
        held_.clear();
    }

private:
    void on_open(posix::TcpId, const posix::PeerAddress&) override {}
    void on_closed(posix::TcpId, const base::Error&) override {}
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override {
        std::size_t used = 0;
        while (const auto packet = next_packet(bytes.subspan(used))) {
            base::Bytes* out = connections_.output(id);
            if (packet->type == 1) base::append(*out, base::Bytes{0x20, 2, 0, 0});
            if (packet->type == 3) {
                if (read_publish(*packet)->qos == 1) append_puback(*out, read_publish(*packet)->packet_id);
                for (std::size_t i = 0; i < subscribers_.size(); ++i) {
                    for (int copy = 0; copy < copies(i, published); ++copy) {
                        held_.emplace_back(subscribers_[i], base::Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(used),
                                                                        bytes.begin() + static_cast<std::ptrdiff_t>(used + packet->size)));
                    }
                }
                ++published;
                if (!hold) release();
            }
            if (packet->type == 4) ++pubacks;
            if (packet->type == 8) {
                subscribers_.push_back(id);
                base::append(*out, base::Bytes{0x90, 3, packet->body[0], packet->body[1], granted});
            }
            used += packet->size;
        }
        return used;
    }
    posix::TcpConnections connections_;
    std::unique_ptr<posix::TcpListener> listener_;
    std::vector<posix::TcpId> subscribers_;
    std::vector<std::pair<posix::TcpId, base::Bytes>> held_;
};

struct FanOutTest : ::testing::Test {
    ManualClock clock;
    posix::EventLoop loop{clock, std::chrono::microseconds(0)};
    Relay relay{loop};
    std::unique_ptr<FanOut> crowd;

    void make(const FanOutOptions& with) {
        FanOutOptions options = with;
        options.to.target.port = relay.port();
        relay.granted = with.qos;
        crowd = std::make_unique<FanOut>(loop, options);
        crowd->connect();
        ASSERT_TRUE(until([&] { return crowd->ready() || crowd->failure(); }));
    }
    template <class Condition>
    ::testing::AssertionResult until(Condition holds) {
        for (int turn = 0; turn < 200'000; ++turn) {
            if (holds()) return ::testing::AssertionSuccess();
            clock.advance(milliseconds(1));
            loop.run_once(loop.now());
        }
        return ::testing::AssertionFailure() << "never came true";
    }
    void everybody_gets_everything(std::uint8_t qos) {
        make({.subscribers = 250, .qos = qos, .window = 7});
        crowd->start(0);
        ASSERT_TRUE(until([&] { return crowd->counters().complete >= 100 || crowd->failure(); }));
        crowd->stop();
        ASSERT_TRUE(until([&] { return crowd->finished() || crowd->failure(); }));
        EXPECT_FALSE(crowd->failure());
        EXPECT_EQ(crowd->counters().published, relay.published);
        EXPECT_EQ(crowd->counters().delivered, relay.published * 250);
        EXPECT_EQ(crowd->latency().count(), relay.published);
    }
    void is_noticed() {
        make({.subscribers = 3});
        crowd->start(0);
        ASSERT_TRUE(until([&] { return crowd->failure().has_value(); }));
        EXPECT_EQ(crowd->failure()->code, base::Errc::corrupt);
    }
};

TEST_F(FanOutTest, every_subscriber_gets_every_message_at_qos_0) { everybody_gets_everything(0); }

TEST_F(FanOutTest, every_subscriber_gets_and_acknowledges_every_message_at_qos_1) {
    everybody_gets_everything(1);
    EXPECT_EQ(crowd->counters().acknowledged, relay.published);
    EXPECT_TRUE(until([&] { return relay.pubacks == static_cast<int>(relay.published) * 250; }));
}

TEST_F(FanOutTest, a_message_that_one_subscriber_does_not_get_is_noticed) {
    relay.copies = [](std::size_t subscriber, std::uint64_t message) { return subscriber == 1 && message == 5 ? 0 : 1; };
    is_noticed();
}

TEST_F(FanOutTest, a_message_that_comes_twice_is_noticed) {
    relay.copies = [](std::size_t subscriber, std::uint64_t message) { return subscriber == 2 && message == 5 ? 2 : 1; };
    is_noticed();
}

TEST_F(FanOutTest, no_more_than_the_window_is_on_the_way) {
    relay.hold = true;
    make({.subscribers = 2, .window = 5});
    crowd->start(0);
    ASSERT_TRUE(until([&] { return relay.published == 5; }));
    for (int i = 0; i < 50; ++i) loop.run_once(loop.now());
    EXPECT_EQ(relay.published, 5U);
    relay.hold = false;
    relay.release();
    ASSERT_TRUE(until([&] { return crowd->counters().complete >= 5; }));
}

TEST_F(FanOutTest, a_schedule_publishes_when_due_and_counts_latency_from_there) {
    relay.hold = true;
    make({.subscribers = 2, .window = 10});
    crowd->start(100);
    ASSERT_TRUE(until([&] { return relay.published == 3; }));
    const auto waited = milliseconds(500);
    clock.advance(waited);
    relay.release();
    crowd->stop();
    ASSERT_TRUE(until([&] { return crowd->counters().complete == 3; }));
    EXPECT_GE(crowd->latency().quantile(0.01), waited);
    EXPECT_LT(crowd->latency().max(), waited + milliseconds(60)) << "two messages' distance, and turns of the test";
}

TEST_F(FanOutTest, a_subscription_with_less_qos_than_asked_for_is_a_failure) {
    relay.granted = 0;
    FanOutOptions options{.subscribers = 1, .qos = 1};
    options.to.target.port = relay.port();
    crowd = std::make_unique<FanOut>(loop, options);
    crowd->connect();
    ASSERT_TRUE(until([&] { return crowd->failure().has_value(); }));
    EXPECT_EQ(crowd->failure()->code, base::Errc::denied);
}

}  // namespace
}  // namespace sluice::load

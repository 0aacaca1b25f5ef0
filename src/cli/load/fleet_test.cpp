#include "cli/load/fleet.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cli/load/packets.hpp"
#include "cli/load/subscriber.hpp"
#include "cli/plant/reference.hpp"

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

/// A broker of few words on the same loop: greets, acknowledges when allowed, answers pings, remembers.
class FakeBroker final : public posix::TcpListener::Sink, private posix::TcpHandler {
public:
    explicit FakeBroker(posix::EventLoop& loop) : connections_(loop, *this) {
        auto listener = posix::TcpListener::open(loop, *this, "127.0.0.1", 0);
        EXPECT_TRUE(listener);
        listener_ = std::move(listener.value());
        loop.add_task(connections_);
    }
    [[nodiscard]] std::uint16_t port() const { return listener_->port(); }
    void on_accept(posix::DetachedConnection&& connection) override { connections_.adopt(std::move(connection)); }
    void drop_all() {
        for (const auto& [id, name] : names_) connections_.abort(id);
    }
    void acknowledge_held() {
        for (const auto& [id, packet_id] : held_) {
            if (base::Bytes* out = connections_.output(id)) append_puback(*out, packet_id);
        }
        held_.clear();
    }
    void deliver(std::string_view topic, std::string_view payload, std::uint8_t qos) {
        for (const auto& [id, name] : names_) {
            if (base::Bytes* out = connections_.output(id))
                append_publish(*out, {.topic = topic, .payload = payload, .qos = qos, .packet_id = 77});
        }
    }

    struct Got {
        std::string client, topic, payload;
        bool duplicate;
    };
    std::vector<Got> got;
    std::vector<std::string> filters;
    std::uint8_t connack_code = 0;
    bool hold_acks = false;
    int pubacks = 0;
    int disconnects = 0;

private:
    void on_open(posix::TcpId, const posix::PeerAddress&) override {}
    void on_closed(posix::TcpId id, const base::Error&) override { names_.erase(id); }
    std::size_t on_bytes(posix::TcpId id, base::ByteView bytes) override {
        std::size_t used = 0;
        while (const auto packet = next_packet(bytes.subspan(used))) {
            used += packet->size;
            base::Bytes* out = connections_.output(id);
            if (packet->type == 1) {
                names_[id] = std::string(base::as_text(packet->body.subspan(12)));
                base::append(*out, base::Bytes{0x20, 2, 0, connack_code});
            } else if (packet->type == 3) {
                const auto publication = read_publish(*packet);
                got.push_back({names_[id], std::string(publication->topic), std::string(publication->payload), publication->duplicate});
                if (publication->qos == 1) {
                    if (hold_acks) {
                        held_.emplace_back(id, publication->packet_id);
                    } else {
                        append_puback(*out, publication->packet_id);
                    }
                }
            } else if (packet->type == 4) {
                ++pubacks;
            } else if (packet->type == 8) {
                filters.emplace_back(base::as_text(packet->body.subspan(4, packet->body.size() - 5)));
                base::append(*out, base::Bytes{0x90, 3, packet->body[0], packet->body[1], 1});
            } else if (packet->type == 12) {
                base::append(*out, base::Bytes{0xd0, 0});
            } else if (packet->type == 14) {
                ++disconnects;
            }
        }
        return used;
    }
    posix::TcpConnections connections_;
    std::unique_ptr<posix::TcpListener> listener_;
    std::map<posix::TcpId, std::string> names_;
    std::vector<std::pair<posix::TcpId, std::uint16_t>> held_;
};

struct FleetTest : ::testing::Test {
    ManualClock clock;
    posix::EventLoop loop{clock, std::chrono::microseconds(0)};
    FakeBroker broker{loop};
    std::unique_ptr<Fleet> fleet;

    FleetOptions options(std::uint32_t sensors) const {
        FleetOptions out;
        out.to.target.port = broker.port();
        out.plant = {.seed = 1, .sensors = sensors, .spike_probability = 0.5};
        return out;
    }
    void make(const FleetOptions& with) {
        fleet = std::make_unique<Fleet>(loop, with);
        fleet->connect();
    }
    /// Turns, each a millisecond of the manual clock, until it holds. A loop that cannot get there fails by its count of turns, not by
    /// time.
    template <class Condition>
    ::testing::AssertionResult until(Condition holds) {
        for (int turn = 0; turn < 200'000; ++turn) {
            if (holds()) return ::testing::AssertionSuccess();
            clock.advance(milliseconds(1));
            loop.run_once(loop.now());
        }
        return ::testing::AssertionFailure() << "never came true";
    }
    void start(const Schedule& schedule = {}) {
        ASSERT_TRUE(until([&] { return fleet->ready(); }));
        fleet->start(schedule, clock.wall().time);
    }
};

TEST_F(FleetTest, every_sensor_signs_in_under_its_own_name) {
    make(options(250));
    ASSERT_TRUE(until([&] { return fleet->ready(); }));
    EXPECT_EQ(fleet->counters().connections, 250U);
    fleet->disconnect();
    EXPECT_TRUE(until([&] { return broker.disconnects == 250; }));
    EXPECT_EQ(fleet->counters().reconnects, 0U);
}

TEST_F(FleetTest, a_schedule_publishes_each_reading_of_each_sensor_once_in_order) {
    const auto with = options(4);
    make(with);
    start({.rate = 1000, .readings = 130});
    ASSERT_TRUE(until([&] { return fleet->finished(); }));
    fleet->barrier();
    ASSERT_TRUE(until([&] { return fleet->barrier_passed(); }));
    ASSERT_EQ(broker.got.size(), 520U);
    EXPECT_EQ(fleet->published(), std::vector<std::uint32_t>(4, 130));
    plant::Plant plant(with.plant);
    std::map<std::string, std::uint32_t> index{{"sensor-00000", 0}, {"sensor-00001", 1}, {"sensor-00002", 2}, {"sensor-00003", 3}};
    std::uint64_t spikes = 0;
    for (const auto& got : broker.got) {
        const std::uint32_t sensor = index.at(got.client);
        EXPECT_EQ(got.topic, "sensors/" + got.client + "/vibration");
        const auto sample = plant.next(sensor);
        spikes += sample.spike ? 1 : 0;
        const auto due_ms = (static_cast<std::int64_t>(sample.sequence) - 1) * 4 + sensor;  // 1000 readings a second
        char payload[plant::kPayloadBytesMax];
        const auto size = plant::render(sample, 1'700'000'000'000 + due_ms, payload);
        EXPECT_EQ(got.payload, std::string(payload, size));
    }
    EXPECT_GT(spikes, 0U);
    EXPECT_EQ(fleet->counters().spikes, spikes);
    EXPECT_EQ(*fleet->intended(3, 2) - *fleet->intended(0, 1), milliseconds(7));
}

TEST_F(FleetTest, a_second_schedule_goes_on_where_the_first_ended_and_counts_time_from_its_own_start) {
    make(options(2));
    start({.rate = 2000, .readings = 10});
    ASSERT_TRUE(until([&] { return fleet->finished(); }));
    const auto second = clock.now();
    fleet->start({.rate = 100, .readings = 3}, clock.wall().time);
    ASSERT_TRUE(until([&] { return fleet->finished(); }));
    EXPECT_EQ(fleet->published(), std::vector<std::uint32_t>(2, 13));
    EXPECT_FALSE(fleet->intended(1, 10));
    EXPECT_EQ(*fleet->intended(1, 11), second + milliseconds(10));
    EXPECT_EQ(clock.now() - second, milliseconds(50)) << "six readings, ten milliseconds apart, the first at once";
}

TEST_F(FleetTest, a_slow_broker_delays_readings_but_not_their_intended_times) {
    auto with = options(1);
    with.qos = 1;
    with.window = 5;
    make(with);
    broker.hold_acks = true;
    start({.rate = 1000, .readings = 50});
    ASSERT_TRUE(until([&] { return broker.got.size() == 5; }));
    for (int i = 0; i < 500; ++i) {
        clock.advance(milliseconds(1));
        loop.run_once(loop.now());
    }
    EXPECT_EQ(broker.got.size(), 5U) << "the window did not hold";
    broker.hold_acks = false;
    broker.acknowledge_held();
    ASSERT_TRUE(until([&] { return fleet->finished(); }));
    EXPECT_EQ(fleet->counters().acknowledged, 50U);
    EXPECT_GE(fleet->ack_latency().quantile(0.5), milliseconds(400))
        << "coordinated omission: the wait of the readings behind was left out";
    EXPECT_GE(fleet->send_delay().max(), milliseconds(400));
}

TEST_F(FleetTest, a_lost_connection_comes_back_and_sends_unacknowledged_readings_again_first) {
    auto with = options(1);
    with.qos = 1;
    make(with);
    broker.hold_acks = true;
    start({.rate = 1000, .readings = 20});
    ASSERT_TRUE(until([&] { return broker.got.size() >= 3; }));
    const auto before = broker.got.size();
    broker.drop_all();
    ASSERT_TRUE(until([&] { return fleet->counters().reconnects == 1; }));
    broker.hold_acks = false;
    ASSERT_TRUE(until([&] { return fleet->finished(); }));
    EXPECT_GE(fleet->counters().resent, before);
    EXPECT_TRUE(broker.got[before].duplicate);
    EXPECT_EQ(broker.got[before].payload, broker.got[0].payload);
    EXPECT_EQ(fleet->counters().acknowledged, 20U);
}

TEST_F(FleetTest, batches_of_a_fixed_size_leave_one_a_turn) {
    auto with = options(3);
    with.batch = 4;
    make(with);
    start();
    for (int turn = 0; turn < 5; ++turn) {
        fleet->on_turn(clock.now());  // without the connections' own turn: nothing leaves
        EXPECT_EQ(fleet->counters().sent, 12U) << "a batch followed before the one before had left";
    }
    ASSERT_TRUE(until([&] { return broker.got.size() >= 120; }));
    for (std::size_t i = 0; i + 4 <= 120; i += 4) {
        for (std::size_t k = 1; k < 4; ++k) EXPECT_EQ(broker.got[i + k].client, broker.got[i].client);
    }
}

TEST_F(FleetTest, a_batch_of_qos_1_waits_until_the_window_has_room_for_all_of_it) {
    auto with = options(1);
    with.qos = 1;
    with.window = 6;
    with.batch = 4;
    make(with);
    broker.hold_acks = true;
    start();
    ASSERT_TRUE(until([&] { return broker.got.size() == 4; }));
    for (int i = 0; i < 50; ++i) loop.run_once(loop.now());
    EXPECT_EQ(fleet->counters().sent, 4U);
    broker.acknowledge_held();
    ASSERT_TRUE(until([&] { return broker.got.size() == 8; }));
}

TEST_F(FleetTest, client_ids_begin_with_the_prefix) {
    auto with = options(1);
    with.client_prefix = "idle-";
    make(with);
    start({.rate = 1000, .readings = 1});
    ASSERT_TRUE(until([&] { return !broker.got.empty(); }));
    EXPECT_EQ(broker.got[0].client, "idle-sensor-00000");
    EXPECT_EQ(broker.got[0].topic, "sensors/sensor-00000/vibration");
}

struct FleetAtFullSpeed : FleetTest {
    void run(std::uint8_t qos) {
        auto with = options(3);
        with.qos = qos;
        make(with);
        start();
        ASSERT_TRUE(until([&] { return fleet->counters().sent > 20'000; }));
        fleet->stop();
        ASSERT_TRUE(until([&] { return fleet->finished(); }));
        fleet->barrier();
        ASSERT_TRUE(until([&] { return fleet->barrier_passed(); }));
        EXPECT_EQ(broker.got.size(), fleet->counters().sent);
    }
};

TEST_F(FleetAtFullSpeed, the_barrier_proves_that_all_qos_0_readings_were_read) { run(0); }
TEST_F(FleetAtFullSpeed, the_barrier_proves_that_all_qos_1_readings_were_read) { run(1); }

TEST_F(FleetTest, nobody_listening_is_a_failure_not_a_retry) {
    auto with = options(1);
    {
        posix::EventLoop other(clock, std::chrono::microseconds(0));
        const FakeBroker gone(other);
        with.to.target.port = gone.port();
    }
    make(with);
    ASSERT_TRUE(until([&] { return fleet->failure().has_value(); }));
    EXPECT_EQ(fleet->failure()->code, base::Errc::refused);
}

TEST_F(FleetTest, a_refused_sign_in_is_a_failure) {
    broker.connack_code = 5;
    make(options(1));
    ASSERT_TRUE(until([&] { return fleet->failure().has_value(); }));
    EXPECT_EQ(fleet->failure()->code, base::Errc::denied);
}

TEST_F(FleetTest, a_subscriber_hears_what_is_delivered_and_acknowledges_it) {
    std::vector<std::string> heard;
    Subscriber subscriber(loop, {.at = {.target = {"127.0.0.1", broker.port()}}, .client_id = "ear", .filter = "alerts/#"},
                          [&](std::string_view topic, std::string_view payload, base::Monotonic) {
                              heard.push_back(std::string(topic) + " " + std::string(payload));
                          });
    subscriber.connect();
    ASSERT_TRUE(until([&] { return subscriber.ready(); }));
    EXPECT_EQ(broker.filters, std::vector<std::string>{"alerts/#"});
    broker.deliver("alerts/a", "1", 1);
    broker.deliver("alerts/b", "2", 0);
    ASSERT_TRUE(until([&] { return heard.size() == 2 && broker.pubacks == 1; }));
    EXPECT_EQ(heard, (std::vector<std::string>{"alerts/a 1", "alerts/b 2"}));
    broker.drop_all();
    EXPECT_TRUE(until([&] { return subscriber.failure().has_value(); }));
}

}  // namespace
}  // namespace sluice::load

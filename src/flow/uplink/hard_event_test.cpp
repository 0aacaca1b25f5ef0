// Events that a cloud does not take, because it has said so or because it hangs up on them: what happens to them, and to all the others.
#include <utility>

#include <gtest/gtest.h>

#include "flow/uplink/trial.hpp"
#include "flow/uplink/uplink_rig.hpp"

namespace sluice::uplink::testing {
namespace {

constexpr unsigned kAlert = 0;
constexpr unsigned kAggregate = 1;
constexpr unsigned kSample = 2;

/// What the rig's events do not have: they shrink to less than half.
std::string large(std::size_t bytes) {
    FakeSpool noise;
    noise.add_many(0, 1, bytes);
    return noise.events[0][0].json;
}

TEST(HardEvent, one_that_is_larger_than_the_cloud_says_it_takes_is_told_as_gone_and_the_others_go_on) {
    Rig rig;
    rig.spool.add(kAlert, "{}");
    rig.spool.add(kAlert, large(8'000));
    rig.spool.add(kAlert, "{}");
    rig.spool.add_many(kSample, 3);
    rig.connect(2'000);
    rig.ack();
    rig.ack();
    EXPECT_TRUE(rig.transport.is_open);
    EXPECT_EQ(rig.spool.acked[kAlert], 3U);
    EXPECT_EQ(rig.spool.acked[kSample], 3U);
    EXPECT_EQ(rig.spool.events[kAlert][1].reason, base::DropReason::too_large);
    EXPECT_TRUE(rig.spool.events[kAlert][1].json.empty());
    const Stats& stats = rig.uplink.stats();
    EXPECT_EQ(stats.failures, 0U);
    EXPECT_EQ(stats.too_large, 1U);
    EXPECT_EQ(stats.last_too_large.class_name, "alert");
    EXPECT_EQ(stats.last_too_large.sequence, data::Sequence(2));
    EXPECT_GT(stats.last_too_large.size.bytes, 2'000U);
    EXPECT_EQ(stats.last_too_large.size.bytes_max, 2'000U);
}

TEST(HardEvent, the_gap_in_its_place_is_told) {
    Rig rig;
    rig.spool.add(kAlert, large(8'000));
    rig.connect(2'000);
    ASSERT_EQ(rig.cloud.batches().size(), 1U);
    EXPECT_EQ(rig.cloud.batches()[0].items, std::vector<std::string>{"too_large"});
    EXPECT_EQ(rig.cloud.batches()[0].first, 1U);
}

TEST(HardEvent, batches_are_as_large_as_before_once_one_that_was_too_large_is_gone) {
    Rig rig;
    rig.spool.add_many(kSample, 20, 100);
    rig.spool.add(kSample, large(20'000));
    rig.spool.add_many(kSample, 400, 100);
    rig.connect(8'000);
    std::size_t largest = 0;
    for (int i = 0; i < 1'000 && rig.spool.acked[kSample] < 421; ++i) {
        for (const auto& row : rig.cloud.batches()) {
            EXPECT_LE(row.bytes, 8'000U);
            if (row.first > 21) largest = std::max(largest, row.events);
        }
        rig.ack();
        rig.advance(milliseconds(50));
    }
    EXPECT_EQ(rig.spool.acked[kSample], 421U);
    EXPECT_EQ(rig.uplink.stats().too_large, 1U);
    EXPECT_GT(largest, 50U);
}

/// Hangs up when it reads a message that holds a certain event, as brokers of 3.1.1 do with what is too large; takes all before it.
class Touchy {
public:
    Touchy(Rig& rig, std::string class_name, std::uint64_t sequence) : rig_(rig), class_name_(std::move(class_name)), sequence_(sequence) {}

    /// Answers what has come, for so long; a connection is always taken.
    void run(std::chrono::nanoseconds by) {
        for (const auto until = rig_.now + by; rig_.now < until; rig_.advance(milliseconds(10))) step();
    }
    std::uint64_t hung_up = 0;
    bool mild = false;               ///< takes it now
    std::size_t behind = 0;          ///< so many messages are on the way while more come
    std::vector<std::string> order;  ///< classes, as they were acknowledged

private:
    void step() {
        if (!rig_.transport.is_open) return;
        if (std::exchange(accepted_, rig_.transport.opens) != rig_.transport.opens) return rig_.accept();
        const bool more_came = std::exchange(seen_, rig_.uplink.stats().messages_sent) != rig_.uplink.stats().messages_sent;
        while (rig_.cloud.messages.size() > (more_came ? behind : 0)) {
            const Message message = rig_.cloud.messages.front();
            if (!mild && message.class_name == class_name_ && message.first <= sequence_ && sequence_ <= message.last) {
                ++hung_up;
                rig_.cloud.messages.clear();
                rig_.transport.is_open = false;
                rig_.carrier.on_closed(rig_.now);
                return;
            }
            rig_.cloud.messages.erase(rig_.cloud.messages.begin());
            if (!message.class_name.empty()) order.push_back(message.class_name);
            rig_.give(FakeCloud::puback(message.id));
        }
    }
    Rig& rig_;
    std::string class_name_;
    std::uint64_t sequence_;
    unsigned accepted_ = 0;  // how often the transport had been opened
    std::uint64_t seen_ = 0;
};

TEST(HardEvent, one_that_ends_connection_after_connection_stops_its_class_only) {
    Rig rig;
    Touchy cloud(rig, "alert", 2);
    rig.spool.add_many(kAlert, 4);
    rig.spool.add_many(kAggregate, 50);
    rig.spool.add_many(kSample, 500);
    rig.uplink.start(rig.now);
    cloud.run(seconds(60));
    EXPECT_EQ(rig.spool.acked[kAlert], 1U) << "nothing is dropped on a guess";
    EXPECT_FALSE(rig.spool.events[kAlert][1].json.empty());
    EXPECT_EQ(rig.spool.acked[kAggregate], 50U);
    EXPECT_EQ(rig.spool.acked[kSample], 500U);
    ASSERT_EQ(rig.uplink.stats().standing.size(), 1U);
    EXPECT_EQ(rig.uplink.stats().standing[0].class_name, "alert");
    EXPECT_EQ(rig.uplink.stats().standing[0].sequence, data::Sequence(2));
    EXPECT_GT(rig.uplink.stats().standing[0].size.bytes, 40U);
    EXPECT_TRUE(rig.uplink.stats().connected);

    const auto ends = cloud.hung_up;
    rig.spool.add_many(kSample, 500);
    rig.commit();
    cloud.run(seconds(60));
    EXPECT_EQ(rig.spool.acked[kSample], 1'000U);
    EXPECT_EQ(cloud.hung_up, ends) << "the connection stays";

    cloud.run(Trial::kStand);
    EXPECT_EQ(cloud.hung_up, ends + 1) << "it is tried again";
    EXPECT_EQ(rig.uplink.stats().standing.size(), 1U);
    cloud.mild = true;
    cloud.run(Trial::kStand + seconds(1));
    EXPECT_EQ(rig.spool.acked[kAlert], 4U);
    EXPECT_TRUE(rig.uplink.stats().standing.empty());
    cloud.order.clear();
    rig.spool.add_many(kSample, 500);
    rig.spool.add_many(kAlert, 1);
    rig.commit();
    cloud.run(seconds(1));
    ASSERT_FALSE(cloud.order.empty());
    EXPECT_EQ(cloud.order.front(), "alert") << "urgent as ever";
}

/// With a long way to the cloud something more urgent is always without an answer.
TEST(HardEvent, one_behind_a_stream_of_alerts_is_found_too_and_what_is_less_urgent_goes_on) {
    Rig rig;
    Touchy cloud(rig, "aggregate", 1);
    cloud.behind = 3;
    rig.spool.add_many(kAggregate, 3);
    rig.uplink.start(rig.now);
    unsigned alerts = 0;
    for (unsigned step = 0; step < 18'000; ++step) {
        rig.spool.add(kAlert, "{}");
        ++alerts;
        if (step % 25 == 0) rig.spool.add(kSample, "{}");
        if (rig.uplink.stats().connected) rig.commit();
        cloud.run(milliseconds(10));
    }
    ASSERT_EQ(rig.uplink.stats().standing.size(), 1U);
    EXPECT_EQ(rig.uplink.stats().standing[0].class_name, "aggregate");
    EXPECT_EQ(rig.spool.acked[kAggregate], 0U);
    EXPECT_GT(rig.spool.acked[kAlert], alerts - 100);
    EXPECT_GT(rig.spool.acked[kSample], 700U);
}

TEST(HardEvent, one_in_the_middle_of_a_batch_is_found) {
    Rig rig;
    Touchy cloud(rig, "sample", 333);
    rig.spool.add_many(kSample, 500);
    for (int i = 0; i < 120; ++i) {
        rig.spool.add(kAlert, "{}");
        if (rig.uplink.stats().connected) rig.commit();
        if (i == 0) rig.uplink.start(rig.now);
        cloud.run(seconds(1));
    }
    EXPECT_EQ(rig.spool.acked[kAlert], 120U);
    EXPECT_EQ(rig.spool.acked[kSample], 332U);
    ASSERT_EQ(rig.uplink.stats().standing.size(), 1U);
    EXPECT_EQ(rig.uplink.stats().standing[0].sequence, data::Sequence(333));
}

TEST(HardEvent, a_cloud_that_ends_every_connection_stops_no_class) {
    Options options;
    options.status_interval = std::chrono::hours(1);
    Rig rig(options);
    rig.spool.add_many(kAlert, 1);
    rig.uplink.start(rig.now);
    for (int i = 0; i < 40; ++i) {
        for (; !rig.transport.is_open; rig.advance(milliseconds(100))) {
        }
        rig.accept();
        rig.advance(seconds(2));  // nothing is acknowledged: the line may be at fault
        rig.cloud.messages.clear();
        rig.transport.is_open = false;
        rig.carrier.on_closed(rig.now);
    }
    EXPECT_TRUE(rig.uplink.stats().standing.empty());
    for (; !rig.transport.is_open; rig.advance(milliseconds(100))) {
    }
    rig.accept();
    rig.advance(seconds(2));
    rig.ack();
    rig.ack();
    EXPECT_EQ(rig.spool.acked[kAlert], 1U);
}

TEST(HardEvent, a_line_that_breaks_often_stops_no_class) {
    Rig rig;
    rig.uplink.start(rig.now);
    std::uint64_t noise = 7;
    for (int i = 0; i < 400; ++i) {
        rig.spool.add_many(kAlert, 1);
        rig.spool.add_many(kSample, 20);
        for (; !rig.transport.is_open; rig.advance(milliseconds(100))) {
        }
        rig.accept();
        noise = noise * 6364136223846793005 + 1442695040888963407;
        for (std::uint64_t n = noise >> 61; n != 0; --n) {
            rig.ack(1);
            rig.advance(milliseconds(300));
        }
        rig.cloud.messages.clear();
        rig.transport.is_open = false;
        rig.carrier.on_closed(rig.now);
        EXPECT_TRUE(rig.uplink.stats().standing.empty()) << i;
    }
    for (; !rig.transport.is_open; rig.advance(milliseconds(100))) {
    }
    rig.accept();
    for (int i = 0; i < 100; ++i) {
        rig.ack();
        rig.advance(milliseconds(300));
    }
    EXPECT_EQ(rig.spool.acked[kAlert], 400U);
    EXPECT_EQ(rig.spool.acked[kSample], 8'000U);
}

}  // namespace
}  // namespace sluice::uplink::testing

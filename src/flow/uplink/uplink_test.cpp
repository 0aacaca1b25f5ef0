#include "flow/uplink/uplink.hpp"

#include <gtest/gtest.h>

#include "flow/uplink/pacing.hpp"
#include "flow/uplink/uplink_rig.hpp"

namespace sluice::uplink::testing {
namespace {

constexpr unsigned kAlert = 0;
constexpr unsigned kAggregate = 1;
constexpr unsigned kSample = 2;

TEST(Uplink, signs_in_as_the_format_page_says) {
    Rig rig({}, sluice_sign_in("plant-7", "secret"));
    rig.uplink.start(rig.now);
    EXPECT_EQ(rig.transport.opens, 1U);
    rig.carrier.on_connected(rig.now);
    rig.settle();
    EXPECT_EQ(rig.cloud.client_id, "gw:plant-7");
    EXPECT_EQ(rig.cloud.user, "plant-7");
    EXPECT_EQ(rig.cloud.password, "secret");
    EXPECT_EQ(rig.cloud.will_topic, "$sluice/v1/plant-7/status");
    EXPECT_EQ(rig.cloud.will_payload, R"({"online":false})");
    EXPECT_FALSE(rig.uplink.stats().connected);
    EXPECT_TRUE(rig.cloud.messages.empty());
    rig.give(FakeCloud::connack());
    EXPECT_TRUE(rig.uplink.stats().connected);
    ASSERT_EQ(rig.cloud.messages.size(), 1U);
    EXPECT_EQ(rig.cloud.messages[0].topic, "$sluice/v1/plant-7/status");
    EXPECT_EQ(rig.cloud.messages[0].text, R"({"online":true,"ledger":{"readings_in":1}})");
}

TEST(Uplink, sends_no_password_without_a_token) {
    Rig rig;
    rig.connect();
    EXPECT_EQ(rig.cloud.password, "(none)");
}

TEST(Uplink, an_alert_goes_at_once_and_is_forgotten_when_acknowledged) {
    Rig rig;
    rig.connect();
    rig.ack();
    rig.spool.add(kAlert, R"({"z":4})");
    rig.commit();
    ASSERT_EQ(rig.cloud.messages.size(), 1U);
    EXPECT_EQ(rig.cloud.messages[0].topic, "$sluice/v1/plant-7/events");
    EXPECT_EQ(rig.cloud.messages[0].class_name, "alert");
    EXPECT_EQ(rig.cloud.messages[0].first, 1U);
    EXPECT_EQ(rig.cloud.messages[0].items, (std::vector<std::string>{R"({"z":4})"}));
    EXPECT_EQ(rig.spool.acked[kAlert], 0U);
    rig.ack();
    EXPECT_EQ(rig.spool.acked[kAlert], 1U);
    EXPECT_EQ(rig.uplink.stats().events_acked, 1U);
    EXPECT_EQ(rig.uplink.stats().in_flight, 0U);
}

TEST(Uplink, aggregates_wait_for_company_and_travel_together) {
    Rig rig;
    rig.connect();
    rig.ack();
    for (int i = 0; i < 5; ++i) {
        rig.spool.add_many(kAggregate, 1);
        rig.commit();
        rig.advance(milliseconds(40));
    }
    EXPECT_TRUE(rig.cloud.messages.empty());
    rig.run(milliseconds(100));
    ASSERT_EQ(rig.cloud.messages.size(), 1U);
    EXPECT_EQ(rig.cloud.messages[0].events, 5U);
}

TEST(Uplink, a_full_batch_does_not_wait) {
    Options options;
    options.batch_events_max = 10;
    Rig rig(options);
    rig.connect();
    rig.ack();
    rig.spool.add_many(kSample, 25);
    rig.commit();
    ASSERT_EQ(rig.cloud.messages.size(), 3U);  // the rest rides along
    EXPECT_EQ(rig.cloud.messages[2].last, 25U);
}

TEST(Uplink, the_backlog_goes_out_after_a_connect_without_waiting) {
    Rig rig;
    rig.spool.add_many(kSample, 3);
    rig.spool.add_many(kAlert, 2);
    rig.connect();
    const auto batches = rig.cloud.batches();
    ASSERT_EQ(batches.size(), 2U);
    EXPECT_EQ(batches[0].class_name, "alert");
    EXPECT_EQ(batches[1].class_name, "sample");
}

TEST(Uplink, gaps_travel_in_order_with_the_events) {
    Rig rig;
    rig.spool.add(kAlert, "{}");
    rig.spool.add(kAlert, "");
    rig.spool.add(kAlert, "");
    rig.spool.add(kAlert, R"({"n":4})");
    rig.connect();
    const auto batches = rig.cloud.batches();
    ASSERT_EQ(batches.size(), 1U);
    EXPECT_EQ(batches[0].items, (std::vector<std::string>{"{}", "ttl", "ttl", R"({"n":4})"}));
    EXPECT_EQ(batches[0].last, 4U);
    rig.ack();
    EXPECT_EQ(rig.spool.acked[kAlert], 4U);
}

TEST(Uplink, a_gap_alone_is_told_and_acknowledged) {
    Rig rig;
    rig.spool.add(kAggregate, "");
    rig.connect();
    rig.ack();
    EXPECT_EQ(rig.spool.acked[kAggregate], 1U);
}

TEST(Uplink, an_alert_overtakes_a_backlog_of_lower_classes) {
    Rig rig;
    rig.spool.add_many(kSample, 100'000, 200);
    rig.connect();
    const auto before = rig.cloud.batches().size();
    ASSERT_GE(before, 1U);
    rig.spool.add(kAlert, "{}");
    rig.commit();
    const auto batches = rig.cloud.batches();
    ASSERT_EQ(batches.size(), before + 1);
    EXPECT_EQ(batches.back().class_name, "alert");
}

TEST(Uplink, lower_classes_keep_to_the_window_and_leave_room_for_alerts) {
    Options options;
    options.in_flight = 8;
    options.drain_rate = 0;
    Rig rig(options);
    rig.spool.add_many(kSample, 100'000, 200);
    rig.connect();
    EXPECT_LE(rig.cloud.batches().size(), 6U);
    std::size_t bytes = 0;
    for (const auto& row : rig.cloud.batches()) bytes += row.bytes;
    EXPECT_LE(bytes, ByteWindow::kStart + options.batch_bytes_max);
    rig.spool.add_many(kAlert, 20'000);
    rig.commit();
    EXPECT_EQ(rig.cloud.batches().size(), 8U);
}

TEST(Uplink, everything_unacknowledged_is_sent_again_after_a_break) {
    Options options;
    options.batch_events_max = 1;
    options.drain_rate = 0;
    Rig rig(options);
    rig.spool.add_many(kAlert, 5);
    rig.connect();
    ASSERT_EQ(rig.cloud.batches().size(), 5U);
    rig.ack(3);  // the status and two batches
    EXPECT_EQ(rig.spool.acked[kAlert], 2U);
    rig.carrier.on_closed(rig.now);
    EXPECT_FALSE(rig.uplink.stats().connected);
    rig.cloud.messages.clear();
    rig.run(seconds(1));
    EXPECT_EQ(rig.transport.opens, 2U);
    rig.accept();
    const auto batches = rig.cloud.batches();
    ASSERT_EQ(batches.size(), 3U);
    EXPECT_EQ(batches[0].first, 3U);
}

TEST(Uplink, an_answer_out_of_order_does_not_acknowledge_what_is_still_on_its_way) {
    Options options;
    options.batch_events_max = 1;
    Rig rig(options);
    rig.spool.add_many(kAlert, 3);
    rig.connect();
    const auto batches = rig.cloud.batches();
    ASSERT_EQ(batches.size(), 3U);
    rig.give(FakeCloud::puback(batches[1].id));
    rig.give(FakeCloud::puback(batches[2].id));
    EXPECT_EQ(rig.spool.acked[kAlert], 0U);
    rig.give(FakeCloud::puback(batches[0].id));
    EXPECT_EQ(rig.spool.acked[kAlert], 3U);
}

TEST(Uplink, a_refused_batch_is_kept_and_sent_again_later) {
    Rig rig;
    rig.spool.add(kAlert, "{}");
    rig.connect();
    rig.give(FakeCloud::puback(rig.cloud.batches()[0].id, mqtt::ReasonCode::quota_exceeded));
    EXPECT_EQ(rig.spool.acked[kAlert], 0U);
    EXPECT_EQ(rig.uplink.stats().refusals, 1U);
    EXPECT_EQ(rig.uplink.stats().refusal, 0x97);
    EXPECT_FALSE(rig.transport.is_open);
    rig.cloud.messages.clear();
    rig.run(seconds(1));
    rig.accept();
    EXPECT_EQ(rig.cloud.batches().size(), 1U);
}

TEST(Uplink, a_refused_sign_in_is_tried_again_with_growing_pauses) {
    Rig rig;
    rig.uplink.start(rig.now);
    std::vector<std::chrono::nanoseconds> pauses;
    for (int i = 0; i < 12; ++i) {
        ASSERT_TRUE(rig.transport.is_open) << i;
        rig.carrier.on_connected(rig.now);
        rig.give(FakeCloud::connack(mqtt::ReasonCode::not_authorized));
        ASSERT_FALSE(rig.transport.is_open);
        EXPECT_FALSE(rig.uplink.stats().connected);
        const auto next = rig.uplink.next_deadline();
        ASSERT_TRUE(next);
        pauses.push_back(*next - rig.now);
        rig.now = *next;
        rig.uplink.on_tick(rig.now);
    }
    EXPECT_LE(pauses.front(), milliseconds(250));
    EXPECT_GE(pauses.front(), milliseconds(125));
    EXPECT_GE(pauses.back(), seconds(15));
    EXPECT_LE(pauses.back(), seconds(30));
    EXPECT_EQ(rig.uplink.stats().refusal, 0x87);
}

/// Found by the simulation (family rough, seed 54): of two gateways with one id the one without a backlog came back at once, each time, and
/// the other one never got an acknowledgement.
TEST(Uplink, a_gateway_that_another_one_with_its_id_threw_out_comes_back_late) {
    Rig rig;
    rig.connect();
    rig.ack();  // pauses would be short now
    base::Bytes goodbye;
    mqtt::encode_disconnect(goodbye, {.reason = mqtt::ReasonCode::session_taken_over, .properties = {}}, mqtt::Version::v5);
    rig.give(goodbye);
    EXPECT_FALSE(rig.transport.is_open);
    EXPECT_EQ(rig.uplink.stats().refusal, 0x8e);
    const auto next = rig.uplink.next_deadline();
    ASSERT_TRUE(next);
    EXPECT_GE(*next - rig.now, seconds(15));
}

TEST(Uplink, pauses_start_over_only_when_a_connection_proved_itself_by_an_acknowledgement) {
    Rig rig;
    rig.uplink.start(rig.now);
    const auto fail = [&rig](bool proven) {
        rig.accept();
        if (proven) rig.ack();
        rig.cloud.messages.clear();
        rig.carrier.on_closed(rig.now);
        const auto pause = *rig.uplink.next_deadline() - rig.now;
        rig.advance(pause);
        return pause;
    };
    fail(false);
    fail(false);
    const auto third = fail(false);
    EXPECT_GT(third, milliseconds(400));
    EXPECT_LE(fail(true), milliseconds(250));
}

TEST(Uplink, a_connection_that_does_not_come_about_is_given_up) {
    Rig rig;
    rig.uplink.start(rig.now);
    rig.run(seconds(9));
    EXPECT_TRUE(rig.transport.is_open);
    rig.run(seconds(2));
    EXPECT_GE(rig.transport.closes, 1U);
    EXPECT_GE(rig.transport.opens, 2U);
}

TEST(Uplink, a_cloud_that_never_says_welcome_is_given_up) {
    Rig rig;
    rig.uplink.start(rig.now);
    rig.carrier.on_connected(rig.now);
    rig.advance(seconds(10));
    EXPECT_FALSE(rig.transport.is_open);
}

TEST(Uplink, a_half_open_link_is_noticed_by_missing_acknowledgements) {
    Rig rig;
    rig.connect();
    rig.ack();
    rig.spool.add(kAlert, "{}");
    rig.commit();
    rig.run(seconds(19));
    EXPECT_TRUE(rig.transport.is_open);
    EXPECT_TRUE(rig.uplink.stats().connected);
    rig.run(milliseconds(1001));
    EXPECT_EQ(rig.uplink.stats().stalls, 1U);
    EXPECT_FALSE(rig.uplink.stats().connected);
}

TEST(Uplink, patience_grows_with_stalls_so_that_a_slow_link_gets_through) {
    Rig rig;
    rig.spool.add(kAlert, "{}");
    rig.connect();
    rig.run(milliseconds(20'001));
    EXPECT_EQ(rig.uplink.stats().stalls, 1U);
    rig.run(milliseconds(250));
    ASSERT_TRUE(rig.transport.is_open);
    rig.accept();
    rig.run(seconds(39));
    EXPECT_EQ(rig.uplink.stats().stalls, 1U);
    rig.run(seconds(2));
    EXPECT_EQ(rig.uplink.stats().stalls, 2U);
}

TEST(Uplink, progress_however_slow_is_no_stall) {
    Options options;
    options.batch_events_max = 1;
    Rig rig(options);
    rig.spool.add_many(kAlert, 10);
    rig.connect();
    for (int i = 0; i < 11; ++i) {
        rig.run(seconds(15));
        rig.ack(1);
    }
    EXPECT_EQ(rig.uplink.stats().stalls, 0U);
}

TEST(Uplink, a_quiet_line_is_kept_alive_and_watched_by_status_messages) {
    Rig rig;
    rig.connect();
    for (int i = 0; i < 20; ++i) {
        rig.run(milliseconds(5'001));
        ASSERT_EQ(rig.cloud.messages.size(), 1U) << i;
        EXPECT_FALSE(rig.cloud.messages[0].text.empty());
        rig.ack();
    }
    EXPECT_EQ(rig.uplink.stats().stalls, 0U);
}

TEST(Uplink, the_rate_is_bounded_and_alerts_are_not_held_up_by_it) {
    Options options;
    options.drain_rate = 1'000;
    Rig rig(options);
    rig.spool.add_many(kSample, 10'000);
    rig.connect();
    std::size_t events = 0;
    const auto begin = rig.now;
    while (rig.now - begin < seconds(2)) {
        for (const auto& row : rig.cloud.batches()) {
            events += row.events;
            EXPECT_LE(row.events, 50U);
        }
        rig.ack();
        rig.advance(milliseconds(1));
        if (rig.now - begin == seconds(1)) {
            rig.spool.add(kAlert, "{}");
            rig.commit();
            ASSERT_FALSE(rig.cloud.batches().empty());
            EXPECT_EQ(rig.cloud.batches().back().class_name, "alert");
        }
    }
    EXPECT_GE(events, 1'900U);
    EXPECT_LE(events, 2'200U);
}

TEST(Uplink, a_cloud_with_small_packets_gets_smaller_batches) {
    Rig rig;
    for (int i = 0; i < 200; ++i) rig.spool.add_many(kSample, 1, 100 + static_cast<std::size_t>(i));
    rig.connect(2'000);
    for (int i = 0; i < 1'000 && rig.spool.acked[kSample] < 200; ++i) {
        for (const auto& row : rig.cloud.batches()) EXPECT_LE(row.bytes, 2'000U);
        rig.ack();
        rig.advance(milliseconds(50));
    }
    EXPECT_EQ(rig.spool.acked[kSample], 200U);
}

TEST(Uplink, a_spool_that_cannot_be_read_is_tried_again_while_other_classes_go_on) {
    Rig rig;
    rig.connect();
    rig.ack();
    rig.spool.add(kAlert, "{}");
    rig.spool.fail_reads = 1;
    rig.commit();
    rig.spool.add_many(kAggregate, 1);
    rig.commit();
    rig.run(milliseconds(300));
    ASSERT_EQ(rig.cloud.batches().size(), 1U);
    EXPECT_EQ(rig.cloud.batches()[0].class_name, "aggregate");
    rig.run(milliseconds(1'001));
    EXPECT_EQ(rig.cloud.batches().size(), 2U);
    EXPECT_EQ(rig.uplink.stats().source_errors, 1U);
}

TEST(Uplink, stop_says_goodbye_and_makes_no_further_attempt) {
    Rig rig;
    rig.connect();
    rig.ack();
    rig.uplink.stop(rig.now);
    rig.settle();
    EXPECT_EQ(rig.cloud.disconnects, 1U);
    ASSERT_EQ(rig.cloud.messages.size(), 1U);
    EXPECT_EQ(rig.cloud.messages[0].text, R"({"online":false})");
    EXPECT_FALSE(rig.transport.is_open);
    EXPECT_FALSE(rig.uplink.next_deadline());
    rig.advance(seconds(100));
    EXPECT_EQ(rig.transport.opens, 1U);
}

TEST(Uplink, bytes_cut_anywhere_make_no_difference) {
    Rig rig;
    rig.spool.add_many(kAlert, 2);
    rig.uplink.start(rig.now);
    rig.carrier.on_connected(rig.now);
    rig.settle();
    base::Bytes pending;
    const auto trickle = [&](const base::Bytes& bytes) {
        for (const auto byte : bytes) {
            pending.push_back(byte);
            const auto used = rig.carrier.on_bytes(pending, rig.now);
            pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(used));
        }
        rig.settle();
    };
    trickle(FakeCloud::connack());
    ASSERT_EQ(rig.cloud.messages.size(), 2U);
    for (const auto& row : std::vector<Message>(rig.cloud.messages)) trickle(FakeCloud::puback(row.id));
    EXPECT_EQ(rig.spool.acked[kAlert], 2U);
}

TEST(Uplink, nonsense_from_the_cloud_ends_the_connection_only) {
    Rig rig;
    rig.spool.add(kAlert, "{}");
    rig.connect();
    rig.carrier.on_bytes(base::Bytes{0xff, 0xff, 0xff}, rig.now);
    EXPECT_FALSE(rig.transport.is_open);
    EXPECT_EQ(rig.spool.acked[kAlert], 0U);
    rig.run(seconds(1));
    EXPECT_TRUE(rig.transport.is_open);
}

/// A slow link: what the uplink sends gets through at a number of bytes a second and is acknowledged then. The alert's way through it is
/// timed.
TEST(Uplink, on_a_slow_link_an_alert_waits_for_a_fraction_of_a_second_of_lower_classes) {
    Options options;
    options.drain_rate = 0;
    Rig rig(options);
    rig.spool.add_many(kSample, 50'000, 200);
    rig.connect();
    constexpr double kBytesPerSecond = 50'000;
    double line_free = 0;  // seconds from the start until everything given to the line so far is through
    std::deque<std::pair<double, Message>> on_the_way;
    double clock = 0;
    double slowest = 0;
    std::map<mqtt::PacketId, double> alert_sent;
    for (int step = 0; step < 60'000; ++step, clock += 0.001) {
        for (auto& row : rig.cloud.messages) {
            line_free = std::max(line_free, clock) + static_cast<double>(row.bytes + 40) / kBytesPerSecond;
            if (row.class_name == "alert") alert_sent[row.id] = clock;
            on_the_way.emplace_back(line_free + 0.02, std::move(row));
        }
        rig.cloud.messages.clear();
        while (!on_the_way.empty() && on_the_way.front().first <= clock) {
            const auto row = on_the_way.front().second;
            on_the_way.pop_front();
            if (row.class_name == "alert" && clock > 20) slowest = std::max(slowest, clock - alert_sent[row.id]);
            rig.give(FakeCloud::puback(row.id));
        }
        if (step % 1'000 == 500) {
            rig.spool.add(kAlert, "{}");
            rig.commit();
        }
        rig.advance(milliseconds(1));
    }
    EXPECT_LT(slowest, 0.8);
    EXPECT_EQ(rig.uplink.stats().stalls, 0U);
    // The line is not left idle for it.
    EXPECT_GT(static_cast<double>(rig.uplink.stats().bytes_up), 0.8 * kBytesPerSecond * 60);
}

TEST(Uplink, a_password_that_ends_is_renewed_when_nothing_is_on_its_way) {
    auto who = sluice_sign_in("plant-7", "until noon");
    who.valid_for = seconds(60);
    Rig rig({}, who);
    rig.connect();
    for (int i = 0; i < 11; ++i) {
        rig.run(seconds(5));
        rig.ack();
    }
    rig.spool.add(kAlert, "{}");
    rig.commit();
    ASSERT_EQ(rig.cloud.batches().size(), 1U);
    rig.run(seconds(10));  // past the end
    EXPECT_EQ(rig.cloud.disconnects, 0U) << "what is on its way has time to be acknowledged";
    rig.spool.add(kAlert, "{}");
    rig.commit();
    EXPECT_EQ(rig.cloud.batches().size(), 1U) << "nothing new is sent on it";
    rig.ack();
    EXPECT_EQ(rig.cloud.disconnects, 1U);
    EXPECT_FALSE(rig.transport.is_open);
    rig.run(seconds(1));
    rig.accept();
    EXPECT_EQ(rig.sign_ins, 2U);
    ASSERT_EQ(rig.cloud.batches().size(), 1U);
    EXPECT_EQ(rig.cloud.batches()[0].first, 2U) << "nothing is sent twice";
    EXPECT_EQ(rig.uplink.stats().failures, 0U);
}

}  // namespace
}  // namespace sluice::uplink::testing

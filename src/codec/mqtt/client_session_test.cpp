#include "codec/mqtt/client_session.hpp"

#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"
#include "codec/mqtt/test_bytes.hpp"

namespace sluice::mqtt {
namespace {

using base::Bytes;
using base::ByteView;
using base::Errc;
using testing::hex;
using namespace std::chrono_literals;

constexpr base::Monotonic kStart{1000s};

/// Writes down what the client hears, one word a callback.
struct Diary final : ClientListener {
    void on_connected(const Connack& connack) override { say(connack.session_present ? "resumed" : "connected"); }
    void on_message(const Publish& message) override {
        say("message " + std::string(message.topic) + "=" + std::string(base::as_text(message.payload)));
        if (on_message_do) on_message_do();
    }
    void on_acked(PacketId id, ByteView codes) override {
        std::string text = "acked " + std::to_string(id) + ":";
        for (const auto code : codes) text += " " + std::to_string(code);
        say(text);
    }
    void on_pong() override { say("pong"); }
    void on_closed(ReasonCode why) override { say("closed " + std::string(name(why))); }
    void say(std::string text) { words.push_back(std::move(text)); }

    std::vector<std::string> take() { return std::exchange(words, {}); }
    std::vector<std::string> words;
    std::function<void()> on_message_do;
};

class Client : public ::testing::Test {
protected:
    using Words = std::vector<std::string>;

    void connect(ClientSession::Options options, std::string_view connack) {
        session.connect(options, now, out);
        out.clear();
        receive(connack);
    }
    void connect(std::string_view connack = "20 03 00 00 00") { connect({.client_id = "c"}, connack); }
    void receive(std::string_view text) {
        const auto bytes = hex(text);
        EXPECT_EQ(session.on_bytes(bytes, now, out, diary), bytes.size());
    }
    Bytes sent() { return std::exchange(out, {}); }
    base::Result<PacketId> publish(Qos qos, std::string_view payload = "1") {
        return session.publish({.topic = "t", .payload = base::as_bytes(payload), .qos = qos}, now, out);
    }

    ClientSession session;
    Diary diary;
    Bytes out;
    base::Monotonic now = kStart;
};

TEST_F(Client, connect_says_everything_that_was_asked_for) {
    session.connect({.client_id = "c",
                     .clean_start = false,
                     .keep_alive = 30s,
                     .receive_maximum = 10,
                     .packet_bytes_max = 1000,
                     .session_expiry_s = 7,
                     .user = "u",
                     .password = base::as_bytes("p"),
                     .will = Will{.topic = "w", .payload = base::as_bytes("x")}},
                    now, out);
    const auto framed = frame(out);
    ASSERT_EQ(framed.status, FrameStatus::complete);
    Connect packet;
    ASSERT_TRUE(decode_connect(framed.body(out), packet));
    EXPECT_EQ(packet.version, Version::v5);
    EXPECT_EQ(packet.client_id, "c");
    EXPECT_FALSE(packet.clean_start);
    EXPECT_EQ(packet.keep_alive.count(), 30);
    EXPECT_EQ(packet.properties.number(Property::receive_maximum), 10U);
    EXPECT_EQ(packet.properties.number(Property::maximum_packet_size), 1000U);
    EXPECT_EQ(packet.properties.number(Property::session_expiry_interval), 7U);
    EXPECT_EQ(packet.user, "u");
    EXPECT_EQ(packet.will->topic, "w");
    EXPECT_FALSE(session.connected());
    receive("20 03 01 00 00");
    EXPECT_TRUE(session.connected());
    EXPECT_EQ(diary.take(), Words{"resumed"});
}

TEST_F(Client, nothing_can_be_sent_before_the_connack) {
    session.connect({.client_id = "c"}, now, out);
    EXPECT_EQ(publish(Qos::at_most_once).error().code, Errc::closed);
    EXPECT_EQ(session.subscribe(std::vector<Subscription>{{.filter = "a"}}, now, out).error().code, Errc::closed);
}

TEST_F(Client, a_refusal_closes_with_its_reason) {
    connect("20 03 00 87 00");
    EXPECT_EQ(diary.take(), Words{"closed Not authorized"});
    EXPECT_EQ(session.state(), ClientSession::State::closed);
    connect("20 02 00 01");  // a 3.1.1 server that does not know 5.0
    EXPECT_EQ(diary.take(), Words{"closed Unsupported Protocol Version"});
    connect({.client_id = "c", .version = Version::v311}, "20 02 00 05");
    EXPECT_EQ(diary.take(), Words{"closed Not authorized"});
}

TEST_F(Client, qos_1_publishes_are_acked_in_any_order_within_the_window) {
    connect({.client_id = "c", .in_flight_max = 2}, "20 03 00 00 00");
    EXPECT_EQ(*publish(Qos::at_least_once), 1);
    EXPECT_EQ(*publish(Qos::at_least_once), 2);
    EXPECT_EQ(publish(Qos::at_least_once).error().code, Errc::limit);
    EXPECT_EQ(*publish(Qos::at_most_once), 0);
    receive("40 02 00 02 40 03 00 01 10");
    EXPECT_EQ(diary.take(), (Words{"connected", "acked 2: 0", "acked 1: 16"}));
    EXPECT_EQ(session.window_free(), 2);
    EXPECT_EQ(*publish(Qos::at_least_once), 3);
}

TEST_F(Client, the_server_may_make_the_window_smaller_and_rule_things_out) {
    connect({.client_id = "c", .in_flight_max = 100}, "20 0F 00 00 0C 21 00 03 24 01 25 00 27 00 00 00 14");
    EXPECT_EQ(session.window_free(), 3);
    EXPECT_EQ(publish(Qos::exactly_once).error().code, Errc::unsupported);
    EXPECT_EQ(session.publish({.topic = "t", .retain = true}, now, out).error().code, Errc::unsupported);
    EXPECT_TRUE(publish(Qos::at_most_once, std::string(14, 'x')));  // 2 + 3 + 1 + 14 = 20 bytes
    EXPECT_EQ(publish(Qos::at_most_once, std::string(15, 'x')).error().code, Errc::too_large);
    EXPECT_EQ(session.publish({.topic = "a/#"}, now, out).error().code, Errc::invalid);
}

TEST_F(Client, qos_2_goes_through_all_four_packets_both_ways) {
    connect();
    EXPECT_EQ(*publish(Qos::exactly_once), 1);
    sent();
    receive("50 02 00 01");
    EXPECT_EQ(sent(), hex("62 02 00 01"));
    EXPECT_EQ(session.in_flight(), 1);
    receive("70 02 00 01");
    EXPECT_EQ(diary.take(), (Words{"connected", "acked 1: 0"}));
    EXPECT_EQ(session.in_flight(), 0);

    receive("34 07 00 01 't' 00 05 00 'x'");
    receive("3C 07 00 01 't' 00 05 00 'x'");  // repeated: acknowledged, not delivered
    EXPECT_EQ(sent(), hex("50 02 00 05 50 02 00 05"));
    receive("62 02 00 05");
    EXPECT_EQ(sent(), hex("70 02 00 05"));
    receive("62 02 00 05");
    EXPECT_EQ(sent(), hex("70 03 00 05 92"));
    EXPECT_EQ(diary.take(), Words{"message t=x"});
}

TEST_F(Client, a_pubrec_with_an_error_ends_the_publish) {
    connect();
    publish(Qos::exactly_once).value();
    sent();
    receive("50 03 00 01 97");
    EXPECT_TRUE(sent().empty());
    EXPECT_EQ(diary.take(), (Words{"connected", "acked 1: 151"}));
    EXPECT_EQ(session.in_flight(), 0);
}

TEST_F(Client, messages_are_acked_when_the_listener_returns) {
    connect();
    diary.on_message_do = [&] { EXPECT_TRUE(out.empty()); };
    receive("30 05 00 01 't' 00 'x' 32 07 00 01 't' 12 34 00 'y'");
    EXPECT_EQ(sent(), hex("40 02 12 34"));
    EXPECT_EQ(diary.take(), (Words{"connected", "message t=x", "message t=y"}));
}

TEST_F(Client, a_listener_may_publish_and_disconnect) {
    connect();
    diary.on_message_do = [&] { publish(Qos::at_least_once).value(); };
    receive("32 07 00 01 't' 12 34 00 'x'");
    EXPECT_EQ(sent(), hex("32 07 00 01 't' 00 01 00 '1'  40 02 12 34"));
    diary.on_message_do = [&] { session.disconnect(out); };
    receive("32 07 00 01 't' 12 35 00 'x' 32 07 00 01 't' 12 36 00 'z'");
    EXPECT_EQ(sent(), hex("E0 00"));
    EXPECT_EQ(diary.take(), (Words{"connected", "message t=x", "message t=x"}));
}

TEST_F(Client, subscriptions_are_answered_with_a_code_for_each_filter) {
    connect();
    const std::vector<Subscription> filters{{.filter = "a/+", .qos = Qos::at_least_once}, {.filter = "$share/g/b"}};
    const auto id = session.subscribe(filters, now, out);
    EXPECT_EQ(sent(), hex("82 16 00 01 00 00 03 'a/+' 01 00 0A '$share/g/b' 00"));
    const std::vector<std::string_view> names{"a/+"};
    const auto id2 = session.unsubscribe(names, now, out);
    receive("90 05 00 01 00 01 87 B0 04 00 02 00 11");
    EXPECT_EQ(diary.take(), (Words{"connected", "acked 1: 1 135", "acked 2: 17"}));
    EXPECT_EQ(*id, 1);
    EXPECT_EQ(*id2, 2);
    EXPECT_EQ(session.subscribe(std::vector<Subscription>{{.filter = "a/#/b"}}, now, out).error().code, Errc::invalid);
    EXPECT_EQ(session.subscribe({}, now, out).error().code, Errc::invalid);
}

TEST_F(Client, packets_cut_at_every_byte_come_to_the_same) {
    const auto stream =
        hex("20 03 00 00 00 32 07 00 01 't' 12 34 00 'x' 40 02 00 01 34 07 00 01 't' 00 05 00 'y' 62 02 00 05 D0 00 E0 01 8B");
    Words expected;
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
        ClientSession client;
        Diary heard;
        Bytes output;
        client.connect({.client_id = "c"}, now, output);
        Bytes buffer;
        std::size_t taken = 0;
        for (std::size_t at = 0; at < stream.size(); at += piece) {
            base::append(buffer, ByteView(stream).subspan(at, std::min(piece, stream.size() - at)));
            const auto used = client.on_bytes(ByteView(buffer).subspan(taken), now, output, heard);
            taken += used;
        }
        EXPECT_EQ(taken, stream.size());
        if (piece == 1) expected = heard.words;
        EXPECT_EQ(heard.words, expected) << piece;
    }
    EXPECT_EQ(expected, (Words{"connected", "message t=x", "message t=y", "closed Server shutting down"}));
}

TEST_F(Client, what_the_server_does_wrong_is_said_and_ends_the_session) {
    struct Row {
        const char* bytes;
        const char* disconnect;
        const char* words;
    };
    for (const Row& row : {
             Row{"20 03 00 00 00", "E0 01 82", "closed Protocol Error"},                    // a second CONNACK
             Row{"C0 00", "E0 01 82", "closed Protocol Error"},                             // what only clients send
             Row{"36 03 00 01 't'", "E0 01 81", "closed Malformed Packet"},                 // QoS 3
             Row{"30 80 00", "E0 01 81", "closed Malformed Packet"},                        // a length not minimal
             Row{"30 07 00 01 't' 03 23 00 01", "E0 01 94", "closed Topic Alias invalid"},  // we allow none
             Row{"90 04 00 09 00 00", "E0 01 82", "closed Protocol Error"},                 // a SUBACK for nothing
             Row{"30 E9 07", "E0 01 95", "closed Packet too large"},                        // 1,004 bytes
         }) {
        connect({.client_id = "c", .packet_bytes_max = 1000}, "20 03 00 00 00");
        receive(row.bytes);
        EXPECT_EQ(sent(), hex(row.disconnect)) << row.bytes;
        EXPECT_EQ(diary.take(), (Words{"connected", row.words})) << row.bytes;
        EXPECT_EQ(session.next_deadline(), std::nullopt);
    }
    connect("40 02 00 01");  // anything before the CONNACK
    EXPECT_TRUE(sent().empty());
    EXPECT_EQ(diary.take(), Words{"closed Protocol Error"});
}

TEST_F(Client, more_qos_2_messages_than_the_receive_maximum_are_refused) {
    connect({.client_id = "c", .receive_maximum = 1}, "20 03 00 00 00");
    receive("34 06 00 01 't' 00 05 00 34 06 00 01 't' 00 06 00");
    EXPECT_EQ(sent(), hex("50 02 00 05 E0 01 93"));
}

TEST_F(Client, keep_alive_pings_when_one_direction_is_silent_and_closes_without_an_answer) {
    connect({.client_id = "c", .keep_alive = 60s, .answer_timeout = 10s}, "20 03 00 00 00");
    EXPECT_EQ(session.next_deadline(), kStart + 60s);
    now += 50s;
    publish(Qos::at_most_once).value();
    sent();
    EXPECT_EQ(session.next_deadline(), kStart + 60s);  // nothing came in: is anyone there?
    now = kStart + 60s;
    session.on_tick(now, out, diary);
    EXPECT_EQ(sent(), hex("C0 00"));
    EXPECT_EQ(session.next_deadline(), kStart + 70s);
    now = kStart + 65s;
    receive("D0 00");
    EXPECT_EQ(session.next_deadline(), kStart + 120s);
    now = kStart + 120s;
    session.on_tick(now, out, diary);
    now += 9s;
    session.on_tick(now, out, diary);
    EXPECT_EQ(diary.take(), Words{"connected"});  // keep-alive answers are not the owner's business
    now += 1s;
    session.on_tick(now, out, diary);
    EXPECT_EQ(diary.take(), Words{"closed Keep Alive timeout"});
}

TEST_F(Client, a_missing_connack_times_out) {
    session.connect({.client_id = "c", .keep_alive = 0s, .answer_timeout = 3s}, now, out);
    EXPECT_EQ(session.next_deadline(), kStart + 3s);
    session.on_tick(kStart + 3s, out, diary);
    EXPECT_EQ(diary.take(), Words{"closed Keep Alive timeout"});
}

TEST_F(Client, the_server_may_set_the_keep_alive_and_zero_turns_it_off) {
    connect({.client_id = "c", .keep_alive = 60s}, "20 06 00 00 03 13 00 05");
    EXPECT_EQ(session.next_deadline(), kStart + 5s);
    connect({.client_id = "c", .keep_alive = 60s}, "20 06 00 00 03 13 00 00");
    EXPECT_EQ(session.next_deadline(), std::nullopt);
}

TEST_F(Client, a_ping_is_a_barrier_also_behind_one_of_the_keep_alive) {
    connect({.client_id = "c", .keep_alive = 60s, .answer_timeout = 10s}, "20 03 00 00 00");
    now += 60s;
    session.on_tick(now, out, diary);
    session.ping(now, out);
    EXPECT_EQ(sent(), hex("C0 00 C0 00"));
    receive("D0 00");
    EXPECT_EQ(diary.take(), Words{"connected"});
    receive("D0 00");
    EXPECT_EQ(diary.take(), Words{"pong"});
}

TEST_F(Client, packet_ids_go_around_and_skip_zero_and_what_is_in_use) {
    connect({.client_id = "c", .in_flight_max = 65'535}, "20 03 00 00 00");
    ASSERT_EQ(*publish(Qos::at_least_once), 1);
    for (unsigned i = 2; i <= 65'535; ++i) {
        ASSERT_EQ(*publish(Qos::at_least_once), i);
        out.clear();
        const auto ack = short_ack(PacketType::puback, static_cast<PacketId>(i));
        session.on_bytes(ack, now, out, diary);
        diary.words.clear();
    }
    EXPECT_EQ(publish(Qos::at_least_once).error().code, Errc::limit);  // id 1 is still in use
    receive("40 02 00 01");
    EXPECT_EQ(*publish(Qos::at_least_once), 1);
    EXPECT_EQ(session.in_flight(), 1);
}

TEST_F(Client, a_new_connection_forgets_what_was_in_flight) {
    connect();
    publish(Qos::at_least_once).value();
    session.on_lost();
    EXPECT_EQ(session.in_flight(), 0);
    connect();
    EXPECT_EQ(*publish(Qos::at_least_once), 2);
    receive("40 02 00 01");  // an ack of the old connection is nobody's
    EXPECT_EQ(session.in_flight(), 1);
    receive("40 02 00 02");
    EXPECT_EQ(diary.take(), (Words{"connected", "connected", "acked 2: 0"}));
}

TEST_F(Client, random_acks_always_leave_the_window_as_a_plain_set_would) {
    constexpr unsigned kSeed = 4711;
    std::mt19937 random(kSeed);
    connect({.client_id = "c", .in_flight_max = 300}, "20 03 00 00 00");
    std::vector<PacketId> open;
    for (int step = 0; step < 300'000; ++step) {
        if (random() % 2 == 0) {
            const auto id = publish(Qos::at_least_once);
            ASSERT_EQ(id.has_value(), open.size() < 300) << "seed " << kSeed << " step " << step;
            if (id) open.push_back(*id);
        } else if (!open.empty()) {
            const auto at = random() % std::min<std::size_t>(open.size(), 20);
            const auto ack = short_ack(PacketType::puback, open[at]);
            open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
            session.on_bytes(ack, now, out, diary);
        }
        out.clear();
        ASSERT_EQ(session.in_flight(), open.size());
    }
    EXPECT_TRUE(session.connected());
}

}  // namespace
}  // namespace sluice::mqtt

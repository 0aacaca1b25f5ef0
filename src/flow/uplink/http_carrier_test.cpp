// The carrier over HTTP against a server that answers as told.
#include "flow/uplink/http_carrier.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "flow/uplink/uplink_rig.hpp"

namespace sluice::uplink::testing {
namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

constexpr std::string_view kTooLarge = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";

/// What a server has seen.
struct Server {
    unsigned probes = 0;
    unsigned taken = 0;
    unsigned refused = 0;
    std::size_t largest = 0;  ///< body that was taken
};

struct Request {
    std::string line;
    std::string head;
    std::string body;
};

class HttpRig {
public:
    explicit HttpRig(const Options& changed = {}, Payload payload = Payload::batch)
        : carrier({.host = "in.example", .authorization = "Bearer token", .probe_path = "/in"}, transport),
          uplink(prepare(changed), dialect(payload), carrier, spool, status, entropy) {}

    /// Connected, and the probe is out.
    void connect() {
        uplink.start(now);
        carrier.on_connected(now);
    }
    /// What has come since the last call.
    std::optional<Request> request() {
        const std::string text(base::as_text(transport.sent));
        const auto head_end = text.find("\r\n\r\n");
        if (head_end == std::string::npos) return std::nullopt;
        transport.sent.clear();
        Request out{text.substr(0, text.find("\r\n")), text.substr(0, head_end), text.substr(head_end + 4)};
        if (const auto at = out.head.find("Content-Length: "); at != std::string::npos) {
            EXPECT_EQ(std::stoul(out.head.substr(at + 16)), out.body.size());
        }
        return out;
    }
    void answer(std::string_view text) { EXPECT_EQ(carrier.on_bytes(base::as_bytes(text), now), text.size()); }
    void hang_up() {
        transport.is_open = false;
        carrier.on_closed(now);
    }
    /// Answers until everything is acknowledged: 413 to a body of more than so many bytes, with a header of its own.
    Server serve(std::size_t body_bytes_max, std::string_view too_large_header = {}) {
        Server seen;
        const auto waits = [this](const auto& row) { return spool.acked[row.first] < row.second.size(); };
        for (int i = 0; i < 20'000 && std::any_of(spool.events.begin(), spool.events.end(), waits); ++i) {
            if (!transport.is_open) reconnect();
            const auto got = request();
            if (!got) {
                now = std::max(now, uplink.next_deadline().value_or(now));
                uplink.on_tick(now);
            } else if (got->line.starts_with("HEAD")) {
                ++seen.probes;
                answer("HTTP/1.1 200 OK\r\n\r\n");
            } else if (got->body.size() > body_bytes_max) {
                ++seen.refused;
                answer(fmt::format("HTTP/1.1 413 Content Too Large\r\n{}Content-Length: 0\r\n\r\n", too_large_header));
            } else {
                ++seen.taken;
                seen.largest = std::max(seen.largest, got->body.size());
                answer(kOk);
            }
        }
        return seen;
    }
    /// Until a connection is asked for.
    void reconnect() {
        for (int i = 0; i < 100 && !transport.is_open; ++i) {
            now = std::max(now, uplink.next_deadline().value_or(now));
            uplink.on_tick(now);
        }
        ASSERT_TRUE(transport.is_open);
        carrier.on_connected(now);
    }

    Monotonic now{seconds(1000)};
    FakeSpool spool;
    FakeStatus status;
    FakeTransport transport;
    FixedEntropy entropy;
    HttpCarrier carrier;
    Uplink uplink;

private:
    static Options prepare(Options options) {
        options.classes = {{data::ClassIndex(0), "alert", 0}, {data::ClassIndex(1), "aggregate", 1}};
        return options;
    }
    static std::unique_ptr<Dialect> dialect(Payload payload) {
        return std::make_unique<BrokerDialect>(
            BrokerDialect::Options{.gateway = "plant-7", .topic = "/in/{class}", .status_topic = "", .payload = payload});
    }
};

TEST(HttpCarrier, proves_the_line_then_posts_one_message_after_the_other) {
    HttpRig rig;
    rig.spool.add(0, R"({"n":1})");
    rig.spool.add(0, R"({"n":2})");
    rig.connect();
    const auto probe = rig.request();
    ASSERT_TRUE(probe);
    EXPECT_EQ(probe->line, "HEAD /in HTTP/1.1");
    EXPECT_FALSE(rig.uplink.stats().connected) << "a socket is no proof";
    rig.answer("HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 500\r\n\r\n");
    EXPECT_TRUE(rig.uplink.stats().connected);
    const auto first = rig.request();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->line, "POST /in/alert HTTP/1.1");
    EXPECT_NE(first->head.find("\r\nHost: in.example\r\n"), std::string::npos);
    EXPECT_NE(first->head.find("\r\nAuthorization: Bearer token\r\n"), std::string::npos);
    EXPECT_NE(first->head.find("\r\nIdempotency-Key: plant-7/9/alert/1-2"), std::string::npos) << first->head;
    EXPECT_NE(first->body.find(R"("seq":2,)"), std::string::npos) << first->body;
    EXPECT_EQ(rig.spool.acked[0], 0U);
    rig.spool.add(0, R"({"n":3})");
    rig.uplink.on_events(rig.now);
    EXPECT_FALSE(rig.request()) << "one at a time";
    rig.answer(kOk);
    EXPECT_EQ(rig.spool.acked[0], 2U);
    ASSERT_TRUE(rig.request());
    rig.answer(kOk);
    EXPECT_EQ(rig.spool.acked[0], 3U);
    EXPECT_EQ(rig.transport.opens, 1U);
}

TEST(HttpCarrier, what_a_bare_row_does_not_say_stands_in_headers) {
    HttpRig rig({}, Payload::data);
    rig.spool.add(0, R"({"n":1})");
    rig.connect();
    (void)rig.request();
    rig.answer("HTTP/1.1 200 OK\r\n\r\n");
    const auto post = rig.request();
    ASSERT_TRUE(post);
    EXPECT_EQ(post->body, R"({"n":1})");
    EXPECT_NE(post->head.find("\r\nSluice-seq: 1\r\n"), std::string::npos) << post->head;
    EXPECT_NE(post->head.find("\r\nSluice-gateway: plant-7\r\n"), std::string::npos);
}

TEST(HttpCarrier, a_portal_or_somebody_who_does_not_know_us_is_a_refusal) {
    for (const int status : {302, 401, 403, 407, 500, 503}) {
        HttpRig rig;
        rig.spool.add(0, "{}");
        rig.connect();
        (void)rig.request();
        rig.answer(fmt::format("HTTP/1.1 {} No\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n", status));
        EXPECT_FALSE(rig.uplink.stats().connected) << status;
        EXPECT_EQ(rig.uplink.stats().trouble, Trouble::refused) << status;
        EXPECT_EQ(rig.uplink.stats().refusal, status);
        EXPECT_FALSE(rig.transport.is_open);
        EXPECT_EQ(rig.spool.acked[0], 0U);
    }
}

TEST(HttpCarrier, one_that_lets_us_in_and_does_not_know_us_when_we_bring_something_refuses_us_and_not_the_event) {
    for (const int status : {302, 307, 401, 403, 407}) {
        HttpRig rig;
        rig.spool.add_many(0, 3);
        rig.spool.add_many(1, 3);
        rig.connect();
        for (int i = 0; i < 40; ++i) {
            if (!rig.transport.is_open) rig.reconnect();
            const auto request = rig.request();
            if (!request) {
                rig.now += seconds(1);
                rig.uplink.on_tick(rig.now);
                continue;
            }
            const bool head = request->line.starts_with("HEAD");
            rig.answer(head ? "HTTP/1.1 200 OK\r\n\r\n" : fmt::format("HTTP/1.1 {} No\r\nContent-Length: 0\r\n\r\n", status));
            if (head) continue;
            EXPECT_EQ(rig.uplink.stats().trouble, Trouble::refused) << status;
            EXPECT_EQ(rig.uplink.stats().refusal, status);
            EXPECT_FALSE(rig.uplink.stats().connected) << status;
        }
        EXPECT_TRUE(rig.uplink.stats().standing.empty()) << status;
        EXPECT_EQ(rig.uplink.stats().too_large, 0U);
        EXPECT_EQ(rig.spool.acked[0] + rig.spool.acked[1], 0U) << status;
    }
}

TEST(HttpCarrier, a_server_that_asks_for_a_pause_gets_it) {
    HttpRig rig;
    rig.spool.add(0, "{}");
    rig.connect();
    (void)rig.request();
    rig.answer("HTTP/1.1 200 OK\r\n\r\n");
    ASSERT_TRUE(rig.request());
    rig.answer("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 40\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(rig.uplink.stats().trouble, Trouble::not_taken);
    EXPECT_EQ(rig.uplink.stats().refusal, 429);
    const auto before = rig.now;
    rig.reconnect();
    EXPECT_GE(rig.now - before, seconds(40));
    (void)rig.request();
    rig.answer("HTTP/1.1 200 OK\r\n\r\n");
    ASSERT_TRUE(rig.request()) << "it comes again";
    rig.answer(kOk);
    EXPECT_EQ(rig.spool.acked[0], 1U);
}

TEST(HttpCarrier, a_message_that_is_too_large_comes_again_in_parts) {
    HttpRig rig;
    rig.spool.add_many(1, 64);
    rig.connect();
    (void)rig.request();
    rig.answer("HTTP/1.1 200 OK\r\n\r\n");
    auto post = rig.request();
    ASSERT_TRUE(post);
    const auto all = post->body.size();
    rig.answer(kTooLarge);
    for (int i = 0; i < 10 && rig.spool.acked[1] < 64; ++i) {
        post = rig.request();
        ASSERT_TRUE(post) << "at once";
        EXPECT_LT(post->body.size(), all);
        rig.answer(kOk);
    }
    EXPECT_EQ(rig.spool.acked[1], 64U);
    EXPECT_EQ(rig.transport.opens, 1U) << "over the same connection";
    EXPECT_EQ(rig.uplink.stats().refusals, 1U);
    EXPECT_EQ(rig.uplink.stats().failures, 0U);
    EXPECT_TRUE(rig.uplink.stats().connected);
}

TEST(HttpCarrier, many_events_that_are_too_large_alone_cost_an_answer_each_and_no_connection) {
    HttpRig rig;
    std::uint64_t large = 0;
    for (std::size_t i = 0; i < 400; ++i) {
        const std::size_t size = i * 2'477 % 5'000;  // 0 to 5,000, in no order
        rig.spool.add_many(i % 2, 1, size);
        large += size > 2'900 ? 1 : 0;
    }
    rig.connect();
    const auto begin = rig.now;
    const Server served = rig.serve(3'000);
    EXPECT_EQ(rig.spool.acked[0], 200U);
    EXPECT_EQ(rig.spool.acked[1], 200U);
    EXPECT_GT(large, 150U);
    EXPECT_EQ(rig.uplink.stats().too_large, large);
    EXPECT_LT(served.refused, large + 40) << "what is too large together is not tried again behind each";
    EXPECT_EQ(rig.transport.opens, 1U);
    EXPECT_EQ(rig.uplink.stats().failures, 0U);
    EXPECT_LT(rig.now - begin, seconds(2)) << "no pauses";
}

TEST(HttpCarrier, a_limit_that_stays_is_tried_less_and_less_and_one_that_goes_is_found) {
    Options unpaced;
    unpaced.drain_rate = 0;
    HttpRig rig(unpaced);
    rig.spool.add_many(0, 40'000, 100);
    rig.connect();
    Server served = rig.serve(3'000);
    EXPECT_EQ(rig.spool.acked[0], 40'000U);
    EXPECT_EQ(rig.uplink.stats().too_large, 0U);
    EXPECT_LT(served.refused * 50, served.taken) << served.refused << " of " << served.taken;
    EXPECT_EQ(rig.transport.opens, 1U);
    rig.spool.add_many(0, 100'000, 100);
    rig.uplink.on_events(rig.now);
    served = rig.serve(1'000'000);
    EXPECT_EQ(rig.spool.acked[0], 140'000U);
    EXPECT_EQ(served.refused, 0U);
    EXPECT_GT(served.largest, 60'000U);
}

TEST(HttpCarrier, a_server_that_ends_the_connection_behind_what_was_too_large_is_back_at_once) {
    HttpRig rig;
    rig.spool.add(0, "{\"n\":\"" + std::string(5'000, 'x') + "\"}");
    rig.spool.add(0, "{}");
    rig.connect();
    const auto begin = rig.now;
    const Server served = rig.serve(3'000, "Connection: close\r\n");
    EXPECT_EQ(rig.spool.acked[0], 2U);
    EXPECT_EQ(rig.uplink.stats().too_large, 1U);
    EXPECT_EQ(rig.transport.opens, 1 + served.refused);
    EXPECT_EQ(served.probes, 1U) << "who has judged a message needs no proof";
    EXPECT_EQ(rig.uplink.stats().failures, 0U);
    EXPECT_EQ(rig.now, begin);
}

TEST(HttpCarrier, a_server_to_which_everything_is_too_large_is_not_hammered_and_costs_one_event) {
    HttpRig rig({}, Payload::envelope);
    rig.spool.add_many(0, 100);
    rig.connect();
    const auto begin = rig.now;
    unsigned refused = 0;
    for (; rig.now - begin < std::chrono::minutes(5); rig.uplink.on_tick(rig.now)) {
        if (!rig.transport.is_open) rig.reconnect();
        const auto post = rig.request();
        if (!post) {
            rig.now = std::max(rig.now + milliseconds(1), rig.uplink.next_deadline().value_or(rig.now));
            continue;
        }
        if (!post->line.starts_with("HEAD")) ++refused;
        rig.answer(post->line.starts_with("HEAD") ? "HTTP/1.1 200 OK\r\n\r\n" : kTooLarge);
    }
    EXPECT_EQ(rig.uplink.stats().too_large, 1U) << "the gap in its place is too large as well";
    EXPECT_GT(rig.uplink.stats().failures, 5U);
    EXPECT_LT(refused, 60U);
}

TEST(HttpCarrier, one_event_that_is_too_large_alone_is_gone_and_batches_are_as_large_as_before) {
    HttpRig rig;
    rig.spool.add_many(1, 16);
    rig.spool.add(1, "{\"n\":\"" + std::string(3'000, 'x') + "\"}");
    rig.spool.add_many(1, 64);
    rig.connect();
    std::size_t largest = 0;
    unsigned refused = 0;
    for (int i = 0; i < 100 && rig.spool.acked[1] < 81; ++i) {
        if (!rig.transport.is_open) rig.reconnect();
        const auto post = rig.request();
        if (!post) {
            rig.now += seconds(1);
            rig.uplink.on_tick(rig.now);
        } else if (post->line.starts_with("HEAD")) {
            rig.answer("HTTP/1.1 200 OK\r\n\r\n");
        } else if (post->body.find("xxx") != std::string::npos) {
            ++refused;
            rig.answer(kTooLarge);
        } else {
            largest = std::max(largest, post->body.size());
            rig.answer(kOk);
        }
    }
    EXPECT_EQ(rig.spool.acked[1], 81U);
    EXPECT_EQ(rig.spool.events[1][16].reason, base::DropReason::too_large);
    EXPECT_EQ(rig.uplink.stats().too_large, 1U);
    EXPECT_LE(refused, 8U);
    EXPECT_GT(largest, 4'000U);
}

TEST(HttpCarrier, a_server_that_is_ill_stops_no_class_and_one_that_refuses_an_event_its_class_only) {
    for (const char* answer : {"503 Service Unavailable", "422 Unprocessable Content", "401 Unauthorized", "403 Forbidden", "302 Found"}) {
        HttpRig rig({}, Payload::envelope);
        rig.spool.add(0, "{\"bad\":1}");
        rig.spool.add_many(1, 40);
        rig.connect();
        for (int i = 0; i < 300; ++i) {
            if (!rig.transport.is_open) rig.reconnect();
            const auto post = rig.request();
            if (!post) {
                rig.now += seconds(1);
                rig.uplink.on_tick(rig.now);
            } else if (post->line.starts_with("HEAD")) {
                rig.answer("HTTP/1.1 200 OK\r\n\r\n");
            } else if (post->body.find("bad") != std::string::npos) {
                rig.answer("HTTP/1.1 " + std::string(answer) + "\r\nContent-Length: 0\r\n\r\n");
            } else {
                rig.answer(kOk);
            }
        }
        const bool ill = answer[0] == '5';
        EXPECT_EQ(rig.uplink.stats().standing.empty(), ill) << answer;
        EXPECT_EQ(rig.spool.acked[1], ill ? 0U : 40U) << answer;
        EXPECT_FALSE(rig.spool.events[0][0].json.empty()) << answer;
    }
}

TEST(HttpCarrier, a_server_that_will_take_as_much_later_is_waited_for) {
    HttpRig rig;
    rig.spool.add(0, "{}");
    rig.connect();
    (void)rig.request();
    rig.answer("HTTP/1.1 200 OK\r\n\r\n");
    ASSERT_TRUE(rig.request());
    rig.answer("HTTP/1.1 413 Content Too Large\r\nRetry-After: 40\r\nContent-Length: 0\r\n\r\n");
    EXPECT_FALSE(rig.spool.events[0][0].json.empty());
    const auto before = rig.now;
    rig.reconnect();
    EXPECT_GE(rig.now - before, seconds(40));
}

TEST(HttpCarrier, a_server_that_ends_each_connection_is_proved_once_and_served_at_once) {
    HttpRig rig;
    rig.spool.add(0, "{}");
    rig.connect();
    (void)rig.request();
    rig.answer("HTTP/1.0 200 OK\r\n\r\n");
    const auto begin = rig.now;
    for (std::uint64_t n = 1; n <= 5; ++n) {
        EXPECT_FALSE(rig.transport.is_open);
        rig.reconnect();
        const auto post = rig.request();
        ASSERT_TRUE(post);
        EXPECT_EQ(post->line, "POST /in/alert HTTP/1.1");
        rig.spool.add(0, "{}");
        EXPECT_EQ(rig.carrier.on_bytes(base::as_bytes("HTTP/1.0 200 OK\r\n\r\n"), rig.now), 19U);
        EXPECT_EQ(rig.spool.acked[0], n - 1) << "without a length the end of the stream is the end of the answer";
        rig.hang_up();
        EXPECT_EQ(rig.spool.acked[0], n);
    }
    EXPECT_LT(rig.now - begin, seconds(1));
    EXPECT_EQ(rig.uplink.stats().failures, 0U);
}

TEST(HttpCarrier, a_line_that_breaks_before_the_answer_means_that_it_goes_again) {
    HttpRig rig;
    rig.spool.add(0, "{}");
    rig.connect();
    (void)rig.request();
    rig.answer("HTTP/1.1 200 OK\r\n\r\n");
    ASSERT_TRUE(rig.request());
    rig.answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    rig.hang_up();
    EXPECT_EQ(rig.spool.acked[0], 0U);
    EXPECT_EQ(rig.uplink.stats().trouble, Trouble::closed);
    rig.reconnect();
    EXPECT_EQ(rig.request()->line, "HEAD /in HTTP/1.1") << "who knows who answers now";
}

TEST(HttpCarrier, something_that_is_no_http_server_is_no_answer) {
    HttpRig rig;
    rig.connect();
    (void)rig.request();
    rig.answer("SSH-2.0-OpenSSH_9.2\r\n");
    EXPECT_EQ(rig.uplink.stats().trouble, Trouble::no_answer);
    EXPECT_FALSE(rig.transport.is_open);
}

TEST(HttpCarrier, a_server_that_ends_an_idle_connection_is_no_failure_and_not_hammered) {
    HttpRig rig;
    rig.connect();
    (void)rig.request();
    rig.answer("HTTP/1.1 200 OK\r\n\r\n");
    const auto begin = rig.now;
    for (int i = 0; i < 10; ++i) {
        rig.hang_up();
        rig.reconnect();
        (void)rig.request();
        rig.answer("HTTP/1.1 200 OK\r\n\r\n");
    }
    EXPECT_EQ(rig.uplink.stats().failures, 0U);
    EXPECT_GT(rig.now - begin, seconds(20)) << "ten times, each pause longer";
}

}  // namespace
}  // namespace sluice::uplink::testing

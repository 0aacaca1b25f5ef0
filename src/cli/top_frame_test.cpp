#include "cli/top_frame.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kStatus = R"({"id":"plant-7","uptime_s":3725.5,"uplink":{"connected":false,"url":"sluice://hq"},
  "spool":{"events":12,"bytes":4194304},"rates":{"readings_per_s":99.6},
  "ledger":{"readings_in":5000,"events":{"alert":{"created":9,"delivered":4,"dropped":{"ttl":2,"spool_full":1}},"sample":{"created":1,"delivered":0,"dropped":{}}}}})";

std::string client(std::string_view id, int in, int out, int queued = 0) {
    return R"({"client":")" + std::string(id) +
           R"(","online":true,"address":"127.0.0.1:5","protocol":"5.0","connected_s":70,"messages_in":)" + std::to_string(in) +
           R"(,"messages_out":)" + std::to_string(out) + R"(,"queued":)" + std::to_string(queued) + "}";
}

TopSample sample(const std::string& clients, std::chrono::seconds at) {
    const auto read = read_top_sample(kStatus, R"({"total":7,"clients":[)" + clients + "]}", base::Monotonic(at));
    EXPECT_TRUE(read.has_value());
    return read.value_or(TopSample{});
}

TEST(Top, a_sample_has_what_the_gateway_answers) {
    const TopSample got = sample(client("a", 5, 6, 7), 1s);
    EXPECT_EQ(got.id, "plant-7");
    EXPECT_EQ(got.created, 10U);
    EXPECT_EQ(got.dropped, 3U);
    EXPECT_EQ(got.sessions, 7U);
    ASSERT_EQ(got.clients.size(), 1U);
    EXPECT_EQ(got.clients[0].messages_out, 6U);
    EXPECT_EQ(got.clients[0].queued, 7U);
}

TEST(Top, what_is_no_gateways_answer_is_told_apart) {
    for (const auto* bad : {"", "[]", "{", R"({"clients":5})"}) EXPECT_FALSE(read_top_sample(kStatus, bad, {}).has_value()) << bad;
    EXPECT_FALSE(read_top_sample("<html>", R"({"clients":[]})", {}).has_value());
}

TEST(Top, rates_are_the_difference_of_two_looks) {
    TopSample now = sample(client("a", 110, 5) + "," + client("anew", 3, 0) + "," + client("back", 1, 0), 12s);
    set_rates(now, sample(client("a", 10, 5) + "," + client("back", 50, 0), 2s));
    EXPECT_DOUBLE_EQ(now.clients[0].in_per_s, 10);
    EXPECT_DOUBLE_EQ(now.clients[0].out_per_s, 0);
    EXPECT_DOUBLE_EQ(now.clients[1].in_per_s, 0);
    EXPECT_DOUBLE_EQ(now.clients[2].in_per_s, 0);  // connected again: counted anew
}

TEST(Top, a_frame_is_in_order_and_no_larger_than_the_screen) {
    TopSample now = sample(client("slow", 1, 0, 50) + "," + client("busy", 100, 0), 1s);
    now.clients[1].in_per_s = 99;
    const auto frame = [&](TopOrder order, std::size_t lines) { return top_frame(now, {.order = order, .columns = 100, .lines = lines}); };
    const std::string by_rate = frame(TopOrder::rate, 24);
    EXPECT_LT(by_rate.find("busy"), by_rate.find("slow"));
    EXPECT_NE(by_rate.find("up 1h02m"), std::string::npos);
    EXPECT_NE(by_rate.find("uplink DOWN"), std::string::npos);
    const std::string by_queue = frame(TopOrder::queue, 24);
    EXPECT_GT(by_queue.find("busy"), by_queue.find("slow"));
    const std::string small = frame(TopOrder::rate, 5);
    EXPECT_EQ(std::count(small.begin(), small.end(), '\n'), 5);
    EXPECT_EQ(small.find("slow"), std::string::npos);
}

TEST(Top, a_client_id_can_neither_steer_the_terminal_nor_break_the_table) {
    const std::string evil = top_frame(sample(client("\\u001b[2J" + std::string(200, 'x'), 1, 0), 1s), {.columns = 80});
    EXPECT_EQ(evil.find('\x1b'), std::string::npos);
    for (std::size_t at = 0; at < evil.size();) {
        const auto end = evil.find('\n', at);
        EXPECT_LE(end - at, 80U + 4);  // … takes three bytes
        at = end + 1;
    }
}

}  // namespace
}  // namespace sluice::cli

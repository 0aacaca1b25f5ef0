#include "cloud/refusal_log.hpp"

#include <gtest/gtest.h>

namespace sluice::cloud {
namespace {

posix::PeerAddress address(std::uint8_t host, std::uint16_t port, bool v6 = false) {
    posix::PeerAddress out;
    out.ip = {10, 0, 0, host};
    if (v6) out.ip = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, host, 0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(port)};
    out.port = port;
    out.v6 = v6;
    return out;
}

TEST(RefusalLog, an_address_has_one_line_a_minute_and_the_next_tells_the_rest) {
    RefusalLog log;
    base::Monotonic now{std::chrono::seconds(100)};
    const auto first = log.refused(address(1, 1000), now);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->unsaid, 0U);
    for (std::uint16_t port = 1001; port < 1060; ++port) EXPECT_FALSE(log.refused(address(1, port), now += std::chrono::seconds(1)));
    EXPECT_TRUE(log.refused(address(2, 1), now)) << "another address";
    now += std::chrono::seconds(1);
    const auto next = log.refused(address(1, 2000), now);
    ASSERT_TRUE(next);
    EXPECT_EQ(next->unsaid, 59U);
    EXPECT_EQ(next->elsewhere, 0U);
}

TEST(RefusalLog, of_ipv6_a_network_is_one_address) {
    RefusalLog log;
    const base::Monotonic now{std::chrono::seconds(100)};
    EXPECT_TRUE(log.refused(address(1, 1, true), now));
    EXPECT_FALSE(log.refused(address(1, 2, true), now));
    EXPECT_TRUE(log.refused(address(2, 1, true), now));
}

TEST(RefusalLog, thousands_of_addresses_take_no_more_lines_and_memory_than_there_is) {
    RefusalLog log;
    base::Monotonic now{std::chrono::seconds(100)};
    std::size_t lines = 0;
    for (unsigned n = 0; n < 10'000; ++n) {
        auto from = address(static_cast<std::uint8_t>(n), 1);
        from.ip[2] = static_cast<std::uint8_t>(n / 256);
        if (log.refused(from, now)) ++lines;
    }
    EXPECT_EQ(lines, RefusalLog::kAddressesMax);
    now += RefusalLog::kEvery;
    auto fresh = address(9, 9);
    fresh.ip[0] = 192;
    const auto line = log.refused(fresh, now);
    ASSERT_TRUE(line);
    EXPECT_EQ(line->elsewhere, 10'000U - RefusalLog::kAddressesMax);
}

}  // namespace
}  // namespace sluice::cloud

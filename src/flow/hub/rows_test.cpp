// The bytes of docs/formats/sessions.md, which files in the field have: they must go on being read.
#include "flow/hub/rows.hpp"

#include <gtest/gtest.h>

namespace sluice::hub {
namespace {

base::Bytes from_hex(std::string_view text) {
    base::Bytes out;
    std::string digits(text);
    std::erase(digits, ' ');
    for (std::size_t at = 0; at < digits.size(); at += 2)
        out.push_back(static_cast<base::Byte>(std::stoi(digits.substr(at, 2), nullptr, 16)));
    return out;
}

constexpr std::string_view kSession = "01 3c000000 0000000000000000 0100 63 0800 757365723a616e61 0700";
constexpr std::string_view kSubscription = "01 01 05000000 0100 67 0300 612f2b";
constexpr std::string_view kMessage = "01 01 0000000000000000 0100 74 00000000 6869";
constexpr std::string_view kDeliveryHead = "01 01 0900 0100 05000000";
constexpr std::string_view kInflight = "01 06 0900";

template <class Row>
base::Bytes written(const Row& row) {
    base::Bytes out;
    append_row(out, row);
    return out;
}

TEST(Rows, the_documented_examples_are_what_is_written) {
    EXPECT_EQ(written(SessionRow{.client = "c", .owner = "user:ana", .expiry_seconds = 60, .unreleased = {7}}), from_hex(kSession));
    EXPECT_EQ(written(SubscriptionRow{.options = {1}, .identifier = 5, .group = "g", .filter = "a/+"}), from_hex(kSubscription));
    EXPECT_EQ(written(MessageRow{.topic = "t", .payload = base::as_bytes("hi"), .qos = 1}), from_hex(kMessage));
    EXPECT_EQ(written(DeliveryRow{.qos = 1, .packet_id = 9, .identifiers = {5}}), from_hex(kDeliveryHead));
    EXPECT_EQ(written(InflightRow{.packet_id = 9, .qos = 2, .released = true}), from_hex(kInflight));
}

TEST(Rows, the_documented_examples_are_read) {
    const auto session_bytes = from_hex(kSession);
    const auto session = read_session_row(session_bytes);
    ASSERT_TRUE(session);
    EXPECT_EQ(session->client, "c");
    EXPECT_EQ(session->owner, "user:ana");
    EXPECT_EQ(session->expiry_seconds, 60U);
    EXPECT_EQ(session->unreleased, std::vector<mqtt::PacketId>{7});
    const auto subscription_bytes = from_hex(kSubscription);
    const auto subscription = read_subscription_row(subscription_bytes);
    ASSERT_TRUE(subscription);
    EXPECT_EQ(subscription->group, "g");
    EXPECT_EQ(subscription->filter, "a/+");
    auto delivery_bytes = from_hex(kDeliveryHead);
    base::append(delivery_bytes, from_hex(kMessage));
    const auto delivery = read_delivery_row(delivery_bytes);
    ASSERT_TRUE(delivery);
    EXPECT_EQ(delivery->packet_id, 9);
    EXPECT_EQ(delivery->identifiers, std::vector<std::uint32_t>{5});
    EXPECT_EQ(base::as_text(delivery->message.payload), "hi");
    const auto inflight = read_inflight_row(from_hex(kInflight));
    ASSERT_TRUE(inflight);
    EXPECT_TRUE(inflight->released);
}

TEST(Rows, a_row_that_is_cut_anywhere_or_of_another_version_is_refused) {
    const auto whole = from_hex(kSubscription);
    for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(read_subscription_row(base::ByteView(whole).first(size))) << size;
    auto newer = whole;
    newer[0] = 2;
    const auto read = read_subscription_row(newer);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, base::Errc::version);
}

TEST(Rows, deadlines_go_through_ages_and_back) {
    using std::chrono::seconds;
    const AgeClock clock{base::Monotonic(seconds(50)), 1'000'000};
    EXPECT_EQ(clock.age_of(kNever), 0U);
    EXPECT_EQ(clock.time_of(0), kNever);
    EXPECT_EQ(clock.age_of(base::Monotonic(seconds(60))), 1'010'000U);
    EXPECT_EQ(clock.time_of(1'010'000), base::Monotonic(seconds(60)));
    EXPECT_LT(clock.time_of(1), clock.now);
    EXPECT_EQ(clock.age_of(base::Monotonic(seconds(-100'000))), 1U) << "before the directory was made: as early as can be";
    EXPECT_EQ(clock.time_of(~Age{0} / 4), kNever) << "no deadline is that far away";
}

}  // namespace
}  // namespace sluice::hub

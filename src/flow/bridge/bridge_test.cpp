// A bridge against two scripted ends: what it says, and what it does when they answer wrongly, late or not at all. Against real hubs:
// sim/bridge_test.cpp.
#include "flow/bridge/bridge.hpp"

#include <gtest/gtest.h>

#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/encode.hpp"
#include "codec/mqtt/framing.hpp"
#include "data/bridge.hpp"
#include "flow/bridge/path.hpp"

namespace sluice::bridge {
namespace {

using mqtt::PacketType;
using mqtt::Qos;
using mqtt::ReasonCode;
using mqtt::Version;
using namespace std::chrono_literals;

class FixedEntropy final : public env::Entropy {
public:
    void fill(std::span<base::Byte> out) override { std::fill(out.begin(), out.end(), base::Byte{0}); }
};

struct Rig : testing::Test, Transport {
    void open(End end) override { ++opens[at(end)]; }
    base::Bytes* output(End end) override { return &sent[at(end)]; }
    void close(End end, bool) override { ++closes[at(end)]; }
    static std::size_t at(End end) { return static_cast<std::size_t>(end); }

    void begin(std::vector<Map> maps, Protocol version = Protocol::automatic) {
        Options options;
        options.name = "hq";
        options.gateway = "plant";
        options.client_id = "plant-hq";
        options.topics = std::move(maps);
        options.version = version;
        bridge = std::make_unique<Bridge>(std::move(options), *this, entropy);
        bridge->start(now);
    }
    /// The first packet in what the bridge has sent to an end; types that it begins with.
    std::vector<PacketType> take(End end) {
        std::vector<PacketType> types;
        bodies.clear();
        base::Bytes& bytes = sent[at(end)];
        for (std::size_t from = 0; from < bytes.size();) {
            const auto rest = base::ByteView(bytes).subspan(from);
            const auto framed = mqtt::frame(rest);
            if (framed.status != mqtt::FrameStatus::complete) break;
            types.push_back(framed.type());
            bodies.emplace_back(rest.begin() + framed.body_offset, rest.begin() + framed.total);
            firsts.push_back(framed.first);
            from += framed.total;
        }
        bytes.clear();
        return types;
    }
    std::size_t give(End end, const base::Bytes& bytes) { return bridge->on_bytes(end, bytes, now); }
    void connack(End end, Version version = Version::v5, ReasonCode reason = ReasonCode::success, bool present = false,
                 unsigned qos_max = 2, unsigned receive_maximum = 0, std::string_view gateway = {}) {
        base::Bytes out;
        base::Bytes scratch;
        mqtt::PropertyWriter properties(scratch);
        if (qos_max != 2) properties.number(mqtt::Property::maximum_qos, qos_max);
        if (receive_maximum != 0) properties.number(mqtt::Property::receive_maximum, receive_maximum);
        if (!gateway.empty()) properties.user(data::kBridgeGateway, gateway);
        mqtt::encode_connack(out, {.session_present = present, .reason = reason, .properties = properties.done()}, version);
        give(end, out);
    }
    void suback(End end, std::vector<base::Byte> codes = {1}, Version version = Version::v5) {
        base::Bytes out;
        mqtt::encode_suback(out, {.packet_id = 0xFFFF, .codes = codes, .properties = {}}, version);
        give(end, out);
    }
    void publish(End end, std::string_view topic, Qos qos, mqtt::PacketId id, mqtt::Properties properties = {}) {
        base::Bytes out;
        mqtt::encode_publish(out, {.topic = topic, .payload = base::as_bytes("hi"), .packet_id = id, .qos = qos, .properties = properties},
                             end == End::remote ? remote_version : Version::v5);
        give(end, out);
    }
    /// One of a megabyte, as a socket gives it. What is still shown of it when the next bytes come must be small.
    void publish_too_large(Qos qos, mqtt::PacketId id) {
        base::Bytes out;
        const base::Bytes payload(1024 * 1024);
        mqtt::encode_publish(out, {.topic = "t/large", .payload = payload, .packet_id = id, .qos = qos, .properties = {}}, remote_version);
        base::Bytes shown;
        for (std::size_t at = 0; at < out.size(); at += 7) {
            const auto piece = base::ByteView(out).subspan(at, std::min<std::size_t>(7, out.size() - at));
            shown.insert(shown.end(), piece.begin(), piece.end());
            shown.erase(shown.begin(), shown.begin() + static_cast<std::ptrdiff_t>(give(End::remote, shown)));
            ASSERT_LT(shown.size(), 32U);
        }
        EXPECT_TRUE(shown.empty());
    }
    void ack(End end, PacketType type, mqtt::PacketId id, ReasonCode reason = ReasonCode::success) {
        base::Bytes out;
        mqtt::encode_ack(out, type, {.packet_id = id, .reason = reason, .properties = {}}, Version::v5);
        give(end, out);
    }
    /// Through the hub, up to the CONNECT to the remote.
    void arm() {
        bridge->on_open(End::local, now);
        connack(End::local, Version::v5, ReasonCode::success, false, 2, hub_window);
        suback(End::local);
        take(End::local);
        bridge->on_open(End::remote, now);
    }
    /// Up to the subscriptions on both sides.
    void attach(unsigned qos_max = 2) {
        arm();
        take(End::remote);
        connack(End::remote, remote_version, ReasonCode::success, false, qos_max);
        bridge->on_open(End::local, now);
        connack(End::local, Version::v5, ReasonCode::success, true, 2, hub_window);
        take(End::local);
        take(End::remote);
    }
    void run(unsigned qos_max = 2) {
        attach(qos_max);
        suback(End::local);
        if (!bridge->topics().remote_filters().empty()) suback(End::remote, {1}, remote_version);
    }
    mqtt::Connect connect_of(std::size_t index = 0) {
        mqtt::Connect packet;
        EXPECT_TRUE(mqtt::decode_connect(bodies.at(index), packet).good());
        return packet;
    }
    /// What the CONNECT just sent to the remote asks for; asked(): of the next attempt.
    mqtt::VersionChoice::Attempt asked_now() {
        take(End::remote);
        return {connect_of(bodies.size() - 1).version, connect_of(bodies.size() - 1).bridge};
    }
    mqtt::VersionChoice::Attempt asked() {
        now = *bridge->next_deadline();
        bridge->on_tick(now);
        bridge->on_open(End::remote, now);
        return asked_now();
    }
    mqtt::Publish publish_of(std::size_t index = 0) {
        mqtt::Publish packet;
        EXPECT_TRUE(mqtt::decode_publish(firsts.at(firsts.size() - bodies.size() + index), bodies.at(index), Version::v5, packet).good());
        return packet;
    }

    FixedEntropy entropy;
    std::unique_ptr<Bridge> bridge;
    base::Monotonic now{1h};
    unsigned hub_window = 0;  // in its CONNACK; 0: not said
    Version remote_version = Version::v5;
    std::array<unsigned, 2> opens{}, closes{};
    std::array<base::Bytes, 2> sent;
    std::vector<base::Bytes> bodies;
    std::vector<base::Byte> firsts;
};

const std::vector<Map> kOut{{.direction = Direction::out, .qos = 2, .filter = "up/#"}};
const std::vector<Map> kIn{{.direction = Direction::in, .qos = 2, .filter = "t/#"}};
const std::vector<Map> kBoth{{.direction = Direction::both, .qos = 2, .filter = "t/#"}};

TEST_F(Rig, the_session_in_the_hub_is_made_before_the_remote_is_asked) {
    begin(kOut);
    EXPECT_EQ(opens, (std::array{1U, 0U}));
    bridge->on_open(End::local, now);
    ASSERT_EQ(take(End::local), (std::vector{PacketType::connect}));
    EXPECT_EQ(connect_of().client_id, "$bridge/hq");
    EXPECT_FALSE(connect_of().clean_start);
    connack(End::local);
    EXPECT_EQ(take(End::local), (std::vector{PacketType::subscribe}));
    EXPECT_EQ(opens, (std::array{1U, 0U}));
    suback(End::local);
    EXPECT_EQ(take(End::local), (std::vector{PacketType::disconnect}));
    EXPECT_EQ(opens, (std::array{1U, 1U}));
}

TEST_F(Rig, it_is_connected_when_both_sides_have_acknowledged_its_subscriptions) {
    begin(kBoth);
    attach();
    EXPECT_FALSE(bridge->stats().connected);
    suback(End::local);
    EXPECT_FALSE(bridge->stats().connected) << "what is published at the remote now may miss the subscription";
    suback(End::remote);
    EXPECT_TRUE(bridge->stats().connected);
    EXPECT_EQ(bridge->stats().connections, 1U);
}

TEST_F(Rig, a_publish_is_acknowledged_to_one_side_when_the_other_has_acknowledged_it) {
    begin(kOut);
    run();
    publish(End::local, "up/x", Qos::at_least_once, 7);
    EXPECT_TRUE(take(End::local).empty());
    ASSERT_EQ(take(End::remote), (std::vector{PacketType::publish}));
    EXPECT_EQ(publish_of().packet_id, 7);
    ack(End::remote, PacketType::puback, 7);
    EXPECT_EQ(take(End::local), (std::vector{PacketType::puback}));
    publish(End::local, "up/x", Qos::exactly_once, 8);
    EXPECT_EQ(take(End::remote), (std::vector{PacketType::publish}));
    ack(End::remote, PacketType::pubrec, 8);
    EXPECT_EQ(take(End::local), (std::vector{PacketType::pubrec}));
    ack(End::local, PacketType::pubrel, 8);
    EXPECT_EQ(take(End::remote), (std::vector{PacketType::pubrel}));
    EXPECT_TRUE(take(End::local).empty());
    ack(End::remote, PacketType::pubcomp, 8);
    EXPECT_EQ(take(End::local), (std::vector{PacketType::pubcomp}));
    EXPECT_EQ(bridge->stats().messages_out, 2U);
}

TEST_F(Rig, a_refusal_of_the_remote_is_counted_and_ends_the_message) {
    begin(kOut);
    run();
    publish(End::local, "up/x", Qos::exactly_once, 8);
    ack(End::remote, PacketType::pubrec, 8, ReasonCode::not_authorized);
    EXPECT_EQ(take(End::local), (std::vector{PacketType::pubrec}));
    EXPECT_EQ(bridge->stats().messages_out, 0U);
    EXPECT_EQ(bridge->stats().dropped_out[static_cast<std::size_t>(Drop::refused)], 1U);
}

TEST_F(Rig, a_remote_of_qos_1_gets_qos_2_as_1_and_the_hub_its_four_packets) {
    begin(kOut);
    run(1);
    publish(End::local, "up/x", Qos::exactly_once, 3);
    ASSERT_EQ(take(End::remote), (std::vector{PacketType::publish}));
    EXPECT_EQ(publish_of().qos, Qos::at_least_once);
    ack(End::remote, PacketType::puback, 3);
    EXPECT_EQ(take(End::local), (std::vector{PacketType::pubrec}));
    ack(End::local, PacketType::pubrel, 3);
    EXPECT_EQ(take(End::local), (std::vector{PacketType::pubcomp}));
    EXPECT_TRUE(take(End::remote).empty());
}

TEST_F(Rig, a_topic_without_a_map_is_acknowledged_and_counted) {
    begin(kOut);
    run();
    publish(End::local, "elsewhere", Qos::at_least_once, 1);
    EXPECT_TRUE(take(End::remote).empty());
    EXPECT_EQ(take(End::local), (std::vector{PacketType::puback}));
    EXPECT_EQ(bridge->stats().dropped_out[static_cast<std::size_t>(Drop::unmapped)], 1U);
}

TEST_F(Rig, what_goes_out_says_where_it_was_and_what_has_been_here_does_not_come_in_again) {
    begin(kBoth);
    run();
    publish(End::local, "t/x", Qos::at_most_once, 0);
    ASSERT_EQ(take(End::remote), (std::vector{PacketType::publish}));
    const base::Bytes kept = bodies[0];
    EXPECT_TRUE(has_been_at(publish_of().properties, "plant"));
    publish(End::remote, "t/x", Qos::at_most_once, 0, publish_of().properties);
    EXPECT_TRUE(take(End::local).empty());
    EXPECT_EQ(bridge->stats().dropped_in[static_cast<std::size_t>(Drop::looped)], 1U);
}

TEST_F(Rig, a_remote_that_refuses_version_5_is_asked_with_the_bridge_bit) {
    begin(kOut);
    arm();
    take(End::remote);
    EXPECT_EQ(connect_of().version, Version::v5);
    give(End::remote, {0x20, 2, 0, 1});  // as brokers of version 3.1.1 say it
    EXPECT_LE(*bridge->next_deadline(), now + 500ms) << "it is there: no reason to wait";
    EXPECT_EQ(asked(), (mqtt::VersionChoice::Attempt{Version::v311, true}));
    give(End::remote, {0x20, 2, 0, 1});  // this bit, too
    EXPECT_EQ(asked(), (mqtt::VersionChoice::Attempt{Version::v311, false}));
    give(End::remote, {0x20, 2, 0, 0});
    bridge->on_open(End::remote, now);  // what it may remember is forgotten: once more
    give(End::remote, {0x20, 2, 0, 0});
    EXPECT_EQ(opens[at(End::local)], 2U);
    EXPECT_EQ(bridge->stats().fallback, Fallback::refused);
    bridge->on_closed(End::remote, now);
    EXPECT_EQ(asked(), (mqtt::VersionChoice::Attempt{Version::v5, false})) << "another broker may be there next time";
}

TEST_F(Rig, a_remote_that_hangs_up_on_everything_while_it_is_away_is_spoken_to_with_5_0_when_it_is_back) {
    begin(kOut);
    arm();
    bridge->on_closed(End::remote, now);
    EXPECT_EQ(asked(), (mqtt::VersionChoice::Attempt{Version::v311, true}));
    bridge->on_closed(End::remote, now);
    EXPECT_EQ(asked(), (mqtt::VersionChoice::Attempt{Version::v311, false}));
    give(End::remote, {0x20, 2, 0, 0});
    EXPECT_EQ(opens[at(End::local)], 1U) << "not yet";
    bridge->on_open(End::remote, now);
    EXPECT_EQ(asked_now(), (mqtt::VersionChoice::Attempt{Version::v5, false}));
    connack(End::remote);
    EXPECT_EQ(opens[at(End::local)], 2U);
    EXPECT_EQ(bridge->stats().version, Version::v5);
    EXPECT_EQ(bridge->stats().fallback, Fallback::none);
}

TEST_F(Rig, a_remote_that_hangs_up_on_5_0_before_and_after_it_has_answered_3_1_1_is_spoken_to_with_that) {
    begin(kIn);
    arm();
    bridge->on_closed(End::remote, now);
    EXPECT_EQ(asked(), (mqtt::VersionChoice::Attempt{Version::v311, true}));
    give(End::remote, {0x20, 2, 0, 0});
    bridge->on_open(End::remote, now);
    EXPECT_EQ(asked_now(), (mqtt::VersionChoice::Attempt{Version::v5, false}));
    bridge->on_closed(End::remote, now);
    EXPECT_EQ(asked(), (mqtt::VersionChoice::Attempt{Version::v311, true}));
    give(End::remote, {0x20, 2, 0, 0});
    EXPECT_EQ(opens[at(End::local)], 2U);
    EXPECT_TRUE(bridge->stats().bridge_bit);
    EXPECT_EQ(bridge->stats().fallback, Fallback::hung_up);
}

TEST_F(Rig, a_bridge_that_only_fetches_keeps_its_session_in_the_hub_and_says_that_nothing_goes_out) {
    begin(kIn);
    bridge->on_open(End::local, now);
    ASSERT_EQ(take(End::local), (std::vector{PacketType::connect}));
    EXPECT_FALSE(connect_of().clean_start) << "what the remote has still to release would be forgotten, and come twice";
    bool said = false;
    connect_of().properties.for_each([&](const mqtt::PropertyItem& item) { said = said || item.name == data::kBridgeInwards; });
    EXPECT_TRUE(said);
}

TEST_F(Rig, a_wrong_password_is_told_and_tried_again_with_growing_pauses) {
    begin(kOut, Protocol::v5);
    arm();
    std::chrono::nanoseconds last{0};
    for (int i = 0; i < 8; ++i) {
        connack(End::remote, Version::v5, ReasonCode::bad_user_name_or_password);
        EXPECT_EQ(bridge->stats().trouble, Trouble::refused);
        EXPECT_EQ(bridge->stats().reason, 0x86);
        const auto due = bridge->next_deadline();
        ASSERT_TRUE(due);
        EXPECT_GE(*due - now, last);
        last = *due - now;
        now = *due;
        bridge->on_tick(now);
        bridge->on_open(End::remote, now);
    }
    EXPECT_EQ(last, 15s) << "half of retry_max: the entropy is all zeros";
}

TEST_F(Rig, a_remote_gateway_with_our_own_id_is_refused) {
    begin(kBoth);
    arm();
    take(End::remote);
    connack(End::remote, Version::v5, ReasonCode::success, false, 2, 0, "plant");
    EXPECT_EQ(take(End::remote), (std::vector{PacketType::disconnect}));
    EXPECT_EQ(bridge->stats().trouble, Trouble::same_id);
    EXPECT_EQ(opens[at(End::local)], 1U) << "it never comes to messages";
    now = *bridge->next_deadline();
    bridge->on_tick(now);
    bridge->on_open(End::remote, now);
    connack(End::remote, Version::v5, ReasonCode::success, false, 2, 0, "plant-2");
    EXPECT_EQ(opens[at(End::local)], 2U) << "put right, it goes on by itself";
}

TEST_F(Rig, the_reason_of_a_break_is_kept_and_no_older_one_with_the_next) {
    begin(kOut);
    run();
    base::Bytes goodbye;
    mqtt::encode_disconnect(goodbye, {.reason = ReasonCode::session_taken_over, .properties = {}}, Version::v5);
    give(End::local, goodbye);
    EXPECT_EQ(bridge->stats().trouble, Trouble::hub);
    EXPECT_EQ(bridge->stats().reason, 0x8E);
    now = *bridge->next_deadline();
    bridge->on_tick(now);
    bridge->on_closed(End::remote, now);
    EXPECT_EQ(bridge->stats().trouble, Trouble::unreachable);
    EXPECT_EQ(bridge->stats().reason, 0);
}

TEST_F(Rig, a_remote_that_ends_it_because_we_were_silent_is_not_one_that_does_not_answer) {
    begin(kOut);
    run();
    base::Bytes goodbye;
    mqtt::encode_disconnect(goodbye, {.reason = ReasonCode::keep_alive_timeout, .properties = {}}, Version::v5);
    give(End::remote, goodbye);
    EXPECT_EQ(bridge->stats().trouble, Trouble::closed);
    EXPECT_EQ(bridge->stats().reason, 0x8D);
}

TEST_F(Rig, a_remote_that_accepts_and_never_answers_is_given_up) {
    begin(kOut);
    arm();
    now += 11s;
    bridge->on_tick(now);
    EXPECT_EQ(bridge->stats().trouble, Trouble::no_answer);
    EXPECT_FALSE(bridge->stats().connected);
}

TEST_F(Rig, a_remote_that_falls_silent_is_pinged_and_given_up) {
    begin(kOut);
    run();
    EXPECT_TRUE(bridge->stats().connected);
    now += 61s;
    bridge->on_tick(now);
    EXPECT_EQ(take(End::remote), (std::vector{PacketType::pingreq}));
    now += 11s;
    bridge->on_tick(now);
    EXPECT_EQ(bridge->stats().trouble, Trouble::no_answer);
}

TEST_F(Rig, a_remote_that_answers_pings_and_acknowledges_nothing_is_given_up) {
    begin(kOut);
    run();
    publish(End::local, "up/x", Qos::at_least_once, 1);
    for (int i = 0; i < 7 && bridge->stats().connected; ++i) {
        now += 10s;
        give(End::remote, {0xD0, 0});
        bridge->on_tick(now);
    }
    EXPECT_EQ(bridge->stats().trouble, Trouble::stalled);
}

TEST_F(Rig, the_remote_is_told_the_hubs_window) {
    hub_window = 5;
    begin(kBoth);
    arm();
    take(End::remote);
    EXPECT_EQ(connect_of().properties.number_or(mqtt::Property::receive_maximum, 0), 5U);
}

TEST_F(Rig, a_publish_of_qos_2_does_not_wait_for_the_release_of_another_which_would_stand_behind_it) {
    hub_window = 2;
    begin(kBoth);
    run();
    for (mqtt::PacketId id = 1; id <= 9; ++id) {
        publish(End::remote, "t/x", Qos::exactly_once, id);
        EXPECT_EQ(take(End::local), (std::vector{PacketType::publish}));
        ack(End::local, PacketType::pubrec, id);
    }
    EXPECT_FALSE(bridge->holds(End::remote));
}

TEST_F(Rig, a_remote_that_we_do_not_read_cannot_be_said_to_acknowledge_nothing) {
    begin(kOut);
    run();
    publish(End::local, "up/x", Qos::at_least_once, 1);
    for (int i = 0; i < 12; ++i) {
        now += 10s;
        bridge->on_held(End::remote, now);
        bridge->on_tick(now);
    }
    EXPECT_TRUE(bridge->stats().connected);
}

TEST_F(Rig, publishes_beyond_the_hubs_window_are_left_unread_until_it_has_room) {
    hub_window = 4;
    begin(kBoth);
    run();
    for (mqtt::PacketId id = 1; id <= 4; ++id) publish(End::remote, "t/x", Qos::at_least_once, id);
    take(End::local);
    base::Bytes more;
    mqtt::encode_publish(more, {.topic = "t/x", .payload = {}, .packet_id = 5, .qos = Qos::at_least_once, .properties = {}}, Version::v5);
    EXPECT_EQ(give(End::remote, more), 0U);
    EXPECT_TRUE(bridge->holds(End::remote));
    ack(End::local, PacketType::puback, 1);
    EXPECT_FALSE(bridge->holds(End::remote));
    EXPECT_EQ(give(End::remote, more), more.size());
}

TEST_F(Rig, a_message_above_what_the_hub_takes_goes_by_unread_is_acknowledged_and_counted) {
    for (const Version version : {Version::v5, Version::v311}) {
        remote_version = version;
        begin(kIn, version == Version::v5 ? Protocol::v5 : Protocol::v311);
        run();
        publish_too_large(Qos::at_most_once, 0);
        EXPECT_TRUE(take(End::remote).empty());
        publish_too_large(Qos::at_least_once, 7);
        EXPECT_EQ(take(End::remote), (std::vector{PacketType::puback}));
        publish_too_large(Qos::exactly_once, 8);
        EXPECT_EQ(take(End::remote), (std::vector{PacketType::pubrec}));
        ack(End::remote, PacketType::pubrel, 8);
        EXPECT_EQ(take(End::remote), (std::vector{PacketType::pubcomp}));
        EXPECT_TRUE(take(End::local).empty());
        EXPECT_EQ(bridge->stats().dropped_in[static_cast<std::size_t>(Drop::too_large)], 3U);
        publish(End::remote, "t/small", Qos::at_least_once, 9);
        EXPECT_EQ(take(End::local), (std::vector{PacketType::publish})) << "and it goes on";
        EXPECT_TRUE(bridge->stats().connected);
    }
}

TEST_F(Rig, a_break_in_the_middle_of_what_is_too_large_leaves_nothing_behind) {
    begin(kIn);
    run();
    base::Bytes out;
    mqtt::encode_publish(out, {.topic = "t/large", .payload = base::Bytes(1024 * 1024), .packet_id = 1, .qos = Qos::at_least_once},
                         Version::v5);
    out.resize(1000);
    EXPECT_EQ(give(End::remote, out), 1000U);
    bridge->on_closed(End::remote, now);
    take(End::remote);
    now = *bridge->next_deadline();
    bridge->on_tick(now);
    bridge->on_open(End::remote, now);
    connack(End::remote);
    EXPECT_EQ(opens[at(End::local)], 3U) << "the CONNACK was read as one";
}

TEST_F(Rig, a_message_whose_topic_is_none_costs_only_itself) {
    for (const Version version : {Version::v5, Version::v311}) {
        remote_version = version;
        begin(kIn, version == Version::v5 ? Protocol::v5 : Protocol::v311);
        run();
        publish(End::remote, "t/\x01", Qos::at_least_once, 1);
        publish(End::remote, "t/+", Qos::at_least_once, 2);
        publish(End::remote, "t/\xff", Qos::at_least_once, 3);
        EXPECT_EQ(take(End::remote), (std::vector{PacketType::puback, PacketType::puback, PacketType::puback}));
        EXPECT_TRUE(take(End::local).empty());
        EXPECT_EQ(bridge->stats().dropped_in[static_cast<std::size_t>(Drop::topic_invalid)], 3U);
        EXPECT_TRUE(bridge->stats().connected);
    }
}

TEST_F(Rig, a_retired_bridge_ends_its_session_and_is_done) {
    Options options;
    options.name = "old";
    options.retired = true;
    bridge = std::make_unique<Bridge>(std::move(options), *this, entropy);
    bridge->start(now);
    bridge->on_open(End::local, now);
    take(End::local);
    EXPECT_TRUE(connect_of().clean_start);
    EXPECT_FALSE(connect_of().properties.has(mqtt::Property::session_expiry_interval));
    connack(End::local);
    EXPECT_TRUE(bridge->finished());
    EXPECT_EQ(opens[at(End::remote)], 0U);
}

TEST(Echoes, each_message_swallows_one_echo_for_half_a_minute) {
    Echoes echoes;
    const base::Monotonic now{1h};
    const auto payload = base::as_bytes("21.5");
    EXPECT_FALSE(echoes.take("t", payload, now));
    echoes.expect("t", payload, now);
    echoes.expect("t", payload, now);
    EXPECT_FALSE(echoes.take("t", base::as_bytes("21.6"), now));
    EXPECT_FALSE(echoes.take("u", payload, now));
    EXPECT_TRUE(echoes.take("t", payload, now));
    EXPECT_TRUE(echoes.take("t", payload, now + 29s));
    EXPECT_FALSE(echoes.take("t", payload, now)) << "a third is somebody else's";
    echoes.expect("t", payload, now);
    EXPECT_FALSE(echoes.take("t", payload, now + Echoes::kKeptFor));
}

TEST(Path, aliases_and_identifiers_stay_behind_and_the_rest_goes_over) {
    base::Bytes from;
    mqtt::PropertyWriter writer(from);
    writer.number(mqtt::Property::subscription_identifier, 5).text(mqtt::Property::content_type, "x").user("k", "v");
    base::Bytes to;
    const auto passed = passed_on(writer.done(), "plant", to);
    EXPECT_FALSE(passed.has(mqtt::Property::subscription_identifier));
    EXPECT_EQ(passed.text(mqtt::Property::content_type), "x");
    EXPECT_TRUE(has_been_at(passed, "plant"));
    EXPECT_FALSE(has_been_at(passed, "plan"));
    base::Bytes again;
    EXPECT_EQ(passed_on(passed, "plant", again).raw().size(), passed.raw().size()) << "said once where it stands last";
}

TEST(Path, ends_at_sixteen_gateways) {
    base::Bytes from;
    mqtt::PropertyWriter writer(from);
    for (std::size_t i = 0; i < data::kBridgePathMax - 1; ++i) writer.user(data::kBridgePath, "g" + std::to_string(i));
    EXPECT_FALSE(is_path_full(writer.done()));
    writer.user(data::kBridgePath, "last");
    EXPECT_TRUE(is_path_full(writer.done()));
}

}  // namespace
}  // namespace sluice::bridge

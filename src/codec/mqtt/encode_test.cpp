// Written packets: known bytes, and everything written is read back equal.
#include "codec/mqtt/encode.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "codec/mqtt/decode.hpp"
#include "codec/mqtt/framing.hpp"
#include "codec/mqtt/test_bytes.hpp"

namespace sluice::mqtt {
namespace {

using base::Bytes;
using base::ByteView;
using testing::hex;

constexpr Version kVersions[] = {Version::v311, Version::v5};

ByteView only_packet(const Bytes& out, PacketType type) {
    const auto framed = frame(out);
    EXPECT_EQ(framed.status, FrameStatus::complete);
    EXPECT_EQ(framed.total, out.size());
    EXPECT_EQ(framed.type(), type);
    return framed.body(out);
}

TEST(Encode, known_bytes) {
    Bytes out;
    encode_publish(out,
                   {.topic = "a/b",
                    .payload = base::as_bytes("hi"),
                    .packet_id = 0x1234,
                    .qos = Qos::at_least_once,
                    .retain = true,
                    .dup = true,
                    .properties = {}},
                   Version::v311);
    EXPECT_EQ(out, hex("3B 09 00 03 'a/b' 12 34 'hi'"));
    out.clear();
    encode_publish(out, {.topic = "a/b", .payload = {}}, Version::v5);
    EXPECT_EQ(out, hex("30 06 00 03 'a/b' 00"));
    const auto ack = short_ack(PacketType::pubrel, 0x0102);
    EXPECT_EQ(Bytes(ack.begin(), ack.end()), hex("62 02 01 02"));
    out.clear();
    encode_ack(out, PacketType::puback, {.packet_id = 1, .reason = ReasonCode::no_matching_subscribers}, Version::v5);
    encode_ack(out, PacketType::puback, {.packet_id = 1, .reason = ReasonCode::no_matching_subscribers}, Version::v311);
    encode_ack(out, PacketType::pubrel, {.packet_id = 1}, Version::v5);
    EXPECT_EQ(out, hex("40 03 00 01 10  40 02 00 01  62 02 00 01"));
    out.clear();
    encode_connack(out, {.session_present = true}, Version::v311);
    encode_connack(out, {.reason = ReasonCode::not_authorized}, Version::v311);
    encode_connack(out, {.reason = ReasonCode::not_authorized}, Version::v5);
    EXPECT_EQ(out, hex("20 02 01 00  20 02 00 05  20 03 00 87 00"));
    out.clear();
    const auto codes = hex("01 87");
    encode_suback(out, {.packet_id = 2, .codes = codes}, Version::v311);
    encode_unsuback(out, {.packet_id = 2, .codes = codes}, Version::v311);
    encode_disconnect(out, {.reason = ReasonCode::malformed_packet}, Version::v311);
    encode_disconnect(out, {.reason = ReasonCode::malformed_packet}, Version::v5);
    encode_disconnect(out, {.properties = {}}, Version::v5);
    EXPECT_EQ(out, hex("90 04 00 02 01 80  B0 02 00 02  E0 00  E0 01 81  E0 00"));
}

TEST(Encode, a_header_leaves_room_for_a_payload_that_is_sent_from_elsewhere) {
    const std::string payload(70'000, 'x');
    Publish packet{.topic = "t", .payload = base::as_bytes(payload), .packet_id = 7, .qos = Qos::exactly_once};
    for (const auto version : kVersions) {
        Bytes whole = hex("AA");
        const auto at = encode_publish(whole, packet, version);
        EXPECT_EQ(whole.size(), 1 + publish_size(packet, version));
        Bytes parts = hex("AA");
        EXPECT_EQ(encode_publish_header(parts, packet, version), at);
        base::append(parts, payload);
        EXPECT_EQ(parts, whole);
        patch_packet_id(whole.data() + at, 0xBEEF);
        Publish read;
        const ByteView in = ByteView(whole).subspan(1);
        ASSERT_TRUE(decode_publish(whole[1], frame(in).body(in), version, read));
        EXPECT_EQ(read.packet_id, 0xBEEF);
    }
}

TEST(Encode, lengths_at_the_edges_of_the_variable_integer_are_read_back) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{124}, std::size_t{125}, std::size_t{16'380}, std::size_t{16'381},
                                   std::size_t{2'097'148}, std::size_t{2'097'149}}) {
        const std::string payload(size, 'p');
        const Publish packet{.topic = "t", .payload = base::as_bytes(payload)};
        Bytes out;
        encode_publish(out, packet, Version::v311);
        EXPECT_EQ(out.size(), publish_size(packet, Version::v311));
        EXPECT_EQ(only_packet(out, PacketType::publish).size(), size + 3);
    }
}

TEST(Encode, connect_is_read_back_equal_in_every_version) {
    Bytes scratch;
    PropertyWriter writer(scratch);
    const auto properties = writer.number(Property::receive_maximum, 10).user("a", "b").done();
    Bytes will_scratch;
    PropertyWriter will_writer(will_scratch);
    const auto will_properties = will_writer.number(Property::will_delay_interval, 5).done();
    for (const auto version : {Version::v31, Version::v311, Version::v5}) {
        Connect packet{
            .version = version, .clean_start = false, .keep_alive = std::chrono::duration<std::uint16_t>(65'535), .client_id = "client"};
        packet.will = Will{
            .topic = "w/t", .payload = base::as_bytes("gone"), .qos = Qos::exactly_once, .retain = true, .properties = will_properties};
        packet.user = "user";
        packet.password = base::as_bytes("secret");
        packet.properties = properties;
        Bytes out;
        encode_connect(out, packet);
        Connect read;
        ASSERT_TRUE(decode_connect(only_packet(out, PacketType::connect), read));
        EXPECT_EQ(read.version, version);
        EXPECT_FALSE(read.clean_start);
        EXPECT_EQ(read.keep_alive.count(), 65'535);
        EXPECT_EQ(read.client_id, "client");
        ASSERT_TRUE(read.will);
        EXPECT_EQ(read.will->topic, "w/t");
        EXPECT_EQ(base::as_text(read.will->payload), "gone");
        EXPECT_EQ(read.will->qos, Qos::exactly_once);
        EXPECT_TRUE(read.will->retain);
        EXPECT_EQ(read.user, "user");
        EXPECT_EQ(base::as_text(*read.password), "secret");
        EXPECT_EQ(read.properties.number(Property::receive_maximum).has_value(), version == Version::v5);
        EXPECT_EQ(read.will->properties.number(Property::will_delay_interval).has_value(), version == Version::v5);
        EXPECT_EQ(peek_client_id(out).client_id, "client");
    }
}

TEST(Encode, every_prefix_of_a_written_packet_is_incomplete_and_every_shorter_body_is_refused) {
    Bytes scratch;
    PropertyWriter writer(scratch);
    const auto user = writer.user("name", "value").done();
    const std::vector<Subscription> filters{{.filter = "a/+"}, {.filter = "b", .qos = Qos::at_least_once}};
    const std::vector<std::string_view> names{"a/+", "b"};
    const auto codes = hex("00 80");
    for (const auto version : kVersions) {
        const auto properties = version == Version::v5 ? user : Properties{};
        std::vector<Bytes> packets(7);
        encode_connect(packets[0], {.version = version,
                                    .client_id = "id",
                                    .will = Will{.topic = "w", .payload = {}, .properties = properties},
                                    .user = "u",
                                    .password = {},
                                    .properties = properties});
        encode_connack(packets[1], {.properties = properties}, version);
        encode_ack(packets[2], PacketType::pubrec, {.packet_id = 3, .reason = ReasonCode::success, .properties = properties}, version);
        encode_subscribe(packets[3], 4, filters, version, properties);
        encode_suback(packets[4], {.packet_id = 4, .codes = codes, .properties = properties}, version);
        encode_unsubscribe(packets[5], 5, names, version, properties);
        encode_disconnect(packets[6], {.reason = ReasonCode::success, .properties = properties}, version);
        for (const auto& packet : packets) {
            for (std::size_t cut = 0; cut < packet.size(); ++cut)
                ASSERT_EQ(frame(ByteView(packet).first(cut)).status, FrameStatus::incomplete);
            const auto framed = frame(packet);
            ASSERT_EQ(framed.status, FrameStatus::complete);
            const auto body = framed.body(packet);
            const auto good = [&](ByteView bytes) {
                Connect connect;
                Connack connack;
                Ack ack;
                Subscribe subscribe;
                Suback suback;
                Unsubscribe unsubscribe;
                Disconnect disconnect;
                switch (framed.type()) {
                    case PacketType::connect:
                        return decode_connect(bytes, connect).good();
                    case PacketType::connack:
                        return decode_connack(bytes, version, connack).good();
                    case PacketType::pubrec:
                        return decode_ack(framed.first, bytes, version, ack).good();
                    case PacketType::subscribe:
                        return decode_subscribe(bytes, version, subscribe).good();
                    case PacketType::suback:
                        return decode_suback(bytes, version, suback).good();
                    case PacketType::unsubscribe:
                        return decode_unsubscribe(bytes, version, unsubscribe).good();
                    default:
                        return decode_disconnect(bytes, version, disconnect).good();
                }
            };
            EXPECT_TRUE(good(body)) << name(framed.type());
            for (std::size_t cut = 0; cut < body.size(); ++cut) {
                // Lists may end after any element, an ACK after its id or reason, a DISCONNECT anywhere before its properties.
                const bool list = framed.type() == PacketType::subscribe || framed.type() == PacketType::unsubscribe ||
                                  framed.type() == PacketType::suback;
                const bool short_form = (framed.type() == PacketType::pubrec && (cut == 2 || cut == 3)) ||
                                        (framed.type() == PacketType::disconnect && cut <= 1);
                if (!list && !short_form) {
                    EXPECT_FALSE(good(body.first(cut))) << name(framed.type()) << " cut at " << cut;
                }
                if (list && framed.type() != PacketType::suback && cut < 7) {
                    EXPECT_FALSE(good(body.first(cut))) << name(framed.type()) << " cut at " << cut;
                }
            }
        }
    }
}

TEST(Encode, subscriptions_keep_their_options_in_5_and_lose_them_in_311) {
    const std::vector<Subscription> filters{{.filter = "a",
                                             .qos = Qos::exactly_once,
                                             .no_local = true,
                                             .retain_as_published = true,
                                             .retain_handling = RetainHandling::do_not_send}};
    for (const auto version : kVersions) {
        Bytes out;
        encode_subscribe(out, 9, filters, version);
        Subscribe read;
        ASSERT_TRUE(decode_subscribe(only_packet(out, PacketType::subscribe), version, read));
        EXPECT_EQ(*read.filters.begin(), (version == Version::v5 ? filters[0] : Subscription{.filter = "a", .qos = Qos::exactly_once}));
    }
}

TEST(Encode, auth_is_read_back) {
    Bytes scratch;
    PropertyWriter writer(scratch);
    writer.text(Property::authentication_method, "SCRAM-SHA-256").text(Property::authentication_data, "data");
    Bytes out;
    encode_auth(out, {.reason = ReasonCode::continue_authentication, .properties = writer.done()});
    Auth read;
    ASSERT_TRUE(decode_auth(only_packet(out, PacketType::auth), Version::v5, read));
    EXPECT_EQ(read.reason, ReasonCode::continue_authentication);
    EXPECT_EQ(read.properties.text(Property::authentication_method), "SCRAM-SHA-256");
}

}  // namespace
}  // namespace sluice::mqtt

// What is accepted and what is refused with which reason: packets as bytes, one line each.
#include "codec/mqtt/decode.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "codec/mqtt/framing.hpp"
#include "codec/mqtt/test_bytes.hpp"

namespace sluice::mqtt {
namespace {

using base::Byte;
using base::Bytes;
using base::ByteView;
using testing::hex;
using enum ReasonCode;

TEST(DecodeConnect, the_example_of_the_standard_is_read) {
    // 5.0 §3.1.2.11 figure 3-6: protocol MQTT 5, flags user, password, will QoS 1, clean start; keep alive 10; session expiry 10.
    const auto body = hex("00 04 'MQTT' 05 CE 00 0A 05 11 00 00 00 0A 00 02 'c1' 00 00 01 'w' 00 02 'by' 00 01 'u' 00 02 'pw'");
    Connect packet;
    ASSERT_TRUE(decode_connect(body, packet));
    EXPECT_EQ(packet.version, Version::v5);
    EXPECT_TRUE(packet.clean_start);
    EXPECT_EQ(packet.keep_alive.count(), 10);
    EXPECT_EQ(packet.properties.number(Property::session_expiry_interval), 10U);
    EXPECT_EQ(packet.client_id, "c1");
    ASSERT_TRUE(packet.will);
    EXPECT_EQ(packet.will->topic, "w");
    EXPECT_EQ(base::as_text(packet.will->payload), "by");
    EXPECT_EQ(packet.will->qos, Qos::at_least_once);
    EXPECT_FALSE(packet.will->retain);
    EXPECT_EQ(packet.user, "u");
    ASSERT_TRUE(packet.password);
    EXPECT_EQ(base::as_text(*packet.password), "pw");
}

TEST(DecodeConnect, refusals_carry_their_reason_and_the_dialect_to_say_it_in) {
    struct Row {
        const char* body;
        ReasonCode reason;
        Version dialect;
    };
    for (const Row& row : {
             Row{"00 04 'MQTT' 04 02 00 3C 00 01 'a'", success, Version::v311},
             Row{"00 06 'MQIsdp' 03 02 00 3C 00 01 'a'", success, Version::v31},
             Row{"00 04 'MQTT' 05 02 00 3C 00 00 01 'a'", success, Version::v5},
             Row{"00 04 'MQTT' 05 00 00 3C 00 00 00", success, Version::v5},  // empty id, to be assigned; a session to keep
             Row{"00 04 'MQTT' 04 02 00 3C 00 00", success, Version::v311},   // empty id with clean session
             Row{"00 04 'MQTT' 04 00 00 3C 00 00", client_identifier_not_valid, Version::v311},
             Row{"00 04 'MQTT' 06 02 00 3C 00 00 01 'a'", unsupported_protocol_version, Version::v311},
             Row{"00 04 'MQTT' 03 02 00 3C 00 01 'a'", unsupported_protocol_version, Version::v311},
             Row{"00 04 'MQTT' 84 02 00 3C 00 01 'a'", success, Version::v311},  // a mosquitto bridge's first try
             Row{"00 06 'MQIsdp' 04 02 00 3C 00 01 'a'", unsupported_protocol_version, Version::v311},
             Row{"00 04 'mqtt' 05 02 00 3C 00 00 01 'a'", protocol_error, Version::v311},
             Row{"00 03 'MQT' 05 02 00 3C 00 00 01 'a'", protocol_error, Version::v311},
             Row{"00 06 'MQIsdp' 03 03 00 3C 00 01 'a'", success, Version::v31},                  // 3.1: reserved flag
             Row{"00 06 'MQIsdp' 03 02 00 3C 00 00", client_identifier_not_valid, Version::v31},  // 3.1: no empty ids
             Row{"00 06 'MQIsdp' 03 C2 00 3C 00 01 'a'", success, Version::v31},                  // 3.1: credentials left out
             Row{"00 06 'MQIsdp' 03 C2 00 3C 00 01 'a' 00 05 'u'", bad_user_name_or_password, Version::v31},
             Row{"00 04 'MQTT' 05 02 00 3C 00 00 01 1F", client_identifier_not_valid, Version::v5},           // a control character
             Row{"00 04 'MQTT' 05 C2 00 3C 00 00 01 'a' 00 01 'u'", bad_user_name_or_password, Version::v5},  // no password
             Row{"00 04 'MQTT' 04 03 00 3C 00 01 'a'", malformed_packet, Version::v311},                      // reserved flag
             Row{"00 04 'MQTT' 04 0A 00 3C 00 01 'a'", malformed_packet, Version::v311},                      // will QoS without will
             Row{"00 04 'MQTT' 04 22 00 3C 00 01 'a'", malformed_packet, Version::v311},                      // will retain without will
             Row{"00 04 'MQTT' 04 1E 00 3C 00 01 'a' 00 01 'w' 00 00", malformed_packet, Version::v311},      // will QoS 3
             Row{"00 04 'MQTT' 04 06 00 3C 00 01 'a' 00 03 'w/#' 00 00", topic_name_invalid, Version::v311},
             Row{"00 04 'MQTT' 04 06 00 3C 00 01 'a' 00 00 00 00", topic_name_invalid, Version::v311},
             Row{"00 04 'MQTT' 04 42 00 3C 00 01 'a' 00 01 'p'", protocol_error, Version::v311},  // password without user
             Row{"00 04 'MQTT' 05 42 00 3C 00 00 01 'a' 00 01 'p'", success, Version::v5},        // allowed in 5.0
             Row{"00 04 'MQTT' 04 02 00 3C 00 01 'a' 00", malformed_packet, Version::v311},       // something behind the end
             Row{"00 04 'MQTT' 04 02 00 3C 00 02 C3 28", malformed_packet, Version::v311},        // broken UTF-8
             Row{"00 04 'MQTT' 04 02 00 3C 00 01 00", malformed_packet, Version::v311},           // U+0000
             Row{"00 04 'MQTT' 04 82 00 3C 00 01 'a' 00 01 FF", bad_user_name_or_password, Version::v311},
             Row{"00 04 'MQTT' 05 02 00 3C 03 16 00 00 00 01 'a'", protocol_error, Version::v5},  // data without method
             Row{"00 04 'MQTT' 05 02 00 3C 02 17 02 00 01 'a'", protocol_error, Version::v5},
             Row{"00 04 'MQTT' 05 02 00 3C 03 21 00 0A 00 01 'a'", success, Version::v5},
             Row{"00 04 'MQTT' 05 02 00 3C 03 23 00 0A 00 01 'a'", protocol_error, Version::v5},    // a topic alias is for PUBLISH
             Row{"00 04 'MQTT' 05 02 00 3C 7F 21 00 0A 00 01 'a'", malformed_packet, Version::v5},  // property length past the end
         }) {
        Connect packet;
        const auto body = hex(row.body);
        EXPECT_EQ(decode_connect(body, packet).reason, row.reason) << row.body;
        EXPECT_EQ(packet.version, row.dialect) << row.body;
    }
}

TEST(DecodePublish, fields_are_views_into_the_body) {
    const auto body = hex("00 03 'a/b' 00 0A '21.5'");
    Publish packet;
    ASSERT_TRUE(decode_publish(0x3B, body, Version::v311, packet));
    EXPECT_EQ(packet.topic, "a/b");
    EXPECT_EQ(packet.packet_id, 10);
    EXPECT_EQ(packet.qos, Qos::at_least_once);
    EXPECT_TRUE(packet.retain);
    EXPECT_TRUE(packet.dup);
    EXPECT_EQ(base::as_text(packet.payload), "21.5");
    EXPECT_EQ(packet.payload.data(), body.data() + 7);
}

TEST(DecodePublish, nothing_is_left_over_from_the_packet_decoded_before) {
    Publish packet;
    ASSERT_TRUE(decode_publish(0x3D, hex("00 01 'a' 00 07 02 01 01 'x'"), Version::v5, packet));
    EXPECT_TRUE(packet.properties.has(Property::payload_format_indicator));
    const auto body = hex("00 01 'b' 00");
    ASSERT_TRUE(decode_publish(0x30, body, Version::v5, packet));
    EXPECT_EQ(packet.packet_id, 0);
    EXPECT_FALSE(packet.retain);
    EXPECT_TRUE(packet.properties.empty());
    EXPECT_TRUE(packet.payload.empty());
}

struct Case {
    Byte first;
    const char* body;
    Version version;
    ReasonCode reason;
};

TEST(DecodePublish, refusals_carry_their_reason) {
    for (const Case& row : {
             Case{0x30, "00 01 'a'", Version::v311, success},
             Case{0x30, "00 01 'a' 00", Version::v5, success},
             Case{0x30, "00 01 'a'", Version::v5, malformed_packet},        // no property length
             Case{0x32, "00 01 'a' 00 00", Version::v311, protocol_error},  // packet id 0
             Case{0x32, "00 01 'a' 00", Version::v311, malformed_packet},   // half a packet id
             Case{0x30, "00 00", Version::v311, malformed_packet},          // no topic
             Case{0x30, "00 00 00", Version::v5, malformed_packet},         // no topic, no alias
             Case{0x30, "00 00 03 23 00 01", Version::v5, success},
             Case{0x30, "00 00 03 23 00 00", Version::v5, topic_alias_invalid},
             Case{0x30, "00 03 'a/+'", Version::v311, malformed_packet},
             Case{0x30, "00 01 '#' 00", Version::v5, malformed_packet},
             Case{0x30, "00 02 C3 28", Version::v311, malformed_packet},
             Case{0x30, "00 03 ED A0 80", Version::v311, malformed_packet},  // a surrogate
             Case{0x30, "00 02 'a' 00", Version::v311, malformed_packet},    // U+0000
             Case{0x30, "00 02 'a' 1F", Version::v311, malformed_packet},    // a control character
             Case{0x30, "00 09 'a'", Version::v311, malformed_packet},
             Case{0x30, "00", Version::v311, malformed_packet},
             Case{0x30, "", Version::v311, malformed_packet},
             Case{0x30, "00 01 'a' 02 01 02", Version::v5, protocol_error},        // payload format 2
             Case{0x30, "00 01 'a' 04 01 00 01 00", Version::v5, protocol_error},  // twice
             Case{0x30, "00 01 'a' 80 00", Version::v5, malformed_packet},         // property length not minimal
             Case{0x30, "00 01 'a' 02 24 00", Version::v5, protocol_error},        // Maximum QoS is for CONNACK
             Case{0x30, "00 01 'a' 02 04 00", Version::v5, malformed_packet},      // no such property
         }) {
        Publish packet;
        const auto body = hex(row.body);
        EXPECT_EQ(decode_publish(row.first, body, row.version, packet).reason, row.reason) << row.body;
    }
}

TEST(DecodeAck, short_and_long_forms_and_their_refusals) {
    for (const Case& row : {
             Case{0x40, "00 01", Version::v311, success},
             Case{0x40, "00 01", Version::v5, success},
             Case{0x40, "00 01 10", Version::v5, success},
             Case{0x40, "00 01 10 00", Version::v5, success},
             Case{0x40, "00 01 87 05 1F 00 02 'no'", Version::v5, success},
             Case{0x40, "00 01 10", Version::v311, malformed_packet},
             Case{0x40, "00 00", Version::v311, protocol_error},
             Case{0x40, "00", Version::v5, malformed_packet},
             Case{0x40, "00 01 92", Version::v5, protocol_error},  // not for PUBACK
             Case{0x62, "00 01 92", Version::v5, success},         // but for PUBREL
             Case{0x62, "00 01 10", Version::v5, protocol_error},
             Case{0x40, "00 01 00 00 00", Version::v5, malformed_packet},
             Case{0x40, "00 01 00 05 1F 00 02 'n'", Version::v5, malformed_packet},
             Case{0x40, "00 01 77", Version::v5, protocol_error},
         }) {
        Ack packet;
        const auto body = hex(row.body);
        EXPECT_EQ(decode_ack(row.first, body, row.version, packet).reason, row.reason) << row.body;
    }
    Ack packet;
    const auto body = hex("12 34 87 05 1F 00 02 'no'");
    ASSERT_TRUE(decode_ack(0x40, body, Version::v5, packet));
    EXPECT_EQ(packet.packet_id, 0x1234);
    EXPECT_EQ(packet.reason, not_authorized);
    EXPECT_EQ(packet.properties.text(Property::reason_string), "no");
}

TEST(DecodeSubscribe, filters_are_walked_without_copying) {
    Subscribe packet;
    const auto body = hex("00 0A 02 0B 09 00 03 'a/b' 2E 00 01 '#' 00 00 0B '$share/g/+/c' 11");
    EXPECT_FALSE(decode_subscribe(body, Version::v5, packet));  // the share's length is 12: one too short
    const auto good = hex("00 0A 02 0B 09 00 03 'a/b' 2E 00 01 '#' 00 00 0C '$share/g/+/c' 11");
    ASSERT_TRUE(decode_subscribe(good, Version::v5, packet));
    EXPECT_EQ(packet.packet_id, 10);
    EXPECT_EQ(packet.properties.number(Property::subscription_identifier), 9U);
    const std::vector<Subscription> filters(packet.filters.begin(), packet.filters.end());
    ASSERT_EQ(filters.size(), 3U);
    EXPECT_EQ(filters[0], (Subscription{"a/b", Qos::exactly_once, true, true, RetainHandling::do_not_send}));
    EXPECT_EQ(filters[1], (Subscription{"#", Qos::at_most_once, false, false, RetainHandling::send}));
    EXPECT_EQ(filters[2], (Subscription{"$share/g/+/c", Qos::at_least_once, false, false, RetainHandling::send_if_new}));
}

TEST(DecodeSubscribe, refusals_carry_their_reason) {
    for (const Case& row : {
             Case{0, "00 01 00 01 'a' 00", Version::v311, success},
             Case{0, "00 01 00 00 01 'a' 00", Version::v5, success},
             Case{0, "00 01", Version::v311, malformed_packet},  // no filter
             Case{0, "00 01 00", Version::v5, malformed_packet},
             Case{0, "00 00 00 01 'a' 00", Version::v311, malformed_packet},          // packet id 0
             Case{0, "00 01 00 01 'a' 03", Version::v311, malformed_packet},          // QoS 3
             Case{0, "00 01 00 01 'a' 04", Version::v311, malformed_packet},          // reserved in 3.1.1
             Case{0, "00 01 00 00 01 'a' 40", Version::v5, malformed_packet},         // reserved in 5.0
             Case{0, "00 01 00 00 01 'a' 30", Version::v5, malformed_packet},         // retain handling 3
             Case{0, "00 01 00 00 0A '$share/g/a' 04", Version::v5, protocol_error},  // no-local on a shared subscription
             Case{0, "00 01 00 00 0A '$share/g/a' 00", Version::v5, success},
             Case{0, "00 01 00 00 08 '$share/g' 00", Version::v5, protocol_error},    // no filter in it
             Case{0, "00 01 00 00 09 '$share//a' 00", Version::v5, protocol_error},   // no group
             Case{0, "00 01 00 00 0A '$share/+/a' 00", Version::v5, protocol_error},  // wildcard as group
             Case{0, "00 01 00 00 0B '$share/+g/a' 00", Version::v5, malformed_packet},
             Case{0, "00 01 00 0A '$share/+/a' 00", Version::v311, protocol_error},  // $share means the same in 3.1.1
             Case{0, "00 01 00 01 'a'", Version::v311, malformed_packet},            // no options
             Case{0, "00 01 00 00 00", Version::v311, malformed_packet},             // empty filter
             Case{0, "00 01 00 04 'a/b#' 00", Version::v311, malformed_packet},
             Case{0, "00 01 00 02 C3 28 00", Version::v311, malformed_packet},
             Case{0, "00 01 02 0B 00 00 01 'a' 00", Version::v5, malformed_packet},      // subscription identifier 0
             Case{0, "00 01 02 01 00 00 01 'a' 00", Version::v5, malformed_packet},      // a property of PUBLISH
             Case{0, "00 01 04 0B 01 0B 02 00 01 'a' 00", Version::v5, protocol_error},  // two of them
         }) {
        Subscribe packet;
        const auto body = hex(row.body);
        EXPECT_EQ(decode_subscribe(body, row.version, packet).reason, row.reason) << row.body;
    }
}

TEST(DecodeUnsubscribe, refusals_carry_their_reason) {
    for (const Case& row : {
             Case{0, "00 01 00 01 'a'", Version::v311, success},
             Case{0, "00 01 00 00 01 'a' 00 01 'b'", Version::v5, success},
             Case{0, "00 01", Version::v311, malformed_packet},
             Case{0, "00 00 00 01 'a'", Version::v311, malformed_packet},
             Case{0, "00 01 00 02 'a'", Version::v311, malformed_packet},
             Case{0, "00 01 00 02 '#a'", Version::v311, malformed_packet},
         }) {
        Unsubscribe packet;
        const auto body = hex(row.body);
        EXPECT_EQ(decode_unsubscribe(body, row.version, packet).reason, row.reason) << row.body;
        if (row.reason == success) {
            EXPECT_EQ((*packet.filters.begin()).filter, "a");
        }
    }
}

TEST(DecodeRest, connack_suback_unsuback_ping_disconnect_auth) {
    struct Row {
        int type;
        const char* body;
        Version version;
        ReasonCode reason;
    };
    const auto decode = [](const Row& row, ByteView body) -> ReasonCode {
        Connack connack;
        Suback suback;
        Disconnect disconnect;
        Auth auth;
        switch (row.type) {
            case 2:
                return decode_connack(body, row.version, connack).reason;
            case 9:
                return decode_suback(body, row.version, suback).reason;
            case 11:
                return decode_unsuback(body, row.version, suback).reason;
            case 12:
                return decode_ping(body).reason;
            case 14:
                return decode_disconnect(body, row.version, disconnect).reason;
            default:
                return decode_auth(body, row.version, auth).reason;
        }
    };
    for (const Row& row : {
             Row{2, "01 00", Version::v311, success},
             Row{2, "00 05", Version::v311, success},
             Row{2, "00 06", Version::v311, protocol_error},
             Row{2, "02 00", Version::v311, malformed_packet},
             Row{2, "FF 00", Version::v31, success},          // reserved byte of 3.1
             Row{2, "01 05", Version::v311, protocol_error},  // refused, and a session?
             Row{2, "00 00 00", Version::v311, malformed_packet},
             Row{2, "00 00 00", Version::v5, success},
             Row{2, "00 87 00", Version::v5, success},
             Row{2, "00 01", Version::v5, success},  // a 3.1.1 server refuses 5.0
             Row{2, "00 02 00", Version::v5, protocol_error},
             Row{2, "00 00", Version::v5, malformed_packet},
             Row{2, "00 00 02 24 01", Version::v5, success},
             Row{9, "00 01 00 01 02 80", Version::v311, success},
             Row{9, "00 01 87", Version::v311, protocol_error},
             Row{9, "00 01 00 87 A2", Version::v5, success},
             Row{9, "00 01 00 10", Version::v5, protocol_error},
             Row{9, "00 01", Version::v311, protocol_error},
             Row{11, "00 01", Version::v311, success},
             Row{11, "00 01 00", Version::v311, malformed_packet},
             Row{11, "00 01 00 00 11", Version::v5, success},
             Row{11, "00 01 00 01", Version::v5, protocol_error},
             Row{11, "00 01 00", Version::v5, protocol_error},
             Row{12, "", Version::v5, success},
             Row{12, "00", Version::v5, malformed_packet},
             Row{14, "", Version::v311, success},
             Row{14, "00", Version::v311, malformed_packet},
             Row{14, "", Version::v5, success},
             Row{14, "04", Version::v5, success},
             Row{14, "04 00", Version::v5, success},
             Row{14, "01", Version::v5, protocol_error},
             Row{14, "00 05 11 00 00 00 05", Version::v5, success},
             Row{14, "00 05 11 00 00 00", Version::v5, malformed_packet},
             Row{15, "", Version::v5, success},
             Row{15, "18 04 15 00 01 'x'", Version::v5, success},
             Row{15, "18 00", Version::v5, protocol_error},  // no method
             Row{15, "18", Version::v5, protocol_error},
             Row{15, "10 04 15 00 01 'x'", Version::v5, protocol_error},
             Row{15, "", Version::v311, protocol_error},
         }) {
        EXPECT_EQ(decode(row, hex(row.body)), row.reason) << row.type << ": " << row.body;
    }
    Connack connack;
    ASSERT_TRUE(decode_connack(hex("00 01"), Version::v5, connack));
    EXPECT_EQ(connack.reason, unsupported_protocol_version);
}

TEST(Peek, finds_the_client_id_as_soon_as_it_is_there) {
    for (const char* text : {"10 0E 00 04 'MQTT' 04 02 00 3C 00 02 'c1'", "10 14 00 04 'MQTT' 05 02 00 3C 05 11 00 00 00 0A 00 02 'c1'",
                             "10 80 01 00 04 'MQTT' 04 82 00 3C 00 02 'c1'", "10 10 00 06 'MQIsdp' 03 02 00 3C 00 02 'c1'"}) {
        const auto bytes = hex(text);
        for (std::size_t cut = 0; cut < bytes.size(); ++cut)
            ASSERT_EQ(peek_client_id(ByteView(bytes).first(cut)).status, PeekStatus::incomplete) << text << " cut at " << cut;
        const auto peek = peek_client_id(bytes);
        ASSERT_EQ(peek.status, PeekStatus::found) << text;
        EXPECT_EQ(peek.client_id, "c1");
    }
}

TEST(DecodeConnect, flags_beside_its_type_mean_nothing_in_3_1_only) {
    const auto old = hex("00 06 'MQIsdp' 03 02 00 3C 00 01 'a'");
    const auto now = hex("00 04 'MQTT' 04 02 00 3C 00 01 'a'");
    EXPECT_TRUE(has_legal_flags(0x10, now));
    EXPECT_TRUE(has_legal_flags(0x14, old));
    EXPECT_FALSE(has_legal_flags(0x14, now));
    EXPECT_FALSE(has_legal_flags(0x11, hex("00 06 'MQIs'")));
    EXPECT_EQ(peek_client_id(hex("14 0F 00 06 'MQIsdp' 03 02 00 3C 00 01 'a'")).client_id, "a");
}

TEST(Peek, tells_other_packets_and_broken_ones_apart) {
    EXPECT_EQ(peek_client_id(hex("C0 00")).status, PeekStatus::not_connect);
    EXPECT_EQ(peek_client_id(hex("'GET / HTTP/1.1'")).status, PeekStatus::not_connect);
    // A TLS hello looks like a CONNECT with flags, which 3.1 allows.
    EXPECT_EQ(peek_client_id(hex("16 03 01 02 00 01")).status, PeekStatus::malformed);
    EXPECT_EQ(peek_client_id(hex("10 FF FF FF FF 01")).status, PeekStatus::malformed);
    EXPECT_EQ(peek_client_id(hex("10 0E 00 04 'HTTP' 04 02 00 3C 00 02 'c1'")).status, PeekStatus::malformed);
    EXPECT_EQ(peek_client_id(hex("10 0B 00 04 'MQTT' 04 02 00 3C 00 02 'c1'")).status,
              PeekStatus::malformed);  // ends inside the id's length
    EXPECT_EQ(peek_client_id(hex("10 00")).status, PeekStatus::malformed);
}

}  // namespace
}  // namespace sluice::mqtt

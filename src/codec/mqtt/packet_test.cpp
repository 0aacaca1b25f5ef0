// Walks the tables of packet.hpp and the properties that follow from them.
#include "codec/mqtt/packet.hpp"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "codec/mqtt/properties.hpp"
#include "codec/mqtt/test_bytes.hpp"

namespace sluice::mqtt {
namespace {

using base::Bytes;
using base::ByteView;
using testing::hex;

constexpr PacketType kTypes[] = {PacketType::will,      PacketType::connect,  PacketType::connack,     PacketType::publish,
                                 PacketType::puback,    PacketType::pubrec,   PacketType::pubrel,      PacketType::pubcomp,
                                 PacketType::subscribe, PacketType::suback,   PacketType::unsubscribe, PacketType::unsuback,
                                 PacketType::pingreq,   PacketType::pingresp, PacketType::disconnect,  PacketType::auth};

/// The property with a value from the middle of its range, encoded.
Bytes sample(const PropertyInfo& row) {
    Bytes bytes;
    PropertyWriter writer(bytes);
    switch (row.type) {
        case PropertyType::text:
            writer.text(row.id, "text");
            break;
        case PropertyType::binary:
            writer.text(row.id, std::string_view("\0\xFF", 2));
            break;
        case PropertyType::text_pair:
            writer.user("name", "value");
            break;
        default:
            writer.number(row.id, row.most == 1 ? 1 : 1000 % 256);
    }
    return bytes;
}

TEST(ReasonTable, rows_are_unique_and_found) {
    std::set<unsigned> codes;
    for (const auto& row : kReasons) {
        EXPECT_TRUE(codes.insert(static_cast<unsigned>(row.code)).second);
        EXPECT_EQ(find(row.code), &row);
        EXPECT_FALSE(row.name.empty());
        EXPECT_NE(row.packets, 0);
    }
    EXPECT_EQ(codes.size(), 43U);  // the standard's table 2-6 has 43 values
    EXPECT_EQ(name(static_cast<ReasonCode>(0x7F)), "unknown reason");
}

TEST(ReasonTable, each_packet_has_as_many_codes_as_its_own_table_in_the_standard) {
    const auto count = [](PacketType type) {
        int n = 0;
        for (const auto& row : kReasons) n += (row.packets & bit(type)) != 0 ? 1 : 0;
        return n;
    };
    EXPECT_EQ(count(PacketType::connack), 22);     // table 3-1
    EXPECT_EQ(count(PacketType::puback), 9);       // table 3-4
    EXPECT_EQ(count(PacketType::pubrec), 9);       // table 3-5
    EXPECT_EQ(count(PacketType::pubrel), 2);       // table 3-6
    EXPECT_EQ(count(PacketType::pubcomp), 2);      // table 3-7
    EXPECT_EQ(count(PacketType::suback), 12);      // table 3-8
    EXPECT_EQ(count(PacketType::unsuback), 7);     // table 3-9
    EXPECT_EQ(count(PacketType::disconnect), 30);  // table 3-10 has 29; table 2-6 allows 0x8C as well
    EXPECT_EQ(count(PacketType::auth), 3);         // table 3-11
    EXPECT_EQ(count(PacketType::publish), 0);
}

TEST(ReasonTable, return_codes_of_311_go_both_ways) {
    for (unsigned code = 0; code <= 5; ++code) {
        const auto value = static_cast<ReturnCode>(code);
        EXPECT_EQ(to_return_code(to_reason(value)), value);
    }
    EXPECT_EQ(to_return_code(ReasonCode::quota_exceeded), ReturnCode::server_unavailable);
    EXPECT_EQ(to_return_code(ReasonCode::banned), ReturnCode::not_authorized);
}

TEST(PropertyTable, rows_are_unique_ascending_and_complete) {
    unsigned last = 0;
    for (const auto& row : kProperties) {
        EXPECT_GT(static_cast<unsigned>(row.id), last);
        last = static_cast<unsigned>(row.id);
        EXPECT_LT(last, kPropertyIdEnd);
        EXPECT_EQ(find(row.id), &row);
        EXPECT_EQ(row.repeatable & ~row.packets, 0);
    }
    EXPECT_EQ(kProperties.size(), 27U);  // the standard's table 2-4
}

TEST(Properties, are_taken_exactly_where_the_table_allows_them) {
    for (const auto& row : kProperties) {
        const Bytes bytes = sample(row);
        for (const auto type : kTypes) {
            Properties properties;
            const auto verdict = Properties::decode(bytes, type, properties);
            const bool strict = type == PacketType::subscribe || type == PacketType::unsubscribe;
            const bool allowed = (row.packets & bit(type)) != 0;
            EXPECT_EQ(verdict.reason, allowed  ? ReasonCode::success
                                      : strict ? ReasonCode::malformed_packet
                                               : ReasonCode::protocol_error)
                << row.name << " in " << name(type);
            EXPECT_EQ(properties.has(row.id), allowed);
        }
    }
}

TEST(Properties, are_repeated_exactly_where_the_table_allows_it) {
    for (const auto& row : kProperties) {
        Bytes bytes = sample(row);
        base::append(bytes, ByteView(sample(row)));
        for (const auto type : kTypes) {
            if ((row.packets & bit(type)) == 0) continue;
            Properties properties;
            const bool allowed = (row.repeatable & bit(type)) != 0;
            EXPECT_EQ(Properties::decode(bytes, type, properties).reason, allowed ? ReasonCode::success : ReasonCode::protocol_error)
                << row.name << " twice in " << name(type);
        }
    }
}

TEST(Properties, cut_at_any_byte_are_malformed) {
    for (const auto& row : kProperties) {
        const Bytes bytes = sample(row);
        for (const auto type : kTypes) {
            if ((row.packets & bit(type)) == 0) continue;
            for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
                Properties properties;
                EXPECT_EQ(Properties::decode(ByteView(bytes).first(cut), type, properties).reason, ReasonCode::malformed_packet)
                    << row.name << " " << cut;
            }
        }
    }
}

TEST(Properties, numbers_out_of_range_are_refused) {
    const auto verdict = [](const char* text, PacketType type) {
        Properties properties;
        const auto bytes = hex(text);
        return Properties::decode(bytes, type, properties).reason;
    };
    EXPECT_EQ(verdict("01 02", PacketType::publish), ReasonCode::protocol_error);      // payload format 2
    EXPECT_EQ(verdict("0B 00", PacketType::subscribe), ReasonCode::malformed_packet);  // subscription identifier 0
    EXPECT_EQ(verdict("0B FF FF FF 7F", PacketType::subscribe), ReasonCode::success);  // its greatest
    EXPECT_EQ(verdict("0B 80 80 80 80 01", PacketType::subscribe), ReasonCode::malformed_packet);
    EXPECT_EQ(verdict("0B 81 00", PacketType::subscribe), ReasonCode::malformed_packet);  // MQTT-1.5.5-1: not minimal
    EXPECT_EQ(verdict("21 00 00", PacketType::connect), ReasonCode::protocol_error);      // receive maximum 0
    EXPECT_EQ(verdict("23 00 00", PacketType::publish), ReasonCode::topic_alias_invalid);
    EXPECT_EQ(verdict("27 00 00 00 00", PacketType::connect), ReasonCode::protocol_error);  // maximum packet size 0
    EXPECT_EQ(verdict("24 02", PacketType::connack), ReasonCode::protocol_error);           // maximum QoS 2 is said by leaving it out
    EXPECT_EQ(verdict("00 00", PacketType::connect), ReasonCode::malformed_packet);
    EXPECT_EQ(verdict("FF 00", PacketType::connect), ReasonCode::malformed_packet);
    EXPECT_EQ(verdict("03 00 02 C3 28", PacketType::publish), ReasonCode::malformed_packet);         // content type: broken UTF-8
    EXPECT_EQ(verdict("26 00 01 'a' 00 01 00", PacketType::publish), ReasonCode::malformed_packet);  // U+0000
    EXPECT_EQ(verdict("08 00 03 'a/#'", PacketType::publish), ReasonCode::protocol_error);           // response topic with a wildcard
    EXPECT_EQ(verdict("08 00 00", PacketType::publish), ReasonCode::protocol_error);
}

TEST(Properties, values_are_found_by_name_and_visited_in_order) {
    Bytes buffer = hex("AA");  // the writer appends behind what is there
    PropertyWriter writer(buffer);
    writer.number(Property::message_expiry_interval, 0x01020304)
        .user("k", "1")
        .number(Property::subscription_identifier, 300)
        .user("k", "2");
    writer.number(Property::subscription_identifier, 5)
        .text(Property::correlation_data, std::string_view("\0\1", 2))
        .text(Property::content_type, "");
    const auto written = writer.done();
    Properties read;
    ASSERT_TRUE(Properties::decode(written.raw(), PacketType::publish, read));
    for (const auto& properties : {written, read}) {
        EXPECT_EQ(properties.number(Property::message_expiry_interval), 0x01020304U);
        EXPECT_EQ(properties.number(Property::subscription_identifier), 300U);
        EXPECT_EQ(properties.number(Property::topic_alias), std::nullopt);
        EXPECT_EQ(properties.number_or(Property::topic_alias, 7), 7U);
        EXPECT_EQ(properties.text(Property::content_type), "");
        EXPECT_EQ(properties.text(Property::response_topic), std::nullopt);
        std::string order;
        properties.for_each([&](const PropertyItem& item) {
            order += std::to_string(static_cast<unsigned>(item.id)) + ":" + std::to_string(item.number) + std::string(item.name) +
                     std::string(item.text) + ";";
        });
        EXPECT_EQ(order, std::string("2:16909060;38:0k1;11:300;38:0k2;11:5;9:0") + std::string("\0\1", 2) + ";3:0;");
    }
    Bytes copied;
    PropertyWriter copier(copied);
    read.for_each([&](const PropertyItem& item) { copier.item(item); });
    EXPECT_EQ(base::as_text(copier.done().raw()), base::as_text(read.raw()));
    EXPECT_TRUE(copier.done().has(Property::correlation_data));
}

}  // namespace
}  // namespace sluice::mqtt

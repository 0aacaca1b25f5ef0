// Where the standards leave room: what is sent and what comes back, as mosquitto does where its tests show it. docs/decisions/0014 says
// why.
#include <gtest/gtest.h>

#include "raw.hpp"

namespace sluice::conformance {
namespace {

/// A value for each type of property, in hex.
std::string sample(const mqtt::PropertyInfo& row) {
    using enum mqtt::PropertyType;
    switch (row.type) {
        case byte:
            return "01";
        case two_bytes:
            return "0001";
        case four_bytes:
            return "00000001";
        case variable_integer:
            return "01";
        case text:
        case binary:
            return "<p>";
        case text_pair:
            return "<p> <q>";
    }
    return {};
}

struct Form {
    mqtt::PacketType type;
    unsigned first;
    const char* form;
    unsigned misused;  ///< the reason for a property that exists but not here
};
const Form kForms[]{
    {mqtt::PacketType::publish, 0x30, "<t> {{ {} }}", 0x82},          {mqtt::PacketType::puback, 0x40, "0001 00 {{ {} }}", 0x82},
    {mqtt::PacketType::pubrec, 0x50, "0001 00 {{ {} }}", 0x82},       {mqtt::PacketType::pubrel, 0x62, "0001 00 {{ {} }}", 0x82},
    {mqtt::PacketType::pubcomp, 0x70, "0001 00 {{ {} }}", 0x82},      {mqtt::PacketType::subscribe, 0x82, "0001 {{ {} }} <t> 00", 0x81},
    {mqtt::PacketType::unsubscribe, 0xA2, "0001 {{ {} }} <t>", 0x81}, {mqtt::PacketType::disconnect, 0xE0, "00 {{ {} }}", 0x82},
};

std::string with(const Form& form, std::string_view properties) {
    return answer(v5, packet(form.first, fmt::format(fmt::runtime(form.form), properties)));
}

TEST(Answers, a_property_in_a_packet_that_cannot_have_it_is_refused) {
    for (const Form& form : kForms)
        for (const auto& row : mqtt::kProperties) {
            if ((row.packets & mqtt::bit(form.type)) != 0) continue;
            const auto id = static_cast<unsigned>(row.id);
            EXPECT_EQ(with(form, fmt::format("{:02X} {}", id, sample(row))), refusal(v5, form.misused))
                << row.name << " in " << mqtt::name(form.type);
            EXPECT_EQ(with(form, fmt::format("{:02X}", id)), refusal(v5, 0x81)) << row.name << " without its value";
        }
}

TEST(Answers, a_property_that_is_there_twice_is_a_protocol_error) {
    for (const Form& form : kForms)
        for (const auto& row : mqtt::kProperties) {
            const auto here = mqtt::bit(form.type);
            if ((row.packets & here) == 0 || (row.repeatable & here) != 0) continue;
            const auto one = fmt::format("{:02X} {} ", static_cast<unsigned>(row.id), sample(row));
            EXPECT_EQ(with(form, one + one), refusal(v5, 0x82)) << row.name << " in " << mqtt::name(form.type);
        }
}

TEST(Answers, an_unknown_property_is_malformed) {
    for (const Form& form : kForms)
        for (unsigned id = 0; id < 0x80; ++id)
            if (mqtt::find(static_cast<mqtt::Property>(id)) == nullptr) {
                EXPECT_EQ(with(form, fmt::format("{:02X} 01", id)), refusal(v5, 0x81)) << id;
            }
    for (const char* id : {"8000", "8001", "FF7F", "80808001", "8080808001"})
        EXPECT_EQ(with(kForms[0], std::string(id) + " 01"), refusal(v5, 0x81));
}

TEST(Answers, properties_in_connect_and_in_its_will_are_judged_alike) {
    for (const auto& row : mqtt::kProperties) {
        const auto one = fmt::format("{:02X} {} ", static_cast<unsigned>(row.id), sample(row));
        for (const auto& [type, form] : {std::pair{mqtt::PacketType::connect, "<MQTT> 05 02 000A {{ {} }} <c>"},
                                         std::pair{mqtt::PacketType::will, "<MQTT> 05 06 000A {{}} <c> {{ {} }} <t> <p>"}}) {
            if (row.id == mqtt::Property::authentication_method || row.id == mqtt::Property::authentication_data) continue;
            if (row.id == mqtt::Property::maximum_packet_size && type == mqtt::PacketType::connect)
                continue;  // 1 byte: nothing can be said
            const auto told = greeting(v5, packet(0x10, fmt::format(fmt::runtime(form), one)));
            EXPECT_EQ(told.starts_with("CONNACK 0x0"), (row.packets & mqtt::bit(type)) != 0) << row.name << ": " << told;
            EXPECT_TRUE(told.starts_with("CONNACK 0x0") || told == "CONNACK 0x82 closed") << row.name << ": " << told;
        }
    }
}

TEST(Answers, what_only_servers_send_is_a_protocol_error_and_with_wrong_flags_malformed) {
    for (const char* rest : {"", "00", "0001", "0001 00", "00 00 {}", "0001 {} 00"})
        for (const unsigned type : {0x20U, 0x90U, 0xB0U, 0xD0U}) {
            EXPECT_EQ(answer(v5, packet(type, rest)), refusal(v5, 0x82)) << type << ' ' << rest;
            EXPECT_EQ(answer(v5, packet(type | 1U, rest)), refusal(v5, 0x81)) << type << ' ' << rest;
            EXPECT_EQ(answer(v311, packet(type, rest)), "closed");
        }
}

TEST(Answers, packet_type_0_is_a_protocol_error_as_soon_as_its_first_byte_is_there) {
    for (unsigned flags = 0; flags < 16; ++flags) {
        EXPECT_EQ(answer(v5, packet(flags, "")), refusal(v5, 0x82)) << flags;
        EXPECT_EQ(answer(v311, packet(flags, "")), "closed");
    }
    EXPECT_EQ(answer(v5, bytes("0A C0")), refusal(v5, 0x82));
}

TEST(Answers, an_acknowledgement_of_the_wrong_kind_is_a_protocol_error) {
    const struct {
        const char* qos;
        std::vector<base::Bytes> acks;
        bool good;
    } kRows[]{
        {"01", {packet(0x40, "0001")}, true},
        {"01", {packet(0x50, "0001")}, false},
        {"01", {packet(0x70, "0001")}, false},
        {"02", {packet(0x50, "0001"), packet(0x70, "0001")}, true},
        {"02", {packet(0x50, "0001"), packet(0x50, "0001")}, true},
        {"02", {packet(0x40, "0001")}, false},
        {"02", {packet(0x70, "0001")}, false},
        {"02", {packet(0x50, "0001"), packet(0x40, "0001")}, false},
        {"01", {packet(0x40, "0009"), packet(0x50, "0009"), packet(0x70, "0009")}, true},  // of nothing that is known
    };
    for (const auto version : {v311, v5})
        for (const auto& row : kRows) {
            World world;
            Client& tap = connected(world, version, "tap");
            tap.send(packet(0x82, std::string(version == v5 ? "0001 {} <t> " : "0001 <t> ") + row.qos));
            connected(world, v311, "p").send(packet(0x34, "<t> 0001"));
            tap.take();
            for (const auto& ack : row.acks) tap.send(ack);
            EXPECT_EQ(tap.closed(), !row.good) << row.qos << ' ' << hex(row.acks.back());
            if (!row.good && version == v5) {
                EXPECT_TRUE(tap.text().ends_with("DISCONNECT 0x82"));
            }
        }
}

TEST(Answers, version_3_1_is_spoken_as_mosquitto_does) {
    EXPECT_EQ(raw_greeting(packet(0x10, "<MQIsdp> 03 02 000A <c>")), "20 02 00 00");
    EXPECT_EQ(raw_greeting(packet(0x14, "<MQIsdp> 03 02 000A <c>")), "20 02 00 00") << "flags mean nothing";
    EXPECT_EQ(raw_greeting(packet(0x10, "<MQIsdp> 03 03 000A <c>")), "20 02 00 00") << "the lowest connect flag neither";
    EXPECT_EQ(raw_greeting(packet(0x10, "<MQIsdp> 03 02 000A <>")), "20 02 00 02") << "no empty client ids";
    EXPECT_EQ(raw_greeting(packet(0x10, "<MQIsdp> 03 C2 000A <c>")), "20 02 00 00") << "credentials that are announced may be missing";
    World world;
    Client& kept = greet(world, v31, packet(0x10, "<MQIsdp> 03 00 000A <c>"));
    kept.subscribe("t", {.qos = 1}).drop();
    EXPECT_EQ(hex(base::ByteView(greet(world, v31, packet(0x10, "<MQIsdp> 03 00 000A <c>")).take_bytes()).first(4)), "20 02 00 00")
        << "3.1 has no session present";
}

TEST(Answers, one_filter_more_or_less_does_not_change_the_others) {
    EXPECT_EQ(answer(v311, packet(0x82, "0001 <drash/1/#> 00 <erash/2/#> 00 <crash/3/#> 00") + packet(0xA2, "0002 <drash/1/#>") +
                               packet(0x82, "0003 <crash/3/#> 00") + packet(0x30, "<crash/3/x>") + packet(0x30, "<drash/1/x>")),
              "SUBACK #1 0x0 0x0 0x0; UNSUBACK #2; SUBACK #3 0x0; PUBLISH crash/3/x ''");
    EXPECT_EQ(answer(v311, packet(0x82, "0001 <$share/name/test> 01") + packet(0x82, "0002 <test> 00") + packet(0xA2, "0003 <test>") +
                               packet(0x30, "<test> 'x'")),
              "SUBACK #1 0x1; SUBACK #2 0x0; UNSUBACK #3; PUBLISH test 'x'");
}

}  // namespace
}  // namespace sluice::conformance

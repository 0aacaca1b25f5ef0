#include "cli/payload_decoder.hpp"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using namespace std::string_view_literals;

std::string shown(std::string_view name, std::string_view payload) {
    auto decoder = PayloadDecoder::parse(name);
    EXPECT_TRUE(decoder) << name;
    return decoder ? decoder->show(base::as_bytes(payload)) : "";
}

std::string document(std::string_view name, std::string_view payload) {
    return PayloadDecoder::parse(name)->document(base::as_bytes(payload)).value_or("none");
}

TEST(PayloadDecoder, unasked_it_shows_json_on_one_line_text_as_it_is_and_the_rest_as_bytes) {
    EXPECT_EQ(shown("auto", "{\"x\":1,\n \"y\":0.10}"), "{\"x\":1,  \"y\":0.10}");
    EXPECT_EQ(shown("auto", "on"), "on");
    EXPECT_EQ(shown("auto", ""), "");
    EXPECT_EQ(shown("auto", "\x00\xFF"sv), "(2 bytes) 00 ff");
    EXPECT_EQ(shown("auto", std::string(33, '\xFF')).size(), "(33 bytes)"sv.size() + 32 * 3 + " …"sv.size());
}

TEST(PayloadDecoder, a_payload_cannot_steer_the_terminal) {
    const std::string hostile = "a\x1B[2J\r\n\x7F\xC2\x9B\xC3\xBC";
    EXPECT_EQ(shown("auto", hostile), "a\\x1b[2J\\x0d\\n\\x7f\\x9b\xC3\xBC");
    for (const auto* name : {"auto", "json", "pretty", "text", "hex", "base64", "size", "u8", "f32le"}) {
        for (const std::string& payload : {hostile, "\"" + std::string("\x7F\xC2\x9B") + "\"", std::string("\x1B\xFF"), "[" + hostile}) {
            for (const char c : shown(name, payload)) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) << name;
            EXPECT_EQ(shown(name, payload).find("\xC2\x9B"), std::string::npos) << name;
        }
    }
}

TEST(PayloadDecoder, json_is_said_to_be_none_where_it_is_none) {
    EXPECT_EQ(shown("json", "{\"x\":1}"), "{\"x\":1}");
    EXPECT_EQ(shown("json", "{\"x\":"), "(no JSON) {\"x\":");
    EXPECT_EQ(shown("json", "\xFF"), "(no JSON) (1 bytes) ff");
}

TEST(PayloadDecoder, pretty_breaks_lines_between_tokens_only) {
    EXPECT_EQ(shown("pretty", R"({"a":[1, {}],"b":{"c":"x,{\"y"} , "d":[ ]})"),
              "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": \"x,{\\\"y\"\n  },\n  \"d\": []\n}");
    EXPECT_EQ(shown("pretty", "17"), "17");
}

TEST(PayloadDecoder, text_hex_base64_and_size_take_any_bytes) {
    EXPECT_EQ(shown("text", "{\"x\": 1}"), "{\"x\": 1}");
    EXPECT_EQ(shown("text", "a\xFF\n"), "a\\xff\\n");
    EXPECT_EQ(shown("hex", std::string(40, 'a')).size(), "(40 bytes)"sv.size() + 40 * 3);
    EXPECT_EQ(shown("base64", "hello"), "aGVsbG8=");
    EXPECT_EQ(shown("size", "hello"), "(5 bytes)");
}

TEST(PayloadDecoder, numbers_have_a_width_and_an_order) {
    EXPECT_EQ(shown("u8", "\xFF"), "255");
    EXPECT_EQ(shown("i8", "\xFF"), "-1");
    EXPECT_EQ(shown("u16le", "\x01\x02"), "513");
    EXPECT_EQ(shown("u16be", "\x01\x02"), "258");
    EXPECT_EQ(shown("i16be", "\xFF\xFE"), "-2");
    EXPECT_EQ(shown("i32le", "\xFE\xFF\xFF\xFF"), "-2");
    EXPECT_EQ(shown("u64be", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), "18446744073709551615");
    EXPECT_EQ(shown("i64le", "\x00\x00\x00\x00\x00\x00\x00\x80"sv), "-9223372036854775808");
    EXPECT_EQ(shown("f32le", "\x00\x00\x60\x40"sv), "3.5");
    EXPECT_EQ(shown("f64be", "\x3F\xF0\x00\x00\x00\x00\x00\x00"sv), "1");
    EXPECT_EQ(shown("f32be", "\x3D\xCC\xCC\xCD"), "0.1");
    EXPECT_EQ(shown("u16be", "\x00\x01\x00\x02"sv), "[1,2]") << "several";
    EXPECT_EQ(shown("u16be", "\x01\x02\x03"), "(3 bytes) 01 02 03") << "of another size";
    EXPECT_EQ(shown("u16be", ""), "(0 bytes)");
}

TEST(PayloadDecoder, a_document_is_what_rules_can_be_asked_about) {
    EXPECT_EQ(document("auto", "{\"x\":1}"), "{\"x\":1}");
    EXPECT_EQ(document("auto", "21.5"), "21.5");
    EXPECT_EQ(document("auto", "say \"on\""), "\"say \\\"on\\\"\"");
    EXPECT_EQ(document("auto", "\xFF"), "none");
    EXPECT_EQ(document("json", "on"), "none");
    EXPECT_EQ(document("f32le", "\x00\x00\x60\x40"sv), "3.5");
    EXPECT_EQ(document("f32be", "\x7F\xC0\x00\x00"sv), "null") << "JSON has no NaN";
    EXPECT_EQ(shown("f32be", "\x7F\xC0\x00\x00"sv), "nan");
}

TEST(PayloadDecoder, knows_its_names_only) {
    for (const auto* bad : {"", "f32", "u8le", "f16le", "u24be", "le", "xml", "i8be", "u16LE"})
        EXPECT_FALSE(PayloadDecoder::parse(bad)) << bad;
}

}  // namespace
}  // namespace sluice::cli

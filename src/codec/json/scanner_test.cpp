#include "codec/json/scanner.hpp"

#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include <gtest/gtest.h>
#include <simdjson.h>

#include "codec/json/writer.hpp"
#include "data/reading.hpp"

namespace sluice::json {
namespace {

/// A document with readable bytes behind it that would be taken for more of it if anything looked there.
class Document {
public:
    explicit Document(std::string_view text, char behind = '9') : bytes_(text.begin(), text.end()), size_(text.size()) {
        bytes_.resize(size_ + data::kReadablePadding, static_cast<base::Byte>(behind));
    }
    [[nodiscard]] base::ByteView view() const { return base::ByteView(bytes_).first(size_); }

private:
    base::Bytes bytes_;
    std::size_t size_;
};

std::string show(const Value& value) {
    if (value.is_missing()) return "missing";
    base::Bytes text;
    append_value(text, value);
    return std::string(base::as_text(text));
}

/// The field at the path of keys, or "error".
std::string field(std::string_view text, const Path& path, const ScanLimits& limits = {}) {
    FieldSet fields;
    const std::uint32_t slot = fields.add(path);
    const Document document(text);
    std::vector<Value> slots(fields.size());
    Scanner scanner(limits);
    if (!scanner.scan(document.view(), fields, slots)) return "error";
    return show(slots[slot]);
}

bool accepts(std::string_view text) {
    const FieldSet fields;
    for (const char behind : {'9', '"', '}', '\0'}) {
        const Document document(text, behind);
        Scanner scanner;
        if (!scanner.scan(document.view(), fields, {})) return false;
    }
    return true;
}

bool refuses(std::string_view text) {
    const FieldSet fields;
    for (const char behind : {'9', '"', '}', ']', '\0', ' ', 'e'}) {
        const Document document(text, behind);
        Scanner scanner;
        if (scanner.scan(document.view(), fields, {})) return false;
    }
    return true;
}

TEST(Scanner, takes_the_wanted_fields_out_of_a_reading) {
    const Document document(
        R"({"device":"sensor-00042","ts":1700000000123,"seq":17,"vibration":0.734,"temperature":41.25,"ok":true,"none":null})");
    FieldSet fields;
    const auto device = fields.add({"device"});
    const auto ts = fields.add({"ts"});
    const auto vibration = fields.add({"vibration"});
    const auto ok = fields.add({"ok"});
    const auto none = fields.add({"none"});
    const auto absent = fields.add({"absent"});
    EXPECT_EQ(fields.add({"ts"}), ts) << "one slot a path";
    std::vector<Value> slots(fields.size());
    Scanner scanner;
    ASSERT_TRUE(scanner.scan(document.view(), fields, slots));
    EXPECT_EQ(slots[device].as_view(), "sensor-00042");
    EXPECT_EQ(slots[ts].as_integer(), 1700000000123);
    EXPECT_EQ(slots[vibration].as_number(), 0.734);
    EXPECT_TRUE(slots[ok].is_true());
    EXPECT_EQ(slots[none].kind(), Kind::null);
    EXPECT_TRUE(slots[absent].is_missing());
}

TEST(Scanner, follows_paths_into_objects_and_arrays) {
    const std::string_view text = R"( { "a" : { "b" : [ 1 , { "c" : "deep" } , 3 ] , "x" : {} } , "list" : [ [ ] , [ 7 ] ] } )";
    EXPECT_EQ(field(text, {"a", "b", 1u, "c"}), "\"deep\"");
    EXPECT_EQ(field(text, {"list", 1u, 0u}), "7");
    EXPECT_EQ(field(text, {"list", 2u}), "missing");
    EXPECT_EQ(field(text, {"a", "x"}), "{}");
    EXPECT_EQ(field(text, {"a", "b"}), R"([ 1 , { "c" : "deep" } , 3 ])");
    EXPECT_EQ(field("[1,2]", {"a"}), "missing") << "a document that is not an object has no fields";
}

TEST(Scanner, of_equal_keys_the_last_counts) {
    EXPECT_EQ(field(R"({"a":1,"a":2})", {"a"}), "2");
    EXPECT_EQ(field(R"({"a":{"b":1},"a":{"c":2}})", {"a", "b"}), "missing") << "the second a has no b";
    EXPECT_EQ(field(R"({"a":{"b":1},"a":5})", {"a", "b"}), "missing");
}

TEST(Scanner, keys_longer_than_eight_bytes_and_escaped_keys_are_told_apart) {
    EXPECT_EQ(field(R"({"temperature_in":1,"temperature_out":2})", {"temperature_out"}), "2");
    EXPECT_EQ(field(R"({"temperat":1,"temperature":2})", {"temperat"}), "1");
    EXPECT_EQ(field(R"({"\u0061\n":3})", {"a\n"}), "3");
    EXPECT_EQ(field(R"({"":3})", {""}), "3");
    FieldSet many;
    std::string text = "{";
    for (int i = 0; i < 300; ++i) {
        many.add({"field" + std::to_string(i)});
        text += (i == 0 ? "\"field" : ",\"field") + std::to_string(i) + "\":" + std::to_string(i);
    }
    const Document document(text + "}");
    std::vector<Value> slots(many.size());
    Scanner scanner;
    ASSERT_TRUE(scanner.scan(document.view(), many, slots));
    for (int i = 0; i < 300; ++i) EXPECT_EQ(slots[static_cast<std::size_t>(i)].as_integer(), i);
}

TEST(Scanner, strings_are_unescaped) {
    EXPECT_EQ(field(R"({"a":"\"\\\/\b\f\n\r\t\u00e4\u20ac\ud83d\ude00"})", {"a"}), "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\tä€😀\"");
    EXPECT_EQ(field("{\"a\":\"ä€😀\"}", {"a"}), "\"ä€😀\"");
    EXPECT_EQ(field(R"({"a":"\u0000"})", {"a"}), "\"\\u0000\"");
}

TEST(Scanner, two_escaped_texts_stay_valid_beside_each_other) {
    const Document document(R"({"a":"x\ny","b":"\u00e4\u00e4\u00e4","c":"\t"})");
    FieldSet fields;
    fields.add({"a"});
    fields.add({"b"});
    fields.add({"c"});
    std::vector<Value> slots(3);
    Scanner scanner;
    ASSERT_TRUE(scanner.scan(document.view(), fields, slots));
    EXPECT_EQ(slots[0].as_view(), "x\ny");
    EXPECT_EQ(slots[1].as_view(), "äää");
    EXPECT_EQ(slots[2].as_view(), "\t");
}

TEST(Scanner, numbers_keep_their_digits) {
    EXPECT_EQ(field(R"({"a":9223372036854775807})", {"a"}), "9223372036854775807");
    EXPECT_EQ(field(R"({"a":-9223372036854775808})", {"a"}), "-9223372036854775808");
    EXPECT_EQ(field(R"({"a":9223372036854775808})", {"a"}), "9223372036854775808");
    EXPECT_EQ(field(R"({"a":123456789012345678})", {"a"}), "123456789012345678");
    EXPECT_EQ(field(R"({"a":1e3})", {"a"}), "1000");
    EXPECT_EQ(field(R"({"a":0.1})", {"a"}), "0.1");
    EXPECT_EQ(field(R"({"a":-0})", {"a"}), "-0");
    EXPECT_EQ(field(R"({"a":5e-324})", {"a"}), "5e-324");
    EXPECT_EQ(field(R"({"a":1e-999})", {"a"}), "0") << "too small is zero";
    EXPECT_EQ(field(R"({"a":0.)" + std::string(400, '0') + R"(1})", {"a"}), "0");
    EXPECT_EQ(field(R"({"a":100000000000000000000000000000000000000000})", {"a"}), "1e+41") << "more than an integer holds: as a float";
    EXPECT_EQ(field(R"({"a":1.7976931348623157e308})", {"a"}), "1.7976931348623157e+308");
    EXPECT_EQ(field(R"({"a":0.)" + std::string(320, '0') + R"(1e330})", {"a"}), "1000000000")
        << "a far exponent that the zeros make up for";
    EXPECT_EQ(field(R"({"a":0e999})", {"a"}), "0");
}

TEST(Scanner, a_number_beyond_the_range_is_a_null_that_says_so_and_leaves_the_rest) {
    for (const std::string& text :
         {std::string("1e999"), std::string("-1e999"), std::string("1e309"), std::string("1.8e308"), std::string("1e99999999999999999999"),
          std::string("123456789e301"), "1" + std::string(309, '0'), "-9" + std::string(100'000, '9') + ".5"}) {
        FieldSet fields;
        fields.add({"a"});
        fields.add({"b"});
        fields.add({"c"});
        Value slots[3];
        Scanner scanner;
        std::string json = R"({"other":)";
        json.append(text).append(R"(,"a":)").append(text).append(R"(,"b":7,"c":null})");
        const Document document(json);
        ASSERT_TRUE(scanner.scan(document.view(), fields, slots)) << text;
        EXPECT_TRUE(slots[0].is_beyond_range()) << text;
        EXPECT_TRUE(slots[0].is_null()) << text;
        EXPECT_EQ(show(slots[0]), "null") << text;
        EXPECT_EQ(show(slots[1]), "7") << text;
        EXPECT_FALSE(slots[2].is_beyond_range()) << text;
    }
    EXPECT_TRUE(refuses("{\"a\":1e999"));
    EXPECT_TRUE(refuses("{\"a\":1e999e1}"));
}

TEST(Scanner, refuses_what_is_not_json) {
    for (const char* text : {"",
                             " ",
                             "{",
                             "}",
                             "[",
                             "]",
                             "{]",
                             "[}",
                             "{\"a\"}",
                             "{\"a\":}",
                             "{\"a\":1,}",
                             "{,}",
                             "[1,]",
                             "[,1]",
                             "[1 2]",
                             "{\"a\" 1}",
                             "{a:1}",
                             "{'a':1}",
                             "nul",
                             "tru",
                             "fals",
                             "truE",
                             "nulll",
                             "True",
                             "NaN",
                             "nan",
                             "Infinity",
                             "-Infinity",
                             "inf",
                             "-",
                             "+1",
                             "01",
                             "-01",
                             "1.",
                             ".5",
                             "1.e5",
                             "1e",
                             "1e+",
                             "0x10",
                             "1_000",
                             "\"",
                             "\"a",
                             "\"\\\"",
                             "\"\\x\"",
                             "\"\\u12\"",
                             "\"\\u12g4\"",
                             "\"\\ud800\"",
                             "\"\\ud800x\"",
                             "\"\\ud800\\u0041\"",
                             "\"\\udc00\"",
                             "\"\t\"",
                             "\"\n\"",
                             "\"\x01\"",
                             "1 1",
                             "{} {}",
                             "{}x",
                             "[]]",
                             "\xef\xbb\xbf{}",
                             "/**/{}",
                             "{}//",
                             "{\"a\":1}\n}",
                             "\v{}",
                             "\"a\"\"b\""}) {
        EXPECT_TRUE(refuses(text)) << text;
    }
    EXPECT_TRUE(refuses(std::string_view("{}\0", 3)));
    EXPECT_TRUE(refuses(std::string_view("\0{}", 3)));
    EXPECT_TRUE(refuses(std::string_view("\"\0\"", 3)));
}

TEST(Scanner, refuses_bytes_that_are_not_utf8) {
    for (const char* bytes : {"\x80", "\xbf", "\xc0\xaf", "\xc1\x81", "\xc3", "\xc3(", "\xe0\x80\xaf", "\xe2\x82", "\xed\xa0\x80",
                              "\xed\xbf\xbf", "\xf0\x80\x80\xaf", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xfe"}) {
        EXPECT_TRUE(refuses(std::string("{\"a\":\"") + bytes + "\"}"));
        EXPECT_TRUE(refuses(std::string("{\"a\":\"1234567") + bytes + "\"}"));
        EXPECT_TRUE(refuses(std::string("{\"") + bytes + "\":1}"));
    }
}

TEST(Scanner, accepts_all_kinds_of_documents) {
    for (const char* text : {"{}", "[]", "0", "-0", "-1.5e-7", "1E5", "true", "false", "null", "\"\"", " [ ] ", "\r\n\t{}", "[[],[[]],{}]",
                             "{\"a\":{\"b\":[]}}", "\"\\u0000\"", "\"\x7f\"", "[1,2.5,-3,\"x\",null,true,false,{}]"}) {
        EXPECT_TRUE(accepts(text)) << text;
    }
}

TEST(Scanner, nesting_is_bounded) {
    const auto nested = [](unsigned depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    const FieldSet fields;
    Scanner scanner({.depth_max = 32});
    EXPECT_TRUE(scanner.scan(Document(nested(32)).view(), fields, {}));
    EXPECT_EQ(scanner.scan(Document(nested(33)).view(), fields, {}).error().code, base::Errc::too_deep);
    EXPECT_EQ(scanner.scan(Document(std::string(1'000'000, '[')).view(), fields, {}).error().code, base::Errc::too_deep);
    Scanner deepest({.depth_max = ScanLimits::kDepthMax});
    EXPECT_TRUE(deepest.scan(Document(nested(ScanLimits::kDepthMax)).view(), fields, {}));
}

TEST(Scanner, size_is_bounded) {
    const FieldSet fields;
    Scanner scanner({.bytes_max = 10});
    EXPECT_TRUE(scanner.scan(Document("\"12345678\"").view(), fields, {}));
    EXPECT_EQ(scanner.scan(Document("\"123456789\"").view(), fields, {}).error().code, base::Errc::too_large);
}

TEST(Scanner, a_document_cut_at_any_byte_is_refused) {
    const std::string text = R"({"device":"sensor-ä\u00e4","ts":1700000000123,"v":-0.734e-3,"t":true,"n":null,"list":[1,{"x":2}]})";
    ASSERT_TRUE(accepts(text));
    for (std::size_t size = 0; size < text.size(); ++size) EXPECT_TRUE(refuses(std::string_view(text).substr(0, size))) << size;
}

/// Both readers over the same text must agree on whether it is JSON.
void expect_as_simdjson(std::string_view text) {
    static simdjson::dom::parser parser;
    const simdjson::padded_string padded(text);
    simdjson::dom::element element;
    const auto error = parser.parse(padded).get(element);
    const bool ours = !refuses(text);
    // simdjson does not take integers beyond 64 bits and numbers beyond the range of a float; everything else is the same.
    if (error == simdjson::NUMBER_ERROR) return;
    if (error == simdjson::UTF8_ERROR || error == simdjson::SUCCESS || error == simdjson::TAPE_ERROR) {
        EXPECT_EQ(ours, error == simdjson::SUCCESS) << text;
    }
}

TEST(Scanner, agrees_with_simdjson_on_mutated_documents) {
    const std::string seeds[] = {
        R"({"device":"sensor-00042","ts":1700000000123,"seq":17,"vibration":0.734,"temperature":41.2,"rpm":1797})",
        R"([{"a":[1,2,{"b":"\u00e4\n"}],"c":null},true,false,-1.5e10,"ä€😀"])",
    };
    const std::string_view alphabet = "{}[]:,\"\\ \n\t0123456789.eE+-truefalsn\x80\xc3\xa4\x01u";
    std::mt19937_64 random(7);
    for (int round = 0; round < 40'000; ++round) {
        std::string text = seeds[random() % 2];
        for (std::uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
            const std::size_t at = random() % text.size();
            const char c = alphabet[random() % alphabet.size()];
            if (random() % 3 == 0)
                text.erase(at, 1 + random() % 3);
            else if (random() % 2 == 0)
                text.insert(at, 1, c);
            else
                text[at] = c;
            if (text.empty()) text = "1";
        }
        expect_as_simdjson(text);
    }
}

TEST(Scanner, doubles_are_those_of_the_standard_library) {
    std::mt19937_64 random(8);
    for (int round = 0; round < 100'000; ++round) {
        std::string text;
        if (round % 2 == 0) {
            double value;
            const std::uint64_t bits = random();
            std::memcpy(&value, &bits, sizeof value);
            if (!std::isfinite(value)) continue;
            char buffer[64];
            std::snprintf(buffer, sizeof buffer, "%.*e", static_cast<int>(random() % 20), value);
            text = buffer;
        } else {
            text = std::to_string(random() % 100000) + "." + std::to_string(random() % 1'000'000'000);
        }
        if (!std::isfinite(std::strtod(text.c_str(), nullptr))) continue;
        FieldSet fields;
        fields.add({"a"});
        Value slot;
        Scanner scanner;
        const Document document("{\"a\":" + text + "}");
        ASSERT_TRUE(scanner.scan(document.view(), fields, {&slot, 1})) << text;
        ASSERT_EQ(slot.as_double(), std::strtod(text.c_str(), nullptr)) << text;
    }
}

}  // namespace
}  // namespace sluice::json

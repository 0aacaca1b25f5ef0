// links: sluice_codec_json simdjson::simdjson
// What the scanner takes is what simdjson takes, field by field; every text and number it gives out can be written and read again.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <simdjson.h>

#include "codec/json/scanner.hpp"
#include "codec/json/writer.hpp"
#include "data/reading.hpp"

using namespace sluice;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

/// simdjson finds the first of equal keys, we the last.
simdjson::simdjson_result<simdjson::dom::element> last_field(simdjson::dom::element of, std::string_view key) {
    simdjson::simdjson_result<simdjson::dom::element> found(simdjson::NO_SUCH_FIELD);
    simdjson::dom::object object;
    if (of.get(object) != simdjson::SUCCESS) return found;
    for (const auto field : object) {
        if (field.key == key) found = simdjson::simdjson_result<simdjson::dom::element>(simdjson::dom::element(field.value));
    }
    return found;
}

void compare(const json::Value& ours, simdjson::simdjson_result<simdjson::dom::element> theirs) {
    if (ours.is_missing()) return require(theirs.error() != simdjson::SUCCESS);
    require(theirs.error() == simdjson::SUCCESS);
    const auto element = theirs.value_unsafe();
    switch (ours.kind()) {
        case json::Kind::null:
            return require(element.is_null());
        case json::Kind::boolean:
            return require(element.is_bool() && element.get_bool().value_unsafe() == ours.is_true());
        case json::Kind::integer:
            return require(element.is_int64() && element.get_int64().value_unsafe() == ours.as_integer());
        case json::Kind::number:
            return require(element.is_number() && element.get_double().value_unsafe() == ours.as_number());
        case json::Kind::text:
            return require(element.is_string() && element.get_string().value_unsafe() == ours.as_view());
        default:
            return require(element.is_object() || element.is_array());
    }
}

/// One value written alone reads back as itself.
void round_trip(json::Scanner& scanner, const json::Value& value) {
    if (value.is_missing() || value.kind() == json::Kind::raw) return;
    base::Bytes written;
    base::append(written, "{\"v\":");
    json::append_value(written, value);
    written.push_back('}');
    const std::size_t size = written.size();
    written.resize(size + data::kReadablePadding);
    json::FieldSet fields;
    fields.add({"v"});
    json::Value back;
    require(scanner.scan(base::ByteView(written).first(size), fields, {&back, 1}).has_value());
    if (value.is_numeric()) return require(back.is_numeric() && back.as_double() == value.as_double());
    require(back.kind() == value.kind() && (!value.is_text() || back.as_view() == value.as_view()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static json::FieldSet fields;
    if (fields.size() == 0) {
        fields.add({"a"});
        fields.add({"b", "c"});
        fields.add({"list", 1u});
        fields.add({"temperature"});
    }
    base::Bytes document(bytes, bytes + size);
    document.resize(size + data::kReadablePadding, '1');
    json::Value slots[4];
    json::Scanner scanner({.bytes_max = 1 << 20, .depth_max = 64});
    const auto top = scanner.scan(base::ByteView(document).first(size), fields, slots);

    simdjson::dom::parser parser;
    require(parser.allocate(size + 64, 64) == simdjson::SUCCESS);
    const simdjson::padded_string padded(reinterpret_cast<const char*>(bytes), size);
    const auto parsed = parser.parse(padded);
    // simdjson has no integers beyond 64 bits, no numbers beyond the range of a float, and another idea of how depth is counted.
    if (parsed.error() == simdjson::NUMBER_ERROR || parsed.error() == simdjson::DEPTH_ERROR) return 0;
    if (!top) {
        if (top.error().code == base::Errc::too_deep) return 0;
        require(parsed.error() != simdjson::SUCCESS);
        return 0;
    }
    require(parsed.error() == simdjson::SUCCESS);
    const auto root = parsed.value_unsafe();
    compare(slots[0], last_field(root, "a"));
    compare(slots[3], last_field(root, "temperature"));
    const auto b = last_field(root, "b");
    compare(slots[1], b.error() == simdjson::SUCCESS ? last_field(b.value_unsafe(), "c") : b);
    const auto list = last_field(root, "list");
    simdjson::dom::array array;
    if (list.error() == simdjson::SUCCESS && list.value_unsafe().get(array) == simdjson::SUCCESS)
        compare(slots[2], array.at(1));
    else
        require(slots[2].is_missing());
    json::Scanner other;
    for (const json::Value& value : slots) round_trip(other, value);
    return 0;
}

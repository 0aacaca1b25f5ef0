#include "codec/json/writer.hpp"

#include <charconv>
#include <cmath>
#include <cstring>

#include "codec/json/text_scan.hpp"

namespace sluice::json {
namespace {

/// All whole numbers up to here are exact in a double.
constexpr double kWholeMax = 9007199254740992.0;

void append_escape(base::Bytes& to, char c) {
    constexpr char kHex[] = "0123456789abcdef";
    const auto code = static_cast<unsigned char>(c);
    switch (c) {
        case '"':
            return base::append(to, "\\\"");
        case '\\':
            return base::append(to, "\\\\");
        case '\n':
            return base::append(to, "\\n");
        case '\r':
            return base::append(to, "\\r");
        case '\t':
            return base::append(to, "\\t");
        default: {
            const char text[] = {'\\', 'u', '0', '0', kHex[code >> 4], kHex[code & 15]};
            return base::append(to, std::string_view(text, sizeof text));
        }
    }
}

}  // namespace

void append_integer(base::Bytes& to, std::int64_t value) {
    char text[kNumberBytesMax];
    const auto [stop, problem] = std::to_chars(text, text + sizeof text, value);
    base::append(to, std::string_view(text, static_cast<std::size_t>(stop - text)));
}

char* write_number(char* to, double value) {
    char* const end = to + kNumberBytesMax;
    const double size = std::fabs(value);
    if (value == std::floor(value) && size < kWholeMax && !(value == 0 && std::signbit(value)))
        return std::to_chars(to, end, static_cast<std::int64_t>(value)).ptr;
    // The longest of these: "-0.000012345678901234567", 24; others "-2.2250738585072014e-308", 24 as well.
    constexpr double kPlainMin = 1e-5;
    if (size >= kPlainMin && size < kWholeMax) return std::to_chars(to, end, value, std::chars_format::fixed).ptr;
    return std::to_chars(to, end, value).ptr;
}

void append_number(base::Bytes& to, double value) {
    if (!std::isfinite(value)) return base::append(to, "null");
    char text[kNumberBytesMax];
    base::append(to, std::string_view(text, static_cast<std::size_t>(write_number(text, value) - text)));
}

void append_string(base::Bytes& to, std::string_view text) {
    to.push_back('"');
    const char* at = text.data();
    const char* end = at + text.size();
    const char* clean = at;  // everything from here to `at` can be copied as it is
    while (at < end) {
        if (end - at >= 8 && (special_bytes(load8(at)) & kHighs) == 0) {
            at += 8;
            continue;
        }
        const char c = *at;
        if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') {
            ++at;
            continue;
        }
        base::append(to, std::string_view(clean, static_cast<std::size_t>(at - clean)));
        append_escape(to, c);
        clean = ++at;
    }
    base::append(to, std::string_view(clean, static_cast<std::size_t>(at - clean)));
    to.push_back('"');
}

void append_on_one_line(base::Bytes& to, std::string_view document) {
    const std::size_t start = to.size();
    base::append(to, document);
    if (document.find_first_of("\r\n") == std::string_view::npos) return;
    for (std::size_t i = start; i < to.size(); ++i) {
        if (to[i] == '\n' || to[i] == '\r') to[i] = ' ';
    }
}

void append_value(base::Bytes& to, const Value& value) {
    switch (value.kind()) {
        case Kind::missing:
        case Kind::null:
            return base::append(to, "null");
        case Kind::boolean:
            return base::append(to, value.is_true() ? "true" : "false");
        case Kind::integer:
            return append_integer(to, value.as_integer());
        case Kind::number:
            return append_number(to, value.as_number());
        case Kind::text:
            return append_string(to, value.as_view());
        case Kind::raw:
            return append_on_one_line(to, value.as_view());
    }
}

void append_plain(base::Bytes& to, const Value& value) {
    if (value.is_null() || (value.kind() == Kind::number && !std::isfinite(value.as_number()))) return;
    if (value.is_text()) return base::append(to, value.as_view());
    append_value(to, value);
}

}  // namespace sluice::json

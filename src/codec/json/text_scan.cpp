#include "codec/json/text_scan.hpp"

#include <algorithm>
#include <optional>

#include "codec/json/scanner.hpp"

namespace sluice::json {
namespace {

std::optional<unsigned> hex4(const char* at, const char* end) {
    if (end - at < 4) return std::nullopt;
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
        const char c = at[i];
        unsigned digit = 0;
        if (c >= '0' && c <= '9')
            digit = static_cast<unsigned>(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = static_cast<unsigned>(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = static_cast<unsigned>(c - 'A') + 10;
        else
            return std::nullopt;
        code = code * 16 + digit;
    }
    return code;
}

constexpr bool is_high(unsigned code) { return code >= 0xD800 && code <= 0xDBFF; }
constexpr bool is_low(unsigned code) { return code >= 0xDC00 && code <= 0xDFFF; }

char* put_utf8(unsigned code, char* to) {
    const auto put = [&to](unsigned byte) { *to++ = static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | (code >> 6));
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | (code >> 12));
        put(0x80 | ((code >> 6) & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | (code >> 18));
        put(0x80 | ((code >> 12) & 0x3F));
        put(0x80 | ((code >> 6) & 0x3F));
        put(0x80 | (code & 0x3F));
    }
    return to;
}

}  // namespace

std::size_t escape_length(const char* at, const char* end) {
    if (end - at < 2) return 0;
    switch (at[1]) {
        case '"':
        case '\\':
        case '/':
        case 'b':
        case 'f':
        case 'n':
        case 'r':
        case 't':
            return 2;
        case 'u': {
            const auto code = hex4(at + 2, end);
            if (!code || is_low(*code)) return 0;
            if (!is_high(*code)) return 6;
            if (end - at < 12 || at[6] != '\\' || at[7] != 'u') return 0;
            const auto partner = hex4(at + 8, end);
            return partner && is_low(*partner) ? 12 : 0;
        }
        default:
            return 0;
    }
}

bool is_near_zero(std::string_view number) {
    if (number.front() == '-') number.remove_prefix(1);
    const std::size_t e = std::min(number.find_first_of("eE"), number.size());
    const std::size_t point = std::min(number.find('.'), e);
    const std::size_t first = number.find_first_of("123456789");
    // 0.xyz e0 has magnitude 0, x.yz e0 has 1, 0.0x e0 has -1.
    double magnitude = static_cast<double>(point) - static_cast<double>(first) + (first > point ? 1 : 0);
    if (e < number.size()) {
        std::string_view shift = number.substr(e + 1);
        const bool minus = shift.front() == '-';
        if (minus || shift.front() == '+') shift.remove_prefix(1);
        double size = 0;
        for (const char c : shift) size = size * 10 + (c - '0');
        magnitude += minus ? -size : size;
    }
    return magnitude < 0;
}

char* unescape(std::string_view text, char* to) {
    const char* at = text.data();
    const char* end = at + text.size();
    while (at < end) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        const char what = at[1];
        at += 2;
        switch (what) {
            case 'b':
                *to++ = '\b';
                break;
            case 'f':
                *to++ = '\f';
                break;
            case 'n':
                *to++ = '\n';
                break;
            case 'r':
                *to++ = '\r';
                break;
            case 't':
                *to++ = '\t';
                break;
            case 'u': {
                unsigned code = hex4(at, end).value_or(0xFFFD);
                at += 4;
                if (is_high(code)) {
                    code = 0x10000 + ((code - 0xD800) << 10) + (hex4(at + 2, end).value_or(0xDC00) - 0xDC00);
                    at += 6;
                }
                to = put_utf8(code, to);
                break;
            }
            default:
                *to++ = what;
        }
    }
    return to;
}

bool is_utf8(std::string_view text) {
    const char* at = text.data();
    const char* end = at + text.size();
    while (at < end) {
        if (end - at >= 8 && (load8(at) & kHighs) == 0) {
            at += 8;
            continue;
        }
        const std::size_t length = static_cast<unsigned char>(*at) < 0x80 ? 1 : utf8_length(at, end);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

}  // namespace sluice::json

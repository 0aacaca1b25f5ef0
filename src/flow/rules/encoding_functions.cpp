// Hashes and encodings. Results stay text: hashes in hexadecimal, and what a decoder finds must be UTF-8.
#include <array>
#include <optional>

#include <openssl/evp.h>

#include "codec/json/scanner.hpp"
#include "flow/rules/arguments.hpp"
#include "flow/rules/function_families.hpp"
#include "flow/rules/text_builder.hpp"

namespace sluice::rules {
namespace {

constexpr std::string_view kHexLower = "0123456789abcdef";
constexpr std::string_view kHexUpper = "0123456789ABCDEF";

void append_hex(TextBuilder& to, base::ByteView bytes, std::string_view digits) {
    for (const base::Byte byte : bytes) {
        to.append(digits[byte >> 4]);
        to.append(digits[byte & 15]);
    }
}

/// The value of a digit; nullopt: it is none.
std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    const char lower = static_cast<char>(c | 0x20);
    if (lower >= 'a' && lower <= 'f') return static_cast<unsigned>(lower - 'a' + 10);
    return std::nullopt;
}

/// Decoded bytes as text: NULL, and counted, where they are none.
Value decoded(Scope& scope, TextBuilder& bytes) { return json::is_utf8(bytes.view()) ? bytes.text() : bad_value(scope); }

template <const EVP_MD* (*algorithm)()>
Value hash(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    std::array<base::Byte, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (EVP_Digest(text.data(), text.size(), digest.data(), &size, algorithm(), nullptr) != 1) return bad_value(scope);
    TextBuilder result(scope);
    append_hex(result, base::ByteView(digest).first(size), kHexLower);
    return result.text();
}

/// CRC-32 of ISO-HDLC (zip, Ethernet): polynomial 0x04C11DB7, bits reflected.
constexpr auto kCrcTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320 : 0);
        table[i] = value;
    }
    return table;
}();

Value crc32(Scope&, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    std::uint32_t crc = 0xFFFFFFFF;
    for (const char c : text) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
    return Value::integer(crc ^ 0xFFFFFFFF);
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 4648, with padding.
Value base64_encode(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    TextBuilder result(scope);
    for (std::size_t i = 0; i < text.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) group = (group << 8) | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k) result.append(i + k > text.size() ? '=' : kBase64[(group >> (18 - 6 * k)) & 63]);
    }
    return result.text();
}

/// Both alphabets of RFC 4648 (with + / and with - _), padding or not.
Value base64_decode(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    const std::size_t padding = text.size() % 4 == 0 && text.ends_with("==") ? 2 : text.size() % 4 == 0 && text.ends_with("=") ? 1 : 0;
    text.remove_suffix(padding);
    if (text.size() % 4 == 1) return bad_value(scope);
    TextBuilder result(scope);
    std::uint32_t group = 0;
    unsigned bits = 0;
    for (const char c : text) {
        const std::size_t digit = kBase64.find(c == '-' ? '+' : c == '_' ? '/' : c);
        if (digit == std::string_view::npos) return bad_value(scope);
        group = (group << 6) | static_cast<std::uint32_t>(digit);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        result.append(static_cast<char>((group >> bits) & 0xFF));
    }
    return decoded(scope, result);
}

Value hex_encode(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    TextBuilder result(scope);
    append_hex(result, base::as_bytes(text), kHexLower);
    return result.text();
}

Value hex_decode(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    if (text.size() % 2 != 0) return bad_value(scope);
    TextBuilder result(scope);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const auto high = hex_digit(text[i]);
        const auto low = hex_digit(text[i + 1]);
        if (!high || !low) return bad_value(scope);
        result.append(static_cast<char>(*high * 16 + *low));
    }
    return decoded(scope, result);
}

/// RFC 3986: all but letters, digits and - . _ ~ as %XX.
Value url_encode(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    TextBuilder result(scope);
    for (const char c : text) {
        const char lower = static_cast<char>(c | 0x20);
        const bool plain =
            (lower >= 'a' && lower <= 'z' && (c & 0x40) != 0) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            result.append(c);
        } else {
            const auto byte = static_cast<base::Byte>(c);
            result.append('%');
            append_hex(result, {&byte, 1}, kHexUpper);
        }
    }
    return result.text();
}

Value url_decode(Scope& scope, const Arguments& arguments) {
    std::string_view text;
    if (!arguments.text(0, text)) return arguments.nothing();
    TextBuilder result(scope);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result.append(text[i] == '+' ? ' ' : text[i]);
            continue;
        }
        const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
        const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
        if (!high || !low) return bad_value(scope);
        result.append(static_cast<char>(*high * 16 + *low));
        i += 2;
    }
    return decoded(scope, result);
}

}  // namespace

// clang-format off
constinit const Family<Function::md5, Function::url_decode> kEncodingFunctions{{
    {Function::md5, "md5", "", FunctionKind::scalar, "t", Type::text, "md5(text)", "MD5 in hexadecimal; to compare, not to protect", "md5('abc')", "\"900150983cd24fb0d6963f7d28e17f72\"", hash<EVP_md5>},
    {Function::sha1, "sha1", "", FunctionKind::scalar, "t", Type::text, "sha1(text)", "SHA-1 in hexadecimal; to compare, not to protect", "sha1('abc')", "\"a9993e364706816aba3e25717850c26c9cd0d89d\"", hash<EVP_sha1>},
    {Function::sha256, "sha256", "", FunctionKind::scalar, "t", Type::text, "sha256(text)", "SHA-256 in hexadecimal", "left(sha256('abc'), 16)", "\"ba7816bf8f01cfea\"", hash<EVP_sha256>},
    {Function::sha384, "sha384", "", FunctionKind::scalar, "t", Type::text, "sha384(text)", "SHA-384 in hexadecimal", "left(sha384('abc'), 16)", "\"cb00753f45a35e8b\"", hash<EVP_sha384>},
    {Function::sha512, "sha512", "", FunctionKind::scalar, "t", Type::text, "sha512(text)", "SHA-512 in hexadecimal", "left(sha512('abc'), 16)", "\"ddaf35a193617aba\"", hash<EVP_sha512>},
    {Function::crc32, "crc32", "", FunctionKind::scalar, "t", Type::number, "crc32(text)", "CRC-32 as zip and Ethernet have it", "crc32('123456789')", "3421780262", crc32},
    {Function::base64_encode, "base64_encode", "to_base64", FunctionKind::scalar, "t", Type::text, "base64_encode(text)", "base64", "base64_encode('pump')", "\"cHVtcA==\"", base64_encode},
    {Function::base64_decode, "base64_decode", "from_base64", FunctionKind::scalar, "t", Type::text, "base64_decode(text)", "text from base64, of either alphabet; NULL where it is no UTF-8", "base64_decode('cHVtcA')", "\"pump\"", base64_decode},
    {Function::hex_encode, "hex_encode", "to_hex", FunctionKind::scalar, "t", Type::text, "hex_encode(text)", "two hexadecimal digits a byte", "hex_encode('AZ')", "\"415a\"", hex_encode},
    {Function::hex_decode, "hex_decode", "from_hex unhex", FunctionKind::scalar, "t", Type::text, "hex_decode(text)", "text from hexadecimal digits; NULL where it is no UTF-8", "hex_decode('415A')", "\"AZ\"", hex_decode},
    {Function::url_encode, "url_encode", "", FunctionKind::scalar, "t", Type::text, "url_encode(text)", "percent-encoded", "url_encode('a b/ä')", "\"a%20b%2F%C3%A4\"", url_encode},
    {Function::url_decode, "url_decode", "", FunctionKind::scalar, "t", Type::text, "url_decode(text)", "text from percent-encoded text; + is a blank", "url_decode('a+b%2F')", "\"a b/\"", url_decode},
}};
// clang-format on

}  // namespace sluice::rules

#include "cli/payload_decoder.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "cli/printable.hpp"
#include "codec/json/writer.hpp"
#include "data/reading.hpp"
#include "data/topic.hpp"

namespace sluice::cli {
namespace {

constexpr std::size_t kHexBytesMax = 32;  // of what is shown unasked
constexpr std::size_t kIndent = 2;

bool is_text(base::ByteView payload) { return data::is_mqtt_utf8(base::as_text(payload)); }

std::string hex_of(base::ByteView bytes, std::size_t most) {
    std::string out = fmt::format("({} bytes)", bytes.size());
    for (std::size_t i = 0; i < bytes.size() && i < most; ++i) out += fmt::format(" {:02x}", bytes[i]);
    if (bytes.size() > most) out += " …";
    return out;
}

/// Text that may have any byte in it: those that are no UTF-8 are escaped one by one.
std::string escaped_text(base::ByteView bytes) {
    if (is_text(bytes)) return printable(base::as_text(bytes));
    std::string out;
    for (const base::Byte each : bytes) {
        out += each < 0x80 ? printable(std::string_view(reinterpret_cast<const char*>(&each), 1)) : fmt::format("\\x{:02x}", each);
    }
    return out;
}

/// A valid document over several lines, each of which can be shown.
std::string indented(std::string_view document) {
    std::string out;
    std::string line;
    std::size_t depth = 0;
    bool quoted = false;
    const auto break_line = [&] {
        out += printable(line) + "\n";
        line = std::string(kIndent * depth, ' ');
    };
    for (std::size_t i = 0; i < document.size(); ++i) {
        const char c = document[i];
        if (quoted) {
            line += c;
            if (c == '\\') line += document[++i];
            quoted = c != '"';
            continue;
        }
        const std::size_t next = document.find_first_not_of(" \t\r\n", i + 1);
        const bool empty = next != std::string_view::npos && (document[next] == '}' || document[next] == ']');
        switch (c) {
            case ' ':
            case '\t':
            case '\r':
            case '\n':
                break;
            case '{':
            case '[':
                line += c;
                if (empty) {
                    line += document[next];
                    i = next;
                    break;
                }
                ++depth;
                break_line();
                break;
            case '}':
            case ']':
                --depth;
                break_line();
                line += c;
                break;
            case ',':
                line += c;
                break_line();
                break;
            case ':':
                line += ": ";
                break;
            default:
                quoted = c == '"';
                line += c;
        }
    }
    return out + printable(line);
}

template <class T>
std::string number_text(T value, bool as_json) {
    if constexpr (std::is_floating_point_v<T>) {
        if (as_json && !std::isfinite(value)) return "null";
    }
    return fmt::format("{}", value);
}

}  // namespace

std::optional<PayloadDecoder> PayloadDecoder::parse(std::string_view name) {
    struct Name {
        std::string_view name;
        Mode mode;
    };
    static constexpr std::array kModes{Name{"auto", Mode::automatic}, Name{"json", Mode::json}, Name{"pretty", Mode::pretty},
                                       Name{"text", Mode::text},      Name{"hex", Mode::hex},   Name{"base64", Mode::base64},
                                       Name{"size", Mode::size}};
    for (const Name& each : kModes) {
        if (each.name == name) return PayloadDecoder(each.mode);
    }
    PayloadDecoder out(Mode::numbers);
    const std::string_view order = name.size() > 2 ? name.substr(name.size() - 2) : std::string_view();
    if (order == "le" || order == "be") name.remove_suffix(2);
    out.number_.big_endian = order == "be";
    static constexpr std::array<std::string_view, 10> kNumbers{"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64"};
    for (const auto each : kNumbers) {
        if (each != name) continue;
        out.number_.kind = each[0];
        out.number_.bytes = each.substr(1) == "8" ? 1 : each.substr(1) == "16" ? 2 : each.substr(1) == "32" ? 4 : 8;
        const bool ordered = order == "le" || order == "be";
        if (ordered == (out.number_.bytes == 1)) return std::nullopt;  // an order is needed, and only, where there is one
        return out;
    }
    return std::nullopt;
}

/// Appends a JSON document on one line. False: the payload is none.
bool PayloadDecoder::read_json(base::ByteView payload, base::Bytes& line) {
    padded_.assign(payload.begin(), payload.end());
    padded_.resize(payload.size() + data::kReadablePadding);
    static const json::FieldSet kNothing;
    const base::ByteView document(padded_.data(), payload.size());
    if (!scanner_.scan(document, kNothing, {})) return false;
    json::append_on_one_line(line, base::as_text(document));
    return true;
}

std::string PayloadDecoder::number_at(const base::Byte* at, bool as_json) const {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < number_.bytes; ++i) word = word << 8 | at[number_.big_endian ? i : number_.bytes - 1 - i];
    if (number_.kind == 'f') {
        return number_.bytes == 4 ? number_text(std::bit_cast<float>(static_cast<std::uint32_t>(word)), as_json)
                                  : number_text(std::bit_cast<double>(word), as_json);
    }
    if (number_.kind == 'u') return number_text(word, as_json);
    const unsigned unused = 64U - 8U * static_cast<unsigned>(number_.bytes);
    return number_text(static_cast<std::int64_t>(word << unused) >> unused, as_json);
}

std::optional<std::string> PayloadDecoder::read_numbers(base::ByteView payload, bool as_json) const {
    if (payload.empty() || payload.size() % number_.bytes != 0) return std::nullopt;
    if (payload.size() == number_.bytes) return number_at(payload.data(), as_json);
    std::string out = "[";
    for (std::size_t i = 0; i < payload.size(); i += number_.bytes) {
        if (i != 0) out += ',';
        out += number_at(payload.data() + i, as_json);
    }
    return out + "]";
}

std::string PayloadDecoder::show(base::ByteView payload) {
    base::Bytes line;
    switch (mode_) {
        case Mode::hex:
            return hex_of(payload, payload.size());
        case Mode::base64:
            return base64(payload);
        case Mode::size:
            return fmt::format("({} bytes)", payload.size());
        case Mode::text:
            return escaped_text(payload);
        case Mode::numbers:
            if (auto numbers = read_numbers(payload, false)) return *std::move(numbers);
            return hex_of(payload, kHexBytesMax);
        case Mode::automatic:
        case Mode::json:
        case Mode::pretty:
            break;
    }
    if (read_json(payload, line)) return mode_ == Mode::pretty ? indented(base::as_text(line)) : printable(base::as_text(line));
    const char* remark = mode_ == Mode::automatic || payload.empty() ? "" : "(no JSON) ";
    return remark + (is_text(payload) ? printable(base::as_text(payload)) : hex_of(payload, kHexBytesMax));
}

std::optional<std::string> PayloadDecoder::document(base::ByteView payload) {
    if (mode_ == Mode::numbers) return read_numbers(payload, true);
    base::Bytes line;
    if (!read_json(payload, line)) {
        if (mode_ == Mode::json || mode_ == Mode::pretty || !is_text(payload)) return std::nullopt;
        json::append_string(line, base::as_text(payload));
    }
    return std::string(base::as_text(line));
}

std::string base64(base::ByteView bytes) {
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t left = bytes.size() - i;
        const std::uint32_t word = static_cast<std::uint32_t>(bytes[i] << 16) |
                                   (left > 1 ? static_cast<std::uint32_t>(bytes[i + 1] << 8) : 0U) | (left > 2 ? bytes[i + 2] : 0U);
        out.push_back(kDigits[word >> 18]);
        out.push_back(kDigits[(word >> 12) & 63U]);
        out.push_back(left > 1 ? kDigits[(word >> 6) & 63U] : '=');
        out.push_back(left > 2 ? kDigits[word & 63U] : '=');
    }
    return out;
}

}  // namespace sluice::cli

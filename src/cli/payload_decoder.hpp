// What the bytes of a payload stand for, for people and for rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "codec/json/scanner.hpp"

namespace sluice::cli {

/// The names that PayloadDecoder::parse takes, for help and messages.
inline constexpr std::string_view kDecodings =
    "auto, json, pretty, text, hex, base64, size, or numbers: i8 u8, i16 u16 i32 u32 i64 u64 f32 f64 with le or be behind (f32le)";

/// One thread; reuses its memory.
class PayloadDecoder {
public:
    /// Nothing: not one of kDecodings.
    [[nodiscard]] static std::optional<PayloadDecoder> parse(std::string_view name);

    /// For a terminal: control characters are escaped, what is no text is shown as numbers. One line, but for `pretty`.
    [[nodiscard]] std::string show(base::ByteView payload);
    /// As one JSON value: a JSON document as it is, numbers as a number or an array, text as a string. Nothing: none of these.
    [[nodiscard]] std::optional<std::string> document(base::ByteView payload);
    /// document() says more than the payload's own text.
    [[nodiscard]] bool gives_values() const { return mode_ == Mode::json || mode_ == Mode::pretty || mode_ == Mode::numbers; }

private:
    enum class Mode : std::uint8_t { automatic, json, pretty, text, hex, base64, size, numbers };
    struct Number {
        char kind = 'u';  ///< u, i or f
        std::size_t bytes = 1;
        bool big_endian = false;
    };
    explicit PayloadDecoder(Mode mode) : mode_(mode) {}
    bool read_json(base::ByteView payload, base::Bytes& line);
    [[nodiscard]] std::optional<std::string> read_numbers(base::ByteView payload, bool as_json) const;
    [[nodiscard]] std::string number_at(const base::Byte* at, bool as_json) const;

    Mode mode_;
    Number number_{};
    json::Scanner scanner_{{.bytes_max = std::size_t{256} * 1024 * 1024, .depth_max = 128}};
    base::Bytes padded_;
};

/// RFC 4648 §4.
[[nodiscard]] std::string base64(base::ByteView bytes);

}  // namespace sluice::cli

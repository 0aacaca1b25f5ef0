// Characters (Unicode code points) of text that is known to be UTF-8.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace sluice::rules {

[[nodiscard]] constexpr bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

[[nodiscard]] inline std::int64_t characters(std::string_view text) {
    return std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); });
}

/// The view behind the first `count` characters.
[[nodiscard]] inline std::string_view skip(std::string_view text, std::int64_t count) {
    std::size_t at = 0;
    for (; count > 0 && at < text.size(); --count) {
        ++at;
        while (at < text.size() && is_continuation(text[at])) ++at;
    }
    return text.substr(at);
}

/// Of a text that is not empty: the code point of its first character.
[[nodiscard]] inline std::int64_t first_character(std::string_view text) {
    const auto byte = [text](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
    const std::size_t size = text.size() - skip(text, 1).size();
    if (size == 1) return byte(0);
    std::uint32_t code = byte(0) & (0x7Fu >> size);
    for (std::size_t i = 1; i < size; ++i) code = (code << 6) | (byte(i) & 0x3F);
    return code;
}

inline constexpr std::size_t kCharacterBytesMax = 4;
/// Writes a code point that is no surrogate; the number of its bytes.
inline std::size_t encode_character(std::uint32_t code, char* to) {
    if (code < 0x80) {
        to[0] = static_cast<char>(code);
        return 1;
    }
    const std::size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (std::size_t i = size - 1; i > 0; --i, code >>= 6) to[i] = static_cast<char>(0x80 | (code & 0x3F));
    to[0] = static_cast<char>((0xF00 >> size) | code);
    return size;
}

}  // namespace sluice::rules

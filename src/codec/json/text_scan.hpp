// The inner loops over JSON text: eight bytes at a time in ordinary registers (SWAR), the same on every processor.
// All of them may read up to 8 bytes behind `end`; none gives out anything from there.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sluice::json {

inline constexpr std::uint64_t kOnes = 0x0101010101010101;
inline constexpr std::uint64_t kHighs = 0x8080808080808080;

[[nodiscard]] inline std::uint64_t load8(const char* from) {
    static_assert(std::endian::native == std::endian::little, "the first byte in memory must be the lowest");
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

/// The high bit of each byte that cannot stand in a JSON string as it is: quote, backslash, control characters; and of each byte above
/// 0x7F. Exact up to the first such byte (a borrow can only disturb bytes behind it).
[[nodiscard]] inline std::uint64_t special_bytes(std::uint64_t word) {
    const std::uint64_t quote = word ^ (kOnes * '"');
    const std::uint64_t backslash = word ^ (kOnes * '\\');
    return (word | (word - kOnes * 0x20) | (quote - kOnes) | (backslash - kOnes)) & kHighs;
}

/// The first special byte at or behind `at`, or something not before `end`.
[[nodiscard]] inline const char* next_special(const char* at, const char* end) {
    while (at < end) {
        const std::uint64_t found = special_bytes(load8(at));
        if (found != 0) return at + (std::countr_zero(found) >> 3);
        at += 8;
    }
    return at;
}

/// The value of eight digits, each byte of the word 0 to 9: neighbours are joined pairwise, three times.
[[nodiscard]] inline std::uint64_t eight_digits(std::uint64_t word) {
    word = (word * 10) + (word >> 8);
    return (((word & 0x000000FF000000FF) * 0x000F424000000064) + (((word >> 16) & 0x000000FF000000FF) * 0x0000271000000001)) >> 32;
}

inline constexpr std::uint64_t kTens[] = {1, 10, 100, 1000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};

/// Passes over digits and adds them to `mantissa` (modulo 2^64: callers count the digits). Returns the place behind the last one.
[[nodiscard]] inline const char* take_digits(const char* at, const char* end, std::uint64_t& mantissa) {
    for (;;) {
        const std::uint64_t word = load8(at) ^ (kOnes * '0');  // digits become 0 to 9
        // Adding 0x76 sets the high bit of 10 and more; exact up to the first byte that is no digit.
        const std::uint64_t other = (word | (word + kOnes * 0x76)) & kHighs;
        std::size_t count = other == 0 ? 8 : static_cast<std::size_t>(std::countr_zero(other) >> 3);
        if (static_cast<std::ptrdiff_t>(count) > end - at) count = end > at ? static_cast<std::size_t>(end - at) : 0;
        if (count == 0) return at;
        mantissa = mantissa * kTens[count] + eight_digits(word << (64 - 8 * count));
        at += count;
        if (count < 8) return at;
    }
}

/// Length of the UTF-8 sequence at `at`, a byte above 0x7F; 0: not well-formed (RFC 3629: no overlong forms, surrogates, nothing above
/// U+10FFFF).
[[nodiscard]] inline std::size_t utf8_length(const char* at, const char* end) {
    const auto byte = [at](int i) { return static_cast<unsigned>(static_cast<unsigned char>(at[i])); };
    const auto follows = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
    const unsigned lead = byte(0);
    const std::ptrdiff_t left = end - at;
    if (lead >= 0xC2 && lead <= 0xDF) return left >= 2 && follows(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (left < 3 || !follows(1) || !follows(2)) return 0;
        if (lead == 0xE0 && byte(1) < 0xA0) return 0;
        if (lead == 0xED && byte(1) >= 0xA0) return 0;
        return 3;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (left < 4 || !follows(1) || !follows(2) || !follows(3)) return 0;
        if (lead == 0xF0 && byte(1) < 0x90) return 0;
        if (lead == 0xF4 && byte(1) >= 0x90) return 0;
        return 4;
    }
    return 0;
}

/// Length of the escape at `at`, a backslash; 0: not one. A surrogate counts with its partner, and never alone.
[[nodiscard]] std::size_t escape_length(const char* at, const char* end);

/// Of a JSON number that is out of the range of a 64-bit float: is it so because it is near zero? By the place of its first digit that is
/// not zero.
[[nodiscard]] bool is_near_zero(std::string_view number);

}  // namespace sluice::json
